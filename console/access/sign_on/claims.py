"""What is known of somebody who comes from the identity provider, and which rules that fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from console.access.models import SignOnRule

_TRUE = frozenset(["true", "1"])  # some providers write the boolean as text


@dataclass(frozen=True)
class Identity:
    """Somebody whom the provider vouches for. `uid` is theirs for ever; `email` is "" unless the provider verified it."""

    uid: str
    claims: Mapping[str, Any]
    email: str

    @classmethod
    def of(cls, uid: str, claims: Mapping[str, Any], *, verified_claim: str) -> Identity:
        """Who the claims speak of; `verified_claim` is the one that says whether the e-mail address is theirs."""
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
        """What to call them; "" when the provider does not say."""
        name = self.claims.get("name")
        return name.replace("\x00", "").strip()[:80] if isinstance(name, str) else ""

    def proved_by(self, accepted: Iterable[str]) -> bool:
        """Whether one of the accepted values stands in `amr` (how they signed in there) or is the `acr` (how well)."""
        return not {*values(self.claims, "amr"), *values(self.claims, "acr")}.isdisjoint(accepted)


def values(claims: Mapping[str, Any], name: str) -> list[str]:
    """What a claim says, as texts: one of a list each. `realm.roles` finds `roles` inside `realm`, unless a claim is called so."""
    found: Any = claims.get(name)
    if name not in claims:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    several = found if isinstance(found, list) else [found]
    return [_text(one) for one in several if isinstance(one, str | int | float)]


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fits(rule: SignOnRule, identity: Identity) -> bool:
    """Whether the rule speaks of this person."""
    if not identity.email:
        return False
    if not rule.claim:
        return identity.email.rpartition("@")[2] == rule.value.lower()
    return rule.value in values(identity.claims, rule.claim)


def first_fit(rules: Iterable[SignOnRule], identity: Identity) -> SignOnRule | None:
    """The first of the rules, in their order, that fits."""
    return next((rule for rule in rules if fits(rule, identity)), None)
