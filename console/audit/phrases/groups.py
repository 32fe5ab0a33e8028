"""The words for the operations of device groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import (
    ADD_TO,
    CREATE,
    DELETE,
    DEVICE,
    DEVICES,
    EDIT,
    REMOVE_FROM,
    SET_TAGS,
    VIEW,
    Noun,
    Phrase,
)

GROUP = Noun(
    _("a group"), _("group %(name)s"), ngettext_lazy("%(count)s group", "%(count)s groups", "number")
)
GROUPS = replace(GROUP, unnamed=_("groups"))

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "CreateDeviceGroup": Phrase(CREATE, GROUP),
        "UpdateDeviceGroup": Phrase(EDIT, GROUP),
        "DeleteDeviceGroup": Phrase(DELETE, GROUP),
        "BatchAddDeviceGroupRelations": Phrase(ADD_TO, DEVICES, place=GROUP, items="Device"),
        "BatchDeleteDeviceGroupRelations": Phrase(REMOVE_FROM, DEVICES, place=GROUP, items="Device"),
        "QueryDeviceGroupInfo": Phrase(VIEW, GROUP),
        "QueryDeviceGroupList": Phrase(VIEW, GROUPS),
        "SetDeviceGroupTags": Phrase(SET_TAGS, GROUP),
        "QueryDeviceGroupTagList": Phrase(VIEW, GROUP),
        "QueryDeviceGroupByDevice": Phrase(VIEW, DEVICE),
        "QuerySuperDeviceGroup": Phrase(VIEW, GROUP),
        "QueryDeviceListByDeviceGroup": Phrase(VIEW, GROUP),
        "QueryDeviceGroupByTags": Phrase(VIEW, GROUPS),
    }
)
