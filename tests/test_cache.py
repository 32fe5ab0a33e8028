"""Redis: a value that somebody else wrote executes no code, and a server that hangs delays nobody for long."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.test import Client

from console import embedded
from console.audit import read_counts
from console.celery import app
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("alias", ["default", "cloud"])
def test_a_pickle_in_the_cache_is_not_loaded(
    alias: str, redis_connection: redis.Redis, tmp_path: Path
) -> None:
    cache = caches[alias]
    redis_connection.set(cache.make_key("planted"), pickle.dumps(Payload(tmp_path / "executed")))
    with pytest.raises(ValueError, match="decode"):
        cache.get("planted")
    assert not (tmp_path / "executed").exists()


@pytest.mark.django_db
def test_what_pages_cache_is_json(
    network: RecordedNetwork, org: Organization, redis_connection: redis.Redis
) -> None:
    org.gateway("operator").call("QueryProductList", CurrentPage=1, PageSize=10)
    values = [redis_connection.get(key) for key in redis_connection.keys("fleetdesk:*:reads:*")]
    assert values
    assert all(json.loads(value or b"") is not None for value in values)


def test_workers_accept_json_only() -> None:
    assert set(app.conf.accept_content) == {"json"}


@pytest.mark.django_db
def test_a_page_does_not_wait_for_redis_at_every_key(
    fleet: Any, org: Organization, sign_in: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_counts, "_pending", Counter())
    browser = sign_in("operator")
    attempts = []

    def time_out(*args: Any, **kwargs: Any) -> Any:
        attempts.append(args)
        raise redis.TimeoutError

    monkeypatch.setattr(redis.ConnectionPool, "get_connection", time_out)
    assert browser.get(org.url("devices/")).status_code == 200
    assert browser.get(org.url("groups/")).status_code == 200
    quota = 2  # counts by itself, with one repetition
    assert 0 < len(attempts) <= 1 + quota


@pytest.mark.processes
def test_starting_a_job_does_not_wait_for_a_redis_that_hangs(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir(mode=0o700)
    server = subprocess.Popen(embedded.redis_command(folder), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "redis.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.send_signal(signal.SIGSTOP)
        code = "from console.jobs.engine import wake_chunk; print(wake_chunk(1))"
        environment = {**os.environ, "REDIS_URL": embedded.redis_url(folder)}
        command = [sys.executable, "-c", f"import django; django.setup(); {code}"]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        assert result.stdout == "False\n"
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait(10)
