"""Extended information of features: how a gateway's protocol maps to the model, for Modbus, OPC UA and custom protocols.

CreateThingModel accepts it by the rules of "Data structure of ThingModelJson"; QueryThingModelExtendConfig returns it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import invalid_parameter
from iot_emulator.things import store
from iot_emulator.things.common import (
    find_modeled_product,
    parse_json,
    to_compact_json,
    unknown_block_error,
)
from iot_emulator.things.features import Block, Feature, Model, Property, Service
from iot_emulator.things.specs import RuleViolation

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
    """Raise RuleViolation for extended information that does not fit the gateway protocol of the product ("" for none)."""
    for feature in block.all_features():
        if not feature.extend:
            continue
        try:
            data = parse_json(feature.extend)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise RuleViolation(f"extendConfig of {feature.identifier} is not a JSON object")
        if data.get("identifier") not in (None, feature.identifier):
            raise RuleViolation(
                f"extendConfig of {feature.identifier} contains the identifier of another feature"
            )
        try:
            if protocol == "modbus":
                _check_modbus(feature, data)
            elif protocol == "opc-ua":
                _check_opc_ua(feature, data)
            elif protocol == "customize" and not isinstance(data.get("customize"), dict):
                raise RuleViolation("customize must be a JSON object")
        except RuleViolation as violation:
            raise RuleViolation(f"extendConfig of {feature.identifier}: {violation}") from None


def _check_modbus(feature: Feature, data: Mapping[str, Any]) -> None:
    if not isinstance(feature, Property):
        raise RuleViolation("Modbus supports properties only")
    if not _REGISTER.fullmatch(str(data.get("registerAddress"))):
        raise RuleViolation("registerAddress must be from 0x0 to 0xFFFF")
    codes = _WRITE_CODES.get(str(data.get("operateType")))
    if codes is None:
        raise RuleViolation(f"operateType must be one of {', '.join(_WRITE_CODES)}")
    code = data.get("writeFunctionCode", 0)
    if code not in codes:
        raise RuleViolation(f"writeFunctionCode must be one of {', '.join(map(str, codes))}")
    if data.get("writeOnly", 0) not in (0, 1) or (data.get("writeOnly") and not code):
        raise RuleViolation("writeOnly must be 0, or 1 if the register is writable")
    scaling = data.get("scaling", 1)
    if isinstance(scaling, bool) or not isinstance(scaling, int | float) or scaling == 0:
        raise RuleViolation("scaling must be a number other than 0")
    if data.get("trigger", 1) not in (1, 2):
        raise RuleViolation("trigger must be 1 or 2")
    if data.get("bitMask", 1) not in _MASKS:
        raise RuleViolation("bitMask must be a power of 2 up to 32768")
    original = data.get("originalDataType")
    if not isinstance(original, dict) or str(original.get("type")).lower() not in _ORIGINAL_TYPES:
        raise RuleViolation("originalDataType must have one of the basic types")
    specs = original.get("specs")
    if specs is not None and not isinstance(specs, dict):
        raise RuleViolation("specs must be a JSON object")
    for name in ("swap", "swap16", "reverseRegister"):
        if (specs or {}).get(name, 0) not in (0, 1):
            raise RuleViolation(f"{name} must be 0 or 1")


def _check_opc_ua(feature: Feature, data: Mapping[str, Any]) -> None:
    if not isinstance(feature, Service) and not data.get("displayName"):
        raise RuleViolation("displayName is required")
    for key in ("inputData", "outputData"):
        entries = data.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise RuleViolation(f"{key} must be a list of objects")
        indices = [entry.get("index") for entry in entries]
        if len(set(map(str, indices))) < len(indices):
            raise RuleViolation(f"indices in {key} must be unique")


def query_thing_model_extend_config(call: Call) -> dict[str, Any]:
    """QueryThingModelExtendConfig: returns the information of the named version, else of the
    newest version, else of the draft."""
    return _read_configuration(call, or_draft=True)


def query_thing_model_extend_config_published(call: Call) -> dict[str, Any]:
    """QueryThingModelExtendConfigPublished: returns the information of the named version, else of
    the newest version."""
    return _read_configuration(call, or_draft=False)


def _read_configuration(call: Call, *, or_draft: bool) -> dict[str, Any]:
    key = find_modeled_product(call)["product_key"]
    version = call.params.get("ModelVersion") or ""
    published = store.find_version(call.db, key, version)
    if published is None and version:
        raise invalid_parameter(f"The product has no published version {version} of its thing model.")
    model = published.model if published else store.read_draft(call.db, key) if or_draft else Model()
    identifier = call.params.get("FunctionBlockId") or ""
    block = model.block(identifier)
    if block is None:
        raise unknown_block_error(identifier)
    data: dict[str, Any] = {
        "profile": {"productKey": key},
        "properties": [json.loads(item.extend) for item in block.properties if item.extend],
    }
    for name, features in (("services", block.services), ("events", block.events)):
        extended = [json.loads(item.extend) for item in features if item.extend]
        if extended:
            data[name] = extended
    return {"Data": {"Configuration": to_compact_json(data)}}


OPERATIONS: dict[str, Handler] = {
    "QueryThingModelExtendConfig": query_thing_model_extend_config,
    "QueryThingModelExtendConfigPublished": query_thing_model_extend_config_published,
}
