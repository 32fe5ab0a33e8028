"""The home page, also for users without a team or a connection, the profile page, and the bootstrap command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from console.accounts.models import Membership, Team, User
from console.connections.models import Connection
from tests.conftest import PASSWORD, Organization

SignIn = Callable[[str], Client]


def test_the_home_page_redirects_to_the_first_connection(org: Organization, sign_in: SignIn) -> None:
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_the_home_page_redirects_to_the_last_used_connection(org: Organization, sign_in: SignIn) -> None:
    Connection.objects.create(
        team=org.team, slug="second", name="Second", access_key_id="k", access_key_secret="s"
    )
    client = sign_in("owner")
    client.get("/acme/-/connections/second/edit/")
    assert client.get("/")["Location"] == "/acme/second/"
    assert client.get("/acme/")["Location"] == "/acme/second/"
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_the_home_page_does_not_redirect_to_a_connection_that_no_longer_exists(
    org: Organization, sign_in: SignIn
) -> None:
    user = org.members["viewer"]
    user.last_visited = "globex/plant"
    user.save()
    assert sign_in("viewer").get("/")["Location"] == "/acme/sandbox/"


def test_a_user_without_a_team_sees_what_to_do(org: Organization) -> None:
    client = Client()
    client.force_login(User.objects.create_user("alone@acme.test", PASSWORD))
    response = client.get("/")
    assert response.status_code == 200
    assert "not a member of any team" in response.content.decode()


def test_a_team_without_a_connection_offers_to_add_one_to_those_who_may(
    org: Organization, sign_in: SignIn
) -> None:
    Connection.objects.for_team(org.team).delete()
    assert sign_in("owner").get("/")["Location"] == "/acme/"
    assert "/acme/-/connections/add/" in sign_in("owner").get("/acme/").content.decode()
    assert "/acme/-/connections/add/" not in sign_in("viewer").get("/acme/").content.decode()


def test_the_profile_is_saved(org: Organization, sign_in: SignIn) -> None:
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


@pytest.mark.parametrize(
    ("chosen", "of_browser", "shown"),
    [
        ("", "Asia/Shanghai", "20:00"),
        ("", "", "12:00"),
        ("UTC", "Asia/Shanghai", "12:00"),
        ("Asia/Kolkata", "Asia/Shanghai", "17:30"),
        ("", "../../etc/passwd", "12:00"),
        ("", "x" * 5000, "12:00"),
    ],
)
def test_times_are_in_the_chosen_time_zone_or_that_of_the_browser_or_utc(
    org: Organization, sign_in: SignIn, chosen: str, of_browser: str, shown: str
) -> None:
    owner = org.members["owner"]
    owner.time_zone = chosen
    owner.save()
    Membership.objects.filter(user=owner).update(created_at=datetime(2026, 5, 1, 12, tzinfo=UTC))
    client = sign_in("owner")
    client.cookies["time_zone"] = of_browser
    membership = owner.memberships.get()
    page = client.get(f"/acme/-/members/{membership.pk}/").content.decode()
    assert f"2026-05-01 {shown}</time>" in page
    assert f"<small>{chosen or of_browser if shown != '12:00' else 'UTC'}</small>" in page


def test_an_invalid_time_zone_is_refused(sign_in: SignIn) -> None:
    fields = {"name": "Vera", "time_zone": "../../etc/passwd", "language": "", "theme": "auto"}
    assert sign_in("viewer").post("/account/profile/", fields).status_code == 422


def test_the_profile_form_changes_only_its_own_fields(sign_in: SignIn) -> None:
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
def test_a_team_slug_cannot_be_a_reserved_path(db: None, slug: str) -> None:
    with pytest.raises(ValidationError):
        Team(slug=slug, name="X").full_clean()


def test_bootstrap_creates_the_first_team_and_its_owner_and_can_be_repeated(
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
    assert EmailAddress.objects.get(user=membership.user).verified, (
        "the server administrator vouches for the address"
    )


@pytest.mark.parametrize(
    ("password", "team"),
    [
        ("short", "Acme"),
        (PASSWORD, "account"),
        (PASSWORD, "-"),
        ("password1234", "Acme"),
        (PASSWORD * 9, "Acme"),
    ],
)
def test_bootstrap_refuses_an_invalid_password_and_a_reserved_name(
    db: None, monkeypatch: pytest.MonkeyPatch, password: str, team: str
) -> None:
    monkeypatch.setenv("BOOTSTRAP_PASSWORD", password)
    with pytest.raises(CommandError):
        call_command("bootstrap", "--email", "first@acme.test", "--team", team)
    assert not User.objects.exists()
    assert not Team.objects.exists()
