"""The WSGI entry point, for one process with one thread. Each response says its CPU time and its database queries."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from console.ui.statuses import all_statuses
from console.wsgi import application as console
from tests.bench.yardstick.models import Device

StartResponse = Callable[..., Any]


def prepare() -> None:
    """Create the admin's tables with the devices of the CSV file DEVICES, and collect the static files."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    values = {str(status.label): key for key, status in all_statuses()["device"].items()}
    with Path(os.environ["DEVICES"]).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    Device.objects.all().delete()
    Device.objects.bulk_create(
        Device(
            name=row["Name"],
            status=values[row["Status"]],
            nickname=row["Nickname"],
            created=row["Created"],
        )
        for row in rows
    )


prepare()
with override_settings(MIDDLEWARE=settings.ADMIN_MIDDLEWARE):
    admin = WSGIHandler()


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The response, with its CPU milliseconds in X-CPU and its number of database queries in X-Queries."""
    handler = admin if environ["PATH_INFO"].startswith("/yardstick/") else console
    queries = 0
    started: list[Any] = []

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> None:
        started.extend([status, headers])

    before = time.process_time()
    with connection.execute_wrapper(count):
        response = handler(environ, start)
        content = b"".join(response)
        response.close()
    cpu = (time.process_time() - before) * 1000
    status, headers = started
    start_response(status, [*headers, ("X-CPU", f"{cpu:.3f}"), ("X-Queries", str(queries))])
    return [content]
