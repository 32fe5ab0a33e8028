"""What is wrong with a value that does not fit its schema, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_WHOLE, _NUMBER, _OBJECT = (
    _("A whole number is expected."),
    _("A number is expected."),
    _("An object is expected."),
)
_MOMENT = _("A moment with its time zone is expected, such as 2026-05-04T12:00:00Z.")
_TRUTH = _("true or false is expected.")
# By the `type` of pydantic's errors; the names in the texts are those of their `ctx`.
_WORDS: Mapping[str, Promise] = {
    "missing": _("This is needed."),
    "extra_forbidden": _("There is no such field."),
    "string_type": _("A text is expected."),
    "string_too_short": _("At least %(min_length)s characters are needed."),
    "string_too_long": _("At most %(max_length)s characters are possible."),
    "string_pattern_mismatch": _("It must fit the pattern %(pattern)s."),
    "literal_error": _("One of these is expected: %(expected)s."),
    "too_short": _("At least %(min_length)s are needed."),
    "too_long": _("At most %(max_length)s are possible."),
    "greater_than_equal": _("It must be %(ge)s or more."),
    "less_than_equal": _("It must be %(le)s or less."),
    "list_type": _("A list is expected."),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_aware": _MOMENT,
}


def said(found: Mapping[str, Any]) -> str:
    """The sentence about one of pydantic's errors; its own words for one that is not known here."""
    if found["type"] == "value_error":  # raised by a check of ours
        return str(found["ctx"]["error"])
    words = _WORDS.get(found["type"])
    return str(found["msg"]) if words is None else str(words) % found.get("ctx", {})
