"""The approval rules of operations that only the explorer and programs call. An area that gets pages for them takes its rule over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.products import api as products_api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Description, Limit
from console.connections.gateway import Gateway
from iot_client.catalogue import operation


def _count_recipients(gateway: Gateway, calls: Sequence[PlannedCall]) -> int | None:
    """The largest number of devices that the calls reach; None if unknown."""
    counts = [_count_recipients_of_call(gateway, call) for call in calls]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _count_recipients_of_call(gateway: Gateway, call: PlannedCall) -> int | None:
    """The number of devices that a call names; if it names a product only, that of the product."""
    parameters, params = operation(call.operation).parameters, call.named_params
    if "DeviceName" in parameters:
        return 1
    if "DeviceName.N" in parameters:
        return len(params.get("DeviceName") or ()) or None
    return products_api.find_device_count(gateway, params.get("ProductKey"), params.get("IotInstanceId"))


def _list_routing_effects(call: PlannedCall) -> list[str]:
    return [gettext("Data of devices may no longer reach the systems that receive it.")]


APPROVAL_RULES = (
    ApprovalRule(
        slug="device_command",
        label=_("messages and commands to more than (devices)"),
        help_text=_(
            "Leave empty: none needs approval. 0: each needs approval. Messages, property settings and service calls of the team "
            "within 10 minutes are added up. A broadcast counts as all devices of the product."
        ),
        action=_("Send to devices"),
        operations=frozenset(
            {
                "BatchPub",
                "InvokeThingService",
                "InvokeThingsService",
                "Pub",
                "PubBroadcast",
                "RRpc",
                "SetDeviceDesiredProperty",
                "SetDeviceProperty",
                "SetDevicesProperty",
                "UpdateDeviceShadow",
            }
        ),
        limit=Limit(count=_count_recipients, window=timedelta(minutes=10)),
        description=Description(),
    ),
    ApprovalRule(
        slug="data_routing",
        label=_("stopping, changing and deleting data routing"),
        help_text=_("Rules with their destinations, subscriptions and consumer groups."),
        action=_("Stop, change or delete data routing"),
        operations=frozenset(
            {
                "DeleteConsumerGroup",
                "DeleteConsumerGroupSubscribeRelation",
                "DeleteDataSourceItem",
                "DeleteRule",
                "DeleteRuleAction",
                "DeleteSubscribeRelation",
                "ResetConsumerGroupPosition",
                "StopRule",
                "UpdateRule",
                "UpdateRuleAction",
                "UpdateSubscribeRelation",
            }
        ),
        description=Description(effects_title=_("Effects:"), list_effects=_list_routing_effects),
    ),
    ApprovalRule(
        slug="edge_instance_deletion",
        label=_("deletion of edge instances"),
        action=_("Delete edge instance"),
        operations=frozenset({"DeleteEdgeInstance"}),
        description=Description(),
    ),
)
