"""Formats times, numbers and sizes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext

from iot_client.fields import read_time

UNITS = ("B", "KB", "MB", "GB", "TB")


def number(value: float | None, decimals: int | None = None) -> str:
    """A number, grouped by the user's language; "–" for None."""
    if value is None:
        return "–"
    if decimals is None and isinstance(value, float):
        decimals = 0 if value.is_integer() else 2
    return number_format(value, decimal_pos=decimals, use_l10n=True, force_grouping=True)


def size(count: float | None) -> str:
    """Bytes in the largest fitting unit of 1024: "1.4 MB", "9 KB"; "–" for None."""
    if count is None:
        return "–"
    amount, unit = float(count), 0
    while abs(amount) >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    decimals = 0 if unit == 0 or amount >= 100 or f"{amount:.1f}".endswith(".0") else 1
    return f"{number(amount, decimals)} {UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """A duration in its two largest units: "2 h 5 min"; "–" for None."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    parts = [
        (days, gettext("%d d")),
        (hours, gettext("%d h")),
        (minutes, gettext("%d min")),
        (rest, gettext("%d s")),
    ]
    first = next((i for i, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    return " ".join(text % amount for amount, text in parts[first : first + 2] if amount or first == 3)


def sentence(clause: str) -> str:
    """A clause as a sentence: "at most 5" becomes "At most 5."."""
    return gettext("%(clause)s.") % {"clause": f"{clause[:1].upper()}{clause[1:]}"}


def join_sentences(sentences: Iterable[object]) -> str:
    """Sentences in a row, as the language separates them; empty ones are left out. Chinese has no space between them."""
    texts = [text for text in map(str, sentences) if text]
    template = gettext("%(sentence)s %(next)s")
    return (
        reduce(lambda text, following: template % {"sentence": text, "next": following}, texts)
        if texts
        else ""
    )


def label_text(label: object, text: object) -> str:
    """A label before a text, with the language's colon: "Owner: full access"."""
    return gettext("%(label)s: %(message)s") % {"label": label, "message": text}


def join_words(words: Iterable[str]) -> str:
    """Items joined by the language's separator: "2 products, 1 group"."""
    return pgettext("between words in a row", ", ").join(words)


def counts_text(parts: Iterable[Any]) -> str:
    """The labels and counts of the parts of a bar: "Online: 488, Offline: 73"."""
    return join_words(label_text(part.label, number(part.count)) for part in parts)


def to_datetime(value: object) -> datetime | None:
    """An aware datetime from a datetime, or from a time as the platform writes it; None for any other value."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return read_time(value)


def relative_time(moment: datetime, now: datetime | None = None) -> str:
    """The time since or until `moment` in its largest unit: "3 minutes ago"."""
    seconds = ((now or timezone.now()) - moment).total_seconds()
    amount = abs(seconds)
    if amount < 45:
        return gettext("just now") if seconds >= 0 else gettext("in a few seconds")
    minutes, hours, days = round(amount / 60), round(amount / 3600), round(amount / 86400)
    if minutes < 60:
        past, ahead = (
            ngettext("%d minute ago", "%d minutes ago", minutes),
            ngettext("in %d minute", "in %d minutes", minutes),
        )
        return (past if seconds >= 0 else ahead) % minutes
    if hours < 24:
        past, ahead = (
            ngettext("%d hour ago", "%d hours ago", hours),
            ngettext("in %d hour", "in %d hours", hours),
        )
        return (past if seconds >= 0 else ahead) % hours
    if days < 30:
        past, ahead = ngettext("%d day ago", "%d days ago", days), ngettext("in %d day", "in %d days", days)
        return (past if seconds >= 0 else ahead) % days
    return local_time(moment)[:10]


def local_time(moment: datetime, seconds: bool = False) -> str:
    """A moment in the user's time zone, of constant width: "2026-05-01 14:30"."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def time_element(value: object, relative: bool = False, seconds: bool = False) -> SafeString:
    """A `<time>` in the user's time zone with exact UTC on hover; the page updates a `relative` one."""
    moment = to_datetime(value)
    if moment is None:
        return format_html('<span class="fd-none" title="{}">–</span>', gettext("No time"))
    utc = moment.astimezone(UTC)
    exact = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    if relative:
        local = local_time(moment, seconds=True)
        return format_html(
            '<time datetime="{}" title="{} · {}" data-relative>{}</time>',
            utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            local,
            exact,
            relative_time(moment),
        )
    return SafeString(
        f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}" title="{exact}">{local_time(moment, seconds)}</time>'
    )
