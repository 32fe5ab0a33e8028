"""The platform's error codes: what each means and what to do about it, as data beside this file.

One JSON file for each part of the platform: family (a class of `console.cloud.errors`) -> code -> [what happened, what
to do]. A code that ends in `*` stands for all that begin so. `client.json` holds the codes of this program's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

DATA = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means. `family`: name of an error class. `title` and `advice`: a sentence or two, English msgids."""

    family: str
    title: str
    advice: str


@cache
def meanings() -> Mapping[str, Meaning]:
    """All codes, as they are written in the data. Read once in a process."""
    found: dict[str, Meaning] = {}
    for path in sorted(DATA.glob("*.json")):
        for family, codes in json.loads(path.read_text(encoding="utf-8")).items():
            for code, (title, advice) in codes.items():
                found[code] = Meaning(family, title, advice)
    return MappingProxyType(found)


def meaning(code: str) -> Meaning | None:
    """What a code means, in whatever case of letters it comes; None when nothing is known of it."""
    exact, beginnings = _index()
    wanted = code.lower()
    found = exact.get(wanted)
    if found is None:
        found = next((m for beginning, m in beginnings if wanted.startswith(beginning)), None)
    return found


@cache
def _index() -> tuple[dict[str, Meaning], list[tuple[str, Meaning]]]:
    """Codes in lower case, and beginnings of codes, the longest first."""
    lower = {code.lower(): found for code, found in meanings().items()}
    beginnings = [(code[:-1], found) for code, found in lower.items() if code.endswith("*")]
    return lower, sorted(beginnings, key=lambda pair: -len(pair[0]))
