"""Custom topics. A custom topic is `/<ProductKey>/<DeviceName>/user/<short name>`."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

_CUSTOM = re.compile(r"/([A-Za-z0-9]+)/([\w.:@-]+)/user((?:/[A-Za-z0-9_]+)+)")

PUB, SUB, ALL = "0", "1", "2"
"""The permissions of devices for a topic category, as in QueryProductTopic."""


@dataclass(frozen=True, slots=True)
class CustomTopic:
    """A custom topic of a device. `short_name` is the part after `/user/`."""

    product_key: str
    device_name: str
    short_name: str

    def __str__(self) -> str:
        return f"/{self.product_key}/{self.device_name}/user/{self.short_name}"

    def belongs_to(self, device: sqlite3.Row) -> bool:
        """Whether it is a topic of this device."""
        return (self.product_key, self.device_name) == (device["product_key"], device["name"])


def parse_custom_topic(topic: str) -> CustomTopic | None:
    """Return the parts of a custom topic; None for any other text."""
    match = _CUSTOM.fullmatch(topic)
    return None if match is None else CustomTopic(match[1], match[2], match[3][1:])


def find_topic_category(db: sqlite3.Connection, product_key: str, short_name: str) -> sqlite3.Row | None:
    """Return the topic category of a product with this short name, or None."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM topic_categories WHERE product_key = ? AND short_name = ?", (product_key, short_name)
    ).fetchone()
    return row
