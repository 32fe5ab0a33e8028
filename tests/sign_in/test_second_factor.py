"""Second factors: authenticator apps, recovery codes, storage, and teams that require one. Passkeys: tests/journeys."""

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

from console.accounts.models import Membership, Team
from console.audit.models import AuditRecord
from tests.conftest import Organization
from tests.sign_in.helpers import (
    APP_SECRET,
    SECOND_STEP,
    add_authenticator_app,
    add_recovery_codes,
    is_signed_in,
    submit_password,
    totp_code,
)

USER = "operator@acme.test"
SHOWN_CODE = r"<code>(\d{6}(?:-\d{6}){5})</code>"  # 119 bits; ASVS requires 112
APP, CODES, NEW_CODES = "/accounts/app/set-up/", "/accounts/recovery-codes/", "/accounts/recovery-codes/new/"
SECURITY = "/account/security/"
REQUIREMENT = re.compile("The team Acme .*second factor")


@pytest.fixture
def second_step(org: Organization) -> Client:
    """A client whose user has an authenticator app and has entered the password."""
    add_authenticator_app(org.members["operator"])
    client = Client()
    submit_password(client, USER)
    return client


def recorded_operations(org: Organization) -> list[str]:
    return list(AuditRecord.objects.for_team(org.team).order_by("id").values_list("operation", flat=True))


def set_up_app(client: Client) -> str:
    """Set up an authenticator app on the page. Return its secret."""
    page = client.get(APP).content.decode()
    secret = re.search(r"\b[A-Z2-7]{32}\b", page)
    assert secret is not None
    response = client.post(APP, {"code": totp_code(secret[0])})
    assert response.status_code == 302
    return secret[0]


def test_a_user_with_an_app_cannot_sign_in_with_the_password_alone(second_step: Client) -> None:
    assert not is_signed_in(second_step)
    assert second_step.get("/acme/sandbox/").status_code == 302


def test_a_passkey_is_offered_in_the_second_step_only_to_a_user_who_has_one(
    org: Organization, second_step: Client
) -> None:
    assert "Use a passkey" not in second_step.get(SECOND_STEP).content.decode()


def test_a_code_of_the_app_completes_the_sign_in(second_step: Client) -> None:
    second_step.post(SECOND_STEP, {"code": totp_code()})
    assert is_signed_in(second_step)


def test_the_session_id_changes_after_the_second_step(second_step: Client) -> None:
    before = second_step.session.session_key
    second_step.post(SECOND_STEP, {"code": totp_code()})
    assert is_signed_in(second_step)
    assert second_step.session.session_key != before


def test_a_clock_may_be_off_by_half_a_minute_but_not_by_two_minutes(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC), tick=False):
        for steps, inside in ((-4, False), (4, False), (-1, True)):
            client = Client()
            submit_password(client, USER)
            client.post(SECOND_STEP, {"code": totp_code(steps=steps)})
            assert is_signed_in(client) == inside


def test_a_code_works_once(second_step: Client) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False) as clock:
        submit_password(second_step, USER)
        used = totp_code()
        second_step.post(SECOND_STEP, {"code": used})
        assert is_signed_in(second_step)
        for seconds in (0, 10, 30, 50):
            clock.move_to(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC) + timedelta(seconds=seconds))
            other_client = Client(REMOTE_ADDR=f"10.0.0.{seconds}")
            submit_password(other_client, USER)
            other_client.post(SECOND_STEP, {"code": used})
            assert not is_signed_in(other_client)


def test_an_older_code_does_not_work_after_a_newer_one(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False):
        first, second = Client(), Client(REMOTE_ADDR="10.0.0.2")
        submit_password(first, USER)
        first.post(SECOND_STEP, {"code": totp_code()})
        assert is_signed_in(first)
        submit_password(second, USER)
        second.post(SECOND_STEP, {"code": totp_code(steps=-1)})
        assert not is_signed_in(second)


def test_a_code_works_once_even_if_redis_loses_its_data(second_step: Client, settings: Any) -> None:
    import redis

    used = totp_code()
    second_step.post(SECOND_STEP, {"code": used})
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    other_client = Client()
    submit_password(other_client, USER)
    other_client.post(SECOND_STEP, {"code": used})
    assert not is_signed_in(other_client)


def test_the_user_is_notified_once_that_a_used_code_was_entered_again(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC), tick=False) as clock:
        used, older = totp_code(), totp_code(steps=-1)
        enter_code(used)
        clock.shift(3)
        enter_code(used)
        assert mail.outbox == [], "a double click"
        clock.shift(10)
        enter_code("000000")
        assert mail.outbox == [], "a wrong code"
        for again in (used, older):
            enter_code(again)
        assert [message.to for message in mail.outbox] == [[USER]]
        assert "had already been used" in mail.outbox[0].body
        assert used not in mail.outbox[0].subject + mail.outbox[0].body
        clock.shift(30)
        newer = totp_code()
        enter_code(newer)
        clock.shift(10)
        enter_code(newer)
        assert len(mail.outbox) == 2, "once for each code"
    assert recorded_operations(org).count("session.second_factor") == 5, "each refused code"


