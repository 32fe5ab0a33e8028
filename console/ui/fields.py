"""A field of a form as pages show it: its widget, limits and hint, and errors that name the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.forms.utils import ErrorList
from django.utils.functional import Promise, lazy
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone_name
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.ui.format import join_sentences, number, sentence, size
from iot_client.catalogue.check import measure_length

_LARGEST_IN_DATABASE = 2**31 - 1  # no limit that helps anybody
NOT_SET = _("Not set")
"""The label of the empty choice of an optional field, if nothing stands for it."""
_COUNTED_FROM = 0.8
"""The part of the maximum length from which on a counter is shown. static/ui/forms.js has the same number."""


class Field(forms.BoundField):
    """A field of any form. Its error for a missing value names the field, and an error replaces its hint."""

    @property
    def errors(self) -> ErrorList:
        """The errors. Django's "This field is required." becomes a sentence with the label, and its messages about a number that
        is too small or too large become the range."""
        found = super().errors
        named = found.copy()
        named.data = [self._reword(error) for error in found.as_data()]
        return named

    def _reword(self, error: forms.ValidationError) -> forms.ValidationError:
        if _is_unnamed(error):
            return forms.ValidationError(self._missing_message, code="required")
        if error.code in {"min_value", "max_value"} and self._range != (None, None):
            return forms.ValidationError(self._range_message, code=error.code)
        return error

    @property
    def _range(self) -> tuple[float | None, float | None]:
        return getattr(self.field, "min_value", None), getattr(self.field, "max_value", None)

    @property
    def _range_message(self) -> str:
        low, high = self._range
        limits = {"low": number(low), "high": number(high)}
        if high is None or high >= _LARGEST_IN_DATABASE:
            return gettext("Enter %(low)s or more.") % limits
        if low is None:
            return gettext("Enter %(high)s or less.") % limits
        return gettext("Enter a number from %(low)s to %(high)s.") % limits

    @property
    def _missing_message(self) -> str:
        label = self.label_in_sentence
        kind = field_kind(self.field.widget)
        if kind == "file":
            return gettext("Choose a file.")
        if kind == "check":
            return gettext("Select “%(label)s”.") % {"label": self.label}
        if kind == "choices":
            return gettext("Select an option.")
        if isinstance(self.field.widget, forms.Select):
            return gettext("Select the %(label)s.") % {"label": label}
        return gettext("Enter the %(label)s.") % {"label": label}

    @property
    def label_in_sentence(self) -> str:
        """The label as part of a sentence."""
        return _lower_first(str(self.label))

    @property
    def hint(self) -> str | Promise:
        """The help text; "" if an error other than a missing value takes its place. A date keeps it: the error does not say what
        an empty date means, nor its time zone."""
        is_date = isinstance(self.field, DayField | MomentField)
        if not is_date and not all(map(_is_missing, super().errors.as_data())):
            return ""
        if self._is_emptied:
            return gettext("The page does not keep this value after an error. Enter it again.")
        return self.help_text

    @property
    def _is_emptied(self) -> bool:
        """Whether a secret was submitted that the form, shown again, does not contain."""
        widget = self.field.widget
        return (
            self.form.is_bound
            and isinstance(widget, forms.PasswordInput)
            and not widget.render_value
            and widget.attrs.get("autocomplete") == "new-password"  # browsers fill in the others again
            and bool(self.data)
        )

    @property
    def aria_describedby(self) -> str | None:
        """The ids of the error and the hint, in the order in which they are shown."""
        if self.field.widget.attrs.get("aria-describedby"):
            return None
        shown = {"error": self.errors, "helptext": self.hint}
        if not self.auto_id or self.is_hidden:
            return ""
        return " ".join(f"{self.auto_id}_{part}" for part, content in shown.items() if content)


_MISSING_IN_CALL = "This value is required"  # the message of the catalogue's check


def _is_missing(error: forms.ValidationError) -> bool:
    return error.code == "required" or _is_unnamed(error)


def _is_unnamed(error: forms.ValidationError) -> bool:
    """Whether the error says only that a value is missing, and not which."""
    known = (forms.Field.default_error_messages["required"], sentence(gettext(_MISSING_IN_CALL)))
    return error.message in known


def _lower_first(label: str) -> str:
    """Return the label as part of a sentence: "User name" becomes "user name", "AccessKey ID" stays."""
    first_word = label.partition(" ")[0]
    return label[:1].lower() + label[1:] if first_word[1:].islower() else label


class ChooseInput(forms.TextInput):
    """A text that is typed, or chosen from the matches of a search. The view that builds the form sets `search_url`: it gets the
    text by the name of the field and answers with ui/matches.html. With `searches_at_once` the first search needs no input.
    """

    template_name = "ui/choose.html"
    search_url = ""

    def __init__(self, attrs: dict[str, Any] | None = None, searches_at_once: bool = False) -> None:
        super().__init__(attrs)
        self.searches_at_once = searches_at_once

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The context of the template."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        trigger = "load" if self.searches_at_once else "focus once"
        context["widget"] |= {"search_url": self.search_url, "search_trigger": trigger}
        return context


class _MomentInput(forms.DateTimeInput):
    """A text in ISO order, beside a button that opens the calendar of the browser (`picker` is its type of input).

    A native field alone shows the order and the hours of the browser's language, not of the page's.
    """

    template_name = "ui/moment.html"

    def __init__(self, picker: str, form: str, format: str) -> None:
        super().__init__({"placeholder": form, "size": len(form)}, format)
        self.picker = picker

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """The context of the template."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["picker"] = self.picker
        return context


