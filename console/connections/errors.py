"""Errors of the cloud in the interface: the HTTP status of a page, and messages at the fields of a form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from django import forms
from django.utils.translation import gettext

from console.ui import format as fmt
from console.ui.forms import SHOWN_IN_FULL
from iot_client.catalogue import UnknownOperation, operation
from iot_client.errors import (
    AccessDenied,
    AlreadyExists,
    BadResponse,
    CloudError,
    Conflict,
    InvalidParameter,
    LimitExceeded,
    NotFound,
    SignatureRefused,
    Throttled,
    Unavailable,
    explain,
)
from iot_client.text import Sentence

# The first match applies. Errors of the user's request are 4xx, errors between the console and the cloud are 5xx.
_STATUSES: tuple[tuple[type[CloudError], int], ...] = (
    (NotFound, 404),
    (InvalidParameter, 400),
    (AlreadyExists, 409),
    (Conflict, 409),
    (LimitExceeded, 409),
    (Throttled, 503),
    (Unavailable, 503),
    (AccessDenied, 502),
    (SignatureRefused, 502),
    (BadResponse, 502),
)


def http_status(error: CloudError) -> int:
    """The HTTP status of a page that failed with `error`."""
    return next((status for family, status in _STATUSES if isinstance(error, family)), 502)


def cloud_errors_to_form(
    form: forms.BaseForm, error: CloudError, fields: Mapping[str, str] | None = None
) -> CloudError | None:
    """Add an error of the cloud to the fields that it concerns. Returns the error if it must be shown above the form, else
    None.

    `fields` maps parameters ("ProductName"), or words of error codes, to fields of the form. Other parameters belong to the
    field with the same name in snake case (`product_name`), if there is one. Messages of the catalogue's check go to their
    fields, and so does an error whose code names a parameter (iot.prod.AlreadyExistedProductName). In each case the form
    becomes invalid. Pass the result to ui/form.html as `error`.
    """
    if isinstance(error, InvalidParameter) and error.problems:
        unplaced = list(_add_problems(form, error.problems, fields or {}))
        for message in unplaced:
            form.add_error(None, message)
        return None
    if isinstance(error, InvalidParameter | AlreadyExists):
        name = _find_field_in_code(error, form, fields or {})
        if name is not None:
            explanation = explain(error)
            form.add_error(
                name, fmt.join_sentences([gettext(explanation.title), gettext(explanation.advice)])
            )
            return None
    # This entry only makes the form invalid.
    form.add_error(None, forms.ValidationError(gettext(explain(error).title), code=SHOWN_IN_FULL))
    return error


def _add_problems(
    form: forms.BaseForm, problems: Mapping[str, Iterable[str]], fields: Mapping[str, str]
) -> Iterator[str]:
    """Add the problems of the catalogue's check to their fields; yields the messages of those without a field."""
    for parameter, sentences in problems.items():
        name = _find_field(parameter, form, fields)
        for sentence in sentences:
            message = translate_sentence(
                sentence, numbered=name is None or isinstance(form.fields[name].widget, forms.Textarea)
            )
            if name is None:
                yield fmt.label_text(parameter, message)
            else:
                form.add_error(name, fmt.sentence(message))


def translate_sentence(sentence: str, numbered: bool = True) -> str:
    """Translates a message of the catalogue's check to the active language. `numbered`: adds the number of the list entry."""
    if not isinstance(sentence, Sentence):
        return str(sentence)
    text = gettext(sentence.template)
    text = text % sentence.values if sentence.values else text
    return f"{sentence.position}: {text}" if numbered and sentence.position is not None else text


def _find_field(parameter: str, form: forms.BaseForm, fields: Mapping[str, str]) -> str | None:
    base = parameter.partition(".N")[0]
    name = fields.get(parameter) or fields.get(base) or to_snake_case(base)
    return name if name in form.fields else None


def to_snake_case(name: str) -> str:
    """A parameter's name as a field name: ProductName → product_name, IotInstanceId → iot_instance_id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _find_field_in_code(error: CloudError, form: forms.BaseForm, fields: Mapping[str, str]) -> str | None:
    """The field of the longest parameter, or key of `fields`, whose name is in the last part of the error code; None if there is
    none."""
    try:
        parameters = operation(error.operation).parameters
    except UnknownOperation:
        return None
    code = error.code.rpartition(".")[2].lower()
    words = {parameter.name: parameter.base for parameter in parameters.values()}
    matches = [
        (len(word), name)
        for parameter, word in ({key: key for key in fields} | words).items()
        if word.lower() in code and (name := _find_field(parameter, form, fields)) is not None
    ]
    return max(matches)[1] if matches else None
