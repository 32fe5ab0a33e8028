"""Checks a call against the catalogue before it is sent (client, forms) or when it arrives (emulator)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from console.cloud.catalogue.model import Condition, Operation, Parameter
from console.cloud.catalogue.wire import text
from console.cloud.text import Sentence, gettext_noop

Problems = dict[str, list[Sentence]]

_INTEGER = {"Integer", "Long"}
_BOOLEAN = {"true", "false"}
_ENOUGH = 20
"""A list of 10,000 entries may have as many mistakes; after this many the rest is not looked for."""

# The commonest patterns in words; any other is told as it stands.
PATTERN_WORDS = {
    r"\w+": gettext_noop("may contain only letters, digits and underscores"),
    r"[\w-]+": gettext_noop("may contain only letters, digits, underscores and hyphens"),
    r"[\w.-]+": gettext_noop("may contain only letters, digits, underscores, hyphens and periods"),
    r"[A-Za-z0-9_]+": gettext_noop("may contain only English letters, digits and underscores"),
    r"[A-Za-z0-9.]+": gettext_noop("may contain only English letters, digits and periods"),
    r"[A-Za-z0-9._-]+": gettext_noop(
        "may contain only English letters, digits, periods, hyphens and underscores"
    ),
    r"[A-Za-z0-9_.:@-]+": gettext_noop(
        "may contain only English letters, digits, hyphens, underscores, periods, at signs and colons"
    ),
    r"[^\W_][\w()-]*": gettext_noop(
        "must start with a letter or digit, and may contain only letters, digits, hyphens, underscores and parentheses"
    ),
    r"[A-Za-z0-9+/]+={0,2}": gettext_noop("must be Base64"),
    r"(?i:hmacSha1|hmacSha256|hmacMd5|Sha256)": gettext_noop(
        "must be hmacSha1, hmacSha256, hmacMd5 or Sha256"
    ),
    r"[A-Za-z]{1,20}:[\w-]{1,20}(,[A-Za-z]{1,20}:[\w-]{1,20})*": gettext_noop(
        "must be pairs such as room:1,floor:2, each key of English letters"
    ),
}


def validate(op: Operation, params: Mapping[str, Any], *, ignore_unknown: bool = False) -> Problems:
    """What is wrong with a call: {} when nothing, else catalogue parameter name -> sentences for people.

    `params` are as in a Python call; numbers and booleans may also be given as text. None counts as left out.
    Each sentence is a `Sentence`, so that it can be shown in another language.
    `ignore_unknown`: say nothing about parameters the operation does not have, as the platform does.
    """
    given = {name.partition(".N")[0]: value for name, value in params.items() if value is not None}
    problems: Problems = {}
    for parameter in op.parameters.values():
        found = _parameter_problems(parameter, given)
        if found:
            problems[parameter.name] = found
    if not ignore_unknown:
        known = {p.base for p in op.parameters.values()}
        for name in given.keys() - known:
            problems[name] = [Sentence(gettext_noop("is not a parameter of this operation"))]
    for alternatives in op.one_of:
        _check_one_of(op, alternatives, given, problems)
    for condition in op.when:
        _check_condition(op, condition, given, problems)
    return problems


def width(value: str, count: str) -> int:
    """The length of a text as the platform counts it: "chars", "wide" (a wide character is two) or UTF-8 "bytes"."""
    if count == "bytes":
        return len(value.encode())
    if count == "wide" and not value.isascii():
        return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in value)
    return len(value)


def _parameter_problems(parameter: Parameter, given: Mapping[str, Any]) -> list[Sentence]:
    value = given.get(parameter.base)
    if not parameter.repeated:
        if value is None or value == "":
            return [Sentence(gettext_noop("is required"))] if parameter.required else []
        return _value_problems(parameter, value)
    if value is None:
        return (
            [Sentence(gettext_noop("is required"))] if parameter.required and not parameter.per_item else []
        )
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [Sentence(gettext_noop("must be a list"))]
    return _list_problems(parameter, list(value))


def _list_problems(parameter: Parameter, items: list[Any]) -> list[Sentence]:
    problems: list[Sentence] = []
    needed = parameter.required or parameter.per_item
    if not items and parameter.required and not parameter.per_item:
        return [Sentence(gettext_noop("is required"))]
    if parameter.max_items is not None and len(items) > parameter.max_items:
        problems.append(
            Sentence(
                gettext_noop("takes at most %(most)d entries in one call, not %(count)d"),
                most=parameter.max_items,
                count=len(items),
            )
        )
    for position, item in enumerate(items, start=1):
        if parameter.member:
            if not isinstance(item, Mapping):
                found: list[Sentence] = [Sentence(gettext_noop("must be a set of named values"))]
            else:
                inner = item.get(parameter.member)
                if inner is None or inner == "":
                    found = [Sentence(gettext_noop("is required"))] if needed else []
                else:
                    found = _value_problems(parameter, inner)
        else:
            found = _value_problems(parameter, item)
        problems.extend(problem.at(position) for problem in found)
        if len(problems) >= _ENOUGH:
            break
    return problems


def _value_problems(parameter: Parameter, value: object) -> list[Sentence]:
    if parameter.json and isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    elif isinstance(value, Mapping | list | tuple | set | frozenset):
        return [Sentence(gettext_noop("must be a single value"))]
    written = text(value)
    if parameter.type in _INTEGER:
        return _number_problems(parameter, written)
    if parameter.type == "Boolean":
        if written.lower() in _BOOLEAN:
            return []
        return [Sentence(gettext_noop("must be true or false"))]
    return _text_problems(parameter, written)


def _number_problems(parameter: Parameter, written: str) -> list[Sentence]:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", written):
        return [Sentence(gettext_noop("must be a whole number"))]
    number = int(written)
    bits = 31 if parameter.type == "Integer" else 63
    if not -(1 << bits) <= number < 1 << bits:
        return [Sentence(gettext_noop("is too large a number"))]
    if parameter.values and str(number) not in parameter.values:
        return [_not_among(parameter.values)]
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        if low is not None and high is not None:
            return [Sentence(gettext_noop("must be from %(low)d to %(high)d"), low=low, high=high)]
        if low is not None:
            return [Sentence(gettext_noop("must be at least %(low)d"), low=low)]
        return [Sentence(gettext_noop("must be at most %(high)d"), high=high)]
    return []


def _text_problems(parameter: Parameter, written: str) -> list[Sentence]:
    if not _is_unicode(written):
        return [Sentence(gettext_noop("holds characters that cannot be sent"))]
    if parameter.values and written not in parameter.values:
        return [_not_among(parameter.values)]
    problems: list[Sentence] = []
    low, high = parameter.min_length, parameter.max_length
    length = width(written, parameter.count) if low is not None or high is not None else 0
    if (low is not None and length < low) or (high is not None and length > high):
        problems.append(_wrong_length(parameter, length))
    if parameter.pattern is not None and not _compiled(parameter.pattern).fullmatch(written):
        words = PATTERN_WORDS.get(parameter.pattern)
        if words is not None:
            problems.append(Sentence(words))
        else:
            problems.append(Sentence(gettext_noop("must match %(pattern)s"), pattern=parameter.pattern))
    if parameter.json and not _is_json(written):
        problems.append(Sentence(gettext_noop("must be JSON")))
    return problems


def _wrong_length(parameter: Parameter, length: int) -> Sentence:
    low, high = parameter.min_length or 0, parameter.max_length
    if parameter.count == "bytes":
        return Sentence(
            gettext_noop("must be at most %(high)d bytes, not %(length)d"), high=high, length=length
        )
    if high is None:
        return Sentence(
            gettext_noop("must have at least %(low)d characters, not %(length)d"), low=low, length=length
        )
    if parameter.count == "wide":
        return Sentence(
            gettext_noop(
                "must have %(low)d to %(high)d characters, a Chinese one counting as two, not %(length)d"
            ),
            low=low,
            high=high,
            length=length,
        )
    return Sentence(
        gettext_noop("must have %(low)d to %(high)d characters, not %(length)d"),
        low=low,
        high=high,
        length=length,
    )


def _not_among(values: tuple[str, ...]) -> Sentence:
    return Sentence(gettext_noop("must be one of %(values)s"), values=", ".join(values))


def _is_unicode(written: str) -> bool:
    """False for half characters (lone surrogates), which a badly decoded file can leave in a text."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(written: str) -> bool:
    try:
        json.loads(written)
    except (ValueError, RecursionError):
        return False
    return True


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _present(op: Operation, name: str, given: Mapping[str, Any]) -> bool:
    """Whether a parameter is given; for a member of a list of structures, whether any element has it."""
    parameter = op.parameters[name]
    value = given.get(parameter.base)
    if parameter.member and isinstance(value, list | tuple):
        return any(
            isinstance(item, Mapping) and item.get(parameter.member) not in (None, "") for item in value
        )
    return value not in (None, "", [], ())


