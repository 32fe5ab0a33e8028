"""Accounts and memberships of users who come by single sign-on.

Everything here can be repeated, and run by two browsers at the same time, with the same result.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from console.accounts.models import Membership, Team, User
from console.accounts.roles import OWNER
from console.accounts.scope import grant_values
from console.audit.models import AuditRecord
from console.audit.records import Origin, record_action, write_record
from console.sign_in.models import SignOnRule
from console.sign_in.openid_connect.claims import Identity, find_matching_rule
from console.sign_in.openid_connect.configuration import PROVIDER_ID


class NotAdmitted(Exception):
    """The user may not sign in. The reason is not disclosed to them."""


def find_or_create_account(identity: Identity, origin: Origin) -> User:
    """Return the account that is linked to the identity, else the one with its email address, else a new one.

    A new account is created only if a rule of a team matches. An account whose address nobody proved is linked at once: until
    now, somebody else may have used it, whose second factor must not keep out the owner of the address. Raises NotAdmitted.
    """
    linked = (
        SocialAccount.objects.filter(provider=PROVIDER_ID, uid=identity.uid).select_related("user").first()
    )
    user: User | None = linked.user if linked else None
    if not identity.email:
        raise NotAdmitted
    if user is None:
        user = User.objects.filter(email=identity.email).first()
    if user is None:
        if not _matches_a_rule(identity):
            raise NotAdmitted
        user, _created = User.objects.get_or_create(
            email=identity.email, defaults={"name": identity.name, "password": make_password(None)}
        )
    if user.is_service:
        raise NotAdmitted
    if linked is None and _has_unproven_credentials(user):
        _check_not_linked_to_another(user, identity)
        if user.memberships.exists() or _matches_a_rule(identity):
            _link_identity(user, identity, origin)
    return user


def apply_rules(user: User, identity: Identity, origin: Origin) -> None:
    """Update the account's memberships by the rules of all teams, and link the identity to the account.

    Raises NotAdmitted if the account then belongs to no team, or if it is linked to another identity of this provider.
    """
    _check_not_linked_to_another(user, identity)
    for team, rules in _read_rules_by_team().items():
        _apply_rule(user, team, find_matching_rule(rules, identity), origin)
    # Teams that have no rules any more.
    orphaned = user.memberships.filter(source=Membership.Source.SIGN_ON, team__sign_on_rules=None)
    for membership in orphaned.select_related("team"):
        _apply_rule(user, membership.team, None, origin)
    if not user.memberships.exists():
        raise NotAdmitted
    _link_identity(user, identity, origin)


def _matches_a_rule(identity: Identity) -> bool:
    return any(find_matching_rule(rules, identity) for rules in _read_rules_by_team().values())


def _read_rules_by_team() -> dict[Team, list[SignOnRule]]:
    rules: dict[Team, list[SignOnRule]] = {}
    all_rules = SignOnRule.objects.exclude(role_slug=OWNER).select_related("team")
    for rule in all_rules.order_by("team_id", "position", "id"):
        rules.setdefault(rule.team, []).append(rule)
    return rules


def _apply_rule(user: User, team: Team, rule: SignOnRule | None, origin: Origin) -> None:
    """Create, change or (without a rule) end the user's membership in `team`.

    Memberships that somebody created or changed manually, and owners, are not changed.
    """
    present = user.memberships.filter(team=team).first()
    if not _needs_change(present, rule) or (present is None and _has_departed(user, team)):
        return
    operation = "team.remove_member" if rule is None else "team.change_role" if present else "team.add_member"
    parameters = {"rule": str(rule), **grant_values(rule.role_slug, rule.own_scope)} if rule else {}
    before = grant_values(present.role_slug, present.own_scope) if present else None
    with (
        record_action(
            operation=operation,
            actor=user,
            team=team,
            origin=origin,
            target=user.email,
            parameters=parameters,
            before=before,
        ),
        transaction.atomic(),
    ):
        # The lock separates this from manual changes of members.
        Team.objects.select_for_update().get(pk=team.pk)
        present = user.memberships.filter(team=team).first()
        if not _needs_change(present, rule) or (present is None and _has_departed(user, team)):
            return
        if rule is None:
            user.memberships.filter(team=team).delete()
            return
        grant = {
            "role_slug": rule.role_slug,
            "access_scope": rule.access_scope,
            "granted_at": timezone.now(),
            "granted_by": rule.granted_by,
        }
        Membership.objects.update_or_create(
            team=team,
            user=user,
            defaults=grant,
            create_defaults={**grant, "source": Membership.Source.SIGN_ON},
        )


def _needs_change(present: Membership | None, rule: SignOnRule | None) -> bool:
    """Return whether the rule requires another membership than the present one."""
    if present is None:
        return rule is not None
    if present.source != Membership.Source.SIGN_ON or present.role_slug == OWNER:
        return False
    return rule is None or (present.role_slug, present.access_scope) != (rule.role_slug, rule.access_scope)


def _has_departed(user: User, team: Team) -> bool:
    """Return whether the user left the team or was removed from it, and was not invited again since."""
    return team.departures.of_address(user.email).exists()


def _check_not_linked_to_another(user: User, identity: Identity) -> None:
    """Raise NotAdmitted if the account is linked to another identity of this provider.

    The provider may have given the email address to somebody else since.
    """
    issuer = identity.claims.get("iss")
    others = SocialAccount.objects.filter(provider=PROVIDER_ID, user=user).exclude(uid=identity.uid)
    if any(other.extra_data.get("iss") == issuer for other in others):
        raise NotAdmitted


def _link_identity(user: User, identity: Identity, origin: Origin) -> None:
    """Link the identity to the account. Raises NotAdmitted if it is linked to another account.

    A new link ends all other access to an account whose email address nobody proved before: it may be somebody else's.
    """
    is_unproven = _has_unproven_credentials(user)
    account, created = SocialAccount.objects.get_or_create(
        provider=PROVIDER_ID, uid=identity.uid, defaults={"user": user, "extra_data": dict(identity.claims)}
    )
    if account.user_id != user.pk:
        raise NotAdmitted
    if not created:
        return
    removed = _remove_credentials(user) if is_unproven else []
    for membership in user.memberships.select_related("team"):
        write_record(
            AuditRecord.Outcome.DONE,
            operation="session.link_sign_on",
            actor=user,
            team=membership.team,
            origin=origin,
            target=user.email,
            parameters={"changed": removed},
        )


def _has_unproven_credentials(user: User) -> bool:
    """Return whether somebody can use the account who never proved that its email address is theirs."""
    is_proven = (
        EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
        or SocialAccount.objects.filter(provider=PROVIDER_ID, user=user).exists()
    )
    return not is_proven and bool(_list_credentials(user))


def _list_credentials(user: User) -> list[str]:
    credentials = {
        "password": user.has_usable_password(),
        "second_factor": Authenticator.objects.filter(user=user).exists(),
        "tokens": user.tokens.filter(revoked_at=None).exists(),
    }
    return [name for name, exists in credentials.items() if exists]


def _remove_credentials(user: User) -> list[str]:
    """Remove password, second factors, passkeys and API tokens, and end all sessions. Return which of them there were."""
    removed = _list_credentials(user)
    user.set_unusable_password()  # ends the sessions too
    user.save(update_fields=["password"])
    Authenticator.objects.filter(user=user).delete()
    user.tokens.filter(revoked_at=None).update(revoked_at=timezone.now())
    return removed
