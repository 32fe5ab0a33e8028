"""Checks a call against the catalogue: before it is sent (client, forms), and when it arrives (emulator)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from iot_client.catalogue.model import Condition, Operation, Parameter
from iot_client.catalogue.wire import to_text
from iot_client.text import Sentence, gettext_noop

Problems = dict[str, list[Sentence]]

_INTEGER = {"Integer", "Long"}
_BOOLEAN = {"true", "false"}
_MAX_LIST_PROBLEMS = 20
"""A list of 10,000 entries can have as many problems. After this many, the rest of the list is not checked."""

# Sentences for the most common patterns. Other patterns are shown as they are.
PATTERN_WORDS = {
    r"\w+": gettext_noop("Use only letters, digits and underscores"),
    r"[\w-]+": gettext_noop("Use only letters, digits, underscores and hyphens"),
    r"[\w.-]+": gettext_noop("Use only letters, digits, underscores, hyphens and periods"),
    r"[A-Za-z0-9_]+": gettext_noop("Use only English letters, digits and underscores"),
    r"[A-Za-z0-9.]+": gettext_noop("Use only English letters, digits and periods"),
    r"[A-Za-z0-9._-]+": gettext_noop("Use only English letters, digits, periods, hyphens and underscores"),
    r"[A-Za-z0-9_.:@-]+": gettext_noop("Use only English letters, digits and - _ . : @"),
    r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*": gettext_noop(
        "Use only English letters, digits and underscores. Separate levels with slashes"
    ),
    r"[^\W_][\w()-]*": gettext_noop(
        "Use only letters, digits, hyphens, underscores and parentheses. Start with a letter or digit"
    ),
    r"[A-Za-z0-9+/]+={0,2}": gettext_noop("Use Base64"),
    r"(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)": gettext_noop("Use a number up to 100"),
    r"(?i:hmacSha1|hmacSha256|hmacMd5|Sha256)": gettext_noop("Use hmacSha1, hmacSha256, hmacMd5 or Sha256"),
    r"[A-Za-z0-9]{1,20}:[\w-]{1,20}(,[A-Za-z0-9]{1,20}:[\w-]{1,20})*": gettext_noop(
        "Use key:value pairs separated by commas, for example room:1,floor:2. A key has 1 to 20 English letters and"
        " digits. A value has 1 to 20 characters; a Chinese character counts as two"
    ),
}


def validate(op: Operation, params: Mapping[str, Any], *, ignore_unknown: bool = False) -> Problems:
    """The problems of a call: catalogue parameter name -> sentences for people, or {} if there are none.

    `params` are as in a Python call; numbers and booleans may also be text. None counts as omitted.
    Each sentence is a `Sentence` without the final full stop, so that it can be translated.
    `ignore_unknown`: ignore parameters that the operation does not have, as the platform does.
    """
    values_by_name = {name.partition(".N")[0]: value for name, value in params.items() if value is not None}
    problems: Problems = {}
    for parameter in op.parameters.values():
        sentences = _check_parameter(parameter, values_by_name)
        if sentences:
            problems[parameter.name] = sentences
    if not ignore_unknown:
        known_names = {p.base for p in op.parameters.values()}
        for name in values_by_name.keys() - known_names:
            problems[name] = [Sentence(gettext_noop("This operation does not have this parameter"))]
    for alternatives in op.one_of:
        _check_one_of(op, alternatives, values_by_name, problems)
    for condition in op.when:
        _check_condition(op, condition, values_by_name, problems)
    return problems


def measure_length(value: str, count: str) -> int:
    """The length of a text as the platform counts it: "chars", "wide" (a wide character counts as two) or UTF-8 "bytes"."""
    if count == "bytes":
        return len(value.encode())
    return len(_repeat_wide(value)) if count == "wide" else len(value)


def _repeat_wide(value: str) -> str:
    """Write each wide character twice, so that each character counts as one."""
    if value.isascii():
        return value
    return "".join(c + c if unicodedata.east_asian_width(c) in "WF" else c for c in value)


def matches_pattern(parameter: Parameter, text_value: str) -> bool:
    """Whether a text has the form that the parameter requires. Its length is not checked."""
    counted = _repeat_wide(text_value) if parameter.count == "wide" else text_value
    return parameter.pattern is None or _compile(parameter.pattern).fullmatch(counted) is not None


def _check_parameter(parameter: Parameter, values_by_name: Mapping[str, Any]) -> list[Sentence]:
    value = values_by_name.get(parameter.base)
    if not parameter.repeated:
        if value is None or value == "":
            return [Sentence(gettext_noop("This value is required"))] if parameter.required else []
        return _check_value(parameter, value)
    if value is None:
        return (
            [Sentence(gettext_noop("This value is required"))]
            if parameter.required and not parameter.per_item
            else []
        )
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [Sentence(gettext_noop("Enter a list"))]
    return _check_list(parameter, list(value))


def _check_list(parameter: Parameter, items: list[Any]) -> list[Sentence]:
    problems: list[Sentence] = []
    needed = parameter.required or parameter.per_item
    if not items and parameter.required and not parameter.per_item:
        return [Sentence(gettext_noop("This value is required"))]
    if parameter.max_items is not None and len(items) > parameter.max_items:
        problems.append(
            Sentence(
                gettext_noop("Enter up to %(most)d entries (you entered %(count)d)"),
                most=parameter.max_items,
                count=len(items),
            )
        )
    for position, item in enumerate(items, start=1):
        if parameter.member:
            if not isinstance(item, Mapping):
                sentences: list[Sentence] = [Sentence(gettext_noop("Enter an object with named values"))]
            else:
                inner = item.get(parameter.member)
                if inner is None or inner == "":
                    sentences = [Sentence(gettext_noop("This value is required"))] if needed else []
                else:
                    sentences = _check_value(parameter, inner)
        else:
            sentences = _check_value(parameter, item)
        problems.extend(sentence.at_position(position) for sentence in sentences)
        if len(problems) >= _MAX_LIST_PROBLEMS:
            break
    return problems


def _check_value(parameter: Parameter, value: object) -> list[Sentence]:
    if parameter.json and isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    elif isinstance(value, Mapping | list | tuple | set | frozenset):
        return [Sentence(gettext_noop("Enter a single value"))]
    text_value = to_text(value)
    if parameter.type in _INTEGER:
        return _check_number(parameter, text_value)
    if parameter.type == "Boolean":
        if text_value.lower() in _BOOLEAN:
            return []
        return [Sentence(gettext_noop("Enter true or false"))]
    return _check_text(parameter, text_value)


def _check_number(parameter: Parameter, text_value: str) -> list[Sentence]:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text_value):
        return [Sentence(gettext_noop("Enter an integer"))]
    number = int(text_value)
    bits = 31 if parameter.type == "Integer" else 63
    if not -(1 << bits) <= number < 1 << bits:
        return [Sentence(gettext_noop("The number is too large"))]
    if parameter.values and str(number) not in parameter.values:
        return [_value_problem(parameter.values)]
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        if low is not None and high is not None:
            return [Sentence(gettext_noop("Enter a number from %(low)d to %(high)d"), low=low, high=high)]
        if low is not None:
            return [Sentence(gettext_noop("Enter %(low)d or more"), low=low)]
        return [Sentence(gettext_noop("Enter %(high)d or less"), high=high)]
    return []


def _check_text(parameter: Parameter, text_value: str) -> list[Sentence]:
    if not _is_unicode(text_value):
        return [Sentence(gettext_noop("The text contains characters that cannot be sent"))]
    if parameter.values and text_value not in parameter.values:
        return [_value_problem(parameter.values)]
    problems: list[Sentence] = []
    low, high = parameter.min_length, parameter.max_length
    length = measure_length(text_value, parameter.count) if low is not None or high is not None else 0
    if (low is not None and length < low) or (high is not None and length > high):
        problems.append(_length_problem(parameter, length))
    if not matches_pattern(parameter, text_value):
        template = PATTERN_WORDS.get(parameter.pattern or "")
        if template is not None:
            problems.append(Sentence(template))
        else:
            problems.append(
                Sentence(
                    gettext_noop("Enter a value that matches %(pattern)s"), pattern=parameter.pattern or ""
                )
            )
    if parameter.json and not _is_json(text_value):
        problems.append(Sentence(gettext_noop("Enter valid JSON")))
    return problems


def _length_problem(parameter: Parameter, length: int) -> Sentence:
    low, high = parameter.min_length or 0, parameter.max_length
    if parameter.count == "bytes":
        template = gettext_noop("Enter up to %(high)d bytes (you entered %(length)d)")
        return Sentence(template, high=high, length=length)
    if high is None:
        template = gettext_noop("Enter at least %(low)d characters (you entered %(length)d)")
        return Sentence(template, low=low, length=length)
    if parameter.count == "wide":
        template = gettext_noop(
            "Enter %(low)d to %(high)d characters (you entered %(length)d). A Chinese character counts as two"
        )
        return Sentence(template, low=low, high=high, length=length)
    if not low:
        template = gettext_noop("Enter up to %(high)d characters (you entered %(length)d)")
        return Sentence(template, high=high, length=length)
    template = gettext_noop("Enter %(low)d to %(high)d characters (you entered %(length)d)")
    return Sentence(template, low=low, high=high, length=length)


def _value_problem(values: tuple[str, ...]) -> Sentence:
    return Sentence(gettext_noop("Enter one of these values: %(values)s"), values=", ".join(values))


def _is_unicode(text_value: str) -> bool:
    """False for lone surrogates (half characters), which a wrongly decoded file can leave in a text."""
    try:
        text_value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(text_value: str) -> bool:
    try:
        json.loads(text_value)
    except (ValueError, RecursionError):
        return False
    return True


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_present(op: Operation, name: str, values_by_name: Mapping[str, Any]) -> bool:
    """Whether a parameter is set; for a member of a list of structures, whether any element has it."""
    parameter = op.parameters[name]
    value = values_by_name.get(parameter.base)
    if parameter.member and isinstance(value, list | tuple):
        return any(
            isinstance(item, Mapping) and item.get(parameter.member) not in (None, "") for item in value
        )
    return value not in (None, "", [], ())


def _join_names(alternatives: tuple[tuple[str, ...], ...]) -> str:
    return " / ".join(" + ".join(names) for names in alternatives)


def _missing_problem(alternatives: tuple[tuple[str, ...], ...]) -> Sentence:
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return Sentence(gettext_noop("This value is required"))
    return Sentence(gettext_noop("One of these is required: %(choices)s"), choices=_join_names(alternatives))


def _check_one_of(
    op: Operation,
    alternatives: tuple[tuple[str, ...], ...],
    values_by_name: Mapping[str, Any],
    problems: Problems,
) -> None:
    bases = {op.parameters[n].base for names in alternatives for n in names}
    members = all(op.parameters[n].member for names in alternatives for n in names)
    value = values_by_name.get(next(iter(bases)))
    if members and len(bases) == 1 and isinstance(value, list | tuple) and value:
        # A choice inside a structure applies to each element, not to the list as a whole.
        for position, item in enumerate(value, start=1):
            element = {next(iter(bases)): [item]}
            if not any(all(_is_present(op, n, element) for n in names) for names in alternatives):
                first = alternatives[0][0]
                problems.setdefault(first, []).append(_missing_problem(alternatives).at_position(position))
        return
    if not any(all(_is_present(op, n, values_by_name) for n in names) for names in alternatives):
        problems.setdefault(alternatives[0][0], []).append(_missing_problem(alternatives))


def _check_condition(
    op: Operation, condition: Condition, values_by_name: Mapping[str, Any], problems: Problems
) -> None:
    if not _is_present(op, condition.parameter, values_by_name):
        return
    if condition.values and to_text(values_by_name[op.parameters[condition.parameter].base]).lower() not in {
        v.lower() for v in condition.values
    }:
        return
    condition_text = condition.parameter + (f"={'/'.join(condition.values)}" if condition.values else "")
    if condition.needs and not any(
        all(_is_present(op, n, values_by_name) for n in names) for names in condition.needs
    ):
        missing_name = next(n for n in condition.needs[0] if not _is_present(op, n, values_by_name))
        problems.setdefault(missing_name, []).append(
            Sentence(gettext_noop("Required together with %(other)s"), other=condition_text)
            if len(condition.needs) == 1
            else Sentence(
                gettext_noop("Together with %(other)s, one of these is required: %(choices)s"),
                other=condition_text,
                choices=_join_names(condition.needs),
            )
        )
    for name in condition.forbids:
        if _is_present(op, name, values_by_name):
            problems.setdefault(name, []).append(
                Sentence(gettext_noop("Cannot be combined with %(other)s"), other=condition_text)
            )
