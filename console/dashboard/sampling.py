"""Records the numbers of devices of a connection: of all devices, of its products, and of its groups."""

from __future__ import annotations

from console.areas.groups import counts as group_counts
from console.areas.products import api as products_api
from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.dashboard import api
from console.device_counts.history import Kind, fleet_key, record_counts

MAX_PRODUCTS = 200
"""The most products of a connection that are counted: those with the most devices."""
MAX_GROUPS = 100
"""The most groups of a connection that are counted: the upper levels of the tree first."""


def record_connection(connection: Connection) -> None:
    """Count the devices of a connection, and of each of its products and groups, and record the numbers.

    Up to 5 calls, 1 for each product with devices and 2 for each group, in the background lane. Raises CloudError, before the
    other calls, if the connection cannot be reached.
    """
    gateway = Gateway.for_console(connection)
    record_counts(connection, Kind.FLEET, {fleet_key(connection): api.count_devices(gateway)})
    record_counts(connection, Kind.PRODUCT, products_api.count_devices(gateway, MAX_PRODUCTS))
    record_counts(connection, Kind.GROUP, group_counts.count_devices(gateway, MAX_GROUPS))
