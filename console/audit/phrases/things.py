"""The words for the operations of thing models and the data of devices."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import DEVICE, DEVICES, PRODUCT, VIEW, Noun, Phrase, Verb

SET_PROPERTIES = Verb(_("Set properties of %(object)s"), _("Tried to set properties of %(object)s"))
CALL_SERVICE = Verb(_("Called a service of %(object)s"), _("Tried to call a service of %(object)s"))
STANDARD_MODEL = Noun(
    _("a standard thing model"),
    _("standard thing model %(name)s"),
    ngettext_lazy("%(count)s standard thing model", "%(count)s standard thing models", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "CreateThingModel": Phrase(
            Verb(
                _("Added features to the thing model of %(object)s"),
                _("Tried to add features to the thing model of %(object)s"),
            ),
            PRODUCT,
        ),
        "UpdateThingModel": Phrase(
            Verb(_("Edited the thing model of %(object)s"), _("Tried to edit the thing model of %(object)s")),
            PRODUCT,
        ),
        "QueryThingModel": Phrase(VIEW, PRODUCT),
        "CopyThingModel": Phrase(
            Verb(_("Copied a thing model to %(object)s"), _("Tried to copy a thing model to %(object)s")),
            PRODUCT,
        ),
        "PublishThingModel": Phrase(
            Verb(
                _("Published the thing model of %(object)s"),
                _("Tried to publish the thing model of %(object)s"),
            ),
            PRODUCT,
        ),
        "DeleteThingModel": Phrase(
            Verb(
                _("Deleted features of the thing model of %(object)s"),
                _("Tried to delete features of the thing model of %(object)s"),
            ),
            PRODUCT,
        ),
        "ListThingTemplates": Phrase(VIEW, STANDARD_MODEL),
        "GetThingTemplate": Phrase(VIEW, STANDARD_MODEL),
        "ListThingModelVersion": Phrase(VIEW, PRODUCT),
        "GetThingModelTsl": Phrase(VIEW, PRODUCT),
        "ImportThingModelTsl": Phrase(
            Verb(
                _("Imported the thing model of %(object)s"),
                _("Tried to import the thing model of %(object)s"),
            ),
            PRODUCT,
        ),
        "QueryThingModelPublished": Phrase(VIEW, PRODUCT),
        "GetThingModelTslPublished": Phrase(VIEW, PRODUCT),
        "QueryThingModelExtendConfig": Phrase(VIEW, PRODUCT),
        "QueryThingModelExtendConfigPublished": Phrase(VIEW, PRODUCT),
        "CreateThingScript": Phrase(
            Verb(_("Created the script of %(object)s"), _("Tried to create the script of %(object)s")),
            PRODUCT,
        ),
        "UpdateThingScript": Phrase(
            Verb(_("Edited the script of %(object)s"), _("Tried to edit the script of %(object)s")), PRODUCT
        ),
        "GetThingScript": Phrase(VIEW, PRODUCT),
        "SetDeviceProperty": Phrase(SET_PROPERTIES, DEVICE),
        "SetDevicesProperty": Phrase(SET_PROPERTIES, DEVICES, items="DeviceName"),
        "InvokeThingService": Phrase(CALL_SERVICE, DEVICE),
        "InvokeThingsService": Phrase(CALL_SERVICE, DEVICES, items="DeviceName"),
        "QueryDevicePropertyData": Phrase(VIEW, DEVICE),
        "QueryDevicePropertiesData": Phrase(VIEW, DEVICE),
        "QueryDeviceEventData": Phrase(VIEW, DEVICE),
        "QueryDeviceServiceData": Phrase(VIEW, DEVICE),
        "SetDeviceDesiredProperty": Phrase(
            Verb(
                _("Set desired properties of %(object)s"), _("Tried to set desired properties of %(object)s")
            ),
            DEVICE,
        ),
        "QueryDeviceDesiredProperty": Phrase(VIEW, DEVICE),
        "QueryDevicePropertyStatus": Phrase(VIEW, DEVICE),
        "QueryDeviceOriginalPropertyStatus": Phrase(VIEW, DEVICE),
        "QueryDeviceOriginalPropertyData": Phrase(VIEW, DEVICE),
        "QueryDeviceOriginalEventData": Phrase(VIEW, DEVICE),
        "QueryDeviceOriginalServiceData": Phrase(VIEW, DEVICE),
    }
)
