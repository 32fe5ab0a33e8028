"""Error codes of invalid parameters in topic and message operations."""

from __future__ import annotations

_BROKER = "iot.messagebroker."

# By group of operations and parameter.
CODES: dict[str, dict[str, str]] = {
    "topics": {
        "Operation": f"{_BROKER}InvalidTopicTemplateOperationValue",
        "TopicShortName": f"{_BROKER}InvalidFormattedTopicName",
        "TopicId": f"{_BROKER}InvalidFormattedTopicTemplateId",
        "Topic": f"{_BROKER}InvalidFormattedTopicName",
        "SrcTopic": f"{_BROKER}InvalidFormattedSrcTopicName",
        "DstTopic": f"{_BROKER}DestTopicNameArraySizeIsLarge",
    },
    "communications": {
        "TopicFullName": f"{_BROKER}InvalidFormattedTopicName",
        "TopicShortName": f"{_BROKER}InvalidFormattedTopicName",
        "Topic": f"{_BROKER}InvalidFormattedTopicName",
        "Timeout": f"{_BROKER}InvalidTimeoutValue",
    },
}
MISSING: dict[str, dict[str, str]] = {
    "communications": {
        "ProductKey": "iot.prod.NullProductKey",
        "DeviceName": "iot.device.NullDeviceName",
        "Topic": "Iot.MessageBroker.EmptySubTopicList",
    },
}
# The handlers check these, because they have several error codes.
CHECKED_BY_HANDLER = frozenset(
    {
        ("Pub", "MessageContent"),
        ("Pub", "CorrelationData"),
        ("Pub", "UserProp"),
        ("BatchPub", "MessageContent"),
        ("BatchPub", "CorrelationData"),
        ("BatchPub", "UserProp"),
        ("PubBroadcast", "MessageContent"),
        ("RRpc", "RequestBase64Byte"),
    }
)
