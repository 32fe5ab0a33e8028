"""The start page and the pages of a team, with "-" in place of a connection's name."""

from __future__ import annotations

from django.urls import path

from console.teams.pages import audit, home, invitations, joining, members, roles, team_settings
from console.teams.sign_on import views as sign_on
from console.teams.tokens import views as tokens

app_name = "teams"
urlpatterns = [
    path("", home.home, name="home"),
    path("account/tokens/", tokens.own_tokens, name="own-tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke_own, name="revoke-own-token"),
    path("invitations/", joining.invitation, name="invitation"),
    path("invitations/<str:token>/", joining.link, name="invitation-link"),
    path("teams/new/", team_settings.new_team, name="new-team"),
    path("<slug:team>/", home.team, name="team"),
    path("<slug:team>/-/switcher/", home.switcher, name="switcher"),
    path("<slug:team>/-/members/", members.members, name="members"),
    path("<slug:team>/-/members/invite/", invitations.invite, name="invite"),
    path("<slug:team>/-/members/<int:pk>/", members.member, name="member"),
    path("<slug:team>/-/members/<int:pk>/edit/", members.member_edit, name="member-edit"),
    path("<slug:team>/-/members/<int:pk>/remove/", members.member_remove, name="member-remove"),
    path("<slug:team>/-/members/<int:pk>/transfer/", members.member_transfer, name="member-transfer"),
    path("<slug:team>/-/invitations/<int:pk>/renew/", invitations.renew, name="invitation-renew"),
    path("<slug:team>/-/invitations/<int:pk>/withdraw/", invitations.withdraw, name="invitation-withdraw"),
    path("<slug:team>/-/roles/", roles.roles, name="roles"),
    path("<slug:team>/-/roles/add/", roles.role_add, name="role-add"),
    path("<slug:team>/-/roles/preview/", roles.role_preview, name="role-preview"),
    path("<slug:team>/-/roles/<slug:slug>/", roles.role, name="role"),
    path("<slug:team>/-/roles/<slug:slug>/edit/", roles.role_edit, name="role-edit"),
    path("<slug:team>/-/roles/<slug:slug>/delete/", roles.role_delete, name="role-delete"),
    path("<slug:team>/-/settings/", team_settings.settings, name="settings"),
    path("<slug:team>/-/settings/delete/", team_settings.delete, name="team-delete"),
    path("<slug:team>/-/tokens/", tokens.team_tokens, name="tokens"),
    path("<slug:team>/-/tokens/add/", tokens.add_to_team, name="add-token"),
    path("<slug:team>/-/tokens/own/add/", tokens.add_own, name="add-own-token"),
    path("<slug:team>/-/tokens/<int:pk>/revoke/", tokens.revoke_in_team, name="revoke-token"),
    path("<slug:team>/-/sign-on/", sign_on.rules, name="sign-on"),
    path("<slug:team>/-/sign-on/add/", sign_on.add, name="sign-on-add"),
    path("<slug:team>/-/sign-on/try/", sign_on.try_rules, name="sign-on-try"),
    path("<slug:team>/-/sign-on/<int:pk>/", sign_on.edit, name="sign-on-edit"),
    path("<slug:team>/-/sign-on/<int:pk>/move/", sign_on.move, name="sign-on-move"),
    path("<slug:team>/-/sign-on/<int:pk>/delete/", sign_on.delete, name="sign-on-delete"),
    path("<slug:team>/-/audit/", audit.audit, name="audit"),
    path("<slug:team>/-/audit/reads/", audit.reads, name="audit-reads"),
    path("<slug:team>/-/audit/<int:pk>/", audit.record, name="audit-record"),
]
