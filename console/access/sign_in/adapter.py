"""How django-allauth behaves here: nobody signs up by themselves, guessing is braked, and sign-ins are in the audit trail."""

from __future__ import annotations

from functools import partial
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.usersessions.models import UserSession
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.access.audit import Origin
from console.access.models import User
from console.access.sign_in.brake import Backend, account_name
from console.access.sign_in.sessions import after_answer
from console.access.sign_in.trail import note, note_failure
from console.access.sign_on.sign_in import ways_to_prove_again

_WRONG_PASSWORD = _("This password is not right, or wrong ones were tried too often.")

_WAYS = {
    "reauthenticate": _("Use your password"),
    "mfa_reauthenticate": _("Use your authenticator app or a recovery code"),
    "mfa_reauthenticate:webauthn": _("Use a passkey"),
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """People are added by an administrator of a team."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "This address and password do not fit together, or wrong ones were tried too often. After too many tries"
            " wait a while, or use a passkey."
        ),
        "incorrect_password": _WRONG_PASSWORD,
        "enter_current_password": _WRONG_PASSWORD,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return [*super().get_login_stages(), "console.access.sign_on.adapter.SignOnStage"]

    def get_client_ip(self, request: HttpRequest) -> str:
        """What attempts are counted by: the same address as in the audit trail."""
        return Origin.of(request).ip or "0.0.0.0"  # noqa: S104 - a key to count by, not an address to listen on

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Never by allauth: `console.access.reauthentication` asks, for its pages as for ours."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The person of an address and a password, or None: the same answer for each reason why not."""
        user: User | None = authenticate(request, **credentials)
        # allauth would tell somebody who knows the password that the account is switched off.
        Backend.unstash_authenticated_user()
        if user is None:
            self.authentication_failed(request, **credentials)
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Into the trail, unless the account is locked there: nobody fills it by going on."""
        if request.axes_locked_out and request.axes_failures_since_start is None:  # type: ignore[attr-defined]
            return
        user = User.objects.filter(email=account_name(request, credentials)).first()
        if user is not None:
            operation = "session.reauthenticate" if request.user.is_authenticated else "session.sign_in"
            # Once the answer is sent: writing takes time, and only accounts that there are have a trail.
            after_answer(request, partial(note_failure, request, user, operation))

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """How the person can confirm that it is they, in the words of our pages."""
        ways = [
            way | {"description": _WAYS.get(way["id"], way["description"])}
            for way in super().get_reauthentication_methods(user)
        ]
        return [*ways, *ways_to_prove_again(user)]

    def reauthenticate(self, user: User, password: str) -> bool:
        """Whether the password is the person's own."""
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        note(request, user, "session.sign_in")

    def logout(self, request: HttpRequest) -> None:
        user, key = request.user, request.session.session_key
        super().logout(request)
        if isinstance(user, User):
            UserSession.objects.filter(session_key=key).delete()
            note(request, user, "session.sign_out")

    def add_message(
        self, request: HttpRequest, level: int, *args: Any, message: Any = None, **kwargs: Any
    ) -> None:
        """Says what went wrong. What went well the page that follows shows."""
        if message is not None:
            super().add_message(request, level, *args, message=message, **kwargs)
