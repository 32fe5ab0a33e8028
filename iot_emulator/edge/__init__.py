"""Edge computing: edge instances with their gateways, drivers and devices, and their deployment to the gateways.

schema.py       the tables
codes.py        the error codes
common.py       finds the edge instance of a call; pages and times
instances.py, gateways.py, drivers.py, devices.py, deployments.py   the operations
sample.py       the edge instances of the sample fleet
"""

from __future__ import annotations

from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.edge import deployments, devices, drivers, gateways, instances
from iot_emulator.edge.schema import SCHEMA

__all__ = ["DEFERRED_WORK", "OPERATIONS", "SCHEMA"]


def _with_success_code(handler: Handler) -> Handler:
    """Add `Code: Success`, which these operations have in a successful response."""

    def handle(call: Call) -> dict[str, Any]:
        return {"Code": "Success", **handler(call)}

    return handle


OPERATIONS: dict[str, Handler] = {
    name: _with_success_code(handler)
    for module in (instances, gateways, drivers, devices, deployments)
    for name, handler in module.OPERATIONS.items()
}
DEFERRED_WORK = deployments.DEFERRED_WORK
