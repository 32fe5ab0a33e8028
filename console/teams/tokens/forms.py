"""The form for a new token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.accounts.models import Membership
from console.teams.forms import GRANT_FIELDS, GrantForm
from console.teams.tokens.lifecycle import DEFAULT_DAYS, MAX_DAYS, TokenDraft, list_token_roles

# The roles whose members may do more than a token: no token views secrets or manages connections and members.
_SUMMARIES = {"administrator": _("Full access to the platform, except secrets. Views the audit trail.")}


class TokenForm(GrantForm):
    """Name, role, access scope and validity of a new token."""

    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        help_text=_("The program or purpose of the token. The audit trail shows this name."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.IntegerField(
        label=_("Valid for (days)"),
        initial=DEFAULT_DAYS,
        min_value=1,
        max_value=MAX_DAYS,
        error_messages={"required": _("Enter a number of days.")},
        help_text=_("Expired tokens cannot be renewed. Create a new token instead."),
    )
    field_order = ("name", *GRANT_FIELDS, "days")

    def __init__(self, membership: Membership, *args: Any, **kwargs: Any) -> None:
        roles = [
            replace(role, summary=_SUMMARIES.get(role.slug, role.summary))
            for role in list_token_roles(membership)
        ]
        super().__init__(membership.team, roles, *args, connections=membership.connections, **kwargs)

    @property
    def draft(self) -> TokenDraft:
        """The token to create. The form must be valid."""
        values = self.cleaned_data
        return TokenDraft(values["name"], values["role"], self.access_scope, values["days"])
