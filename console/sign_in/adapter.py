"""The account adapter of django-allauth: no sign-up, limited sign-in attempts, and sign-ins in the audit trail."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.usersessions.models import UserSession
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.accounts.models import User
from console.audit.records import Origin
from console.sign_in.audit_records import record_event, record_failure
from console.sign_in.lockout import LockoutBackend, account_name
from console.sign_in.openid_connect.pages import list_confirmation_methods
from console.sign_in.sessions import run_after_response
from console.ui.links import absolute_url

_WRONG_PASSWORD = _("Wrong password, or too many failed attempts. Check the password, or try again later.")

_MESSAGES = {
    "account/messages/password_changed.txt": _("Password changed."),
    "account/messages/password_set.txt": _("Password set."),
}

_METHOD_LABELS = {
    "reauthenticate": _("Use your password"),
    "mfa_reauthenticate": _("Use your authenticator app or a recovery code"),
    "mfa_reauthenticate:webauthn": _("Use a passkey"),
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no type information
    """Users cannot sign up: an administrator of a team adds them."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "Wrong email address or password, or too many failed attempts. Check your entries, or try again later."
        ),
        "incorrect_password": _WRONG_PASSWORD,
        "enter_current_password": _WRONG_PASSWORD,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return [*super().get_login_stages(), "console.sign_in.openid_connect.adapter.SignOnStage"]

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the IP address that attempts are counted by: the same one as in the audit trail."""
        return Origin.from_request(request).ip or "0.0.0.0"  # noqa: S104 - a key to count by, not an address to listen on

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        console_url = absolute_url(self.request, "/")
        super().send_mail(template_prefix, email, {**context, "console_url": console_url})

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = urlsplit(super().get_reset_password_from_key_url(key)).path
        return absolute_url(self.request, path)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Return False: `console.sign_in.reauthentication` decides this for the pages of allauth as well."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Return the user with this email address and password, or None. The reason for None is not disclosed."""
        user: User | None = authenticate(request, **credentials)
        # Otherwise allauth reveals to a user who knows the password that the account is deactivated.
        LockoutBackend.unstash_authenticated_user()
        if user is None:
            self.authentication_failed(request, **credentials)
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the failure, unless the account is locked for this address: further attempts must not fill the trail."""
        if request.axes_locked_out and request.axes_failures_since_start is None:  # type: ignore[attr-defined]
            return
        user = User.objects.filter(email=account_name(request, credentials)).first()
        if user is not None:
            operation = "session.reauthenticate" if request.user.is_authenticated else "session.sign_in"
            # After the response: writing takes time and happens for existing accounts only, so it would reveal them.
            run_after_response(request, partial(record_failure, request, user, operation))

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Return the ways in which the user can confirm their identity, with the labels of our pages."""
        methods = [
            method | {"description": _METHOD_LABELS.get(method["id"], method["description"])}
            for method in super().get_reauthentication_methods(user)
        ]
        return [*methods, *list_confirmation_methods(user)]

    def reauthenticate(self, user: User, password: str) -> bool:
        """Return whether the password is the user's own."""
        authenticated = self.authenticate(context.request, email=user.email, password=password)
        return authenticated is not None and authenticated.pk == user.pk

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        record_event(request, user, "session.sign_in")

    def logout(self, request: HttpRequest) -> None:
        user, key = request.user, request.session.session_key
        super().logout(request)
        if isinstance(user, User):
            UserSession.objects.filter(session_key=key).delete()
            record_event(request, user, "session.sign_out")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("sign_in:security")

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        message: Any = None,
        **kwargs: Any,
    ) -> None:
        """Show errors, and successes that the next page does not show."""
        message = message or _MESSAGES.get(message_template or "")
        if message is not None:
            super().add_message(request, level, None, *args, message=message, **kwargs)
