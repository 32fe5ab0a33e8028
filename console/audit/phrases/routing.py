"""The words for the operations of data routing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import CREATE, DELETE, EDIT, PRODUCT, VIEW, Noun, Phrase, Verb

RULE = Noun(_("a rule"), _("rule %(name)s"), ngettext_lazy("%(count)s rule", "%(count)s rules", "number"))
DESTINATION = Noun(
    _("a destination of a rule"),
    _("destination %(name)s"),
    ngettext_lazy("%(count)s destination", "%(count)s destinations", "number"),
)
DATA_SOURCE = Noun(
    _("a data source"),
    _("data source %(name)s"),
    ngettext_lazy("%(count)s data source", "%(count)s data sources", "number"),
)
CONSUMER_GROUP = Noun(
    _("a consumer group"),
    _("consumer group %(name)s"),
    ngettext_lazy("%(count)s consumer group", "%(count)s consumer groups", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "CreateRule": Phrase(CREATE, RULE),
        "CreateRuleAction": Phrase(
            Verb(_("Added a destination to %(object)s"), _("Tried to add a destination to %(object)s")), RULE
        ),
        "DeleteRule": Phrase(DELETE, RULE),
        "DeleteRuleAction": Phrase(DELETE, DESTINATION),
        "GetRule": Phrase(VIEW, RULE),
        "GetRuleAction": Phrase(VIEW, DESTINATION),
        "ListRule": Phrase(VIEW, RULE),
        "ListRuleActions": Phrase(VIEW, RULE),
        "StartRule": Phrase(Verb(_("Started %(object)s"), _("Tried to start %(object)s")), RULE),
        "StopRule": Phrase(Verb(_("Stopped %(object)s"), _("Tried to stop %(object)s")), RULE),
        "UpdateRule": Phrase(EDIT, RULE),
        "UpdateRuleAction": Phrase(EDIT, DESTINATION),
        "CreateDataSourceItem": Phrase(
            Verb(_("Added a topic to a data source"), _("Tried to add a topic to a data source"))
        ),
        "ListDataSourceItem": Phrase(VIEW, DATA_SOURCE),
        "DeleteDataSourceItem": Phrase(
            Verb(_("Removed a topic from %(object)s"), _("Tried to remove a topic from %(object)s")),
            DATA_SOURCE,
        ),
        "CreateSubscribeRelation": Phrase(
            Verb(
                _("Created a subscription of %(object)s"), _("Tried to create a subscription of %(object)s")
            ),
            PRODUCT,
        ),
        "UpdateSubscribeRelation": Phrase(
            Verb(
                _("Changed the subscription of %(object)s"),
                _("Tried to change the subscription of %(object)s"),
            ),
            PRODUCT,
        ),
        "QuerySubscribeRelation": Phrase(VIEW, PRODUCT),
        "DeleteSubscribeRelation": Phrase(
            Verb(
                _("Deleted the subscription of %(object)s"),
                _("Tried to delete the subscription of %(object)s"),
            ),
            PRODUCT,
        ),
        "CreateConsumerGroup": Phrase(CREATE, CONSUMER_GROUP),
        "UpdateConsumerGroup": Phrase(EDIT, CONSUMER_GROUP),
        "QueryConsumerGroupByGroupId": Phrase(VIEW, CONSUMER_GROUP),
        "QueryConsumerGroupList": Phrase(VIEW, CONSUMER_GROUP),
        "QueryConsumerGroupStatus": Phrase(VIEW, CONSUMER_GROUP),
        "ResetConsumerGroupPosition": Phrase(
            Verb(
                _("Deleted the waiting messages of %(object)s"),
                _("Tried to delete the waiting messages of %(object)s"),
            ),
            CONSUMER_GROUP,
        ),
        "DeleteConsumerGroup": Phrase(DELETE, CONSUMER_GROUP),
        "CreateConsumerGroupSubscribeRelation": Phrase(
            Verb(_("Added %(object)s to a subscription"), _("Tried to add %(object)s to a subscription")),
            CONSUMER_GROUP,
        ),
        "DeleteConsumerGroupSubscribeRelation": Phrase(
            Verb(
                _("Removed %(object)s from a subscription"),
                _("Tried to remove %(object)s from a subscription"),
            ),
            CONSUMER_GROUP,
        ),
    }
)
