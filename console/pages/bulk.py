"""Actions on several objects of a list: those ticked, or all that match its filters.

There is one meaning of "all that match": the list of objects is read once, shown, and acted on exactly so. A few objects are
acted on in the request (console/pages/bulk_views.py); more become a job (console/pages/jobs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.http import HttpRequest, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext

from console.connections.approval import needs_approval
from console.connections.gateway import Gateway
from console.jobs.models import MAX_KEY_LENGTH
from console.pages.actions import Question
from console.ui.areas import all_areas
from console.ui.forms import ConfirmForm, FilterForm
from console.ui.links import connection_url
from console.ui.tables import BulkAction
from iot_client.errors import CloudError
from iot_client.paging import Page, Position

Row = TypeVar("Row")
Text = str | Promise
SHOWN_NAMES = 6
"""The number of names that the question shows."""


@dataclass(frozen=True)
class Bulk:
    """Something that can be done to several objects.

    `slug` is the last part of its address. A user needs the permission for `operation`. `ask(count)` returns the question for
    so many objects; `description` says in the HTTP API what the action does (a msgid). `run(gateway, keys, ids)` makes the
    change and returns for each key None or the error; `ids` are the arguments of the list's URL. Up to `direct` objects are
    acted on in the request.

    `plan(keys)` returns the parameters of each write that `run` may make for these objects: an approval allows exactly these calls.
    An action has it if an approval rule covers its operation; a limit of the rule counts one for each object. With `typed`, the
    user types the name of the object to confirm, or for several objects what happens ("delete 3 devices"): the label of the name,
    and the function that returns this text for their number. `applies_to(row)` says whether "all that match" includes a row. `is_repeatable`: sending the calls again has the same result, so that another worker
    continues after one stopped while it sent them. `run` raises a CloudError only before it sends the first write.
    """

    slug: str
    operation: str
    label: Text
    icon: str
    description: str
    ask: Callable[[int], Question]
    run: Callable[[Gateway, Sequence[str], Mapping[str, str]], Sequence[CloudError | None]]
    direct: int = 50
    danger: bool = False
    plan: Callable[[Sequence[str]], Sequence[Mapping[str, Any]]] | None = None
    typed: tuple[Text, Callable[[int], str]] | None = None
    applies_to: Callable[[Any], bool] = lambda row: True
    is_repeatable: bool = False

    def needs_approval(self, gateway: Gateway, keys: Sequence[str]) -> bool:
        """Whether the action on these objects needs approval, as far as that is known before it is sent."""
        return self.plan is not None and needs_approval(gateway, self.operation, *self.plan(keys))

    def build_form(self, data: QueryDict | None, first_name: str, count: int) -> ConfirmForm | None:
        """Return the form in which the user confirms the action; None if the action asks for nothing to be typed."""
        if self.typed is None:
            return None
        name_label, describe = self.typed
        if count == 1:
            return ConfirmForm(first_name, data, label=str(name_label))
        return ConfirmForm(describe(count), data, label=gettext("Confirmation"))


@dataclass(frozen=True)
class BulkPages(Generic[Row]):
    """The bulk actions of a list.

    `name` is the URL name of the actions, `list_name` of the list, whose title is `list_label`. The actions are below `address`,
    the part of the URL after that of the area. `key(row)` identifies a row in forms and `is_key(text)` recognizes such a key;
    `name_of(key)` is what users see, `keys_help` describes keys in the HTTP API (a msgid).

    `read_matching(gateway, filters, ids, start)` yields the rows that match `filters`, a bound form of the class `filters`, page by
    page: all of them, or those from `start` on, the position of an earlier page. The HTTP API calls the fields of the form by
    their names in `filter_names`, if they have one, and describes them with `filter_help` (msgids by these names), or with their
    labels. `scope_key(query, keys, ids)` is the key by which access scopes include a job for these objects, "" if none does.
    """

    name: str
    address: str
    list_name: str
    list_label: Text
    actions: Sequence[Bulk]
    key: Callable[[Row], str]
    keys_help: str
    read_matching: Callable[[Gateway, Any, Mapping[str, str], Position | None], Iterator[Page[Sequence[Row]]]]
    filters: type[FilterForm] = FilterForm
    filter_names: Mapping[str, str] = field(default_factory=dict)
    filter_help: Mapping[str, str] = field(default_factory=dict)
    is_key: Callable[[str], bool] = bool
    name_of: Callable[[str], str] = str
    scope_key: Callable[[QueryDict, Sequence[str], Mapping[str, str]], str] = lambda query, keys, ids: ""

    def buttons(self, actions: Sequence[Bulk] | None = None, **ids: str) -> list[BulkAction]:
        """The actions, by default all of them, as the buttons of a table. `ids` are the arguments of the list's URL."""
        return [self._build_button(action, ids) for action in (self.actions if actions is None else actions)]

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

    def accepts(self, text: str) -> bool:
        """Whether a text of a request is a key of this list. PostgreSQL stores no NUL characters."""
        return len(text) <= MAX_KEY_LENGTH and "\x00" not in text and self.is_key(text)

    def read_keys(
        self,
        action: Bulk,
        gateway: Gateway,
        filters: FilterForm,
        ids: Mapping[str, str],
        start: Position | None = None,
    ) -> Iterator[Page[list[str]]]:
        """Yield the keys of the objects that match and to which the action applies, page by page. A key can be repeated: an
        object can move to the next page while the list is read."""
        for page in self.read_matching(gateway, filters, ids, start):
            yield Page([self.key(row) for row in page.content if action.applies_to(row)], page.following)

    def list_first_keys(
        self, action: Bulk, gateway: Gateway, filters: FilterForm, ids: Mapping[str, str]
    ) -> list[str]:
        """Return the keys of the objects that match: all of them, or one more than the action takes in a request."""
        most = action.direct + 1
        keys: dict[str, None] = {}
        for page in self.read_keys(action, gateway, filters, ids):
            keys |= dict.fromkeys(page.content)
            if len(keys) >= most:
                break
        return list(keys)[:most]

    def find(self, slug: str) -> Bulk | None:
        """Return the action with this slug."""
        return next((action for action in self.actions if action.slug == slug), None)


def find_bulk_pages(name: str) -> BulkPages[Any]:
    """Return the bulk actions of the list whose actions have this URL name. Raises LookupError if no area declares them."""
    for area in all_areas():
        for pages in area.bulk:
            if pages.name == name:
                return pages
    raise LookupError(name)
