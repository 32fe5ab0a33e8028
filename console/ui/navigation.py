"""The navigation: the entries of all areas, and those of the console itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.ui.areas import all_areas


@dataclass(frozen=True)
class NavigationEntry:
    """An entry of the navigation: URL name, label, icon, and the row of the role matrix and the level that may see it.

    The entries of an area belong to the row of the area.
    """

    name: str
    label: str | Promise
    icon: str
    area: str = ""
    level: int = 1


@dataclass(frozen=True)
class NavigationGroup:
    """Entries under a heading, which may be empty."""

    heading: str | Promise
    entries: tuple[NavigationEntry, ...]


_OVERVIEW = NavigationEntry("dashboard:home", _("Overview"), "layout-dashboard")
_ACTIVITY = NavigationGroup(
    _("Activity"),
    (
        NavigationEntry("jobs:list", _("Jobs"), "progress-check"),
        NavigationEntry("approvals:list", _("Approvals"), "checks"),
        NavigationEntry("explorer:list", _("Explorer"), "terminal-2"),
    ),
)
_TEAM = NavigationGroup(
    _("Team"),
    (
        NavigationEntry("connections:list", _("Connections"), "plug-connected", "connections"),
        NavigationEntry("teams:members", _("Members"), "users", "members"),
        NavigationEntry("teams:roles", _("Roles"), "shield-check", "members"),
        NavigationEntry("teams:tokens", _("API tokens"), "key", "members"),
        NavigationEntry("teams:audit", _("Audit trail"), "history", "audit"),
        NavigationEntry("teams:sign-on", _("Single sign-on"), "login-2", "members", level=4),
        NavigationEntry("teams:settings", _("Settings"), "settings", "members", level=4),
    ),
)


@cache
def navigation_entries() -> tuple[NavigationEntry, ...]:
    """Return all entries of the navigation."""
    return tuple(entry for group in navigation_groups() for entry in group.entries)


@cache
def tab_hosts() -> dict[str, str]:
    """Return for the URL name of each tab that an area adds the URL name of the page to which it adds the tab."""
    return {tab.url: page for area in all_areas() for page, tabs in area.tabs.items() for tab in tabs}


@cache
def navigation_groups() -> tuple[NavigationGroup, ...]:
    """Return the whole navigation, whatever a role may see of it."""
    first, groups = [_OVERVIEW], []
    for area in all_areas():
        entries = tuple(replace(entry, area=area.slug) for entry in area.navigation)
        if len(entries) > 1:
            groups.append(NavigationGroup(area.label, entries))
        else:
            first += entries
    return (NavigationGroup("", tuple(first)), *groups, _ACTIVITY, _TEAM)
