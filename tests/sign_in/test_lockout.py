"""Lockout after failed attempts: what counts, what it blocks, and that an attacker cannot lock a user out everywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditRecord
from tests.conftest import PASSWORD, Organization
from tests.sign_in.helpers import (
    SECOND_STEP,
    add_authenticator_app,
    add_recovery_codes,
    is_signed_in,
    stable_text,
    submit_password,
    totp_code,
)

USER = "operator@acme.test"
USUAL_IP, OTHER_IP = "10.0.0.1", "10.0.0.2"


def fail_sign_in(times: int, email: str = USER, ip: str = USUAL_IP) -> Any:
    for _ in range(times):
        response = submit_password(Client(), email, "not the password", REMOTE_ADDR=ip)
    return response


def can_sign_in(email: str = USER, ip: str = USUAL_IP) -> bool:
    client = Client(REMOTE_ADDR=ip)
    submit_password(client, email)
    return is_signed_in(client)


def test_four_failures_do_not_lock_the_account(org: Organization) -> None:
    fail_sign_in(4)
    assert can_sign_in()


def test_after_five_failures_the_right_password_is_refused_from_that_address(org: Organization) -> None:
    fail_sign_in(5)
    assert not can_sign_in()


def test_the_user_can_still_sign_in_from_another_address(org: Organization) -> None:
    fail_sign_in(20)
    assert can_sign_in(ip=OTHER_IP)


def test_another_user_at_the_same_address_can_still_sign_in(org: Organization) -> None:
    fail_sign_in(20)
    assert can_sign_in("viewer@acme.test")


def test_the_lock_expires_and_further_attempts_do_not_extend_it(org: Organization) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail_sign_in(5)
        clock.shift(timedelta(minutes=20))
        fail_sign_in(3)
        assert not can_sign_in()
        clock.shift(timedelta(minutes=11))
        assert can_sign_in()


def test_successful_sign_ins_of_others_do_not_reset_the_count(org: Organization) -> None:
    for _ in range(5):
        fail_sign_in(1)
        assert can_sign_in("viewer@acme.test")
    assert not can_sign_in()


def test_failures_from_many_addresses_lock_the_account_except_for_known_addresses(org: Organization) -> None:
    assert can_sign_in(ip=USUAL_IP)
    for n in range(8):
        fail_sign_in(4, ip=f"10.9.0.{n}")
    assert not can_sign_in(ip=OTHER_IP)
    assert can_sign_in(ip=USUAL_IP)


def test_an_ipv6_network_counts_as_one_address(org: Organization) -> None:
    for n in range(5):
        fail_sign_in(1, ip=f"2001:db8:1:2::{n + 1}")
    assert not can_sign_in(ip="2001:db8:1:2:ffff::1")
    assert can_sign_in(ip="2001:db8:1:3::1")


def test_the_response_is_the_same_for_every_reason_of_refusal(org: Organization) -> None:
    User.objects.filter(email="viewer@acme.test").update(is_active=False)
    User.objects.create_user("nopassword@acme.test", None)
    User.objects.create_user("robot@acme.test", PASSWORD, is_service=True)
    fail_sign_in(5, USER, "10.1.0.1")
    responses = {
        "wrong": submit_password(Client(), "owner@acme.test", "not the password", REMOTE_ADDR="10.1.0.2"),
        "locked": submit_password(Client(), USER, PASSWORD, REMOTE_ADDR="10.1.0.1"),
        "unknown": submit_password(Client(), "nobody@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.3"),
        "inactive": submit_password(Client(), "viewer@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.4"),
        "without password": submit_password(
            Client(), "nopassword@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.5"
        ),
        "service": submit_password(Client(), "robot@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.6"),
    }
    expected = (200, stable_text(responses["wrong"]))
    assert "Wrong email address or password" in expected[1]
    assert [
        why
        for why, response in responses.items()
        if (response.status_code, stable_text(response)) != expected
    ] == []


def test_a_locked_account_takes_as_much_work_as_an_unlocked_one(
    org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts hashed passwords instead of seconds: hashing takes most of the time."""
    from django.contrib.auth import hashers

    hashed: list[str] = []
    original = hashers.MD5PasswordHasher.encode

    def encode_and_count(self: Any, password: str, *args: Any) -> str:
        hashed.append(password)
        return original(self, password, *args)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", encode_and_count)
    User.objects.create_user("nopassword@acme.test", None)
    fail_sign_in(5, USER)
    work = {}
    for email in (USER, "owner@acme.test", "nobody@acme.test", "nopassword@acme.test"):
        hashed.clear()
        submit_password(Client(), email, "not the password", REMOTE_ADDR=USUAL_IP)
        work[email] = len(hashed)
    assert set(work.values()) == {1}


