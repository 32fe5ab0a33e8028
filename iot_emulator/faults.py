"""Injected faults: the next N calls of an operation fail as with a broken network or a failing cloud."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from iot_emulator.errors import ConnectionDropped, GatewayError, ServiceError

KINDS = ("throttle", "error", "latency", "hang", "drop", "malformed")


@dataclass(slots=True)
class Fault:
    """One fault to inject.

    operation  name of an operation, or "*" for any
    kind       throttle   400 `Throttling.User` (or `code`), with a retry-after of `delay` seconds (default 1)
               error      `code` and `message` with HTTP `status`; with status 200 it is an error of the service
               latency    waits `delay` seconds, then responds as usual
               hang       waits `delay` seconds (default 60), then closes the connection without a response
               drop       closes the connection without a response
               malformed  responds with HTTP `status` (default 200) and `body`, which is not a response of the API
    times      number of calls that fail
    after      fail after the work was done instead of before: the call took effect, only its response is lost.
               Not used for throttle and latency.
    """

    operation: str
    kind: str
    times: int = 1
    code: str = ""
    message: str = ""
    status: int = 0
    delay: float | None = None
    after: bool = False
    body: str = "<html><body>502 Bad Gateway</body></html>"

    def apply(self) -> None:
        """Wait for latency; raise for the other kinds. `malformed` is rendered by the app."""
        if self.kind == "throttle":
            retry_after = int((1.0 if self.delay is None else self.delay) * 1000)
            raise GatewayError(
                self.code or "Throttling.User",
                self.message or "Too many calls per second. Try again later.",
                self.status or 400,
                retry_after,
            )
        if self.kind == "error":
            message = self.message or "The request failed because of an injected fault."
            if self.status == 200:
                raise ServiceError(self.code or "iot.system.SystemException", message)
            raise GatewayError(self.code or "InternalError", message, self.status or 500)
        if self.kind == "latency":
            time.sleep(0.0 if self.delay is None else self.delay)
        elif self.kind == "hang":
            time.sleep(60.0 if self.delay is None else self.delay)
            raise ConnectionDropped("injected fault: hang")
        elif self.kind == "drop":
            raise ConnectionDropped("injected fault: drop")


class Faults:
    """The remaining faults, first in first out for each operation. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, operation: str = "*", kind: str = "error", times: int = 1, **options: Any) -> Fault:
        """Add a fault; `options` are the other fields of `Fault`. Raises ValueError for invalid values."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        if times < 1:
            raise ValueError("times must be at least 1")
        try:
            fault = Fault(operation, kind, times, **options)
        except TypeError:
            unknown = set(options) - set(Fault.__slots__)
            raise ValueError(f"unknown options of a fault: {', '.join(sorted(unknown))}") from None
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, operation: str) -> Fault | None:
        """Return the next fault for this operation and reduce its `times` by one; None if there is none."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.operation in (operation, "*"):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """Return the remaining faults for the control API."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
