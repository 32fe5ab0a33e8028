"""A form field for a parameter of an operation, with the limits of the catalogue."""

from __future__ import annotations

from typing import Any

from django import forms

from console.connections.errors import translate_sentence
from console.ui.format import sentence
from iot_client.catalogue import operation, validate


def parameter_field(operation_name: str, parameter_name: str, **options: Any) -> forms.CharField:
    """Return a text field for a parameter that is not a list.

    The catalogue says whether the field is required, how long its text may be, and what the text may contain; the messages are
    those of the check before a call. `options` are those of CharField.
    """
    definition = operation(operation_name)
    parameter = definition.parameters[parameter_name]

    def check(value: str) -> None:
        problems = validate(definition, {parameter_name: value}).get(parameter_name, [])
        if problems:
            raise forms.ValidationError([sentence(translate_sentence(problem)) for problem in problems])

    field = forms.CharField(required=parameter.required, validators=[check], **options)
    if parameter.count != "bytes":
        field.max_length = parameter.max_length  # for the counter; the check has the message
        field.widget.attrs["data-count"] = parameter.count
    return field
