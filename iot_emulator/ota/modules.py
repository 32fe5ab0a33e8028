"""OTA modules: the parts of a product's firmware that are updated separately.

Every product has the module `default`, the complete firmware. It is not stored as a row and cannot be changed or deleted.
"""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_product

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
    """CreateOTAModule: a product has at most 10 modules besides the default one; names are not case-sensitive."""
    product = find_product(call)
    name = call.params["ModuleName"]
    if not NAME.fullmatch(name):
        raise ServiceError(
            "iot.ota.InvalidOtaModuleName",
            "The module name is invalid. Use 1 to 64 characters: letters, digits, . _ -",
        )
    if name.lower() == DEFAULT:
        raise ServiceError(
            "iot.firmware.ModuleNameReserved", f"The module name {DEFAULT} is reserved. Choose another name."
        )
    alias, description = _read_texts(call, "iot.ota.CreateOTAModuleParamError")
    if find_module(call.db, product["product_key"], name) is not None:
        raise ServiceError(
            "iot.ota.CreateOTAModuleNameExist", "The product already has a module with this name."
        )
    count = call.db.execute(
        "SELECT count(*) FROM ota_modules WHERE product_key = ?", (product["product_key"],)
    ).fetchone()[0]
    if count >= MODULES_LIMIT:
        raise ServiceError(
            "iot.ota.CreateOTAModuleExceedLimit",
            f"The product already has {MODULES_LIMIT} modules, the maximum.",
        )
    call.db.execute(
        "INSERT INTO ota_modules (product_key, name, alias, description, created, modified) VALUES (?, ?, ?, ?, ?, ?)",
        (product["product_key"], name, alias or "", description or "", call.now, call.now),
    )
    return {}


def update_ota_module(call: Call) -> dict[str, Any]:
    """UpdateOTAModule: alias and description; a field that is not sent is kept."""
    product = find_product(call)
    alias, description = _read_texts(call, "iot.ota.UpdateOTAModuleParamError")
    module = _find_existing_module(call, product["product_key"])
    call.db.execute(
        "UPDATE ota_modules SET alias = coalesce(?, alias), description = coalesce(?, description), modified = ? "
        "WHERE product_key = ? AND name = ?",
        (alias, description, call.now, product["product_key"], module["name"]),
    )
    return {}


def delete_ota_module(call: Call) -> dict[str, Any]:
    """DeleteOTAModule: refused for the default module and for a module with packages."""
    product = find_product(call)
    if call.params["ModuleName"].lower() == DEFAULT:
        raise ServiceError("iot.ota.DeleteOtaDefaultModule", "The default module cannot be deleted.")
    module = _find_existing_module(call, product["product_key"])
    used = call.db.execute(
        "SELECT 1 FROM ota_packages WHERE product_key = ? AND module = ? COLLATE NOCASE LIMIT 1",
        (product["product_key"], module["name"]),
    ).fetchone()
    if used:
        raise ServiceError(
            "iot.ota.DeleteOTAModulePackageExist", "The module has update packages. Delete them first."
        )
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
    return {"Data": [_module_info(product["product_key"], row) for row in (default, *rows)]}


def find_module(db: sqlite3.Connection, product_key: str, name: str) -> sqlite3.Row | None:
    """Find a product's own module by name, not case-sensitive; None also for the default module."""
    row: sqlite3.Row | None = db.execute(
        "SELECT name, alias, description, created, modified FROM ota_modules WHERE product_key = ? AND name = ?",
        (product_key, name),
    ).fetchone()
    return row


def _find_existing_module(call: Call, product_key: str) -> sqlite3.Row:
    module = find_module(call.db, product_key, call.params["ModuleName"])
    if module is None:
        raise ServiceError("iot.ota.OTAModuleNotExist", "The product has no module with this name.")
    return module


def _read_texts(call: Call, code: str) -> tuple[str | None, str | None]:
    """Read and check alias and description; raises ServiceError with `code`."""
    alias, description = call.params.get("AliasName"), call.params.get("Desc")
    if alias and not NAME.fullmatch(alias):
        raise ServiceError(
            code, "The module alias is invalid. Use 1 to 64 characters: letters, digits, . _ -"
        )
    if description and len(description) > DESCRIPTION_LIMIT:
        raise ServiceError(code, f"The description is longer than {DESCRIPTION_LIMIT} characters.")
    return alias, description


def _module_info(product_key: str, row: Any) -> dict[str, Any]:
    name, alias, description, created, modified = row
    return {
        "ProductKey": product_key,
        "ModuleName": name,
        "AliasName": alias,
        "Desc": description,
        "GmtCreate": _format_minute(created),
        "GmtModified": _format_minute(modified),
    }


def _format_minute(ms: int) -> str:
    """`2020-10-13T09:46Z`: these two fields have no seconds."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(ms // 1000))


OPERATIONS = {
    "CreateOTAModule": create_ota_module,
    "UpdateOTAModule": update_ota_module,
    "DeleteOTAModule": delete_ota_module,
    "ListOTAModuleByProduct": list_ota_module_by_product,
}
