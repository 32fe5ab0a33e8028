"""Signing in: who gets in, what a stranger learns (nothing), and what is counted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.core import mail
from django.test import Client
from django.urls import reverse

from console.access.cache import SteadyRedisCache
from console.access.models import AuditRecord, User
from tests.conftest import PASSWORD, Organization

LOGIN = "/accounts/login/"


def enter(client: Client, email: str, password: str, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def words(response: Any) -> str:
    """The page without what differs from request to request."""
    return re.sub(
        r'(csrf\w*token\W+value="|"X-CSRFToken": ")[^"]+|value="[^"]*"', "", response.content.decode()
    )


def test_a_member_signs_in_by_address_and_password(org: Organization) -> None:
    client = Client()
    response = enter(client, "Operator@Acme.test", PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/account/profile/").status_code == 200


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(org: Organization) -> None:
    known = enter(Client(), "operator@acme.test", "not the password", REMOTE_ADDR="10.0.0.1")
    unknown = enter(Client(), "nobody@acme.test", "not the password", REMOTE_ADDR="10.0.0.2")
    assert known.status_code == unknown.status_code
    assert words(known) == words(unknown)


def test_a_deactivated_person_does_not_get_in(org: Organization) -> None:
    User.objects.filter(email="operator@acme.test").update(is_active=False)
    client = Client()
    enter(client, "operator@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 302


def test_deactivating_somebody_ends_their_session(sign_in: Any) -> None:
    client = sign_in("operator")
    assert client.get("/account/profile/").status_code == 200
    User.objects.filter(email="operator@acme.test").update(is_active=False)
    assert client.get("/account/profile/").status_code == 302


def test_many_wrong_passwords_lock_even_the_right_one_out_for_a_while(org: Organization) -> None:
    client = Client()
    for _ in range(6):
        enter(client, "operator@acme.test", "not the password")
    enter(client, "operator@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 302


def test_attempts_are_counted_alike_for_an_unknown_address(org: Organization) -> None:
    answers = []
    for address, ip in (("operator@acme.test", "10.0.0.1"), ("nobody@acme.test", "10.0.0.2")):
        for _ in range(6):
            response = enter(Client(), address, "not the password", REMOTE_ADDR=ip)
        answers.append((response.status_code, words(response)))
    assert answers[0] == answers[1]


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(org: Organization, settings: Any) -> None:
    for n in range(5):
        enter(Client(), "operator@acme.test", "x", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}")
    client = Client()
    enter(client, "operator@acme.test", PASSWORD, REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR="1.2.3.99")
    assert client.get("/account/profile/").status_code == 302
    settings.TRUSTED_PROXIES = 1
    enter(
        client,
        "operator@acme.test",
        PASSWORD,
        REMOTE_ADDR="10.0.0.9",
        HTTP_X_FORWARDED_FOR="9.9.9.9, 1.2.3.99",
    )
    assert client.get("/account/profile/").status_code == 200


def test_sign_in_works_while_redis_is_away_and_still_counts(
    org: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(redis.ConnectionPool, "get_connection", away)
    monkeypatch.setattr(SteadyRedisCache, "_away_until", 0.0)
    client = Client()
    enter(client, "viewer@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 200
    stranger = Client()
    for _ in range(6):
        enter(stranger, "operator@acme.test", "not the password")
    enter(stranger, "operator@acme.test", PASSWORD)
    assert stranger.get("/account/profile/").status_code == 302


def test_nobody_signs_up_by_themselves(org: Organization) -> None:
    fields = {"email": "new@acme.test", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", fields)
    assert not User.objects.filter(email="new@acme.test").exists()


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_sign_in_leads_to_no_other_site(org: Organization, there: str) -> None:
    response = Client().post(LOGIN, {"login": "operator@acme.test", "password": PASSWORD, "next": there})
    assert "evil.example" not in response["Location"]


def test_the_session_changes_at_sign_in(org: Organization) -> None:
    client = Client()
    client.get(LOGIN)
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[configured.SESSION_COOKIE_NAME] = planted = session.session_key
    enter(client, "operator@acme.test", PASSWORD)
    assert client.cookies[configured.SESSION_COOKIE_NAME].value != planted


def test_a_reset_mail_goes_to_known_people_only_and_the_page_does_not_tell(org: Organization) -> None:
    known = Client().post("/accounts/password/reset/", {"email": "operator@acme.test"}, follow=True)
    unknown = Client().post(
        "/accounts/password/reset/", {"email": "nobody@acme.test"}, follow=True, REMOTE_ADDR="10.0.0.2"
    )
    assert words(known) == words(unknown)
    assert "operator@acme.test" in [to for message in mail.outbox for to in message.to]


def test_where_no_mail_is_sent_the_page_says_so_and_no_link_is_made(org: Organization, settings: Any) -> None:
    settings.SENDS_MAIL = False
    for answer in (
        Client().get("/accounts/password/reset/"),
        Client().post("/accounts/password/reset/", {"email": "operator@acme.test"}),
    ):
        assert "sends no mail" in answer.content.decode()
    assert mail.outbox == []


def test_sign_ins_and_failures_are_in_the_trail_of_the_persons_teams(org: Organization) -> None:
    enter(Client(), "operator@acme.test", "not the password")
    enter(Client(), "operator@acme.test", PASSWORD)
    records = AuditRecord.objects.for_team(org.team).filter(operation="session.sign_in").order_by("id")
    assert [r.outcome for r in records] == ["failed", "done"]
    assert not AuditRecord.objects.for_team(org.other_team).exists()
    assert PASSWORD not in str([vars(r) for r in records])


def test_signing_out_needs_a_post(sign_in: Any) -> None:
    client = sign_in("viewer")
    client.get(reverse("account_logout"))
    assert client.get("/account/profile/").status_code == 200
    client.post(reverse("account_logout"))
    assert client.get("/account/profile/").status_code == 302
