"""What other parts of the console need to know about topics."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.messaging import actions, api, approval
from console.areas.messaging.endpoints import router
from console.areas.messaging.forms import PERMISSION_LABELS
from console.pages.detail import TabPage
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import Status
from iot_client.catalogue import ObjectKind

_ICONS = {"PUB": "arrow-up", "SUB": "arrow-down", "ALL": "arrows-sort"}

AREA = Area(
    slug="messaging",
    label=_("Messages and topics"),
    urls="console.areas.messaging.urls",
    url_objects={"product_key": ObjectKind.PRODUCT, "name": ObjectKind.DEVICE},
    navigation=(
        NavigationEntry("messaging:list", _("Topic categories"), "message"),
        NavigationEntry("messaging:routes", _("Topic routes"), "share"),
    ),
    # The permission of devices on the topics of a category.
    statuses={"topic": {name: Status(PERMISSION_LABELS[name], "off", icon) for name, icon in _ICONS.items()}},
    routers=(router,),
    approval_rules=approval.APPROVAL_RULES,
    bulk=(actions.CATEGORY_BULK, actions.ROUTE_BULK),
    tabs={
        "products:detail": (TabPage("topics", _("Topics"), "messaging:topics", operations=(api.LIST,)),),
        "devices:detail": (
            TabPage("topics", _("Topics"), "messaging:device-topics", operations=(api.LIST,)),
        ),
    },
)
