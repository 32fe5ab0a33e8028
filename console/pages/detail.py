"""The pages of one object: its heading, what can be done now, and tabs that each have an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from console.connections.http import CloudRequest
from console.pages.actions import Action, perform_action
from console.teams.pages.audit import audit_menu_items
from console.ui.areas import all_areas
from console.ui.links import connection_url
from console.ui.pieces import DetailItem, MenuItem, Tab, explorer_item

Object = TypeVar("Object")
Text = str | Promise
Crumb = tuple[Text, str]
"""The label and the URL of a page above."""


@dataclass(frozen=True)
class TabPage(Generic[Object]):
    """A tab: its name, which a view passes to `Detail.render`, its label, and the name of its URL.

    `count(obj)` returns the number beside the label. The tab is shown to users who may call all `operations`. Its URL has the
    same arguments as those of the object's other tabs.
    """

    name: str
    label: Text
    url: str
    count: Callable[[Object], int | None] = lambda obj: None
    operations: Sequence[str] = ()


@dataclass(frozen=True)
class Detail(Generic[Object]):
    """The pages of one object.

    `tabs` come in order; the first one is the object's page, and the only one is shown without a tab bar. An object without a page
    of its own has no tabs: `place(request, obj)` returns the URL of the page that shows it. `read(gateway, *ids, fresh=False)`
    reads the object; `ids(obj)` are the arguments of its URLs. `title(obj)` names it. `target(obj)` is its name in the audit trail,
    by default its last id, and `waiting(obj)` its name in approval requests, by default `target`. `operation` is the call that the
    menu opens in the explorer, with the ids as the values of `parameters`. `list_name` is the URL name of the list and `list_label`
    its title; `parents(request, obj)` are further pages between the list and the object. `missing` says that the object no longer
    exists. `summary(request, obj)` is its state, in one line below the title: what a user looks for first. `layout` is the
    template of the heading; it extends pages/detail.html.
    """

    tabs: Sequence[TabPage[Object]]
    read: Callable[..., Object]
    ids: Callable[[Object], tuple[str, ...]]
    title: Callable[[Object], str]
    list_name: str
    list_label: Text
    missing: Text
    operation: str = ""
    parameters: Sequence[str] = ()
    tabs_label: Text = ""
    place: Callable[[CloudRequest, Object], str] | None = None
    actions: Sequence[Action[Object]] = ()
    target: Callable[[Object], str] | None = None
    waiting: Callable[[Object], str] | None = None
    parents: Callable[[CloudRequest, Object], Sequence[Crumb]] = lambda request, obj: ()
    summary: Callable[[CloudRequest, Object], Sequence[DetailItem]] = lambda request, obj: ()
    layout: str = "pages/detail.html"

    # -- addresses -------------------------------------------------------------------------------------------------------

    def url_of(self, request: CloudRequest, obj: Object, name: str = "") -> str:
        """The URL of a page of the object, by default its first tab, or the page that shows an object without tabs."""
        if self.place is not None and not name:
            return self.place(request, obj)
        return connection_url(request, name or self.tabs[0].url, *self.ids(obj))

    def list_url(self, request: CloudRequest) -> str:
        """The URL of the list of objects."""
        return connection_url(request, self.list_name)

    def crumbs(self, request: CloudRequest, obj: Object) -> list[Crumb]:
        """The pages above the object's page, from the list down."""
        return [(self.list_label, self.list_url(request)), *self.parents(request, obj)]

    def action_url(self, request: CloudRequest, obj: Object, action: Action[Object]) -> str:
        """The URL of an action on the object."""
        namespace = self.list_name.partition(":")[0]
        return self.url_of(request, obj, f"{namespace}:{action.slug}")

    def paths(self, prefix: str, actions: Sequence[Action[Object]] | None = None) -> list[URLPattern]:
        """The URL patterns of the actions under `prefix`, for example "<id:key>/"."""
        return [
            path(f"{prefix}{action.address or action.slug}/", self._view(action), name=action.slug)
            for action in (self.actions if actions is None else actions)
        ]

    def menu_path(self, prefix: str) -> URLPattern:
        """The URL pattern of the menu that a row of a list fetches (`Table.menu`), under `prefix`."""
        return path(f"{prefix}menu/", require_safe(self._show_menu), name="menu")

    def _view(self, action: Action[Object]) -> Callable[..., HttpResponse]:
        def view(request: CloudRequest, **ids: str) -> HttpResponse:
            return perform_action(request, self, action, list(ids.values()))

        return view

    # -- pages -----------------------------------------------------------------------------------------------------------

    def render(
        self, request: CloudRequest, obj: Object, tab: str, template: str, **context: Any
    ) -> HttpResponse:
        """Render a tab. `template` extends the layout and fills its block `panel`."""
        allowed = self._list_allowed(request, obj)
        tabs = self._build_tabs(request, obj, tab)
        context |= {
            "layout": self.layout,
            "object": obj,
            "title": self.title(obj),
            "crumbs": self.crumbs(request, obj),
            "summary": self.summary(request, obj),
            "tabs": tabs,
            "tab_label": next((one.label for one in tabs[1:] if one.current), ""),
            "tabs_label": self.tabs_label,
            "buttons": [
                (self._build_button(request, obj, action), action.button == "primary")
                for action in allowed
                if action.button
            ],
            "menu": self._build_menu(request, obj, allowed),
            "waiting_for": self.waiting(obj) if self.waiting else self._find_target(obj),
        }
        return render(request, template, context)

    def _show_menu(self, request: CloudRequest, **ids: str) -> HttpResponse:
        """The menu of the object in a list: the buttons and the menu of its page. The same call as for its page."""
        obj = self.read(request.gateway, *ids.values())
        allowed = self._list_allowed(request, obj)
        buttons = [self._build_button(request, obj, action) for action in allowed if action.button]
        items = [*buttons, *self._build_menu(request, obj, allowed)]
        return render(request, "ui/menu_items.html", {"items": items})

    def _list_allowed(self, request: CloudRequest, obj: Object) -> list[Action[Object]]:
        """The actions that the user may do to the object in its present state."""
        return [
            action
            for action in self.actions
            if request.gateway.allows(action.operation) and action.is_available(obj)
        ]

    def _find_target(self, obj: Object) -> str:
        """The name of the object in the audit trail."""
        return self.target(obj) if self.target else self.ids(obj)[-1]

    def _build_button(self, request: CloudRequest, obj: Object, action: Action[Object]) -> MenuItem:
        """The button of an action: it opens the dialog of the action, or sends the action at once if it has none."""
        return MenuItem(
            action.label,
            self.action_url(request, obj, action),
            action.icon,
            danger=action.danger,
            dialog=action.ask is not None,
            post=action.ask is None,
        )

    def _build_menu(
        self, request: CloudRequest, obj: Object, allowed: Sequence[Action[Object]]
    ) -> list[MenuItem]:
        return [
            *self._build_links(request, obj, self._find_target(obj)),
            *(
                MenuItem(
                    action.menu,
                    self.action_url(request, obj, action),
                    action.icon,
                    danger=action.danger,
                    dialog=True,
                )
                for action in allowed
                if action.menu
            ),
        ]

    def _build_tabs(self, request: CloudRequest, obj: Object, current: str) -> list[Tab]:
        added = [tab for area in all_areas() for tab in area.tabs.get(self.tabs[0].url, ())]
        return [
            Tab(tab.label, self.url_of(request, obj, tab.url), tab.name == current, tab.count(obj))
            for tab in (*self.tabs[:1], *added, *self.tabs[1:])
            if all(map(request.gateway.allows, tab.operations))
        ]

    def _build_links(self, request: CloudRequest, obj: Object, target: str) -> list[MenuItem]:
        params: Mapping[str, str] = dict(zip(self.parameters, self.ids(obj), strict=True))
        return [
            explorer_item(request, self.operation, **params),
            *audit_menu_items(request, target=target),
        ]


def find_detail(name: str) -> Detail[Any]:
    """Return the pages of the objects that have a tab with this URL name: for an area that adds a tab to them, and for what is done
    on the list that is the tab. Raises LookupError if no area declares them."""
    for area in all_areas():
        for detail in area.details:
            if any(tab.url == name for tab in detail.tabs):
                return detail
    raise LookupError(name)
