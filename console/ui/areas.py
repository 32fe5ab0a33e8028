"""The areas of the platform: what the other parts of the console need to know about each. `settings.AREAS` lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

if TYPE_CHECKING:  # the layers above are named only as types
    from ninja import Router

    from console.api.pipeline import Upload
    from console.connections.approval_rules import ApprovalRule
    from console.jobs.kinds import Kind
    from console.pages.bulk import BulkPages
    from console.pages.detail import Detail, TabPage
    from console.ui.navigation import NavigationEntry
    from console.ui.statuses import Status
    from iot_client.catalogue import ObjectKind


@dataclass(frozen=True, kw_only=True)
class Area:
    """An area of the platform. Each area declares itself in the `AREA` of its area.py, which only `all_areas` imports.

    `slug` is the name of its folder, the namespace and the prefix of its addresses, and its row of the role matrix. `urls` is
    the import path of its URLconf. `search` is the URL name of the page behind the search field of the top bar, "" if it has
    none. `url_objects` says what the parameters of its addresses name: parameter → kind. A member with a limited access scope
    finds only addresses whose objects are in scope. `navigation`: one entry is shown with those of other areas, several are shown
    under `label`.

    `statuses` are the kinds of statuses that its objects have: name of the kind → value → Status. The names are unique in the
    console. `job_kinds` are its kinds of background work. `routers` are its operations of the HTTP API, and `uploads` says
    which of them accept a file: operation ID → Upload. `approval_rules` are the rules that teams can switch on. `bulk` are the
    actions on several objects of its lists. `details` are the pages of its objects to which other areas may add tabs, and `tabs`
    are those that it adds: URL name of the object's page → tabs.
    """

    slug: str
    label: str | Promise
    urls: str
    navigation: Sequence[NavigationEntry] = ()
    search: str = ""
    url_objects: Mapping[str, ObjectKind] = field(default_factory=dict)
    statuses: Mapping[str, Mapping[str, Status]] = field(default_factory=dict)
    job_kinds: Sequence[Kind[Any]] = ()
    routers: Sequence[Router] = ()
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    approval_rules: Sequence[ApprovalRule] = ()
    bulk: Sequence[BulkPages[Any]] = ()
    details: Sequence[Detail[Any]] = ()
    tabs: Mapping[str, Sequence[TabPage[Any]]] = field(default_factory=dict)


@cache
def all_areas() -> tuple[Area, ...]:
    """Return the areas in the order of `settings.AREAS`.

    Call it in functions: a module of an area that calls it when it is imported would import itself.
    """
    return tuple(import_string(path) for path in settings.AREAS)


@cache
def all_approval_rules() -> tuple[ApprovalRule, ...]:
    """Return the approval rules of all areas, and those of `settings.APPROVAL_RULES`, for operations that no area has pages for."""
    rules = [rule for area in all_areas() for rule in area.approval_rules]
    for path in settings.APPROVAL_RULES:
        rules += import_string(path)
    return tuple(rules)


def find_area(slug: str) -> Area | None:
    """Return the area with this slug, which is also the namespace of its addresses."""
    return next((area for area in all_areas() if area.slug == slug), None)
