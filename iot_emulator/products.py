"""Products: create, query, update, publish and delete, and their message filters.

Tags are in product_tags.py.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import new_product_key, random_text
from iot_emulator.lookups import find_product
from iot_emulator.paging import read_page
from iot_emulator.things.templates import apply_category, find_category

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY,
    product_key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    node_type INTEGER NOT NULL DEFAULT 0,
    data_format INTEGER NOT NULL DEFAULT 1,
    commodity_code TEXT NOT NULL DEFAULT 'iothub',
    auth_type TEXT NOT NULL DEFAULT 'secret',
    net_type TEXT NOT NULL DEFAULT 'WIFI',
    protocol_type TEXT NOT NULL DEFAULT '',
    category_key TEXT NOT NULL DEFAULT '',
    category_name TEXT NOT NULL DEFAULT '',
    join_permission_id TEXT NOT NULL DEFAULT '',
    resource_group_id TEXT NOT NULL DEFAULT '',
    id2 INTEGER NOT NULL DEFAULT 0,
    validate_type INTEGER NOT NULL DEFAULT 1,
    secret TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'DEVELOPMENT_STATUS',
    timestamp_filter INTEGER NOT NULL DEFAULT 0,
    value_filter INTEGER NOT NULL DEFAULT 0,
    factory_version TEXT NOT NULL DEFAULT '1.0.0',
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (account, instance, name)
);
CREATE INDEX IF NOT EXISTS products_owner ON products (account, instance, created, id);
CREATE TABLE IF NOT EXISTS product_tags (
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (product_key, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS product_tags_value ON product_tags (key, value, product_key);
"""

MAX_PRODUCTS = 1000  # of an instance (error iot.prod.ProductCountExceedMax)
DEVELOPMENT, RELEASED = "DEVELOPMENT_STATUS", "RELEASE_STATUS"
_NET_TYPES = {"WIFI": 3, "CELLULAR": 6, "ETHERNET": 7}  # numbers in QueryProduct; all others are 8
_COUNT = "(SELECT coalesce(sum(devices), 0) FROM device_counts c WHERE c.product_key = p.product_key AND c.instance = ?)"


def create_product(call: Call) -> dict[str, Any]:
    """CreateProduct. By default (without AliyunCommodityCode) a product has the basic edition."""
    params = call.params
    owner = (call.account, call.instance)
    _check_name_is_unique(call, params["ProductName"])
    (count,) = call.db.execute(
        "SELECT count(*) FROM products WHERE account = ? AND instance = ?", owner
    ).fetchone()
    if count >= MAX_PRODUCTS:
        raise ServiceError("iot.prod.ProductCountExceedMax", "An instance can have at most 1,000 products.")
    auth_type = params.get("AuthType") or ("id2" if params.get("Id2") else "secret")
    if params.get("NetType") == "LORA" and auth_type != "secret":
        raise ServiceError("iot.prod.CreateProductFailed", "A LoRaWAN product must use AuthType secret.")
    category_key = params.get("CategoryKey", "")
    category_name = find_category(category_key).name if category_key else ""
    key, secret = new_product_key(), random_text(16)
    call.db.execute(
        "INSERT INTO products (product_key, account, instance, name, description, node_type, data_format,"
        " commodity_code, auth_type, net_type, protocol_type, category_key, category_name, join_permission_id,"
        " resource_group_id, id2, validate_type, secret, created, modified)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            key,
            *owner,
            params["ProductName"],
            params.get("Description", ""),
            params["NodeType"],
            params.get("DataFormat", 1),
            params.get("AliyunCommodityCode") or "iothub",
            auth_type,
            params.get("NetType") or "WIFI",
            params.get("ProtocolType", ""),
            category_key,
            category_name,
            params.get("JoinPermissionId", ""),
            params.get("ResourceGroupId", ""),
            int(auth_type == "id2"),
            params.get("ValidateType", 1),
            secret,
            call.now,
            call.now,
        ),
    )
    row = find_product(call, key)
    if category_key and row["commodity_code"] == "iothub_senior":
        version = str(call.now) if params.get("PublishAuto", True) else None
        apply_category(call.db, key, category_key, call.now, version)
    data = {
        "ProductKey": key,
        "ProductName": row["name"],
        "ProductSecret": secret,
        "NodeType": row["node_type"],
        "Description": row["description"],
        "AliyunCommodityCode": row["commodity_code"],
        "AuthType": auth_type,
        "Id2": bool(row["id2"]),
        "DataFormat": row["data_format"],
    }
    if row["protocol_type"]:
        data["ProtocolType"] = row["protocol_type"]
    if row["resource_group_id"]:
        data["ResourceGroupId"] = row["resource_group_id"]
    return {"ProductKey": key, "Data": data}


def query_product(call: Call) -> dict[str, Any]:
    """QueryProduct."""
    row = find_product(call)
    data: dict[str, Any] = {
        "ProductKey": row["product_key"],
        "ProductName": row["name"],
        "ProductSecret": row["secret"],
        "ProductStatus": row["status"],
        "Description": row["description"],
        "NodeType": row["node_type"],
        "NetType": _NET_TYPES.get(row["net_type"], 8),
        "DataFormat": row["data_format"],
        "AliyunCommodityCode": row["commodity_code"],
        "AuthType": row["auth_type"],
        "Id2": bool(row["id2"]),
        "ValidateType": row["validate_type"],
        "DeviceCount": count_devices(call.db, row["product_key"], call.instance),
        "GmtCreate": row["created"],
        "Owner": True,
    }
    if row["protocol_type"]:
        data["ProtocolType"] = row["protocol_type"]
    if row["category_key"]:
        data["CategoryKey"] = row["category_key"]
        data["CategoryName"] = row["category_name"]
    return {"Data": data}