def test_a_wrong_password_takes_as_much_work_whether_the_account_exists_or_not(
    org: Organization, settings: Any
) -> None:
    """Counts queries until the response is sent. The audit record of a failure is written after it."""
    token, work = "a" * 32, {}
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # as Django's own test client does
    for email in ("nobody@acme.test", "viewer@acme.test", "owner@globex.test", "nobody@globex.test"):
        form = {"login": email, "password": "wrong horse", "csrfmiddlewaretoken": token}
        cookie = f"{settings.CSRF_COOKIE_NAME}={token}"
        request = RequestFactory(HTTP_COOKIE=cookie).post("/accounts/login/", form)
        with CaptureQueriesContext(connection) as queries:
            response = WSGIHandler()(request.environ, lambda *_: None)
        assert response.status_code == 200
        work[email] = len(queries)
        response.close()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    assert len(set(work.values())) == 1, work
    failed = AuditRecord.objects.filter(operation="session.sign_in", outcome="failed")
    assert set(failed.values_list("actor_label", flat=True)) == {"viewer@acme.test", "owner@globex.test"}


def test_failures_are_counted_while_redis_is_unavailable(
    org: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    def fail_to_connect(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError("unavailable")

    fail_sign_in(3)
    monkeypatch.setattr(redis.ConnectionPool, "get_connection", fail_to_connect)
    fail_sign_in(2)
    assert not can_sign_in()


def test_wrong_codes_of_the_second_step_lock_the_account_too(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    recovery_codes = add_recovery_codes(org.members["operator"])
    client = Client(REMOTE_ADDR=USUAL_IP)
    submit_password(client, USER)
    for n in range(5):
        client.post(SECOND_STEP, {"code": f"00000{n}"})
    client.post(SECOND_STEP, {"code": totp_code()})
    client.post(SECOND_STEP, {"code": recovery_codes[0]})
    assert not is_signed_in(client)
    other_client = Client(REMOTE_ADDR=USUAL_IP)
    submit_password(other_client, USER)
    other_client.post(SECOND_STEP, {"code": totp_code()})
    assert not is_signed_in(other_client), "a new sign-in does not help"


def test_wrong_passwords_in_an_open_session_lock_reauthentication(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    for _ in range(5):
        client.post("/accounts/reauthenticate/", {"password": "not the password"})
    response = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert response.status_code == 200
    assert "Wrong password" in response.content.decode()


def test_a_locked_account_cannot_change_its_password(org: Organization, sign_in: Any) -> None:
    new = {"password1": "a wholly different one", "password2": "a wholly different one"}
    client = sign_in("operator")
    for n in range(5):
        submit_password(Client(REMOTE_ADDR="127.0.0.1"), USER, f"wrong {n}")
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert User.objects.get(email=USER).check_password(PASSWORD)
    call_command("axes_reset_username", USER, verbosity=0)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert User.objects.get(email=USER).check_password("a wholly different one")


def test_a_wrong_current_password_counts_as_a_failure(org: Organization, sign_in: Any) -> None:
    new = {"password1": "a wholly different one", "password2": "a wholly different one"}
    client = sign_in("operator")
    for _ in range(5):
        client.post("/accounts/password/change/", {"oldpassword": "not the password", **new})
    assert not can_sign_in(ip="127.0.0.1")


def test_a_server_administrator_can_unlock_an_account(org: Organization) -> None:
    fail_sign_in(5)
    assert not can_sign_in()
    call_command("axes_reset_username", USER, verbosity=0)
    assert can_sign_in()


def test_the_lock_is_recorded_once_and_further_attempts_are_not(org: Organization) -> None:
    fail_sign_in(12)
    records = AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", "outcome")
    assert list(records) == [("session.sign_in", "failed")] * 5 + [("session.lock", "done")]


def test_typed_passwords_and_codes_are_not_stored(org: Organization, sign_in: Any) -> None:
    canary = "canary-of-a-password"
    submit_password(Client(), USER, canary)
    add_authenticator_app(org.members["operator"])
    second_step = Client()
    submit_password(second_step, USER)
    second_step.post(SECOND_STEP, {"code": canary})
    signed_in = sign_in("operator")
    signed_in.post("/accounts/reauthenticate/", {"password": canary})
    signed_in.post(
        "/accounts/password/change/", {"oldpassword": canary, "password1": canary, "password2": canary}
    )
    signed_in.post("/accounts/passkeys/sign-in/", {"credential": f'"{canary}"'})
    rows = [
        vars(row)
        for model in (AccessAttempt, AccessFailureLog, AccessLog, AuditRecord)
        for row in model.objects.all()
    ]
    assert len(rows) >= 4
    assert canary not in str(rows)
