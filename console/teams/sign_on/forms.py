"""Forms for the single sign-on rules of a team."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import DomainNameValidator
from django.utils.translation import gettext_lazy as _

from console.accounts.models import Team
from console.accounts.roles import Role
from console.sign_in.models import SignOnRule
from console.teams.forms import GRANT_FIELDS, GrantForm

DOMAIN, CLAIM = "domain", "claim"
_domain_name = DomainNameValidator(message=_("Enter an email domain, such as example.com."))


class RuleForm(GrantForm):
    """Which users a rule matches, and the role and access scope that it gives them."""

    by = forms.ChoiceField(
        label=_("Match by"),
        widget=forms.RadioSelect,
        choices=[
            (DOMAIN, _("Email domain")),
            (CLAIM, _("Claim from the identity provider, for example groups")),
        ],
        initial=DOMAIN,
    )
    claim = forms.CharField(
        label=_("Claim"),
        max_length=80,
        required=False,
        help_text=_(
            "Only if you match by claim: the name of the claim, for example groups or roles."
            " Use a dot for a nested claim: realm_access.roles."
        ),
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=200,
        help_text=_(
            "Email domain, such as example.com, or exact value of the claim. A claim that is a list must contain this value."
        ),
    )
    field_order = ("by", "claim", "value", *GRANT_FIELDS)

    def __init__(
        self, team: Team, roles: Sequence[Role], *args: Any, grant: SignOnRule | None = None, **kwargs: Any
    ) -> None:
        initial = (
            {"by": CLAIM if grant.claim else DOMAIN, "claim": grant.claim, "value": grant.value}
            if grant
            else {}
        )
        super().__init__(team, roles, *args, grant=grant, initial=initial, **kwargs)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("by") == DOMAIN:
            values["claim"] = ""
            if "value" in values:
                values["value"] = self._clean_domain(values["value"])
        elif values.get("by") == CLAIM and "claim" in values and not values["claim"]:
            self.add_error("claim", _("Enter the name of the claim."))
        return values

    def _clean_domain(self, text: str) -> str:
        domain = text.removeprefix("@").lower()
        try:
            _domain_name(domain)
        except forms.ValidationError as error:
            self.add_error("value", error)
        return domain


class TryForm(forms.Form):
    """Claims to test the rules with. They are not stored."""

    claims = forms.CharField(
        label=_("Claims"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_("Claims about a user as JSON, for example the payload of an ID token."),
    )

    def clean_claims(self) -> dict[str, Any]:
        try:
            claims = json.loads(self.cleaned_data["claims"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(
                _("The text is not valid JSON. The error is in line %(line)s, column %(column)s."),
                params={"line": error.lineno, "column": error.colno},
            ) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("The text is not valid JSON.")) from error
        if not isinstance(claims, dict):
            raise forms.ValidationError(_("Enter a JSON object: names and values in braces."))
        return claims
