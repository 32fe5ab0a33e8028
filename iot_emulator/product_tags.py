"""Tags of products. A call with an invalid tag changes nothing; its error lists the invalid tags."""

from __future__ import annotations

import re
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_product
from iot_emulator.paging import read_page

MAX_TAGS = 100  # of a product
MAX_TAGS_PER_CALL = 10
_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
_VALUE = re.compile(r"[\w-]{1,128}")


def create_product_tags(call: Call) -> dict[str, Any]:
    """CreateProductTags: only new keys; at most 10 in a call and 100 of a product."""
    key = find_product(call)["product_key"]
    tags = _read_tags(call)
    existing = _find_tags(call, key)
    duplicates = [tag for tag in tags if tag["TagKey"] in existing]
    if duplicates:
        raise _invalid_tags("The product already has a tag with this key.", duplicates)
    if len(existing) + len(tags) > MAX_TAGS:
        raise _invalid_tags("A product can have at most 100 tags.", tags)
    _write_tags(call, key, tags)
    return {}


def update_product_tags(call: Call) -> dict[str, Any]:
    """UpdateProductTags: only keys that exist; each value only once."""
    key = find_product(call)["product_key"]
    tags = _read_tags(call)
    values = [tag["TagValue"] for tag in tags]
    repeated = [tag for tag in tags if values.count(tag["TagValue"]) > 1]
    if repeated:
        raise _invalid_tags("Two tags have the same value.", repeated)
    existing = _find_tags(call, key)
    unknown = [tag for tag in tags if tag["TagKey"] not in existing]
    if unknown:
        raise _invalid_tags("The product has no tag with this key.", unknown)
    _write_tags(call, key, tags)
    return {}


def delete_product_tags(call: Call) -> dict[str, Any]:
    """DeleteProductTags: ignores keys that the product does not have."""
    key = find_product(call)["product_key"]
    call.db.executemany(
        "DELETE FROM product_tags WHERE product_key = ? AND key = ?",
        [(key, tag) for tag in call.params["ProductTagKey"]],
    )
    return {}


def list_product_tags(call: Call) -> dict[str, Any]:
    """ListProductTags."""
    tags = _find_tags(call, find_product(call)["product_key"])
    return {"Data": {"ProductTag": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}}


def list_product_by_tags(call: Call) -> dict[str, Any]:
    """ListProductByTags: products that have at least one of the tags (key, or key and value), newest first."""
    page = read_page(call)
    conditions: list[str] = []
    values: list[str] = [call.account, call.instance]
    for tag in call.params["ProductTag"]:
        conditions.append("(t.key = ?" + (" AND t.value = ?)" if tag.get("TagValue") else ")"))
        values.extend(tag[name] for name in ("TagKey", "TagValue") if tag.get(name))
    rows = call.db.execute(
        "SELECT * FROM products p WHERE p.account = ? AND p.instance = ? AND EXISTS ("
        f" SELECT 1 FROM product_tags t WHERE t.product_key = p.product_key AND ({' OR '.join(conditions)}))"
        " ORDER BY p.created DESC, p.id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "ProductInfos": {
            "ProductInfo": [
                {
                    "ProductKey": row["product_key"],
                    "ProductName": row["name"],
                    "Description": row["description"],
                    "NodeType": row["node_type"],
                    "CreateTime": row["created"],
                }
                for row in rows
            ]
        }
    }


def _find_tags(call: Call, product_key: str) -> dict[str, str]:
    rows = call.db.execute(
        "SELECT key, value FROM product_tags WHERE product_key = ? ORDER BY key", (product_key,)
    )
    return dict(rows.fetchall())


def _read_tags(call: Call) -> list[dict[str, str]]:
    """Return the tags of the request, in order. Raises for invalid keys or values, duplicate keys and too many tags."""
    tags: list[dict[str, str]] = [
        {"TagKey": tag.get("TagKey") or "", "TagValue": tag.get("TagValue") or ""}
        for tag in call.params["ProductTag"]
    ]
    if len(tags) > MAX_TAGS_PER_CALL:
        raise ServiceError("iot.common.InvalidFormattedParameter", "Send at most 10 tags in a call.")
    keys: set[str] = set()
    invalid: list[dict[str, str]] = []
    for tag in tags:
        if (
            not _KEY.fullmatch(tag["TagKey"])
            or not _VALUE.fullmatch(tag["TagValue"])
            or tag["TagKey"] in keys
        ):
            invalid.append(tag)
        keys.add(tag["TagKey"])
    if invalid:
        raise _invalid_tags("The key or value of a tag is invalid.", invalid)
    return tags


def _invalid_tags(message: str, tags: list[dict[str, str]]) -> ServiceError:
    return ServiceError(
        "iot.common.InvalidFormattedParameter", message, {"InvalidProductTags": {"ProductTag": tags}}
    )


def _write_tags(call: Call, product_key: str, tags: list[dict[str, str]]) -> None:
    call.db.executemany(
        "INSERT INTO product_tags VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [(product_key, tag["TagKey"], tag["TagValue"]) for tag in tags],
    )


OPERATIONS: dict[str, Handler] = {
    "CreateProductTags": create_product_tags,
    "UpdateProductTags": update_product_tags,
    "DeleteProductTags": delete_product_tags,
    "ListProductTags": list_product_tags,
    "ListProductByTags": list_product_by_tags,
}
