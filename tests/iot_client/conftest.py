"""A real Redis-compatible server for the tests of the quota, on its own socket."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from console.embedded import redis_command, redis_socket


@pytest.fixture(scope="module")
def quota_server() -> Iterator[Path]:
    """The folder of a running embedded server."""
    with tempfile.TemporaryDirectory(prefix="quota-") as name:
        folder = Path(name)
        process = subprocess.Popen(redis_command(folder), stdout=subprocess.DEVNULL)
        connection = redis.Redis.from_url(f"unix://{redis_socket(folder)}?db=0")
        try:
            for _ in range(500):
                try:
                    connection.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
            yield folder
        finally:
            connection.close()
            process.terminate()
            process.wait(10)


@pytest.fixture
def quota_redis(quota_server: Path) -> Iterator[redis.Redis]:
    """A connection to an empty database of the server."""
    connection = redis.Redis.from_url(f"unix://{redis_socket(quota_server)}?db=0")
    connection.flushdb()
    yield connection
    connection.close()
