"""Messages for values that do not match their schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel

_INTEGER, _NUMBER, _OBJECT = (
    _("Must be a whole number."),
    _("Must be a number."),
    _("Must be an object."),
)
_TIMESTAMP = _("Must be a date and time with a time zone, for example 2026-05-04T12:00:00Z.")
_BOOLEAN = _("Must be true or false.")
_UNKNOWN_FIELD = _("Unknown field. Valid fields: %(fields)s.")
_UNKNOWN_PARAMETER = _("Unknown query parameter. Valid parameters: %(names)s.")
_NO_PARAMETERS = _("Unknown query parameter. This operation has none.")
# By the `type` of pydantic's errors. The placeholders are the names in their `ctx`; `fields` is added by the API.
_MESSAGES: Mapping[str, Promise] = {
    "missing": _("This field is required."),
    "extra_forbidden": _UNKNOWN_FIELD,
    "string_type": _("Must be text."),
    "string_too_short": _("Enter at least %(min_length)s characters."),
    "string_too_long": _("Enter at most %(max_length)s characters."),
    "string_pattern_mismatch": _("Must match the pattern %(pattern)s."),
    "literal_error": _("Must be one of: %(expected)s."),
    "too_short": _("Must have at least %(min_length)s entries."),
    "too_long": _("Must have at most %(max_length)s entries."),
    "greater_than_equal": _("Must be %(ge)s or more."),
    "less_than_equal": _("Must be %(le)s or less."),
    "list_type": _("Must be a list."),
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "datetime_type": _TIMESTAMP,
    "datetime_parsing": _TIMESTAMP,
    "datetime_from_date_parsing": _TIMESTAMP,
    "datetime_object_invalid": _TIMESTAMP,
    "timezone_aware": _TIMESTAMP,
}


def describe_error(error: Mapping[str, Any]) -> str:
    """Return the message for one of pydantic's errors; pydantic's own text for a type that is not listed here."""
    if error["type"] == "value_error":  # raised by a validator of the API
        return str(error["ctx"]["error"])
    message = _MESSAGES.get(error["type"])
    return str(error["msg"]) if message is None else str(message) % error.get("ctx", {})


def describe_unknown_field(fields: Iterable[str]) -> str:
    """Return the message for a field that is none of `fields`."""
    return str(_UNKNOWN_FIELD) % {"fields": ", ".join(fields)}


def describe_unknown_parameter(names: Sequence[str]) -> str:
    """Return the message for a query parameter that is none of `names`."""
    if not names:
        return str(_NO_PARAMETERS)
    return str(_UNKNOWN_PARAMETER) % {"names": ", ".join(names)}


def list_fields(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """Return the field names of the object at a location in a model: names of fields, and positions in lists."""
    for part in location:
        if isinstance(part, str):
            model = _find_model(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a type such as `Model | None` or `list[Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_find_model, get_args(annotation))), None)
