"""Small HTML elements for Python and templates."""

from __future__ import annotations

from functools import cache

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from console.ui.format import number
from console.ui.icons import icon
from console.ui.statuses import Status, all_statuses, status


def badge(kind: str, value: object) -> SafeString:
    """A status badge: icon, label, tone. Kinds are those of `console.ui.statuses`."""
    if isinstance(value, str) and value in all_statuses()[kind]:
        return _known_badge(kind, value, get_language())
    return _render_badge(status(kind, value))


@cache
def _known_badge(kind: str, value: str, language: str | None) -> SafeString:
    """The badge in the active `language`."""
    return _render_badge(status(kind, value))


def _render_badge(shown: Status) -> SafeString:
    return format_html(
        '<span class="fd-status fd-status-{}">{}<span>{}</span></span>',
        shown.tone,
        icon(shown.icon),
        shown.label,
    )


def copy_button(text: str, label: str = "") -> SafeString:
    """A button that copies `text` and announces it to screen readers."""
    name = label or gettext("Copy %(text)s") % {"text": text if len(text) <= 40 else f"{text[:40]}…"}
    return format_html(
        '<button type="button" class="fd-copy" data-copy="{}" aria-label="{}" title="{}">{}</button>',
        text,
        name,
        gettext("Copy"),
        icon("copy", 14),
    )


def bar(done: float, total: float, label: str = "", tone: str = "") -> SafeString:
    """A progress bar with a percentage. A total of 0 or less means that the amount is unknown."""
    if total <= 0:
        return format_html(
            '<span class="fd-bar"><progress aria-label="{}"></progress></span>', label or gettext("Progress")
        )
    share = max(0.0, min(1.0, done / total))
    # Never "100%" before the last item is done.
    percent = 100 if share >= 1 else int(share * 100)
    return format_html(
        '<span class="fd-bar{}"><progress value="{}" max="{}" aria-label="{}">{}%</progress>'
        '<span class="fd-bar-share">{}%</span></span>',
        f" fd-bar-{tone}" if tone else "",
        f"{share * 1000:.1f}",
        1000,
        label or gettext("Progress"),
        percent,
        number(percent),
    )
