"""The emulator behind the SDK calls, and helpers that create products, devices and groups."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from iot_emulator import Emulator, ManualClock, create_app
from tests.conformance.sdk import Sdk

KEY_ID, KEY_SECRET = "LTAIconformance", "secret-of-no-worth"
PARTNER_ID, PARTNER_SECRET = "LTAIpartner", "partner-secret-of-no-worth"
INSTANCES = ("iot-sandbox", "iot-second")
START = 1_790_000_000_000


class Server:
    """One HTTP server for all tests of a process; `app` is the current emulator, `last` the body of its last response."""

    def __init__(self) -> None:
        self.app: Emulator | None = None
        self.last = b""
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self.app is not None
        body = b"".join(self.app(environ, start_response))
        self.last = body
        return [body]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive

    def handle_one_request(self) -> None:
        """Accept a longer request line than the library does: the SDK writes a complete thing model into it."""
        self.raw_requestline = self.rfile.readline(1024 * 1024)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self.run_wsgi()

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@dataclass
class PreparedPlatform:
    """One account of an emulator with a manual clock, called by the SDK."""

    emulator: Emulator
    clock: ManualClock
    sdk: Sdk
    partner: Sdk
    server: Server
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    @classmethod
    @contextmanager
    def start(cls, server: Server, database: Path, scheme: str) -> Iterator[PreparedPlatform]:
        """Start an emulator with this database on the server, for calls with this signature scheme."""
        clock = ManualClock(START)
        emulator = create_app(
            database,
            keys={KEY_ID: KEY_SECRET, PARTNER_ID: PARTNER_SECRET},
            instances=INSTANCES,
            clock=clock,
            quotas=False,
        )
        server.app = emulator
        sdk, partner = (
            Sdk.create(server.address, key, secret, scheme)
            for key, secret in ((KEY_ID, KEY_SECRET), (PARTNER_ID, PARTNER_SECRET))
        )
        try:
            yield cls(emulator, clock, sdk, partner, server)
        finally:
            server.app = None
            emulator.close()

    # -- calls -------------------------------------------------------------------------------------------------------

    def call(self, name: str, /, **params: Any) -> dict[str, Any]:
        """Make a call that must succeed; returns the SDK's response model as a dict with the platform's field names."""
        body = self.sdk.call(name, params)
        assert body.success in (True, None), f"{name}: {body.code} {body.error_message}"
        return dict(body.to_map())

    def error_code(self, name: str, /, **params: Any) -> str:
        """Make a call that must be refused; returns the error code."""
        return self.sdk.error_code(name, params)

    def call_refused(self, name: str, code: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a call that must be refused with `code`; returns the response."""
        body = self.sdk.call(name, params)
        assert (body.success, body.code) == (False, code), f"{name}: {body.code} {body.error_message}"
        return dict(body.to_map())

    def last_response(self) -> dict[str, Any]:
        """Return the last response as it was sent."""
        return dict(json.loads(self.server.last))

    # -- objects -----------------------------------------------------------------------------------------------------

    def create_product(self, name: str = "", **params: Any) -> str:
        """Create a product; returns its key."""
        name = name or f"Product_{next(self.names)}"
        return str(self.call("CreateProduct", **{"ProductName": name, "NodeType": 0, **params})["ProductKey"])

    def create_gateway_product(self) -> str:
        """Create a product of gateways; returns its key."""
        return self.create_product(NodeType=1)

    def register_device(self, product_key: str = "", name: str = "dev-1", **params: Any) -> dict[str, Any]:
        """Register a device; returns ProductKey, DeviceName, DeviceSecret, IotId."""
        product_key = product_key or self.create_product()
        return dict(self.call("RegisterDevice", ProductKey=product_key, DeviceName=name, **params)["Data"])

    def register_devices(self, *names: str, product_key: str = "", **params: Any) -> str:
        """Register devices in this order; returns the key of their product."""
        product_key = product_key or self.create_product()
        for name in names or ("dev-1", "dev-2", "dev-3"):
            self.register_device(product_key, name, **params)
        return product_key

    def set_device_status(self, name: str, status: str = "ONLINE", **columns: Any) -> None:
        """Set the status of all devices with this name and keep it; otherwise, it changes at random over time."""
        now = None if status == "UNACTIVE" else self.clock.now()
        columns = {
            "status": status,
            "due": None,
            "activated": now,
            "last_online": now,
            "ip": "10.0.0.7",
            **columns,
        }
        with self.emulator.store.write() as db:
            fields = ", ".join(f"{column} = ?" for column in columns)
            changed = db.execute(f"UPDATE devices SET {fields} WHERE name = ?", (*columns.values(), name))
            assert changed.rowcount, f"no device {name}"

    def set_version(self, name: str, version: str = "1.0.0", module: str = "default") -> None:
        """Set the reported version of a module for all devices with this name."""
        with self.emulator.store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO device_modules (account, instance, iot_id, module, version, reported)"
                " SELECT account, instance, iot_id, ?, ?, ? FROM devices WHERE name = ?",
                (module, version, self.clock.now(), name),
            )

    def register_batch(self, product_key: str, *names: str) -> int:
        """Register devices by a batch registration; returns its ApplyId."""
        checked = self.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))
        apply_id = int(checked["Data"]["ApplyId"])
        self.clock.advance(5)
        self.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)
        self.clock.advance(5)
        return apply_id

    def create_group(self, name: str = "plant", **params: Any) -> str:
        """Create a group; returns its id."""
        return str(self.call("CreateDeviceGroup", GroupName=name, **params)["Data"]["GroupId"])

    def add_to_group(self, group: str, product_key: str, *names: str) -> None:
        """Add devices to a group."""
        self.call(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=write_device_list(product_key, *names)
        )

    def read_status(self, request: Mapping[str, Any]) -> str:
        """Read the status of the device in a request."""
        return str(self.call("GetDeviceStatus", **device_identity(request))["Data"]["Status"])

    def list_devices(self, product_key: str) -> list[str]:
        """List the names of a product's devices, newest first."""
        response = self.call("QueryDevice", ProductKey=product_key, PageSize=50)
        return [device["DeviceName"] for device in response["Data"]["DeviceInfo"]]


def write_device_list(product_key: str, *names: str) -> list[dict[str, str]]:
    """Write the value of `Device.N`."""
    return [{"ProductKey": product_key, "DeviceName": name} for name in names]


def device_identity(request: Mapping[str, Any]) -> dict[str, Any]:
    """Select the parameters of a request that identify its device."""
    return {key: request[key] for key in ("IotId", "ProductKey", "DeviceName") if key in request}


def column(items: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """Read one field of every item."""
    return [item[name] for item in items]
