"""The form of a call, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _

from console.explorer.call_input import MAX_ROWS, CallInput, is_multiline, list_parameters
from console.explorer.descriptions import describe_limits, describe_list_limit
from console.ui import format as fmt
from console.ui.fields import NOT_SET
from console.ui.format import join_sentences
from iot_client.catalogue import ObjectKind, Operation, Parameter
from iot_client.text import Sentence

LONG_TEXT = 2000
"""A text of this many characters is entered in a box of several lines."""
_TIMESTAMP_FROM = 10**12
"""From here on a number is a time in milliseconds. Its limits are of no use to people and are not shown."""


@dataclass
class Row:
    """An entry of a list: its number from 1, and its fields."""

    number: int
    fields: list[forms.BoundField]

    @property
    def has_errors(self) -> bool:
        """Whether a field of the entry has an error."""
        return any(bound.errors for bound in self.fields)


@dataclass
class Rows:
    """A list as the form shows it."""

    base: str
    parameter: Parameter
    rows: list[Row]
    errors: list[str] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether the entries are single values without names."""
        return not self.parameter.member

    @property
    def is_optional(self) -> bool:
        """Whether the list may be left out."""
        return self.parameter.per_item or not self.parameter.required

    @property
    def help(self) -> str:
        """The maximum number of entries; for a list of single values, its description too."""
        limit = describe_list_limit(self.parameter)
        if not self.is_plain:
            return limit
        return join_sentences([describe_parameter(self.parameter), limit])

    @property
    def is_full(self) -> bool:
        """Whether no row can be added."""
        return len(self.rows) >= min(MAX_ROWS, self.parameter.max_items or MAX_ROWS)


@dataclass(frozen=True)
class Picker:
    """Suggestions for a field: products, or the devices of the product in the field `product`."""

    kind: str
    product: str = ""


class _Unchecked:
    """A field that accepts any input: the catalogue validates the call as a whole."""

    picker: Picker | None = None

    def validate(self, value: Any) -> None:
        """Accept any value."""

    def run_validators(self, value: Any) -> None:
        """Accept any value."""


class UncheckedText(_Unchecked, forms.CharField):
    """A text."""


class UncheckedChoice(_Unchecked, forms.ChoiceField):
    """One of the allowed values, or none."""


class CallForm(forms.Form):
    """The parameters of an operation as fields.

    `focus`: the field that has the focus. `omitted`: parameters that a call of the history had, but that are not stored.
    `problems`: what the catalogue found, by parameter name; shown at the fields.
    """

    use_required_attribute = False

    def __init__(
        self,
        call_input: CallInput,
        *,
        instance_id: str = "",
        focus: str = "",
        omitted: Sequence[str] = (),
        problems: dict[str, list[Sentence]] | None = None,
    ) -> None:
        self.call_input, self.operation = call_input, call_input.operation
        self.omitted = omitted
        super().__init__(call_input.to_fields())
        for name, parameter in _visible_fields(call_input):
            self.fields[name] = _build_field(parameter, name, self.operation)
        for base, parameter in list_parameters(self.operation).items():
            if is_multiline(parameter):
                self.fields[f"{base}.lines"] = _build_multiline_field(parameter)
        if instance_id and "IotInstanceId" in self.fields:
            self.fields["IotInstanceId"].widget.attrs["placeholder"] = instance_id
        if focus in self.fields:
            self.fields[focus].widget.attrs["autofocus"] = True
        self.full_clean()
        self._list_errors: dict[str, list[str]] = {}
        for name, sentences in (problems or {}).items():
            self._add_problems(name, sentences)

    def _add_problems(self, name: str, sentences: list[Sentence]) -> None:
        """Show the problems of a parameter where they can be corrected: at the field, the row or the list."""
        parameter = self.operation.parameters.get(name)
        for sentence in sentences:
            message = _translate(sentence)
            if parameter is None:
                self.add_error(None, f"{name}: {message}")
                continue
            base, member, field_name = parameter.base, parameter.member, name
            if parameter.repeated:
                row = self.call_input.find_row(base, sentence.position or 0)
                field_name = f"{base}.{row}.{member}" if member else f"{base}.{row}"
            if field_name in self.fields:
                self.add_error(field_name, message)
            elif f"{base}.lines" in self.fields:
                prefix = f"{sentence.position}: " if sentence.position else ""
                self.add_error(f"{base}.lines", f"{prefix}{message}")
            else:
                self._list_errors.setdefault(base, []).append(f"{member}: {message}" if member else message)

    # -- for the template --------------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> list[forms.BoundField | Rows]:
        """Fields and lists in this order: required, optional, paging, instance ID."""
        parts: list[forms.BoundField | Rows] = []
        bases = set()
        for parameter in sorted(self.operation.parameters.values(), key=lambda p: _rank(self.operation, p)):
            base = parameter.base
            if not parameter.repeated:
                parts.append(self[parameter.name])
            elif base not in bases:
                bases.add(base)
                parts.append(
                    self[f"{base}.lines"] if is_multiline(parameter) else self._build_rows(base, parameter)
                )
        return parts

    def _build_rows(self, base: str, parameter: Parameter) -> Rows:
        numbers = range(1, len(self.call_input.rows.get(base, [])) + 1)
        rows = [
            Row(number, [self[name] for name, _p in _row_fields(self.operation, base, number)])
            for number in numbers
        ]
        return Rows(base, parameter, rows, self._list_errors.get(base, []))

    @property
    def has_errors(self) -> bool:
        """Whether a field or a list has an error."""
        return bool(self.errors or self._list_errors)


