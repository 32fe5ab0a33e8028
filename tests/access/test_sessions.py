"""Sessions: how long they last, what their id is worth, and how people see and end their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.access.models import AuditRecord, User
from console.access.sign_in.agents import device
from console.access.tasks import tidy_sign_in
from tests.access.people import enter, is_inside
from tests.conftest import PASSWORD, Organization

PERSON = "operator@acme.test"
SECURITY, OTHERS = "/account/security/", "/account/security/sessions/end-others/"
NEW = "a wholly different one"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime(2026, 3, 1, 8, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def signed_in(email: str = PERSON, **extra: Any) -> Client:
    client = Client(**extra)
    enter(client, email)
    assert is_inside(client)
    return client


# -- how long ----------------------------------------------------------------------------------------------------------


def test_a_session_that_nobody_uses_ends(org: Organization, clock: Any) -> None:
    client = signed_in()
    clock.shift(timedelta(minutes=29))
    assert is_inside(client)
    clock.shift(timedelta(minutes=31))
    assert not is_inside(client)
    assert not is_inside(client), "and does not come back"


def test_a_session_that_was_never_used_after_sign_in_ends_too(org: Organization, clock: Any) -> None:
    client = Client()
    enter(client, PERSON)
    clock.shift(timedelta(minutes=31))
    assert not is_inside(client)
    assert AuditRecord.objects.filter(operation="session.expire").count() == 1


def test_a_session_ends_however_much_it_is_used(org: Organization, clock: Any) -> None:
    client = signed_in()
    for _ in range(12 * 4 - 1):
        clock.shift(timedelta(minutes=15))
        assert is_inside(client)
    clock.shift(timedelta(minutes=16))
    assert not is_inside(client)


def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(org: Organization, clock: Any) -> None:
    client = signed_in()
    for _ in range(7):
        clock.shift(timedelta(minutes=5))
        client.get("/acme/sandbox/jobs/tray/", headers={"HX-Request": "true", "X-Poll": "1"})
    answer = client.get("/acme/sandbox/jobs/tray/", headers={"HX-Request": "true", "X-Poll": "1"})
    assert answer.status_code == 401
    assert answer["X-Sign-In"].startswith("/accounts/login/")


def test_the_end_is_answered_as_signed_out(org: Organization, clock: Any) -> None:
    page, part = signed_in(), signed_in("viewer@acme.test")
    clock.shift(timedelta(hours=1))
    assert page.get("/acme/sandbox/")["Location"] == "/accounts/login/?next=/acme/sandbox/"
    answer = part.get("/acme/sandbox/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["X-Sign-In"]) == (401, "/accounts/login/?next=/acme/sandbox/")


def test_what_ended_is_gone_from_the_database(org: Organization, clock: Any) -> None:
    client = signed_in()
    key = client.session.session_key
    clock.shift(timedelta(hours=1))
    client.get("/account/profile/")
    assert not Session.objects.filter(pk=key).exists()
    stolen = Client()
    stolen.cookies[configured.SESSION_COOKIE_NAME] = key
    assert not is_inside(stolen)


def test_a_session_in_use_is_written_once_a_minute_at_most(org: Organization, clock: Any) -> None:
    client = signed_in()
    writes = []
    for seconds in (1, 30, 28, 2):
        clock.shift(timedelta(seconds=seconds))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/account/profile/")
        writes.append(
            sum(not query["sql"].startswith("SELECT") for query in queries if "session" in query["sql"])
        )
    assert writes[:3] == [0, 0, 0]
    assert writes[3] > 0


# -- its id ------------------------------------------------------------------------------------------------------------


def test_a_planted_session_is_worth_nothing(org: Organization) -> None:
    attacker, victim = Client(), Client()
    attacker.get("/accounts/login/")
    session = attacker.session
    session["planted"] = True
    session.save()
    victim.cookies[configured.SESSION_COOKIE_NAME] = session.session_key
    attacker.cookies[configured.SESSION_COOKIE_NAME] = session.session_key
    enter(victim, PERSON)
    assert is_inside(victim)
    assert not is_inside(attacker)


def test_the_id_changes_when_somebody_confirms_that_it_is_they(org: Organization) -> None:
    client, thief = signed_in(), Client()
    thief.cookies[configured.SESSION_COOKIE_NAME] = client.session.session_key
    assert is_inside(thief)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert is_inside(client)
    assert not is_inside(thief)
    assert UserSession.objects.get().session_key == client.session.session_key


def test_signing_out_ends_the_session_on_the_server(org: Organization) -> None:
    client, thief = signed_in(), Client()
    thief.cookies[configured.SESSION_COOKIE_NAME] = client.session.session_key
    client.post("/accounts/logout/")
    assert not is_inside(thief)
    assert not UserSession.objects.exists()
    assert AuditRecord.objects.filter(operation="session.sign_out").count() == 1


# -- seeing and ending them ----------------------------------------------------------------------------------------------


def test_people_see_where_they_are_signed_in(org: Organization) -> None:
    here = signed_in(
        HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/140.0", REMOTE_ADDR="10.0.0.1"
    )
    signed_in(HTTP_USER_AGENT="Mozilla/5.0 (iPhone) AppleWebKit Safari/605", REMOTE_ADDR="10.0.0.2")
    signed_in("viewer@acme.test", REMOTE_ADDR="10.0.0.3")
    page = here.get(SECURITY).content.decode()
    assert "Firefox, Linux" in page
    assert "Safari, iPhone" in page
    assert "10.0.0.2" in page
    assert "10.0.0.3" not in page


def test_one_of_them_can_be_ended(org: Organization) -> None:
    here, there = signed_in(), signed_in()
    pk = UserSession.objects.get(session_key=there.session.session_key).pk
    assert here.post(f"/account/security/sessions/{pk}/end/").status_code == 302
    assert is_inside(here)
    assert not is_inside(there)
    assert here.post(f"/account/security/sessions/{pk}/end/").status_code == 404


def test_nobody_ends_the_session_of_another_person(org: Organization) -> None:
    here, theirs = signed_in(), signed_in("viewer@acme.test")
    pk = UserSession.objects.get(session_key=theirs.session.session_key).pk
    assert here.post(f"/account/security/sessions/{pk}/end/").status_code == 404
    assert is_inside(theirs)


def test_signing_out_everywhere_else(org: Organization) -> None:
    here, there, theirs = signed_in(), signed_in(), signed_in("viewer@acme.test")
    assert "Sign out everywhere else" in here.get(SECURITY).content.decode()
    assert here.post(OTHERS).status_code == 302
    assert (is_inside(here), is_inside(there), is_inside(theirs)) == (True, False, True)
    assert AuditRecord.objects.filter(operation="session.end", actor__email=PERSON).exists()
    assert here.post(OTHERS).status_code == 302, "safe to repeat"


def test_a_new_password_ends_the_others(org: Organization) -> None:
    here, there = signed_in(), signed_in()
    answer = here.post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    )
    assert answer.status_code == 302
    assert (is_inside(here), is_inside(there)) == (True, False)
    assert AuditRecord.objects.filter(operation="password.change").exists()


def test_a_reset_ends_them_all_and_signs_nobody_in(org: Organization, mailoutbox: Any) -> None:
    there, stranger = signed_in(), Client()
    stranger.post("/accounts/password/reset/", {"email": PERSON})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mailoutbox[-1].body)
    assert link is not None
    form = stranger.get(link[1])["Location"]
    stranger.post(form, {"password1": NEW, "password2": NEW})
    assert User.objects.get(email=PERSON).check_password(NEW)
    assert (is_inside(there), is_inside(stranger)) == (False, False)
    assert AuditRecord.objects.filter(operation="password.reset").exists()
    assert "token" not in str(Client().get(link[1]).headers), "the link works once"
    assert Client().get(link[1]).status_code == 200


def test_latest_sign_ins_show_who_failed_too(org: Organization) -> None:
    enter(Client(), PERSON, "not the password", REMOTE_ADDR="10.66.0.1")
    page = signed_in(REMOTE_ADDR="10.66.0.2").get(SECURITY).content.decode()
    assert page.index("10.66.0.2") < page.index("10.66.0.1")
    assert "Wrong password or code" in page


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/141 Safari/537 Edg/141", "Edge, Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/26 Safari/605", "Safari, macOS"),
        ("<script>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_devices_are_called_by_what_people_know(agent: str, name: str) -> None:
    assert device(agent) == name


@pytest.mark.parametrize(
    "path",
    [
        OTHERS,
        "/account/security/sessions/1/end/",
        "/accounts/app/set-up/",
        "/accounts/app/remove/",
        "/accounts/recovery-codes/new/",
        "/accounts/passkeys/add/",
        "/accounts/passkeys/1/remove/",
        "/accounts/passkeys/1/",
        "/accounts/reauthenticate/",
        "/accounts/reauthenticate/code/",
        "/accounts/password/change/",
        "/accounts/password/set/",
        "/accounts/logout/",
        "/accounts/login/",
        "/accounts/second-step/",
        "/accounts/passkeys/sign-in/",
        "/accounts/password/reset/",
    ],
)
def test_a_post_from_another_site_does_nothing(org: Organization, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(org.members["operator"])
    assert client.post(path).status_code == 403
    assert Client(enforce_csrf_checks=True).post(path).status_code in {302, 403}


@pytest.mark.parametrize("password", ["short", "password1234", "operator@acme.test", "123456789012"])
def test_a_weak_new_password_is_refused(org: Organization, password: str) -> None:
    signed_in().post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": password, "password2": password},
    )
    assert User.objects.get(email=PERSON).check_password(PASSWORD)


def test_a_long_password_of_any_letters_is_taken_whole(org: Organization) -> None:
    long = "пароль из многих слов 密码 🔑 " * 6
    assert len(long) > 128
    client = signed_in()
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": long, "password2": long})
    assert User.objects.get(email=PERSON).check_password(long)
    assert not User.objects.get(email=PERSON).check_password(long[:-1])
    other = Client()
    enter(other, PERSON, long)
    assert is_inside(other)


def test_what_signing_in_leaves_behind_is_let_go(org: Organization, clock: Any) -> None:
    signed_in()
    enter(Client(), "nobody@acme.test", "x")
    kept = (Session, UserSession, AccessLog, AccessFailureLog)
    tidy_sign_in()
    assert all(model.objects.exists() for model in kept)
    clock.shift(timedelta(days=31))
    tidy_sign_in()
    assert [model for model in (*kept, AccessAttempt) if model.objects.exists()] == []