def enter_code(code: str) -> None:
    """Sign in with the password and this code, from a browser of its own."""
    client = Client()
    submit_password(client, USER)
    client.post(SECOND_STEP, {"code": code})


def test_a_used_code_is_refused_also_if_the_email_about_it_cannot_be_sent(
    org: Organization, settings: Any
) -> None:
    add_authenticator_app(org.members["operator"])
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC), tick=False) as clock:
        enter_code(totp_code())
        clock.shift(10)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        client = Client()
        submit_password(client, USER)
        response = client.post(SECOND_STEP, {"code": totp_code()})
        assert "already used code" in response.content.decode()
        assert not is_signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_setting_up_an_app_shows_recovery_codes_once(org: Organization, sign_in: Any) -> None:
    client = sign_in("operator")
    set_up_app(client)
    first_page = client.get(CODES)
    codes = re.findall(SHOWN_CODE, first_page.content.decode())
    assert len(codes) == 10
    assert f"%0A{codes[1]}%0A" in first_page.content.decode(), "the file to download has them"
    assert "no-store" in first_page["Cache-Control"]
    second_page = client.get(CODES).content.decode()
    assert [code for code in codes if code in second_page] == []
    assert recorded_operations(org) == ["factor.add", "factor.add"]


def test_the_code_that_set_up_the_app_cannot_be_used_to_sign_in(org: Organization, sign_in: Any) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC), tick=False):
        secret = set_up_app(client_with_password(org))
        client = Client()
        submit_password(client, USER)
        client.post(SECOND_STEP, {"code": totp_code(secret)})
        assert not is_signed_in(client)


def client_with_password(org: Organization) -> Client:
    client = Client()
    submit_password(client, USER)
    return client


