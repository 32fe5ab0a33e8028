"""Edge computing: edge instances, their gateways, drivers and devices, and bringing all that to the gateway.

schema.py       the tables, and what is in them
codes.py        how these operations refuse
common.py       finding the edge instance; pages; times
instances.py, gateways.py, drivers.py, devices.py, deployments.py   the operations
sample.py       what the sample fleet has of it
"""

from __future__ import annotations

from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.edge import deployments, devices, drivers, gateways, instances
from console.emulator.edge.schema import SCHEMA

__all__ = ["OPERATIONS", "SCHEMA", "SETTLER"]


def _coded(handler: Handler) -> Handler:
    """This family tells its success by a code as well."""

    def answer(call: Call) -> dict[str, Any]:
        return {"Code": "Success", **handler(call)}

    return answer


OPERATIONS: dict[str, Handler] = {
    name: _coded(handler)
    for room in (instances, gateways, drivers, devices, deployments)
    for name, handler in room.OPERATIONS.items()
}
SETTLER = deployments.SETTLER