def query_product_list(call: Call) -> dict[str, Any]:
    """QueryProductList: newest first."""
    page = read_page(call)
    where = (
        "p.account = ? AND (p.instance = ? OR EXISTS (SELECT 1 FROM distributed_products d"
        " WHERE d.product_key = p.product_key AND d.instance = ?))"
    )
    values = [call.account, call.instance, call.instance]
    for field, column in (
        ("AliyunCommodityCode", "commodity_code"),
        ("ResourceGroupId", "resource_group_id"),
    ):
        if call.params.get(field):
            where += f" AND p.{column} = ?"
            values.append(call.params[field])
    (total,) = call.db.execute(f"SELECT count(*) FROM products p WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT p.*, {_COUNT} AS devices FROM products p WHERE {where}"
        " ORDER BY p.created DESC, p.id DESC LIMIT ? OFFSET ?",
        (call.instance, *values, page.size, page.offset),
    )
    return {
        "Data": {
            "CurrentPage": page.number,
            "PageSize": page.size,
            "PageCount": page.count(total),
            "Total": total,
            "List": {"ProductInfo": [_describe_product(row) for row in rows]},
        }
    }


def _describe_product(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "ProductKey": row["product_key"],
        "ProductName": row["name"],
        "Description": row["description"],
        "NodeType": row["node_type"],
        "DataFormat": row["data_format"],
        "AuthType": row["auth_type"],
        "DeviceCount": row["devices"],
        "GmtCreate": row["created"],
    }


def update_product(call: Call) -> dict[str, Any]:
    """UpdateProduct: changes the name, and the description if it is sent (an empty text removes it)."""
    row = find_product(call)
    _check_name_is_unique(call, call.params["ProductName"], except_key=row["product_key"])
    call.db.execute(
        "UPDATE products SET name = ?, description = ?, modified = ? WHERE product_key = ?",
        (
            call.params["ProductName"],
            call.params.get("Description", row["description"]),
            call.now,
            row["product_key"],
        ),
    )
    return {}


def delete_product(call: Call) -> dict[str, Any]:
    """DeleteProduct. Refused while the product is published or has devices."""
    row = find_product(call)
    if row["status"] == RELEASED:
        raise ServiceError("iot.prod.DeleteProductFailed", "The product is published. Unpublish it first.")
    if count_devices(call.db, row["product_key"]):
        raise ServiceError("iot.prod.DeleteProductFailed", "The product has devices. Delete them first.")
    call.db.execute("DELETE FROM products WHERE product_key = ?", (row["product_key"],))
    call.db.execute("DELETE FROM device_counts WHERE product_key = ?", (row["product_key"],))
    return {}


def release_product(call: Call) -> dict[str, Any]:
    """ReleaseProduct. Publishing a published product changes nothing."""
    return _set_status(call, RELEASED)


def cancel_release_product(call: Call) -> dict[str, Any]:
    """CancelReleaseProduct."""
    return _set_status(call, DEVELOPMENT)


def _set_status(call: Call, status: str) -> dict[str, Any]:
    key = find_product(call)["product_key"]
    call.db.execute(
        "UPDATE products SET status = ?, modified = ? WHERE product_key = ?", (status, call.now, key)
    )
    return {}


def update_product_filter_config(call: Call) -> dict[str, Any]:
    """UpdateProductFilterConfig: sets which property messages are filtered out as repeated."""
    key = find_product(call)["product_key"]
    call.db.execute(
        "UPDATE products SET timestamp_filter = ?, value_filter = ? WHERE product_key = ?",
        (call.params["PropertyTimestampFilter"], call.params["PropertyValueFilter"], key),
    )
    return {}


def count_devices(db: sqlite3.Connection, product_key: str, instance: str | None = None) -> int:
    """Return the number of devices of a product, in one instance or (None) in all, in constant time."""
    (count,) = db.execute(
        "SELECT coalesce(sum(devices), 0) FROM device_counts WHERE product_key = ?1"
        " AND (?2 IS NULL OR instance = ?2)",
        (product_key, instance),
    ).fetchone()
    return int(count)


def _check_name_is_unique(call: Call, name: str, except_key: str = "") -> None:
    other = call.db.execute(
        "SELECT 1 FROM products WHERE account = ? AND instance = ? AND name = ? AND product_key <> ?",
        (call.account, call.instance, name, except_key),
    ).fetchone()
    if other:
        raise ServiceError("iot.prod.AlreadyExistedProductName", "Another product has this name.")


OPERATIONS: dict[str, Handler] = {
    "CreateProduct": create_product,
    "QueryProduct": query_product,
    "QueryProductList": query_product_list,
    "UpdateProduct": update_product,
    "DeleteProduct": delete_product,
    "ReleaseProduct": release_product,
    "CancelReleaseProduct": cancel_release_product,
    "UpdateProductFilterConfig": update_product_filter_config,
}
