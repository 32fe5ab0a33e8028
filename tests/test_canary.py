"""Secrets do not leak: known secrets are stored, then every page, log line, record, table and Redis key is searched."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from io import StringIO
from textwrap import wrap
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.test import Client

from console.accounts.models import Membership
from console.accounts.scope import AccessScope
from console.api.document import PREFIX, document, operations
from console.audit.models import AuditChain, AuditRecord
from console.audit.records import Origin
from console.connections.models import Connection
from console.jobs.models import Job, Secret
from console.teams.changes import Actor
from console.teams.tokens.lifecycle import TokenDraft, create_personal_token
from iot_client.catalogue import Access
from iot_client.catalogue import operations as catalogue_operations
from tests.api.expectations import find_names
from tests.conftest import KEY_ID, KEY_SECRET, PASSWORD, Organization
from tests.expectations import FOR_ALL, MEMBERS_ONLY
from tests.identity_provider import CLIENT_SECRET, IdentityProvider, sign_on
from tests.populated import PopulatedTeam, list_addresses
from tests.responses import read_csv
from tests.sign_in.helpers import (
    APP_SECRET,
    SECOND_STEP,
    add_authenticator_app,
    add_recovery_codes,
    submit_password,
    totp_code,
)
from tests.stored_data import dump_redis, dump_tables, read_device_secrets

SignIn = Callable[[str], Client]
TOKEN = "canary-token-9f8e7d6c"
EDIT = "/acme/-/connections/sandbox/edit/"
FORM = {
    "name": "Sandbox",
    "region": "cn-shanghai",
    "endpoint": "http://emulator.test",
    "access_key_id": KEY_ID,
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All log records, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "django.db.backends"):
        caplog.set_level(logging.DEBUG, logger=name)
    # Django logs the parameters of queries there, including encrypted ones. No setting of the console enables this.
    caplog.set_level(logging.INFO, logger="django.db.backends")
    return caplog


def read(response: Any) -> str:
    """Return body, headers and cookies of a response as text, without the session cookie, which must contain its key."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    cookies = [cookie for name, cookie in response.cookies.items() if name != configured.SESSION_COOKIE_NAME]
    return body.decode(errors="replace") + str(dict(response.headers)) + str(cookies)


def test_secrets_are_on_no_page_in_no_log_record_table_or_redis(
    populated: PopulatedTeam, emulator: Any, sign_in: SignIn, redis_url: str, log: pytest.LogCaptureFixture
) -> None:
    secrets = [KEY_SECRET, TOKEN, PASSWORD, *read_device_secrets(emulator)]
    assert len(secrets) > 20
    Connection.objects.filter(pk=populated.org.connection.pk).update(security_token="")
    client = sign_in("owner")
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    contents: dict[str, str] = {}
    for name, may in MEMBERS_ONLY.items():
        if may.get:
            contents[f"GET {name}"] = read(client.get(populated.url(name)))
    contents["edit"] = read(client.post(EDIT, {**FORM, "access_key_secret": KEY_SECRET}))
    contents["token"] = read(client.post(EDIT, {**FORM, "security_token": TOKEN, "untested": "on"}))
    assert Connection.objects.get(pk=populated.org.connection.pk).security_token == TOKEN
    contents["form"] = read(client.get(EDIT))
    contents["refused"] = read(
        client.post(EDIT, {**FORM, "access_key_id": "wrong", "access_key_secret": KEY_SECRET})
    )
    contents["test"] = read(client.post("/acme/-/connections/sandbox/test/"))
    edited = {"product_name": "Canary_1", "description": "new"}
    contents["before"] = read(client.post(populated.url("products:edit"), edited))
    contents["csv"] = read(client.get("/acme/-/audit/?format=csv"))
    contents["jsonl"] = read(client.get("/acme/-/audit/?format=jsonl"))
    for record in AuditRecord.objects.for_team(populated.org.team):
        contents[f"record {record.pk}"] = read(client.get(f"/acme/-/audit/{record.pk}/"))
    exported = StringIO()
    call_command("audit", "export", "--team", "acme", stdout=exported)
    contents["export"] = exported.getvalue()
    assert '"before": {' in contents["jsonl"]
    assert '"before": {' in contents["export"]
    for kind, options in (
        ("malformed", {}),
        ("throttle", {"delay": 0.0}),
        ("error", {"code": "X.Y", "status": 400}),
    ):
        emulator.faults.add("*", kind, times=4, **options)
        contents[kind] = read(client.get(populated.url("products:list")))
        emulator.faults.clear()
    # The explorer page with the raw response, for every read operation whose response contains a secret.
    params = {
        "ProductKey": populated.things["devices"]["product_key"],
        "DeviceName": populated.things["devices"]["name"],
    }
    with_secrets = [
        one.name for one in catalogue_operations().values() if one.secret_fields and one.access is Access.READ
    ]
    assert len(with_secrets) > 3
    for name in with_secrets:
        contents[f"explorer {name}"] = read(
            client.post(populated.url("explorer:operation", operation=name), params)
        )
    # The pages do contain a ProductKey, so the search would find a secret.
    assert any(populated.things["products"]["key"] in text for text in contents.values())
    logged = "\n".join(record.getMessage() + str(record.exc_text or "") for record in log.records)
    rows, redis_bytes = "\n".join(dump_tables()), dump_redis(redis_url)
    for secret in secrets:
        assert [where for where, text in contents.items() if secret in text] == []
        assert secret not in logged
        assert secret not in rows
        assert secret.encode() not in redis_bytes


