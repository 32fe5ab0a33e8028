"""Secrets stay where they belong: canaries are put in, then every page, log line, record, table and Redis key is searched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
import redis
from django.core.management import call_command
from django.db import connection as database
from django.test import Client

from console.access.models import AuditRecord
from console.cloud.client import Client as CloudClient
from console.cloud.client import Credentials
from console.connections.models import Connection
from tests.conftest import KEY_ID, KEY_SECRET, PASSWORD, Cast
from tests.test_urls_by_role import MEMBERS_ONLY
from tests.world import World, fleet_copied, seeded, world

__all__ = ["fleet_copied", "seeded", "world"]  # fixtures

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
    """Everything that is logged, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "django.db.backends"):
        caplog.set_level(logging.DEBUG, logger=name)
    # Django writes parameters of queries there, encrypted ones included; no settings of ours switch it on.
    caplog.set_level(logging.INFO, logger="django.db.backends")
    return caplog


def read(response: Any) -> str:
    """All of an answer: body and headers."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode(errors="replace") + str(dict(response.headers)) + str(response.cookies)


def tables() -> Iterator[str]:
    """Every row of every table, as text."""
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield f"{table}: {row}"


def redis_holds(url: str) -> bytes:
    server = redis.Redis.from_url(url)
    return b"\n".join(key + b" " + (server.dump(key) or b"") for key in server.scan_iter())


def device_secrets(emulator: Any) -> list[str]:
    """The secrets of all devices and products of the fleet, from the platform itself."""
    transport = httpx.WSGITransport(app=emulator)
    with CloudClient(
        Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport
    ) as cloud:
        found = []
        for page in cloud.pages("QueryProductList"):
            for product in page["Data"]["List"]["ProductInfo"]:
                key = product["ProductKey"]
                found.append(cloud.call("QueryProduct", ProductKey=key)["Data"].get("ProductSecret"))
                devices = cloud.call("QueryDevice", ProductKey=key, PageSize=50)["Data"]["DeviceInfo"]
                found += [row.get("DeviceSecret") for row in devices]
    return [secret for secret in found if secret]


def test_secrets_are_on_no_page_in_no_log_record_table_or_redis(
    world: World, emulator: Any, sign_in: SignIn, redis_url: str, log: pytest.LogCaptureFixture
) -> None:
    secrets = [KEY_SECRET, TOKEN, PASSWORD, *device_secrets(emulator)]
    assert len(secrets) > 20
    Connection.objects.filter(pk=world.cast.connection.pk).update(security_token="")
    client = sign_in("owner")
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    seen: dict[str, str] = {}
    for name, may in MEMBERS_ONLY.items():
        if may.get:
            seen[f"GET {name}"] = read(client.get(world.url(name)))
    seen["edit"] = read(client.post(EDIT, {**FORM, "access_key_secret": KEY_SECRET}))
    seen["token"] = read(client.post(EDIT, {**FORM, "security_token": TOKEN, "untested": "on"}))
    seen["refused"] = read(
        client.post(EDIT, {**FORM, "access_key_id": "wrong", "access_key_secret": KEY_SECRET})
    )
    seen["test"] = read(client.post("/acme/-/connections/sandbox/test/"))
    edited = {"product_name": "Canary_1", "description": "new"}
    seen["before"] = read(client.post(world.url("products:edit"), edited))
    seen["csv"] = read(client.get("/acme/-/audit/?format=csv"))
    seen["jsonl"] = read(client.get("/acme/-/audit/?format=jsonl"))
    for record in AuditRecord.objects.for_team(world.cast.team):
        seen[f"record {record.pk}"] = read(client.get(f"/acme/-/audit/{record.pk}/"))
    exported = StringIO()
    call_command("audit", "export", "--team", "acme", stdout=exported)
    seen["export"] = exported.getvalue()
    assert '"before": {' in seen["jsonl"]
    assert '"before": {' in seen["export"]
    for kind, options in (
        ("malformed", {}),
        ("throttle", {"delay": 0.0}),
        ("error", {"code": "X.Y", "status": 400}),
    ):
        emulator.faults.add("*", kind, times=4, **options)
        seen[kind] = read(client.get(world.url("products:list")))
        emulator.faults.clear()
    # Pages with a one-time link show no password; device names and keys are on them, so the search would find a secret.
    assert any(world.things["products"]["key"] in text for text in seen.values())
    logged = "\n".join(record.getMessage() + str(record.exc_text or "") for record in log.records)
    rows, kept = "\n".join(tables()), redis_holds(redis_url)
    for secret in secrets:
        assert [where for where, text in seen.items() if secret in text] == []
        assert secret not in logged
        assert secret not in rows
        assert secret.encode() not in kept


def test_what_is_revealed_is_shown_once_and_kept_nowhere(
    world: World, emulator: Any, sign_in: SignIn, redis_url: str, log: pytest.LogCaptureFixture
) -> None:
    client = sign_in("administrator")
    shown = read(client.post(world.url("devices:secret")))
    revealed = [secret for secret in device_secrets(emulator) if secret in shown]
    assert len(revealed) == 1
    assert "no-store" in shown
    read(client.get(world.url("devices:detail")))
    logged = "\n".join(record.getMessage() for record in log.records)
    assert revealed[0] not in logged + "\n".join(tables())
    assert revealed[0].encode() not in redis_holds(redis_url)


def test_the_keys_are_not_in_a_traceback_or_a_repr(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    connection = Connection.objects.get(pk=cast.connection.pk)
    from console.connections import clients

    client = clients.new_client(connection)
    assert KEY_SECRET not in repr(client.credentials) + repr(client) + repr(connection)
    call_command("rotate_encryption_key")
    assert KEY_SECRET not in capsys.readouterr().out
