"""Converts between Python values and the flat text fields of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from iot_client.catalogue.model import Operation, Parameter


def to_text(value: object) -> str:
    """A plain value as the platform reads it: `true` or `false` for booleans, str() for other values."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def flatten(op: Operation, params: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The request fields of a call: (query, form), each parameter in its place according to the catalogue.

    `DeviceName=["a", "b"]` becomes `DeviceName.1`, `DeviceName.2`; `Tag=[{"Key": "k"}]` becomes `Tag.1.Key`. None is
    omitted, an empty text is sent. A dict or list for a JSON parameter is written as JSON. Parameters that are not in the
    catalogue go into the query.
    """
    query: dict[str, str] = {}
    form: dict[str, str] = {}
    by_base: dict[str, Parameter] = {}
    for catalogued in op.parameters.values():
        by_base.setdefault(catalogued.base, catalogued)
    for name, value in params.items():
        if value is None:
            continue
        parameter = by_base.get(name.partition(".N")[0])
        place = form if parameter is not None and parameter.place == "form" else query
        if isinstance(value, str):
            place[name] = value
        elif parameter is not None and parameter.json and isinstance(value, dict | list):
            place[name] = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        else:
            _add_fields(place, name.partition(".N")[0], value)
    return query, form


def _add_fields(fields: dict[str, str], name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _add_fields(fields, f"{name}.{key}", inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value, start=1):
            _add_fields(fields, f"{name}.{index}", inner)
    else:
        fields[name] = to_text(value)


_MAX_DEPTH = 8
"""More than any operation uses. A name with more dots is not split further, so that a hostile name cannot nest without end."""


def nest(fields: Mapping[str, str]) -> dict[str, Any]:
    """The opposite of `flatten`, for the receiver: turns `DeviceName.1` and `Tag.2.Key` back into lists.

    Indices are sorted as numbers and can have gaps. A field that contradicts an earlier one (`A.1` after `A`) keeps
    its full name.
    """
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *above, last = name.split(".", _MAX_DEPTH)
        node: Any = tree
        for part in above:
            node = node.setdefault(part, {}) if isinstance(node, dict) else node
        if isinstance(node, dict) and last not in node:
            node[last] = value
        else:
            tree[name] = value
    return {name: _to_lists(value) for name, value in tree.items()}


def _to_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if all(key.isdecimal() for key in node):
        return [_to_lists(inner) for _, inner in sorted(node.items(), key=lambda item: int(item[0]))]
    return {key: _to_lists(inner) for key, inner in node.items()}
