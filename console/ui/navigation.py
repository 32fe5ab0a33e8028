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

    The entries of an area belong to the row of the area. `count` is the id of the number beside the label, which the response of
    the job tray brings.
    """

    name: str
    label: str | Promise
    icon: str
    area: str = ""
    level: int = 1
    count: str = ""


@dataclass(frozen=True)
class NavigationGroup:
    """Entries under a heading, which may be empty."""

    heading: str | Promise
    entries: tuple[NavigationEntry, ...]


_OVERVIEW = NavigationEntry("dashboard:home", _("Overview"), "layout-dashboard")
_ACTIVITY = NavigationGroup(
    _("Activity"),
    (
        NavigationEntry("jobs:list", _("Jobs"), "stack-2", count="failed-jobs"),
        NavigationEntry("approvals:list", _("Approvals"), "clipboard-check", count="waiting-approvals"),
        NavigationEntry("explorer:list", _("Explorer"), "terminal-2"),
        NavigationEntry("teams:audit", _("Audit trail"), "history", "audit"),
    ),
)
SETTINGS = (
    NavigationEntry("teams:members", _("Members"), "users", "members"),
    NavigationEntry("teams:roles", _("Roles"), "shield-check", "members"),
    NavigationEntry("teams:tokens", _("Team tokens"), "key", "members"),
    NavigationEntry("teams:sign-on", _("Single sign-on"), "login-2", "members", level=4),
    NavigationEntry("connections:list", _("Connections"), "plug-connected", "connections"),
    NavigationEntry("teams:settings", _("Team settings"), "settings", "members", level=4),
)
"""The pages of a team's settings. The sidebar has one entry for all of them; each page links to the others."""


@cache
def navigation_entries() -> tuple[NavigationEntry, ...]:
    """Return all entries of the navigation, with those of the settings."""
    return (*(entry for group in navigation_groups() for entry in group.entries), *SETTINGS)


@cache
def tab_hosts() -> dict[str, str]:
    """Return for the URL name of each tab that an area adds the URL name of the page to which it adds the tab."""
    return {tab.url: page for area in all_areas() for page, tabs in area.tabs.items() for tab in tabs}


@cache
def navigation_groups() -> tuple[NavigationGroup, ...]:
    """Return the whole navigation except the settings, whatever a role may see of it."""
    first, groups = [_OVERVIEW], []
    for area in all_areas():
        entries = tuple(replace(entry, area=area.slug) for entry in area.navigation)
        if len(entries) > 1:
            groups.append(NavigationGroup(area.label, entries))
        else:
            first += entries
    return (NavigationGroup("", tuple(first)), *groups, _ACTIVITY)
