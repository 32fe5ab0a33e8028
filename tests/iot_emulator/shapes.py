"""Compares responses with the catalogue."""

from __future__ import annotations

from typing import Any

TYPES = {"String": str, "Integer": int, "Long": int, "Boolean": bool, "Struct": dict}


def deviations(value: Any, path: str, known: dict[str, str]) -> list[str]:
    """Find the paths of a response that are not in the reference, or have another type there."""
    if isinstance(value, dict):
        found = []
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            if isinstance(item, list):
                below += "[]"
            if below not in known:
                found.append(below)
            found += deviations(item, below, known)
        return found
    if isinstance(value, list):
        return [deviation for item in value for deviation in deviations(item, path, known)]
    wanted = TYPES.get(known.get(path, ""))
    return (
        []
        if value is None or wanted is None or isinstance(value, wanted)
        else [f"{path}: {type(value).__name__}"]
    )
