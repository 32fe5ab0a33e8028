"""The words for the operations of updates."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import (
    CREATE,
    DELETE,
    DEVICE,
    DEVICES,
    EDIT,
    PRODUCT,
    VIEW,
    Noun,
    Phrase,
    Verb,
)

PACKAGE = Noun(
    _("an update package"),
    _("update package %(name)s"),
    ngettext_lazy("%(count)s update package", "%(count)s update packages", "number"),
)
BATCH = Noun(
    _("a batch"), _("batch %(name)s"), ngettext_lazy("%(count)s batch", "%(count)s batches", "number")
)
MODULE = Noun(
    _("a module"), _("module %(name)s"), ngettext_lazy("%(count)s module", "%(count)s modules", "number")
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "GenerateOTAUploadURL": Phrase(
            Verb(
                _("Prepared the upload of a package file"), _("Tried to prepare the upload of a package file")
            ),
            is_preparatory=True,
        ),
        "GenerateDeviceNameListURL": Phrase(
            Verb(
                _("Prepared the upload of a device list"), _("Tried to prepare the upload of a device list")
            ),
            is_preparatory=True,
        ),
        "CreateOTAFirmware": Phrase(CREATE, PACKAGE),
        "DeleteOTAFirmware": Phrase(DELETE, PACKAGE),
        "ListOTAFirmware": Phrase(VIEW, PRODUCT),
        "QueryOTAFirmware": Phrase(VIEW, PACKAGE),
        "CreateOTAVerifyJob": Phrase(
            Verb(
                _("Started the verification of %(object)s"),
                _("Tried to start the verification of %(object)s"),
            ),
            PACKAGE,
        ),
        "CreateOTAStaticUpgradeJob": Phrase(
            Verb(
                _("Created a static batch for %(object)s"), _("Tried to create a static batch for %(object)s")
            ),
            PACKAGE,
        ),
        "CreateOTADynamicUpgradeJob": Phrase(
            Verb(
                _("Created a dynamic batch for %(object)s"),
                _("Tried to create a dynamic batch for %(object)s"),
            ),
            PACKAGE,
        ),
        "ListOTAJobByFirmware": Phrase(VIEW, PACKAGE),
        "ListOTAJobByDevice": Phrase(VIEW, DEVICE),
        "ListOTATaskByJob": Phrase(VIEW, BATCH),
        "QueryOTAJob": Phrase(VIEW, BATCH),
        "CancelOTAStrategyByJob": Phrase(
            Verb(_("Stopped adding devices to %(object)s"), _("Tried to stop adding devices to %(object)s")),
            BATCH,
        ),
        "CancelOTATaskByJob": Phrase(Verb(_("Canceled %(object)s"), _("Tried to cancel %(object)s")), BATCH),
        "CancelOTATaskByDevice": Phrase(
            Verb(_("Canceled updates of %(object)s"), _("Tried to cancel updates of %(object)s")),
            DEVICES,
            items="DeviceName",
        ),
        "CreateOTAModule": Phrase(CREATE, MODULE),
        "UpdateOTAModule": Phrase(EDIT, MODULE),
        "DeleteOTAModule": Phrase(DELETE, MODULE),
        "ListOTAModuleByProduct": Phrase(VIEW, PRODUCT),
        "ConfirmOTATask": Phrase(
            Verb(_("Confirmed updates of %(object)s"), _("Tried to confirm updates of %(object)s")),
            DEVICES,
            items="TaskId",
            names_objects=False,
        ),
        "ReupgradeOTATask": Phrase(
            Verb(_("Retried updates of %(object)s"), _("Tried to retry updates of %(object)s")),
            DEVICES,
            items="TaskId",
            names_objects=False,
        ),
        "ListOTAUnfinishedTaskByDevice": Phrase(VIEW, DEVICE),
    }
)
