"""One pooled client for each connection, kept for the life of the process and renewed when the connection changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any

import httpx
import redis
from django.conf import settings

from console.cloud import objects
from console.cloud.client import Client, Credentials
from console.cloud.quota import Quota
from console.cloud.retry import RetryPolicy
from console.connections import endpoints
from console.connections.models import Connection

_lock = threading.Lock()
_clients: dict[int, tuple[tuple[str, ...], Client]] = {}


def client_for(connection: Connection) -> Client:
    """The connection's client; threads share it. Raises what `new_client` raises."""
    fingerprint = (
        connection.access_key_id,
        connection.access_key_secret,
        connection.security_token,
        connection.region,
        connection.instance_id,
        connection.endpoint,
    )
    with _lock:
        known = _clients.get(connection.pk)
        if known and known[0] == fingerprint:
            return known[1]
        client = new_client(connection)
        _clients[connection.pk] = (fingerprint, client)
    # The replaced client is left to the garbage collector: another thread may be in the middle of a call with it.
    return client


def new_client(
    connection: Connection, *, timeout: float | None = None, retry: RetryPolicy | None = None
) -> Client:
    """A client of its own for a connection, which need not be saved: the connection form tries the keys with it.

    Raises EndpointRefused for an address that CLOUD_ENDPOINTS has not (also one that was saved while it had), InvalidParameter
    for an endpoint that is no address, and Undecryptable.
    """
    address = endpoints.demand(connection.endpoint, connection.region)
    return Client(
        Credentials(
            connection.access_key_id, connection.access_key_secret, connection.security_token or None
        ),
        region=connection.region,
        instance_id=connection.instance_id or None,
        endpoint=address,
        transport=transport_for(connection),
        timeout=timeout or settings.CLOUD_TIMEOUT_SECONDS,
        retry=retry,
    )


def bring(connection: Connection, answer: Mapping[str, Any], file: IO[bytes]) -> objects.Stored:
    """Bring a file to the store that the `Data` of the platform's answer names, where CLOUD_ENDPOINTS has that address.

    Raises EndpointRefused before anything is sent, and what `objects.put` raises.
    """
    form = objects.UploadForm.of(answer)
    endpoints.demand_store(form.host, operation=objects.OPERATION)
    return objects.put(form, file, transport=transport_for(connection))


def transport_for(connection: Connection) -> httpx.BaseTransport | None:
    """The network under a client: None is the real one. Tests put the in-process emulator here."""
    return None


@lru_cache(maxsize=1)
def quota() -> Quota:
    """The limiter that all web and worker processes share through Redis."""
    return Quota(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2.0, socket_connect_timeout=2.0))


def forget() -> None:
    """Drop every kept client: tests and forked workers start with none."""
    with _lock:
        _clients.clear()
    quota.cache_clear()


def _forget_after_fork() -> None:
    """A forked worker opens its own connections; the lock may have been held while it was copied."""
    global _lock
    _lock = threading.Lock()
    forget()


os.register_at_fork(after_in_child=_forget_after_fork)
