"""Sessions: how long they last, when their ID changes, and how users see and end their own."""

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
from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditRecord
from console.sign_in.tasks import clean_up_sign_in
from console.sign_in.user_agents import describe_device
from tests.conftest import PASSWORD, Organization
from tests.responses import page_text
from tests.sign_in.helpers import is_signed_in, submit_password

USER = "operator@acme.test"
SECURITY, END_OTHERS = "/account/security/", "/account/security/sessions/end-others/"
NEW_PASSWORD = "a wholly different one"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(datetime(2026, 3, 1, 8, tzinfo=UTC), tick=False) as frozen_time:
        yield frozen_time


def signed_in_client(email: str = USER, **extra: Any) -> Client:
    client = Client(**extra)
    submit_password(client, email)
    assert is_signed_in(client)
    return client


# -- expiry ----------------------------------------------------------------------------------------------------------


def test_an_unused_session_expires(org: Organization, clock: Any) -> None:
    client = signed_in_client()
    clock.shift(timedelta(minutes=29))
    assert is_signed_in(client)
    clock.shift(timedelta(minutes=31))
    assert not is_signed_in(client)
    assert not is_signed_in(client), "and stays expired"


def test_a_session_never_used_after_sign_in_expires_too(org: Organization, clock: Any) -> None:
    client = Client()
    submit_password(client, USER)
    clock.shift(timedelta(minutes=31))
    assert not is_signed_in(client)
    assert AuditRecord.objects.filter(operation="session.expire").count() == 1


def test_a_session_in_use_expires_after_its_maximum_age(org: Organization, clock: Any) -> None:
    client = signed_in_client()
    for _ in range(12 * 4 - 1):
        clock.shift(timedelta(minutes=15))
        assert is_signed_in(client)
    clock.shift(timedelta(minutes=16))
    assert not is_signed_in(client)


def test_background_requests_of_a_page_do_not_keep_the_session_alive(org: Organization, clock: Any) -> None:
    client = signed_in_client()
    for _ in range(7):
        clock.shift(timedelta(minutes=5))
        client.get("/acme/sandbox/jobs/tray/", headers={"HX-Request": "true", "X-Poll": "1"})
    response = client.get("/acme/sandbox/jobs/tray/", headers={"HX-Request": "true", "X-Poll": "1"})
    assert response.status_code == 401
    assert response["X-Sign-In"].startswith("/accounts/login/")


def test_a_session_whose_row_has_expired_does_not_exist(org: Organization) -> None:
    client = signed_in_client()
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_signed_in(client)


def test_an_expired_session_redirects_to_sign_in(org: Organization, clock: Any) -> None:
    page, fragment = signed_in_client(), signed_in_client("viewer@acme.test")
    clock.shift(timedelta(hours=1))
    assert page.get("/acme/sandbox/")["Location"] == "/accounts/login/?next=/acme/sandbox/"
    response = fragment.get("/acme/sandbox/", headers={"HX-Request": "true"})
    assert (response.status_code, response["X-Sign-In"]) == (401, "/accounts/login/?next=/acme/sandbox/")


def test_the_sign_in_page_says_once_why_the_session_ended(org: Organization, clock: Any) -> None:
    client = signed_in_client()
    clock.shift(timedelta(minutes=31))
    poll = client.get("/acme/sandbox/jobs/tray/", headers={"HX-Request": "true", "X-Poll": "1"})
    assert poll.status_code == 401
    reason = "You were signed out after 30 minutes without activity."
    assert reason in page_text(client.get("/acme/sandbox/", follow=True))
    submit_password(client, USER)
    client.post("/accounts/logout/")
    assert reason not in page_text(client.get("/accounts/login/"))


def test_an_expired_session_is_deleted_from_the_database(org: Organization, clock: Any) -> None:
    client = signed_in_client()
    key = client.session.session_key
    clock.shift(timedelta(hours=1))
    client.get("/account/profile/")
    assert not Session.objects.filter(pk=key).exists()
    stolen = Client()
    stolen.cookies[configured.SESSION_COOKIE_NAME] = key
    assert not is_signed_in(stolen)


def test_a_session_in_use_is_saved_once_a_minute_at_most(org: Organization, clock: Any) -> None:
    client = signed_in_client()
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


