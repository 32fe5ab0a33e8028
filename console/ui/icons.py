"""Icons of Tabler's outline set, by reference to the sprite that the asset build makes (console/ui/assets.py)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

SIZE = 18  # pixels; the stylesheet has the same
SPRITE = "vendor/icons.svg"
_PATH = Path(__file__).resolve().parent.parent.parent / "static" / SPRITE


# The icon of most rows of a list. The stylesheet draws it: an icon of the sprite takes twice as many bytes.
_DOT = mark_safe('<i class="fd-icon fd-dot" aria-hidden="true"></i>')


class UnknownIcon(LookupError):
    """No icon has this name, or the sprite is older than the code that names it (`make assets`)."""


@cache
def _names() -> frozenset[str]:
    try:
        sprite = _PATH.read_text()
    except FileNotFoundError as error:
        raise UnknownIcon(f"{_PATH} is missing: run `make assets`.") from error
    return frozenset(re.findall(r'<symbol id="([^"]+)"', sprite))


@cache
def _hidden_icon(name: str, size: int) -> SafeString:
    if name == "dot":
        return _DOT
    if name not in _names():
        raise UnknownIcon(name)
    dimensions = format_html(' width="{}" height="{}"', size, size) if size != SIZE else ""
    return format_html(
        '<svg class="fd-icon"{} aria-hidden="true"><use href="{}#{}"/></svg>',
        dimensions,
        static(SPRITE),
        name,
    )


def icon(name: str, size: int = SIZE, label: str = "") -> SafeString:
    """The icon as SVG, `size` pixels wide; hidden from screen readers without a `label`. Raises UnknownIcon."""
    hidden = _hidden_icon(name, size)
    if not label:
        return hidden
    role = format_html('role="img" aria-label="{}"', label)
    return mark_safe(hidden.replace('aria-hidden="true"', role, 1))  # noqa: S308 - the label is escaped
