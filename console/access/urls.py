"""The front door, the person's own page, and the pages of a team: "-" in the place of a connection's name."""

from __future__ import annotations

from django.urls import path

from console.access import trail, views

app_name = "access"
urlpatterns = [
    path("", views.home, name="home"),
    path("account/profile/", views.profile, name="profile"),
    path("<slug:team>/", views.team, name="team"),
    path("<slug:team>/-/members/", views.members, name="members"),
    path("<slug:team>/-/members/add/", views.member_add, name="member-add"),
    path("<slug:team>/-/members/<int:pk>/", views.member, name="member"),
    path("<slug:team>/-/members/<int:pk>/link/", views.member_link, name="member-link"),
    path("<slug:team>/-/members/<int:pk>/remove/", views.member_remove, name="member-remove"),
    path("<slug:team>/-/audit/", trail.audit, name="audit"),
    path("<slug:team>/-/audit/<int:pk>/", trail.record, name="audit-record"),
]
