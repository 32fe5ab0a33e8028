"""The form of a call, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.cloud.catalogue import Operation, Parameter
from console.cloud.text import Sentence
from console.explorer import words
from console.explorer.entry import MOST_ROWS, Entry, by_lines, lists
from console.ui import format as fmt

LONG_TEXT = 2000
"""Characters from which a text gets a box of several lines."""
_LONG = frozenset({"SQL", "ScriptContent", "Select", "Where"})
_MOMENT = 10**12
"""From here on a number is a time in milliseconds; its limits say nothing to people."""
_UNSET: tuple[str, str | Promise] = ("", gettext_lazy("Not set"))


@dataclass
class Row:
    """An entry of a list: its number from 1, and its fields."""

    number: int
    fields: list[forms.BoundField]

    @property
    def errors(self) -> bool:
        """Whether something is wrong in it."""
        return any(bound.errors for bound in self.fields)


@dataclass
class Rows:
    """A list as the form shows it. `plain`: of single values, without names of their own."""

    base: str
    parameter: Parameter
    rows: list[Row]
    errors: list[str] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether its entries are single values."""
        return not self.parameter.member

    @property
    def optional(self) -> bool:
        """Whether the list may be left out."""
        return self.parameter.per_item or not self.parameter.required

    @property
    def help(self) -> str:
        """What it is, for a list of single values, and how many it takes."""
        limit = words.list_limit(self.parameter)
        if not self.plain:
            return limit
        return " ".join(filter(None, [describe(self.parameter), limit]))

    @property
    def full(self) -> bool:
        """Whether no row can be added."""
        return len(self.rows) >= min(MOST_ROWS, self.parameter.max_items or MOST_ROWS)


@dataclass(frozen=True)
class Picker:
    """Suggestions for a field: products, or the devices of the product that `product` (a field's name) names."""

    kind: str
    product: str = ""


class _Open:
    """A field that takes whatever is typed: the catalogue judges the call as a whole."""

    picker: Picker | None = None

    def validate(self, value: Any) -> None:
        """Nothing is refused here."""

    def run_validators(self, value: Any) -> None:
        """Nothing is refused here."""


class OpenText(_Open, forms.CharField):
    """A text of any kind."""


class OpenChoice(_Open, forms.ChoiceField):
    """One of the values allowed, or none."""


class CallForm(forms.Form):
    """An operation's parameters as fields. `checked`: show what the catalogue finds wrong with them.

    `focus`: the field to start in. `forgotten`: parameters that a call taken from the history had, and that are not kept.
    """

    use_required_attribute = False

    def __init__(
        self,
        entry: Entry,
        *,
        instance_id: str = "",
        focus: str = "",
        forgotten: Sequence[str] = (),
        problems: dict[str, list[Sentence]] | None = None,
    ) -> None:
        self.entry, self.operation = entry, entry.operation
        self.forgotten = forgotten
        values = entry.fields()
        super().__init__(values)
        for name, parameter in _shown(entry):
            self.fields[name] = _field(parameter, name, self.operation)
        for base, parameter in lists(self.operation).items():
            if by_lines(parameter):
                self.fields[f"{base}.lines"] = _lines(parameter)
        if instance_id and "IotInstanceId" in self.fields:
            self.fields["IotInstanceId"].widget.attrs["placeholder"] = instance_id
        if focus in self.fields:
            self.fields[focus].widget.attrs["autofocus"] = True
        self.full_clean()
        self._list_errors: dict[str, list[str]] = {}
        for name, sentences in (problems or {}).items():
            self._place(name, sentences)

    def _place(self, name: str, sentences: list[Sentence]) -> None:
        """What is wrong, where it can be mended: at the field, the row or the list."""
        parameter = self.operation.parameters.get(name)
        for sentence in sentences:
            said = _sentence(sentence)
            if parameter is None:
                self.add_error(None, f"{name}: {said}")
                continue
            base, member, where = parameter.base, parameter.member, name
            if parameter.repeated:
                row = self.entry.row_of(base, sentence.position or 0)
                where = f"{base}.{row}.{member}" if member else f"{base}.{row}"
            if where in self.fields:
                self.add_error(where, said)
            elif f"{base}.lines" in self.fields:
                at = f"{sentence.position}: " if sentence.position else ""
                self.add_error(f"{base}.lines", f"{at}{said}")
            else:
                self._list_errors.setdefault(base, []).append(f"{member}: {said}" if member else said)

    # -- for the template --------------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> list[forms.BoundField | Rows]:
        """Fields and lists: what is needed first, then what may be, then where in a long list, last the instance."""
        found: list[forms.BoundField | Rows] = []
        seen = set()
        for parameter in sorted(self.operation.parameters.values(), key=lambda p: _rank(self.operation, p)):
            base = parameter.base
            if not parameter.repeated:
                found.append(self[parameter.name])
            elif base not in seen:
                seen.add(base)
                found.append(self[f"{base}.lines"] if by_lines(parameter) else self._rows(base, parameter))
        return found

    def _rows(self, base: str, parameter: Parameter) -> Rows:
        numbers = range(1, len(self.entry.rows.get(base, [])) + 1)
        rows = [
            Row(number, [self[name] for name, _p in _row_fields(self.operation, base, number)])
            for number in numbers
        ]
        return Rows(base, parameter, rows, self._list_errors.get(base, []))

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.errors or self._list_errors)


