"""Data parsing scripts, which convert between a product's custom data format and JSON. They are stored in the object
store and never run."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator import objects
from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.things.common import find_modeled_product


def create_thing_script(call: Call) -> dict[str, Any]:
    """CreateThingScript: for a product with a custom data format that has no script yet."""
    product = _find_scripted_product(call)
    if _find_script(call, product["product_key"]) is not None:
        raise ServiceError(
            "iot.prod.ThingScriptExisted", "The product already has a script. Update it instead."
        )
    return _save_script(call, product["product_key"])


def update_thing_script(call: Call) -> dict[str, Any]:
    """UpdateThingScript: replaces the product's script."""
    product = _find_scripted_product(call)
    _find_existing_script(call, product["product_key"])
    return _save_script(call, product["product_key"])


def get_thing_script(call: Call) -> dict[str, Any]:
    """GetThingScript: its language, and a download URL that is valid for an hour."""
    key = find_modeled_product(call)["product_key"]
    script = _find_existing_script(call, key)
    url = objects.sign_url(call.db, call.base_url, _script_path(key), call.now)
    return {"Data": {"ScriptType": script["type"], "ScriptUrl": url}}


def _find_scripted_product(call: Call) -> sqlite3.Row:
    product = find_modeled_product(call)
    if product["data_format"] != 0:
        raise ServiceError(
            "iot.prod.ThingScriptDataFormatError",
            "Only products with a custom data format can have a script.",
        )
    return product


def _find_script(call: Call, product_key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM thing_scripts WHERE product_key = ?", (product_key,)
    ).fetchone()
    return row


def _find_existing_script(call: Call, product_key: str) -> sqlite3.Row:
    script = _find_script(call, product_key)
    if script is None:
        raise ServiceError("iot.common.FileNotExist", "The product has no script.")
    return script


def _save_script(call: Call, product_key: str) -> dict[str, Any]:
    content = call.params["ScriptContent"].encode("utf-8", "surrogatepass")
    objects.open_store(call.emulator).put(call.db, _script_path(product_key), content, call.now)
    call.db.execute(
        "INSERT INTO thing_scripts VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET type = excluded.type, modified = excluded.modified",
        (product_key, call.params["ScriptType"], call.now),
    )
    return {}


def _script_path(product_key: str) -> str:
    return f"thing/{product_key}/script"


OPERATIONS: dict[str, Handler] = {
    "CreateThingScript": create_thing_script,
    "UpdateThingScript": update_thing_script,
    "GetThingScript": get_thing_script,
}
