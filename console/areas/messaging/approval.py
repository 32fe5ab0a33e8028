"""The approval rule of topics."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.messaging import api
from console.connections.approval import PlannedCall
from console.connections.approval_rules import ApprovalRule, Description


def list_deletion_effects() -> list[str]:
    """Return the effects of deleting a topic category, as sentences."""
    return [
        gettext("Devices can no longer publish to these topics or subscribe to them."),
        gettext("Routes from and to these topics stop working."),
        gettext("Rules and subscriptions receive no more messages of these topics."),
    ]


def _list_effects(call: PlannedCall) -> list[str]:
    """Return the effects of deleting a topic category, or the target topics of the routes to delete."""
    if call.operation == api.DELETE:
        return list_deletion_effects()
    return [
        gettext("Messages are no longer forwarded to %(topic)s.") % {"topic": topic}
        for topic in call.params.get("DstTopic", ())
    ]


APPROVAL_RULES = (
    ApprovalRule(
        slug="topic_deletion",
        label=_("deletion of topic categories and routes"),
        action=_("Delete topics or routes"),
        operations=frozenset({api.DELETE, api.DELETE_ROUTES}),
        description=Description(effects_title=_("Effects:"), list_effects=_list_effects),
    ),
)
