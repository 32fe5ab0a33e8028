"""The frame: navigation by role, the switcher, and pages without a team."""

import re

import pytest
from django.urls import reverse

from console.accounts.models import Membership, Team
from console.accounts.roles import BUILT_IN
from console.connections.models import Connection
from console.ui.context import Shell
from console.ui.links import connection_url
from console.ui.navigation import navigation_groups
from tests.conftest import KEY_ID


def build_shell(rf, org, role, path=""):
    request = rf.get(org.url(path))
    request.user = org.members[role]
    request.membership = org.team.memberships.get(user=request.user)
    request.team, request.connection = org.team, org.connection
    from django.urls import resolve

    request.resolver_match = resolve(request.path)
    return Shell(request)


@pytest.mark.parametrize("role", BUILT_IN)
def test_every_navigation_entry_works_and_a_role_sees_the_entries_it_may_read(rf, org, role):
    shell = build_shell(rf, org, role)
    shown = {item.url for group in shell.navigation for item in group.items}
    levels = BUILT_IN[role]
    expected = {
        connection_url(shell.request, entry.name)
        for group in navigation_groups()
        for entry in group.entries
        if not entry.area or levels.level(entry.area) >= entry.level
    }
    assert shown == expected


def test_one_navigation_entry_is_marked_as_current(rf, org):
    shell = build_shell(rf, org, "owner", "devices/new/")
    current = [item.label for group in shell.navigation for item in group.items if item.current]
    assert current == ["Devices"]


def test_the_switcher_lists_only_the_users_own_teams_and_connections(rf, org):
    shell = build_shell(rf, org, "owner")
    assert [entry.label for entry in shell.teams] == ["Acme Energy"]
    assert [(entry.label, entry.current) for entry in shell.connections] == [("Sandbox", True)]
    assert shell.search == reverse("devices:search", args=["acme", "sandbox"])
    assert shell.tray == reverse("jobs:tray", args=["acme", "sandbox"])


def test_the_frame_works_without_a_team(rf, db):
    shell = Shell(rf.get("/"))
    assert shell.navigation == ()
    assert shell.connections == []
    assert shell.teams == []
    assert shell.search == shell.tray == ""
    assert not shell.is_signed_in


@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("x' onload=", "auto"), ("", "auto")]
)
def test_a_valid_cookie_sets_the_theme(rf, cookie, theme):
    request = rf.get("/")
    request.COOKIES["theme"] = cookie
    assert Shell(request).theme == theme


def test_the_profile_sets_the_theme_without_a_cookie(rf, org):
    org.members["owner"].theme = "dark"
    assert build_shell(rf, org, "owner").theme == "dark"


def test_the_sign_in_page_uses_the_theme_of_the_cookie(client, db):
    client.cookies["theme"] = "dark"
    html = client.get(reverse("account_login")).content.decode()
    assert re.search(r'<html[^>]+data-bs-theme="dark"', html)


@pytest.mark.parametrize("page", ["groups", "members"])
def test_the_frame_makes_few_database_queries_for_any_team_size(
    org, emulator, sign_in, django_assert_max_num_queries, page
):
    for number in range(5):
        Connection.objects.create(
            team=org.team, slug=f"site-{number}", name=f"Site {number}", access_key_id=KEY_ID
        )
        Membership.objects.create(
            team=Team.objects.create(slug=f"team-{number}", name=f"Team {number}"),
            user=org.members["owner"],
            role_slug="owner",
        )
    client = sign_in("owner")
    url = org.url("groups/") if page == "groups" else f"/{org.team.slug}/-/members/"
    client.get(url)
    # Session, user, membership, connection; on the page of members also members, invitations and names.
    with django_assert_max_num_queries(4 if page == "groups" else 8):
        assert client.get(url).status_code == 200
