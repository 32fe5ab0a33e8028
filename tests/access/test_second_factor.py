"""Second factors: an authenticator app, recovery codes, how they are kept, and teams that require one. Passkeys: tests/journeys."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from console.access.models import AuditRecord, Membership, Team
from tests.access.people import APP_SECRET, STEP, code, enter, give_app, give_recovery_codes, is_inside
from tests.conftest import Organization

PERSON = "operator@acme.test"
APP, CODES, NEW_CODES = "/accounts/app/set-up/", "/accounts/recovery-codes/", "/accounts/recovery-codes/new/"
SECURITY = "/account/security/"


@pytest.fixture
def second_step(org: Organization) -> Client:
    """A browser whose person has entered the password and has an authenticator app."""
    give_app(org.members["operator"])
    client = Client()
    enter(client, PERSON)
    return client


def operations(org: Organization) -> list[str]:
    return list(AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", flat=True))


def set_up_app(client: Client) -> str:
    """Set up an authenticator app on the page; its secret."""
    page = client.get(APP).content.decode()
    secret = re.search(r"\b[A-Z2-7]{32}\b", page)
    assert secret is not None
    answer = client.post(APP, {"code": code(secret[0])})
    assert answer.status_code == 302
    return secret[0]


def test_the_password_alone_lets_nobody_in_who_has_an_app(second_step: Client) -> None:
    assert not is_inside(second_step)
    assert second_step.get("/acme/sandbox/").status_code == 302


def test_the_code_of_the_app_lets_in(second_step: Client) -> None:
    second_step.post(STEP, {"code": code()})
    assert is_inside(second_step)


def test_the_session_has_another_id_after_the_second_step(second_step: Client) -> None:
    before = second_step.session.session_key
    second_step.post(STEP, {"code": code()})
    assert is_inside(second_step)
    assert second_step.session.session_key != before


def test_a_clock_that_is_half_a_minute_off_is_forgiven_and_one_that_is_two_is_not(org: Organization) -> None:
    give_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC), tick=False):
        for steps, inside in ((-4, False), (4, False), (-1, True)):
            client = Client()
            enter(client, PERSON)
            client.post(STEP, {"code": code(steps=steps)})
            assert is_inside(client) == inside


def test_a_code_works_once(second_step: Client) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False) as clock:
        enter(second_step, PERSON)
        used = code()
        second_step.post(STEP, {"code": used})
        assert is_inside(second_step)
        for seconds in (0, 10, 30, 50):
            clock.move_to(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC) + timedelta(seconds=seconds))
            again = Client(REMOTE_ADDR=f"10.0.0.{seconds}")
            enter(again, PERSON)
            again.post(STEP, {"code": used})
            assert not is_inside(again)


def test_an_older_code_does_not_work_after_a_newer_one(org: Organization) -> None:
    give_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False):
        first, second = Client(), Client(REMOTE_ADDR="10.0.0.2")
        enter(first, PERSON)
        first.post(STEP, {"code": code()})
        assert is_inside(first)
        enter(second, PERSON)
        second.post(STEP, {"code": code(steps=-1)})
        assert not is_inside(second)


def test_a_code_works_once_even_when_redis_forgets(second_step: Client, settings: Any) -> None:
    import redis

    used = code()
    second_step.post(STEP, {"code": used})
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    again = Client()
    enter(again, PERSON)
    again.post(STEP, {"code": used})
    assert not is_inside(again)


@pytest.mark.django_db(transaction=True)
def test_setting_up_an_app_shows_recovery_codes_once(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    set_up_app(client)
    shown = client.get(CODES)
    codes = re.findall(r"<code>(\d{8})</code>", shown.content.decode())
    assert len(codes) == 10
    assert f"%0A{codes[1]}%0A" in shown.content.decode(), "the file to download holds them"
    assert "no-store" in shown["Cache-Control"]
    again = client.get(CODES).content.decode()
    assert [one for one in codes if one in again] == []
    assert operations(org) == ["factor.add", "factor.add"]


def test_the_code_that_set_the_app_up_does_not_sign_in_too(org: Organization, sign_in: Any) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False):
        secret = set_up_app(sign_in_now(org))
        client = Client()
        enter(client, PERSON)
        client.post(STEP, {"code": code(secret)})
        assert not is_inside(client)


def sign_in_now(org: Organization) -> Client:
    client = Client()
    enter(client, PERSON)
    return client


def test_a_recovery_code_lets_in_once_and_is_in_the_trail(org: Organization) -> None:
    give_app(org.members["operator"])
    codes = give_recovery_codes(org.members["operator"])
    for inside in (True, False):
        client = Client()
        enter(client, PERSON)
        client.post(STEP, {"code": codes[3]})
        assert is_inside(client) == inside
    assert "factor.recovery_code" in operations(org)


def test_new_recovery_codes_end_the_old_ones(org: Organization, sign_in: Any) -> None:
    give_app(org.members["operator"])
    old = give_recovery_codes(org.members["operator"])
    client = sign_in("operator")
    assert client.post(NEW_CODES)["Location"] == CODES
    new = re.findall(r"<code>(\d{8})</code>", client.get(CODES).content.decode())
    assert len(new) == 10
    for used, inside in ((old[0], False), (new[0], True)):
        other = Client()
        enter(other, PERSON)
        other.post(STEP, {"code": used})
        assert is_inside(other) == inside


def test_removing_the_app_takes_the_codes_along_and_the_password_alone_does_again(
    org: Organization, sign_in: Any
) -> None:
    give_app(org.members["operator"])
    give_recovery_codes(org.members["operator"])
    assert sign_in("operator").post("/accounts/app/remove/").status_code == 302
    assert not Authenticator.objects.filter(user=org.members["operator"]).exists()
    client = Client()
    enter(client, PERSON)
    assert is_inside(client)
    assert operations(org).count("factor.remove") == 2


@pytest.mark.django_db(transaction=True)
def test_the_person_is_told_by_mail(org: Organization, sign_in: Any) -> None:
    set_up_app(sign_in("operator"))
    told = mail.outbox[-1]
    assert told.to == [PERSON]
    assert "example.com" not in told.subject + told.body
    assert "Fleetdesk" in told.body


# -- at rest -----------------------------------------------------------------------------------------------------------


def test_secrets_are_encrypted_at_rest(org: Organization) -> None:
    give_app(org.members["operator"])
    codes = give_recovery_codes(org.members["operator"])
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert APP_SECRET not in kept
    assert [one for one in codes if one in kept] == []
    assert kept.count("gAAAA") == 2, "two Fernet tokens"


def test_a_secret_that_waits_to_be_set_up_is_encrypted_too(sign_in: Any) -> None:
    client = sign_in("operator")
    secret = re.search(r"\b[A-Z2-7]{32}\b", client.get(APP).content.decode())
    assert secret is not None
    rows = [Session.objects.get(pk=client.session.session_key).get_decoded()]
    assert secret[0] not in str(rows)


def test_rotating_the_key_rotates_secrets_of_factors(org: Organization, settings: Any) -> None:
    give_app(org.members["operator"])
    codes = give_recovery_codes(org.members["operator"])
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption_key", batch=1)
    settings.FIELD_ENCRYPTION_KEYS = [new]
    for used in (code(), codes[0]):
        client = Client()
        enter(client, PERSON)
        client.post(STEP, {"code": used})
        assert is_inside(client)


def test_a_factor_whose_key_is_gone_is_named_by_the_rotation_and_said_at_sign_in(
    org: Organization, settings: Any
) -> None:
    give_app(org.members["operator"])
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError):
        call_command("rotate_encryption_key")
    client = Client()
    enter(client, PERSON)
    answer = client.post(STEP, {"code": "000000"})
    assert "lacks the key" in answer.content.decode()
    assert not is_inside(client)


# -- teams that require one ----------------------------------------------------------------------------------------------


@pytest.fixture
def strict(org: Organization) -> Team:
    """The org's team, which requires a second factor; the operator is also in the other one, which does not."""
    Membership.objects.create(team=org.other_team, user=org.members["operator"], role_slug="viewer")
    org.team.second_factor_required = True
    org.team.save()
    return org.team


