"""What other parts of the console need to know about devices."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.areas.devices import approval, jobs
from console.areas.devices.endpoints import router
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import Status

AREA = Area(
    slug="devices",
    label=_("Devices"),
    urls="console.areas.devices.urls",
    navigation=(NavigationEntry("devices:list", _("Devices"), "cpu"),),
    search="devices:search",
    statuses={
        # DeviceStatus of GetDeviceStatus; QueryDevice spells them the same.
        "device": {
            "ONLINE": Status(_("Online"), "good", "dot"),
            "OFFLINE": Status(_("Offline"), "off", "circle"),
            "UNACTIVE": Status(_("Not activated"), "wait", "circle-dashed"),
            "DISABLE": Status(_("Disabled"), "bad", "ban"),
        },
    },
    job_kinds=(jobs.REGISTER, jobs.SECRETS),
    routers=(router,),
    approval_rules=approval.APPROVAL_RULES,
)
