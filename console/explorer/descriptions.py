"""Descriptions of parameters and operations, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from console.accounts.roles import AREA_LABELS, CLOUD_AREAS
from console.ui.format import join_sentences, join_words, number, sentence
from iot_client.catalogue import Access, Condition, Operation, Parameter
from iot_client.catalogue.check import PATTERN_WORDS

AREAS = {area.value: AREA_LABELS[area] for area in CLOUD_AREAS}
LEVELS: dict[Access, str | Promise] = {
    Access.READ: gettext_lazy("read"),
    Access.WRITE: gettext_lazy("write"),
    Access.DELETE: gettext_lazy("delete"),
    Access.SECRET: gettext_lazy("view secrets"),
}


def describe_limits(parameter: Parameter) -> str:
    """Return the limits of one value as sentences; "" if there are none."""
    return join_sentences(map(sentence, _limits(parameter)))


def _limits(parameter: Parameter) -> Iterator[str]:
    low, high = parameter.min_length, parameter.max_length
    if parameter.count == "bytes" and high is not None:
        yield _("at most %(high)s bytes") % {"high": number(high)}
    elif low is not None and high is not None and low == high:
        yield _("exactly %(high)s characters") % {"high": number(high)}
    elif low and high is not None:
        yield _("%(low)s to %(high)s characters") % {"low": number(low), "high": number(high)}
    elif high is not None:
        yield _("at most %(high)s characters") % {"high": number(high)}
    elif low:
        yield _("at least %(low)s characters") % {"low": number(low)}
    if parameter.count == "wide" and high is not None:
        yield _("a Chinese character counts as two")
    if parameter.pattern:
        words = PATTERN_WORDS.get(parameter.pattern)
        yield _(words) if words else _("must match %(pattern)s") % {"pattern": parameter.pattern}
    if parameter.minimum is not None and parameter.maximum is None:
        yield _("at least %(low)s") % {"low": number(parameter.minimum)}
    if parameter.maximum is not None and parameter.minimum is None:
        yield _("at most %(high)s") % {"high": number(parameter.maximum)}


def describe_list_limit(parameter: Parameter) -> str:
    """Return how many entries a list may have; "" if unknown."""
    most = parameter.max_items
    if most is None:
        return ""
    return ngettext("At most %(most)s entry per call.", "At most %(most)s entries per call.", most) % {
        "most": number(most)
    }


def describe_rules(operation: Operation) -> list[str]:
    """Return the rules between parameters: which of them are required, and which other parameters a value requires or excludes."""
    rules = [_describe_alternatives(group) for group in operation.one_of if len(group) > 1]
    for condition in operation.when:
        rules += _describe_condition(condition)
    return rules


def _describe_alternatives(alternatives: Sequence[Sequence[str]]) -> str:
    return _("Enter %(choices)s.") % {"choices": _join_alternatives(alternatives)}


def _describe_condition(condition: Condition) -> Iterator[str]:
    subject = display_name(condition.parameter)
    if condition.values:
        values = _(" or ").join(condition.values)
        subject = f"{subject} {values}"
    if condition.needs:
        yield _("For %(given)s, also enter %(choices)s.") % {
            "given": subject,
            "choices": _join_alternatives(condition.needs),
        }
    if condition.forbids:
        yield _("For %(given)s, leave %(names)s empty.") % {
            "given": subject,
            "names": _join_names(condition.forbids),
        }


def _join_alternatives(alternatives: Sequence[Sequence[str]]) -> str:
    return _(", or ").join(map(_join_names, alternatives))


def _join_names(names: Sequence[str]) -> str:
    *others, last = map(display_name, names)
    return _(" and ").join([join_words(others), last]) if others else last


def display_name(name: str) -> str:
    """Return a parameter's name as the form shows it: `DeviceName.N` is DeviceName, `Tag.N.Key` is Tag.Key."""
    return name.replace(".N", "", 1) if ".N." in name or name.endswith(".N") else name
