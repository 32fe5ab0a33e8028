"""What other parts of the console need to know about device groups."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.groups import actions, pages
from console.areas.groups.endpoints import router
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from iot_client.catalogue import ObjectKind

AREA = Area(
    slug="groups",
    label=_("Groups"),
    urls="console.areas.groups.urls",
    url_objects={"group_id": ObjectKind.GROUP},
    navigation=(NavigationEntry("groups:list", _("Groups"), "hierarchy-2"),),
    routers=(router,),
    bulk=(actions.BULK,),
    details=(pages.GROUP,),
)
