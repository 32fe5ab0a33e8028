"""Making and revoking tokens. Each is a record of the audit trail; the text of a token is in none."""

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

from console.access.audit import Origin, recorded
from console.access.models import ApiToken, Membership, User
from console.access.roles import OWNER, Area, Level, Role
from console.access.scope import AccessScope
from console.access.teams import Actor, acting_now, granted, recorded_as
from console.access.tokens import keys

LONGEST_DAYS, DEFAULT_DAYS = 365, 90
# A domain that no mail can be sent to (RFC 2606): what a service account has in the place of an address.
_NO_DOMAIN = "service.invalid"


@dataclass(frozen=True)
class Wanted:
    """What a token is to be: `days` is how long it works."""

    name: str
    role_slug: str
    access_scope: AccessScope
    days: int


@dataclass(frozen=True)
class Made:
    """A new token; `key` is its text, which nobody can be shown again."""

    token: ApiToken
    key: str


def giveable(membership: Membership) -> list[Role]:
    """The roles that a token of this member may have: none that reaches further than their own, and never owner."""
    return [
        role
        for role in membership.team.roles.values()
        if role.slug != OWNER and membership.role.includes(role)
    ]


def make_personal(actor: Actor, wanted: Wanted) -> Made:
    """A token that acts for the actor. Raises PermissionDenied, and ValidationError for a name in use."""
    with _recorded(actor, "token.make", wanted), transaction.atomic():
        acting = acting_now(actor)
        _check(acting, wanted)
        if _working(acting).filter(user=acting.user, name=wanted.name).exists():
            raise _name_taken()
        return _make(acting, acting.user, wanted)


def make_for_team(actor: Actor, wanted: Wanted) -> Made:
    """A token of the team's own: it acts for an account made for it, which stays when the actor leaves.

    Raises PermissionDenied, and ValidationError for a name in use.
    """
    with _recorded(actor, "token.make_for_team", wanted), transaction.atomic():
        acting = acting_now(actor)
        if not acting.has_level(Area.MEMBERS, Level.WRITE):
            raise PermissionDenied(gettext("Your role does not allow making tokens of the team."))
        _check(acting, wanted)
        if _working(acting).filter(user__is_service=True, name=wanted.name).exists():
            raise _name_taken()
        account = User.objects.create_user(
            f"{uuid.uuid4().hex}@{_NO_DOMAIN}", None, name=wanted.name, is_service=True
        )
        Membership.objects.create(
            team=acting.team,
            user=account,
            role_slug=wanted.role_slug,
            access_scope=wanted.access_scope.kept(),
        )
        return _make(acting, account, wanted)


def revoke(token: ApiToken, person: User, origin: Origin) -> None:
    """End a token: its next request, and the next step of its jobs, is refused. Safe to repeat.

    Its person may, and who may change members of its team. Raises PermissionDenied for anybody else.
    """
    with recorded(operation="token.revoke", actor=person, team=token.team, origin=origin, target=token.label):
        membership = Membership.objects.select_related("team", "user").filter(
            team=token.team_id, user=person, user__is_active=True
        )
        present = membership.first()
        if token.user_id != person.pk and not (present and present.has_level(Area.MEMBERS, Level.WRITE)):
            raise PermissionDenied(gettext("Your role does not allow revoking this token."))
        with transaction.atomic():
            ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
            if token.user.is_service:
                Membership.objects.filter(team=token.team_id, user=token.user_id).delete()
                User.objects.filter(pk=token.user_id).update(is_active=False)


def _recorded(actor: Actor, operation: str, wanted: Wanted) -> AbstractContextManager[None]:
    given = {**granted(wanted.role_slug, wanted.access_scope), "days": wanted.days}
    return recorded_as(actor, operation, wanted.name, given)


def _check(acting: Membership, wanted: Wanted) -> None:
    if wanted.role_slug not in {role.slug for role in giveable(acting)}:
        raise PermissionDenied(gettext("Your role does not allow giving this role."))
    if not 1 <= wanted.days <= LONGEST_DAYS:
        raise ValidationError(
            gettext("A token works for 1 to %(most)d days.") % {"most": LONGEST_DAYS}, code="days"
        )


def _working(acting: Membership) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(team=acting.team, revoked_at=None, expires_at__gt=timezone.now())


def _name_taken() -> ValidationError:
    return ValidationError(
        {"name": gettext("A token of this name works already. Choose another, or revoke that one.")}
    )


def _make(acting: Membership, user: User, wanted: Wanted) -> Made:
    key = keys.new_key()
    now = timezone.now()
    token = ApiToken.objects.create(
        team=acting.team,
        user=user,
        name=wanted.name,
        digest=keys.digest(key),
        hint=keys.hint(key),
        role_slug=wanted.role_slug,
        access_scope=wanted.access_scope.kept(),
        created_by=acting.user,
        created_at=now,
        expires_at=now + timedelta(days=wanted.days),
    )
    return Made(token, key)
