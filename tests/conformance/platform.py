"""The platform that the SDK's calls reach, and what a person would make first for a call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from console.emulator import Emulator, ManualClock, create_app
from tests.conformance.sdk import Sdk

KEY_ID, KEY_SECRET = "LTAIconformance", "secret-of-no-worth"
PARTNER_ID, PARTNER_SECRET = "LTAIpartner", "partner-secret-of-no-worth"
INSTANCES = ("iot-sandbox", "iot-second")
START = 1_790_000_000_000


class Server:
    """One HTTP server for all tests of a process; `app` is whichever emulator is on, `last` its latest answer."""

    def __init__(self) -> None:
        self.app: Emulator | None = None
        self.last = b""
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self.app is not None
        answer = b"".join(self.app(environ, start_response))
        self.last = answer
        return [answer]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections

    def handle_one_request(self) -> None:
        """Like the library's own, but for the length of the first line: the SDK writes a whole thing model into it."""
        self.raw_requestline = self.rfile.readline(1024 * 1024)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self.run_wsgi()

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@dataclass
class PreparedPlatform:
    """One account of an empty platform whose clock is turned by hand, seen by the SDK."""

    emulator: Emulator
    clock: ManualClock
    sdk: Sdk
    partner: Sdk
    server: Server
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    @classmethod
    @contextmanager
    def on(cls, server: Server, folder: Path, scheme: str) -> Iterator[PreparedPlatform]:
        """A platform on that server, for calls signed by that scheme."""
        clock = ManualClock(START)
        emulator = create_app(
            folder / "emulator.sqlite3",
            keys={KEY_ID: KEY_SECRET, PARTNER_ID: PARTNER_SECRET},
            instances=INSTANCES,
            clock=clock,
            quotas=False,
        )
        server.app = emulator
        sdk, partner = (
            Sdk.of(server.address, key, secret, scheme)
            for key, secret in ((KEY_ID, KEY_SECRET), (PARTNER_ID, PARTNER_SECRET))
        )
        try:
            yield cls(emulator, clock, sdk, partner, server)
        finally:
            server.app = None
            emulator.close()

    # -- calls -------------------------------------------------------------------------------------------------------

    def call(self, name: str, /, **params: Any) -> dict[str, Any]:
        """A call that has to succeed; the SDK's model of its answer, as a dict by the platform's names."""
        body = self.sdk.call(name, params)
        assert body.success in (True, None), f"{name}: {body.code} {body.error_message}"
        return dict(body.to_map())

    def refused(self, name: str, /, **params: Any) -> str:
        """The code with which a call is refused."""
        return self.sdk.refused(name, params)

    def told_in_refusal(self, name: str, code: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer tells besides the code with which the call has to be refused."""
        body = self.sdk.call(name, params)
        assert (body.success, body.code) == (False, code), f"{name}: {body.code} {body.error_message}"
        return dict(body.to_map())

    def raw(self) -> dict[str, Any]:
        """The latest answer as it was on the wire."""
        return dict(json.loads(self.server.last))

    # -- things ------------------------------------------------------------------------------------------------------

    def product(self, name: str = "", **params: Any) -> str:
        """A new product's key."""
        name = name or f"Product_{next(self.names)}"
        return str(self.call("CreateProduct", **{"ProductName": name, "NodeType": 0, **params})["ProductKey"])

    def gateways(self) -> str:
        """A new product of gateways."""
        return self.product(NodeType=1)

    def device(self, product_key: str = "", name: str = "dev-1", **params: Any) -> dict[str, Any]:
        """A new device, as it is told: ProductKey, DeviceName, DeviceSecret, IotId."""
        product_key = product_key or self.product()
        return dict(self.call("RegisterDevice", ProductKey=product_key, DeviceName=name, **params)["Data"])

    def devices(self, *names: str, product_key: str = "", **params: Any) -> str:
        """New devices in this order; their product's key."""
        product_key = product_key or self.product()
        for name in names or ("dev-1", "dev-2", "dev-3"):
            self.device(product_key, name, **params)
        return product_key

    def hold(self, name: str, status: str = "ONLINE", **columns: Any) -> None:
        """Put devices of that name where a test needs them, and let them stay: they come and go by chance otherwise."""
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

    def version(self, name: str, version: str = "1.0.0", module: str = "default") -> None:
        """Devices of that name have told the version of a module."""
        with self.emulator.store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO device_modules (account, instance, iot_id, module, version, reported)"
                " SELECT account, instance, iot_id, ?, ?, ? FROM devices WHERE name = ?",
                (module, version, self.clock.now(), name),
            )

    def apply(self, product_key: str, *names: str) -> int:
        """A registration of devices that is done; its ApplyId."""
        checked = self.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))
        apply_id = int(checked["Data"]["ApplyId"])
        self.clock.advance(5)
        self.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)
        self.clock.advance(5)
        return apply_id

    def group(self, name: str = "plant", **params: Any) -> str:
        """A new group's id."""
        return str(self.call("CreateDeviceGroup", GroupName=name, **params)["Data"]["GroupId"])

    def grouped(self, group: str, product_key: str, *names: str) -> None:
        """Put devices into a group."""
        self.call("BatchAddDeviceGroupRelations", GroupId=group, Device=named(product_key, *names))

    def status(self, asked: Mapping[str, Any]) -> str:
        """A device's status; `asked`: a request that names it."""
        return str(self.call("GetDeviceStatus", **identity(asked))["Data"]["Status"])

    def listed(self, product_key: str) -> list[str]:
        """The names of a product's devices, newest first."""
        told = self.call("QueryDevice", ProductKey=product_key, PageSize=50)
        return [device["DeviceName"] for device in told["Data"]["DeviceInfo"]]


def named(product_key: str, *names: str) -> list[dict[str, str]]:
    """Devices as `Device.N` wants them."""
    return [{"ProductKey": product_key, "DeviceName": name} for name in names]


def identity(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request names its device."""
    return {key: asked[key] for key in ("IotId", "ProductKey", "DeviceName") if key in asked}


def column(items: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """One field of every item."""
    return [item[name] for item in items]
