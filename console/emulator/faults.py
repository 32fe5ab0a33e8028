"""Ordered trouble: the next N calls of an operation fail in the way a network or a cloud fails."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from console.emulator.errors import Dropped, GatewayError, ServiceError

KINDS = ("throttle", "error", "latency", "hang", "drop", "malformed")


@dataclass(slots=True)
class Fault:
    """One order.

    operation  an operation's name, or "*" for any
    kind       throttle   400 `Throttling.User` (or `code`), with a retry-after of `delay` seconds (default 1)
               error      `code`/`message` with HTTP `status`; status 200 makes it an error of the service
               latency    waits `delay` seconds, then answers as usual
               hang       waits `delay` seconds (default 60), then closes the connection without an answer
               drop       closes the connection without an answer
               malformed  answers HTTP `status` (default 200) with `body`, which is not an answer at all
    times      how many calls it strikes
    after      strike after the work was done instead of before: the call took effect, only its answer is lost.
               For throttle and latency it makes no difference that a client could want, so it is ignored there.
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

    def strike(self) -> None:
        """Do the harm; returns for latency, raises otherwise. `malformed` is rendered by the app."""
        if self.kind == "throttle":
            retry_after = int((1.0 if self.delay is None else self.delay) * 1000)
            raise GatewayError(
                self.code or "Throttling.User",
                self.message or "Request was denied due to user flow control.",
                self.status or 400,
                retry_after,
            )
        if self.kind == "error":
            message = self.message or "The request failed because a fault was ordered for it."
            if self.status == 200:
                raise ServiceError(self.code or "iot.system.SystemException", message)
            raise GatewayError(self.code or "InternalError", message, self.status or 500)
        if self.kind == "latency":
            time.sleep(0.0 if self.delay is None else self.delay)
        elif self.kind == "hang":
            time.sleep(60.0 if self.delay is None else self.delay)
            raise Dropped("a fault was ordered: hang")
        elif self.kind == "drop":
            raise Dropped("a fault was ordered: drop")


class Faults:
    """The orders not yet used up, first in first out for each operation. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, operation: str = "*", kind: str = "error", times: int = 1, **options: Any) -> Fault:
        """Order a fault; options are the other fields of `Fault`. Raises ValueError for what is not one."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        if times < 1:
            raise ValueError("times must be at least 1")
        try:
            fault = Fault(operation, kind, times, **options)
        except TypeError:
            unknown = set(options) - set(Fault.__slots__)
            raise ValueError(f"not an option of a fault: {', '.join(sorted(unknown))}") from None
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, operation: str) -> Fault | None:
        """Use up one strike for this operation, if one was ordered."""
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
        """Forget all orders."""
        with self._lock:
            self._faults.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """The orders left, for the control endpoint."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
