"""Categories handed out (ListThingTemplates, GetThingTemplate) and given to new products (CreateProduct)."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.things import store
from console.emulator.things.categories import CATEGORIES, Category
from console.emulator.things.features import Block, Model, block_json


def category_of(key: str) -> Category:
    """The category of this key; raises `iot.prod.InvalidFormattedCatId`."""
    category = CATEGORIES.get(key)
    if category is None:
        raise ServiceError("iot.prod.InvalidFormattedCatId", f"There is no category {key}.")
    return category


def adopt(db: sqlite3.Connection, product_key: str, category_key: str, now: int, version: str | None) -> None:
    """Give a new product the model of a category, published as `version` unless that is None.

    CreateProduct does so for products of the edition with thing models.
    """
    block = category_of(category_key).block
    stamped = Block(
        properties=tuple(replace(item, created=now + number) for number, item in enumerate(block.properties)),
        services=tuple(replace(item, created=now + number) for number, item in enumerate(block.services)),
        events=tuple(replace(item, created=now + number) for number, item in enumerate(block.events)),
    )
    store.save_draft(db, product_key, Model().with_block(stamped))
    if version is not None:
        store.publish(db, product_key, version, "", now)


def list_thing_templates(call: Call) -> dict[str, Any]:
    """ListThingTemplates."""
    return {
        "Data": [{"CategoryKey": key, "CategoryName": category.name} for key, category in CATEGORIES.items()]
    }


def get_thing_template(call: Call) -> dict[str, Any]:
    """GetThingTemplate: the features of a category."""
    data = block_json(category_of(call.params["CategoryKey"]).block, "")
    for features in data.values():
        for feature in features:
            del feature["createTs"]
    return {"ThingModelJSON": json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)}


OPERATIONS: dict[str, Handler] = {
    "ListThingTemplates": list_thing_templates,
    "GetThingTemplate": get_thing_template,
}