def test_a_recovery_code_works_once_and_is_recorded(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    codes = add_recovery_codes(org.members["operator"])
    for inside in (True, False):
        client = Client()
        submit_password(client, USER)
        client.post(SECOND_STEP, {"code": codes[3]})
        assert is_signed_in(client) == inside
    assert "factor.recovery_code" in recorded_operations(org)


def test_new_recovery_codes_replace_the_old_ones(org: Organization, sign_in: Any) -> None:
    add_authenticator_app(org.members["operator"])
    old = add_recovery_codes(org.members["operator"])
    client = sign_in("operator")
    assert client.post(NEW_CODES)["Location"] == CODES
    new = re.findall(SHOWN_CODE, client.get(CODES).content.decode())
    assert len(new) == 10
    for used, inside in ((old[0], False), (new[0], True)):
        other = Client()
        submit_password(other, USER)
        other.post(SECOND_STEP, {"code": used})
        assert is_signed_in(other) == inside


def test_removing_the_app_also_removes_the_recovery_codes(org: Organization, sign_in: Any) -> None:
    add_authenticator_app(org.members["operator"])
    add_recovery_codes(org.members["operator"])
    assert sign_in("operator").post("/accounts/app/remove/").status_code == 302
    assert not Authenticator.objects.filter(user=org.members["operator"]).exists()
    client = Client()
    submit_password(client, USER)
    assert is_signed_in(client)
    assert recorded_operations(org).count("factor.remove") == 2


@pytest.mark.django_db(transaction=True)
def test_the_user_is_notified_by_email(org: Organization, sign_in: Any) -> None:
    set_up_app(sign_in("operator"))
    message = mail.outbox[-1]
    assert message.to == [USER]
    assert "example.com" not in message.subject + message.body
    assert "Fleetdesk" in message.body


# -- at rest -----------------------------------------------------------------------------------------------------------


def test_secrets_are_encrypted_at_rest(org: Organization) -> None:
    add_authenticator_app(org.members["operator"])
    codes = add_recovery_codes(org.members["operator"])
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert APP_SECRET not in stored
    assert [code for code in codes if code in stored] == []
    assert stored.count("gAAAA") == 2, "two Fernet tokens"


def test_the_secret_of_an_unfinished_setup_is_encrypted_too(sign_in: Any) -> None:
    client = sign_in("operator")
    secret = re.search(r"\b[A-Z2-7]{32}\b", client.get(APP).content.decode())
    assert secret is not None
    rows = [Session.objects.get(pk=client.session.session_key).get_decoded()]
    assert secret[0] not in str(rows)


def test_key_rotation_re_encrypts_the_secrets_of_factors(org: Organization, settings: Any) -> None:
    add_authenticator_app(org.members["operator"])
    codes = add_recovery_codes(org.members["operator"])
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption_key", batch=1)
    settings.FIELD_ENCRYPTION_KEYS = [new]
    for used in (totp_code(), codes[0]):
        client = Client()
        submit_password(client, USER)
        client.post(SECOND_STEP, {"code": used})
        assert is_signed_in(client)


def test_a_factor_without_its_encryption_key_is_reported_by_rotation_and_at_sign_in(
    org: Organization, settings: Any
) -> None:
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    add_authenticator_app(org.members["operator"])
    settings.FIELD_ENCRYPTION_KEYS = keys
    with pytest.raises(CommandError):
        call_command("rotate_encryption_key")
    client = Client()
    submit_password(client, USER)
    response = client.post(SECOND_STEP, {"code": "000000"})
    assert "does not have the encryption key" in response.content.decode()
    assert not is_signed_in(client)


# -- teams that require one ----------------------------------------------------------------------------------------------


@pytest.fixture
def strict_team(org: Organization) -> Team:
    """The team of the organization, which requires a second factor. The operator is also in a team that does not."""
    Membership.objects.create(team=org.other_team, user=org.members["operator"], role_slug="viewer")
    org.team.second_factor_required = True
    org.team.save()
    return org.team


def test_members_without_a_factor_are_redirected_to_its_setup(
    org: Organization, strict_team: Team, sign_in: Any
) -> None:
    client = sign_in("operator")
    for path in ("/acme/", "/acme/sandbox/", "/acme/sandbox/devices/", "/acme/-/audit/"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, f"{SECURITY}?team=acme")
        assert client.post(path).status_code == 302
        fragment = client.get(path, headers={"HX-Request": "true"})
        assert (fragment.status_code, fragment["HX-Redirect"]) == (204, f"{SECURITY}?team=acme")
    assert REQUIREMENT.search(client.get(f"{SECURITY}?team=acme").content.decode())


def test_the_installation_requires_a_factor_of_the_members_of_every_team(
    org: Organization, sign_in: Any, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    for role, team in (
        ("owner", "acme"),
        ("administrator", "acme"),
        ("viewer", "acme"),
        ("outsider", "globex"),
    ):
        client = sign_in(role)
        response = client.get(f"/{team}/-/members/")
        assert (response.status_code, response["Location"]) == (302, f"{SECURITY}?team={team}"), role
        page = client.get(response["Location"]).content.decode()
        assert "All teams of this console require one." in page
    client = sign_in("owner")
    set_up_app(client)
    assert client.get("/acme/-/members/").status_code == 200


def test_other_teams_and_own_pages_stay_accessible(
    org: Organization, strict_team: Team, sign_in: Any
) -> None:
    client = sign_in("operator")
    assert client.get("/globex/plant/explorer/").status_code == 200
    assert client.get("/account/profile/").status_code == 200
    assert client.get(APP).status_code == 200


def test_own_pages_show_nothing_of_the_team(org: Organization, strict_team: Team, sign_in: Any) -> None:
    org.members["viewer"].last_visited = "acme/sandbox"
    org.members["viewer"].save()
    client = sign_in("viewer")
    for page in ("/account/security/?team=acme", "/account/profile/", "/account/tokens/", "/account/api/"):
        response = client.get(page)
        assert response.status_code == 200
        assert "sandbox" not in response.content.decode().casefold(), page


def test_members_with_a_factor_can_open_the_team(org: Organization, strict_team: Team, sign_in: Any) -> None:
    client = sign_in("operator")
    set_up_app(client)
    assert client.get("/acme/sandbox/explorer/").status_code == 200
    assert not REQUIREMENT.search(client.get(f"{SECURITY}?team=acme").content.decode())


def test_recovery_codes_alone_are_no_second_factor(
    org: Organization, strict_team: Team, sign_in: Any
) -> None:
    add_recovery_codes(org.members["operator"])
    assert sign_in("operator").get("/acme/sandbox/").status_code == 302


def test_removing_the_factor_blocks_the_team_from_the_next_request(
    org: Organization, strict_team: Team, sign_in: Any
) -> None:
    client = sign_in("operator")
    set_up_app(client)
    assert client.get("/acme/sandbox/explorer/").status_code == 200
    client.post("/accounts/app/remove/")
    assert client.get("/acme/sandbox/explorer/")["Location"] == f"{SECURITY}?team=acme"


def test_a_non_member_does_not_learn_what_a_team_requires(
    org: Organization, strict_team: Team, sign_in: Any
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
def test_a_forged_passkey_is_refused(org: Organization, sign_in: Any, credential: str) -> None:
    visitor = Client()
    visitor.get("/accounts/passkeys/sign-in/", headers={"Accept": "application/json"})
    response = visitor.post("/accounts/passkeys/sign-in/", {"credential": credential})
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert not is_signed_in(visitor)
    member = sign_in("viewer")
    member.get("/accounts/passkeys/add/")
    assert member.post("/accounts/passkeys/add/", {"credential": credential}).status_code == 200
    assert not Authenticator.objects.exists()


def test_a_server_administrator_can_remove_a_lost_factor(org: Organization, second_step: Client) -> None:
    add_recovery_codes(org.members["operator"])
    second_step.post(SECOND_STEP, {"code": totp_code()})
    assert is_signed_in(second_step)
    call_command("remove_second_factor", "Operator@Acme.test", verbosity=0)
    assert not is_signed_in(second_step), "open sessions end"
    client = Client()
    submit_password(client, USER)
    assert is_signed_in(client)
    assert recorded_operations(org).count("factor.reset") == 1
    with pytest.raises(CommandError):
        call_command("remove_second_factor", "nobody@acme.test")
