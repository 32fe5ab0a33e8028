"""Everything that is stored, as text, for tests that search it for secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import redis
from django.contrib.sessions.models import Session
from django.db import connection as database

from iot_client.client import Client as CloudClient
from iot_client.client import Credentials
from tests.conftest import KEY_ID, KEY_SECRET


def dump_tables() -> Iterator[str]:
    """Yield every row of every table as text, and the decoded sessions."""
    for session in Session.objects.all():
        yield f"django_session, opened: {session.get_decoded()}"
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield f"{table}: {row}"


def dump_redis(url: str) -> bytes:
    server = redis.Redis.from_url(url)
    return b"\n".join(key + b" " + (server.dump(key) or b"") for key in server.scan_iter())


def read_device_secrets(emulator: Any) -> list[str]:
    """Return the secrets of all devices and products of the fleet, as the platform returns them."""
    transport = httpx.WSGITransport(app=emulator)
    with CloudClient(
        Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport
    ) as cloud:
        secrets = []
        for page in cloud.pages("QueryProductList"):
            for product in page["Data"]["List"]["ProductInfo"]:
                key = product["ProductKey"]
                secrets.append(cloud.call("QueryProduct", ProductKey=key)["Data"].get("ProductSecret"))
                devices = cloud.call("QueryDevice", ProductKey=key, PageSize=50)["Data"]["DeviceInfo"]
                secrets += [row.get("DeviceSecret") for row in devices]
    return [secret for secret in secrets if secret]
