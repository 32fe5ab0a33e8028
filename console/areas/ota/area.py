"""What other parts of the console need to know about over-the-air updates."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.api.pipeline import Upload
from console.areas.ota import actions, approval, jobs, pages
from console.areas.ota.api import MAX_PACKAGE_BYTES
from console.areas.ota.endpoints import batches, packages
from console.ui.areas import Area
from console.ui.navigation import NavigationEntry
from console.ui.statuses import CANCELED, FAILED, RUNNING, SUCCEEDED, Status
from iot_client.catalogue import ObjectKind

AREA = Area(
    slug="ota",
    label=_("Updates"),
    urls="console.areas.ota.urls",
    url_objects={
        "product_key": ObjectKind.PRODUCT,
        "package_id": ObjectKind.PACKAGE,
        "batch_id": ObjectKind.BATCH,
    },
    navigation=(
        NavigationEntry("ota:packages", _("Packages"), "package"),
        NavigationEntry("ota:batches", _("Batches"), "cloud-upload"),
        NavigationEntry("ota:modules", _("Modules"), "puzzle"),
    ),
    statuses={
        # Status of QueryOTAFirmware.
        "package": {
            "-1": Status(_("No verification needed"), "off", "minus"),
            "0": Status(_("Not verified"), "wait", "circle-dashed"),
            "1": Status(_("Verified"), "good", "circle-check"),
            "2": Status(_("Verifying"), "busy", "loader-2"),
            "3": Status(_("Verification failed"), "bad", "circle-x"),
        },
        # JobStatus of QueryOTAJob.
        "batch": {
            "PLANNED": Status(_("Planned"), "wait", "calendar-time"),
            "IN_PROGRESS": RUNNING,
            "COMPLETED": Status(_("Completed"), "good", "circle-check"),
            "CANCELED": CANCELED,
        },
        # TaskStatus of ListOTATaskByJob.
        "batch_task": {
            "CONFIRM": Status(_("Waiting for confirmation"), "warn", "clock-question"),
            "QUEUED": Status(_("Waiting to be sent"), "wait", "clock"),
            "NOTIFIED": Status(_("Notified"), "wait", "bell"),
            "IN_PROGRESS": RUNNING,
            "SUCCEEDED": SUCCEEDED,
            "FAILED": FAILED,
            "CANCELED": CANCELED,
        },
    },
    job_kinds=(jobs.MONITORING,),
    routers=(packages.router, batches.router),
    uploads={"create_package": Upload(MAX_PACKAGE_BYTES, packages.check_package_upload)},
    approval_rules=approval.APPROVAL_RULES,
    bulk=(actions.BULK,),
    details=(pages.BATCH,),
)
