"""Who gets in by single sign-on, as which account, and into which teams.

Everything here may be done twice, and by two browsers at once, and comes out the same.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.db import transaction

from console.access.audit import Origin, recorded, write_record
from console.access.models import AuditRecord, Membership, SignOnRule, Team, User
from console.access.roles import OWNER
from console.access.sign_on.claims import Identity, first_fit
from console.access.sign_on.configuration import PROVIDER_ID
from console.access.teams import granted


class NotLetIn(Exception):
    """No team lets this person in. Why is told to nobody who asks at the door."""


def account_for(identity: Identity) -> User:
    """The account this person signs in to: the one they are linked to, the one of their address, or a new one.

    A new one is made only where a rule of some team fits. Raises NotLetIn.
    """
    linked = (
        SocialAccount.objects.filter(provider=PROVIDER_ID, uid=identity.uid).select_related("user").first()
    )
    user: User | None = linked.user if linked else None
    if not identity.email:
        raise NotLetIn
    if user is None:
        user = User.objects.filter(email=identity.email).first()
    if user is None:
        if not any(first_fit(rules, identity) for rules in _rules_by_team().values()):
            raise NotLetIn
        user, _new = User.objects.get_or_create(
            email=identity.email, defaults={"name": identity.name, "password": make_password(None)}
        )
    if user.is_service:
        raise NotLetIn
    return user


def enter(user: User, identity: Identity, origin: Origin) -> None:
    """Link the identity to the account, and bring the account's memberships in line with the rules.

    Raises NotLetIn when the account belongs to no team then, or another identity of this provider has it.
    """
    _check_free(user, identity)
    for team, rules in _rules_by_team().items():
        _apply(user, team, first_fit(rules, identity), origin)
    gone = user.memberships.filter(source=Membership.Source.SIGN_ON, team__sign_on_rules=None)
    for membership in gone.select_related("team"):
        _apply(user, membership.team, None, origin)
    if not user.memberships.exists():
        raise NotLetIn
    _link(user, identity, origin)


def _rules_by_team() -> dict[Team, list[SignOnRule]]:
    rules: dict[Team, list[SignOnRule]] = {}
    found = SignOnRule.objects.exclude(role_slug=OWNER).select_related("team")
    for rule in found.order_by("team_id", "position", "id"):
        rules.setdefault(rule.team, []).append(rule)
    return rules


def _apply(user: User, team: Team, rule: SignOnRule | None, origin: Origin) -> None:
    """Make, change or end the membership that rules give in `team`. What was made by hand, and owners, stay as they are."""
    present = user.memberships.filter(team=team).first()
    if not _differs(present, rule) or (present is None and _departed(user, team)):
        return
    operation = "team.remove_member" if rule is None else "team.change_role" if present else "team.add_member"
    given = {"rule": str(rule), **granted(rule.role_slug, rule.own_scope)} if rule else {}
    before = granted(present.role_slug, present.own_scope) if present else None
    with (
        recorded(
            operation=operation,
            actor=user,
            team=team,
            origin=origin,
            target=user.email,
            parameters=given,
            before=before,
        ),
        transaction.atomic(),
    ):
        # One after the other with those who change members by hand.
        Team.objects.select_for_update().get(pk=team.pk)
        present = user.memberships.filter(team=team).first()
        if not _differs(present, rule) or (present is None and _departed(user, team)):
            return
        if rule is None:
            user.memberships.filter(team=team).delete()
            return
        grant = {"role_slug": rule.role_slug, "access_scope": rule.access_scope}
        Membership.objects.update_or_create(
            team=team,
            user=user,
            defaults=grant,
            create_defaults={**grant, "source": Membership.Source.SIGN_ON},
        )


def _differs(present: Membership | None, rule: SignOnRule | None) -> bool:
    """Whether the rules have something to change about a membership."""
    if present is None:
        return rule is not None
    if present.source != Membership.Source.SIGN_ON or present.role_slug == OWNER:
        return False
    return rule is None or (present.role_slug, present.access_scope) != (rule.role_slug, rule.access_scope)


def _departed(user: User, team: Team) -> bool:
    """Whether the person left the team or was taken out of it, and nobody has invited them since."""
    return team.departures.filter(user=user).exists()


def _check_free(user: User, identity: Identity) -> None:
    """An address that the provider has given to somebody else since does not open the account of who had it before."""
    issuer = identity.claims.get("iss")
    others = SocialAccount.objects.filter(provider=PROVIDER_ID, user=user).exclude(uid=identity.uid)
    if any(other.extra_data.get("iss") == issuer for other in others):
        raise NotLetIn


def _link(user: User, identity: Identity, origin: Origin) -> None:
    """Remember who this is. A password that somebody chose before the address was proved theirs ends with it."""
    account, created = SocialAccount.objects.get_or_create(
        provider=PROVIDER_ID, uid=identity.uid, defaults={"user": user, "extra_data": dict(identity.claims)}
    )
    if account.user_id != user.pk:
        raise NotLetIn
    if not created:
        return
    proved = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
    dropped = user.has_usable_password() and not proved
    if dropped:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    for membership in user.memberships.select_related("team"):
        write_record(
            AuditRecord.Outcome.DONE,
            operation="session.link_sign_on",
            actor=user,
            team=membership.team,
            origin=origin,
            target=user.email,
            parameters={"changed": ["password"] if dropped else []},
        )
