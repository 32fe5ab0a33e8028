"""A response as a collapsible tree. Rendered on the server, since JavaScript numbers lose the last digits of long IDs."""

from __future__ import annotations

import json
from typing import Any

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.ui.format import number

MAX_SHOWN = 50
"""Entries of a list or object that are shown at first; the others are hidden in the page until the user shows them."""
MAX_NODES = 20_000
"""Entries in a tree; the raw response contains the rest."""
_MAX_DEPTH = 40
_OPEN_DEPTH = 3


def render_tree(value: Any) -> SafeString:
    """Return the tree as HTML, with `<details>` for objects and lists."""
    return mark_safe(_Renderer().render("", value, 0, is_open=True))  # noqa: S308  (every text in it is escaped)


class _Renderer:
    def __init__(self) -> None:
        self.remaining = MAX_NODES

    def render(self, name: str, value: Any, depth: int, *, is_open: bool = False) -> str:
        self.remaining -= 1
        label = f'<span class="ex-key">{conditional_escape(name)}</span>' if name else ""
        if isinstance(value, dict | list):
            return self._render_branch(label, value, depth, is_open)
        parsed = _parse_json(value)
        if parsed is not None and depth < _MAX_DEPTH:
            kind = _("JSON text")
            return self._render_branch(f'{label}<span class="ex-type">{kind}</span>', parsed, depth, False)
        return f'<div class="ex-leaf">{label}{_leaf(value)}</div>'

    def _render_branch(self, label: str, value: dict[str, Any] | list[Any], depth: int, is_open: bool) -> str:
        pairs = (
            list(value.items())
            if isinstance(value, dict)
            else [(str(at), item) for at, item in enumerate(value)]
        )
        count = f'<span class="ex-count">{_size(value)}</span>'
        if not pairs or depth >= _MAX_DEPTH:
            return f'<div class="ex-leaf">{label}{count}</div>'
        is_open = is_open or (depth < _OPEN_DEPTH and len(pairs) <= MAX_SHOWN)
        shown = self._render_nodes(pairs[:MAX_SHOWN], depth)
        rest = pairs[MAX_SHOWN:]
        if rest:
            label_text = ngettext("Show %(count)s more", "Show %(count)s more", len(rest)) % {
                "count": number(len(rest))
            }
            shown += (
                f'<button type="button" class="btn btn-sm ex-more" data-more>{conditional_escape(label_text)}</button>'
                f"<template>{self._render_nodes(rest, depth)}</template>"
            )
        attribute = " open" if is_open else ""
        return (
            f'<details class="ex-node"{attribute}><summary>{label}{count}</summary>'
            f'<div class="ex-children">{shown}</div></details>'
        )

    def _render_nodes(self, pairs: list[tuple[str, Any]], depth: int) -> str:
        nodes = []
        for name, value in pairs:
            if self.remaining <= 0:
                rest = _("The raw response contains the rest.")
                nodes.append(f'<div class="ex-leaf fd-muted">{rest}</div>')
                break
            nodes.append(self.render(name, value, depth + 1))
        return "".join(nodes)


def _size(value: dict[str, Any] | list[Any]) -> str:
    if isinstance(value, dict):
        text = ngettext("%(count)s field", "%(count)s fields", len(value))
    else:
        text = ngettext("%(count)s entry", "%(count)s entries", len(value))
    return text % {"count": number(len(value))}


def _leaf(value: Any) -> str:
    if value is None:
        return '<code class="ex-value ex-null">null</code>'
    if isinstance(value, bool):
        return f'<code class="ex-value ex-boolean">{"true" if value else "false"}</code>'
    if isinstance(value, int | float):
        return f'<code class="ex-value ex-number">{value}</code>'
    if value == "":
        empty = _("empty")
        return f'<span class="ex-value fd-muted">{empty}</span>'
    return f'<code class="ex-value ex-text">{conditional_escape(value)}</code>'


def _parse_json(value: Any) -> dict[str, Any] | list[Any] | None:
    """Return the object or list in a JSON text, such as a thing model or a message; None for other values."""
    if not isinstance(value, str) or value[:1] not in {"{", "["} or len(value) > 1_000_000:
        return None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) and parsed else None