def test_a_revealed_secret_is_shown_once_and_stored_nowhere(
    populated: PopulatedTeam, emulator: Any, sign_in: SignIn, redis_url: str, log: pytest.LogCaptureFixture
) -> None:
    client = sign_in("administrator")
    shown = read(client.post(populated.url("devices:secret")))
    revealed = [secret for secret in read_device_secrets(emulator) if secret in shown]
    assert len(revealed) == 1
    assert "no-store" in shown
    read(client.get(populated.url("devices:detail")))
    logged = "\n".join(record.getMessage() for record in log.records)
    assert revealed[0] not in logged + "\n".join(dump_tables())
    assert revealed[0].encode() not in dump_redis(redis_url)


# Tables that must contain a secret. Django stores the session key as it is. The key of a password reset link is stored in
# the session of the browser that opened it.
ALLOWED_TABLES = {
    "session key": {"django_session", "usersessions_usersession"},
    "reset link": {"django_session, opened"},
}


@pytest.mark.django_db(transaction=True)  # codes and emails are sent after the commit
def test_secrets_of_users_and_programs_are_on_no_page_in_no_log_record_table_or_redis(
    populated: PopulatedTeam,
    provider: IdentityProvider,
    sign_in: SignIn,
    redis_url: str,
    log: pytest.LogCaptureFixture,
    mailoutbox: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = populated.org.members["owner"]
    client, visitor = sign_in("owner"), Client()
    secrets = {
        "app": APP_SECRET,
        "client secret of the provider": CLIENT_SECRET,
        "password": PASSWORD,
        "session key": client.session.session_key,
        "signing key": configured.SECRET_KEY,
        "encryption key": configured.FIELD_ENCRYPTION_KEYS[0],
    }
    # The console stores no secret of a passkey: the private key stays on the user's device.
    add_authenticator_app(owner)
    codes = add_recovery_codes(owner)
    shown_codes = ["-".join(wrap(code, 6)) for code in codes]
    secrets |= {f"recovery code {number}": one for number, one in enumerate([*codes, *shown_codes])}
    actor = Actor(Membership.objects.select_related("team", "user").get(user=owner), Origin())
    secrets["API token"] = create_personal_token(
        actor, TokenDraft("canary", "administrator", AccessScope(), 9)
    ).key
    once = read(client.get(populated.url("mfa_view_recovery_codes")))
    assert [one for one in shown_codes if one not in once] == []
    # One-time links: shown once or sent by email, and opened.
    settings.SENDS_MAIL = False
    fields = {"email": "late@acme.test", "name": "", "role": "viewer", "scope": "all"}
    shown = read(client.post(populated.url("teams:invite"), fields))
    secrets["invitation link"] = find_match(r"/invitations/([\w-]{20,})/", shown)
    settings.SENDS_MAIL = True
    visitor.post("/accounts/password/reset/", {"email": "viewer@acme.test"})
    link = find_match(r"http://testserver(/accounts/password/reset/key/\S+)", mailoutbox[-1].body)
    secrets["reset link"] = link.rstrip("/").partition("-")[2]
    secrets["chain"] = AuditChain.objects.get(team=populated.org.team).key
    assert all(len(secret) >= 8 for secret in secrets.values())

    contents: dict[str, str] = {}
    for secret, path in (("invitation", f"/invitations/{secrets['invitation link']}/"), ("reset", link)):
        opened = visitor.get(path)
        contents[f"{secret}, opened"] = read(visitor.get(opened["Location"]))
    for name in {**MEMBERS_ONLY, **FOR_ALL}:
        if name == "account_logout" or (name in MEMBERS_ONLY and not MEMBERS_ONLY[name].get):
            continue
        contents[f"GET {name}"] = read(client.get(populated.url(name)))
        contents[f"GET {name} as a visitor"] = read(Client().get(populated.url(name)))
    for wrong in (totp_code(APP_SECRET, 40), codes[0]):  # an invalid code, and a valid one-time code
        entering = Client()
        contents[f"password, then {wrong == codes[0]}"] = read(submit_password(entering, owner.email))
        contents[f"second step {wrong == codes[0]}"] = read(entering.post(SECOND_STEP, {"code": wrong}))
    contents["single sign-on"] = read(sign_on(Client(), provider.add_user("ada")))
    bearer = {"Authorization": f"Bearer {secrets['API token']}"}
    for path, method, _described in operations(document()):
        if method == "get":
            contents[path] = read(Client().get(path.format(**find_names(populated)), headers=bearer))
    contents["API, invalid token"] = read(
        Client().get(f"{PREFIX}token", headers={"Authorization": f"Bearer {secrets['API token'][:-1]}"})
    )
    contents["API, unknown address"] = read(Client().get(f"{PREFIX}nothing", headers=bearer))
    for record in AuditRecord.objects.for_team(populated.org.team):
        contents[f"record {record.pk}"] = read(client.get(populated.url("teams:audit-record", pk=record.pk)))
    contents["404"] = read(client.get(f"/acme/nothing/?token={secrets['API token']}"))
    monkeypatch.delattr("console.areas.products.api.list_products")
    client.raise_request_exception = False
    broken = client.get(populated.url("products:list"))
    assert broken.status_code == 500
    contents["500"] = read(broken)

    # The identity provider runs in this process and logs its requests.
    provider_loggers = ("authlib", "werkzeug", "oidc_provider_mock", "httpx", "httpcore", "urllib3")
    lines = [
        r.getMessage() + str(r.exc_text or "") for r in log.records if not r.name.startswith(provider_loggers)
    ]
    rows, redis_text = list(dump_tables()), dump_redis(redis_url).decode(errors="replace")
    for name, secret in secrets.items():
        # Codes are numbers: a timestamp or ID that happens to contain one does not count.
        pattern = re.compile(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])")
        assert [where for where, text in contents.items() if pattern.search(text)] == [], name
        assert [line for line in lines if pattern.search(line)] == [], name
        tables_with_secret = {row.partition(":")[0] for row in rows if pattern.search(row)}
        assert tables_with_secret == ALLOWED_TABLES.get(name, set()), name
        assert not pattern.search(redis_text), name


