"""Forms of a team's rules of single sign-on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import DomainNameValidator
from django.utils.translation import gettext_lazy as _

from console.access.forms import GrantForm
from console.access.models import SignOnRule, Team
from console.access.roles import Role

DOMAIN, CLAIM = "domain", "claim"
_domain_name = DomainNameValidator(message=_("This is no domain of e-mail addresses, such as example.com."))


class RuleForm(GrantForm):
    """Whom a rule speaks of, and what it gives them."""

    by = forms.ChoiceField(
        label=_("People are known by"),
        widget=forms.RadioSelect,
        choices=[
            (DOMAIN, _("The domain of their e-mail address")),
            (CLAIM, _("What the identity provider says of them: a claim, such as groups")),
        ],
        initial=DOMAIN,
    )
    claim = forms.CharField(
        label=_("Claim"),
        max_length=80,
        required=False,
        help_text=_(
            "Only for a claim: its name, as groups or roles. A dot leads inside: realm_access.roles."
        ),
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=200,
        help_text=_("The domain, as example.com; or what the claim must be or hold, written exactly so."),
    )
    field_order = ["by", "claim", "value", "role", "scope", "connections", "products", "groups"]  # noqa: RUF012 - Django reads a list

    def __init__(
        self, team: Team, roles: Sequence[Role], *args: Any, grant: SignOnRule | None = None, **kwargs: Any
    ) -> None:
        present = (
            {"by": CLAIM if grant.claim else DOMAIN, "claim": grant.claim, "value": grant.value}
            if grant
            else {}
        )
        super().__init__(team, roles, *args, grant=grant, initial=present, **kwargs)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("by") == DOMAIN:
            values["claim"] = ""
            if "value" in values:
                values["value"] = self._domain(values["value"])
        elif values.get("by") == CLAIM and "claim" in values and not values["claim"]:
            self.add_error("claim", _("Name the claim."))
        return values

    def _domain(self, text: str) -> str:
        domain = text.removeprefix("@").lower()
        try:
            _domain_name(domain)
        except forms.ValidationError as error:
            self.add_error("value", error)
        return domain


class TryForm(forms.Form):
    """Claims to try the rules with. Nothing of them is kept."""

    claims = forms.CharField(
        label=_("Claims"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_("What the provider says of a person, as JSON: the payload of an ID token, for instance."),
    )

    def clean_claims(self) -> dict[str, Any]:
        try:
            found = json.loads(self.cleaned_data["claims"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(_("This is no JSON: %(why)s"), params={"why": error}) from error
        if not isinstance(found, dict):
            raise forms.ValidationError(_("Give a JSON object: names and values in braces."))
        return found