def _names(alternatives: tuple[tuple[str, ...], ...]) -> str:
    return " / ".join(" + ".join(names) for names in alternatives)


def _missing(alternatives: tuple[tuple[str, ...], ...]) -> Sentence:
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return Sentence(gettext_noop("is required"))
    return Sentence(gettext_noop("one of these is required: %(choices)s"), choices=_names(alternatives))


def _check_one_of(
    op: Operation, alternatives: tuple[tuple[str, ...], ...], given: Mapping[str, Any], problems: Problems
) -> None:
    bases = {op.parameters[n].base for names in alternatives for n in names}
    members = all(op.parameters[n].member for names in alternatives for n in names)
    value = given.get(next(iter(bases)))
    if members and len(bases) == 1 and isinstance(value, list | tuple) and value:
        # A choice inside a structure is to be met by every element, not by the list as a whole.
        for position, item in enumerate(value, start=1):
            one = {next(iter(bases)): [item]}
            if not any(all(_present(op, n, one) for n in names) for names in alternatives):
                first = alternatives[0][0]
                problems.setdefault(first, []).append(_missing(alternatives).at(position))
        return
    if not any(all(_present(op, n, given) for n in names) for names in alternatives):
        problems.setdefault(alternatives[0][0], []).append(_missing(alternatives))


def _check_condition(
    op: Operation, condition: Condition, given: Mapping[str, Any], problems: Problems
) -> None:
    if not _present(op, condition.parameter, given):
        return
    if condition.values and text(given[op.parameters[condition.parameter].base]).lower() not in {
        v.lower() for v in condition.values
    }:
        return
    shown = condition.parameter + (f"={'/'.join(condition.values)}" if condition.values else "")
    if condition.needs and not any(all(_present(op, n, given) for n in names) for names in condition.needs):
        absent = next(n for n in condition.needs[0] if not _present(op, n, given))
        problems.setdefault(absent, []).append(
            Sentence(gettext_noop("is required with %(other)s"), other=shown)
            if len(condition.needs) == 1
            else Sentence(
                gettext_noop("with %(other)s one of these is required: %(choices)s"),
                other=shown,
                choices=_names(condition.needs),
            )
        )
    for name in condition.forbids:
        if _present(op, name, given):
            problems.setdefault(name, []).append(
                Sentence(gettext_noop("cannot be combined with %(other)s"), other=shown)
            )
