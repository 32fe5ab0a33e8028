"""The rendering of forms, and the forms that all areas share: list filters, edit forms that detect a concurrent change, and
"type the name to delete"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar, Self

from django import forms
from django.forms.renderers import TemplatesSetting
from django.forms.utils import flatatt
from django.http import HttpRequest, QueryDict
from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.ui.fields import Field
from console.ui.format import join_sentences, label_text
from console.ui.links import query_url

SHOWN_IN_FULL = "shown-in-full"
"""The code of an error of a whole form that the page also shows in full: the list of its errors leaves it out."""
FORM_REFUSED = 422
"""The status of a page whose form has errors: htmx replaces the form with the response."""


class Renderer(TemplatesSetting):
    """Renders forms with the project's templates: `{{ form }}` gives labeled fields with help, limits and errors."""

    form_template_name = "ui/form_fields.html"
    field_template_name = "ui/field.html"
    bound_field_class = Field

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        """Renders a select without templates: Django includes two of them for each option."""
        if template_name == forms.Select.template_name:
            return _render_select(context["widget"])
        return super().render(template_name, context, request)


def _render_select(widget: dict[str, Any]) -> SafeString:
    parts = [f'<select name="{escape(widget["name"])}"{flatatt(widget["attrs"])}>']
    for group, options, _index in widget["optgroups"]:
        if group:
            parts.append(f'<optgroup label="{escape(str(group))}">')
        for option in options:
            attributes = flatatt(option["attrs"]) if option["attrs"] else ""
            label = conditional_escape(option["label"])
            parts.append(f'<option value="{escape(str(option["value"]))}"{attributes}>{label}</option>')
        if group:
            parts.append("</optgroup>")
    parts.append("</select>")
    return mark_safe("".join(parts))  # noqa: S308 - each value is escaped above


