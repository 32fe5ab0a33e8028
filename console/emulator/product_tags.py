"""Tags of products. A call that has one bad tag changes nothing and names the bad ones."""

from __future__ import annotations

import re
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import product_of
from console.emulator.paging import page_of

MAX_TAGS = 100  # a product
MAX_TAGS_PER_CALL = 10
_KEY = re.compile(r"[A-Za-z0-9.]{1,30}")
_VALUE = re.compile(r"[\w-]{1,128}")


def create_product_tags(call: Call) -> dict[str, Any]:
    """CreateProductTags: new keys only; at most 10 a call and 100 a product."""
    key = product_of(call)["product_key"]
    tags = _wanted_tags(call)
    present = _tags(call, key)
    taken = [tag for tag in tags if tag["TagKey"] in present]
    if taken:
        raise _refusal("The product already has a tag with this key.", taken)
    if len(present) + len(tags) > MAX_TAGS:
        raise _refusal("A product can have at most 100 tags.", tags)
    _write(call, key, tags)
    return {}


def update_product_tags(call: Call) -> dict[str, Any]:
    """UpdateProductTags: keys that exist only."""
    key = product_of(call)["product_key"]
    tags = _wanted_tags(call)
    present = _tags(call, key)
    unknown = [tag for tag in tags if tag["TagKey"] not in present]
    if unknown:
        raise _refusal("The product has no tag with this key.", unknown)
    _write(call, key, tags)
    return {}


def delete_product_tags(call: Call) -> dict[str, Any]:
    """DeleteProductTags; a key that the product does not have is passed over."""
    key = product_of(call)["product_key"]
    call.db.executemany(
        "DELETE FROM product_tags WHERE product_key = ? AND key = ?",
        [(key, tag) for tag in call.params["ProductTagKey"]],
    )
    return {}


def list_product_tags(call: Call) -> dict[str, Any]:
    """ListProductTags."""
    tags = _tags(call, product_of(call)["product_key"])
    return {"Data": {"ProductTag": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}}


def list_product_by_tags(call: Call) -> dict[str, Any]:
    """ListProductByTags: products with any of the tags (a key alone, or key and value), newest first."""
    page = page_of(call)
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


def _tags(call: Call, product_key: str) -> dict[str, str]:
    rows = call.db.execute(
        "SELECT key, value FROM product_tags WHERE product_key = ? ORDER BY key", (product_key,)
    )
    return dict(rows.fetchall())


def _wanted_tags(call: Call) -> list[dict[str, str]]:
    """The tags sent, in order; raises for a bad key, a bad value, a key sent twice, or too many."""
    tags: list[dict[str, str]] = [
        {"TagKey": tag.get("TagKey") or "", "TagValue": tag.get("TagValue") or ""}
        for tag in call.params["ProductTag"]
    ]
    if len(tags) > MAX_TAGS_PER_CALL:
        raise ServiceError("iot.common.InvalidFormattedParameter", "At most 10 tags can be sent in one call.")
    seen: set[str] = set()
    bad: list[dict[str, str]] = []
    for tag in tags:
        if (
            not _KEY.fullmatch(tag["TagKey"])
            or not _VALUE.fullmatch(tag["TagValue"])
            or tag["TagKey"] in seen
        ):
            bad.append(tag)
        seen.add(tag["TagKey"])
    if bad:
        raise _refusal("A tag's key or value is not valid.", bad)
    return tags


def _refusal(message: str, tags: list[dict[str, str]]) -> ServiceError:
    return ServiceError(
        "iot.common.InvalidFormattedParameter", message, {"InvalidProductTags": {"ProductTag": tags}}
    )


def _write(call: Call, product_key: str, tags: list[dict[str, str]]) -> None:
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
