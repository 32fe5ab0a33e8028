"""Guessing is braked: passwords, codes and confirmations, in the database, and one attacker locks nobody out everywhere."""

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

from console.access.cache import SteadyRedisCache
from console.access.models import AuditRecord, User
from tests.access.people import STEP, code, enter, give_app, give_recovery_codes, is_inside
from tests.access.test_sign_in import words
from tests.conftest import PASSWORD, Organization

PERSON = "operator@acme.test"
HOME, ELSEWHERE = "10.0.0.1", "10.0.0.2"


def fail(times: int, email: str = PERSON, ip: str = HOME) -> Any:
    for _ in range(times):
        answer = enter(Client(), email, "not the password", REMOTE_ADDR=ip)
    return answer


def gets_in(email: str = PERSON, ip: str = HOME) -> bool:
    client = Client(REMOTE_ADDR=ip)
    enter(client, email)
    return is_inside(client)


def test_four_wrong_ones_lock_nobody_out(org: Organization) -> None:
    fail(4)
    assert gets_in()


def test_after_five_even_the_right_password_does_not_open_from_there(org: Organization) -> None:
    fail(5)
    assert not gets_in()


def test_the_person_still_gets_in_from_another_address(org: Organization) -> None:
    fail(20)
    assert gets_in(ip=ELSEWHERE)


def test_another_person_at_the_same_address_still_gets_in(org: Organization) -> None:
    fail(20)
    assert gets_in("viewer@acme.test")


def test_the_lock_opens_by_itself_and_trying_on_does_not_prolong_it(org: Organization) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(5)
        clock.shift(timedelta(minutes=20))
        fail(3)
        assert not gets_in()
        clock.shift(timedelta(minutes=11))
        assert gets_in()


def test_right_sign_ins_in_between_do_not_let_an_attacker_go_on(org: Organization) -> None:
    for _ in range(5):
        fail(1)
        assert gets_in("viewer@acme.test")
    assert not gets_in()


def test_many_addresses_together_are_braked_but_not_where_the_person_is_at_home(org: Organization) -> None:
    assert gets_in(ip=HOME)
    for n in range(8):
        fail(4, ip=f"10.9.0.{n}")
    assert not gets_in(ip=ELSEWHERE)
    assert gets_in(ip=HOME)


def test_a_network_of_ipv6_is_one_address(org: Organization) -> None:
    for n in range(5):
        fail(1, ip=f"2001:db8:1:2::{n + 1}")
    assert not gets_in(ip="2001:db8:1:2:ffff::1")
    assert gets_in(ip="2001:db8:1:3::1")


def test_the_answer_is_the_same_for_each_reason_why_not(org: Organization) -> None:
    User.objects.filter(email="viewer@acme.test").update(is_active=False)
    User.objects.create_user("nopassword@acme.test", None)
    User.objects.create_user("robot@acme.test", PASSWORD, is_service=True)
    fail(5, PERSON, "10.1.0.1")
    tried = {
        "wrong": enter(Client(), "owner@acme.test", "not the password", REMOTE_ADDR="10.1.0.2"),
        "locked": enter(Client(), PERSON, PASSWORD, REMOTE_ADDR="10.1.0.1"),
        "unknown": enter(Client(), "nobody@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.3"),
        "inactive": enter(Client(), "viewer@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.4"),
        "without password": enter(Client(), "nopassword@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.5"),
        "service": enter(Client(), "robot@acme.test", PASSWORD, REMOTE_ADDR="10.1.0.6"),
    }
    expected = (200, words(tried["wrong"]))
    assert "do not fit together" in expected[1]
    assert [why for why, answer in tried.items() if (answer.status_code, words(answer)) != expected] == []