def _translate(problem: Sentence) -> str:
    return fmt.sentence(_(problem.template) % problem.values if problem.values else _(problem.template))


def _visible_fields(call_input: CallInput) -> Iterator[tuple[str, Parameter]]:
    """Yield the fields by name. A required list has at least one row."""
    operation = call_input.operation
    for name, parameter in operation.parameters.items():
        if not parameter.repeated:
            yield name, parameter
    required = {p.base for p in operation.parameters.values() if p.repeated and p.required and not p.per_item}
    for base, parameter in list_parameters(operation).items():
        if is_multiline(parameter):
            continue
        if base in required and not call_input.rows.get(base):
            call_input.rows[base] = [{}]
        for number in range(1, len(call_input.rows.get(base, [])) + 1):
            yield from _row_fields(operation, base, number)


def _row_fields(operation: Operation, base: str, number: int) -> Iterator[tuple[str, Parameter]]:
    for parameter in operation.parameters.values():
        if parameter.base == base:
            member = parameter.member
            yield (f"{base}.{number}.{member}" if member else f"{base}.{number}"), parameter


def _build_field(parameter: Parameter, name: str, operation: Operation) -> forms.Field:
    """Return a field for one value. `required` only affects how the field looks."""
    options: dict[str, Any] = {
        "label": parameter.member or parameter.base,
        "required": parameter.required or parameter.per_item or _is_alternative(parameter, operation),
        "help_text": "" if parameter.repeated and not parameter.member else describe_parameter(parameter),
    }
    if parameter.type == "Boolean" or (parameter.values and len(parameter.values) < 40):
        values = parameter.values or ("true", "false")
        return UncheckedChoice(choices=[("", NOT_SET), *((value, value) for value in values)], **options)
    text_field = UncheckedText(widget=_build_widget(parameter), strip=not _is_long(parameter), **options)
    text_field.widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
    if (
        parameter.minimum is not None
        and parameter.maximum is not None
        and parameter.maximum < _TIMESTAMP_FROM
    ):
        text_field.min_value = parameter.minimum  # type: ignore[attr-defined]
        text_field.max_value = parameter.maximum  # type: ignore[attr-defined]
    if parameter.count == "chars":
        text_field.max_length = parameter.max_length
    text_field.picker = _find_picker(parameter, name, operation)
    return text_field


def _is_alternative(parameter: Parameter, operation: Operation) -> bool:
    """Whether the parameter is one of several of which one is required. Then the rule explains it, not "optional"."""
    return any(parameter.name in names for group in operation.one_of for names in group)


def _rank(operation: Operation, parameter: Parameter) -> int:
    paging = operation.paging
    if parameter.name == "IotInstanceId":
        return 4
    if paging and parameter.name in {paging.page_param, paging.size_param, paging.token_param}:
        return 3
    if _is_alternative(parameter, operation):
        return 1
    return 0 if parameter.required and not parameter.per_item else 2


def _is_long(parameter: Parameter) -> bool:
    return parameter.json or parameter.syntax is not None or (parameter.max_length or 0) >= LONG_TEXT


def _build_widget(parameter: Parameter) -> forms.Widget:
    if parameter.json:
        return forms.Textarea(attrs={"rows": 5, "data-json": "", "class": "ex-code"})
    if _is_long(parameter):
        return forms.Textarea(attrs={"rows": 4, "class": "ex-code"})
    if parameter.type in {"Integer", "Long"}:
        return forms.TextInput(attrs={"inputmode": "numeric"})
    return forms.TextInput()


def _find_picker(parameter: Parameter, name: str, operation: Operation) -> Picker | None:
    """Return the suggestions for a parameter that names a product or a device.

    The product of a device is in the field with the same prefix, or in the ProductKey of the call.
    """
    own_name = parameter.member or parameter.base
    if parameter.names is ObjectKind.PRODUCT:
        return Picker("products")
    if parameter.names is not ObjectKind.DEVICE:
        return None
    prefix = own_name.partition("DeviceName")[0]
    row_prefix = name[: len(name) - len(own_name)] if parameter.member else ""
    for product in (f"{row_prefix}{prefix}ProductKey", f"{row_prefix}ProductKey", "ProductKey"):
        in_catalogue = (
            product.replace(row_prefix, f"{parameter.base}.N.", 1)
            if row_prefix and product.startswith(row_prefix)
            else product
        )
        if in_catalogue in operation.parameters:
            return Picker("devices", product)
    return None


def _build_multiline_field(parameter: Parameter) -> forms.Field:
    return UncheckedText(
        label=parameter.base,
        required=parameter.required,
        help_text=format_html(
            "{}",
            join_sentences(
                [describe_parameter(parameter), describe_list_limit(parameter), _("One per line.")]
            ),
        ),
        widget=forms.Textarea(attrs={"rows": 6, "class": "ex-code", "spellcheck": "false"}),
    )


def describe_parameter(parameter: Parameter) -> str:
    """Return the description and the limits of a parameter, escaped for HTML."""
    description = _(parameter.description) if parameter.description else ""
    kind = _("JSON text.") if parameter.json else ""
    return format_html("{}", join_sentences([description, kind, describe_limits(parameter)]))
