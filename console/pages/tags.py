"""The tags of an object: a tab with a table, a card for its overview, and the actions that add, change and remove a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.detail import Detail
from console.ui.pieces import DetailItem
from console.ui.tables import Column, Empty, Table
from iot_client.errors import NotFound

Object = TypeVar("Object")
Text = str | Promise


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of an object. Keys are unique for each object."""

    key: str
    value: str


PLAIN_TEXT = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}

TABLE: Table[Tag] = Table(
    id="tags",
    caption=_("Tags"),
    columns=[
        Column("key", _("Key"), kind="code", primary=True, sort=True),
        Column("value", _("Value"), copy=True, sort=True),
    ],
)


class TagForm(forms.Form):
    """A tag to add or change. A subclass declares the fields `tag_key` and `tag_value` with their limits.

    `tag` is the tag to change, None to add one. The key of a tag cannot be changed. `present` are the tags of the object: a tag
    to add whose key one of them has is an error, unless the user selects the box to replace it, which is shown then.
    """

    def __init__(self, data: QueryDict | None, tag: Tag | None, present: Sequence[Tag] = ()) -> None:
        super().__init__(data, initial={"tag_key": tag.key, "tag_value": tag.value} if tag else None)
        if tag:
            self.fields["tag_key"].disabled = True
            self.fields["tag_key"].help_text = gettext(
                "To change the key, remove this tag and add a new one."
            )
        key = data.get("tag_key", "").strip() if data is not None and tag is None else ""
        self._present = next((other for other in present if other.key == key), None)
        if self._present is not None:
            self.fields["replace"] = forms.BooleanField(
                label=gettext("Replace the value “%(value)s”") % {"value": self._present.value},
                required=False,
            )

    def clean(self) -> dict[str, Any]:
        """Refuse a key that exists, unless its value is to be replaced."""
        cleaned = super().clean() or self.cleaned_data
        if self._present is not None and not cleaned.get("replace"):
            text = gettext("This key exists. Enter another key, or select the box to replace its value.")
            self.add_error("tag_key", text)
        return cleaned


@dataclass(frozen=True)
class TagPages(Generic[Object]):
    """The tags of the objects of `detail`.

    `read(gateway, *ids)` returns the object and its tags; `list_tags(gateway, *ids)` only the current tags, read past the
    cache. `save(gateway, obj, tag)` adds a tag, or replaces the value if the key exists; `remove(gateway, obj, key)` removes one.
    Each writes the operation of `save_operation` and `remove_operation`, with which the pages check the permission. `limit` is the largest number of
    tags. `hint` says what the tags are for, and `effect` what happens when one is removed. `fields` maps parameters to the
    fields of `form`. `link(request, tag)` is the URL of the list of objects with the tag.
    """

    detail: Detail[Object]
    read: Callable[..., tuple[Object, Sequence[Tag]]]
    list_tags: Callable[..., Sequence[Tag]]
    save: Callable[[Gateway, Object, Tag], object]
    remove: Callable[[Gateway, Object, str], object]
    save_operation: str
    remove_operation: str
    form: type[TagForm]
    limit: int
    hint: Text
    effect: Text = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    link: Callable[[HttpRequest, Tag], str] | None = None

    @cached_property
    def _url(self) -> str:
        return next(tab.url for tab in self.detail.tabs if tab.name == "tags")

    @cached_property
    def _set(self) -> Action[Object]:
        return Action(
            "set-tag",
            self.save_operation,
            _("Add tag"),
            address="tags/set",
            run=self._save_tag,
            ask=self._ask_to_set,
            form=self._build_form,
            back=self._url,
            fields=self.fields,
        )

    @cached_property
    def _remove(self) -> Action[Object]:
        return Action(
            "remove-tag",
            self.remove_operation,
            _("Remove tag"),
            address="tags/remove",
            run=self._remove_tag,
            ask=self._ask_to_remove,
            back=self._url,
            danger=True,
        )

    def paths(self, prefix: str) -> list[URLPattern]:
        """The URL patterns of the tab and its actions under `prefix`, for example "<id:key>/"."""
        return [
            path(f"{prefix}tags/", require_safe(self.show), name="tags"),
            *self.detail.paths(prefix, [self._set, self._remove]),
        ]

    def show(self, request: CloudRequest, **ids: str) -> HttpResponse:
        """Show the tags of the object."""
        obj, tags = self.read(request.gateway, *ids.values())
        may_set, may_remove = map(request.gateway.allows, (self.save_operation, self.remove_operation))
        is_full = len(tags) >= self.limit
        set_url = self.detail.action_url(request, obj, self._set)
        empty = Empty(_("No tags"), self.hint, "tags", set_url if may_set else "", _("Add tag"), dialog=True)
        key, value = TABLE.columns
        table = replace(
            TABLE,
            columns=[key, replace(value, link=self.link)],
            row_template="pages/tag_actions.html" if may_set or may_remove else "",
        )
        return self.detail.render(
            request,
            obj,
            "tags",
            "pages/tags.html",
            table=table.bind(request, tags, empty=empty),
            limit=self.limit,
            may_add=may_set and not is_full and bool(tags),
            set_url=set_url if may_set else "",
            remove_url=self.detail.action_url(request, obj, self._remove) if may_remove else "",
        )

    def build_card(self, request: CloudRequest, obj: Object, tags: Sequence[Tag]) -> dict[str, Any]:
        """Return the parameters of pages/tags_card.html, which shows the tags on the overview of the object."""
        may_add = request.gateway.allows(self.save_operation) and len(tags) < self.limit
        return {
            "items": [
                DetailItem(tag.key, tag.value, copy=True, url=self.link(request, tag) if self.link else "")
                for tag in tags
            ],
            "limit": self.limit,
            "hint": self.hint,
            "set_url": self.detail.action_url(request, obj, self._set) if may_add else "",
        }

    # -- adding and changing ---------------------------------------------------------------------------------------------

    def _ask_to_set(self, request: CloudRequest, obj: Object) -> Question:
        if "key" in request.GET:
            return Question(gettext("Edit tag"), submit=gettext("Save"))
        return Question(gettext("Add tag"))

    def _build_form(self, request: CloudRequest, obj: Object) -> TagForm:
        """Return the form. With `?key=`, it changes the tag with this key; a key that no longer exists can be added again."""
        is_submitted = request.method == "POST"
        if "key" not in request.GET and not is_submitted:
            return self.form(None, None)
        present = self.list_tags(request.gateway, *self.detail.ids(obj))
        tag = next((tag for tag in present if tag.key == request.GET.get("key")), None)
        return self.form(request.POST if is_submitted else None, tag, present)

    def _save_tag(self, request: CloudRequest, obj: Object, values: Mapping[str, Any]) -> Done:
        self.save(request.gateway, obj, Tag(values["tag_key"], values["tag_value"]))
        return Done(gettext("Tag %(key)s saved.") % {"key": values["tag_key"]})

    # -- removing --------------------------------------------------------------------------------------------------------

    def _ask_to_remove(self, request: CloudRequest, obj: Object) -> Question:
        key = request.GET.get("key", "")
        return Question(gettext("Remove tag %(key)s?") % {"key": key}, str(self.effect))

    def _remove_tag(self, request: CloudRequest, obj: Object, values: Mapping[str, Any]) -> Done:
        key = request.GET.get("key", "")
        try:
            self.remove(request.gateway, obj, key)
        except NotFound:
            return Done(gettext("The tag no longer exists."), is_warning=True)
        return Done(gettext("Tag %(key)s removed.") % {"key": key})
