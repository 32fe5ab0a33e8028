"""Forwarding rules with their actions, data sources, subscriptions and consumer groups."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.devices import NO_DEVICE, UNKNOWN_PRODUCT
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Asked, Row

ROLE = {"roleArn": "acs:ram::6541:role/aliyuniotaccessingrole", "roleName": "AliyunIOTAccessingRole"}
MNS = json.dumps({"themeName": "meters", "regionName": "cn-shanghai", "role": ROLE})
FC = json.dumps({"serviceName": "s", "functionName": "f", "regionName": "cn-shanghai", "role": ROLE})
QUEUE = json.dumps({"queueName": "meters", "regionName": "cn-shanghai", "role": ROLE})
POST = "+/thing/event/property/post"
NO_RULE = ({"RuleId": 1}, "iot.rule.NotFoundRule")
NO_ACTION = ({"ActionId": 1}, "iot.rule.NotFoundRuleAction")
GROUP = "iot.consumer.group."
BAD_SQL = "iot.messagebroker.IncorrectRuleSql"
BAD_TEXT = "iot.common.InvalidFormattedParameter"
BAD_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
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


def sql(platform: PreparedPlatform) -> Asked:
    """All that a rule can be made of."""
    return {
        "Name": "hot_rooms",
        "ProductKey": platform.devices("dev-1"),
        "ShortTopic": POST,
        "TopicType": 0,
        "Select": "deviceName() as deviceName",
        "Where": "Temperature > 35",
        "RuleDesc": "Where it is hot",
        "DataType": "JSON",
    }


def rule(platform: PreparedPlatform) -> Asked:
    return {"RuleId": platform.call("CreateRule", **sql(platform))["RuleId"]}


def action(platform: PreparedPlatform) -> tuple[Asked, Asked]:
    """A rule with an action: the rule's id, the action's id."""
    asked = rule(platform)
    told = platform.call("CreateRuleAction", **asked, Type="MNS", Configuration=MNS, ErrorActionFlag=False)
    return asked, {"ActionId": told["ActionId"]}


def started(platform: PreparedPlatform) -> Asked:
    asked = action(platform)[0]
    platform.call("StartRule", **asked)
    return asked


def info(platform: PreparedPlatform, asked: Asked) -> dict[str, Any]:
    return platform.call("GetRule", RuleId=asked["RuleId"])["RuleInfo"]


def actions(platform: PreparedPlatform, rule_id: int) -> list[str]:
    told = platform.call("ListRuleActions", RuleId=rule_id)["RuleActionList"]
    return column(told.get("RuleActionInfo") or [], "Type")


def topic(platform: PreparedPlatform) -> Asked:
    """A topic of a data source, for one device."""
    key = platform.devices("dev-1")
    return {
        "DataSourceId": SOURCE,
        "Topic": f"/{key}/+/user/update",
        "ScopeType": "DEVICE",
        "ProductKey": key,
        "DeviceName": "dev-1",
    }


def sourced(platform: PreparedPlatform) -> Asked:
    platform.call("CreateDataSourceItem", **topic(platform))
    told = platform.call("ListDataSourceItem", DataSourceId=SOURCE)["DataSourceItems"]["dataSourceItem"]
    return {"DataSourceId": SOURCE, "DataSourceItemId": told[0]["DataSourceItemId"]}


def topics(platform: PreparedPlatform) -> list[str]:
    told = platform.call("ListDataSourceItem", DataSourceId=SOURCE)["DataSourceItems"]
    return column(told.get("dataSourceItem") or [], "Topic")


RULES = [
    Row(
        "CreateRule",
        sql,
        "it is found with what was given",
        lambda w, asked, told: info(w, told)["Where"] == "Temperature > 35",
        bad=[
            ({"Name": "with space"}, BAD_TEXT),
            ({"Select": "a as"}, BAD_SQL),
            ({"Where": "a >"}, BAD_SQL),
            ({"TopicType": 3}, "iot.ruleng.IncorrectType"),
            ({"DataType": "TEXT"}, BAD_TEXT),
            ({"ShortTopic": "+/thing/unknown"}, "iot.ruleng.IncorrectSysTopic"),
        ],
        absent=[UNKNOWN_PRODUCT, ({"ShortTopic": "nobody/thing/lifecycle"}, NO_DEVICE)],
    ),
    Row(
        "GetRule",
        rule,
        "all of a rule",
        lambda w, asked, told: (
            (told["RuleInfo"]["Name"], told["RuleInfo"]["Status"]) == ("hot_rooms", "STOP")
        ),
        absent=[NO_RULE],
    ),
    Row(
        "ListRule",
        lambda w: rule(w) and {"CurrentPage": 1, "PageSize": 10},
        "all rules",
        lambda w, asked, told: (
            column(told["Data"]["RuleInfo"], "Name") == ["hot_rooms"] and told["Total"] == 1
        ),
        bad=[BAD_PAGE, ({"CurrentPage": 1001}, "iot.common.InvalidPageParams")],
    ),
    Row(
        "UpdateRule",
        lambda w: rule(w) | {"Name": "cold_rooms", "Where": "Temperature < 5", "TopicType": 0},
        "name and condition change",
        lambda w, asked, told: (
            (info(w, asked)["Name"], info(w, asked)["Where"]) == ("cold_rooms", "Temperature < 5")
        ),
        bad=[({"Name": "with space"}, BAD_TEXT), ({"Where": "a >"}, BAD_SQL)],
        absent=[NO_RULE],
    ),
    Row(
        "DeleteRule",
        rule,
        "it is gone",
        lambda w, asked, told: w.refused("GetRule", **asked) == "iot.rule.NotFoundRule",
        absent=[NO_RULE],
    ),
    Row(
        "StartRule",
        lambda w: action(w)[0],
        "it is running",
        lambda w, asked, told: info(w, asked)["Status"] == "RUNNING",
        bad=[
            (
                lambda w, asked: {"RuleId": w.call("CreateRule", Name="bare")["RuleId"]},
                "iot.rule.NullSqlForRule",
            ),
        ],
        absent=[NO_RULE],
    ),
    Row(
        "StopRule",
        started,
        "it stands still",
        lambda w, asked, told: info(w, asked)["Status"] == "STOP",
        absent=[NO_RULE],
    ),
    Row(
        "CreateRuleAction",
        lambda w: rule(w) | {"Type": "MNS", "Configuration": MNS, "ErrorActionFlag": True},
        "it is listed",
        lambda w, asked, told: actions(w, asked["RuleId"]) == ["MNS"],
        bad=[
            ({"Configuration": "{"}, "iot.ruleng.RuleActionConfigurationIsNotJson"),
            ({"Configuration": "{}"}, "iot.ruleng.NullRuleActionConfig"),
            ({"Type": "RDS"}, "iot.rule.IncorrentRuleActionType"),
        ],
        absent=[
            NO_RULE,
            ({"Type": "AMQP", "Configuration": '{"groupId":"none"}'}, f"{GROUP}ConsumerGroupNotExist"),
        ],
        alien="iot.rule.NotFoundRule",
    ),
    Row(
        "GetRuleAction",
        lambda w: action(w)[1],
        "all of an action",
        lambda w, asked, told: json.loads(told["RuleActionInfo"]["Configuration"])["themeName"] == "meters",
        absent=[NO_ACTION],
    ),
    Row(
        "ListRuleActions",
        lambda w: action(w)[0],
        "a rule's actions",
        lambda w, asked, told: column(told["RuleActionList"]["RuleActionInfo"], "Type") == ["MNS"],
        absent=[NO_RULE],
    ),
    Row(
        "UpdateRuleAction",
        lambda w: action(w)[1] | {"Type": "FC", "Configuration": FC},
        "it is another one",
        lambda w, asked, told: (
            w.call("GetRuleAction", ActionId=asked["ActionId"])["RuleActionInfo"]["Type"] == "FC"
        ),
        bad=[({"Configuration": "{"}, "iot.ruleng.RuleActionConfigurationIsNotJson")],
        absent=[NO_ACTION],
    ),
    Row(
        "DeleteRuleAction",
        lambda w: action(w)[1],
        "it is gone",
        lambda w, asked, told: w.refused("GetRuleAction", **asked) == "iot.rule.NotFoundRuleAction",
        absent=[NO_ACTION],
    ),
    Row(
        "CreateDataSourceItem",
        topic,
        "the topic is listed",
        lambda w, asked, told: topics(w) == [asked["Topic"]],
        missing={"DataSourceId": BAD_TEXT, "Topic": "iot.messagebroker.NullTopicName"},
        bad=[
            ({"Topic": "nothing"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"ScopeType": "SOME"}, BAD_TEXT),
            ({"DeviceName": None}, "iot.device.NullDeviceName"),
        ],
        absent=[({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound"), ({"DeviceName": "nobody"}, NO_DEVICE)],
        alien="iot.prod.NotExistedProduct",
    ),
    Row(
        "ListDataSourceItem",
        lambda w: sourced(w) and {"DataSourceId": SOURCE, "Page": 1, "PageSize": 10, "SearchName": "update"},
        "a data source's topics",
        lambda w, asked, told: column(told["DataSourceItems"]["dataSourceItem"], "DeviceName") == ["dev-1"],
        missing={"DataSourceId": BAD_TEXT},
        bad=[({"PageSize": 101}, "iot.common.InvalidPageParams")],
        absent=[({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound")],
        alien=None,
    ),
    Row(
        "DeleteDataSourceItem",
        sourced,
        "none is left",
        lambda w, asked, told: topics(w) == [],
        missing={"DataSourceId": BAD_TEXT, "DataSourceItemId": BAD_TEXT},
        absent=[
            ({"DataSourceItemId": 7}, "iot.ruleng.TopicNotFound"),
            ({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound"),
        ],
    ),
]


def consumers(platform: PreparedPlatform, name: str = "billing") -> Asked:
    return {"GroupId": platform.call("CreateConsumerGroup", GroupName=name)["GroupId"]}


def amqp(platform: PreparedPlatform) -> Asked:
    """What an AMQP subscription to everything is made of; of a product of gateways, for only they can find devices."""
    group_ids = [consumers(platform)["GroupId"], consumers(platform, "alerts")["GroupId"]]
    key = platform.gateways()
    return {"ProductKey": key, "Type": "AMQP", "ConsumerGroupIds": group_ids, **dict.fromkeys(FLAGS, True)}


def subscribed(platform: PreparedPlatform) -> Asked:
    asked = amqp(platform)
    platform.call("CreateSubscribeRelation", **asked)
    return {name: asked[name] for name in ("ProductKey", "Type", "ConsumerGroupIds")}


def queued(platform: PreparedPlatform) -> Asked:
    """A product with an MNS subscription."""
    asked = {"ProductKey": platform.gateways(), "Type": "MNS"}
    platform.call("CreateSubscribeRelation", **asked, MnsConfiguration=QUEUE, DeviceDataFlag=True)
    return asked


def relation(platform: PreparedPlatform, asked: Asked) -> dict[str, Any]:
    return platform.call("QuerySubscribeRelation", ProductKey=asked["ProductKey"], Type=asked["Type"])


def group_ids(platform: PreparedPlatform, asked: Asked) -> list[str]:
    return relation(platform, {"Type": "AMQP", **asked})["ConsumerGroupIds"]


def receiving(platform: PreparedPlatform) -> Asked:
    """A consumer group that gets the data of twenty devices, and has two consumers: no operation makes them come."""
    asked = subscribed(platform)
    for n in range(20):
        platform.device(asked["ProductKey"], f"meter-{n}")
        platform.hold(f"meter-{n}", status_since=platform.clock.now() - 3_600_000)
    group_id = asked["ConsumerGroupIds"][0]
    with platform.emulator.store.write() as db:
        db.execute("UPDATE consumer_groups SET clients = 2 WHERE group_id = ?", (group_id,))
    platform.clock.advance(3600)
    # Consumers are away for up to an hour a day, at a time that hangs on the group's random id.
    while not platform.call("QueryConsumerGroupStatus", GroupId=group_id)["ClientConnectionStatusList"][
        "ConsumerGroupClientConnectionInfo"
    ]:
        platform.clock.advance(1800)
    return {"GroupId": group_id}


def waiting(platform: PreparedPlatform, asked: Asked) -> int:
    return platform.call("QueryConsumerGroupStatus", GroupId=asked["GroupId"])["AccumulationCount"]


NO_GROUP = ({"GroupId": "none"}, f"{GROUP}ConsumerGroupNotExist")
NO_CONSUMERS = ({"ConsumerGroupId": "none"}, f"{GROUP}ConsumerGroupNotExist")
BAD_KIND = ({"Type": "HTTP"}, f"{GROUP}InvalidSubscribeType")
UNSUBSCRIBED = (lambda w, asked: {"ProductKey": w.product()}, f"{GROUP}SubscribeNotExist")

SUBSCRIPTIONS = [
    Row(
        "CreateSubscribeRelation",
        amqp,
        "it is found with what was given",
        lambda w, asked, told: group_ids(w, asked) == asked["ConsumerGroupIds"],
        missing={"ConsumerGroupIds": f"{GROUP}InvalidConsumerGroupId"},
        bad=[
            BAD_KIND,
            ({"ConsumerGroupIds": ["x"] * 11}, f"{GROUP}ConsumerGroupExceedsLimit"),
            (dict.fromkeys(FLAGS, False), BAD_TEXT),
            ({"Type": "MNS", "MnsConfiguration": "{"}, f"{GROUP}MnsCheckFailed"),
        ],
        absent=[UNKNOWN_PRODUCT, ({"ConsumerGroupIds": ["none"]}, f"{GROUP}ConsumerGroupNotExist")],
    ),
    Row(
        "UpdateSubscribeRelation",
        lambda w: subscribed(w) | {"OtaEventFlag": False, "DeviceDataFlag": True},
        "one flag is down",
        lambda w, asked, told: relation(w, asked)["OtaEventFlag"] is False,
        missing={"ConsumerGroupIds": f"{GROUP}InvalidConsumerGroupId"},
        bad=[BAD_KIND],
        absent=[UNKNOWN_PRODUCT, UNSUBSCRIBED],
    ),
    Row(
        "QuerySubscribeRelation",
        lambda w: {name: value for name, value in subscribed(w).items() if name != "ConsumerGroupIds"},
        "an AMQP subscription",
        lambda w, asked, told: len(told["ConsumerGroupIds"]) == 2 and all(told[flag] for flag in FLAGS),
        bad=[BAD_KIND],
        absent=[UNKNOWN_PRODUCT, UNSUBSCRIBED],
        without={"MnsConfiguration", "SubscribeFlags"},
    ),
    Row(
        "QuerySubscribeRelation",
        queued,
        "an MNS subscription",
        lambda w, asked, told: json.loads(told["MnsConfiguration"])["queueName"] == "meters",
        without={"ConsumerGroupIds[]", "SubscribeFlags"},
    ),
    Row(
        "DeleteSubscribeRelation",
        lambda w: {name: value for name, value in subscribed(w).items() if name != "ConsumerGroupIds"},
        "it is gone",
        lambda w, asked, told: w.refused("QuerySubscribeRelation", **asked) == f"{GROUP}SubscribeNotExist",
        bad=[BAD_KIND],
        absent=[UNKNOWN_PRODUCT, UNSUBSCRIBED],
    ),
    Row(
        "CreateConsumerGroup",
        lambda w: {"GroupName": "billing"},
        "it is found by its id",
        lambda w, asked, told: (
            w.call("QueryConsumerGroupByGroupId", GroupId=told["GroupId"])["Data"]["GroupName"] == "billing"
        ),
        bad=[
            ({"GroupName": "x"}, f"{GROUP}InvalidConsumerGroupName"),
            (
                lambda w, asked: consumers(w, "taken") and {"GroupName": "taken"},
                f"{GROUP}ConsumerGroupNameExisted",
            ),
        ],
    ),
    Row(
        "UpdateConsumerGroup",
        lambda w: consumers(w) | {"NewGroupName": "invoicing"},
        "it has another name",
        lambda w, asked, told: (
            w.call("QueryConsumerGroupByGroupId", GroupId=asked["GroupId"])["Data"]["GroupName"]
            == "invoicing"
        ),
        bad=[
            ({"NewGroupName": "x"}, f"{GROUP}InvalidConsumerGroupName"),
            ({"GroupId": "DEFAULT_GROUP"}, f"{GROUP}ChangeDefaultConsumerGroupNotAllowed"),
        ],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryConsumerGroupByGroupId",
        consumers,
        "all of a group",
        lambda w, asked, told: told["Data"]["GroupName"] == "billing",
        absent=[NO_GROUP],
    ),
    Row(
        "QueryConsumerGroupList",
        lambda w: consumers(w) and {"CurrentPage": 1, "PageSize": 10},
        "newest first, the platform's own last",
        lambda w, asked, told: (
            column(told["Data"]["ConsumerGroupDTO"], "GroupName")[0] == "billing" and told["Total"] == 2
        ),
        bad=[
            BAD_PAGE,
            ({"PageSize": 1001}, "iot.common.InvalidPageParams"),
            ({"Fuzzy": True}, f"{GROUP}InvalidConsumerGroupName"),
        ],
    ),
    Row(
        "QueryConsumerGroupStatus",
        receiving,
        "who consumes, and how much waits",
        lambda w, asked, told: told["ClientConnectionStatusList"]["ConsumerGroupClientConnectionInfo"],
        absent=[NO_GROUP],
    ),
    Row(
        "ResetConsumerGroupPosition",
        receiving,
        "nothing waits",
        lambda w, asked, told: waiting(w, asked) == 0,
        absent=[NO_GROUP],
    ),
    Row(
        "DeleteConsumerGroup",
        consumers,
        "it is gone",
        lambda w, asked, told: (
            w.refused("QueryConsumerGroupByGroupId", **asked) == f"{GROUP}ConsumerGroupNotExist"
        ),
        bad=[
            ({"GroupId": "DEFAULT_GROUP"}, f"{GROUP}ChangeDefaultConsumerGroupNotAllowed"),
            (lambda w, asked: {"GroupId": subscribed_by_others(w)}, f"{GROUP}DeleteConsumerGroupFailed"),
        ],
        absent=[NO_GROUP],
    ),
    Row(
        "CreateConsumerGroupSubscribeRelation",
        lambda w: {
            "ProductKey": subscribed(w)["ProductKey"],
            "ConsumerGroupId": consumers(w, "third")["GroupId"],
        },
        "the subscription has it too",
        lambda w, asked, told: asked["ConsumerGroupId"] in group_ids(w, asked),
        absent=[UNKNOWN_PRODUCT, NO_CONSUMERS, UNSUBSCRIBED],
    ),
    Row(
        "DeleteConsumerGroupSubscribeRelation",
        lambda w: {
            "ProductKey": (made := subscribed(w))["ProductKey"],
            "ConsumerGroupId": made["ConsumerGroupIds"][0],
        },
        "the subscription has the other one only",
        lambda w, asked, told: asked["ConsumerGroupId"] not in group_ids(w, asked),
        absent=[UNKNOWN_PRODUCT, NO_CONSUMERS, UNSUBSCRIBED],
    ),
]

ROWS = [*RULES, *SUBSCRIPTIONS]


def subscribed_by_others(platform: PreparedPlatform) -> str:
    """The id of a consumer group that a product has subscribed for."""
    group = consumers(platform, "subscriber")["GroupId"]
    key = platform.product()
    platform.call(
        "CreateSubscribeRelation", ProductKey=key, Type="AMQP", ConsumerGroupIds=[group], DeviceDataFlag=True
    )
    return group