def _name_zone() -> str:
    return gettext("Time zone: %(zone)s.") % {"zone": get_current_timezone_name()}


class DayField(forms.DateField):
    """A day in the user's time zone, written 2026-03-31."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Enter a date as YYYY-MM-DD, for example 2026-03-31.")
    }

    def __init__(self, **options: Any) -> None:
        widget = _MomentInput("date", "YYYY-MM-DD", "%Y-%m-%d")
        widget.attrs["title"] = lazy(_name_zone, str)()
        super().__init__(input_formats=["%Y-%m-%d"], widget=widget, **options)


class MomentField(forms.DateTimeField):
    """A date and time in the user's time zone, to the minute, written 2026-03-31 18:00. The hint names the zone."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Enter a date and time as YYYY-MM-DD HH:MM, for example 2026-03-31 18:00.")
    }

    def __init__(self, *, help_text: str | Promise = "", **options: Any) -> None:
        widget = _MomentInput("datetime-local", "YYYY-MM-DD HH:MM", "%Y-%m-%d %H:%M")
        super().__init__(
            input_formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"],
            widget=widget,
            help_text=lazy(lambda: join_sentences([help_text, _name_zone()]), str)(),
            **options,
        )


@dataclass(frozen=True)
class FieldParts:
    """A field as ui/field.html shows it. `kind`: text, password, check, choices, file or hidden. `length`: that of its value, for
    a counter up to `max_length`, which is shown if `is_nearly_full`. The widget's attribute `data-count` says what it counts
    (`measure_length`)."""

    kind: str
    widget: SafeString
    limit: str
    length: int
    max_length: int | None
    optional: bool

    @property
    def is_nearly_full(self) -> bool:
        """Whether the value comes close to the maximum length."""
        return self.length >= _COUNTED_FROM * (self.max_length or 0)


