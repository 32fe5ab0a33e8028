"""allauth's forms, with the brake on guessing, codes that work once, and words that tell a stranger nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.access.encryption import Undecryptable, decrypt, encrypt
from console.access.sign_in import brake
from console.access.sign_in.factors import first_use
from console.access.sign_in.trail import note_failure


class _CodeForm(forms.Form):
    """A code under the brake; of an authenticator app each code is taken once."""

    what = "session.second_factor"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        code = self.fields["code"]
        code.label = pgettext_lazy("of a second factor", "Code")
        code.widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        request = context.request
        if brake.locked(request, self.user.email):  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        try:
            return self._taken()
        except forms.ValidationError:
            brake.failed(request, self.user.email)  # type: ignore[attr-defined]
            note_failure(request, self.user, self.what)  # type: ignore[attr-defined]
            raise
        except Undecryptable:
            raise forms.ValidationError(
                _(
                    "The code cannot be checked: the server lacks the key to it. Tell whoever runs this console."
                )
            ) from None

    def _taken(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        used: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if used.type == Authenticator.Type.TOTP and not first_use(used, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


class AuthenticateForm(_CodeForm, mfa_forms.AuthenticateForm):  # type: ignore[misc]  # allauth has no type information
    """The second step of signing in."""


class ReauthenticateForm(_CodeForm, mfa_forms.ReauthenticateForm):  # type: ignore[misc]
    """A person confirms by a code that it is they."""

    what = "session.reauthenticate"


class ActivateTOTPForm(_CodeForm, totp_forms.ActivateTOTPForm):  # type: ignore[misc]
    """Sets up an authenticator app. Until it is set up its secret waits in the session, encrypted as it will be kept."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        session = context.request.session
        waiting = session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if self.is_bound and waiting:
            self.secret = decrypt(waiting)
        else:
            session[SECRET_SESSION_KEY] = encrypt(self.secret)

    def _taken(self) -> str:
        # There is no authenticator yet: the view takes the code when there is.
        return totp_forms.ActivateTOTPForm.clean_code(self)  # type: ignore[no-any-return]


class _CredentialField(forms.JSONField):
    """What a browser says of a passkey: an object, or nothing that it could be."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except RecursionError:
            found = None
        return found if isinstance(found, dict) else None


@contextmanager
def _well_formed() -> Iterator[None]:
    """What somebody made up is refused as a wrong code is: parsing it can fail in any way."""
    try:
        yield
    except (forms.ValidationError, DatabaseError):
        raise
    except Exception as error:
        raise get_adapter().validation_error("incorrect_code") from error


class _PasskeyForm(forms.Form):
    credential = _CredentialField()

    def clean_credential(self) -> Authenticator:
        with _well_formed():
            return super().clean_credential()  # type: ignore[misc, no-any-return]


class AuthenticatePasskeyForm(_PasskeyForm, webauthn_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """The second step of signing in, by a passkey."""


class LoginPasskeyForm(_PasskeyForm, webauthn_forms.LoginWebAuthnForm):  # type: ignore[misc]
    """Signing in by a passkey alone."""


class ReauthenticatePasskeyForm(_PasskeyForm, webauthn_forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A person confirms by a passkey that it is they."""


class AddPasskeyForm(webauthn_forms.AddWebAuthnForm):  # type: ignore[misc]
    """A passkey; one that signs in alone, unless the person wants it beside the password only."""

    credential = _CredentialField()
    name = forms.CharField(label=_("Name of the passkey"), max_length=80, required=False)
    passwordless = forms.BooleanField(
        label=_("Sign in with this passkey alone, without the password"),
        required=False,
        initial=True,
        help_text=_("The device then asks for a PIN, a finger or a face each time."),
    )

    def clean(self) -> dict[str, Any]:
        with _well_formed():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class EditPasskeyForm(webauthn_forms.EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a passkey."""

    name = forms.CharField(label=_("Name of the passkey"), max_length=80)


class LoginForm(account_forms.LoginForm):  # type: ignore[misc]
    """Address and password, in the words of the other pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("E-mail address")
        self.fields["login"].widget.attrs.pop("placeholder", None)


class ResetPasswordForm(account_forms.ResetPasswordForm):  # type: ignore[misc]
    """Where the link to a new password goes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail address")
        self.fields["email"].widget.attrs.pop("placeholder", None)


class ChangePasswordForm(account_forms.ChangePasswordForm):  # type: ignore[misc]
    """The present password is a guess as any other, and counted as one."""

    def clean_oldpassword(self) -> str:
        given: str = self.cleaned_data["oldpassword"]
        if not account_adapter().reauthenticate(self.user, given):
            raise account_adapter().validation_error("enter_current_password")
        return given
