"""The words for the operations of messaging."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.audit.phrases.words import CREATE, DELETE, DEVICE, EDIT, PRODUCT, VIEW, Noun, Phrase, Verb

PUBLISH = Verb(_("Published a message on %(object)s"), _("Tried to publish a message on %(object)s"))
TOPIC = Noun(
    _("a topic"), _("topic %(name)s"), ngettext_lazy("%(count)s topic", "%(count)s topics", "number")
)
TOPIC_CATEGORY = Noun(
    _("a topic category"),
    _("topic category %(name)s"),
    ngettext_lazy("%(count)s topic category", "%(count)s topic categories", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "BatchPub": Phrase(PUBLISH, TOPIC),
        "Pub": Phrase(
            Verb(_("Sent a message to %(object)s"), _("Tried to send a message to %(object)s")), DEVICE
        ),
        "PubBroadcast": Phrase(PUBLISH, TOPIC),
        "RRpc": Phrase(
            Verb(_("Sent a request to %(object)s"), _("Tried to send a request to %(object)s")), DEVICE
        ),
        "SubscribeTopic": Phrase(
            Verb(_("Subscribed %(object)s to topics"), _("Tried to subscribe %(object)s to topics")), DEVICE
        ),
        "GetDeviceShadow": Phrase(VIEW, DEVICE),
        "UpdateDeviceShadow": Phrase(
            Verb(_("Changed the shadow of %(object)s"), _("Tried to change the shadow of %(object)s")), DEVICE
        ),
        "CreateProductTopic": Phrase(CREATE, TOPIC_CATEGORY),
        "UpdateProductTopic": Phrase(EDIT, TOPIC_CATEGORY),
        "QueryProductTopic": Phrase(VIEW, PRODUCT),
        "DeleteProductTopic": Phrase(DELETE, TOPIC_CATEGORY),
        "CreateTopicRouteTable": Phrase(
            Verb(
                _("Started to forward messages of %(object)s"), _("Tried to forward messages of %(object)s")
            ),
            TOPIC,
        ),
        "DeleteTopicRouteTable": Phrase(
            Verb(
                _("Stopped forwarding messages of %(object)s"),
                _("Tried to stop forwarding messages of %(object)s"),
            ),
            TOPIC,
        ),
        "QueryTopicReverseRouteTable": Phrase(VIEW, TOPIC),
        "QueryTopicRouteTable": Phrase(VIEW, TOPIC),
    }
)
