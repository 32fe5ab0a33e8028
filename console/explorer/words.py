"""What the catalogue knows of a parameter or an operation, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from console.access.roles import AREA_LABELS, CLOUD_AREAS
from console.cloud.catalogue import Access, Condition, Operation, Parameter
from console.cloud.catalogue.check import PATTERN_WORDS
from console.ui.format import number, sentence

AREAS = {area.value: AREA_LABELS[area] for area in CLOUD_AREAS}
LEVELS: dict[Access, str | Promise] = {
    Access.READ: gettext_lazy("read"),
    Access.WRITE: gettext_lazy("write"),
    Access.DELETE: gettext_lazy("destroy"),
    Access.SECRET: gettext_lazy("see secrets"),
}


def limits(parameter: Parameter) -> str:
    """The limits of one value, as sentences; "" when there are none to tell."""
    return " ".join(map(sentence, _limits(parameter)))


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


def list_limit(parameter: Parameter) -> str:
    """How many entries one call takes, if that is known."""
    most = parameter.max_items
    if most is None:
        return ""
    return ngettext("At most %(most)s entry in one call.", "At most %(most)s entries in one call.", most) % {
        "most": number(most)
    }


def rules(operation: Operation) -> list[str]:
    """The rules between parameters: "this or that is required", and what one of them asks for or forbids."""
    said = [_one_of(group) for group in operation.one_of if len(group) > 1]
    for condition in operation.when:
        said += _condition(condition)
    return said


def _one_of(alternatives: Sequence[Sequence[str]]) -> str:
    return _("Give %(choices)s.") % {"choices": _choices(alternatives)}


def _condition(condition: Condition) -> Iterator[str]:
    given = plain(condition.parameter)
    if condition.values:
        values = _(" or ").join(condition.values)
        given = f"{given} {values}"
    if condition.needs:
        yield _("With %(given)s, also give %(choices)s.") % {
            "given": given,
            "choices": _choices(condition.needs),
        }
    if condition.forbids:
        yield _("With %(given)s, leave out %(names)s.") % {
            "given": given,
            "names": _(" and ").join(plain(name) for name in condition.forbids),
        }


def _choices(alternatives: Sequence[Sequence[str]]) -> str:
    return _(", or ").join(_(" and ").join(plain(name) for name in names) for names in alternatives)


def plain(name: str) -> str:
    """A parameter's name as the form shows it: `DeviceName.N` is DeviceName, `Tag.N.Key` is Tag.Key."""
    return name.replace(".N", "", 1) if ".N." in name or name.endswith(".N") else name
