"""Data parsing scripts: between a product's own data format and JSON. Kept in the object store, run by nobody."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator import objects
from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.things.common import modelled_product_of


def create_thing_script(call: Call) -> dict[str, Any]:
    """CreateThingScript: for a product with its own data format that has no script yet."""
    product = _scripted_product_of(call)
    if _find(call, product["product_key"]) is not None:
        raise ServiceError("iot.prod.ThingScriptExisted", "The product has a script already.")
    return _keep(call, product["product_key"])


def update_thing_script(call: Call) -> dict[str, Any]:
    """UpdateThingScript: replaces the product's script."""
    product = _scripted_product_of(call)
    _script_of(call, product["product_key"])
    return _keep(call, product["product_key"])


def get_thing_script(call: Call) -> dict[str, Any]:
    """GetThingScript: its language, and an address to read it from, good for an hour."""
    key = modelled_product_of(call)["product_key"]
    script = _script_of(call, key)
    url = objects.sign_url(call.db, call.base_url, _path(key), call.now)
    return {"Data": {"ScriptType": script["type"], "ScriptUrl": url}}


def _scripted_product_of(call: Call) -> sqlite3.Row:
    product = modelled_product_of(call)
    if product["data_format"] != 0:
        raise ServiceError(
            "iot.prod.ThingScriptDataFormatError", "Only products with their own data format have a script."
        )
    return product


def _find(call: Call, product_key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM thing_scripts WHERE product_key = ?", (product_key,)
    ).fetchone()
    return row


def _script_of(call: Call, product_key: str) -> sqlite3.Row:
    script = _find(call, product_key)
    if script is None:
        raise ServiceError("iot.common.FileNotExist", "The product has no script.")
    return script


def _keep(call: Call, product_key: str) -> dict[str, Any]:
    content = call.params["ScriptContent"].encode("utf-8", "surrogatepass")
    objects.open_store(call.emulator).put(call.db, _path(product_key), content, call.now)
    call.db.execute(
        "INSERT INTO thing_scripts VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET type = excluded.type, modified = excluded.modified",
        (product_key, call.params["ScriptType"], call.now),
    )
    return {}


def _path(product_key: str) -> str:
    return f"thing/{product_key}/script"


OPERATIONS: dict[str, Handler] = {
    "CreateThingScript": create_thing_script,
    "UpdateThingScript": update_thing_script,
    "GetThingScript": get_thing_script,
}
