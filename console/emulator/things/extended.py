"""Extended information of features: how a gateway's protocol maps to the model, for Modbus, OPC UA and custom protocols.

What CreateThingModel accepts is in "Data structure of ThingModelJson"; QueryThingModelExtendConfig hands it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import invalid_parameter
from console.emulator.things import store
from console.emulator.things.common import dumped, modelled_product_of, sound_json, unknown_block
from console.emulator.things.features import Block, Feature, Model, Property, Service
from console.emulator.things.specs import Flaw

_REGISTER = re.compile(r"0[xX][0-9A-Fa-f]{1,4}")
_WRITE_CODES: Mapping[str, tuple[int, ...]] = {
    "coilStatus": (0, 5, 6, 15),
    "inputStatus": (0,),
    "holdingRegister": (0, 6, 16),
    "inputRegister": (0,),
}
_INTEGERS = ("int16", "uint16", "int32", "uint32", "int64", "uint64")
_ORIGINAL_TYPES = frozenset((*_INTEGERS, "float", "double", "string", "boolean", "bool", "customized"))
_MASKS = tuple(1 << bit for bit in range(16))


def check_extended(block: Block, protocol: str) -> None:
    """Raise Flaw for extended information that does not fit the gateway protocol of the product ("" for none)."""
    for feature in block.all():
        if not feature.extend:
            continue
        try:
            data = sound_json(feature.extend)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise Flaw(f"extendConfig of {feature.identifier} is not a JSON object")
        if data.get("identifier") not in (None, feature.identifier):
            raise Flaw(f"extendConfig of {feature.identifier} names another feature")
        try:
            if protocol == "modbus":
                _check_modbus(feature, data)
            elif protocol == "opc-ua":
                _check_opc_ua(feature, data)
            elif protocol == "customize" and not isinstance(data.get("customize"), dict):
                raise Flaw("customize must be a JSON object")
        except Flaw as flaw:
            raise Flaw(f"extendConfig of {feature.identifier}: {flaw}") from None


def _check_modbus(feature: Feature, data: Mapping[str, Any]) -> None:
    if not isinstance(feature, Property):
        raise Flaw("Modbus maps properties only")
    if not _REGISTER.fullmatch(str(data.get("registerAddress"))):
        raise Flaw("registerAddress is from 0x0 to 0xFFFF")
    codes = _WRITE_CODES.get(str(data.get("operateType")))
    if codes is None:
        raise Flaw(f"operateType is one of {', '.join(_WRITE_CODES)}")
    code = data.get("writeFunctionCode", 0)
    if code not in codes:
        raise Flaw(f"writeFunctionCode is one of {', '.join(map(str, codes))}")
    if data.get("writeOnly", 0) not in (0, 1) or (data.get("writeOnly") and not code):
        raise Flaw("writeOnly is 0, or 1 where writing is possible")
    scaling = data.get("scaling", 1)
    if isinstance(scaling, bool) or not isinstance(scaling, int | float) or scaling == 0:
        raise Flaw("scaling is a number other than 0")
    if data.get("trigger", 1) not in (1, 2):
        raise Flaw("trigger is 1 or 2")
    if data.get("bitMask", 1) not in _MASKS:
        raise Flaw("bitMask is a power of 2 up to 32768")
    original = data.get("originalDataType")
    if not isinstance(original, dict) or str(original.get("type")).lower() not in _ORIGINAL_TYPES:
        raise Flaw("originalDataType has one of the basic types")
    specs = original.get("specs")
    if specs is not None and not isinstance(specs, dict):
        raise Flaw("specs must be a JSON object")
    for name in ("swap", "swap16", "reverseRegister"):
        if (specs or {}).get(name, 0) not in (0, 1):
            raise Flaw(f"{name} is 0 or 1")


def _check_opc_ua(feature: Feature, data: Mapping[str, Any]) -> None:
    if not isinstance(feature, Service) and not data.get("displayName"):
        raise Flaw("displayName is required")
    for key in ("inputData", "outputData"):
        entries = data.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Flaw(f"{key} must be a list of objects")
        indices = [entry.get("index") for entry in entries]
        if len(set(map(str, indices))) < len(indices):
            raise Flaw(f"indices in {key} must differ")


def query_thing_model_extend_config(call: Call) -> dict[str, Any]:
    """QueryThingModelExtendConfig: of the version named, else of the newest, else of the draft."""
    return _configuration(call, or_draft=True)


def query_thing_model_extend_config_published(call: Call) -> dict[str, Any]:
    """QueryThingModelExtendConfigPublished: of the version named, else of the newest."""
    return _configuration(call, or_draft=False)


def _configuration(call: Call, *, or_draft: bool) -> dict[str, Any]:
    key = modelled_product_of(call)["product_key"]
    version = call.params.get("ModelVersion") or ""
    found = store.published(call.db, key, version)
    if found is None and version:
        raise invalid_parameter(f"The product has no published version {version} of its thing model.")
    model = found.model if found else store.draft(call.db, key) if or_draft else Model()
    identifier = call.params.get("FunctionBlockId") or ""
    block = model.block(identifier)
    if block is None:
        raise unknown_block(identifier)
    data: dict[str, Any] = {
        "profile": {"productKey": key},
        "properties": [json.loads(item.extend) for item in block.properties if item.extend],
    }
    for name, features in (("services", block.services), ("events", block.events)):
        extended = [json.loads(item.extend) for item in features if item.extend]
        if extended:
            data[name] = extended
    return {"Data": {"Configuration": dumped(data)}}


OPERATIONS: dict[str, Handler] = {
    "QueryThingModelExtendConfig": query_thing_model_extend_config,
    "QueryThingModelExtendConfigPublished": query_thing_model_extend_config_published,
}