def find_match(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None
    return match[1]


def test_secrets_that_a_job_collected_are_only_in_the_file_for_them(
    populated: PopulatedTeam,
    start_registration: Callable[..., Job],
    run_job: Callable[[Job], Job],
    emulator: Any,
    sign_in: SignIn,
    redis_url: str,
    log: pytest.LogCaptureFixture,
) -> None:
    registered, owner = run_job(start_registration(8)), sign_in("owner")
    owner.post(populated.url("devices:collect-secrets", job=registered.pk))
    collected = Job.objects.get(kind="devices.secrets")
    run_job(collected)
    file = owner.get(populated.url("devices:registration-secrets", job=registered.pk))
    secrets = [row["device_secret"] for row in read_csv(file)]
    assert len(set(secrets)) == 8 == Secret.objects.count()
    assert all(secrets)
    contents: dict[str, str] = {}
    for name in (name for name, may in MEMBERS_ONLY.items() if "job" in list_addresses()[name] and may.get):
        if name == "devices:registration-secrets":
            continue
        for job in (registered, collected):
            contents[f"{name} {job.kind}"] = read(owner.get(populated.url(name, job=job.pk)))
    for record in AuditRecord.objects.for_team(populated.org.team):
        contents[f"record {record.pk}"] = read(owner.get(populated.url("teams:audit-record", pk=record.pk)))
    logged, rows = "\n".join(record.getMessage() for record in log.records), "\n".join(dump_tables())
    redis_bytes = dump_redis(redis_url)
    for secret in secrets:
        assert [where for where, text in contents.items() if secret in text] == []
        assert secret not in logged
        assert secret not in rows
        assert secret.encode() not in redis_bytes


def test_the_keys_are_not_in_a_traceback_or_a_repr(
    org: Organization, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = Connection.objects.get(pk=org.connection.pk)
    from console.connections import clients

    client = clients.new_client(connection)
    assert KEY_SECRET not in repr(client.credentials) + repr(client) + repr(connection)
    call_command("rotate_encryption_key")
    assert KEY_SECRET not in capsys.readouterr().out
