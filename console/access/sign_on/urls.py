"""The pages of single sign-on that belong to no team."""

from __future__ import annotations

from allauth.socialaccount import views
from django.urls import path

from console.access.sign_on import sign_in

urlpatterns = [
    path("", sign_in.start, name="sign_on"),
    path("again/", sign_in.confirm, name="sign_on_confirm"),
    path("callback/", sign_in.callback, name="sign_on_callback"),
    path("cancelled/", views.login_cancelled, name="socialaccount_login_cancelled"),
]