def describe_field(bound: forms.BoundField) -> FieldParts:
    """The widget with the classes it needs, and a text for its limits.

    A field that can be filled in is marked optional if it is not required, unless one of its choices is always selected, or its
    widget has the attribute `data-needed`: another field's value shows such a field and then requires it.
    """
    widget = bound.field.widget
    kind = field_kind(widget)
    css = {
        "check": "form-check-input",
        "choices": "",
        "file": "fd-file-input",
        "hidden": "",
    }.get(kind, "form-select" if isinstance(widget, forms.Select) else "form-control")
    attrs: dict[str, Any] = {}
    classes = " ".join(filter(None, [css, widget.attrs.get("class", "")]))
    if classes and kind not in {"choices", "hidden"}:
        attrs["class"] = classes
    maximum = getattr(bound.field, "max_length", None)
    placeholder = str(widget.attrs.get("placeholder", "")).casefold()
    if placeholder and (kind == "password" or str(bound.label).casefold() in placeholder):
        attrs["placeholder"] = False  # it would repeat the label
    if kind in {"text", "password"}:
        attrs["maxlength"] = False  # a browser would cut off the end of a pasted text without a word
    limit = _limit_text(bound.field)
    if limit and not bound.use_fieldset and kind != "hidden":
        attrs["aria-describedby"] = f"{bound.aria_describedby or ''} {bound.auto_id}_limit".strip()
    return FieldParts(
        kind=kind,
        widget=bound.as_widget(attrs=attrs),
        limit=limit,
        length=measure_length(str(bound.value() or ""), str(widget.attrs.get("data-count", "chars"))),
        max_length=maximum
        if kind == "text" and isinstance(maximum, int) and _needs_counter(bound.field)
        else None,
        optional=not bound.field.required
        and not bound.field.disabled
        and "data-needed" not in widget.attrs
        and kind not in {"check", "hidden"}
        and not _has_default(widget),
    )


def _has_default(widget: forms.Widget) -> bool:
    """Whether one of the choices is always selected: of radio buttons, or because the empty choice says what it means."""
    if not isinstance(widget, forms.widgets.ChoiceWidget) or widget.allow_multiple_selected:
        return False
    if isinstance(widget, forms.RadioSelect):
        return True
    return any(
        value == "" and label != NOT_SET and any(map(str.isalpha, str(label)))
        for value, label in widget.choices
    )


def _needs_counter(field: forms.Field) -> bool:
    """Whether input can come close to the maximum length, so that a counter helps."""
    return not isinstance(field, forms.EmailField | forms.URLField) and (field.max_length or 0) <= 2048  # type: ignore[attr-defined]


def field_kind(widget: forms.Widget) -> str:
    """Return the kind of a widget, see FieldParts."""
    if widget.is_hidden:
        return "hidden"
    if isinstance(widget, forms.CheckboxInput):
        return "check"
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "choices"
    if isinstance(widget, forms.FileInput):
        return "file"
    if isinstance(widget, forms.PasswordInput):
        return "password"
    return "text"


def _limit_text(field: forms.Field) -> str:
    """The limit of the field as text: of its number, size or length; or ""."""
    low, high = getattr(field, "min_value", None), getattr(field, "max_value", None)
    if low is not None and high is not None and high < _LARGEST_IN_DATABASE:
        return gettext("%(low)s to %(high)s") % {"low": number(low), "high": number(high)}
    largest = field.widget.attrs.get("data-max-bytes")
    if largest:
        return gettext("Up to %(size)s") % {"size": size(int(largest))}
    return _length_limit(field)


def _length_limit(field: forms.Field) -> str:
    """The maximum length as text; "" if the help text contains it, or if no input comes close to it."""
    maximum = getattr(field, "max_length", None)
    widget = field.widget
    is_address = isinstance(field, forms.EmailField | forms.URLField)
    if not maximum or field_kind(widget) != "text" or isinstance(widget, forms.Select) or is_address:
        return ""
    if str(maximum) in re.findall(r"\d+", str(field.help_text).replace(",", "")):
        return ""
    if widget.attrs.get("data-count") == "bytes":
        return gettext("Up to %(count)s bytes") % {"count": number(maximum)}
    return gettext("Up to %(count)s characters") % {"count": number(maximum)}
