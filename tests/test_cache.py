"""Values in Redis: a value that somebody else wrote executes no code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches

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