# -- session ID ------------------------------------------------------------------------------------------------------------


def test_a_planted_session_id_gets_no_access(org: Organization) -> None:
    attacker, victim = Client(), Client()
    attacker.get("/accounts/login/")
    session = attacker.session
    session["planted"] = True
    session.save()
    victim.cookies[configured.SESSION_COOKIE_NAME] = session.session_key
    attacker.cookies[configured.SESSION_COOKIE_NAME] = session.session_key
    submit_password(victim, USER)
    assert is_signed_in(victim)
    assert not is_signed_in(attacker)


@pytest.mark.parametrize(
    "key", ['"aaaaaaaaaaaaaaaa\\000"', "a" * 5000, "../../../etc", "key-with-é", '"a\\"b\\\\c"']
)
def test_a_forged_session_id_is_no_session(org: Organization, key: str) -> None:
    asked: list[Any] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.extend(params if "django_session" in sql else ())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        response = Client().get("/profile/", headers={"Cookie": f"{configured.SESSION_COOKIE_NAME}={key}"})
    assert response.status_code in (302, 404)
    assert not [value for value in asked if "\x00" in str(value)], "PostgreSQL refuses such a text"


def test_the_session_id_changes_when_the_user_confirms_their_identity(org: Organization) -> None:
    client, thief = signed_in_client(), Client()
    thief.cookies[configured.SESSION_COOKIE_NAME] = client.session.session_key
    assert is_signed_in(thief)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert is_signed_in(client)
    assert not is_signed_in(thief)
    assert UserSession.objects.get().session_key == client.session.session_key


def test_signing_out_ends_the_session_on_the_server(org: Organization) -> None:
    client, thief = signed_in_client(), Client()
    thief.cookies[configured.SESSION_COOKIE_NAME] = client.session.session_key
    client.post("/accounts/logout/")
    assert not is_signed_in(thief)
    assert not UserSession.objects.exists()
    assert AuditRecord.objects.filter(operation="session.sign_out").count() == 1


# -- seeing and ending them ----------------------------------------------------------------------------------------------


def test_users_see_their_own_sessions(org: Organization) -> None:
    current = signed_in_client(
        HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Gecko Firefox/140.0", REMOTE_ADDR="10.0.0.1"
    )
    signed_in_client(HTTP_USER_AGENT="Mozilla/5.0 (iPhone) AppleWebKit Safari/605", REMOTE_ADDR="10.0.0.2")
    signed_in_client("viewer@acme.test", REMOTE_ADDR="10.0.0.3")
    page = current.get(SECURITY).content.decode()
    assert "Firefox, Linux" in page
    assert "Safari, iPhone" in page
    assert "10.0.0.2" in page
    assert "10.0.0.3" not in page


def test_signing_out_everywhere_else_is_offered_only_with_other_sessions(org: Organization) -> None:
    client = signed_in_client()
    assert "Sign out everywhere else" not in client.get(SECURITY).content.decode()
    signed_in_client()
    page = client.get(SECURITY).content.decode()
    head = page.split('id="sessions-title"')[1].split("<table")[0]
    assert "Sign out everywhere else" in head
    assert "btn-danger" not in head


def test_a_user_can_end_one_of_their_sessions(org: Organization) -> None:
    current, other = signed_in_client(), signed_in_client()
    pk = UserSession.objects.get(session_key=other.session.session_key).pk
    assert current.post(f"/account/security/sessions/{pk}/end/").status_code == 302
    assert is_signed_in(current)
    assert not is_signed_in(other)
    assert current.post(f"/account/security/sessions/{pk}/end/").status_code == 404


def test_a_user_cannot_end_the_session_of_another_user(org: Organization) -> None:
    current, foreign = signed_in_client(), signed_in_client("viewer@acme.test")
    pk = UserSession.objects.get(session_key=foreign.session.session_key).pk
    assert current.post(f"/account/security/sessions/{pk}/end/").status_code == 404
    assert is_signed_in(foreign)


def test_a_user_can_end_all_other_sessions(org: Organization) -> None:
    current, other, foreign = signed_in_client(), signed_in_client(), signed_in_client("viewer@acme.test")
    assert "Sign out everywhere else" in current.get(SECURITY).content.decode()
    assert current.post(END_OTHERS).status_code == 302
    assert (is_signed_in(current), is_signed_in(other), is_signed_in(foreign)) == (True, False, True)
    assert AuditRecord.objects.filter(operation="session.end", actor__email=USER).exists()
    assert current.post(END_OTHERS).status_code == 302, "safe to repeat"


