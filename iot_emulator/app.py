"""The emulator as a WSGI application: it parses, authenticates, counts, validates and dispatches requests.

Paths: `/` is the API, and for browsers the welcome page. `operations.ROUTES` adds others (the object store under
`/oss/`). `/_emulator/…` is the control API; it exists only when a control token was given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from iot_client import catalogue
from iot_client.catalogue import Access, Operation
from iot_emulator import control, objects, operations, welcome, wire
from iot_emulator.auth import Authenticator, Identity
from iot_emulator.call import Call
from iot_emulator.clock import Clock, Pace
from iot_emulator.errors import ConnectionDropped, GatewayError, ServiceError
from iot_emulator.faults import Fault, Faults
from iot_emulator.quotas import Quotas
from iot_emulator.store import Store
from iot_emulator.validation import check_parameters

log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
VERSION = "2018-01-20"
EDGE_CALLS_PER_ADDRESS = 100  # per second, of all edge operations together
_SDK_NAMES: Mapping[str, str] = {
    "BatchGetEdgeInstanceDeviceDriver": "BatchGetDeviceDriver",
    "QueryEdgeInstanceDeviceByDriver": "QueryDeviceByDriver",
}
"""Names of operations in the vendor's SDKs -> their names in the API reference, where the two differ."""


