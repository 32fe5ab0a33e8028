"""The table of all conformance rows, from all groups of operations."""

from __future__ import annotations

from tests.conformance import (
    device_batches,
    devices,
    distribution,
    edge,
    groups,
    messaging,
    ota_batches,
    ota_packages,
    products,
    routing,
    thing_data,
    things,
)
from tests.conformance.rows import Row

ROWS: list[Row] = [
    *products.ROWS,
    *devices.ROWS,
    *device_batches.ROWS,
    *groups.ROWS,
    *things.ROWS,
    *thing_data.ROWS,
    *messaging.ROWS,
    *ota_packages.ROWS,
    *ota_batches.ROWS,
    *routing.ROWS,
    *edge.ROWS,
    *distribution.ROWS,
]

ABSENT_FIELDS: dict[str, dict[str, str]] = {
    "QueryDevice": {"Data.DeviceInfo[].DeviceType": "not returned, says the reference"},
    "QueryDeviceGroupInfo": {
        "Data.DynamicGroupExpression": "only of dynamic groups, which no operation creates"
    },
    "QuerySubscribeRelation": {"SubscribeFlags": "not in the reference"},
    "GetEdgeInstance": {
        "Data.Type": "not in the reference",
        **{
            f"Data.{name}": "no operation assigns a role to an instance"
            for name in edge.ABSENT_FIELDS
            if name != "Type"
        },
    },
    "QueryEdgeInstance": {
        "Data.InstanceList[].Type": "not in the reference",
        **{
            f"Data.InstanceList[].{name}": "no operation assigns a role to an instance"
            for name in edge.ABSENT_FIELDS
            if name != "Type"
        },
    },
}
"""Fields that no response of the emulator has, each with the reason."""
