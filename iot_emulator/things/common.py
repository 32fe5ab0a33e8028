"""Shared functions of the thing handlers: finding the product or device of a call, reading JSON, error responses."""

from __future__ import annotations

import json
import secrets
import sqlite3
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.lookups import find_device, find_product
from iot_emulator.things import store
from iot_emulator.things.features import DuplicateFeature, Model
from iot_emulator.things.specs import RuleViolation


def find_modeled_product(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """Find the product of a call, which must use a thing model.

    Raises the errors of `find_product`, and `iot.prod.NotSeniorProduct`.
    """
    product = find_product(call, product_key)
    if product["commodity_code"] != "iothub_senior":
        raise ServiceError("iot.prod.NotSeniorProduct", "The product does not use a thing model.")
    return product


def find_editable_product(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """Find the product of a call, which must use a thing model and must not be published."""
    product = find_modeled_product(call, product_key)
    if product["status"] != "DEVELOPMENT_STATUS":
        raise ServiceError(
            "iot.prod.UpdateProductFailed",
            "The product is published. Unpublish it, then edit its thing model.",
        )
    return product


def find_modeled_device(call: Call) -> tuple[sqlite3.Row, sqlite3.Row, Model]:
    """Find the device of a call, its product, and the model that the device uses."""
    device = find_device(call)
    product = find_modeled_product(call, device["product_key"])
    return device, product, store.read_current_model(call.db, product["product_key"])


def require_activated(device: sqlite3.Row) -> None:
    """Raise `iot.device.InactiveDevice` for a device that was never online: nothing can be sent to it."""
    if device["activated"] is None:
        raise ServiceError("iot.device.InactiveDevice", f"The device {device['name']} is not activated.")


def parse_json(text: str) -> Any:
    """Decode JSON. Raises ValueError for invalid JSON, and for data that cannot be written as JSON again: NaN, half of a
    surrogate pair, thousands of nested brackets."""
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def decode_json(text: str, code: str, what: str) -> Any:
    """Decode JSON; raises ServiceError with `code` for invalid JSON. `what` names the parameter in the message."""
    try:
        return parse_json(text)
    except ValueError:
        raise ServiceError(code, f"{what} is not valid JSON.") from None


def decode_json_object(text: str, code: str, what: str) -> dict[str, Any]:
    """Decode a JSON object; raises ServiceError with `code` for anything else. `what` names the parameter."""
    data = decode_json(text, code, what)
    if not isinstance(data, dict):
        raise ServiceError(code, f"{what} must be a JSON object.")
    return data


def model_error(violation: RuleViolation) -> ServiceError:
    """The error for a model that breaks a rule."""
    if isinstance(violation, DuplicateFeature):
        return ServiceError(
            "iot.prod.ThingModelNameDuplicated", f"The thing model is not valid: {violation}."
        )
    return ServiceError("iot.prod.BatchCreateThingModelFailed", f"The thing model is not valid: {violation}.")


def unknown_block_error(identifier: str) -> ServiceError:
    """The error for a module that the model does not have."""
    return invalid_parameter(f"The model has no module {identifier}.")


def create_message_id() -> str:
    """Create an id for a message to a device: 19 digits."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def to_compact_json(value: Any) -> str:
    """Write compact JSON; fields keep their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
