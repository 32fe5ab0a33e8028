"""Migrations refer only to public names: a private one may change without notice, and old migrations would break."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

PRIVATE_NAME = re.compile(r"\bconsole(?:\.\w+)*\._\w|from console[\w.]* import (?:.*\b)?_\w")


def test_no_migration_refers_to_a_private_name() -> None:
    console = Path(settings.BASE_DIR) / "console"
    migrations = list(console.rglob("migrations/0*.py"))
    assert migrations
    assert [path.name for path in migrations if PRIVATE_NAME.search(path.read_text())] == []
