"""The HTML of the frame: sidebar, top bar, and what is above every page.

These parts are the same on thousands of pages, so a process renders them once for the same values and the same language.
The template receives only these values, so that nothing else of a request can be in a part that is kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import get_language

_KEPT_PARTS = 2_000  # a top bar has about 6 KB, a sidebar 5 KB


@dataclass(frozen=True)
class NavItem:
    """A navigation entry on the current page."""

    label: str
    icon: str
    url: str
    current: bool
    count: str = ""


@dataclass(frozen=True)
class NavGroup:
    """Navigation entries under one heading."""

    label: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True)
class _Sidebar:
    home: str
    groups: tuple[NavGroup, ...]
    is_collapsed: bool


@dataclass(frozen=True)
class _Topbar:
    team: str
    connection: str
    switcher: str
    scope_summary: str
    search: str
    tray: str
    jobs: str
    is_signed_in: bool
    name: str
    email: str
    initials: str
    theme: str
    time_zone: str
    profile: str
    tokens: str


def render_sidebar(shell: Any) -> SafeString:
    """The navigation of a `console.ui.context.Shell`."""
    return _render(
        "ui/sidebar.html", get_language(), _Sidebar(shell.home, shell.navigation, shell.is_collapsed)
    )


def render_topbar(shell: Any) -> SafeString:
    """The top bar of a `console.ui.context.Shell`."""
    values = _Topbar(
        team=shell.team.name if shell.team else "",
        connection=shell.page_connection.name if shell.page_connection else "",
        switcher=shell.switcher,
        scope_summary=shell.scope_summary,
        search=shell.search,
        tray=shell.tray,
        jobs=shell.jobs,
        is_signed_in=shell.is_signed_in,
        name=getattr(shell.user, "name", ""),
        email=getattr(shell.user, "email", ""),
        initials=shell.initials,
        theme=shell.theme,
        time_zone=get_current_timezone_name(),
        profile=shell.profile,
        tokens=shell.tokens,
    )
    return _render("ui/topbar.html", get_language(), values)


def render_fixed(template: str) -> SafeString:
    """A template that depends on nothing but the language."""
    return _render(template, get_language(), None)


@lru_cache(maxsize=_KEPT_PARTS)
def _render(template: str, language: str | None, values: Hashable) -> SafeString:
    """The template rendered with `values` as `frame`, in the active `language`."""
    return render_to_string(template, {"frame": values})
