"""The one table of what the emulator can do, joined from its rooms. Nothing registers itself: it stands here.

A room adds itself in up to four places:

    HANDLERS   its OPERATIONS: dict[str, Handler]
    SCHEMAS    its SCHEMA: str, SQL statements that can be run again (CREATE … IF NOT EXISTS)
    SETTLERS   its Settler, if it has slow things
    ROUTES     path prefix -> function(emulator, environ, start_response), if it speaks more HTTP than the API
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from console.emulator import (
    batches,
    client_ids,
    device_files,
    device_sql,
    device_tags,
    devices,
    devices_life,
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
from console.emulator.call import Handler, Settler

if TYPE_CHECKING:
    from console.emulator.app import Emulator

HANDLERS: dict[str, Handler] = {
    **products.OPERATIONS,
    **product_tags.OPERATIONS,
    **devices.OPERATIONS,
    **devices_query.OPERATIONS,
    **devices_topology.OPERATIONS,
    **device_tags.OPERATIONS,
    **device_sql.OPERATIONS,
    **batches.OPERATIONS,
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

# Operations that read by the catalogue's access level, and yet write here.
WRITING: frozenset[str] = frozenset().union(things.WRITING, device_files.WRITING, client_ids.WRITING)

SCHEMAS: tuple[str, ...] = (
    products.SCHEMA,
    devices_schema.SCHEMA,
    batches.SCHEMA,
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

SETTLERS: tuple[Settler, ...] = (
    batches.SETTLER,
    devices_life.SETTLER,
    ota.SETTLER,
    edge.SETTLER,
    distribution.SETTLER,
)

ROUTES: dict[str, Callable[[Emulator, dict[str, Any], Callable[..., Any]], Iterable[bytes]]] = {
    objects.PATH: objects.serve,
}


def seed(emulator: Emulator, devices: int, account: str) -> None:
    """Fill `account` with the sample fleet of so many devices."""
    from console.emulator.fleet import seed as seed_fleet  # it needs the emulator, which needs this table

    seed_fleet(emulator, devices=devices, account=account)
