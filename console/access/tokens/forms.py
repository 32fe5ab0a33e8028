"""The form of a new token."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.access.forms import GrantForm
from console.access.models import Membership
from console.access.tokens.making import DEFAULT_DAYS, LONGEST_DAYS, Wanted, giveable


class TokenForm(GrantForm):
    """What a new token may do, and for how long."""

    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        help_text=_("What it is for, such as the program that uses it. The audit trail names it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.IntegerField(
        label=_("Works for (days)"),
        initial=DEFAULT_DAYS,
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=_("A token that ended is replaced by a new one."),
    )
    field_order = ["name", "role", "scope", "connections", "products", "groups", "days"]  # noqa: RUF012 - Django reads a list

    def __init__(self, membership: Membership, *args: Any, **kwargs: Any) -> None:
        roles, reached = giveable(membership), membership.connections
        super().__init__(membership.team, roles, *args, connections=reached, **kwargs)

    @property
    def wanted(self) -> Wanted:
        """What was asked for, once the form is valid."""
        values = self.cleaned_data
        return Wanted(values["name"], values["role"], self.access_scope, values["days"])
