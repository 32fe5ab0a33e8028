"""The approval rule of products."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.products import api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Description
from console.connections.gateway import Gateway
from console.ui.pieces import DetailItem
from iot_client.errors import CloudError, NotFound


def list_deletion_effects(key: str) -> list[str]:
    """Return the effects of deleting the product: objects that are deleted too or stop working."""
    return [
        gettext("ProductKey %(key)s: everything that uses it stops working") % {"key": key},
        gettext("its thing model, topics and tags"),
        gettext("its references in rules, subscriptions and update packages"),
    ]


def _name_product(gateway: Gateway, call: PlannedCall) -> str:
    """Return the product's name and key, so that approvers recognize it; the key alone if the name cannot be read."""
    key = str(call.params.get("ProductKey") or "")
    try:
        return f"{api.get_product(gateway, key).product.name} ({key})"
    except (CloudError, PermissionDenied):
        return key


def _read_product(gateway: Gateway, call: PlannedCall) -> list[DetailItem]:
    try:
        detail = api.get_product(gateway, str(call.params["ProductKey"]), fresh=True)
    except NotFound:
        return [DetailItem(gettext("Product"), gettext("Deleted"))]
    product = detail.product
    return [
        DetailItem(gettext("Product"), product.name),
        DetailItem(gettext("Status"), gettext("Published") if detail.is_published else gettext("Developing")),
        DetailItem(gettext("Devices"), product.devices, kind="number"),
        DetailItem(gettext("Created"), product.created, kind="time"),
        DetailItem(gettext("Description"), product.description),
    ]


APPROVAL_RULES = (
    ApprovalRule(
        slug="product_deletion",
        label=_("deletion of products"),
        action=_("Delete product"),
        operations=frozenset({"DeleteProduct"}),
        description=Description(
            name_target=_name_product,
            read_details=_read_product,
            effects_title=_("This permanently deletes the product and:"),
            list_effects=lambda call: list_deletion_effects(str(call.params.get("ProductKey"))),
        ),
    ),
)
