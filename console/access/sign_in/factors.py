"""Second factors: how they are kept, who has one, and where a team asks for one."""

from __future__ import annotations

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

from console.access.encryption import Undecryptable, decrypt, encrypt, is_newest, rotate
from console.access.models import Team, User
from console.access.sign_on.adapter import second_factor_by_provider

# What counts as a second factor; recovery codes stand in for one of these.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# Where allauth keeps a secret in an authenticator's data.
_SECRETS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
WRONG_CODE = gettext_lazy("This code is not right, was used before, or wrong ones were tried too often.")


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no type information
    """Secrets of second factors are encrypted at rest; the console is called by its name."""

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
    """Whether the person has a second factor: what a team can require, and an owner needs who switches that on."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def first_use(authenticator: Authenticator, code: str) -> bool:
    """Take a code of an authenticator app. False when it, or a later one, was taken before: no code works twice."""
    secret = decrypt(authenticator.data["secret"])
    fits = (
        counter
        for counter in yield_hotp_counters_from_time()
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter)))
    )
    counter = next(fits, None)
    if counter is None:
        return False
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        if counter <= row.data.get("last_counter", -1):
            return False
        row.data["last_counter"] = counter
        row.save(update_fields=["data"])
    return True


def rotate_secrets(batch: int) -> tuple[int, int]:
    """Bring the secrets of all factors under the newest key: how many were re-encrypted, and how many cannot be read."""
    done = lost = last = 0
    while True:
        with transaction.atomic():
            rows = Authenticator.objects.select_for_update().filter(type__in=_SECRETS, pk__gt=last)
            found = list(rows.order_by("pk")[:batch])
            for row in found:
                name = _SECRETS[Authenticator.Type(row.type)]
                if is_newest(row.data[name]):
                    continue
                try:
                    row.data[name] = rotate(row.data[name])
                except Undecryptable:
                    lost += 1
                    continue
                row.save(update_fields=["data"])
                done += 1
        if len(found) < batch:
            return done, lost
        last = found[-1].pk


def lacks_factor(request: HttpRequest, team: Team) -> bool:
    """Whether the team requires a second factor that whoever is signed in has not."""
    user: Any = request.user
    return team.second_factor_required and not (second_factor_by_provider(request) or has_second_factor(user))


class SecondFactorMiddleware:
    """For pages of a team that requires a second factor: leads members without one to where they set one up.

    Must stand after TeamMiddleware. The person's other teams and their own pages stay as they are.
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
        if team is None or not lacks_factor(request, team):
            return None
        return HttpResponseRedirect(f"{reverse('access:security')}?{urlencode({'team': team.slug})}")
