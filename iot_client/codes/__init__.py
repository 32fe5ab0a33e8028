"""The platform's error codes: what each means and what to do, as data beside this file.

There is one JSON file for each part of the platform: family (a class of `iot_client.errors`) -> code -> [what happened,
what to do]. A code that ends in `*` stands for all codes with this prefix. `client.json` holds the codes of this client.
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
    """The meaning of an error code. `family`: the name of an error class. `title` and `advice`: one or two sentences, English
    msgids."""

    family: str
    title: str
    advice: str


@cache
def load_meanings() -> Mapping[str, Meaning]:
    """All codes as written in the data, with their meanings. Read once per process."""
    meanings: dict[str, Meaning] = {}
    for path in sorted(DATA.glob("*.json")):
        for family, codes in json.loads(path.read_text(encoding="utf-8")).items():
            for code, (title, advice) in codes.items():
                meanings[code] = Meaning(family, title, advice)
    return MappingProxyType(meanings)


def find_meaning(code: str) -> Meaning | None:
    """The meaning of a code (not case-sensitive), or None if the code is unknown."""
    exact, prefixes = _index()
    lower = code.lower()
    meaning = exact.get(lower)
    if meaning is None:
        meaning = next((m for prefix, m in prefixes if lower.startswith(prefix)), None)
    return meaning


@cache
def _index() -> tuple[dict[str, Meaning], list[tuple[str, Meaning]]]:
    """Meanings by code in lower case, and by prefix, the longest prefix first."""
    lower = {code.lower(): meaning for code, meaning in load_meanings().items()}
    prefixes = [(code[:-1], meaning) for code, meaning in lower.items() if code.endswith("*")]
    return lower, sorted(prefixes, key=lambda pair: -len(pair[0]))
