"""Second factors: their storage, users who have one, and teams that require one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from console.accounts.encryption import SecretStore, Undecryptable, decrypt, encrypt, is_newest, rotate
from console.accounts.models import Team, User
from console.sign_in.openid_connect.adapter import has_provider_second_factor

# The types that count as a second factor. Recovery codes only replace one of these.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# The key of the secret in `data` of an authenticator of allauth.
_SECRET_KEYS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
# A code that is submitted again within this time after it was accepted is taken for a double click.
_DOUBLE_SUBMISSION_SECONDS = 5
WRONG_CODE = gettext_lazy(
    "Wrong or already used code, or too many failed attempts. Enter a new code, or try again later."
)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no type information
    """Encrypts the secrets of second factors at rest, and names the console in authenticator apps and passkeys."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text)

    def get_totp_issuer(self) -> str:
        return "Fleetdesk"

    def _get_site_name(self) -> str:
        return "Fleetdesk"

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return gettext("Passkey %(number)s") % {"number": number}


def has_second_factor(user: User) -> bool:
    """Return whether the user has a second factor in the console.

    A team can require one from its members. An owner needs one to set that requirement.
    """
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def find_users_with_second_factor(user_ids: Iterable[int]) -> set[int]:
    """Return the ids of those users who have a second factor in the console."""
    factors = Authenticator.objects.filter(user_id__in=user_ids, type__in=FACTORS)
    return set(factors.values_list("user_id", flat=True))


def accept_code(authenticator: Authenticator, code: str) -> bool:
    """Accept a code of an authenticator app once. Return False if the code is wrong, or if it or a later one was used."""
    counter = _find_counter(authenticator, code)
    if counter is None:
        return False
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        if counter <= row.data.get("last_counter", -1):
            return False
        row.data |= {"last_counter": counter, "accepted_at": time.time(), "reuse_notified": False}
        row.save(update_fields=["data"])
    return True


def claim_reuse_notification(user: User, code: str) -> bool:
    """Return whether the user is to be notified that this code, or a later one of their app, was used before.

    True once for each accepted code: the call counts as the notification. False within a few seconds of its acceptance,
    because the user may have submitted the form twice.
    """
    with transaction.atomic():
        apps = Authenticator.objects.select_for_update().filter(type=Authenticator.Type.TOTP)
        row = apps.filter(user_id=user.pk).first()
        if row is None or row.data.get("reuse_notified", True):
            return False
        counter = _find_counter(row, code)
        if counter is None or counter > row.data["last_counter"]:
            return False
        if time.time() - row.data["accepted_at"] < _DOUBLE_SUBMISSION_SECONDS:
            return False
        row.data["reuse_notified"] = True
        row.save(update_fields=["data"])
    return True


def _find_counter(authenticator: Authenticator, code: str) -> int | None:
    """Return the time step of a code of an authenticator app, or None if it is wrong or not valid at this time."""
    secret = decrypt(authenticator.data["secret"])
    matching = (
        counter
        for counter in yield_hotp_counters_from_time()
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter)))
    )
    return next(matching, None)


def _rotate_secrets(batch: int) -> tuple[int, int]:
    """Encrypt the secrets of all factors with the newest key, as `SecretStore.rotate` does."""
    rotated = unreadable = last_pk = 0
    while True:
        with transaction.atomic():
            remaining = Authenticator.objects.select_for_update().filter(
                type__in=_SECRET_KEYS, pk__gt=last_pk
            )
            rows = list(remaining.order_by("pk")[:batch])
            for row in rows:
                name = _SECRET_KEYS[Authenticator.Type(row.type)]
                if is_newest(row.data[name]):
                    continue
                try:
                    row.data[name] = rotate(row.data[name])
                except Undecryptable:
                    unreadable += 1
                    continue
                row.save(update_fields=["data"])
                rotated += 1
        if len(rows) < batch:
            return rotated, unreadable
        last_pk = rows[-1].pk


SECRETS = SecretStore("Second factors", _rotate_secrets)


def lacks_second_factor(request: HttpRequest, team: Team) -> bool:
    """Return whether the team requires a second factor and the user has none, neither here nor at the identity provider."""
    user: Any = request.user
    return team.requires_second_factor and not (
        has_provider_second_factor(request) or has_second_factor(user)
    )


class SecondFactorMiddleware:
    """Redirects members without a second factor to its setup when they open a page of a team that requires one.

    Must come after TeamMiddleware. The user's other teams and their own pages are not affected.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response

    def process_view(
        self, request: Any, view: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        team = request.team
        if team is None or not lacks_second_factor(request, team):
            return None
        return HttpResponseRedirect(f"{reverse('sign_in:security')}?{urlencode({'team': team.slug})}")
