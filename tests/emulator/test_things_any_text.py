"""Whatever JSON is sent to thing models and shadows is taken or refused by a rule, never stumbled over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.cloud.errors import CloudError
from tests.emulator.thing_world import SAMPLE, Things, prop

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
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def mutated(draw: Any, value: Any) -> Any:
    """A sound document with something strange in one place."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: mutated(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], mutated(draw, value[index]), *value[index + 1 :]]
    return draw(anything)


@st.composite
def models(draw: Any) -> Any:
    return mutated(draw, SAMPLE)


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
def documents(draw: Any) -> Any:
    return mutated(draw, TSL)


MODBUS = {
    "identifier": "X",
    "registerAddress": "0x1",
    "operateType": "coilStatus",
    "writeFunctionCode": 5,
    "bitMask": 4,
    "originalDataType": {"type": "bool", "specs": {"swap": 1}},
}


@st.composite
def mappings(draw: Any) -> Any:
    return mutated(draw, MODBUS)


@st.composite
def shadows(draw: Any) -> Any:
    return mutated(draw, {"method": "update", "state": {"desired": {"a": {"b": [1]}}}, "version": 5})


@pytest.fixture
def things(api, emulator, clock) -> Things:
    return Things(api, emulator, clock)


def stumbles(things: Things, operation: str, **params: Any) -> bool:
    """Whether a call ends in the emulator's own failure."""
    try:
        things.call(operation, **params)
    except CloudError as error:
        return error.code == "InternalError" or error.code.startswith("Client.")
    return False


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=models(), document=documents(), shadow=shadows(), mapping=mappings(), values=anything)
def test_any_json_is_taken_or_refused(things, model, document, shadow, mapping, values):
    key = things.call("QueryProductList", CurrentPage=1, PageSize=1)["Data"]["List"]["ProductInfo"]
    if not key:
        things.device(things.modelled(ProtocolType="modbus"))
        key = things.call("QueryProductList", CurrentPage=1, PageSize=1)["Data"]["List"]["ProductInfo"]
    product = {"ProductKey": key[0]["ProductKey"]}
    device = {**product, "DeviceName": "d1"}
    text = json.dumps(values)
    mapped = {"properties": [prop("X", extendConfig=json.dumps(mapping))]}
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
        assert not stumbles(things, operation, **params), (operation, params)
