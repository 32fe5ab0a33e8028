"""Names of browsers and systems, read from the User-Agent header."""

from __future__ import annotations

from django.utils.translation import gettext as _

from console.ui.format import join_words

# The first match counts: Edge and Opera also contain "Chrome", and Chrome also contains "Safari".
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrom", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe_device(user_agent: str) -> str:
    """Return browser and system, as in "Firefox, Windows", without the part that is not recognized."""
    names = [
        next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS)
    ]
    return join_words(filter(None, names)) or _("Unknown device")
