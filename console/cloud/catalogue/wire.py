"""Between Python values and the flat text fields of the wire, both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.cloud.catalogue.model import Operation, Parameter


def text(value: object) -> str:
    """A plain value as the platform reads it: `true`/`false` for booleans, str() for the rest."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def flatten(op: Operation, params: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The wire fields of a call: (query, form), each parameter in the place the catalogue tells.

    `DeviceName=["a", "b"]` becomes `DeviceName.1`, `DeviceName.2`; `Tag=[{"Key": "k"}]` becomes `Tag.1.Key`. None is left
    out, an empty text is sent. A dict or list given for a parameter that holds JSON is written as JSON. Parameters the
    catalogue does not know travel in the query.
    """
    query: dict[str, str] = {}
    form: dict[str, str] = {}
    by_base: dict[str, Parameter] = {}
    for known in op.parameters.values():
        by_base.setdefault(known.base, known)
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
            _spread(place, name.partition(".N")[0], value)
    return query, form


def _spread(fields: dict[str, str], name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _spread(fields, f"{name}.{key}", inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value, start=1):
            _spread(fields, f"{name}.{index}", inner)
    else:
        fields[name] = text(value)


_DEEPEST = 8
"""Names with more dots than any operation uses are kept whole, so that a hostile one cannot nest without end."""


def nest(fields: Mapping[str, str]) -> dict[str, Any]:
    """The opposite of `flatten`, for the receiving side: `DeviceName.1` and `Tag.2.Key` back into lists.

    Indices are sorted as numbers and may have gaps. A field that contradicts an earlier one (`A.1` after `A`) stays
    under its full name.
    """
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *above, last = name.split(".", _DEEPEST)
        node: Any = tree
        for part in above:
            node = node.setdefault(part, {}) if isinstance(node, dict) else node
        if isinstance(node, dict) and last not in node:
            node[last] = value
        else:
            tree[name] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if all(key.isdecimal() for key in node):
        return [_listed(inner) for _, inner in sorted(node.items(), key=lambda item: int(item[0]))]
    return {key: _listed(inner) for key, inner in node.items()}
