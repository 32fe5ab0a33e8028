"""The pages of django-allauth that this console has: sign-in, and what belongs to passwords.

Listed one by one, so that a page of allauth that nobody thought of is not there.
"""

from __future__ import annotations

from allauth.account import views
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path, re_path
from django.views.generic import RedirectView


@login_not_required
def password_reset(request: HttpRequest) -> HttpResponseBase:
    """allauth's page, where mails are sent; else what to do instead."""
    if settings.SENDS_MAIL:
        return views.password_reset(request)  # type: ignore[no-any-return]
    return render(request, "account/password_reset_closed.html")


_to_profile = RedirectView.as_view(pattern_name="access:profile")

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),  # says that sign-up is closed
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
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
    # allauth looks these up; addresses are changed by an administrator.
    path("email/", _to_profile, name="account_email"),
    path("email/sent/", _to_profile, name="account_email_verification_sent"),
]
