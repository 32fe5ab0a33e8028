"""The gateway of an edge instance, on which the edge instance runs."""

from __future__ import annotations

from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.edge import codes
from iot_emulator.edge.common import find_edge_instance, invalid_edge_parameter, mark_modified
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device

EDGE_VERSION = "v2.8.0"


def bind_gateway_to_edge_instance(call: Call) -> dict[str, Any]:
    """BindGatewayToEdgeInstance: an edge instance has one gateway, and a gateway belongs to one edge instance.

    Binding the bound gateway again changes nothing.
    """
    edge_id = find_edge_instance(call)["edge_id"]
    device = find_device(call)
    (node_type,) = call.db.execute(
        "SELECT node_type FROM products WHERE product_key = ?", (device["product_key"],)
    ).fetchone()
    if node_type != 1:
        raise invalid_edge_parameter("The device is not a gateway.")
    bound = call.db.execute(
        "SELECT edge_id, iot_id FROM edge_gateways WHERE edge_id = ? OR iot_id = ?",
        (edge_id, device["iot_id"]),
    ).fetchone()
    if bound is not None:
        if bound["edge_id"] == edge_id and bound["iot_id"] == device["iot_id"]:
            return {}
        raise ServiceError(
            codes.GATEWAY_BOUND,
            "The edge instance already has a gateway, or the gateway belongs to another edge instance.",
        )
    call.db.execute("INSERT INTO edge_gateways (edge_id, iot_id) VALUES (?, ?)", (edge_id, device["iot_id"]))
    mark_modified(call, edge_id)
    return {}


def query_edge_instance_gateway(call: Call) -> dict[str, Any]:
    """QueryEdgeInstanceGateway: a list with one gateway or none."""
    rows = call.db.execute(
        "SELECT d.iot_id, d.product_key, d.name FROM edge_gateways g JOIN devices d USING (iot_id) WHERE g.edge_id = ?",
        (find_edge_instance(call)["edge_id"],),
    )
    return {
        "GatewayList": [
            {
                "IotId": row["iot_id"],
                "ProductKey": row["product_key"],
                "DeviceName": row["name"],
                "EdgeVersion": EDGE_VERSION,
            }
            for row in rows
        ]
    }


OPERATIONS: dict[str, Handler] = {
    "BindGatewayToEdgeInstance": bind_gateway_to_edge_instance,
    "QueryEdgeInstanceGateway": query_edge_instance_gateway,
}
