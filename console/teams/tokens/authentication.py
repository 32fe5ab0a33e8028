"""Authentication by token. A token never allows more than its membership, and nothing after either has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.accounts.models import ApiToken, Membership
from console.audit.models import AuditRecord
from console.audit.records import Origin, write_record
from console.sign_in.factors import has_second_factor
from console.teams.tokens import keys

_USE_INTERVAL = timedelta(minutes=1)
_REFUSAL_INTERVAL = timedelta(hours=1)
USE, REFUSED = "token.use", "token.refused"


class InvalidToken(Exception):
    """The token cannot be used, or no longer. `text` is the msgid of a message for the token's job, `args` its values."""

    def __init__(self, text: str, **args: Any) -> None:
        super().__init__(text % args)
        self.text, self.values = text, args


def find_membership(token: ApiToken) -> Membership:
    """Return the membership of the token's user, limited by the token, as both are now. Raises InvalidToken."""
    if token.revoked_at is not None:
        raise InvalidToken(gettext_noop("Stopped: the API token %(token)s was revoked."), token=token.label)
    if not token.is_valid:
        raise InvalidToken(gettext_noop("Stopped: the API token %(token)s has expired."), token=token.label)
    if not token.user.is_active:
        raise InvalidToken(
            gettext_noop("Stopped: the account of %(person)s is deactivated."), person=str(token.user)
        )
    # Tokens of a user who left the team stay invalid if the user joins it again.
    membership = (
        Membership.objects.select_related("team", "user")
        .filter(team=token.team_id, user=token.user_id, created_at__lte=token.created_at)
        .first()
    )
    if membership is None:
        text = gettext_noop("Stopped: %(person)s is no longer a member of the team.")
        raise InvalidToken(text, person=str(token.user))
    user = membership.user
    if membership.team.requires_second_factor and not (user.is_service or has_second_factor(user)):
        text = gettext_noop("Stopped: the team requires a second factor, and %(person)s has none.")
        raise InvalidToken(text, person=str(user))
    return membership.limit_to_token(token)


def authenticate(text: str, origin: Origin) -> Membership | None:
    """Return the membership for the text of a token, or None if the token is unknown or invalid. Record its use."""
    if not keys.is_well_formed(text):
        return None
    token = ApiToken.objects.select_related("team", "user").filter(digest=keys.compute_digest(text)).first()
    if token is None:
        return None
    try:
        membership = find_membership(token)
    except InvalidToken as error:
        _record_refusal(token, origin, str(error))
        return None
    _record_use(token, origin)
    return membership


def _record_use(token: ApiToken, origin: Origin) -> None:
    """Save when and from where the token was used, once a minute. The first use from an IP address is an audit record."""
    now = timezone.now()
    last = token.last_used_at
    if last is not None and last > now - _USE_INTERVAL and token.last_used_ip == origin.ip:
        return
    # Only one of several simultaneous requests writes.
    unchanged = ApiToken.objects.filter(pk=token.pk, last_used_at=last)
    if not unchanged.update(last_used_at=now, last_used_ip=origin.ip):
        return
    if last is None or (token.last_used_ip != origin.ip and not _was_used_from(token, origin)):
        _write_record(token, origin, USE, AuditRecord.Outcome.DONE)


def _was_used_from(token: ApiToken, origin: Origin) -> bool:
    uses = AuditRecord.objects.for_team(token.team).filter(operation=USE, actor=token.user_id, ip=origin.ip)
    return uses.filter(token=token.label, at__gte=token.created_at).exists()


def _record_refusal(token: ApiToken, origin: Origin, reason: str) -> None:
    """Record the use of an invalid token, once an hour at most."""
    seconds = int(_REFUSAL_INTERVAL.total_seconds())
    if cache.add(f"token-refused:{token.pk}", 1, seconds):
        _write_record(token, origin, REFUSED, AuditRecord.Outcome.REFUSED, reason)


def _write_record(
    token: ApiToken, origin: Origin, operation: str, outcome: AuditRecord.Outcome, message: str = ""
) -> None:
    write_record(
        outcome,
        message,
        operation=operation,
        actor=token.user,
        team=token.team,
        origin=replace(origin, token=token.label),
        target=token.label,
    )
