"""Sends calls to the cloud: waits for the quota, signs, sends, retries, and checks the structure of the response."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from console.connections.cache import ReadCache
from console.connections.calls import Call, check_response
from console.connections.clients import client_for, quota
from console.connections.errors import http_status
from console.connections.masking import mask_response
from console.connections.models import Connection
from console.connections.waiting import Waiter
from iot_client.catalogue import Operation
from iot_client.errors import CloudError
from iot_client.quota import Lane
from iot_client.trace import Trace

log = logging.getLogger(__name__)
_BACKGROUND_WAIT_SECONDS = 120.0


class Sender:
    """Sends calls on one connection in one quota lane. Checks no permission and uses no database, so several threads may use it.

    `call_count`: calls that got their quota. `waited_seconds`: seconds spent waiting for the quotas.
    """

    def __init__(self, connection: Connection, lane: Lane) -> None:
        self._connection = connection
        self._lane = lane
        self.reads = ReadCache(connection)
        self._waiter = Waiter(connection.pk)
        self.call_count = 0
        self.waited_seconds = 0.0
        self._counting = threading.Lock()

    def exchange(self, call: Call) -> dict[str, Any]:
        """Send a call, or answer a read from the cache. Raises CloudError, Undecryptable."""
        if call.trace is not None:
            return self._send_traced(call.definition, call.params, call.trace)
        if call.is_recorded:
            return self.send(call.definition, call.params)
        return self.read(call.definition, call.params, fresh=call.fresh)

    def read(
        self, definition: Operation, params: Mapping[str, Any], *, fresh: bool = False
    ) -> dict[str, Any]:
        """Answer a read from the cache, else send it. The background lane has no cache. Raises CloudError, Undecryptable."""
        cached = self.reads.find(definition, params) if self._lane is Lane.PEOPLE else None
        if not fresh and cached is not None and cached.response is not None:
            return cached.response
        response = self.send(definition, params)
        if cached is not None:
            self.reads.store(cached, mask_response(definition, response))
        return response

    def send(self, definition: Operation, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send one call and return its response. Raises CloudError, Undecryptable."""
        client = client_for(self._connection)
        with self._log_failure(), self._waiter.wait(definition.name):
            self._wait_for_turn(definition, params)
            return check_response(definition, client.call(definition.name, **params))

    def _send_traced(self, definition: Operation, params: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
        """Send one call, fill `trace` with the request, the response and the quota, and return the response. Raises CloudError,
        Undecryptable."""
        account, qps = self._connection.quota_account, definition.qps_for(params)
        client = client_for(self._connection)
        with self._log_failure(), self._waiter.wait(definition.name):
            trace.quota, trace.waited_seconds = qps, self._wait_for_turn(definition, params)
            trace.remaining = quota().count_remaining(account, definition.name, qps)
            return check_response(definition, client.call(definition.name, trace, **params))

    @contextmanager
    def _log_failure(self) -> Iterator[None]:
        """Log an error of the call as information, one between the console and the cloud as a warning, once a minute."""
        try:
            yield
        except CloudError as error:
            is_outage = http_status(error) >= 500
            log.log(
                logging.WARNING if is_outage else logging.INFO,
                "%s failed with %s on connection %s (request %s)",
                error.operation,
                error.code,
                self._connection.pk,
                error.request_id or "-",
                extra={"repeat_key": (self._connection.pk, error.code) if is_outage else None},
            )
            raise

    def _wait_for_turn(self, definition: Operation, params: Mapping[str, Any]) -> float:
        """Wait until the quota allows the call. Returns the seconds waited. Raises QuotaTimeout."""
        wait = settings.CLOUD_QUOTA_WAIT_SECONDS if self._lane is Lane.PEOPLE else _BACKGROUND_WAIT_SECONDS
        waited = quota().acquire(
            self._connection.quota_account,
            definition.name,
            definition.qps_for(params),
            self._lane,
            timeout=wait,
        )
        with self._counting:
            self.waited_seconds += waited
            self.call_count += 1
        return waited
