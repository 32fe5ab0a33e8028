"""What the frame around every page shows: where the person is, where they may go, how they like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy as _

from console.ui.links import curl, shown_connection

THEMES = ("auto", "light", "dark")
# The looks to choose from: value, name, icon.
LOOKS: Sequence[tuple[str, str | Promise, str]] = (
    ("auto", _("System"), "device-desktop"),
    ("light", _("Light"), "sun"),
    ("dark", _("Dark"), "moon"),
)
THEME_COOKIE = "theme"
SIDEBAR_COOKIE = "sidebar"


@dataclass(frozen=True)
class NavigationEntry:
    """A line of the navigation: where it leads, and the area (of roles) and its level that see it."""

    name: str
    label: str | Promise
    icon: str
    area: str = ""
    level: int = 1


NAVIGATION: Sequence[tuple[str | Promise, Sequence[NavigationEntry]]] = (
    (
        "",
        (
            NavigationEntry("dashboard:home", _("Overview"), "layout-dashboard"),
            NavigationEntry("products:list", _("Products"), "packages", "products"),
            NavigationEntry("devices:list", _("Devices"), "cpu", "devices"),
            NavigationEntry("groups:list", _("Groups"), "hierarchy-2", "groups"),
        ),
    ),
    (
        _("Updates"),
        (
            NavigationEntry("ota:packages", _("Packages"), "package", "ota"),
            NavigationEntry("ota:jobs", _("Batches"), "cloud-upload", "ota"),
            NavigationEntry("ota:modules", _("Modules"), "puzzle", "ota"),
        ),
    ),
    (
        _("Work"),
        (
            NavigationEntry("jobs:list", _("Jobs"), "progress-check"),
            NavigationEntry("approvals:list", _("Approvals"), "checks"),
            NavigationEntry("explorer:list", _("Explorer"), "terminal-2"),
        ),
    ),
    (
        _("Team"),
        (
            NavigationEntry("connections:list", _("Connections"), "plug-connected", "connections"),
            NavigationEntry("access:members", _("Members"), "users", "members"),
            NavigationEntry("access:roles", _("Roles"), "shield-check", "members"),
            NavigationEntry("access:tokens", _("API tokens"), "key", "members"),
            NavigationEntry("access:audit", _("Audit trail"), "history", "audit"),
            NavigationEntry("access:sign-on", _("Single sign-on"), "login-2", "members", level=4),
            NavigationEntry("access:settings", _("Settings"), "settings", "members", level=4),
        ),
    ),
)


@dataclass(frozen=True)
class NavItem:
    """A room as it stands in the navigation of this page."""

    label: str | Promise
    icon: str
    url: str
    current: bool
    waiting: bool = False  # whether the number of what waits there for the person stands beside it


@dataclass(frozen=True)
class NavGroup:
    """Rooms under one heading."""

    label: str | Promise
    items: list[NavItem]


@dataclass(frozen=True)
class Place:
    """A team or connection that can be switched to."""

    label: str
    note: str
    url: str
    current: bool


class Shell:
    """Everything the layouts show besides the page. Each part is worked out when a template asks for it, once."""

    themes = LOOKS

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.team = getattr(request, "team", None)
        self.membership = getattr(request, "membership", None)
        self.connection = shown_connection(request)

    @cached_property
    def signed_in(self) -> bool:
        """Whether somebody is signed in."""
        return bool(self.user and self.user.is_authenticated)

    @cached_property
    def theme(self) -> str:
        """auto, light or dark: what this browser was told, else what the person prefers."""
        chosen = self.request.COOKIES.get(THEME_COOKIE, "")
        if chosen not in THEMES:
            chosen = getattr(self.user, "theme", "auto")
        return chosen if chosen in THEMES else "auto"

    @property
    def folded(self) -> bool:
        """Whether the sidebar shows icons only."""
        return self.request.COOKIES.get(SIDEBAR_COOKIE) == "folded"

    @cached_property
    def navigation(self) -> list[NavGroup]:
        """The rooms that the person's role can read, in groups."""
        groups = []
        for label, rooms in NAVIGATION:
            items = [item for item in map(self._item, rooms) if item is not None]
            if items:
                groups.append(NavGroup(label, items))
        return groups

    def _item(self, room: NavigationEntry) -> NavItem | None:
        if self.membership is None or (room.area and not self.membership.has_level(room.area, room.level)):
            return None
        url = self.url(room.name)
        if not url:
            return None
        waiting = room.name == "approvals:list"
        return NavItem(room.label, room.icon, url, self._current == room.name, waiting)

    @cached_property
    def _current(self) -> str:
        """The room that this page lies in: of those of its app, the one whose address it continues furthest."""
        match = self.request.resolver_match
        if match is None:
            return ""
        rooms = [
            room for _, rooms in NAVIGATION for room in rooms if room.name.partition(":")[0] == match.app_name
        ]
        fitting = [
            room for room in rooms if (url := self.url(room.name)) and self.request.path.startswith(url)
        ]
        return max(fitting, key=lambda room: len(self.url(room.name))).name if fitting else ""

    def url(self, name: str) -> str:
        """The address of a room's page here, or "" where there is none."""
        try:
            return curl(self.request, name)
        except NoReverseMatch:
            return ""

    @cached_property
    def home(self) -> str:
        """Where the name of the console leads."""
        return self.url("dashboard:home") if self.connection is not None else "/"

    @cached_property
    def search(self) -> str:
        """Where the search box asks."""
        return self.url("devices:search") if self.connection is not None else ""

    @cached_property
    def tray(self) -> str:
        """Where the job tray is filled from."""
        return self.url("jobs:tray") if self.connection is not None else ""

    @cached_property
    def jobs(self) -> str:
        """Where all jobs are listed."""
        return self.url("jobs:list") if self.connection is not None else ""

    @cached_property
    def profile(self) -> str:
        """Where the person's own settings are."""
        return _url("access:profile", otherwise="")

    @cached_property
    def tokens(self) -> str:
        """Where the person's own API tokens are."""
        return _url("access:own-tokens", otherwise="")

    @property
    def user(self) -> Any:
        """Who is signed in."""
        return getattr(self.request, "user", None)

    @property
    def initials(self) -> str:
        """One or two letters for the person."""
        words = str(self.user or "").partition("@")[0].replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() or "?"

    @cached_property
    def limits(self) -> str:
        """What of the connection is shown to the person, when it is not all of it; else ""."""
        limits = getattr(getattr(self.request, "gateway", None), "limits", None)
        return str(limits.words) if limits is not None else ""

    @cached_property
    def connections(self) -> list[Place]:
        """The team's connections that the person reaches."""
        if self.team is None or self.membership is None:
            return []
        return [
            Place(
                label=connection.name,
                note=connection.region,
                url=_url("dashboard:home", self.team.slug, connection.slug),
                current=self.connection is not None and connection.pk == self.connection.pk,
            )
            for connection in self.membership.connections
        ]

    @cached_property
    def _memberships(self) -> list[Any]:
        """The person's memberships, by the names of their teams."""
        memberships = getattr(self.user, "memberships", None) if self.signed_in else None
        return list(memberships.select_related("team").order_by("team__name")) if memberships else []

    @cached_property
    def teams(self) -> list[Place]:
        """The teams that the person is a member of."""
        return [
            Place(
                label=membership.team.name,
                note=str(membership.role.label),
                url=_url("access:team", membership.team.slug),
                current=self.team is not None and membership.team_id == self.team.pk,
            )
            for membership in self._memberships
        ]

    @property
    def new_team(self) -> str:
        """Where another team is made, for who owns one; else ""."""
        owns = any(membership.role_slug == "owner" for membership in self._memberships)
        return _url("access:new-team", otherwise="") if owns else ""


def _url(name: str, *args: str, otherwise: str = "/") -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return otherwise


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: `shell` in every template."""
    return {"shell": Shell(request)}
