"""Actions on several objects of a list: those ticked, or all that match its filters.

There is one meaning of "all that match": the list of objects is frozen when the user asks, shown, and acted on exactly so. A
few objects are acted on in the request; more become a job (console/pages/jobs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.views.decorators.http import require_POST

from console.connections.approval import needs_approval
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import FORM_REFUSED, Question
from console.ui.forms import ConfirmForm
from console.ui.links import connection_url
from console.ui.tables import BulkAction, Selection
from iot_client.errors import CloudError, explain

Row = TypeVar("Row")
Text = str | Promise
SHOWN_NAMES = 6
"""The number of names that the question shows."""


@dataclass(frozen=True)
class Bulk:
    """Something that can be done to several objects.

    `slug` is the last part of its address. A user needs the permission for `operation`. `ask(count)` returns the question for
    so many objects. `run(gateway, keys, ids)` makes the change and returns for each key None or the error; `ids` are the
    arguments of the list's URL. Up to `direct` objects are acted on in the request.

    `planned(key)` are the parameters of the call for one object, to say before it is sent that it needs approval. With
    `typed`, the user types the name of the object to confirm, or the number of objects: the labels of these two fields.
    `is_repeatable`: sending the call again has the same result, so that a job continues after a lost response.
    """

    slug: str
    operation: str
    label: Text
    icon: str
    ask: Callable[[int], Question]
    run: Callable[[Gateway, Sequence[str], Mapping[str, str]], Sequence[CloudError | None]]
    direct: int = 50
    danger: bool = False
    planned: Callable[[str], Mapping[str, Any]] | None = None
    typed: tuple[Text, Text] | None = None
    is_repeatable: bool = False

    def needs_approval(self, gateway: Gateway, keys: Sequence[str]) -> bool:
        """Whether the action on these objects needs approval, as far as that is known before it is sent."""
        return self.planned is not None and needs_approval(gateway, self.operation, *map(self.planned, keys))

    def build_form(self, data: QueryDict | None, first_name: str, count: int) -> ConfirmForm | None:
        """Return the form in which the user confirms the action; None if the action asks for nothing to be typed."""
        if self.typed is None:
            return None
        name_label, number_label = self.typed
        if count == 1:
            return ConfirmForm(first_name, data, label=str(name_label))
        return ConfirmForm(str(count), data, label=str(number_label))


@dataclass(frozen=True)
class Outcome:
    """The outcome for one object: its name, and the error or None."""

    name: str
    error: CloudError | None

    @property
    def error_title(self) -> str:
        """The error in a few words, as a msgid."""
        return explain(self.error).title if self.error else ""


@dataclass(frozen=True)
class BulkPages(Generic[Row]):
    """The bulk actions of a list.

    `name` is the URL name of the actions, `list_name` of the list, whose title is `list_label`. `key(row)` identifies a row in
    forms and `is_key(text)` recognizes such a key; `name_of(key)` is what users see. `list_matching(gateway, query, ids)`
    yields the rows that match the filters of the list, `query`; without it, only ticked rows can be acted on.
    """

    name: str
    list_name: str
    list_label: Text
    actions: Sequence[Bulk]
    key: Callable[[Row], str]
    is_key: Callable[[str], bool] = bool
    name_of: Callable[[str], str] = str
    list_matching: Callable[[Gateway, QueryDict, Mapping[str, str]], Iterable[Row]] | None = None

    def buttons(self, **ids: str) -> list[BulkAction]:
        """The actions as the buttons of a table."""
        return [self._build_button(action, ids) for action in self.actions]

    def _build_button(self, action: Bulk, ids: Mapping[str, str]) -> BulkAction:
        return BulkAction(
            action.label,
            action.icon,
            lambda request: self.url(request, action, ids),
            danger=action.danger,
            allowed=lambda request: request.gateway.allows(action.operation),  # type: ignore[attr-defined]
        )

    def url(self, request: HttpRequest, action: Bulk, ids: Mapping[str, str]) -> str:
        """The URL to which the list posts its selection."""
        return connection_url(request, self.name, *ids.values(), action.slug)

    def path(self, prefix: str) -> URLPattern:
        """The URL pattern of the actions: `prefix` with the name of the action."""
        return path(f"{prefix}<slug:action>/", require_POST(self.act), name=self.name.partition(":")[2])

    def find(self, slug: str) -> Bulk | None:
        """Return the action with this slug."""
        return next((action for action in self.actions if action.slug == slug), None)

    # -- acting ----------------------------------------------------------------------------------------------------------

    def act(self, request: CloudRequest, action: str, **ids: str) -> HttpResponse:
        """Ask, and with `confirmed` act on the objects and show the outcome of each."""
        found = self.find(action)
        if found is None:
            raise Http404
        request.gateway.require(found.operation)
        selection = Selection.from_request(request)
        keys = self._read_keys(request, selection, found, ids)
        names = [self.name_of(key) for key in keys]
        is_confirmed = request.POST.get("confirmed") == "1"
        question = found.ask(len(keys))
        form = found.build_form(request.POST if is_confirmed else None, names[0], len(keys)) if keys else None
        query = f"?{selection.query.urlencode()}" if selection.query else ""
        context = {
            "action": found,
            "question": question,
            "title": question.title if keys else found.label,
            "list_label": self.list_label,
            "back": connection_url(request, self.list_name, *ids.values()) + query,
            "url": self.url(request, found, ids),
            "query": request.POST.get("query", ""),
            "keys": keys,
            "first_names": names[:SHOWN_NAMES],
            "others": max(0, len(names) - SHOWN_NAMES),
            "form": form,
            "needs_approval": bool(keys) and not is_confirmed and found.needs_approval(request.gateway, keys),
        }
        is_refused = not keys or (is_confirmed and form is not None and not form.is_valid())
        if is_refused or not is_confirmed:
            return render(request, "pages/bulk.html", context, status=FORM_REFUSED if is_refused else 200)
        errors = found.run(request.gateway, keys, ids)
        outcomes = [Outcome(name, error) for name, error in zip(names, errors, strict=True)]
        failed = sum(outcome.error is not None for outcome in outcomes)
        context |= {"outcomes": outcomes, "failed": failed, "succeeded": len(outcomes) - failed}
        response = render(request, "pages/bulk.html", context)
        response["HX-Trigger"] = "list-changed"  # the list under the dialog reloads
        return response

    def _read_keys(
        self, request: CloudRequest, selection: Selection, action: Bulk, ids: Mapping[str, str]
    ) -> list[str]:
        """Return the keys of the selected objects; for "all that match", those of the list at this moment."""
        if not selection.all_matching:
            return [key for key in selection.keys if self.is_key(key)]
        if self.list_matching is None:
            return []
        rows = self.list_matching(request.gateway, selection.query, ids)
        return list(dict.fromkeys(map(self.key, islice(rows, action.direct + 1))))
