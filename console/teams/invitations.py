"""Inviting users by a link: creating, renewing, withdrawing and accepting an invitation.

Only a digest of the link's token is stored. An invitation is valid only if its inviter may still assign the role when it is
accepted: it becomes void if the inviter leaves the team or loses the permission.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import AbstractContextManager
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.accounts.models import Membership, Team, User
from console.accounts.scope import AccessScope, grant_values
from console.audit.records import Origin, record_action
from console.teams.changes import (
    Actor,
    check_grant,
    list_assignable_roles,
    lock_acting_membership,
    record_change,
)
from console.teams.models import INVITATION_DAYS, Invitation

log = logging.getLogger(__name__)


class InvitationClosed(ValidationError):
    """The link was used, was withdrawn, has expired or never existed. The message does not say which of these."""

    def __init__(self) -> None:
        super().__init__(_("This invitation is no longer valid. Ask for a new link."), code="closed")


# -- for the team ------------------------------------------------------------------------------------------------------


def create_invitation(
    actor: Actor, email: str, name: str, role_slug: str, access_scope: AccessScope
) -> tuple[Invitation, str]:
    """Create an invitation. Returns it and the token of its link, which is stored nowhere.

    The result does not depend on whether the address has an account. Raises PermissionDenied, and ValidationError if the
    address belongs to a member or is already invited.
    """
    address = email.strip().lower()
    with (
        record_change(actor, "team.invite", address, grant_values(role_slug, access_scope)),
        transaction.atomic(),
    ):
        acting = lock_acting_membership(actor)
        check_grant(acting, role_slug, access_scope)
        if acting.team.memberships.filter(user__email=address).exists():
            raise ValidationError({"email": gettext("This user is already a member of the team.")})
        if acting.team.invitations.filter(email=address).exists():
            raise ValidationError(
                {
                    "email": gettext(
                        "This address is already invited. Renew the link, or withdraw the invitation first."
                    )
                }
            )
        # A user who left before may join again, also by single sign-on if they sign in with it to accept.
        acting.team.departures.of_address(address).delete()
        token, digest = _new_token()
        invitation = Invitation.objects.create(
            team=acting.team,
            email=address,
            name=name.strip(),
            role_slug=role_slug,
            access_scope=access_scope.to_json(),
            digest=digest,
            is_mailed=settings.SENDS_MAIL,
            invited_by=acting.user,
        )
    return invitation, token


def renew_invitation(actor: Actor, invitation: Invitation) -> tuple[Invitation, str]:
    """Replace the link of an invitation. Returns the invitation and the token of the new link, valid for the full time.

    The previous link becomes invalid. The actor becomes the inviter. Raises PermissionDenied, InvitationClosed.
    """
    parameters = grant_values(invitation.role_slug, invitation.own_scope)
    with record_change(actor, "team.renew_invitation", invitation.email, parameters), transaction.atomic():
        acting, present = _lock_invitation(actor, invitation)
        token, present.digest = _new_token()
        present.is_mailed = settings.SENDS_MAIL
        present.invited_by = acting.user
        present.created_at = timezone.now()
        present.expires_at = present.created_at + timedelta(days=INVITATION_DAYS)
        present.save(update_fields=["digest", "is_mailed", "invited_by", "created_at", "expires_at"])
    return present, token


def withdraw_invitation(actor: Actor, invitation: Invitation) -> None:
    """Delete the invitation. Raises PermissionDenied, InvitationClosed."""
    before = grant_values(invitation.role_slug, invitation.own_scope)
    with (
        record_change(actor, "team.withdraw_invitation", invitation.email, before=before),
        transaction.atomic(),
    ):
        _acting, present = _lock_invitation(actor, invitation)
        present.delete()


def invitation_status(invitation: Invitation, inviter: Membership | None) -> str:
    """Return "open", "expired", or "void" if `inviter`, the present member, may no longer assign the role."""
    if invitation.expires_at <= timezone.now():
        return "expired"
    if inviter is None or not inviter.user.is_active:
        return "void"
    return (
        "open" if invitation.role_slug in {role.slug for role in list_assignable_roles(inviter)} else "void"
    )


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Send the link by email. Returns False if the mail server does not accept it."""
    context = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
    subject = gettext("%(team)s invites you to Fleetdesk") % {"team": invitation.team}
    body = render_to_string("teams/mail/invitation.txt", context)
    try:
        # A name with a line break would create a second header, which Django refuses to send.
        send_mail(" ".join(subject.split()), body, None, [invitation.email])
    except OSError as error:  # SMTPException is one
        log.error("The invitation email was not sent: %s", type(error).__name__)
        return False
    return True


