"""Category templates: reading them (ListThingTemplates, GetThingTemplate) and applying them to products (CreateProduct)."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.things import store
from iot_emulator.things.categories import CATEGORIES, Category
from iot_emulator.things.features import Block, Model, block_to_json


def find_category(key: str) -> Category:
    """Find a category by key; raises `iot.prod.InvalidFormattedCatId`."""
    category = CATEGORIES.get(key)
    if category is None:
        raise ServiceError("iot.prod.InvalidFormattedCatId", f"The category {key} does not exist.")
    return category


def apply_category(
    db: sqlite3.Connection, product_key: str, category_key: str, now: int, version: str | None
) -> None:
    """Set the model of a new product to that of a category, published as `version` unless that is None.

    CreateProduct does this for products that use a thing model.
    """
    block = find_category(category_key).block
    stamped = Block(
        properties=tuple(replace(item, created=now + number) for number, item in enumerate(block.properties)),
        services=tuple(replace(item, created=now + number) for number, item in enumerate(block.services)),
        events=tuple(replace(item, created=now + number) for number, item in enumerate(block.events)),
    )
    store.save_draft(db, product_key, Model().with_block(stamped))
    if version is not None:
        store.publish_draft(db, product_key, version, "", now)


def list_thing_templates(call: Call) -> dict[str, Any]:
    """ListThingTemplates."""
    return {
        "Data": [{"CategoryKey": key, "CategoryName": category.name} for key, category in CATEGORIES.items()]
    }


def get_thing_template(call: Call) -> dict[str, Any]:
    """GetThingTemplate: the features of a category."""
    data = block_to_json(find_category(call.params["CategoryKey"]).block, "")
    for features in data.values():
        for feature in features:
            del feature["createTs"]
    return {"ThingModelJSON": json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)}


OPERATIONS: dict[str, Handler] = {
    "ListThingTemplates": list_thing_templates,
    "GetThingTemplate": get_thing_template,
}
