"""One pooled client for each connection. It lives as long as the process and is replaced when the connection changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any

import httpx
import redis
from django.conf import settings

from console.connections import endpoints
from console.connections.models import Connection
from console.connections.waiting import Waiter
from iot_client import object_storage
from iot_client.client import Client, Credentials
from iot_client.quota import Quota
from iot_client.retry import RetryPolicy

_lock = threading.Lock()
_clients: dict[int, tuple[tuple[str, ...], Client]] = {}


def client_for(connection: Connection) -> Client:
    """The connection's client, shared by all threads. Raises the errors of `new_client`."""
    fingerprint = (
        connection.access_key_id,
        connection.access_key_secret,
        connection.security_token,
        connection.region,
        connection.instance_id,
        connection.endpoint,
    )
    with _lock:
        cached = _clients.get(connection.pk)
        if cached and cached[0] == fingerprint:
            return cached[1]
        client = new_client(connection)
        _clients[connection.pk] = (fingerprint, client)
    # The garbage collector closes the replaced client: another thread may still be using it.
    return client


def new_client(
    connection: Connection, *, timeout: float | None = None, retry: RetryPolicy | None = None
) -> Client:
    """A separate client for a connection, which may be unsaved: the connection form tests the keys with it.

    Raises EndpointRefused if CLOUD_ENDPOINTS does not list the address (any more), InvalidParameter if the endpoint is not an
    address, and Undecryptable.
    """
    address = endpoints.check_endpoint(connection.endpoint, connection.region)
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


def upload_file(
    connection: Connection, response: Mapping[str, Any], file: IO[bytes]
) -> object_storage.StoredFile:
    """Upload a file to the object store that the `Data` of the platform's response names, if CLOUD_ENDPOINTS lists its address.

    Raises EndpointRefused and PlatformBusy before anything is sent, and the errors of `object_storage.upload_file`.
    """
    form = object_storage.UploadForm.from_response(response)
    endpoints.check_store(form.host, operation=object_storage.OPERATION)
    with Waiter(connection.pk).wait(object_storage.OPERATION):
        return object_storage.upload_file(form, file, transport=transport_for(connection))


def transport_for(connection: Connection) -> httpx.BaseTransport | None:
    """The HTTP transport of a client; None for the real network. Tests replace it with the in-process emulator."""
    return None


@lru_cache(maxsize=1)
def quota() -> Quota:
    """The rate limiter that all web and worker processes share through Redis."""
    return Quota(
        redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        )
    )


def drop_clients() -> None:
    """Drop all cached clients, so that a test or a forked worker starts without any."""
    with _lock:
        _clients.clear()
    quota.cache_clear()


def _reset_after_fork() -> None:
    """Gives a forked worker its own clients and a new lock: the copied lock may have been held during the fork."""
    global _lock
    _lock = threading.Lock()
    drop_clients()


os.register_at_fork(after_in_child=_reset_after_fork)
