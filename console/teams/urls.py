"""The start page and the pages of a team, with "-" in place of a connection's name."""

from __future__ import annotations

from django.urls import include, path

from console.teams.pages import account, audit, home, invitations, joining, members, roles, team_settings
from console.teams.sign_on import views as sign_on
from console.teams.tokens import views as tokens

app_name = "teams"
_team = [
    path("switcher/", home.switcher, name="switcher"),
    path("members/", members.members, name="members"),
    path("members/invite/", invitations.invite, name="invite"),
    path("members/<int:pk>/", members.member, name="member"),
    path("members/<int:pk>/menu/", members.member_menu, name="member-menu"),
    path("members/<int:pk>/edit/", members.member_edit, name="member-edit"),
    path("members/<int:pk>/remove/", members.member_remove, name="member-remove"),
    path("members/<int:pk>/transfer/", members.member_transfer, name="member-transfer"),
    path("invitations/<int:pk>/renew/", invitations.renew, name="invitation-renew"),
    path("invitations/<int:pk>/withdraw/", invitations.withdraw, name="invitation-withdraw"),
    path("roles/", roles.roles, name="roles"),
    path("roles/add/", roles.role_add, name="role-add"),
    path("roles/preview/", roles.role_preview, name="role-preview"),
    path("roles/<slug:slug>/", roles.role, name="role"),
    path("roles/<slug:slug>/edit/", roles.role_edit, name="role-edit"),
    path("roles/<slug:slug>/delete/", roles.role_delete, name="role-delete"),
    path("settings/", team_settings.settings, name="settings"),
    path("settings/delete/", team_settings.delete, name="team-delete"),
    path("tokens/", tokens.team_tokens, name="tokens"),
    path("tokens/add/", tokens.add_to_team, name="add-token"),
    path("tokens/own/add/", tokens.add_own, name="add-own-token"),
    path("tokens/<int:pk>/revoke/", tokens.revoke_in_team, name="revoke-token"),
    path("sign-on/", sign_on.rules, name="sign-on"),
    path("sign-on/add/", sign_on.add, name="sign-on-add"),
    path("sign-on/try/", sign_on.try_rules, name="sign-on-try"),
    path("sign-on/<int:pk>/", sign_on.edit, name="sign-on-edit"),
    path("sign-on/<int:pk>/move/", sign_on.move, name="sign-on-move"),
    path("sign-on/<int:pk>/delete/", sign_on.delete, name="sign-on-delete"),
    path("audit/", audit.audit, name="audit"),
    path("audit/reads/", audit.reads, name="audit-reads"),
    path("audit/<int:pk>/", audit.record, name="audit-record"),
]
urlpatterns = [
    path("", home.home, name="home"),
    path("account/tokens/", tokens.own_tokens, name="own-tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke_own, name="revoke-own-token"),
    path("account/delete/", account.delete, name="delete-account"),
    path("invitations/", joining.invitation, name="invitation"),
    path("invitations/<str:token>/", joining.link, name="invitation-link"),
    path("teams/new/", team_settings.new_team, name="new-team"),
    path("<slug:team>/", home.team, name="team"),
    path("<slug:team>/-/", include(_team)),
]
