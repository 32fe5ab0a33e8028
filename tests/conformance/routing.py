"""Forwarding rules with their actions, data sources, subscriptions and consumer groups."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.devices import NO_DEVICE, UNKNOWN_PRODUCT
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Request, Row

ROLE = {"roleArn": "acs:ram::6541:role/aliyuniotaccessingrole", "roleName": "AliyunIOTAccessingRole"}
MNS = json.dumps({"themeName": "meters", "regionName": "cn-shanghai", "role": ROLE})
FC = json.dumps({"serviceName": "s", "functionName": "f", "regionName": "cn-shanghai", "role": ROLE})
QUEUE = json.dumps({"queueName": "meters", "regionName": "cn-shanghai", "role": ROLE})
POST = "+/thing/event/property/post"
UNKNOWN_RULE = ({"RuleId": 1}, "iot.rule.NotFoundRule")
UNKNOWN_ACTION = ({"ActionId": 1}, "iot.rule.NotFoundRuleAction")
GROUP = "iot.consumer.group."
INVALID_SQL = "iot.messagebroker.IncorrectRuleSql"
INVALID_FORMAT = "iot.common.InvalidFormattedParameter"
INVALID_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
SOURCE = 1001
FLAGS = [
    "DeviceDataFlag",
    "DeviceStatusChangeFlag",
    "ThingHistoryFlag",
    "DeviceLifeCycleFlag",
    "DeviceTopoLifeCycleFlag",
    "FoundDeviceListFlag",
    "OtaEventFlag",
    "DeviceTagFlag",
    "OtaVersionFlag",
    "OtaJobFlag",
]


def build_rule(platform: PreparedPlatform) -> Request:
    """Build a request with all fields of a rule."""
    return {
        "Name": "hot_rooms",
        "ProductKey": platform.register_devices("dev-1"),
        "ShortTopic": POST,
        "TopicType": 0,
        "Select": "deviceName() as deviceName",
        "Where": "Temperature > 35",
        "RuleDesc": "Where it is hot",
        "DataType": "JSON",
    }


def create_rule(platform: PreparedPlatform) -> Request:
    return {"RuleId": platform.call("CreateRule", **build_rule(platform))["RuleId"]}


def create_action(platform: PreparedPlatform) -> tuple[Request, Request]:
    """Create a rule with an action; returns the ids of both."""
    request = create_rule(platform)
    response = platform.call(
        "CreateRuleAction", **request, Type="MNS", Configuration=MNS, ErrorActionFlag=False
    )
    return request, {"ActionId": response["ActionId"]}


def start_rule(platform: PreparedPlatform) -> Request:
    request = create_action(platform)[0]
    platform.call("StartRule", **request)
    return request


def read_rule(platform: PreparedPlatform, request: Request) -> dict[str, Any]:
    return platform.call("GetRule", RuleId=request["RuleId"])["RuleInfo"]


def list_action_types(platform: PreparedPlatform, rule_id: int) -> list[str]:
    response = platform.call("ListRuleActions", RuleId=rule_id)["RuleActionList"]
    return column(response.get("RuleActionInfo") or [], "Type")


def build_source_topic(platform: PreparedPlatform) -> Request:
    """Build a topic of a data source, for one device."""
    key = platform.register_devices("dev-1")
    return {
        "DataSourceId": SOURCE,
        "Topic": f"/{key}/+/user/update",
        "ScopeType": "DEVICE",
        "ProductKey": key,
        "DeviceName": "dev-1",
    }


def create_source_topic(platform: PreparedPlatform) -> Request:
    platform.call("CreateDataSourceItem", **build_source_topic(platform))
    response = platform.call("ListDataSourceItem", DataSourceId=SOURCE)["DataSourceItems"]["dataSourceItem"]
    return {"DataSourceId": SOURCE, "DataSourceItemId": response[0]["DataSourceItemId"]}


def list_source_topics(platform: PreparedPlatform) -> list[str]:
    response = platform.call("ListDataSourceItem", DataSourceId=SOURCE)["DataSourceItems"]
    return column(response.get("dataSourceItem") or [], "Topic")


RULES = [
    Row(
        "CreateRule",
        build_rule,
        "the subscription has its settings",
        lambda platform, request, response: read_rule(platform, response)["Where"] == "Temperature > 35",
        invalid=[
            ({"Name": "with space"}, INVALID_FORMAT),
            ({"Select": "a as"}, INVALID_SQL),
            ({"Where": "a >"}, INVALID_SQL),
            ({"TopicType": 3}, "iot.ruleng.IncorrectType"),
            ({"DataType": "TEXT"}, INVALID_FORMAT),
            ({"ShortTopic": "+/thing/unknown"}, "iot.ruleng.IncorrectSysTopic"),
        ],
        not_found=[UNKNOWN_PRODUCT, ({"ShortTopic": "nobody/thing/lifecycle"}, NO_DEVICE)],
    ),
    Row(
        "GetRule",
        create_rule,
        "all of a rule",
        lambda platform, request, response: (
            (response["RuleInfo"]["Name"], response["RuleInfo"]["Status"]) == ("hot_rooms", "STOP")
        ),
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "ListRule",
        lambda platform: create_rule(platform) and {"CurrentPage": 1, "PageSize": 10},
        "all rules",
        lambda platform, request, response: (
            column(response["Data"]["RuleInfo"], "Name") == ["hot_rooms"] and response["Total"] == 1
        ),
        invalid=[INVALID_PAGE, ({"CurrentPage": 1001}, "iot.common.InvalidPageParams")],
    ),
    Row(
        "UpdateRule",
        lambda platform: (
            create_rule(platform) | {"Name": "cold_rooms", "Where": "Temperature < 5", "TopicType": 0}
        ),
        "name and condition change",
        lambda platform, request, response: (
            (read_rule(platform, request)["Name"], read_rule(platform, request)["Where"])
            == ("cold_rooms", "Temperature < 5")
        ),
        invalid=[({"Name": "with space"}, INVALID_FORMAT), ({"Where": "a >"}, INVALID_SQL)],
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "DeleteRule",
        create_rule,
        "it is deleted",
        lambda platform, request, response: (
            platform.error_code("GetRule", **request) == "iot.rule.NotFoundRule"
        ),
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "StartRule",
        lambda platform: create_action(platform)[0],
        "it is running",
        lambda platform, request, response: read_rule(platform, request)["Status"] == "RUNNING",
        invalid=[
            (
                lambda platform, request: {"RuleId": platform.call("CreateRule", Name="bare")["RuleId"]},
                "iot.rule.NullSqlForRule",
            ),
        ],
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "StopRule",
        start_rule,
        "it is stopped",
        lambda platform, request, response: read_rule(platform, request)["Status"] == "STOP",
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "CreateRuleAction",
        lambda platform: (
            create_rule(platform) | {"Type": "MNS", "Configuration": MNS, "ErrorActionFlag": True}
        ),
        "it is listed",
        lambda platform, request, response: list_action_types(platform, request["RuleId"]) == ["MNS"],
        invalid=[
            ({"Configuration": "{"}, "iot.ruleng.RuleActionConfigurationIsNotJson"),
            ({"Configuration": "{}"}, "iot.ruleng.NullRuleActionConfig"),
            ({"Type": "RDS"}, "iot.rule.IncorrentRuleActionType"),
        ],
        not_found=[
            UNKNOWN_RULE,
            ({"Type": "AMQP", "Configuration": '{"groupId":"none"}'}, f"{GROUP}ConsumerGroupNotExist"),
        ],
        other_account_code="iot.rule.NotFoundRule",
    ),
    Row(
        "GetRuleAction",
        lambda platform: create_action(platform)[1],
        "the details of an action",
        lambda platform, request, response: (
            json.loads(response["RuleActionInfo"]["Configuration"])["themeName"] == "meters"
        ),
        not_found=[UNKNOWN_ACTION],
    ),
    Row(
        "ListRuleActions",
        lambda platform: create_action(platform)[0],
        "a rule's actions",
        lambda platform, request, response: (
            column(response["RuleActionList"]["RuleActionInfo"], "Type") == ["MNS"]
        ),
        not_found=[UNKNOWN_RULE],
    ),
    Row(
        "UpdateRuleAction",
        lambda platform: create_action(platform)[1] | {"Type": "FC", "Configuration": FC},
        "the action changes",
        lambda platform, request, response: (
            platform.call("GetRuleAction", ActionId=request["ActionId"])["RuleActionInfo"]["Type"] == "FC"
        ),
        invalid=[({"Configuration": "{"}, "iot.ruleng.RuleActionConfigurationIsNotJson")],
        not_found=[UNKNOWN_ACTION],
    ),
    Row(
        "DeleteRuleAction",
        lambda platform: create_action(platform)[1],
        "it is deleted",
        lambda platform, request, response: (
            platform.error_code("GetRuleAction", **request) == "iot.rule.NotFoundRuleAction"
        ),
        not_found=[UNKNOWN_ACTION],
    ),
    Row(
        "CreateDataSourceItem",
        build_source_topic,
        "the topic is listed",
        lambda platform, request, response: list_source_topics(platform) == [request["Topic"]],
        missing={"DataSourceId": INVALID_FORMAT, "Topic": "iot.messagebroker.NullTopicName"},
        invalid=[
            ({"Topic": "nothing"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"ScopeType": "SOME"}, INVALID_FORMAT),
            ({"DeviceName": None}, "iot.device.NullDeviceName"),
        ],
        not_found=[
            ({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound"),
            ({"DeviceName": "nobody"}, NO_DEVICE),
        ],
        other_account_code="iot.prod.NotExistedProduct",
    ),
    Row(
        "ListDataSourceItem",
        lambda platform: (
            create_source_topic(platform)
            and {"DataSourceId": SOURCE, "Page": 1, "PageSize": 10, "SearchName": "update"}
        ),
        "a data source's topics",
        lambda platform, request, response: (
            column(response["DataSourceItems"]["dataSourceItem"], "DeviceName") == ["dev-1"]
        ),
        missing={"DataSourceId": INVALID_FORMAT},
        invalid=[({"PageSize": 101}, "iot.common.InvalidPageParams")],
        not_found=[({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound")],
        other_account_code=None,
    ),
    Row(
        "DeleteDataSourceItem",
        create_source_topic,
        "none is left",
        lambda platform, request, response: list_source_topics(platform) == [],
        missing={"DataSourceId": INVALID_FORMAT, "DataSourceItemId": INVALID_FORMAT},
        not_found=[
            ({"DataSourceItemId": 7}, "iot.ruleng.TopicNotFound"),
            ({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound"),
        ],
    ),
]


def create_consumer_group(platform: PreparedPlatform, name: str = "billing") -> Request:
    return {"GroupId": platform.call("CreateConsumerGroup", GroupName=name)["GroupId"]}


def build_amqp_subscription(platform: PreparedPlatform) -> Request:
    """Build an AMQP subscription to all messages, for a product of gateways because only gateways can find devices."""
    group_ids = [
        create_consumer_group(platform)["GroupId"],
        create_consumer_group(platform, "alerts")["GroupId"],
    ]
    key = platform.create_gateway_product()
    return {"ProductKey": key, "Type": "AMQP", "ConsumerGroupIds": group_ids, **dict.fromkeys(FLAGS, True)}


def create_amqp_subscription(platform: PreparedPlatform) -> Request:
    request = build_amqp_subscription(platform)
    platform.call("CreateSubscribeRelation", **request)
    return {name: request[name] for name in ("ProductKey", "Type", "ConsumerGroupIds")}


def create_mns_subscription(platform: PreparedPlatform) -> Request:
    """Create a product with an MNS subscription."""
    request = {"ProductKey": platform.create_gateway_product(), "Type": "MNS"}
    platform.call("CreateSubscribeRelation", **request, MnsConfiguration=QUEUE, DeviceDataFlag=True)
    return request


def read_subscription(platform: PreparedPlatform, request: Request) -> dict[str, Any]:
    return platform.call("QuerySubscribeRelation", ProductKey=request["ProductKey"], Type=request["Type"])


def group_ids(platform: PreparedPlatform, request: Request) -> list[str]:
    return read_subscription(platform, {"Type": "AMQP", **request})["ConsumerGroupIds"]


def create_receiving_group(platform: PreparedPlatform) -> Request:
    """Create a consumer group that receives the data of 20 devices. The store gets its two consumers directly, because no
    operation connects them."""
    request = create_amqp_subscription(platform)
    for n in range(20):
        platform.register_device(request["ProductKey"], f"meter-{n}")
        platform.set_device_status(f"meter-{n}", status_since=platform.clock.now() - 3_600_000)
    group_id = request["ConsumerGroupIds"][0]
    with platform.emulator.store.write() as db:
        db.execute("UPDATE consumer_groups SET clients = 2 WHERE group_id = ?", (group_id,))
    platform.clock.advance(3600)
    # Consumers are offline for up to an hour per day; the random id of the group determines when.
    while not platform.call("QueryConsumerGroupStatus", GroupId=group_id)["ClientConnectionStatusList"][
        "ConsumerGroupClientConnectionInfo"
    ]:
        platform.clock.advance(1800)
    return {"GroupId": group_id}


def read_backlog(platform: PreparedPlatform, request: Request) -> int:
    return platform.call("QueryConsumerGroupStatus", GroupId=request["GroupId"])["AccumulationCount"]


UNKNOWN_GROUP = ({"GroupId": "none"}, f"{GROUP}ConsumerGroupNotExist")
UNKNOWN_CONSUMER_GROUP = ({"ConsumerGroupId": "none"}, f"{GROUP}ConsumerGroupNotExist")
INVALID_TYPE = ({"Type": "HTTP"}, f"{GROUP}InvalidSubscribeType")
NOT_SUBSCRIBED = (
    lambda platform, request: {"ProductKey": platform.create_product()},
    f"{GROUP}SubscribeNotExist",
)

SUBSCRIPTIONS = [
    Row(
        "CreateSubscribeRelation",
        build_amqp_subscription,
        "the subscription has its settings",
        lambda platform, request, response: group_ids(platform, request) == request["ConsumerGroupIds"],
        missing={"ConsumerGroupIds": f"{GROUP}InvalidConsumerGroupId"},
        invalid=[
            INVALID_TYPE,
            ({"ConsumerGroupIds": ["x"] * 11}, f"{GROUP}ConsumerGroupExceedsLimit"),
            (dict.fromkeys(FLAGS, False), INVALID_FORMAT),
            ({"Type": "MNS", "MnsConfiguration": "{"}, f"{GROUP}MnsCheckFailed"),
        ],
        not_found=[UNKNOWN_PRODUCT, ({"ConsumerGroupIds": ["none"]}, f"{GROUP}ConsumerGroupNotExist")],
    ),
    Row(
        "UpdateSubscribeRelation",
        lambda platform: create_amqp_subscription(platform) | {"OtaEventFlag": False, "DeviceDataFlag": True},
        "one flag is off",
        lambda platform, request, response: read_subscription(platform, request)["OtaEventFlag"] is False,
        missing={"ConsumerGroupIds": f"{GROUP}InvalidConsumerGroupId"},
        invalid=[INVALID_TYPE],
        not_found=[UNKNOWN_PRODUCT, NOT_SUBSCRIBED],
    ),
    Row(
        "QuerySubscribeRelation",
        lambda platform: {
            name: value
            for name, value in create_amqp_subscription(platform).items()
            if name != "ConsumerGroupIds"
        },
        "an AMQP subscription",
        lambda platform, request, response: (
            len(response["ConsumerGroupIds"]) == 2 and all(response[flag] for flag in FLAGS)
        ),
        invalid=[INVALID_TYPE],
        not_found=[UNKNOWN_PRODUCT, NOT_SUBSCRIBED],
        absent_fields={"MnsConfiguration", "SubscribeFlags"},
    ),
    Row(
        "QuerySubscribeRelation",
        create_mns_subscription,
        "an MNS subscription",
        lambda platform, request, response: json.loads(response["MnsConfiguration"])["queueName"] == "meters",
        absent_fields={"ConsumerGroupIds[]", "SubscribeFlags"},
    ),
    Row(
        "DeleteSubscribeRelation",
        lambda platform: {
            name: value
            for name, value in create_amqp_subscription(platform).items()
            if name != "ConsumerGroupIds"
        },
        "it is deleted",
        lambda platform, request, response: (
            platform.error_code("QuerySubscribeRelation", **request) == f"{GROUP}SubscribeNotExist"
        ),
        invalid=[INVALID_TYPE],
        not_found=[UNKNOWN_PRODUCT, NOT_SUBSCRIBED],
    ),
    Row(
        "CreateConsumerGroup",
        lambda platform: {"GroupName": "billing"},
        "the group can be read",
        lambda platform, request, response: (
            platform.call("QueryConsumerGroupByGroupId", GroupId=response["GroupId"])["Data"]["GroupName"]
            == "billing"
        ),
        invalid=[
            ({"GroupName": "x"}, f"{GROUP}InvalidConsumerGroupName"),
            (
                lambda platform, request: create_consumer_group(platform, "taken") and {"GroupName": "taken"},
                f"{GROUP}ConsumerGroupNameExisted",
            ),
        ],
    ),
    Row(
        "UpdateConsumerGroup",
        lambda platform: create_consumer_group(platform) | {"NewGroupName": "invoicing"},
        "the name changes",
        lambda platform, request, response: (
            platform.call("QueryConsumerGroupByGroupId", GroupId=request["GroupId"])["Data"]["GroupName"]
            == "invoicing"
        ),
        invalid=[
            ({"NewGroupName": "x"}, f"{GROUP}InvalidConsumerGroupName"),
            ({"GroupId": "DEFAULT_GROUP"}, f"{GROUP}ChangeDefaultConsumerGroupNotAllowed"),
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryConsumerGroupByGroupId",
        create_consumer_group,
        "the details of a group",
        lambda platform, request, response: response["Data"]["GroupName"] == "billing",
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryConsumerGroupList",
        lambda platform: create_consumer_group(platform) and {"CurrentPage": 1, "PageSize": 10},
        "newest first, the default group last",
        lambda platform, request, response: (
            column(response["Data"]["ConsumerGroupDTO"], "GroupName")[0] == "billing"
            and response["Total"] == 2
        ),
        invalid=[
            INVALID_PAGE,
            ({"PageSize": 1001}, "iot.common.InvalidPageParams"),
            ({"Fuzzy": True}, f"{GROUP}InvalidConsumerGroupName"),
        ],
    ),
    Row(
        "QueryConsumerGroupStatus",
        create_receiving_group,
        "the consumers and the backlog",
        lambda platform, request, response: response["ClientConnectionStatusList"][
            "ConsumerGroupClientConnectionInfo"
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "ResetConsumerGroupPosition",
        create_receiving_group,
        "the backlog is empty",
        lambda platform, request, response: read_backlog(platform, request) == 0,
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "DeleteConsumerGroup",
        create_consumer_group,
        "it is deleted",
        lambda platform, request, response: (
            platform.error_code("QueryConsumerGroupByGroupId", **request) == f"{GROUP}ConsumerGroupNotExist"
        ),
        invalid=[
            ({"GroupId": "DEFAULT_GROUP"}, f"{GROUP}ChangeDefaultConsumerGroupNotAllowed"),
            (
                lambda platform, request: {"GroupId": create_group_with_subscription(platform)},
                f"{GROUP}DeleteConsumerGroupFailed",
            ),
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "CreateConsumerGroupSubscribeRelation",
        lambda platform: {
            "ProductKey": create_amqp_subscription(platform)["ProductKey"],
            "ConsumerGroupId": create_consumer_group(platform, "third")["GroupId"],
        },
        "the subscription has the group too",
        lambda platform, request, response: request["ConsumerGroupId"] in group_ids(platform, request),
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_CONSUMER_GROUP, NOT_SUBSCRIBED],
    ),
    Row(
        "DeleteConsumerGroupSubscribeRelation",
        lambda platform: {
            "ProductKey": (created := create_amqp_subscription(platform))["ProductKey"],
            "ConsumerGroupId": created["ConsumerGroupIds"][0],
        },
        "the subscription has only the other group",
        lambda platform, request, response: request["ConsumerGroupId"] not in group_ids(platform, request),
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_CONSUMER_GROUP, NOT_SUBSCRIBED],
    ),
]

ROWS = [*RULES, *SUBSCRIPTIONS]


def create_group_with_subscription(platform: PreparedPlatform) -> str:
    """Create a consumer group with a subscription; returns its id."""
    group = create_consumer_group(platform, "subscriber")["GroupId"]
    key = platform.create_product()
    platform.call(
        "CreateSubscribeRelation", ProductKey=key, Type="AMQP", ConsumerGroupIds=[group], DeviceDataFlag=True
    )
    return group
