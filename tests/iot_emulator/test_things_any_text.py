"""Any JSON that is sent to thing models and shadows is accepted or refused by a rule, and never causes an internal error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot_client.errors import CloudError
from tests.iot_emulator.thing_setup import SAMPLE, ThingSetup, build_property

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["INT", "1", "A"]),
)
WORDS = st.sampled_from(
    ["properties", "services", "events", "identifier", "name", "dataType", "dataSpecs", "dataSpecsList", "type",
     "specs", "item", "size", "min", "max", "step", "method", "state", "desired", "version", "Level", "Place",
     "inputParams", "outputData", "extendConfig", "rwFlag", "accessMode", "callType", "createTs", "paraOrder"]
)  # fmt: skip
any_json = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def mutate(draw: Any, value: Any) -> Any:
    """Replace one part of a valid document by any JSON."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: mutate(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], mutate(draw, value[index]), *value[index + 1 :]]
    return draw(any_json)


@st.composite
def any_models(draw: Any) -> Any:
    return mutate(draw, SAMPLE)


TSL = {
    "properties": [
        {"identifier": "A", "name": "A", "accessMode": "rw",
         "dataType": {"type": "array", "specs": {"size": "2", "item": {"type": "struct", "specs": [
             {"identifier": "x", "name": "x", "dataType": {"type": "enum", "specs": {"0": "no", "1": "yes"}}}]}}}},
    ],
    "services": [{"identifier": "S", "name": "S", "callType": "sync", "inputData": [], "outputData": []}],
    "events": [{"identifier": "E", "name": "E", "type": "info", "outputData": []}],
}  # fmt: skip


@st.composite
def any_documents(draw: Any) -> Any:
    return mutate(draw, TSL)


MODBUS = {
    "identifier": "X",
    "registerAddress": "0x1",
    "operateType": "coilStatus",
    "writeFunctionCode": 5,
    "bitMask": 4,
    "originalDataType": {"type": "bool", "specs": {"swap": 1}},
}


@st.composite
def any_mappings(draw: Any) -> Any:
    return mutate(draw, MODBUS)


@st.composite
def any_shadows(draw: Any) -> Any:
    return mutate(draw, {"method": "update", "state": {"desired": {"a": {"b": [1]}}}, "version": 5})


@pytest.fixture
def things(api, emulator, clock) -> ThingSetup:
    return ThingSetup(api, emulator, clock)


def fails_internally(things: ThingSetup, operation: str, **params: Any) -> bool:
    """Whether a call ends in an internal error of the emulator."""
    try:
        things.call(operation, **params)
    except CloudError as error:
        return error.code == "InternalError" or error.code.startswith("Client.")
    return False


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=any_models(),
    document=any_documents(),
    shadow=any_shadows(),
    mapping=any_mappings(),
    values=any_json,
)
def test_any_json_is_accepted_or_refused(things, model, document, shadow, mapping, values):
    key = things.call("QueryProductList", CurrentPage=1, PageSize=1)["Data"]["List"]["ProductInfo"]
    if not key:
        things.register_device(things.create_modeled_product(ProtocolType="modbus"))
        key = things.call("QueryProductList", CurrentPage=1, PageSize=1)["Data"]["List"]["ProductInfo"]
    product = {"ProductKey": key[0]["ProductKey"]}
    device = {**product, "DeviceName": "d1"}
    text = json.dumps(values)
    mapped = {"properties": [build_property("X", extendConfig=json.dumps(mapping))]}
    for operation, params in (
        ("ImportThingModelTsl", {**product, "TslStr": json.dumps(document)}),
        ("GetThingModelTsl", product),
        ("CreateThingModel", {**product, "ThingModelJson": json.dumps(model)}),
        ("CreateThingModel", {**product, "ThingModelJson": json.dumps(mapped)}),
        ("UpdateThingModel", {**product, "ThingModelJson": json.dumps(model)}),
        ("QueryThingModel", product),
        ("QueryThingModelExtendConfig", product),
        ("SetDeviceProperty", {**device, "Items": text}),
        ("SetDeviceDesiredProperty", {**device, "Items": text, "Versions": text}),
        ("InvokeThingService", {**device, "Identifier": "Move", "Args": text}),
        ("InvokeThingService", {**device, "Identifier": "get", "Args": text}),
        ("UpdateDeviceShadow", {**device, "ShadowMessage": json.dumps(shadow)}),
        ("GetDeviceShadow", device),
        ("PublishThingModel", product),
        ("QueryDevicePropertyStatus", device),
    ):
        assert not fails_internally(things, operation, **params), (operation, params)
