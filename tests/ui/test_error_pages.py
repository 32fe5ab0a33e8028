"""Error pages: in the console's frame for users who have a team, with the reason, and without a hint at other teams."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import OperationalError, connection
from django.test import Client

from console.accounts.models import Membership
from tests.conftest import PASSWORD, Organization

SignIn = Callable[[str], Client]
SIDEBAR = 'id="sidebar"'
PRODUCT_FORM = "/acme/sandbox/products/new/"
PRODUCT = {
    "product_name": "Quay_Lamp",
    "node_type": "0",
    "net_type": "WIFI",
    "data_format": "1",
    "auth_type": "secret",
    "category": "",
}


def read(response: Any) -> str:
    return html.unescape(response.content.decode())


@pytest.mark.parametrize(
    ("method", "page", "status", "title"),
    [
        ("get", "/acme/sandbox/nowhere/", 404, "Page not found"),
        ("get", "/acme/nowhere/products/", 404, "Page not found"),
        ("get", "/globex/plant/", 404, "Page not found"),
        ("get", "/acme/-/settings/", 403, "Access denied"),
        ("get", "/acme/-/sign-on/1/move/", 405, "This address cannot be opened"),
    ],
)
def test_an_error_keeps_the_navigation_and_leads_back(
    org: Organization, sign_in: SignIn, method: str, page: str, status: int, title: str
) -> None:
    client = sign_in("viewer")
    response = getattr(client, method)(page, headers={"Referer": "http://testserver/acme/sandbox/jobs/"})
    text = read(response)
    assert response.status_code == status
    assert f"<title>{title} · Fleetdesk</title>" in text
    assert SIDEBAR in text
    assert 'href="/acme/sandbox/products/"' in text
    assert 'class="btn btn-primary" href="/acme/sandbox/jobs/"' in text


def test_a_request_that_is_too_large_keeps_the_navigation(
    org: Organization, sign_in: SignIn, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    response = sign_in("owner").post("/acme/-/settings/", {"name": "long" * 10})
    assert response.status_code == 413
    assert SIDEBAR in read(response)


@pytest.mark.parametrize("referer", ["", "https://evil.example/", "http://testserver/acme/sandbox/nowhere/"])
def test_back_leads_to_the_overview_if_the_previous_page_is_unknown(
    org: Organization, sign_in: SignIn, referer: str
) -> None:
    text = read(sign_in("viewer").get("/acme/sandbox/nowhere/", headers={"Referer": referer}))
    assert 'class="btn btn-primary" href="/acme/sandbox/"' in text
    assert "evil" not in text


def test_visitors_and_users_without_a_team_get_a_plain_page(org: Organization, sign_in: SignIn) -> None:
    Membership.objects.filter(user=org.members["viewer"]).delete()
    for role in ("", "viewer"):
        response = sign_in(role).get("/nowhere/at/all/", follow=True)
        assert SIDEBAR not in read(response)
    assert "Page not found" in read(sign_in("viewer").get("/acme/-/members/"))


def test_a_page_of_another_team_and_one_that_does_not_exist_get_the_same_response(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("viewer")
    client.get("/acme/sandbox/jobs/")
    other, missing = (
        client.get(f"/{slug}/-/members/") for slug in (org.other_team.slug, "x" * len(org.other_team.slug))
    )
    assert other.status_code == missing.status_code == 404
    assert org.other_team.name not in read(other)
    assert len(other.content) == len(missing.content)


def test_a_refusal_says_that_the_role_is_the_reason_and_who_the_owners_are(
    org: Organization, sign_in: SignIn
) -> None:
    text = read(sign_in("viewer").get("/acme/-/settings/"))
    assert "The role “Viewer” does not allow this." in text
    assert f"Team owners: {org.members['owner']}" in " ".join(text.split())
    assert "access scope" not in text


def test_a_refusal_says_that_the_access_scope_is_the_reason(org: Organization, sign_in: SignIn) -> None:
    scope = {"connections": [org.connection.pk]}
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope=scope)
    client = sign_in("administrator")
    text = read(client.get("/acme/-/members/"))
    assert "Your access scope does not include the entire team" in text
    assert "The role “" not in text
    # A page that the role does not allow either.
    assert "The role “Administrator” does not allow this." in read(client.get("/acme/-/settings/"))


def break_view(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("console.jobs.views.visible_jobs", fail)


def test_an_error_of_the_server_keeps_the_navigation_and_makes_no_query(
    org: Organization, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in("owner")
    client.raise_request_exception = False
    client.get(org.url("explorer/"))
    break_view(monkeypatch, RuntimeError("an internal secret"))
    response = client.get(org.url("jobs/"))
    assert response.status_code == 500
    assert SIDEBAR in read(response)
    assert "Something went wrong" in read(response)
    assert "an internal secret" not in read(response)


def test_a_database_that_does_not_respond_shows_a_plain_page(
    org: Organization, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in("owner")
    client.raise_request_exception = False

    def refuse(*args: Any) -> None:
        raise OperationalError("the database is gone")

    with connection.execute_wrapper(refuse):
        response = client.get(org.url("jobs/"))
    assert response.status_code == 503
    assert "The database did not respond in time" in read(response)
    assert SIDEBAR not in read(response)


@pytest.fixture
def locked_database(transactional_db: None) -> Iterator[None]:
    """The database while another process writes to it for a long time."""
    if connection.vendor != "sqlite":
        pytest.skip("writers of other databases do not wait for each other")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()
    connection.close()


@pytest.fixture
def owner(transactional_db: None, org: Organization, sign_in: SignIn) -> Client:
    """A browser of the owner, who has opened a page before."""
    client = sign_in("owner")
    client.raise_request_exception = False
    assert client.get("/acme/-/members/").status_code == 200
    return client


def test_a_change_while_the_database_is_busy_says_to_try_again(owner: Client, locked_database: None) -> None:
    response = owner.post(PRODUCT_FORM, PRODUCT)
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "Try again in a minute." in read(response)
    assert SIDEBAR in read(response)


def test_a_page_keeps_its_input_while_the_database_is_busy(owner: Client, locked_database: None) -> None:
    response = owner.post(PRODUCT_FORM, PRODUCT, headers={"HX-Request": "true"})
    assert (response.status_code, response.content) == (503, b"")
    assert "Try again in a minute." in unquote(response["X-Message"])


@pytest.mark.parametrize("page", ["/acme/-/members/", "/acme/sandbox/", "/acme/sandbox/products/"])
def test_a_page_opens_while_the_database_is_busy(
    owner: Client, fleet: Any, locked_database: None, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    # The page would store when the session was used last.
    monkeypatch.setattr("console.sign_in.sessions._SEEN_INTERVAL_SECONDS", 0)
    assert owner.get(page).status_code == 200


def test_sign_in_while_the_database_is_busy_says_to_try_again(owner: Client, locked_database: None) -> None:
    visitor = Client(raise_request_exception=False)
    response = visitor.post("/accounts/login/", {"login": "viewer@acme.test", "password": PASSWORD})
    assert response.status_code == 503
    assert "Try again in a minute." in read(response)


def test_an_export_while_the_database_is_busy_says_to_try_again(owner: Client, locked_database: None) -> None:
    response = owner.get("/acme/-/audit/?format=csv")
    assert response.status_code == 503


def test_a_query_that_is_wrong_is_an_error_of_the_console(
    org: Organization, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in("owner")
    client.raise_request_exception = False

    def fail(*args: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM no_such_table")

    monkeypatch.setattr("console.jobs.views.visible_jobs", fail)
    assert client.get(org.url("jobs/")).status_code == 500
