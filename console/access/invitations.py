"""Inviting people by a link: to make it, to make it anew, to take it back, to accept it.

Only a digest of the link's token is kept. An invitation is worth what its inviter may give at the moment when it is accepted:
who left the team, or lost the right, leaves no open door behind.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import AbstractContextManager
from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.access.audit import Origin, recorded
from console.access.models import INVITATION_DAYS, Invitation, Membership, Team, User
from console.access.scope import AccessScope
from console.access.teams import Actor, acting_now, assignable, check_grant, granted, recorded_as

log = logging.getLogger(__name__)


class NotOpen(ValidationError):
    """The link was used, taken back, is too old, or never was one: nobody is told which."""

    def __init__(self) -> None:
        super().__init__(_("This invitation is not open any more."), code="closed")


# -- the team's side ---------------------------------------------------------------------------------------------------


def invite(
    actor: Actor, email: str, name: str, role_slug: str, access_scope: AccessScope
) -> tuple[Invitation, str]:
    """A new invitation and the token of its link, which is nowhere else.

    It is made alike for an address with and without an account here. Raises PermissionDenied, and ValidationError when the
    address is a member's or invited already.
    """
    address = email.strip().lower()
    with recorded_as(actor, "team.invite", address, granted(role_slug, access_scope)), transaction.atomic():
        acting = acting_now(actor)
        check_grant(acting, role_slug, access_scope)
        if acting.team.memberships.filter(user__email=address).exists():
            raise ValidationError({"email": gettext("This person is a member of the team already.")})
        if acting.team.invitations.filter(email=address).exists():
            raise ValidationError(
                {
                    "email": gettext(
                        "This address is invited already. Make its link anew, or withdraw it first."
                    )
                }
            )
        # Who once left may come in again: also by single sign-on, where that is how they sign in to accept.
        acting.team.departures.filter(user__email=address).delete()
        token, digest = _token()
        invitation = Invitation.objects.create(
            team=acting.team,
            email=address,
            name=name.strip(),
            role_slug=role_slug,
            access_scope=access_scope.kept(),
            digest=digest,
            invited_by=acting.user,
        )
    return invitation, token


def renew(actor: Actor, invitation: Invitation) -> tuple[Invitation, str]:
    """The invitation with a new link that works for as long as a first one; the old link works no more.

    Who renews it answers for it from now on. Raises PermissionDenied, NotOpen.
    """
    parameters = granted(invitation.role_slug, invitation.own_scope)
    with recorded_as(actor, "team.renew_invitation", invitation.email, parameters), transaction.atomic():
        acting, present = _as_it_is_now(actor, invitation)
        token, present.digest = _token()
        present.invited_by = acting.user
        present.created_at = timezone.now()
        present.expires_at = present.created_at + timedelta(days=INVITATION_DAYS)
        present.save(update_fields=["digest", "invited_by", "created_at", "expires_at"])
    return present, token


def withdraw(actor: Actor, invitation: Invitation) -> None:
    """Take the invitation back. Raises PermissionDenied, NotOpen."""
    before = granted(invitation.role_slug, invitation.own_scope)
    with (
        recorded_as(actor, "team.withdraw_invitation", invitation.email, before=before),
        transaction.atomic(),
    ):
        _acting, present = _as_it_is_now(actor, invitation)
        present.delete()


def state(invitation: Invitation, inviter: Membership | None) -> str:
    """What has become of it: "open", "expired", or "void" when `inviter` (in the team now) may no longer give its role."""
    if invitation.expires_at <= timezone.now():
        return "expired"
    if inviter is None or not inviter.user.is_active:
        return "void"
    return "open" if invitation.role_slug in {role.slug for role in assignable(inviter)} else "void"


def send(invitation: Invitation, link: str) -> bool:
    """Mail the link; False when the mail server does not take it."""
    context = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
    subject = gettext("%(team)s invites you to Fleetdesk") % {"team": invitation.team}
    body = render_to_string("access/mail/invitation.txt", context)
    try:
        # A name with a line break would be a second header, which Django refuses to send.
        send_mail(" ".join(subject.split()), body, None, [invitation.email])
    except OSError as error:  # SMTPException is one
        log.error("An invitation was not sent: %s", type(error).__name__)
        return False
    return True


# -- the invited person's side -----------------------------------------------------------------------------------------


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_invitation(digest: str) -> Invitation | None:
    """The invitation of that digest, if it can be accepted."""
    found = Invitation.objects.select_related("team", "invited_by").filter(digest=digest).first()
    if found is None:
        return None
    inviter = found.team.memberships.select_related("user").filter(user=found.invited_by_id).first()
    return found if state(found, inviter) == "open" else None


def accept(digest: str, user: User, origin: Origin) -> Membership:
    """Make `user`, who has the invited address, a member, and close the invitation.

    Who became a member meanwhile keeps what they have. Two acceptances at once make one membership: the second raises NotOpen.
    Raises PermissionDenied for another person.
    """
    invitation = _still_open(digest)
    if user.email != invitation.email:
        raise PermissionDenied(gettext("This invitation is for another e-mail address."))
    with _joining(invitation, user, origin), transaction.atomic():
        return _join(invitation, user)


def accept_as_new_person(digest: str, name: str, password: str, origin: Origin) -> Membership:
    """Make an account for the invited address, and accept: both or neither.

    Raises NotOpen, and ValidationError when the address has an account. The team's trail does not tell that.
    """
    invitation = _still_open(digest)
    user = User(email=invitation.email, name=name)
    if User.objects.filter(email=user.email).exists():
        raise ValidationError(
            gettext("This address has an account already. Sign in, then accept."), code="account"
        )
    user.set_password(password)  # takes its time: outside of the transaction
    with _joining(invitation, None, origin), transaction.atomic():
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError as error:
            raise NotOpen from error  # another tab was faster
        return _join(invitation, user)


def _still_open(digest: str) -> Invitation:
    found = open_invitation(digest)
    if found is None:
        raise NotOpen
    return found


def _joining(invitation: Invitation, user: User | None, origin: Origin) -> AbstractContextManager[None]:
    return recorded(
        operation="team.join",
        actor=user,
        actor_label=invitation.email,
        team=invitation.team,
        origin=origin,
        target=invitation.email,
        parameters=granted(invitation.role_slug, invitation.own_scope),
    )


def _join(invitation: Invitation, user: User) -> Membership:
    """The membership, once the team's row is locked and the invitation still open; closes it."""
    Team.objects.select_for_update().get(pk=invitation.team_id)
    present = _still_open(invitation.digest)
    membership, _created = Membership.objects.get_or_create(
        team=present.team,
        user=user,
        defaults={"role_slug": present.role_slug, "access_scope": present.access_scope},
    )
    present.delete()
    return membership


def _token() -> tuple[str, str]:
    token = secrets.token_urlsafe(32)
    return token, digest_of(token)


def _as_it_is_now(actor: Actor, invitation: Invitation) -> tuple[Membership, Invitation]:
    """Who acts and the invitation, with the team's row locked."""
    acting = acting_now(actor)
    present = acting.team.invitations.filter(pk=invitation.pk).first()
    if present is None:
        raise NotOpen
    present.team = acting.team
    check_grant(acting, present.role_slug, present.own_scope)
    return acting, present
