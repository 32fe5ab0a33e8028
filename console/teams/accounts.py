"""Deleting an account."""

from __future__ import annotations

from contextlib import ExitStack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from console.accounts.models import Team, User
from console.accounts.personal_data import delete_personal_data
from console.audit.records import Origin, record_action
from console.sign_in.sessions import end_sessions, list_sessions
from console.teams.changes import Actor, is_last_owner, remove_member


def check_other_owners(user: User) -> None:
    """Raise ValidationError if a team would have no owner without the user."""
    memberships = user.memberships.select_related("team").order_by("team__name")
    if names := [membership.team.name for membership in memberships if is_last_owner(membership)]:
        raise ValidationError(
            gettext("You are the only owner of %(teams)s. Transfer ownership, or delete the team first."),
            code="owner",
            params={"teams": ", ".join(names)},
        )


def delete_account(user: User, origin: Origin) -> None:
    """End the user's memberships, sessions and API tokens, and delete what the console stores about them.

    The row of the account stays without personal data, because jobs and approval requests refer to it. The audit trails keep
    the email address. Raises ValidationError if the user is the only owner of a team.
    """
    check_other_owners(user)
    memberships = list(user.memberships.select_related("team", "user"))
    teams: list[Team | None] = [membership.team for membership in memberships]
    with ExitStack() as records:
        for team in teams or [None]:
            records.enter_context(
                record_action(
                    operation="profile.delete", actor=user, team=team, origin=origin, target=user.email
                )
            )
        for membership in memberships:
            remove_member(Actor(membership, origin), membership)
        with transaction.atomic():
            end_sessions(list_sessions(user))
            user.tokens.filter(revoked_at=None).update(revoked_at=timezone.now())
            delete_personal_data(user)
            user.erase()
