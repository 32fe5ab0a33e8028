"""The custom topic categories of products. A new product has three: update, update/error and get."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_product
from iot_emulator.messaging.custom_topics import ALL, PUB, SUB
from iot_emulator.messaging.routes import delete_category_routes

# Products are created in several places (CreateProduct, the sample fleet), so a trigger adds their topic categories.
SCHEMA = """
CREATE TABLE IF NOT EXISTS topic_categories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    short_name TEXT NOT NULL,
    operation TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    codec TEXT NOT NULL DEFAULT '',
    proxy_subscribe INTEGER NOT NULL DEFAULT 0,
    UNIQUE (product_key, short_name)
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'topic_categories', 12360000
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'topic_categories');
CREATE TRIGGER IF NOT EXISTS products_get_topics AFTER INSERT ON products BEGIN
    INSERT INTO topic_categories (product_key, short_name, operation) VALUES
        (new.product_key, 'update', '0'), (new.product_key, 'update/error', '0'), (new.product_key, 'get', '1');
END;
"""

MAX_CATEGORIES = 50  # of a product (error iot.messagebroker.TopicTemplateCountExceedMax)
OPERATION_CODES = {"PUB": PUB, "SUB": SUB, "ALL": ALL}


def create_product_topic(call: Call) -> dict[str, Any]:
    """CreateProductTopic."""
    key = find_product(call)["product_key"]
    _check_name_is_unique(call, key, call.params["TopicShortName"])
    (count,) = call.db.execute(
        "SELECT count(*) FROM topic_categories WHERE product_key = ?", (key,)
    ).fetchone()
    if count >= MAX_CATEGORIES:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateCountExceedMax",
            f"A product can have at most {MAX_CATEGORIES} topic categories.",
        )
    topic_id = call.db.execute(
        "INSERT INTO topic_categories (product_key, short_name, operation, description, codec, proxy_subscribe)"
        " VALUES (?,?,?,?,?,?)",
        (
            key,
            call.params["TopicShortName"],
            OPERATION_CODES[call.params["Operation"]],
            call.params.get("Desc", ""),
            call.params.get("Codec", ""),
            call.params.get("EnableProxySubscribe", False),
        ),
    ).lastrowid
    return {"TopicId": topic_id}


def update_product_topic(call: Call) -> dict[str, Any]:
    """UpdateProductTopic: changes short name and permission, and the other parameters that are sent.

    A new short name deletes the routes of the old topics.
    """
    row = _find_category(call)
    _check_name_is_unique(call, row["product_key"], call.params["TopicShortName"], except_id=row["id"])
    call.db.execute(
        "UPDATE topic_categories SET short_name = ?, operation = ?, description = ?, codec = ?, proxy_subscribe = ?"
        " WHERE id = ?",
        (
            call.params["TopicShortName"],
            OPERATION_CODES[call.params["Operation"]],
            call.params.get("Desc", row["description"]),
            call.params.get("Codec", row["codec"]),
            call.params.get("EnableProxySubscribe", row["proxy_subscribe"]),
            row["id"],
        ),
    )
    if call.params["TopicShortName"] != row["short_name"]:
        delete_category_routes(call.db, row["product_key"], row["short_name"])
    return {}


def query_product_topic(call: Call) -> dict[str, Any]:
    """QueryProductTopic: all topic categories, in the order of their creation."""
    rows = call.db.execute(
        "SELECT * FROM topic_categories WHERE product_key = ? ORDER BY id",
        (find_product(call)["product_key"],),
    )
    return {"Data": {"ProductTopicInfo": [_describe_category(row) for row in rows]}}


def _describe_category(row: sqlite3.Row) -> dict[str, Any]:
    category = {
        "Id": str(row["id"]),
        "ProductKey": row["product_key"],
        "TopicShortName": f"/{row['product_key']}/${{deviceName}}/user/{row['short_name']}",
        "Operation": row["operation"],
        "EnableProxySubscribe": bool(row["proxy_subscribe"]),
    }
    for field, column in (("Desc", "description"), ("Codec", "codec")):
        if row[column]:
            category[field] = row[column]
    return category


def delete_product_topic(call: Call) -> dict[str, Any]:
    """DeleteProductTopic: also deletes the routes from and to its topics."""
    row = _find_category(call)
    call.db.execute("DELETE FROM topic_categories WHERE id = ?", (row["id"],))
    delete_category_routes(call.db, row["product_key"], row["short_name"])
    return {}


def _find_category(call: Call) -> sqlite3.Row:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT c.* FROM topic_categories c JOIN products p USING (product_key)"
        " WHERE c.id = ? AND p.account = ? AND p.instance = ?",
        (int(call.params["TopicId"]), call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.messagebroker.TopicTemplateIsNotFound", "The topic category does not exist.")
    return row


def _check_name_is_unique(call: Call, product_key: str, short_name: str, except_id: int = 0) -> None:
    other = call.db.execute(
        "SELECT 1 FROM topic_categories WHERE product_key = ? AND short_name = ? AND id <> ?",
        (product_key, short_name, except_id),
    ).fetchone()
    if other:
        raise ServiceError(
            "iot.messagebroker.TopicAlreadyFound", "Another topic category of the product has this name."
        )


OPERATIONS: dict[str, Handler] = {
    "CreateProductTopic": create_product_topic,
    "UpdateProductTopic": update_product_topic,
    "QueryProductTopic": query_product_topic,
    "DeleteProductTopic": delete_product_topic,
}
