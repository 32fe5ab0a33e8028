"""The pages of one object: its heading, what can be done now, and tabs that each have an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.functional import Promise

from console.connections.http import CloudRequest
from console.pages.actions import Action, perform_action
from console.teams.pages.audit import audit_menu_items
from console.ui.areas import all_areas
from console.ui.links import connection_url
from console.ui.pieces import MenuItem, Tab, explorer_item

Thing = TypeVar("Thing")
Text = str | Promise
Crumb = tuple[Text, str]
"""The label and the URL of a page above."""


@dataclass(frozen=True)
class TabPage(Generic[Thing]):
    """A tab: its name, which a view passes to `Detail.render`, its label, and the name of its URL.

    `count(thing)` returns the number beside the label. The tab is shown to users who may call all `operations`. Its URL has the
    same arguments as those of the object's other tabs.
    """

    name: str
    label: Text
    url: str
    count: Callable[[Thing], int | None] = lambda thing: None
    operations: Sequence[str] = ()


@dataclass(frozen=True)
class Detail(Generic[Thing]):
    """The pages of one object.

    `tabs` come in order; the first one is the object's page, and the only one is shown without a tab bar. An object without
    a page of its own has no tabs: `place(request, thing)` returns the URL of the page that shows it. `read(gateway, *ids, fresh=False)` reads the object; `ids(thing)`
    are the arguments of its URLs. `title(thing)` names it. `target(thing)` is its name in the audit trail, by default its last
    id, and `waiting(thing)` its name in approval requests, by default `target`. `operation` is the call that the menu opens in
    the explorer, with the ids as the values of `parameters`. `list_name` is the URL name of the list and `list_label` its
    title; `parents(request, thing)` are further pages between the list and the object. `missing` says that the object no
    longer exists. `layout` is the template of the heading; it extends pages/detail.html.
    """

    tabs: Sequence[TabPage[Thing]]
    read: Callable[..., Thing]
    ids: Callable[[Thing], tuple[str, ...]]
    title: Callable[[Thing], str]
    list_name: str
    list_label: Text
    missing: Text
    operation: str = ""
    parameters: Sequence[str] = ()
    tabs_label: Text = ""
    place: Callable[[CloudRequest, Thing], str] | None = None
    actions: Sequence[Action[Thing]] = ()
    target: Callable[[Thing], str] | None = None
    waiting: Callable[[Thing], str] | None = None
    parents: Callable[[CloudRequest, Thing], Sequence[Crumb]] = lambda request, thing: ()
    layout: str = "pages/detail.html"

    # -- addresses -------------------------------------------------------------------------------------------------------

    def url_of(self, request: CloudRequest, thing: Thing, name: str = "") -> str:
        """The URL of a page of the object, by default its first tab, or the page that shows an object without tabs."""
        if self.place is not None and not name:
            return self.place(request, thing)
        return connection_url(request, name or self.tabs[0].url, *self.ids(thing))

    def list_url(self, request: CloudRequest) -> str:
        """The URL of the list of objects."""
        return connection_url(request, self.list_name)

    def crumbs(self, request: CloudRequest, thing: Thing) -> list[Crumb]:
        """The pages above the object's page, from the list down."""
        return [(self.list_label, self.list_url(request)), *self.parents(request, thing)]

    def action_url(self, request: CloudRequest, thing: Thing, action: Action[Thing]) -> str:
        """The URL of an action on the object."""
        namespace = self.list_name.partition(":")[0]
        return self.url_of(request, thing, f"{namespace}:{action.slug}")

    def paths(self, prefix: str, actions: Sequence[Action[Thing]] | None = None) -> list[URLPattern]:
        """The URL patterns of the actions under `prefix`, for example "<str:key>/"."""
        return [
            path(f"{prefix}{action.address or action.slug}/", self._view(action), name=action.slug)
            for action in (self.actions if actions is None else actions)
        ]

    def _view(self, action: Action[Thing]) -> Callable[..., HttpResponse]:
        def view(request: CloudRequest, **ids: str) -> HttpResponse:
            return perform_action(request, self, action, list(ids.values()))

        return view

    # -- pages -----------------------------------------------------------------------------------------------------------

    def render(
        self, request: CloudRequest, thing: Thing, tab: str, template: str, **context: Any
    ) -> HttpResponse:
        """Render a tab. `template` extends the layout and fills its block `panel`."""
        allowed = [
            action
            for action in self.actions
            if request.gateway.allows(action.operation) and action.is_available(thing)
        ]
        target = self.target(thing) if self.target else self.ids(thing)[-1]
        context |= {
            "layout": self.layout,
            "thing": thing,
            "title": self.title(thing),
            "crumbs": self.crumbs(request, thing),
            "tabs": self._build_tabs(request, thing, tab),
            "tabs_label": self.tabs_label,
            "buttons": [
                (action, self.action_url(request, thing, action)) for action in allowed if action.button
            ],
            "menu": [
                *self._build_links(request, thing, target),
                *(
                    MenuItem(
                        action.menu,
                        self.action_url(request, thing, action),
                        action.icon,
                        danger=action.danger,
                        dialog=True,
                    )
                    for action in allowed
                    if action.menu
                ),
            ],
            "waiting_for": self.waiting(thing) if self.waiting else target,
        }
        return render(request, template, context)

    def _build_tabs(self, request: CloudRequest, thing: Thing, current: str) -> list[Tab]:
        added = [tab for area in all_areas() for tab in area.tabs.get(self.tabs[0].url, ())]
        return [
            Tab(tab.label, self.url_of(request, thing, tab.url), tab.name == current, tab.count(thing))
            for tab in (*self.tabs, *added)
            if all(map(request.gateway.allows, tab.operations))
        ]

    def _build_links(self, request: CloudRequest, thing: Thing, target: str) -> list[MenuItem]:
        params: Mapping[str, str] = dict(zip(self.parameters, self.ids(thing), strict=True))
        return [
            explorer_item(request, self.operation, **params),
            *audit_menu_items(request, target=target),
        ]


def find_detail(name: str) -> Detail[Any]:
    """Return the pages of the objects whose first tab has this URL name, for an area that adds a tab to them. Raises LookupError
    if no area declares them."""
    for area in all_areas():
        for detail in area.details:
            if detail.tabs[0].url == name:
                return detail
    raise LookupError(name)
