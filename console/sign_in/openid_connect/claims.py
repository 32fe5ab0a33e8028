"""Claims of the identity provider about a user, and the rules that match them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from console.accounts.models import Team
from console.sign_in.models import SignOnRule

_TRUE = frozenset(["true", "1"])  # some providers write the boolean as text


@dataclass(frozen=True)
class Identity:
    """A user of the identity provider. `uid` never changes; `email` is "" unless the provider verified it."""

    uid: str
    claims: Mapping[str, Any]
    email: str

    @classmethod
    def from_claims(cls, uid: str, claims: Mapping[str, Any], *, verified_claim: str) -> Identity:
        """Return the identity in the claims. `verified_claim` names the claim that says whether the email address is verified."""
        email = claims.get("email")
        if (
            not isinstance(email, str)
            or len(email) > 254
            or str(claims.get(verified_claim)).lower() not in _TRUE
        ):
            email = ""
        try:
            validate_email(email)
        except ValidationError:
            email = ""
        return cls(uid, claims, email.lower())

    @property
    def name(self) -> str:
        """The name to show, up to 80 characters, or "" if the provider gives none."""
        name = self.claims.get("name")
        return name.replace("\x00", "").strip()[:80] if isinstance(name, str) else ""

    def used_any_method(self, accepted: Iterable[str]) -> bool:
        """Return whether `amr` (authentication methods) or `acr` (authentication class) has one of the accepted values."""
        methods = {*read_claim(self.claims, "amr"), *read_claim(self.claims, "acr")}
        return not methods.isdisjoint(accepted)


def read_claim(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of a claim as texts: all items of a list, or the single value.

    `realm.roles` is the claim `roles` inside `realm`, unless a claim has the name with the dot.
    """
    value: Any = claims.get(name)
    if name not in claims:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    items = value if isinstance(value, list) else [value]
    return [_as_text(item) for item in items if isinstance(item, str | int | float)]


def _as_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def list_domains(team: Team) -> list[str]:
    """Return the email domains that the server administrator confirmed for the team."""
    return [domain for domain, slug in settings.SIGN_ON_DOMAINS if slug in ("", team.slug)]


def matches(rule: SignOnRule, identity: Identity) -> bool:
    """Return whether the rule matches the identity. No rule matches a user without a verified email address, or one whose
    domain is not confirmed for the team."""
    domain = identity.email.rpartition("@")[2]
    if domain not in list_domains(rule.team):
        return False
    if not rule.claim:
        return domain == rule.value.lower()
    return rule.value in read_claim(identity.claims, rule.claim)


def find_matching_rule(rules: Iterable[SignOnRule], identity: Identity) -> SignOnRule | None:
    """Return the first of the rules that matches the identity."""
    return next((rule for rule in rules if matches(rule, identity)), None)
