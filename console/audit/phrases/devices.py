"""The words for the operations of devices."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import (
    DELETE,
    DEVICE,
    DEVICES,
    GATEWAY,
    PRODUCT,
    PRODUCTS,
    REMOVE_TAGS,
    SET_TAGS,
    VIEW,
    Noun,
    Phrase,
    Verb,
)

REGISTER = Verb(
    _("Registered %(object)s"),
    _("Tried to register %(object)s"),
    in_place=Verb(_("Registered %(object)s in %(place)s"), _("Tried to register %(object)s in %(place)s")),
)
REGISTRATION = Noun(
    _("a registration"),
    _("registration %(name)s"),
    ngettext_lazy("%(count)s registration", "%(count)s registrations", "number"),
)
DISTRIBUTION = Noun(
    _("a distribution"),
    _("distribution %(name)s"),
    ngettext_lazy("%(count)s distribution", "%(count)s distributions", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "RegisterDevice": Phrase(REGISTER, DEVICE),
        "QueryClientIds": Phrase(VIEW, DEVICE),
        "TransformClientId": Phrase(
            Verb(_("Set the client ID of %(object)s"), _("Tried to set the client ID of %(object)s")), DEVICE
        ),
        "DeleteClientIds": Phrase(
            Verb(
                _("Deleted the client IDs of %(object)s"), _("Tried to delete the client IDs of %(object)s")
            ),
            DEVICE,
        ),
        "QueryDeviceInfo": Phrase(VIEW, DEVICE),
        "QueryDeviceDetail": Phrase(VIEW, DEVICE),
        "BatchQueryDeviceDetail": Phrase(VIEW, PRODUCT),
        "QueryDevice": Phrase(VIEW, PRODUCT),
        "DeleteDevice": Phrase(DELETE, DEVICE),
        "GetDeviceStatus": Phrase(VIEW, DEVICE),
        "BatchGetDeviceState": Phrase(VIEW, PRODUCT),
        "DisableThing": Phrase(Verb(_("Disabled %(object)s"), _("Tried to disable %(object)s")), DEVICE),
        "EnableThing": Phrase(Verb(_("Enabled %(object)s"), _("Tried to enable %(object)s")), DEVICE),
        "ResetThing": Phrase(Verb(_("Reset %(object)s"), _("Tried to reset %(object)s")), DEVICE),
        "BatchCheckDeviceNames": Phrase(
            Verb(
                _("Checked the names of %(object)s"),
                _("Tried to check the names of %(object)s"),
                in_place=Verb(
                    _("Checked the names of %(object)s in %(place)s"),
                    _("Tried to check the names of %(object)s in %(place)s"),
                ),
            ),
            DEVICES,
            place=PRODUCT,
            items="DeviceNameList",
            is_preparatory=True,
        ),
        "BatchRegisterDeviceWithApplyId": Phrase(REGISTER, DEVICES, place=PRODUCT),
        "BatchRegisterDevice": Phrase(REGISTER, DEVICES, place=PRODUCT),
        "BatchUpdateDeviceNickname": Phrase(
            Verb(_("Changed the nickname of %(object)s"), _("Tried to change the nickname of %(object)s")),
            DEVICES,
            items="DeviceNicknameInfo",
        ),
        "QueryBatchRegisterDeviceStatus": Phrase(VIEW, REGISTRATION),
        "QueryPageByApplyId": Phrase(VIEW, REGISTRATION),
        "GetGatewayBySubDevice": Phrase(VIEW, DEVICE),
        "QueryDeviceProp": Phrase(VIEW, DEVICE),
        "SaveDeviceProp": Phrase(SET_TAGS, DEVICE),
        "DeleteDeviceProp": Phrase(REMOVE_TAGS, DEVICE),
        "QueryDeviceByTags": Phrase(VIEW, DEVICES),
        "GetThingTopo": Phrase(VIEW, GATEWAY),
        "NotifyAddThingTopo": Phrase(
            Verb(_("Asked %(object)s to add sub-devices"), _("Tried to ask %(object)s to add sub-devices")),
            GATEWAY,
        ),
        "BatchAddThingTopo": Phrase(
            Verb(_("Added sub-devices to %(object)s"), _("Tried to add sub-devices to %(object)s")), GATEWAY
        ),
        "RemoveThingTopo": Phrase(
            Verb(_("Removed %(object)s from its gateway"), _("Tried to remove %(object)s from its gateway")),
            DEVICE,
        ),
        "QueryDeviceStatistics": Phrase(VIEW, DEVICES),
        "QueryDeviceFileList": Phrase(VIEW, DEVICE),
        "QueryDeviceFile": Phrase(VIEW, DEVICE),
        "DeleteDeviceFile": Phrase(
            Verb(_("Deleted a file of %(object)s"), _("Tried to delete a file of %(object)s")), DEVICE
        ),
        "QueryDeviceByStatus": Phrase(VIEW, PRODUCT),
        "QueryDeviceBySQL": Phrase(VIEW, DEVICES),
        "ListOTAModuleVersionsByDevice": Phrase(VIEW, DEVICE),
        "CreateDeviceDistributeJob": Phrase(
            Verb(
                _("Started to distribute devices of %(object)s"),
                _("Tried to distribute devices of %(object)s"),
            ),
            PRODUCT,
        ),
        "CreateProductDistributeJob": Phrase(
            Verb(_("Started to distribute %(object)s"), _("Tried to distribute %(object)s")), PRODUCT
        ),
        "QueryDeviceDistributeDetail": Phrase(VIEW, DISTRIBUTION),
        "QueryDeviceDistributeJob": Phrase(VIEW, DISTRIBUTION),
        "ListDeviceDistributeJob": Phrase(VIEW, DISTRIBUTION),
        "DeleteDeviceDistributeJob": Phrase(DELETE, DISTRIBUTION),
        "ListDistributedDevice": Phrase(VIEW, DEVICES),
        "ListDistributedProduct": Phrase(VIEW, PRODUCTS),
    }
)
