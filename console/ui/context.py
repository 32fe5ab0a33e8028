"""The frame around every page: current team and connection, navigation, theme."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext

from console.ui.areas import all_areas
from console.ui.frame import NavGroup, NavItem
from console.ui.links import (
    find_place,
    find_previous_page,
    find_shown_connection,
    find_shown_membership,
    place_url,
    site_url,
)
from console.ui.navigation import SETTINGS, NavigationEntry, navigation_entries, navigation_groups, tab_hosts

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
SIDEBAR_COOKIE = "sidebar"


@dataclass(frozen=True)
class SwitcherEntry:
    """A team or connection in the switcher."""

    label: str
    note: str
    url: str
    current: bool


class Shell:
    """Everything that the layouts show around the page. Each part is computed on first use."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def membership(self) -> Any:
        """The membership in the team that the frame shows; None without a team."""
        return find_shown_membership(self.request)

    @property
    def team(self) -> Any:
        """The team that the frame shows: that of the page, else the one that the user came from; None without a team."""
        return self.membership.team if self.membership is not None else None

    @cached_property
    def connection(self) -> Any:
        """The connection that the navigation leads to; None without one."""
        return find_shown_connection(self.request)

    @property
    def page_connection(self) -> Any:
        """The connection that the page is about; None for pages of the team and of the user."""
        return getattr(self.request, "connection", None)

    @cached_property
    def is_signed_in(self) -> bool:
        """Whether a user is signed in."""
        return bool(self.user and self.user.is_authenticated)

    @cached_property
    def theme(self) -> str:
        """auto, light or dark: from the browser's cookie, else from the user's profile."""
        theme = self.request.COOKIES.get(THEME_COOKIE, "")
        if theme not in THEMES:
            theme = getattr(self.user, "theme", "auto")
        return theme if theme in THEMES else "auto"

    @property
    def is_collapsed(self) -> bool:
        """Whether the sidebar shows icons only."""
        return self.request.COOKIES.get(SIDEBAR_COOKIE) == "collapsed"

    @cached_property
    def navigation(self) -> tuple[NavGroup, ...]:
        """The entries that the user's role may see, in groups."""
        if self.membership is None:
            return ()
        return _build_navigation(get_language(), self.place, self._visible, self._current)

    @cached_property
    def settings(self) -> tuple[NavItem, ...]:
        """The pages of the settings, on one of them; else empty."""
        if self.membership is None or self._current not in {entry.name for entry in SETTINGS}:
            return ()
        return _build_items(self.place, SETTINGS, self._visible, self._current)

    @cached_property
    def _visible(self) -> tuple[str, ...]:
        """The URL names of the entries that the user's role may see."""
        levels = self.membership.levels
        return tuple(
            entry.name
            for entry in navigation_entries()
            if not entry.area or levels[entry.area] >= entry.level
        )

    @cached_property
    def _current(self) -> str:
        """The URL name of the entry that contains this page: of the entries of its app, the longest URL prefix. A tab that an area
        adds to a page of another one belongs to the first entry of that one, as its breadcrumb says."""
        match = self.request.resolver_match
        if match is None:
            return ""
        if host := tab_hosts().get(match.view_name):
            app = f"{host.partition(':')[0]}:"
            return next((entry.name for entry in navigation_entries() if entry.name.startswith(app)), "")
        app = f"{match.app_name}:"
        names = [entry.name for entry in navigation_entries() if entry.name.startswith(app)]
        prefixes = {
            name: url for name in names if (url := self.url(name)) and self.request.path.startswith(url)
        }
        return max(prefixes, key=lambda name: len(prefixes[name]), default="")

    @cached_property
    def place(self) -> tuple[str, ...]:
        """The slugs of the team and of the connection, as far as the page has them."""
        return find_place(self.request)

    def url(self, name: str) -> str:
        """The URL of a page in this team and connection, or "" if it does not exist here."""
        return _url_in(self.place, name)

    @cached_property
    def home(self) -> str:
        """The URL behind the console's name."""
        return self.url("dashboard:home") if self.connection is not None else "/"

    @property
    def error_layout(self) -> str:
        """The template of error pages: with the frame for users who have a team, else plain."""
        return "layouts/error.html" if self.is_signed_in and self.membership else "layouts/error_plain.html"

    @property
    def back(self) -> str:
        """The page that the user comes from, if it is of this console and not this one; else the start page."""
        return find_previous_page(self.request) or self.home

    @cached_property
    def search(self) -> str:
        """The URL of the page that the search field of the top bar opens."""
        name = next((area.search for area in all_areas() if area.search), "")
        return self.url(name) if name and self.connection is not None else ""

    @cached_property
    def tray(self) -> str:
        """The URL of the job tray's content."""
        return self.url("jobs:tray") if self.connection is not None else ""

    @cached_property
    def connection_list(self) -> str:
        """The URL of the list of connections, "" for users who may not see it."""
        if self.membership is None or "connections:list" not in self._visible:
            return ""
        return self.url("connections:list")

    @cached_property
    def jobs(self) -> str:
        """The URL of the job list."""
        return self.url("jobs:list") if self.connection is not None else ""

    @cached_property
    def switcher(self) -> str:
        """The URL of the switcher's content."""
        connection = self.page_connection
        return self.url("teams:switcher") + (f"?connection={connection.slug}" if connection else "")

    @property
    def choose_language(self) -> str:
        """The URL that stores the chosen language."""
        return _url("set_language")

    @property
    def sign_out(self) -> str:
        """The URL that signs the user out."""
        return _url("account_logout")

    @cached_property
    def profile(self) -> str:
        """The URL of the user's profile."""
        return _url("sign_in:profile", otherwise="")

    @cached_property
    def tokens(self) -> str:
        """The URL of the user's personal API tokens."""
        return _url("teams:own-tokens", otherwise="")

    @property
    def user(self) -> Any:
        """The signed-in user, or an anonymous one."""
        return getattr(self.request, "user", None)

    @property
    def initials(self) -> str:
        """One or two letters of the user's name."""
        words = str(self.user or "").partition("@")[0].replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() or "?"

    @cached_property
    def scope_summary(self) -> str:
        """The user's access scope in this connection in words; "" if it is not limited."""
        guard = getattr(getattr(self.request, "gateway", None), "limited_scope", None)
        return str(guard.summary) if guard is not None else ""

    @cached_property
    def connections(self) -> list[SwitcherEntry]:
        """The team's connections in the user's access scope."""
        if self.team is None or self.membership is None:
            return []
        return [
            SwitcherEntry(
                label=connection.name,
                note=connection.region_label,
                url=_url("dashboard:home", self.team.slug, connection.slug),
                current=self.connection is not None and connection.pk == self.connection.pk,
            )
            for connection in self.membership.connections
        ]

    @cached_property
    def _memberships(self) -> list[Any]:
        """The user's memberships, ordered by team name."""
        memberships = getattr(self.user, "memberships", None) if self.is_signed_in else None
        return list(memberships.select_related("team").order_by("team__name")) if memberships else []

    @cached_property
    def teams(self) -> list[SwitcherEntry]:
        """The user's teams."""
        return [
            SwitcherEntry(
                label=membership.team.name,
                note=str(membership.role.label),
                url=_url("teams:team", membership.team.slug),
                current=self.team is not None and membership.team_id == self.team.pk,
            )
            for membership in self._memberships
        ]

    @property
    def new_team(self) -> str:
        """The URL for creating a team, for users who own one; else ""."""
        owns = any(membership.role_slug == "owner" for membership in self._memberships)
        return _url("teams:new-team", otherwise="") if owns else ""


