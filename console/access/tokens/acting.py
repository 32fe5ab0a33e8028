"""What a token may do at this moment: never more than its membership, and nothing once either has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext_noop

from console.access.audit import Origin, write_record
from console.access.models import ApiToken, AuditRecord, Membership
from console.access.sign_in.factors import has_second_factor
from console.access.tokens import keys

_NOTED_EVERY = timedelta(minutes=1)
_REFUSAL_NOTED_EVERY = timedelta(hours=1)
USE, REFUSED = "token.use", "token.refused"


class NotWorking(Exception):
    """The token cannot be used (any more). `text` is a msgid of a sentence for who looks at its job, `args` fill it."""

    def __init__(self, text: str, **args: Any) -> None:
        super().__init__(text % args)
        self.text, self.values = text, args


def acting(token: ApiToken) -> Membership:
    """The membership that `token` acts with, limited by it, as both are now. Raises NotWorking."""
    if token.revoked_at is not None:
        raise NotWorking(gettext_noop("Stopped: the API token %(token)s was revoked."), token=token.label)
    if not token.works:
        raise NotWorking(gettext_noop("Stopped: the API token %(token)s has expired."), token=token.label)
    if not token.user.is_active:
        raise NotWorking(
            gettext_noop("Stopped: the account of %(person)s is closed."), person=str(token.user)
        )
    # Who left and came back does not bring their old tokens with them.
    membership = (
        Membership.objects.select_related("team", "user")
        .filter(team=token.team_id, user=token.user_id, created_at__lte=token.created_at)
        .first()
    )
    if membership is None:
        text = gettext_noop("Stopped: %(person)s is no longer a member of the team.")
        raise NotWorking(text, person=str(token.user))
    person = membership.user
    if membership.team.second_factor_required and not (person.is_service or has_second_factor(person)):
        text = gettext_noop("Stopped: the team requires a second factor, and %(person)s has none.")
        raise NotWorking(text, person=str(person))
    return membership.limited_by(token)


def recognise(text: str, origin: Origin) -> Membership | None:
    """The membership that acts by the token `text`; None for what is none or does not work. Use of it is noted."""
    if not keys.looks_right(text):
        return None
    token = ApiToken.objects.select_related("team", "user").filter(digest=keys.digest(text)).first()
    if token is None:
        return None
    try:
        membership = acting(token)
    except NotWorking as reason:
        _note_refusal(token, origin, str(reason))
        return None
    _note_use(token, origin)
    return membership


def _note_use(token: ApiToken, origin: Origin) -> None:
    """Keep when and from where it was used, once a minute; an address it was never used from is a record of the trail."""
    now = timezone.now()
    last = token.last_used_at
    if last is not None and last > now - _NOTED_EVERY and token.last_used_ip == origin.ip:
        return
    # Of several requests at once, one writes.
    mine = ApiToken.objects.filter(pk=token.pk, last_used_at=last)
    if not mine.update(last_used_at=now, last_used_ip=origin.ip):
        return
    if last is None or (token.last_used_ip != origin.ip and not _known_from(token, origin)):
        _record(token, origin, USE, AuditRecord.Outcome.DONE)


def _known_from(token: ApiToken, origin: Origin) -> bool:
    uses = AuditRecord.objects.for_team(token.team).filter(operation=USE, actor=token.user_id, ip=origin.ip)
    return uses.filter(token=token.label, at__gte=token.created_at).exists()


def _note_refusal(token: ApiToken, origin: Origin, reason: str) -> None:
    """Somebody goes on using a token that ended: a record, at most once an hour."""
    seconds = int(_REFUSAL_NOTED_EVERY.total_seconds())
    if cache.add(f"token-refused:{token.pk}", 1, seconds):
        _record(token, origin, REFUSED, AuditRecord.Outcome.REFUSED, reason)


def _record(
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