def _sentence(problem: Sentence) -> str:
    return fmt.sentence(_(problem.template) % problem.values if problem.values else _(problem.template))


def _shown(entry: Entry) -> Iterator[tuple[str, Parameter]]:
    """The fields by name. A list that has to be given shows a first row."""
    operation = entry.operation
    for name, parameter in operation.parameters.items():
        if not parameter.repeated:
            yield name, parameter
    needed = {p.base for p in operation.parameters.values() if p.repeated and p.required and not p.per_item}
    for base, parameter in lists(operation).items():
        if by_lines(parameter):
            continue
        if base in needed and not entry.rows.get(base):
            entry.rows[base] = [{}]
        for number in range(1, len(entry.rows.get(base, [])) + 1):
            yield from _row_fields(operation, base, number)


def _row_fields(operation: Operation, base: str, number: int) -> Iterator[tuple[str, Parameter]]:
    for parameter in operation.parameters.values():
        if parameter.base == base:
            member = parameter.member
            yield (f"{base}.{number}.{member}" if member else f"{base}.{number}"), parameter


def _field(parameter: Parameter, name: str, operation: Operation) -> forms.Field:
    """A field for one value. `required` is only how it looks."""
    facts: dict[str, Any] = {
        "label": parameter.member or parameter.base,
        "required": parameter.required or parameter.per_item or _alternative(parameter, operation),
        "help_text": "" if parameter.repeated and not parameter.member else describe(parameter),
    }
    if parameter.type == "Boolean" or (parameter.values and len(parameter.values) < 40):
        values = parameter.values or ("true", "false")
        return OpenChoice(choices=[_UNSET, *((value, value) for value in values)], **facts)
    made = OpenText(widget=_widget(parameter), strip=not _is_long(parameter), **facts)
    made.widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
    if parameter.minimum is not None and parameter.maximum is not None and parameter.maximum < _MOMENT:
        made.min_value, made.max_value = parameter.minimum, parameter.maximum  # type: ignore[attr-defined]
    if parameter.count == "chars":
        made.max_length = parameter.max_length
    made.picker = _picker(parameter, name, operation)
    return made


def _alternative(parameter: Parameter, operation: Operation) -> bool:
    """Whether it is one of the ways to meet a rule of the operation: then it is not called optional, the rule says more."""
    return any(parameter.name in names for group in operation.one_of for names in group)


def _rank(operation: Operation, parameter: Parameter) -> int:
    paging = operation.paging
    if parameter.name == "IotInstanceId":
        return 4
    if paging and parameter.name in {paging.page_param, paging.size_param, paging.token_param}:
        return 3
    if _alternative(parameter, operation):
        return 1
    return 0 if parameter.required and not parameter.per_item else 2


def _is_long(parameter: Parameter) -> bool:
    return parameter.json or parameter.name in _LONG or (parameter.max_length or 0) >= LONG_TEXT


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.json:
        return forms.Textarea(attrs={"rows": 5, "data-json": "", "class": "ex-code"})
    if _is_long(parameter):
        return forms.Textarea(attrs={"rows": 4, "class": "ex-code"})
    if parameter.type in {"Integer", "Long"}:
        return forms.TextInput(attrs={"inputmode": "numeric"})
    return forms.TextInput()


def _picker(parameter: Parameter, name: str, operation: Operation) -> Picker | None:
    """ProductKey and DeviceName under whatever prefix; a device's product is the key of the same prefix, or the call's."""
    last = parameter.member or parameter.base
    if last.endswith("ProductKey"):
        return Picker("products")
    prefix, found, _rest = last.partition("DeviceName")
    if not found or last.endswith(("Nickname", "NameInfo")):
        return None
    lead = name[: len(name) - len(last)] if parameter.member else ""
    for product in (f"{lead}{prefix}ProductKey", f"{lead}ProductKey", "ProductKey"):
        generic = (
            product.replace(lead, f"{parameter.base}.N.", 1) if lead and product.startswith(lead) else product
        )
        if generic in operation.parameters:
            return Picker("devices", product)
    return None


def _lines(parameter: Parameter) -> forms.Field:
    return OpenText(
        label=parameter.base,
        required=parameter.required,
        help_text=format_html(
            "{} {}",
            " ".join(filter(None, [describe(parameter), words.list_limit(parameter)])),
            _("One on each line."),
        ),
        widget=forms.Textarea(attrs={"rows": 6, "class": "ex-code", "spellcheck": "false"}),
    )


def describe(parameter: Parameter) -> str:
    """What a parameter means and how it is limited, escaped: it is shown as it is."""
    described = _(parameter.description) if parameter.description else ""
    kind = _("Holds JSON.") if parameter.json else ""
    return format_html("{}", " ".join(filter(None, [described, kind, words.limits(parameter)])))
