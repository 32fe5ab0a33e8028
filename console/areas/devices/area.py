"""What other parts of the console need to know about devices."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.api.pipeline import Upload
from console.areas.devices import actions, approval, jobs, pages
from console.areas.devices.endpoints import router
from console.areas.devices.registration import endpoints as registrations
from console.pages.detail import TabPage
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import ITEM, Status
from iot_client.catalogue import ObjectKind

AREA = Area(
    slug="devices",
    label=_("Devices"),
    urls="console.areas.devices.urls",
    url_objects={"product_key": ObjectKind.PRODUCT, "name": ObjectKind.DEVICE},
    navigation=(NavigationEntry("devices:list", _("Devices"), "cpu"),),
    search="devices:search",
    statuses={
        # DeviceStatus of GetDeviceStatus; QueryDevice spells them the same.
        "device": {
            "ONLINE": Status(_("Online"), "good", "dot"),
            "OFFLINE": Status(_("Offline"), "off", "circle"),
            "UNACTIVE": Status(_("Not activated"), "wait", "circle-dashed"),
            "DISABLE": Status(_("Disabled"), "off", "ban"),
        },
        # A device that a job registers.
        "registered_device": {
            **ITEM,
            "succeeded": Status(pgettext_lazy("of a device", "Created"), "good", "circle-check"),
            "partial": Status(_("Created without tags"), "warn", "alert-triangle"),
            "unchanged": Status(_("Already exists"), "warn", "copy"),
        },
    },
    job_kinds=(jobs.REGISTER, jobs.SECRETS),
    routers=(router, registrations.router),
    uploads={
        "register_devices_from_file": Upload(
            settings.JOBS_UPLOAD_BYTES, registrations.check_registration_upload
        )
    },
    approval_rules=approval.APPROVAL_RULES,
    bulk=(actions.BULK,),
    details=(pages.DEVICE,),
    tabs={
        "products:detail": (
            TabPage(
                "devices", _("Devices"), "devices:of-product", count=lambda detail: detail.product.devices
            ),
        ),
    },
)
