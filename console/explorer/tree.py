"""An answer as a tree that folds. Made here and not by script: a browser's numbers lose the last digits of long ids."""

from __future__ import annotations

import json
from typing import Any

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.ui.format import number

SHOWN = 50
"""Entries of a list or object that are shown at once; the rest waits in the page until it is asked for."""
MOST = 20_000
"""Entries in a tree; the raw answer holds the rest."""
_DEEPEST = 40
_OPEN = 3


def tree(value: Any) -> SafeString:
    """The tree as HTML: `<details>` for what holds something."""
    return mark_safe(_Writer().node("", value, 0, open_it=True))  # noqa: S308  (every text in it is escaped)


class _Writer:
    def __init__(self) -> None:
        self.left = MOST

    def node(self, name: str, value: Any, depth: int, *, open_it: bool = False) -> str:
        self.left -= 1
        label = f'<span class="ex-key">{conditional_escape(name)}</span>' if name else ""
        if isinstance(value, dict | list):
            return self._folded(label, value, depth, open_it)
        inner = _json(value)
        if inner is not None and depth < _DEEPEST:
            kind = _("JSON text")
            return self._folded(f'{label}<span class="ex-kind">{kind}</span>', inner, depth, False)
        return f'<div class="ex-leaf">{label}{_leaf(value)}</div>'

    def _folded(self, label: str, value: dict[str, Any] | list[Any], depth: int, open_it: bool) -> str:
        pairs = (
            list(value.items())
            if isinstance(value, dict)
            else [(str(at), item) for at, item in enumerate(value)]
        )
        count = f'<span class="ex-count">{_size(value)}</span>'
        if not pairs or depth >= _DEEPEST:
            return f'<div class="ex-leaf">{label}{count}</div>'
        opened = open_it or (depth < _OPEN and len(pairs) <= SHOWN)
        shown = self._nodes(pairs[:SHOWN], depth)
        rest = pairs[SHOWN:]
        if rest:
            said = ngettext("Show %(count)s more", "Show %(count)s more", len(rest)) % {
                "count": number(len(rest))
            }
            shown += (
                f'<button type="button" class="btn btn-sm ex-more" data-more>{conditional_escape(said)}</button>'
                f"<template>{self._nodes(rest, depth)}</template>"
            )
        attribute = " open" if opened else ""
        return (
            f'<details class="ex-node"{attribute}><summary>{label}{count}</summary>'
            f'<div class="ex-inside">{shown}</div></details>'
        )

    def _nodes(self, pairs: list[tuple[str, Any]], depth: int) -> str:
        made = []
        for name, value in pairs:
            if self.left <= 0:
                rest = _("The rest is in the raw answer.")
                made.append(f'<div class="ex-leaf fd-muted">{rest}</div>')
                break
            made.append(self.node(name, value, depth + 1))
        return "".join(made)


def _size(value: dict[str, Any] | list[Any]) -> str:
    if isinstance(value, dict):
        said = ngettext("%(count)s field", "%(count)s fields", len(value))
    else:
        said = ngettext("%(count)s entry", "%(count)s entries", len(value))
    return said % {"count": number(len(value))}


def _leaf(value: Any) -> str:
    if value is None:
        return '<code class="ex-value ex-null">null</code>'
    if isinstance(value, bool):
        return f'<code class="ex-value ex-word">{"true" if value else "false"}</code>'
    if isinstance(value, int | float):
        return f'<code class="ex-value ex-number">{value}</code>'
    if value == "":
        empty = _("empty")
        return f'<span class="ex-value fd-muted">{empty}</span>'
    return f'<code class="ex-value ex-text">{conditional_escape(value)}</code>'


def _json(value: Any) -> dict[str, Any] | list[Any] | None:
    """What a text holds that is itself JSON, as thing models and messages often are."""
    if not isinstance(value, str) or value[:1] not in {"{", "["} or len(value) > 1_000_000:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) and found else None