@dataclass(frozen=True)
class Section:
    """Fields of a form under a heading. With `is_advanced` they are folded, unless one contains a value or an error."""

    label: str
    fields: Sequence[forms.BoundField]
    is_advanced: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a field has an error, or a value other than its default."""
        return any(
            bound.errors or bound.value() not in (None, "", False, [], bound.field.initial)
            for bound in self.fields
        )


class Sections(forms.BaseForm):
    """The fields of a form under headings. `sections` are the labels with the names of their fields, in order; a form may lack
    some of the fields. `advanced` are the fields of the folded section at the end. The form has no other fields."""

    sections: ClassVar[Sequence[tuple[str | Promise, Sequence[str]]]] = ()
    advanced: ClassVar[Sequence[str]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([*(name for _label, names in self.sections for name in names), *self.advanced])

    @property
    def shown_sections(self) -> list[Section]:
        """The sections that have fields."""
        declared = [
            Section(str(label), [self[name] for name in names if name in self.fields])
            for label, names in self.sections
        ]
        advanced = [self[name] for name in self.advanced if name in self.fields]
        declared.append(Section(gettext("Advanced options"), advanced, is_advanced=True))
        return [section for section in declared if section.fields]


@dataclass(frozen=True)
class Chip:
    """An active filter: label, value, and the URL without it."""

    label: str
    value: str
    url: str


_SHOWN_FILTERS = 4


class FilterForm(forms.Form):
    """The filters of a list: a GET form whose values are in the URL. A field named `q` is the search box.

    Declare all fields with `required=False`. `problem` says which values are invalid, and why: a list then shows this instead of
    rows, because without the filter it would show more than the user asked for. `values` holds the active filters.
    """

    template_name = "ui/filters.html"

    def __init__(self, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(request.GET, auto_id="filter_%s", **kwargs)
        self.request = request
        for name, field in self.fields.items():
            if (
                name != "q"
                and type(field.widget) is forms.TextInput
                and "placeholder" not in field.widget.attrs
            ):
                field.widget.attrs |= {"placeholder": _("Any"), "data-any": True}
        self.full_clean()

    @classmethod
    def from_query(cls, query: QueryDict, **kwargs: Any) -> Self:
        """The filters of a list's query, without a request: for a worker, or for another page."""
        request = HttpRequest()
        request.GET = query  # type: ignore[assignment]
        return cls(request, **kwargs)

    @property
    def values(self) -> dict[str, Any]:
        """The cleaned values of the active filters."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}

    @property
    def problem(self) -> str:
        """What is wrong with the filters; "" for nothing."""
        return join_sentences(
            label_text(self[name].label, message) if name in self.fields else message
            for name, messages in self.errors.items()
            for message in messages
        )

    @property
    def search(self) -> forms.BoundField | None:
        """The search box, if the list has one."""
        return self["q"] if "q" in self.fields else None

    @property
    def other_fields(self) -> list[forms.BoundField]:
        """The filters without the search box."""
        return [self[name] for name in self.fields if name != "q"]

    @property
    def extra_fields(self) -> list[forms.BoundField]:
        """The filters behind "More filters" on a wide screen: of many, all but the first two and the period."""
        fields = [field for field in self.other_fields if not field.is_hidden]
        if len(fields) <= _SHOWN_FILTERS:
            return []
        return [field for field in fields if not isinstance(field.field, forms.DateField)][2:]

    @property
    def period(self) -> list[forms.BoundField]:
        """The days of a period, which stay side by side."""
        return [field for field in self.other_fields if isinstance(field.field, forms.DateField)]

    @property
    def shown_fields(self) -> list[forms.BoundField]:
        """The other filters, which a wide screen always shows."""
        others = {field.name for field in (*self.extra_fields, *self.period)}
        return [field for field in self.other_fields if field.name not in others]

    @property
    def kept_parameters(self) -> Iterator[tuple[str, str]]:
        """URL parameters other than filters that a change of filters keeps (sort, size)."""
        for name in ("sort", "size"):
            if name in self.request.GET and name not in self.fields:
                yield name, self.request.GET[name]

    @property
    def chips(self) -> list[Chip]:
        """The active filters, each with the URL that removes it."""
        chips = []
        for name, value in self.values.items():
            field = self.fields[name]
            choices = dict(_flat(getattr(field, "choices", ())))
            values = value if isinstance(value, list | tuple) else [value]
            text = ", ".join(str(choices.get(str(item), item)) for item in values)
            label = gettext("Search") if name == "q" else str(self[name].label)
            chips.append(Chip(label, text, query_url(self.request, drop=("page", "token", name))))
        return chips

    @property
    def clear_url(self) -> str:
        """The URL without filters."""
        return query_url(self.request, drop=("page", "token", *self.fields))


def _flat(choices: Any) -> Iterator[tuple[str, Any]]:
    for value, label in choices:
        if isinstance(label, list | tuple):
            yield from _flat(label)
        else:
            yield str(value), label


class EditForm(forms.Form):
    """Edits values that are stored elsewhere and that another user may change at the same time.

    `present` are the current values by field. If they differ from the values the form was opened with, the form is invalid
    once and shows the current value at each changed field. Input is kept; saving again overwrites the change.
    """

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None, *, present: Mapping[str, str], **kwargs: Any) -> None:
        self.present = present
        super().__init__(data, initial={**present, "seen": json.dumps(present)}, **kwargs)

    def clean(self) -> dict[str, Any]:
        """The cleaned values. Fields whose stored value changed since the form was opened get an error."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            seen = json.loads(values.pop("seen", "") or "{}")
        except (ValueError, RecursionError):
            seen = {}
        changed = {
            name: now
            for name, now in self.present.items()
            if isinstance(seen, dict) and seen.get(name, now) != now and values.get(name) != now
        }
        for name, now in changed.items():
            self.add_error(name, _conflict_message(str(seen[name]), now))
        if changed:
            self.data = {**dict(self.data.items()), "seen": json.dumps(self.present)}
        return values


def _conflict_message(was: str, now: str) -> str:
    words = gettext(
        "Another user changed this from “%(was)s” to “%(now)s”. Save again to overwrite the change."
    )
    empty = gettext("(empty)")
    return words % {"was": was or empty, "now": now or empty}


class ConfirmForm(forms.Form):
    """Requires the name of the object to delete, or another text that says what happens; valid only if it is typed exactly."""

    typed = forms.CharField(
        label=_("Name"), strip=True, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, expected: str, *args: Any, label: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["typed"].widget.attrs |= {
            "data-expected": expected,
            "autocapitalize": "off",
            "spellcheck": "false",
        }
        if label:
            self.fields["typed"].label = label

    def clean_typed(self) -> str:
        """The text, if it matches."""
        typed: str = self.cleaned_data["typed"]
        if typed != self.expected:
            raise forms.ValidationError(
                _("The text does not match. Type exactly: %(name)s"), params={"name": self.expected}
            )
        return typed


class FileWidget(forms.FileInput):
    """A file field with drag and drop that shows name and size. The page checks `max_bytes` before it sends the file."""

    def __init__(
        self, attrs: dict[str, Any] | None = None, accept: str = "", max_bytes: int | None = None
    ) -> None:
        extra = {"accept": accept} if accept else {}
        limit = {"data-max-bytes": str(max_bytes)} if max_bytes else {}
        super().__init__({**extra, **limit, **(attrs or {})})
