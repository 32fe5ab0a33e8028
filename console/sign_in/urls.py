"""The pages of django-allauth that this console has: sign-in, passwords and second factors.

They are listed one by one, so that no other page of allauth is reachable.
"""

from __future__ import annotations

from allauth.account import views
from allauth.mfa.base import views as mfa_views
from allauth.mfa.recovery_codes import views as codes_views
from allauth.mfa.totp import views as totp_views
from allauth.mfa.webauthn import views as webauthn_views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import include, path, re_path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from console.sign_in.reauthentication import requires_reauthentication
from console.sign_in.views import ActivateTOTPView, ReauthenticateWebAuthnView, ViewRecoveryCodesView


@login_not_required
def password_reset(request: HttpRequest) -> HttpResponseBase:
    """The page of allauth if the console sends email, else a page with instructions."""
    if settings.SENDS_MAIL:
        return views.password_reset(request)  # type: ignore[no-any-return]
    return render(request, "account/password_reset_closed.html")


_to_security = RedirectView.as_view(pattern_name="sign_in:security")
_to_profile = RedirectView.as_view(pattern_name="sign_in:profile")

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),  # says that sign-up is closed
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", requires_reauthentication(views.password_set), name="account_set_password"),
    path("password/reset/", password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("sign-on/", include("console.sign_in.openid_connect.urls")),
    path("second-step/", mfa_views.authenticate, name="mfa_authenticate"),
    path("reauthenticate/code/", mfa_views.reauthenticate, name="mfa_reauthenticate"),
    path(
        "app/set-up/",
        never_cache(requires_reauthentication(ActivateTOTPView.as_view())),
        name="mfa_activate_totp",
    ),
    path("app/remove/", requires_reauthentication(totp_views.deactivate_totp), name="mfa_deactivate_totp"),
    path(
        "recovery-codes/",
        never_cache(requires_reauthentication(ViewRecoveryCodesView.as_view())),
        name="mfa_view_recovery_codes",
    ),
    path(
        "recovery-codes/new/",
        never_cache(requires_reauthentication(codes_views.generate_recovery_codes)),
        name="mfa_generate_recovery_codes",
    ),
    path("passkeys/add/", requires_reauthentication(webauthn_views.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/sign-in/", webauthn_views.login_webauthn, name="mfa_login_webauthn"),
    path(
        "passkeys/<int:pk>/",
        requires_reauthentication(webauthn_views.edit_webauthn),
        name="mfa_edit_webauthn",
    ),
    path(
        "passkeys/<int:pk>/remove/",
        requires_reauthentication(webauthn_views.remove_webauthn),
        name="mfa_remove_webauthn",
    ),
    path(
        "reauthenticate/passkey/",
        ReauthenticateWebAuthnView.as_view(),
        name="mfa_reauthenticate_webauthn",
    ),
    # allauth redirects to these after a change.
    path("factors/", _to_security, name="mfa_index"),
    path("passkeys/", _to_security, name="mfa_list_webauthn"),
    # allauth needs these names. An administrator changes email addresses.
    path("email/", _to_profile, name="account_email"),
    path("email/sent/", _to_profile, name="account_email_verification_sent"),
]