def test_members_without_one_are_led_to_set_one_up(org: Organization, strict: Team, sign_in: Any) -> None:
    client = sign_in("operator")
    for path in ("/acme/", "/acme/sandbox/", "/acme/sandbox/devices/", "/acme/-/audit/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"{SECURITY}?team=acme")
        assert client.post(path).status_code == 302
        part = client.get(path, headers={"HX-Request": "true"})
        assert (part.status_code, part["HX-Redirect"]) == (204, f"{SECURITY}?team=acme")
    assert "asks its members for a second factor" in client.get(f"{SECURITY}?team=acme").content.decode()


def test_their_other_teams_and_their_own_pages_stay_open(
    org: Organization, strict: Team, sign_in: Any
) -> None:
    client = sign_in("operator")
    assert client.get("/globex/plant/explorer/").status_code == 200
    assert client.get("/account/profile/").status_code == 200
    assert client.get(APP).status_code == 200


def test_the_frame_of_their_own_pages_shows_nothing_of_the_team(
    org: Organization, strict: Team, sign_in: Any
) -> None:
    org.members["viewer"].last_place = "acme/sandbox"
    org.members["viewer"].save()
    client = sign_in("viewer")
    for page in ("/account/security/?team=acme", "/account/profile/", "/account/tokens/", "/account/api/"):
        shown = client.get(page)
        assert shown.status_code == 200
        assert "sandbox" not in shown.content.decode().casefold(), page


def test_members_who_have_one_come_in(org: Organization, strict: Team, sign_in: Any) -> None:
    client = sign_in("operator")
    set_up_app(client)
    assert client.get("/acme/sandbox/explorer/").status_code == 200
    assert "asks its members" not in client.get(f"{SECURITY}?team=acme").content.decode()


def test_recovery_codes_alone_are_no_second_factor(org: Organization, strict: Team, sign_in: Any) -> None:
    give_recovery_codes(org.members["operator"])
    assert sign_in("operator").get("/acme/sandbox/").status_code == 302


def test_removing_the_factor_closes_the_team_at_the_next_request(
    org: Organization, strict: Team, sign_in: Any
) -> None:
    client = sign_in("operator")
    set_up_app(client)
    assert client.get("/acme/sandbox/explorer/").status_code == 200
    client.post("/accounts/app/remove/")
    assert client.get("/acme/sandbox/explorer/")["Location"] == f"{SECURITY}?team=acme"


def test_a_stranger_learns_nothing_of_what_a_team_requires(
    org: Organization, strict: Team, sign_in: Any
) -> None:
    outsider = sign_in("outsider")
    assert outsider.get("/acme/sandbox/").status_code == 404
    assert "Acme" not in outsider.get(f"{SECURITY}?team=acme").content.decode()


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "null",
        "[]",
        "{}",
        '"x"',
        '{"response": {}}',
        '{"id": "x", "rawId": "eA", "type": "public-key", "response": {"clientDataJSON": "e30", "authenticatorData": "eA", "signature": "eA", "userHandle": "////"}}',
        "{",
        "[" * 2000,
    ],
)
def test_a_made_up_passkey_is_refused(org: Organization, sign_in: Any, credential: str) -> None:
    stranger = Client()
    stranger.get("/accounts/passkeys/sign-in/", headers={"Accept": "application/json"})
    answer = stranger.post("/accounts/passkeys/sign-in/", {"credential": credential})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert not is_inside(stranger)
    member = sign_in("viewer")
    member.get("/accounts/passkeys/add/")
    assert member.post("/accounts/passkeys/add/", {"credential": credential}).status_code == 200
    assert not Authenticator.objects.exists()


def test_whoever_runs_the_console_can_remove_a_lost_factor(org: Organization, second_step: Client) -> None:
    give_recovery_codes(org.members["operator"])
    second_step.post(STEP, {"code": code()})
    assert is_inside(second_step)
    call_command("remove_second_factor", "Operator@Acme.test", verbosity=0)
    assert not is_inside(second_step), "open sessions end"
    client = Client()
    enter(client, PERSON)
    assert is_inside(client)
    assert operations(org).count("factor.reset") == 1
    with pytest.raises(CommandError):
        call_command("remove_second_factor", "nobody@acme.test")