def _url(name: str, *args: str, otherwise: str = "/") -> str:
    try:
        return place_url(name, args) if args else site_url(name)
    except NoReverseMatch:
        return otherwise


def _url_in(place: tuple[str, ...], name: str) -> str:
    try:
        return place_url(name, place) if place else ""
    except NoReverseMatch:
        return ""


@lru_cache(maxsize=1_000)
def _build_navigation(
    language: str | None, place: tuple[str, ...], visible: tuple[str, ...], current: str
) -> tuple[NavGroup, ...]:
    """The groups of the `visible` entries (URL names) in a place, in the active `language`. Most pages have the same ones."""
    groups = [
        NavGroup(str(group.heading), items)
        for group in navigation_groups()
        if (items := _build_items(place, group.entries, visible, current))
    ]
    if pages := _build_items(place, SETTINGS, visible, current):
        is_current = any(page.current for page in pages)
        groups.append(NavGroup("", (NavItem(gettext("Settings"), "settings", pages[0].url, is_current),)))
    return tuple(groups)


def _build_items(
    place: tuple[str, ...],
    entries: Iterable[NavigationEntry],
    visible: tuple[str, ...],
    current: str,
) -> tuple[NavItem, ...]:
    return tuple(
        NavItem(str(entry.label), entry.icon, url, entry.name == current, entry.count)
        for entry in entries
        if entry.name in visible and (url := _url_in(place, entry.name))
    )


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: `shell` in every template."""
    return {"shell": Shell(request)}