class Emulator:
    """IoT Platform on this machine, as a WSGI application. See `create_app` for the options.

    Public attributes: `store`, `clock`, `wall`, `pace`, `faults`, `quotas`. Public methods: `seed()`, `reset()`,
    `close()`.
    """

    def __init__(
        self,
        database: str | Path,
        *,
        keys: Mapping[str, str],
        accounts: Mapping[str, str] | None = None,
        instances: Iterable[str] = ("iot-sandbox",),
        pace: str = "real",
        clock: Clock | None = None,
        wall: Clock | None = None,
        quotas: bool = True,
        base_url: str | None = None,
        signature_window: int = 15 * 60,
        control_token: str | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.wall = wall or Clock()
        self.pace = Pace(pace)
        self.faults = Faults()
        self.quotas = Quotas(self.wall, quotas)
        self.keys = dict(keys)
        self.accounts = {key: (accounts or {}).get(key, key) for key in self.keys}
        self.instances = frozenset(instances)
        self.base_url = base_url.rstrip("/") if base_url else None
        self.control_token = control_token
        self.authenticator = Authenticator(self.keys, self.accounts, self.wall, signature_window)
        self.store = Store(database, operations.SCHEMAS)
        self._checked_writes = -1
        self._next_due: int | None = None

    def __call__(self, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/") or "/"
        try:
            if path == "/":
                response = (
                    welcome.render_page(self, environ)
                    if welcome.is_browser_request(environ)
                    else self._handle_call(environ)
                )
                return _send(response, environ, start_response)
            if path == welcome.STYLE_PATH:
                return _send(welcome.render_style(), environ, start_response)
            if path.startswith("/_emulator/"):
                return _send(control.handle_request(self, environ), environ, start_response)
            for prefix, route in operations.ROUTES.items():
                if path.startswith(prefix):
                    return route(self, environ, start_response)
        except ConnectionDropped:
            return _close_connection(environ)
        return _send(wire.Response(404, "text/plain", b"Not found.\n"), environ, start_response)

    def seed(self, devices: int = 5000, account: str | None = None) -> None:
        """Add the sample fleet to an account; by default to the account of the first key."""
        operations.seed(self, devices, account if account is not None else self.first_account)

    def seed_if_empty(self, devices: int, account: str) -> bool:
        """Add the sample fleet to an account that has no products; return whether it was added."""
        with self.store.read() as db:
            product = db.execute("SELECT 1 FROM products WHERE account = ? LIMIT 1", (account,)).fetchone()
        if product is None:
            self.seed(devices, account)
        return product is None

    @property
    def first_account(self) -> str:
        """The account of the first key."""
        return next(iter(self.accounts.values()))

    def reset(self) -> None:
        """Delete all state, injected faults and quota counts. Keys are kept."""
        self.store.reset()
        objects.open_store(self).clear()
        self.faults.clear()
        self.quotas.clear()

    def close(self) -> None:
        """Close the database connections. The next request opens new ones."""
        self.store.close()

    def run_due_work(self) -> None:
        """Do a bounded part of the work that is due by the emulator's clock. Every request does this first."""
        now = self.clock.now()
        if self._checked_writes == self.store.writes and (self._next_due is None or self._next_due > now):
            return
        writes = self.store.writes
        with self.store.read() as db:
            times = [time for work in operations.DEFERRED_WORK if (time := work.next_due(db)) is not None]
        if times and min(times) <= now:
            with self.store.write() as db:
                for work in operations.DEFERRED_WORK:
                    work.run_due(db, now, self)
            return  # the next request continues with the rest
        self._next_due = min(times) if times else None
        self._checked_writes = writes

    def _handle_call(self, environ: wire.Environ) -> wire.Response:
        request_id = wire.new_request_id()
        as_json, host, name = True, "", ""
        try:
            request = wire.read_request(environ)
            as_json, host = _wants_json(request), request.host
            if request.params.get("Format", "").upper() not in ("", "JSON", "XML"):
                raise GatewayError("InvalidFormat", "Format must be JSON or XML.", 400)
            identity = self.authenticator.identify(request)
            name = identity.action
            if identity.version != VERSION:
                raise GatewayError("InvalidVersion", f"The API version must be {VERSION}.", 400)
            try:
                operation = catalogue.operation(_SDK_NAMES.get(name, name))
            except catalogue.UnknownOperation:
                raise _unsupported_operation() from None
            fault = self.faults.take(operation.name)
            if fault is not None and not fault.after:
                if fault.kind == "malformed":
                    return _malformed_response(fault)
                fault.apply()
            fields = self._perform(operation, request, identity, environ)
            if fault is not None and fault.after:
                if fault.kind == "malformed":
                    return _malformed_response(fault)
                fault.apply()
            return wire.render_success(name, operation, fields, as_json, request_id)
        except ServiceError as error:
            return wire.render_service_error(name, error, as_json, request_id)
        except GatewayError as error:
            return wire.render_gateway_error(error, host, as_json, request_id)
        except ConnectionDropped:
            raise
        except Exception:
            log.exception("%s failed", name or "A request")
            failure = GatewayError("InternalError", "The emulator failed. See its log.", 500)
            return wire.render_gateway_error(failure, host, as_json, request_id)

    def _perform(
        self, operation: Operation, request: wire.Request, identity: Identity, environ: wire.Environ
    ) -> dict[str, Any]:
        """Check and execute a call of an authenticated caller; return the fields of the response."""
        self.quotas.consume(identity.account, operation.name, operation.qps)
        if operation.group == "edge":
            address = environ.get("REMOTE_ADDR", "")
            self.quotas.consume(address, "edge operations of an address", EDGE_CALLS_PER_ADDRESS)
        params = wire.read_parameters(operation, request.params)
        instance = params.pop("IotInstanceId", "")
        check_parameters(operation, params)
        self._count_deep_page(operation, identity, params)
        if instance and instance not in self.instances:
            raise ServiceError("iot.system.InstanceNotFound", "The instance ID does not exist.")
        handler = operations.HANDLERS[operation.name]
        self.run_due_work()
        writes = operation.name in operations.WRITE_OPERATIONS or operation.access in (
            Access.WRITE,
            Access.DELETE,
        )
        with self.store.write() if writes else self.store.read() as db:
            call = Call(
                operation=operation.name,
                params=params,
                db=db,
                now=self.clock.now(),
                account=identity.account,
                instance=instance,
                emulator=self,
                base_url=self.base_url or f"{environ.get('wsgi.url_scheme', 'http')}://{request.host}",
            )
            fields = handler(call)
        if call.wait:
            time.sleep(call.wait)  # after the transaction, so that other requests are not blocked
        return fields

    def _count_deep_page(self, operation: Operation, identity: Identity, params: Mapping[str, Any]) -> None:
        """Count a call for a page far back in a long list. Such calls have a separate, smaller quota."""
        paging = operation.paging
        if paging is None or paging.deep_from is None or paging.deep_qps is None or paging.page_param is None:
            return
        if params.get(paging.page_param, 1) * params.get(paging.size_param, 10) >= paging.deep_from:
            self.quotas.consume(identity.account, f"{operation.name} deep", paging.deep_qps)


def _unsupported_operation() -> GatewayError:
    return GatewayError("UnsupportedOperation", "This API has no such action.", 400)


def _wants_json(request: wire.Request) -> bool:
    """Whether the response is JSON. ACS3 callers choose by `accept`, others by `Format` (by default XML)."""
    response_format = request.params.get("Format", "")
    if response_format:
        return response_format.upper() == "JSON"
    if "x-acs-action" in request.headers:
        return "xml" not in request.headers.get("accept", "")
    return False


def _malformed_response(fault: Fault) -> wire.Response:
    return wire.Response(fault.status or 200, "text/html", fault.body.encode())


def _send(response: wire.Response, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else response.body
    start_response(
        f"{response.status} {HTTPStatus(response.status).phrase}",
        [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            *response.headers,
        ],
    )
    return [body]


def _close_connection(environ: wire.Environ) -> Iterable[bytes]:
    """Close the connection without a response.

    With gunicorn the server's socket is closed. In process (no socket), the exception is raised that a client gets
    from a closed connection.
    """
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        import socket

        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("Connection closed by an injected fault.")
    import httpx

    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
