"""What other parts of the console need to know about products."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.products import actions, approval, pages
from console.areas.products.endpoints import router
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import Status
from iot_client.catalogue import ObjectKind

AREA = Area(
    slug="products",
    label=_("Products"),
    urls="console.areas.products.urls",
    url_objects={"key": ObjectKind.PRODUCT},
    navigation=(NavigationEntry("products:list", _("Products"), "packages"),),
    statuses={
        # ProductStatus of QueryProduct.
        "product": {
            "DEVELOPMENT_STATUS": Status(_("Developing"), "wait", "tool"),
            "RELEASE_STATUS": Status(_("Published"), "good", "circle-check"),
        },
    },
    routers=(router,),
    approval_rules=approval.APPROVAL_RULES,
    bulk=(actions.BULK,),
    details=(pages.PRODUCT,),
)
