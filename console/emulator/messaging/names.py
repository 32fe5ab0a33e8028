"""Topics as texts. A custom topic is `/<product key>/<device name>/user/<short name>`."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

_CUSTOM = re.compile(r"/([A-Za-z0-9]+)/([\w.:@-]+)/user((?:/[A-Za-z0-9_]+)+)")

PUB, SUB, ALL = "0", "1", "2"
"""What devices may do with a topic category, as QueryProductTopic writes it."""


@dataclass(frozen=True, slots=True)
class CustomTopic:
    """A custom topic of one device; `short` is what follows `/user/`."""

    product_key: str
    device: str
    short: str

    def __str__(self) -> str:
        return f"/{self.product_key}/{self.device}/user/{self.short}"


def read_custom(topic: str) -> CustomTopic | None:
    """The parts of a custom topic; None for any other text."""
    match = _CUSTOM.fullmatch(topic)
    return None if match is None else CustomTopic(match[1], match[2], match[3][1:])


def category_of(db: sqlite3.Connection, product_key: str, short: str) -> sqlite3.Row | None:
    """The topic category of a product by its short name; None when there is none."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM topic_categories WHERE product_key = ? AND short_name = ?", (product_key, short)
    ).fetchone()
    return row
