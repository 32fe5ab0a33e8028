"""Sign-in: who can sign in, what the responses must not reveal, and which attempts are counted."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.core import mail
from django.test import Client
from django.urls import reverse

from console.accounts.models import User
from console.audit.models import AuditRecord
from tests.conftest import PASSWORD, Organization
from tests.sign_in.helpers import stable_text

LOGIN = "/accounts/login/"


def submit_password(client: Client, email: str, password: str, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def test_a_member_signs_in_with_email_address_and_password(org: Organization) -> None:
    client = Client()
    response = submit_password(client, "Operator@Acme.test", PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/account/profile/").status_code == 200


def test_a_wrong_password_and_an_unknown_address_get_the_same_response(org: Organization) -> None:
    known = submit_password(Client(), "operator@acme.test", "not the password", REMOTE_ADDR="10.0.0.1")
    unknown = submit_password(Client(), "nobody@acme.test", "not the password", REMOTE_ADDR="10.0.0.2")
    assert known.status_code == unknown.status_code
    assert stable_text(known) == stable_text(unknown)


def test_a_deactivated_user_cannot_sign_in(org: Organization) -> None:
    User.objects.filter(email="operator@acme.test").update(is_active=False)
    client = Client()
    submit_password(client, "operator@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 302


def test_deactivating_a_user_ends_their_session(sign_in: Any) -> None:
    client = sign_in("operator")
    assert client.get("/account/profile/").status_code == 200
    User.objects.filter(email="operator@acme.test").update(is_active=False)
    assert client.get("/account/profile/").status_code == 302


def test_the_right_password_is_refused_after_many_wrong_ones(org: Organization) -> None:
    client = Client()
    for _ in range(6):
        submit_password(client, "operator@acme.test", "not the password")
    submit_password(client, "operator@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 302


def test_attempts_are_counted_for_an_unknown_address_too(org: Organization) -> None:
    responses = []
    for address, ip in (("operator@acme.test", "10.0.0.1"), ("nobody@acme.test", "10.0.0.2")):
        for _ in range(6):
            response = submit_password(Client(), address, "not the password", REMOTE_ADDR=ip)
        responses.append((response.status_code, stable_text(response)))
    assert responses[0] == responses[1]


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(org: Organization, settings: Any) -> None:
    for n in range(5):
        submit_password(
            Client(), "operator@acme.test", "x", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}"
        )
    client = Client()
    submit_password(
        client, "operator@acme.test", PASSWORD, REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR="1.2.3.99"
    )
    assert client.get("/account/profile/").status_code == 302
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/24")]
    submit_password(
        client,
        "operator@acme.test",
        PASSWORD,
        REMOTE_ADDR="10.0.0.9",
        HTTP_X_FORWARDED_FOR="9.9.9.9, 1.2.3.99, 10.0.0.8",
    )
    assert client.get("/account/profile/").status_code == 200


def test_sign_in_works_and_counts_failures_while_redis_is_unavailable(
    org: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_to_connect(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError("unavailable")

    monkeypatch.setattr(redis.ConnectionPool, "get_connection", fail_to_connect)
    client = Client()
    submit_password(client, "viewer@acme.test", PASSWORD)
    assert client.get("/account/profile/").status_code == 200
    visitor = Client()
    for _ in range(6):
        submit_password(visitor, "operator@acme.test", "not the password")
    submit_password(visitor, "operator@acme.test", PASSWORD)
    assert visitor.get("/account/profile/").status_code == 302


def test_nobody_can_sign_up(org: Organization) -> None:
    fields = {"email": "new@acme.test", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", fields)
    assert not User.objects.filter(email="new@acme.test").exists()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_sign_in_does_not_redirect_to_another_site(org: Organization, target: str) -> None:
    response = Client().post(LOGIN, {"login": "operator@acme.test", "password": PASSWORD, "next": target})
    assert "evil.example" not in response["Location"]


def test_the_session_id_changes_at_sign_in(org: Organization) -> None:
    client = Client()
    client.get(LOGIN)
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[configured.SESSION_COOKIE_NAME] = planted = session.session_key
    submit_password(client, "operator@acme.test", PASSWORD)
    assert client.cookies[configured.SESSION_COOKIE_NAME].value != planted


def test_a_reset_email_goes_to_known_users_only_and_the_page_does_not_reveal_it(org: Organization) -> None:
    known = Client().post("/accounts/password/reset/", {"email": "operator@acme.test"}, follow=True)
    unknown = Client().post(
        "/accounts/password/reset/", {"email": "nobody@acme.test"}, follow=True, REMOTE_ADDR="10.0.0.2"
    )
    assert stable_text(known) == stable_text(unknown)
    assert [message.to for message in mail.outbox] == [["operator@acme.test"]]


def test_a_reset_link_leads_to_the_configured_address_whatever_the_host_header_says(
    org: Organization, settings: Any
) -> None:
    settings.BASE_URL = "https://fleet.example.com"
    settings.ALLOWED_HOSTS = ["localhost"]
    fields = {"email": "operator@acme.test"}
    Client().post("/accounts/password/reset/", fields, headers={"host": "localhost:31337"})
    (message,) = mail.outbox
    assert "https://fleet.example.com/accounts/password/reset/key/" in message.body
    assert "31337" not in message.body


def test_without_email_the_reset_page_says_so_and_creates_no_link(org: Organization, settings: Any) -> None:
    settings.SENDS_MAIL = False
    for response in (
        Client().get("/accounts/password/reset/"),
        Client().post("/accounts/password/reset/", {"email": "operator@acme.test"}),
    ):
        assert "cannot send email" in response.content.decode()
    assert mail.outbox == []


def test_sign_ins_and_failures_are_recorded_in_the_teams_of_the_user(org: Organization) -> None:
    submit_password(Client(), "operator@acme.test", "not the password")
    submit_password(Client(), "operator@acme.test", PASSWORD)
    records = AuditRecord.objects.for_team(org.team).filter(operation="session.sign_in").order_by("id")
    assert [r.outcome for r in records] == ["failed", "done"]
    assert not AuditRecord.objects.for_team(org.other_team).exists()
    assert PASSWORD not in str([vars(r) for r in records])


def test_signing_out_requires_a_post(sign_in: Any) -> None:
    client = sign_in("viewer")
    client.get(reverse("account_logout"))
    assert client.get("/account/profile/").status_code == 200
    client.post(reverse("account_logout"))
    assert client.get("/account/profile/").status_code == 302