# -- for the invited user -----------------------------------------------------------------------------------------------


def digest_token(token: str) -> str:
    """Return the digest of a token. The database stores only this digest."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_open_invitation(digest: str) -> Invitation | None:
    """Return the invitation with this digest, or None if it cannot be accepted."""
    invitation = Invitation.objects.select_related("team", "invited_by").filter(digest=digest).first()
    if invitation is None:
        return None
    memberships = invitation.team.memberships.select_related("user")
    inviter = memberships.filter(user=invitation.invited_by_id).first()
    return invitation if invitation_status(invitation, inviter) == "open" else None


def accept_invitation(digest: str, user: User, origin: Origin) -> Membership:
    """Make `user`, who has the invited address, a member, and delete the invitation.

    A user who became a member in the meantime keeps their role. Two acceptances at the same time create one membership: the
    second one raises InvitationClosed. Raises PermissionDenied for another user.
    """
    invitation = _require_open_invitation(digest)
    if user.email != invitation.email:
        raise PermissionDenied(gettext("This invitation is for another email address."))
    with _record_join(invitation, user, origin), transaction.atomic():
        return _join(invitation, user)


def accept_as_new_user(digest: str, name: str, password: str, origin: Origin) -> Membership:
    """Create an account for the invited address and accept the invitation: both or neither.

    The address is proved if the link was sent to it. Without email, the inviter may have the link.

    Raises InvitationClosed, and ValidationError if the address has an account. The audit trail of the team does not show that.
    """
    invitation = _require_open_invitation(digest)
    user = User(email=invitation.email, name=name)
    if User.objects.filter(email=user.email).exists():
        raise ValidationError(
            gettext("The invitation was not accepted. If you have an account, sign in first."), code="account"
        )
    user.set_password(password)  # slow, therefore outside of the transaction
    with _record_join(invitation, None, origin), transaction.atomic():
        try:
            with transaction.atomic():
                user.save()
                if invitation.is_mailed:
                    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        except IntegrityError as error:
            raise InvitationClosed from error  # accepted in another tab in the meantime
        return _join(invitation, user)


def _require_open_invitation(digest: str) -> Invitation:
    invitation = find_open_invitation(digest)
    if invitation is None:
        raise InvitationClosed
    return invitation


def _record_join(invitation: Invitation, user: User | None, origin: Origin) -> AbstractContextManager[None]:
    return record_action(
        operation="team.join",
        actor=user,
        actor_label=invitation.email,
        team=invitation.team,
        origin=origin,
        target=invitation.email,
        parameters=grant_values(invitation.role_slug, invitation.own_scope),
    )


def _join(invitation: Invitation, user: User) -> Membership:
    """Create the membership and delete the invitation, with the team's row locked and the invitation checked again."""
    Team.objects.select_for_update().get(pk=invitation.team_id)
    present = _require_open_invitation(invitation.digest)
    inviter = present.team.memberships.get(user=present.invited_by_id)
    membership, _created = Membership.objects.get_or_create(
        team=present.team,
        user=user,
        defaults={
            "role_slug": present.role_slug,
            "access_scope": present.access_scope,
            "granted_by": inviter.list_grantors(),
        },
    )
    present.delete()
    return membership


def _new_token() -> tuple[str, str]:
    token = secrets.token_urlsafe(32)
    return token, digest_token(token)


def _lock_invitation(actor: Actor, invitation: Invitation) -> tuple[Membership, Invitation]:
    """Return the actor's membership and the invitation, read again with the team's row locked."""
    acting = lock_acting_membership(actor)
    present = acting.team.invitations.filter(pk=invitation.pk).first()
    if present is None:
        raise InvitationClosed
    present.team = acting.team
    check_grant(acting, present.role_slug, present.own_scope)
    return acting, present
