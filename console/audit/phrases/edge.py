"""The words for the operations of edge instances."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import (
    ADD_TO,
    CREATE,
    DELETE,
    DEVICES,
    EDIT,
    GATEWAY,
    REMOVE_FROM,
    VIEW,
    Noun,
    Phrase,
    Verb,
)

EDGE_INSTANCE = Noun(
    _("an edge instance"),
    _("edge instance %(name)s"),
    ngettext_lazy("%(count)s edge instance", "%(count)s edge instances", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "CreateEdgeInstance": Phrase(CREATE, EDGE_INSTANCE),
        "DeleteEdgeInstance": Phrase(DELETE, EDGE_INSTANCE),
        "UpdateEdgeInstance": Phrase(EDIT, EDGE_INSTANCE),
        "GetEdgeInstance": Phrase(VIEW, EDGE_INSTANCE),
        "QueryEdgeInstance": Phrase(VIEW, EDGE_INSTANCE),
        "BindGatewayToEdgeInstance": Phrase(
            Verb(
                _("Assigned %(object)s to an edge instance"),
                _("Tried to assign %(object)s to an edge instance"),
            ),
            GATEWAY,
        ),
        "QueryEdgeInstanceGateway": Phrase(VIEW, EDGE_INSTANCE),
        "BindDriverToEdgeInstance": Phrase(
            Verb(_("Assigned a driver to %(object)s"), _("Tried to assign a driver to %(object)s")),
            EDGE_INSTANCE,
        ),
        "UnbindDriverFromEdgeInstance": Phrase(
            Verb(_("Removed a driver from %(object)s"), _("Tried to remove a driver from %(object)s")),
            EDGE_INSTANCE,
        ),
        "QueryEdgeInstanceDriver": Phrase(VIEW, EDGE_INSTANCE),
        "SetEdgeInstanceDriverConfigs": Phrase(
            Verb(
                _("Set the driver configuration of %(object)s"),
                _("Tried to set the driver configuration of %(object)s"),
            ),
            EDGE_INSTANCE,
        ),
        "ClearEdgeInstanceDriverConfigs": Phrase(
            Verb(
                _("Removed the driver configuration of %(object)s"),
                _("Tried to remove the driver configuration of %(object)s"),
            ),
            EDGE_INSTANCE,
        ),
        "BatchGetEdgeInstanceDriverConfigs": Phrase(VIEW, EDGE_INSTANCE),
        "BatchBindDeviceToEdgeInstanceWithDriver": Phrase(
            ADD_TO, DEVICES, place=EDGE_INSTANCE, items="IotIds"
        ),
        "BatchUnbindDeviceFromEdgeInstance": Phrase(
            REMOVE_FROM, DEVICES, place=EDGE_INSTANCE, items="IotIds"
        ),
        "QueryEdgeInstanceDevice": Phrase(VIEW, EDGE_INSTANCE),
        "BatchGetDeviceDriver": Phrase(VIEW, EDGE_INSTANCE),
        "QueryDeviceByDriver": Phrase(VIEW, EDGE_INSTANCE),
        "BatchSetEdgeInstanceDeviceConfig": Phrase(
            Verb(
                _("Set device configurations of %(object)s"),
                _("Tried to set device configurations of %(object)s"),
            ),
            EDGE_INSTANCE,
        ),
        "BatchClearEdgeInstanceDeviceConfig": Phrase(
            Verb(
                _("Removed device configurations of %(object)s"),
                _("Tried to remove device configurations of %(object)s"),
            ),
            EDGE_INSTANCE,
        ),
        "BatchGetEdgeInstanceDeviceConfig": Phrase(VIEW, EDGE_INSTANCE),
        "CreateEdgeInstanceDeployment": Phrase(
            Verb(_("Deployed %(object)s"), _("Tried to deploy %(object)s")), EDGE_INSTANCE
        ),
        "CloseEdgeInstanceDeployment": Phrase(
            Verb(_("Stopped the deployment of %(object)s"), _("Tried to stop the deployment of %(object)s")),
            EDGE_INSTANCE,
        ),
        "GetEdgeInstanceDeployment": Phrase(VIEW, EDGE_INSTANCE),
        "QueryEdgeInstanceHistoricDeployment": Phrase(VIEW, EDGE_INSTANCE),
    }
)
