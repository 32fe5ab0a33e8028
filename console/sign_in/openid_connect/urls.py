"""The pages of single sign-on that belong to no team."""

from __future__ import annotations

from allauth.socialaccount import views
from django.urls import path

from console.sign_in.openid_connect import pages

urlpatterns = [
    path("", pages.start, name="sign_on"),
    path("again/", pages.confirm, name="sign_on_confirm"),
    path("callback/", pages.callback, name="sign_on_callback"),
    path("cancelled/", views.login_cancelled, name="socialaccount_login_cancelled"),
]
