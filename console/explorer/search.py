"""Search for operations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console.explorer.descriptions import AREAS
from iot_client.catalogue import Operation, operations


@dataclass(frozen=True)
class ListedOperation:
    """An operation in the list, and whether the user may call it."""

    operation: Operation
    is_allowed: bool


@dataclass(frozen=True)
class Section:
    """The operations of one area."""

    area: str
    label: str | Promise
    operations: list[ListedOperation]


def find_sections(is_allowed: Callable[[str], bool], text: str = "", area: str = "") -> list[Section]:
    """Return the operations that match `text`, by area: best matches first, otherwise in the catalogue's order.

    `is_allowed(name)`: whether the user may call the operation.
    """
    scores = {
        op.name: score_operation(op, text) for op in operations().values() if not area or op.area == area
    }
    by_area: dict[str, list[Operation]] = {name: [] for name in AREAS}
    for name in sorted(filter(scores.get, scores), key=lambda name: -scores[name]):
        by_area[operations()[name].area].append(operations()[name])
    sections = [
        Section(name, AREAS[name], [ListedOperation(op, is_allowed(op.name)) for op in ops])
        for name, ops in by_area.items()
        if ops
    ]
    return sorted(sections, key=lambda section: -scores[section.operations[0].operation.name])


def find_best_match(text: str) -> Operation | None:
    """Return the operation that matches best, if any matches."""
    ranked = sorted(operations().values(), key=lambda op: (-score_operation(op, text), len(op.name)))
    return ranked[0] if text.strip() and score_operation(ranked[0], text) else None


def score_operation(operation: Operation, text: str) -> int:
    """Return how well an operation matches a text; 0 if one of its words matches nothing.

    A word may be part of the name, group, area or description. `qdev` finds QueryDevice by its capitals.
    """
    words = text.casefold().split()
    if not words:
        return 1
    name = operation.name.casefold()
    if name == "".join(words):
        return 1000
    groups = f"{operation.group} {operation.area} {AREAS[operation.area]}".casefold()
    description = (
        f"{operation.description} {_(operation.description)}".casefold() if operation.description else ""
    )
    total = 0
    for word in words:
        points = (
            (name.startswith(word) and 100)
            or (word in name and 60)
            or (_matches_capitals(operation.name, word) and 40)
            or (word in groups and 20)
            or (word in description and 10)
        )
        if not points:
            return 0
        total += int(points)
    return total


def _matches_capitals(name: str, word: str) -> bool:
    """Whether the word consists of the starts of the name's first parts: `qdev` and `qdd`, but not parts that are left out."""
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name)]

    def matches(rest: str, remaining: list[str]) -> bool:
        if not rest or not remaining:
            return not rest
        part = remaining[0]
        return any(
            rest.startswith(part[:size]) and matches(rest[size:], remaining[1:])
            for size in range(min(len(part), len(rest)), 0, -1)
        )

    return len(word) > 1 and matches(word, parts)
