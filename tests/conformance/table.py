"""The one table of conformance, joined from its groups."""

from __future__ import annotations

from tests.conformance import (
    device_batches,
    devices,
    distribution,
    edge,
    groups,
    messaging,
    ota_jobs,
    ota_packages,
    products,
    routing,
    telling,
    things,
)
from tests.conformance.rows import Row

ROWS: list[Row] = [
    *products.ROWS,
    *devices.ROWS,
    *device_batches.ROWS,
    *groups.ROWS,
    *things.ROWS,
    *telling.ROWS,
    *messaging.ROWS,
    *ota_packages.ROWS,
    *ota_jobs.ROWS,
    *routing.ROWS,
    *edge.ROWS,
    *distribution.ROWS,
]

NEVER: dict[str, dict[str, str]] = {
    "QueryDevice": {"Data.DeviceInfo[].DeviceType": "the reference: not returned"},
    "QueryDeviceGroupInfo": {"Data.DynamicGroupExpression": "of dynamic groups, which no operation makes"},
    "QuerySubscribeRelation": {"SubscribeFlags": "the reference does not know it"},
    "GetEdgeInstance": {
        "Data.Type": "the reference does not know it",
        **{f"Data.{name}": "no operation gives an instance a role" for name in edge.UNTOLD if name != "Type"},
    },
    "QueryEdgeInstance": {
        "Data.InstanceList[].Type": "the reference does not know it",
        **{
            f"Data.InstanceList[].{name}": "no operation gives an instance a role"
            for name in edge.UNTOLD
            if name != "Type"
        },
    },
}
"""Fields that no answer of the emulator has, whatever is done, and why."""
