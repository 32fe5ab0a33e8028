"""The frame: rooms that a role can read, the way to the other places, and no frame that breaks without a team."""

import re

import pytest
from django.urls import reverse

from console.access.models import Membership, Team
from console.access.roles import BUILT_IN
from console.connections.models import Connection
from console.ui.context import NAVIGATION, Shell
from console.ui.links import curl
from tests.conftest import KEY_ID


def frame(rf, org, role, path=""):
    request = rf.get(org.url(path))
    request.user = org.members[role]
    request.membership = org.team.memberships.get(user=request.user)
    request.team, request.connection = org.team, org.connection
    from django.urls import resolve

    request.resolver_match = resolve(request.path)
    return Shell(request)


@pytest.mark.parametrize("role", BUILT_IN)
def test_every_room_leads_somewhere_and_a_role_sees_those_it_can_read(rf, org, role):
    shell = frame(rf, org, role)
    shown = {item.url for group in shell.navigation for item in group.items}
    levels = BUILT_IN[role]
    expected = {
        curl(shell.request, room.name)
        for _, rooms in NAVIGATION
        for room in rooms
        if not room.area or levels.level(room.area) >= room.level
    }
    assert shown == expected


def test_one_room_is_marked_as_the_present_one(rf, org):
    shell = frame(rf, org, "owner", "devices/new/")
    current = [item.label for group in shell.navigation for item in group.items if item.current]
    assert current == ["Devices"]


def test_the_switcher_holds_only_the_persons_own_places(rf, org):
    shell = frame(rf, org, "owner")
    assert [place.label for place in shell.teams] == ["Acme Energy"]
    assert [(place.label, place.current) for place in shell.connections] == [("Sandbox", True)]
    assert shell.search == reverse("devices:search", args=["acme", "sandbox"])
    assert shell.tray == reverse("jobs:tray", args=["acme", "sandbox"])


def test_without_a_team_the_frame_still_stands(rf, db):
    shell = Shell(rf.get("/"))
    assert shell.navigation == []
    assert shell.connections == []
    assert shell.teams == []
    assert shell.search == shell.tray == ""
    assert not shell.signed_in


@pytest.mark.parametrize(
    ("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("x' onload=", "auto"), ("", "auto")]
)
def test_the_looks_are_the_cookies_if_it_is_sane(rf, cookie, theme):
    request = rf.get("/")
    request.COOKIES["theme"] = cookie
    assert Shell(request).theme == theme


def test_the_persons_preference_counts_where_no_cookie_says_otherwise(rf, org):
    org.members["owner"].theme = "dark"
    assert frame(rf, org, "owner").theme == "dark"


def test_the_sign_in_page_has_the_looks_of_the_cookie(client, db):
    client.cookies["theme"] = "dark"
    html = client.get(reverse("account_login")).content.decode()
    assert re.search(r'<html[^>]+data-bs-theme="dark"', html)


@pytest.mark.parametrize("page", ["groups", "members"])
def test_the_frame_costs_a_page_few_questions_to_the_database_however_large_the_team(
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
    # Session, person, membership, connection, connections, what waits, teams; members, invitations and names of their own.
    with django_assert_max_num_queries(7 if page == "groups" else 10):
        assert client.get(url).status_code == 200
