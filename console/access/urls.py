"""The front door, the person's own page, and the pages of a team: "-" in the place of a connection's name."""

from __future__ import annotations

from django.urls import path

from console.access import trail, views
from console.access.tokens import views as tokens

app_name = "access"
urlpatterns = [
    path("", views.home, name="home"),
    path("account/profile/", views.profile, name="profile"),
    path("account/tokens/", tokens.own, name="own-tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke_own, name="revoke-own-token"),
    path("<slug:team>/", views.team, name="team"),
    path("<slug:team>/-/members/", views.members, name="members"),
    path("<slug:team>/-/members/add/", views.member_add, name="member-add"),
    path("<slug:team>/-/members/<int:pk>/", views.member, name="member"),
    path("<slug:team>/-/members/<int:pk>/link/", views.member_link, name="member-link"),
    path("<slug:team>/-/members/<int:pk>/remove/", views.member_remove, name="member-remove"),
    path("<slug:team>/-/tokens/", tokens.of_team, name="tokens"),
    path("<slug:team>/-/tokens/add/", tokens.add_to_team, name="add-token"),
    path("<slug:team>/-/tokens/own/add/", tokens.add_own, name="add-own-token"),
    path("<slug:team>/-/tokens/<int:pk>/revoke/", tokens.revoke_in_team, name="revoke-token"),
    path("<slug:team>/-/audit/", trail.audit, name="audit"),
    path("<slug:team>/-/audit/<int:pk>/", trail.record, name="audit-record"),
]
