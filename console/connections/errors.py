"""What people see when the cloud says no: the status and page of an error that a view let through, and errors at a form's fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext

from console.cloud.catalogue import UnknownOperation, operation
from console.cloud.errors import (
    AccessDenied,
    AlreadyExists,
    BadAnswer,
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
from console.cloud.text import Sentence
from console.ui import format as fmt

# The first that fits counts. What the person asked for is 4xx; what is wrong between us and the cloud is 5xx.
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
    (BadAnswer, 502),
)


def status_of(error: CloudError) -> int:
    """The HTTP status of a page that could not be made because of `error`."""
    return next((status for family, status in _STATUSES if isinstance(error, family)), 502)


def cloud_errors_to_form(
    form: forms.BaseForm, error: CloudError, fields: Mapping[str, str] | None = None
) -> CloudError | None:
    """Put an error of the cloud where the person can mend it; returns what is left to say above the form.

    `fields` maps parameters ("ProductName") to the form's fields; a parameter that it does not name belongs to the field
    of the same name in snake case (`product_name`), if there is one. Sentences of the catalogue's check go to their
    fields, and so does a refusal whose code names a parameter (iot.prod.AlreadyExistedProductName). Either way the form
    is no longer valid. Give the answer to ui/form.html as `error`: None when all was said at fields.
    """
    if isinstance(error, InvalidParameter) and error.problems:
        rest = list(_unplaced(form, error.problems, fields or {}))
        for line in rest:
            form.add_error(None, line)
        return None
    if isinstance(error, InvalidParameter | AlreadyExists):
        name = _named_in(error, form, fields or {})
        if name is not None:
            words = explain(error)
            form.add_error(name, f"{gettext(words.title)} {gettext(words.advice)}")
            return None
    # Said by ui/form.html in full; here only so that nobody takes the form for valid.
    form.add_error(None, gettext(explain(error).title))
    return error


def _unplaced(
    form: forms.BaseForm, problems: Mapping[str, Iterable[str]], fields: Mapping[str, str]
) -> Iterator[str]:
    for parameter, sentences in problems.items():
        name = _field_of(parameter, form, fields)
        for sentence in sentences:
            said = translated(
                sentence, numbered=name is None or isinstance(form.fields[name].widget, forms.Textarea)
            )
            if name is None:
                yield f"{parameter}: {said}"
            else:
                form.add_error(name, fmt.sentence(said))


def translated(sentence: str, numbered: bool = True) -> str:
    """A sentence of the catalogue's check in the person's language; `numbered`: with the entry of the list it speaks of."""
    if not isinstance(sentence, Sentence):
        return str(sentence)
    text = gettext(sentence.template)
    text = text % sentence.values if sentence.values else text
    return f"{sentence.position}: {text}" if numbered and sentence.position is not None else text


def _field_of(parameter: str, form: forms.BaseForm, fields: Mapping[str, str]) -> str | None:
    base = parameter.partition(".N")[0]
    name = fields.get(parameter) or fields.get(base) or snake(base)
    return name if name in form.fields else None


def snake(name: str) -> str:
    """The parameter's name as a form's field has it: ProductName → product_name, IotInstanceId → iot_instance_id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _named_in(error: CloudError, form: forms.BaseForm, fields: Mapping[str, str]) -> str | None:
    """The field of the longest parameter whose name ends the error's code."""
    try:
        parameters: Any = operation(error.operation).parameters.values()
    except UnknownOperation:
        return None
    code = error.code.rpartition(".")[2].lower()
    found = [
        (len(parameter.base), name)
        for parameter in parameters
        if parameter.base.lower() in code and (name := _field_of(parameter.name, form, fields)) is not None
    ]
    return max(found)[1] if found else None
