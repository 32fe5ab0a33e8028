"""The table of all operations of the emulator. Modules do not register themselves; they are listed here.

A module is listed in up to four places:

    HANDLERS        its OPERATIONS: dict[str, Handler]
    SCHEMAS         its SCHEMA: str, SQL statements that can be run repeatedly (CREATE … IF NOT EXISTS)
    DEFERRED_WORK   its DeferredWork, if it has work that becomes due with time
    ROUTES          path prefix -> function(emulator, environ, start_response), for HTTP other than the API
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from iot_emulator import (
    batch_registration,
    client_ids,
    device_files,
    device_sql,
    device_tags,
    devices,
    devices_presence,
    devices_query,
    devices_schema,
    devices_topology,
    distribution,
    edge,
    groups,
    messaging,
    objects,
    ota,
    product_tags,
    products,
    routing,
    things,
)
from iot_emulator.call import DeferredWork, Handler

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

HANDLERS: dict[str, Handler] = {
    **products.OPERATIONS,
    **product_tags.OPERATIONS,
    **devices.OPERATIONS,
    **devices_query.OPERATIONS,
    **devices_topology.OPERATIONS,
    **device_tags.OPERATIONS,
    **device_sql.OPERATIONS,
    **batch_registration.OPERATIONS,
    **groups.OPERATIONS,
    **ota.OPERATIONS,
    **things.OPERATIONS,
    **messaging.OPERATIONS,
    **routing.OPERATIONS,
    **edge.OPERATIONS,
    **distribution.OPERATIONS,
    **device_files.OPERATIONS,
    **client_ids.OPERATIONS,
}

# Operations that only read by the catalogue's access level, but write to the emulator's database.
WRITE_OPERATIONS: frozenset[str] = frozenset().union(
    things.WRITE_OPERATIONS, device_files.WRITE_OPERATIONS, client_ids.WRITE_OPERATIONS
)

SCHEMAS: tuple[str, ...] = (
    products.SCHEMA,
    devices_schema.SCHEMA,
    batch_registration.SCHEMA,
    groups.SCHEMA,
    objects.SCHEMA,
    ota.SCHEMA,
    things.SCHEMA,
    messaging.SCHEMA,
    routing.SCHEMA,
    edge.SCHEMA,
    distribution.SCHEMA,
    device_files.SCHEMA,
    client_ids.SCHEMA,
)

DEFERRED_WORK: tuple[DeferredWork, ...] = (
    batch_registration.DEFERRED_WORK,
    devices_presence.DEFERRED_WORK,
    ota.DEFERRED_WORK,
    edge.DEFERRED_WORK,
    distribution.DEFERRED_WORK,
)

ROUTES: dict[str, Callable[[Emulator, dict[str, Any], Callable[..., Any]], Iterable[bytes]]] = {
    objects.PATH: objects.serve_objects,
}


def seed(emulator: Emulator, devices: int, account: str) -> None:
    """Add the sample fleet with this number of devices to an account."""
    from iot_emulator.fleet import seed_fleet  # imports modules that import this table

    seed_fleet(emulator, devices=devices, account=account)
