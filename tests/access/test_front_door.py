"""Where people land, and what those find who have no team or no connection; their own page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from console.access.models import Membership, Team, User
from console.connections.models import Connection
from tests.conftest import PASSWORD, Organization

SignIn = Callable[[str], Client]


def test_the_front_door_leads_to_the_first_connection(org: Organization, sign_in: SignIn) -> None:
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_the_front_door_leads_back_to_where_the_person_was(org: Organization, sign_in: SignIn) -> None:
    Connection.objects.create(
        team=org.team, slug="second", name="Second", access_key_id="k", access_key_secret="s"
    )
    client = sign_in("owner")
    client.get("/acme/-/connections/second/edit/")
    assert client.get("/")["Location"] == "/acme/second/"
    assert client.get("/acme/")["Location"] == "/acme/second/"
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_a_connection_that_is_gone_is_not_led_to(org: Organization, sign_in: SignIn) -> None:
    user = org.members["viewer"]
    user.last_place = "globex/plant"
    user.save()
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_somebody_without_a_team_is_told_what_to_do(org: Organization) -> None:
    client = Client()
    client.force_login(User.objects.create_user("alone@acme.test", PASSWORD))
    response = client.get("/")
    assert response.status_code == 200
    assert "no team" in response.content.decode()


def test_a_team_without_a_connection_says_so_and_offers_one_to_those_who_may(
    org: Organization, sign_in: SignIn
) -> None:
    Connection.objects.for_team(org.team).delete()
    assert sign_in("owner").get("/")["Location"] == "/acme/"
    assert "/acme/-/connections/add/" in sign_in("owner").get("/acme/").content.decode()
    assert "/acme/-/connections/add/" not in sign_in("viewer").get("/acme/").content.decode()


def test_the_profile_is_kept(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("viewer")
    fields = {"name": "Vera", "time_zone": "Asia/Shanghai", "language": "zh-hans", "theme": "dark"}
    assert client.post("/account/profile/", fields).status_code == 302
    user = User.objects.get(email="viewer@acme.test")
    assert (user.name, user.time_zone, user.language, user.theme) == (
        "Vera",
        "Asia/Shanghai",
        "zh-hans",
        "dark",
    )
    assert client.get("/account/profile/")["Content-Language"] == "zh-hans"


def test_a_time_zone_that_is_none_is_refused(sign_in: SignIn) -> None:
    fields = {"name": "Vera", "time_zone": "../../etc/passwd", "language": "", "theme": "auto"}
    assert sign_in("viewer").post("/account/profile/", fields).status_code == 422


def test_the_profile_changes_nothing_but_its_own_fields(sign_in: SignIn) -> None:
    fields = {
        "name": "V",
        "time_zone": "UTC",
        "language": "",
        "theme": "auto",
        "email": "evil@acme.test",
        "is_active": "",
    }
    sign_in("viewer").post("/account/profile/", fields)
    assert User.objects.filter(email="viewer@acme.test", is_active=True, name="V").exists()


@pytest.mark.parametrize("slug", ["account", "accounts", "static", "healthz", "_style", "-", "api"])
def test_a_team_is_not_called_what_an_address_begins_with(db: None, slug: str) -> None:
    with pytest.raises(ValidationError):
        Team(slug=slug, name="X").full_clean()


def test_bootstrap_makes_the_first_team_and_its_owner_and_can_be_repeated(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", PASSWORD)
    for _ in range(2):
        call_command("bootstrap", "--email", "First@acme.test", "--team", "Acme Energy", verbosity=0)
    membership = Membership.objects.get()
    assert (membership.team.slug, membership.user.email, membership.role_slug) == (
        "acme-energy",
        "first@acme.test",
        "owner",
    )
    assert membership.user.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("password", "team"),
    [("short", "Acme"), (PASSWORD, "account"), (PASSWORD, "-"), ("password1234", "Acme")],
)
def test_bootstrap_refuses_a_weak_password_and_a_reserved_name(
    db: None, monkeypatch: pytest.MonkeyPatch, password: str, team: str
) -> None:
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", password)
    with pytest.raises(CommandError):
        call_command("bootstrap", "--email", "first@acme.test", "--team", team)
    assert not User.objects.exists()
    assert not Team.objects.exists()
