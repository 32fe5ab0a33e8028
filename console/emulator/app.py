"""The emulator as a WSGI application: parse, authenticate, count, validate, dispatch, render.

Paths: `/` is the API, and to a browser a page about it; `operations.ROUTES` adds others (the object store under `/oss/`); `/_emulator/…` is the
control desk, there only when a control token was given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from console.cloud import catalogue
from console.cloud.catalogue import Access, Operation
from console.emulator import control, objects, operations, welcome, wire
from console.emulator.auth import Authenticator, Identity
from console.emulator.call import Call
from console.emulator.clock import Clock, Pace
from console.emulator.errors import Dropped, GatewayError, ServiceError
from console.emulator.faults import Fault, Faults
from console.emulator.quotas import Quotas
from console.emulator.store import Store
from console.emulator.validation import check

log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
VERSION = "2018-01-20"
_IN_SDKS: Mapping[str, str] = {
    "BatchGetEdgeInstanceDeviceDriver": "BatchGetDeviceDriver",
    "QueryEdgeInstanceDeviceByDriver": "QueryDeviceByDriver",
}
"""What the vendor's SDKs call operations that the reference knows by another name only."""


class Emulator:
    """IoT Platform on this machine. Call it as a WSGI application; see `create_app` for the options.

    Besides the options it offers `store`, `clock`, `wall`, `pace`, `faults`, `quotas`, and `seed()`, `reset()`,
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
        self._settled_writes = -1
        self._next_due: int | None = None

    def __call__(self, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/") or "/"
        try:
            if path == "/":
                answer = welcome.page(self, environ) if welcome.wanted(environ) else self._answer(environ)
                return _send(answer, environ, start_response)
            if path == welcome.STYLE:
                return _send(welcome.style(), environ, start_response)
            if path.startswith("/_emulator/"):
                return _send(control.answer(self, environ), environ, start_response)
            for prefix, route in operations.ROUTES.items():
                if path.startswith(prefix):
                    return route(self, environ, start_response)
        except Dropped:
            return _hang_up(environ)
        return _send(wire.Answer(404, "text/plain", b"Not found.\n"), environ, start_response)

    def seed(self, devices: int = 5000, account: str | None = None) -> None:
        """Fill one account (the first key's unless told) with the sample fleet."""
        operations.seed(self, devices, account if account is not None else self.first_account)

    def seed_if_empty(self, devices: int, account: str) -> bool:
        """Fill an account with the sample fleet unless it has products; returns whether it did."""
        with self.store.read() as db:
            taken = db.execute("SELECT 1 FROM products WHERE account = ? LIMIT 1", (account,)).fetchone()
        if not taken:
            self.seed(devices, account)
        return not taken

    @property
    def first_account(self) -> str:
        """The account of the first key."""
        return next(iter(self.accounts.values()))

    def reset(self) -> None:
        """Forget all state, orders of faults and counts; keys stay."""
        self.store.reset()
        objects.of(self).clear()
        self.faults.clear()
        self.quotas.clear()

    def close(self) -> None:
        """Close the connections to the database; the next call opens new ones."""
        self.store.close()

    def settle(self) -> None:
        """Do what has become due by the clock, a bounded part of it. Every request does this first."""
        now = self.clock.now()
        if self._settled_writes == self.store.writes and (self._next_due is None or self._next_due > now):
            return
        seen = self.store.writes
        with self.store.read() as db:
            dues = [due for settler in operations.SETTLERS if (due := settler.due(db)) is not None]
        if dues and min(dues) <= now:
            with self.store.write() as db:
                for settler in operations.SETTLERS:
                    settler.settle(db, now, self)
            return  # what is left, and what comes next, is found by the next request
        self._next_due = min(dues) if dues else None
        self._settled_writes = seen

    def _answer(self, environ: wire.Environ) -> wire.Answer:
        request_id = wire.new_request_id()
        as_json, host, name = True, "", ""
        try:
            request = wire.read_request(environ)
            as_json, host = _wants_json(request), request.host
            identity = self.authenticator.identify(request)
            name = identity.action
            if identity.version != VERSION:
                raise GatewayError("InvalidVersion", "The specified version is not valid.", 400)
            try:
                operation = catalogue.operation(_IN_SDKS.get(name, name))
            except catalogue.UnknownOperation:
                raise _unsupported() from None
            fault = self.faults.take(operation.name)
            if fault is not None and not fault.after:
                if fault.kind == "malformed":
                    return _malformed(fault)
                fault.strike()
            fields = self._perform(operation, request, identity, environ)
            if fault is not None and fault.after:
                if fault.kind == "malformed":
                    return _malformed(fault)
                fault.strike()
            return wire.render(name, fields, as_json, request_id)
        except ServiceError as error:
            return wire.render_service_error(name, error, as_json, request_id)
        except GatewayError as error:
            return wire.render_gateway_error(error, host, as_json, request_id)
        except Dropped:
            raise
        except Exception:
            log.exception("%s failed", name or "a request")
            failure = GatewayError("InternalError", "The request has failed due to an unknown error.", 500)
            return wire.render_gateway_error(failure, host, as_json, request_id)

    def _perform(
        self, operation: Operation, request: wire.Request, identity: Identity, environ: wire.Environ
    ) -> dict[str, Any]:
        """Everything between knowing the caller and having the answer's fields."""
        self.quotas.take(identity.account, operation.name, operation.qps)
        params = wire.typed_params(operation, request.params)
        instance = params.pop("IotInstanceId", "")
        check(operation, params)
        self._take_deep(operation, identity, params)
        if instance and instance not in self.instances:
            raise ServiceError("iot.system.InstanceNotFound", "The instance ID does not exist.")
        handler = operations.HANDLERS[operation.name]
        self.settle()
        writes = operation.name in operations.WRITING or operation.access in (Access.WRITE, Access.DESTROY)
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
            time.sleep(call.wait)  # after the transaction: others go on meanwhile
        return fields

    def _take_deep(self, operation: Operation, identity: Identity, params: Mapping[str, Any]) -> None:
        """Pages far back in a long list have a small quota of their own."""
        paging = operation.paging
        if paging is None or paging.deep_from is None or paging.deep_qps is None or paging.page_param is None:
            return
        if params.get(paging.page_param, 1) * params.get(paging.size_param, 10) >= paging.deep_from:
            self.quotas.take(identity.account, f"{operation.name} deep", paging.deep_qps)


def _unsupported() -> GatewayError:
    return GatewayError("UnsupportedOperation", "The specified action is not supported.", 400)


def _wants_json(request: wire.Request) -> bool:
    """ACS3 callers say it by `accept`; the others by `Format`, and XML is the default when they do not."""
    wanted = request.params.get("Format", "")
    if wanted:
        return wanted.upper() == "JSON"
    if "x-acs-action" in request.headers:
        return "xml" not in request.headers.get("accept", "")
    return False


def _malformed(fault: Fault) -> wire.Answer:
    return wire.Answer(fault.status or 200, "text/html", fault.body.encode())


def _send(answer: wire.Answer, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body
    start_response(
        f"{answer.status} {HTTPStatus(answer.status).phrase}",
        [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers],
    )
    return [body]


def _hang_up(environ: wire.Environ) -> Iterable[bytes]:
    """Close the connection without an answer: the server's socket where there is one, else what a client of a
    dead connection would see."""
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        import socket

        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("a fault was ordered")
    import httpx

    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
