"""Creates and revokes tokens. Each change is recorded in the audit trail, without the text of the token."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from console.accounts.models import ApiToken, Membership, User
from console.accounts.roles import OWNER, Area, Level, Role
from console.accounts.scope import AccessScope, grant_values
from console.audit.records import Origin, record_action
from console.teams.changes import Actor, lock_acting_membership, record_change
from console.teams.tokens import keys

MAX_DAYS, DEFAULT_DAYS = 365, 90
# The email domain of service accounts. No email can be sent to it (RFC 2606).
_SERVICE_DOMAIN = "service.invalid"


@dataclass(frozen=True)
class TokenDraft:
    """The token to create. `days` is how long it is valid."""

    name: str
    role_slug: str
    access_scope: AccessScope
    days: int


@dataclass(frozen=True)
class CreatedToken:
    """A new token. `key` is its text, which cannot be shown again."""

    token: ApiToken
    key: str


def list_token_roles(membership: Membership) -> list[Role]:
    """Return the roles that a token of this member may have: none with more permissions than their own, and never owner."""
    return [
        role
        for role in membership.team.roles.values()
        if role.slug != OWNER and membership.role.includes(role)
    ]


def create_personal_token(actor: Actor, draft: TokenDraft) -> CreatedToken:
    """Create a token that acts for the actor. Raises PermissionDenied, and ValidationError if the name is in use."""
    with _record_creation(actor, "token.make", draft), transaction.atomic():
        membership = lock_acting_membership(actor)
        _check_draft(membership, draft)
        if _valid_tokens(membership).filter(user=membership.user, name=draft.name).exists():
            raise _name_in_use()
        return _create(membership, membership.user, draft)


def create_team_token(actor: Actor, draft: TokenDraft) -> CreatedToken:
    """Create a token of the team. It acts for a separate service account, which stays when the actor leaves the team.

    Raises PermissionDenied, and ValidationError if the name is in use.
    """
    with _record_creation(actor, "token.make_for_team", draft), transaction.atomic():
        membership = lock_acting_membership(actor)
        if not membership.has_level(Area.MEMBERS, Level.WRITE):
            raise PermissionDenied(gettext("Your role cannot create team tokens."))
        _check_draft(membership, draft)
        if _valid_tokens(membership).filter(user__is_service=True, name=draft.name).exists():
            raise _name_in_use()
        account = User.objects.create_user(
            f"{uuid.uuid4().hex}@{_SERVICE_DOMAIN}", None, name=draft.name, is_service=True
        )
        Membership.objects.create(
            team=membership.team,
            user=account,
            role_slug=draft.role_slug,
            access_scope=draft.access_scope.to_json(),
            granted_by=membership.list_grantors(),
        )
        return _create(membership, account, draft)


def revoke_token(token: ApiToken, user: User, origin: Origin) -> None:
    """Revoke a token: its next request and the next step of its jobs are refused. Can be repeated.

    The token's user may do this, and those who may change members of its team. Raises PermissionDenied for all others.
    """
    with record_action(
        operation="token.revoke", actor=user, team=token.team, origin=origin, target=token.label
    ):
        memberships = Membership.objects.select_related("team", "user")
        membership = memberships.filter(team=token.team_id, user=user, user__is_active=True).first()
        if token.user_id != user.pk and not (membership and membership.has_level(Area.MEMBERS, Level.WRITE)):
            raise PermissionDenied(gettext("Your role cannot revoke this token."))
        with transaction.atomic():
            ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
            if token.user.is_service:
                Membership.objects.filter(team=token.team_id, user=token.user_id).delete()
                User.objects.filter(pk=token.user_id).update(is_active=False)


def _record_creation(actor: Actor, operation: str, draft: TokenDraft) -> AbstractContextManager[None]:
    parameters = {**grant_values(draft.role_slug, draft.access_scope), "days": draft.days}
    return record_change(actor, operation, draft.name, parameters)


def _check_draft(membership: Membership, draft: TokenDraft) -> None:
    if draft.role_slug not in {role.slug for role in list_token_roles(membership)}:
        raise PermissionDenied(gettext("Your role does not allow you to assign this role."))
    if not 1 <= draft.days <= MAX_DAYS:
        raise ValidationError(
            gettext("A token is valid for 1 to %(max)d days.") % {"max": MAX_DAYS}, code="days"
        )


def _valid_tokens(membership: Membership) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(team=membership.team, revoked_at=None, expires_at__gt=timezone.now())


def _name_in_use() -> ValidationError:
    return ValidationError(
        {"name": gettext("A valid token with this name exists. Choose another name, or revoke that token.")}
    )


def _create(membership: Membership, user: User, draft: TokenDraft) -> CreatedToken:
    key = keys.new_key()
    now = timezone.now()
    token = ApiToken.objects.create(
        team=membership.team,
        user=user,
        name=draft.name,
        digest=keys.compute_digest(key),
        hint=keys.compute_hint(key),
        role_slug=draft.role_slug,
        access_scope=draft.access_scope.to_json(),
        created_by=membership.user,
        created_at=now,
        expires_at=now + timedelta(days=draft.days),
    )
    return CreatedToken(token, key)
