"""Icons of Tabler's outline set, as inline SVG."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

ICONS = Path(__file__).resolve().parent.parent.parent / "static" / "vendor" / "icons.json"
# A filled circle, which the set does not have.
OWN = {"dot": '<circle cx="12" cy="12" r="7" fill="currentColor" stroke="none"/>'}


class UnknownIcon(LookupError):
    """No icon has this name, or the assets are not built (`make assets`)."""


@cache
def _shapes() -> dict[str, str]:
    try:
        icons: dict[str, str] = json.loads(ICONS.read_text())
    except FileNotFoundError as error:
        raise UnknownIcon(f"{ICONS} is missing: run `make assets`.") from error
    return icons | OWN


def icon(name: str, size: int = 18, label: str = "", css: str = "") -> SafeString:
    """The icon as inline SVG, `size` pixels wide; hidden from screen readers without a `label`. Raises UnknownIcon."""
    shape = _shapes().get(name)
    if shape is None:
        raise UnknownIcon(name)
    role = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="fd-icon{}" width="{}" height="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" focusable="false" {}>{}</svg>',
        f" {css}" if css else "",
        size,
        size,
        role,
        mark_safe(shape),  # noqa: S308 - packed from the icon package by the asset build
    )
