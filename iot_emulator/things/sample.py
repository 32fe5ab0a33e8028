"""Thing models for the products of the sample fleet."""

from __future__ import annotations

import sqlite3

from iot_emulator.things.categories import CATEGORIES
from iot_emulator.things.templates import apply_category


def add_sample_models(db: sqlite3.Connection, account: str, instance: str) -> None:
    """Give each of the account's products the thing model of its category, published as 1.0.0."""
    rows = db.execute(
        "SELECT product_key, category_key, created FROM products WHERE account = ? AND instance = ?",
        (account, instance),
    ).fetchall()
    for row in rows:
        category = CATEGORIES.get(row["category_key"])
        if category is None:
            continue
        db.execute(
            "UPDATE products SET commodity_code = 'iothub_senior', category_name = ? WHERE product_key = ?",
            (category.name, row["product_key"]),
        )
        apply_category(db, row["product_key"], row["category_key"], row["created"], "1.0.0")
