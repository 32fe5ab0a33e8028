"""Error codes of invalid parameters in data forwarding and server-side subscription."""

from __future__ import annotations

# By group of operations and parameter.
CODES: dict[str, dict[str, str]] = {
    "data-forwarding": {
        "Topic": "iot.messagebroker.InvalidFormattedTopicName",
        "ShortTopic": "iot.messagebroker.InvalidFormattedTopicName",
        "TopicType": "iot.ruleng.IncorrectType",
        "Type": "iot.rule.IncorrentRuleActionType",
        "Configuration": "iot.ruleng.RuleActionConfigurationIsNotJson",
        "Page": "iot.common.InvalidPageParams",
    },
    "server-side-subscription": {
        "GroupName": "iot.consumer.group.InvalidConsumerGroupName",
        "NewGroupName": "iot.consumer.group.InvalidConsumerGroupName",
        "Type": "iot.consumer.group.InvalidSubscribeType",
        "MnsConfiguration": "iot.consumer.group.MnsCheckFailed",
        "ConsumerGroupIds": "iot.consumer.group.ConsumerGroupExceedsLimit",
    },
}
MISSING: dict[str, dict[str, str]] = {
    "data-forwarding": {
        "Topic": "iot.messagebroker.NullTopicName",
        "ProductKey": "iot.prod.NullProductKey",
        "DeviceName": "iot.device.NullDeviceName",
    },
    "server-side-subscription": {
        "ConsumerGroupIds": "iot.consumer.group.InvalidConsumerGroupId",
    },
}