def test_a_new_password_ends_the_other_sessions(org: Organization) -> None:
    current, other = signed_in_client(), signed_in_client()
    response = current.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )
    assert response.status_code == 302
    assert (is_signed_in(current), is_signed_in(other)) == (True, False)
    assert AuditRecord.objects.filter(operation="password.change").exists()


def test_a_changed_password_is_confirmed_on_the_page_of_the_sign_in_methods(org: Organization) -> None:
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    response = signed_in_client().post("/accounts/password/change/", form, follow=True)
    assert response.redirect_chain == [(SECURITY, 302)]
    assert "Password changed." in response.content.decode()


def test_a_password_reset_ends_all_sessions_and_signs_nobody_in(org: Organization, mailoutbox: Any) -> None:
    other, visitor = signed_in_client(), Client()
    visitor.post("/accounts/password/reset/", {"email": USER})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mailoutbox[-1].body)
    assert link is not None
    form = visitor.get(link[1])["Location"]
    visitor.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert User.objects.get(email=USER).check_password(NEW_PASSWORD)
    assert (is_signed_in(other), is_signed_in(visitor)) == (False, False)
    assert AuditRecord.objects.filter(operation="password.reset").exists()
    assert "token" not in str(Client().get(link[1]).headers), "the link works once"
    assert Client().get(link[1]).status_code == 200


def test_the_latest_sign_ins_include_failures(org: Organization) -> None:
    submit_password(Client(), USER, "not the password", REMOTE_ADDR="10.66.0.1")
    page = signed_in_client(REMOTE_ADDR="10.66.0.2").get(SECURITY).content.decode()
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
def test_the_device_is_described_by_browser_and_system(agent: str, name: str) -> None:
    assert describe_device(agent) == name


@pytest.mark.parametrize(
    "path",
    [
        END_OTHERS,
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
def test_a_post_from_another_site_is_refused(org: Organization, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(org.members["operator"])
    assert client.post(path).status_code == 403
    assert Client(enforce_csrf_checks=True).post(path).status_code in {302, 403}


@pytest.mark.parametrize("password", ["short", "password1234", "operator@acme.test", "123456789012"])
def test_a_weak_new_password_is_refused(org: Organization, password: str) -> None:
    signed_in_client().post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": password, "password2": password},
    )
    assert User.objects.get(email=USER).check_password(PASSWORD)


def test_a_long_password_of_any_characters_is_not_truncated(org: Organization) -> None:
    long = "пароль из многих слов 密码 🔑 ".ljust(128, "!")
    client = signed_in_client()
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": long, "password2": long})
    assert User.objects.get(email=USER).check_password(long)
    assert not User.objects.get(email=USER).check_password(long[:-1])
    other = Client()
    submit_password(other, USER, long)
    assert is_signed_in(other)


def test_a_new_password_has_at_most_128_characters(org: Organization) -> None:
    client = signed_in_client()
    too_long = "correct horse battery staple ".ljust(129, "!")
    data = {"oldpassword": PASSWORD, "password1": too_long, "password2": too_long}
    page = client.post("/accounts/password/change/", data).content.decode()
    assert "This password is too long. Use at most 128 characters." in page
    assert User.objects.get(email=USER).check_password(PASSWORD)


def test_a_longer_password_from_an_earlier_release_still_works(org: Organization) -> None:
    old = "correct horse battery staple ".ljust(200, "!")
    user = User.objects.get(email=USER)
    user.set_password(old)
    user.save()
    client = Client()
    submit_password(client, USER, old)
    assert is_signed_in(client)


def test_old_sign_in_data_is_deleted(org: Organization, clock: Any) -> None:
    signed_in_client()
    submit_password(Client(), "nobody@acme.test", "x")
    models = (Session, UserSession, AccessLog, AccessFailureLog)
    clean_up_sign_in()
    assert all(model.objects.exists() for model in models)
    clock.shift(timedelta(days=31))
    clean_up_sign_in()
    assert [model for model in (*models, AccessAttempt) if model.objects.exists()] == []
