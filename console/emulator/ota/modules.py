"""OTA modules: the parts of a product's firmware that are updated apart from each other.

Every product has the module `default`, its whole firmware; it is not kept as a row and cannot be changed away.
"""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.lookups import find_product

DEFAULT = "default"
MODULES_LIMIT = 10
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DESCRIPTION_LIMIT = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS ota_modules (
    product_key TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    alias TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (product_key, name)
) WITHOUT ROWID;
"""


def create_ota_module(call: Call) -> dict[str, Any]:
    """CreateOTAModule: at most 10 of a product's own; names differ in more than case."""
    product = find_product(call)
    name = call.params["ModuleName"]
    if not NAME.fullmatch(name):
        raise ServiceError("iot.ota.InvalidOtaModuleName", "The format of the module name is invalid.")
    if name.lower() == DEFAULT:
        raise ServiceError("iot.firmware.ModuleNameReserved", f"The module name {DEFAULT} is reserved.")
    alias, description = _words(call, "iot.ota.CreateOTAModuleParamError")
    if find(call.db, product["product_key"], name) is not None:
        raise ServiceError(
            "iot.ota.CreateOTAModuleNameExist", "The product already has a module of this name."
        )
    count = call.db.execute(
        "SELECT count(*) FROM ota_modules WHERE product_key = ?", (product["product_key"],)
    ).fetchone()[0]
    if count >= MODULES_LIMIT:
        raise ServiceError(
            "iot.ota.CreateOTAModuleExceedLimit", f"A product has at most {MODULES_LIMIT} modules."
        )
    call.db.execute(
        "INSERT INTO ota_modules (product_key, name, alias, description, created, modified) VALUES (?, ?, ?, ?, ?, ?)",
        (product["product_key"], name, alias or "", description or "", call.now, call.now),
    )
    return {}


def update_ota_module(call: Call) -> dict[str, Any]:
    """UpdateOTAModule: alias and description; what is not given stays."""
    product = find_product(call)
    alias, description = _words(call, "iot.ota.UpdateOTAModuleParamError")
    module = _existing(call, product["product_key"])
    call.db.execute(
        "UPDATE ota_modules SET alias = coalesce(?, alias), description = coalesce(?, description), modified = ? "
        "WHERE product_key = ? AND name = ?",
        (alias, description, call.now, product["product_key"], module["name"]),
    )
    return {}


def delete_ota_module(call: Call) -> dict[str, Any]:
    """DeleteOTAModule: not the default one, nor one that has packages."""
    product = find_product(call)
    if call.params["ModuleName"].lower() == DEFAULT:
        raise ServiceError("iot.ota.DeleteOtaDefaultModule", "The default module cannot be deleted.")
    module = _existing(call, product["product_key"])
    used = call.db.execute(
        "SELECT 1 FROM ota_packages WHERE product_key = ? AND module = ? COLLATE NOCASE LIMIT 1",
        (product["product_key"], module["name"]),
    ).fetchone()
    if used:
        raise ServiceError("iot.ota.DeleteOTAModulePackageExist", "The module has update packages.")
    call.db.execute(
        "DELETE FROM ota_modules WHERE product_key = ? AND name = ?", (product["product_key"], module["name"])
    )
    return {}


def list_ota_module_by_product(call: Call) -> dict[str, Any]:
    """ListOTAModuleByProduct: the default module first, then the product's own, oldest first."""
    product = find_product(call)
    rows = call.db.execute(
        "SELECT name, alias, description, created, modified FROM ota_modules WHERE product_key = ? "
        "ORDER BY created, name",
        (product["product_key"],),
    ).fetchall()
    default = (DEFAULT, DEFAULT, "", product["created"], product["created"])
    return {"Data": [_shown(product["product_key"], row) for row in (default, *rows)]}


def find(db: sqlite3.Connection, product_key: str, name: str) -> sqlite3.Row | None:
    """A product's own module by name, whatever its case; None for the default one too."""
    row: sqlite3.Row | None = db.execute(
        "SELECT name, alias, description, created, modified FROM ota_modules WHERE product_key = ? AND name = ?",
        (product_key, name),
    ).fetchone()
    return row


def _existing(call: Call, product_key: str) -> sqlite3.Row:
    module = find(call.db, product_key, call.params["ModuleName"])
    if module is None:
        raise ServiceError("iot.ota.OTAModuleNotExist", "The product has no module of this name.")
    return module


def _words(call: Call, code: str) -> tuple[str | None, str | None]:
    """Alias and description as given, checked; `code` is the operation's own for bad ones."""
    alias, description = call.params.get("AliasName"), call.params.get("Desc")
    if alias and not NAME.fullmatch(alias):
        raise ServiceError(code, "The format of the module alias is invalid.")
    if description and len(description) > DESCRIPTION_LIMIT:
        raise ServiceError(code, f"The description is longer than {DESCRIPTION_LIMIT} characters.")
    return alias, description


def _shown(product_key: str, row: Any) -> dict[str, Any]:
    name, alias, description, created, modified = row
    return {
        "ProductKey": product_key,
        "ModuleName": name,
        "AliasName": alias,
        "Desc": description,
        "GmtCreate": _minute(created),
        "GmtModified": _minute(modified),
    }


def _minute(ms: int) -> str:
    """`2020-10-13T09:46Z`: these two fields go to the minute only."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(ms // 1000))


OPERATIONS = {
    "CreateOTAModule": create_ota_module,
    "UpdateOTAModule": update_ota_module,
    "DeleteOTAModule": delete_ota_module,
    "ListOTAModuleByProduct": list_ota_module_by_product,
}
