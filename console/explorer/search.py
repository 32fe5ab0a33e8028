"""Finding operations by what a person types."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.cloud.catalogue import Operation, operations
from console.explorer.words import AREAS


@dataclass(frozen=True)
class Found:
    """An operation in the list, and whether the person may call it."""

    operation: Operation
    allowed: bool


@dataclass(frozen=True)
class Section:
    """The operations of one area."""

    area: str
    label: str | Promise
    found: list[Found]


def sections(allows: Callable[[str], bool], text: str = "", area: str = "") -> list[Section]:
    """The operations that `text` finds, by area; what fits best comes first, else the catalogue's order holds.

    `allows` tells by its name whether the person may call one.
    """
    scores = {op.name: score(op, text) for op in operations().values() if not area or op.area == area}
    by_area: dict[str, list[Operation]] = {name: [] for name in AREAS}
    for name in sorted(filter(scores.get, scores), key=lambda name: -scores[name]):
        by_area[operations()[name].area].append(operations()[name])
    found = [
        Section(name, AREAS[name], [Found(op, allows(op.name)) for op in ops])
        for name, ops in by_area.items()
        if ops
    ]
    return sorted(found, key=lambda section: -scores[section.found[0].operation.name])


def best(text: str) -> Operation | None:
    """The operation that fits best what was typed, if any does."""
    ranked = sorted(operations().values(), key=lambda op: (-score(op, text), len(op.name)))
    return ranked[0] if text.strip() and score(ranked[0], text) else None


def score(operation: Operation, text: str) -> int:
    """How well what was typed fits; 0 when a word of it fits nowhere.

    A word may be part of the name, of the group or area, or of the description; `qdev` finds QueryDevice by its capitals.
    """
    words = text.casefold().split()
    if not words:
        return 1
    name = operation.name.casefold()
    if name == "".join(words):
        return 1000
    groups = f"{operation.group} {operation.area} {AREAS[operation.area]}".casefold()
    described = (
        f"{operation.description} {_(operation.description)}".casefold() if operation.description else ""
    )
    total = 0
    for word in words:
        found = (
            (name.startswith(word) and 100)
            or (word in name and 60)
            or (_by_capitals(operation.name, word) and 40)
            or (word in groups and 20)
            or (word in described and 10)
        )
        if not found:
            return 0
        total += int(found)
    return total


def _by_capitals(name: str, word: str) -> bool:
    """Whether the word is made of beginnings of the name's parts, in their order."""
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name)]

    def fits(rest: str, left: list[str]) -> bool:
        if not rest:
            return True
        return any(
            rest[:size] == part[:size] and fits(rest[size:], left[at + 1 :])
            for at, part in enumerate(left)
            for size in range(min(len(part), len(rest)), 0, -1)
            if part[:size] == rest[:size]
        )

    return len(word) > 1 and parts != [] and word[0] == parts[0][0] and fits(word, parts)
