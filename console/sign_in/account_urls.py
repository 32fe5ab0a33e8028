"""The pages of the user's own account."""

from __future__ import annotations

from django.urls import path

from console.sign_in import passwords, profile, stored_data, views

app_name = "sign_in"
urlpatterns = [
    path("profile/", profile.profile, name="profile"),
    path("data/", stored_data.show_stored_data, name="stored-data"),
    path("data/download/", stored_data.download_data, name="download-data"),
    path("password-strength/", passwords.strength, name="password-strength"),
    path("security/", views.security, name="security"),
    path("security/sessions/<int:pk>/end/", views.end_session, name="end-session"),
    path("security/sessions/end-others/", views.end_other_sessions, name="end-other-sessions"),
]
