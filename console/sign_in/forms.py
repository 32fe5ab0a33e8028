"""The forms of allauth, with lockout, single-use codes, and messages that do not reveal whether an account exists."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter as account_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.webauthn import forms as webauthn_forms
from django import forms
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.accounts.encryption import Undecryptable, decrypt, encrypt
from console.accounts.models import User
from console.sign_in import lockout
from console.sign_in.audit_records import record_failure
from console.sign_in.factors import accept_code, claim_reuse_notification
from console.sign_in.passwords import NewPasswordInput, describe_password_rules
from console.sign_in.sessions import run_after_response

log = logging.getLogger(__name__)


def _send_after_response(request: HttpRequest, send: Callable[[], Any], subject: str) -> None:
    """Send an email after the response: sending takes time, and an error of the mail server must not change the response."""

    def task() -> None:
        try:
            with context.request_context(request):
                send()
        except OSError as error:  # SMTPException is one
            log.error("The email %s was not sent: %s", subject, type(error).__name__)

    run_after_response(request, task)


class _CodeForm(forms.Form):
    """A form with a code. Wrong codes count toward the lockout, and each code of an authenticator app works once."""

    operation = "session.second_factor"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        code = self.fields["code"]
        code.label = pgettext_lazy("of a second factor", "Code")
        code.widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        request = context.request
        if lockout.is_locked(request, self.user.email):  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        try:
            return self._validated_code()
        except forms.ValidationError:
            lockout.count_failure(request, self.user.email)  # type: ignore[attr-defined]
            record_failure(request, self.user, self.operation)  # type: ignore[attr-defined]
            self._notify_of_reuse(request)
            raise
        except Undecryptable:
            raise forms.ValidationError(
                _(
                    "The code cannot be checked: the server does not have the encryption key. "
                    "Contact the server administrator."
                )
            ) from None

    def _validated_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        authenticator: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if authenticator.type == Authenticator.Type.TOTP and not accept_code(authenticator, code):
            raise get_adapter().validation_error("incorrect_code")
        return code

    def _notify_of_reuse(self, request: HttpRequest) -> None:
        user: User = self.user  # type: ignore[attr-defined]
        if claim_reuse_notification(user, self.cleaned_data["code"]):
            send = partial(get_adapter().send_notification_mail, "mfa/email/totp_code_reused", user)
            _send_after_response(request, send, "about a reused code")


class AuthenticateForm(_CodeForm, mfa_forms.AuthenticateForm):  # type: ignore[misc]  # allauth has no type information
    """The second step of signing in."""


class ReauthenticateForm(_CodeForm, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    """A user confirms their identity with a code."""

    operation = "session.reauthenticate"


class ActivateTOTPForm(_CodeForm, totp_forms.ActivateTOTPForm):  # type: ignore[misc]
    """Sets up an authenticator app. Until then the session keeps its secret, encrypted as in the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        session = context.request.session
        encrypted = session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if self.is_bound and encrypted:
            self.secret = decrypt(encrypted)
        else:
            session[SECRET_SESSION_KEY] = encrypt(self.secret)

    def _validated_code(self) -> str:
        # The authenticator does not exist yet: the view marks the code as used once it does.
        return totp_forms.ActivateTOTPForm.clean_code(self)  # type: ignore[no-any-return]


class _CredentialField(forms.JSONField):
    """The credential of a passkey from the browser: a JSON object. Everything else becomes None."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        try:
            credential = super().to_python(value)
        except RecursionError:
            credential = None
        return credential if isinstance(credential, dict) else None


@contextmanager
def _refuse_malformed() -> Iterator[None]:
    """Refuse a malformed credential like a wrong code. Parsing one can raise any exception."""
    try:
        yield
    except (forms.ValidationError, DatabaseError):
        raise
    except Exception as error:
        raise get_adapter().validation_error("incorrect_code") from error


class _PasskeyForm(forms.Form):
    credential = _CredentialField()

    def clean_credential(self) -> Authenticator:
        with _refuse_malformed():
            return super().clean_credential()  # type: ignore[misc, no-any-return]


class AuthenticatePasskeyForm(_PasskeyForm, webauthn_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """The second step of signing in, with a passkey."""


class LoginPasskeyForm(_PasskeyForm, webauthn_forms.LoginWebAuthnForm):  # type: ignore[misc]
    """Signing in with a passkey alone."""


class ReauthenticatePasskeyForm(_PasskeyForm, webauthn_forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A user confirms their identity with a passkey."""


class AddPasskeyForm(webauthn_forms.AddWebAuthnForm):  # type: ignore[misc]
    """Adds a passkey. It can replace the password, unless the user wants it as a second factor only."""

    credential = _CredentialField()
    name = forms.CharField(label=_("Passkey name"), max_length=80, required=False)
    passwordless = forms.BooleanField(
        label=_("Use this passkey without a password"),
        required=False,
        initial=True,
        help_text=_("Your device asks for a PIN, fingerprint or face at each sign-in."),
    )

    def clean(self) -> dict[str, Any]:
        with _refuse_malformed():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class EditPasskeyForm(webauthn_forms.EditWebAuthnForm):  # type: ignore[misc]
    """Renames a passkey."""

    name = forms.CharField(label=_("Passkey name"), max_length=80)


class LoginForm(account_forms.LoginForm):  # type: ignore[misc]
    """Email address and password, labeled as on the other pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Email address")
        self.fields["login"].widget.attrs.pop("placeholder", None)


class ResetPasswordForm(account_forms.ResetPasswordForm):  # type: ignore[misc]
    """The email address that the link to set a new password is sent to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("Email address")
        self.fields["email"].widget.attrs.pop("placeholder", None)

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        # After the response: only existing accounts get an email.
        _send_after_response(request, partial(super().save, request, **kwargs), "to reset a password")
        return str(self.cleaned_data["email"])


class _NewPasswordForm(forms.Form):
    """A new password, entered twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].widget = NewPasswordInput()
        self.fields["password1"].label = _("New password")
        self.fields["password1"].help_text = describe_password_rules()
        self.fields["password2"].label = _("Confirm new password")
        self.fields["password2"].error_messages["required"] = _("Enter the new password again.")


class ResetPasswordKeyForm(_NewPasswordForm, account_forms.ResetPasswordKeyForm):  # type: ignore[misc]
    """Sets a new password by a link from an email."""


class SetPasswordForm(_NewPasswordForm, account_forms.SetPasswordForm):  # type: ignore[misc]
    """Sets the first password of a user who signs in in another way."""


class ChangePasswordForm(_NewPasswordForm, account_forms.ChangePasswordForm):  # type: ignore[misc]
    """Changes the password. A wrong current password counts as a failed attempt."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].label = _("Current password")

    def clean_oldpassword(self) -> str:
        password: str = self.cleaned_data["oldpassword"]
        if not account_adapter().reauthenticate(self.user, password):
            raise account_adapter().validation_error("enter_current_password")
        return password