def test_a_locked_account_takes_as_much_work_as_an_open_one(
    org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured in passwords hashed, not in seconds: that is what takes the time."""
    from django.contrib.auth import hashers

    hashed: list[str] = []
    original = hashers.MD5PasswordHasher.encode

    def counting(self: Any, password: str, *args: Any) -> str:
        hashed.append(password)
        return original(self, password, *args)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counting)
    User.objects.create_user("nopassword@acme.test", None)
    fail(5, PERSON)
    work = {}
    for email in (PERSON, "owner@acme.test", "nobody@acme.test", "nopassword@acme.test"):
        hashed.clear()
        enter(Client(), email, "not the password", REMOTE_ADDR=HOME)
        work[email] = len(hashed)
    assert set(work.values()) == {1}


def test_a_wrong_password_takes_as_much_work_whether_there_is_an_account_or_not(
    org: Organization, settings: Any
) -> None:
    """Until the answer is sent: what is written down of a failure comes after it."""
    token, work = "a" * 32, {}
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # as Django's own test client does
    for email in ("nobody@acme.test", "viewer@acme.test", "owner@globex.test", "nobody@globex.test"):
        form = {"login": email, "password": "wrong horse", "csrfmiddlewaretoken": token}
        cookie = f"{settings.CSRF_COOKIE_NAME}={token}"
        request = RequestFactory(HTTP_COOKIE=cookie).post("/accounts/login/", form)
        with CaptureQueriesContext(connection) as queries:
            answer = WSGIHandler()(request.environ, lambda *_: None)
        assert answer.status_code == 200
        work[email] = len(queries)
        answer.close()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    assert len(set(work.values())) == 1, work
    failed = AuditRecord.objects.filter(operation="session.sign_in", outcome="failed")
    assert set(failed.values_list("actor_label", flat=True)) == {"viewer@acme.test", "owner@globex.test"}


def test_it_counts_while_redis_is_away(
    org: Organization, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    def away(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError("away")

    fail(3)
    monkeypatch.setattr(redis.ConnectionPool, "get_connection", away)
    monkeypatch.setattr(SteadyRedisCache, "_away_until", 0.0)
    fail(2)
    assert not gets_in()


def test_codes_of_the_second_step_are_braked_too(org: Organization) -> None:
    give_app(org.members["operator"])
    recovery = give_recovery_codes(org.members["operator"])
    client = Client(REMOTE_ADDR=HOME)
    enter(client, PERSON)
    for n in range(5):
        client.post(STEP, {"code": f"00000{n}"})
    client.post(STEP, {"code": code()})
    client.post(STEP, {"code": recovery[0]})
    assert not is_inside(client)
    again = Client(REMOTE_ADDR=HOME)
    enter(again, PERSON)
    again.post(STEP, {"code": code()})
    assert not is_inside(again), "starting over does not help"


def test_guessing_the_password_of_an_open_session_is_braked(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    for _ in range(5):
        client.post("/accounts/reauthenticate/", {"password": "not the password"})
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert answer.status_code == 200
    assert "not right" in answer.content.decode()


def test_guessing_at_the_change_of_password_is_braked(org: Organization, sign_in: Any) -> None:
    new = {"password1": "a wholly different one", "password2": "a wholly different one"}
    client = sign_in("operator")
    for n in range(5):
        enter(Client(REMOTE_ADDR="127.0.0.1"), PERSON, f"wrong {n}")
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert User.objects.get(email=PERSON).check_password(PASSWORD)
    call_command("axes_reset_username", PERSON, verbosity=0)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert User.objects.get(email=PERSON).check_password("a wholly different one")


def test_a_wrong_present_password_counts_as_a_try(org: Organization, sign_in: Any) -> None:
    new = {"password1": "a wholly different one", "password2": "a wholly different one"}
    client = sign_in("operator")
    for _ in range(5):
        client.post("/accounts/password/change/", {"oldpassword": "not the password", **new})
    assert not gets_in(ip="127.0.0.1")


def test_whoever_runs_the_console_can_unlock(org: Organization) -> None:
    fail(5)
    assert not gets_in()
    call_command("axes_reset_username", PERSON, verbosity=0)
    assert gets_in()


def test_the_lock_is_in_the_trail_once_and_further_tries_do_not_fill_it(org: Organization) -> None:
    fail(12)
    kept = AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", "outcome")
    assert list(kept) == [("session.sign_in", "failed")] * 5 + [("session.lock", "done")]


def test_nothing_that_was_typed_is_written_down(org: Organization, sign_in: Any) -> None:
    canary = "canary-of-a-password"
    enter(Client(), PERSON, canary)
    give_app(org.members["operator"])
    second = Client()
    enter(second, PERSON)
    second.post(STEP, {"code": canary})
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
