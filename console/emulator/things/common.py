"""What the handlers of this room share: which product or device a call is about, and what they refuse with."""

from __future__ import annotations

import json
import secrets
import sqlite3
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError, invalid_parameter
from console.emulator.lookups import find_device, find_product
from console.emulator.things import store
from console.emulator.things.features import Duplicate, Model
from console.emulator.things.specs import Flaw


def modelled_product_of(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """The product named, which has to be of the edition with thing models.

    Raises as `find_product`, and `iot.prod.NotSeniorProduct`.
    """
    product = find_product(call, product_key)
    if product["commodity_code"] != "iothub_senior":
        raise ServiceError("iot.prod.NotSeniorProduct", "Products of the basic edition have no thing model.")
    return product


def editable_product_of(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """The product named, which has to be in development: a published one is taken back first."""
    product = modelled_product_of(call, product_key)
    if product["status"] != "DEVELOPMENT_STATUS":
        raise ServiceError(
            "iot.prod.UpdateProductFailed", "The product is published. Cancel its publication to edit it."
        )
    return product


def modelled_device_of(call: Call) -> tuple[sqlite3.Row, sqlite3.Row, Model]:
    """The device named, its product, and the model it lives by."""
    device = find_device(call)
    product = modelled_product_of(call, device["product_key"])
    return device, product, store.current(call.db, product["product_key"])


def refuse_inactive(device: sqlite3.Row) -> None:
    """Raise `iot.device.InactiveDevice` for a device that never was online: nothing can be sent to it."""
    if device["activated"] is None:
        raise ServiceError("iot.device.InactiveDevice", f"The device {device['name']} is not activated yet.")


def sound_json(text: str) -> Any:
    """`text` decoded from JSON. Raises ValueError for what is none, or could not be written again: NaN, half a character,
    thousands of brackets."""
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return data


def decoded(text: str, code: str, what: str) -> Any:
    """`text` decoded from JSON; `code` when it is none."""
    try:
        return sound_json(text)
    except ValueError:
        raise ServiceError(code, f"{what} is not JSON.") from None


def decoded_object(text: str, code: str, what: str) -> dict[str, Any]:
    """`text` decoded from JSON, an object; `code` when it is not."""
    data = decoded(text, code, what)
    if not isinstance(data, dict):
        raise ServiceError(code, f"{what} must be a JSON object.")
    return data


def model_refused(flaw: Flaw) -> ServiceError:
    """The refusal of a model that breaks a rule."""
    if isinstance(flaw, Duplicate):
        return ServiceError("iot.prod.ThingModelNameDuplicated", f"The thing model is not valid: {flaw}.")
    return ServiceError("iot.prod.BatchCreateThingModelFailed", f"The thing model is not valid: {flaw}.")


def unknown_block(identifier: str) -> ServiceError:
    """The refusal of a module that the model does not have."""
    return invalid_parameter(f"The model has no module {identifier}.")


def new_message_id() -> str:
    """An id as messages to devices have: 19 digits."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def dumped(value: Any) -> str:
    """Compact JSON, fields in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
