"""Forwarding rules, their actions, and data sources."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iot_emulator import Emulator

from .clients import Api

ROLE = {"roleArn": "acs:ram::6541:role/aliyuniotaccessingrole", "roleName": "AliyunIOTAccessingRole"}
SELECT = "deviceName() as deviceName, items.Humidity.value as Humidity"
POST = "+/thing/event/property/post"


@pytest.fixture
def meters(api: Api) -> str:
    """A product with a device."""
    key = api.create_product("Meters")
    api.register_device(key, "meter-1")
    return key


def create_rule(api: Api, name: str = "rule_1", **params: Any) -> int:
    """Create a rule; return its ID."""
    return api.call("CreateRule", Name=name, **params)["RuleId"]


def create_ready_rule(api: Api, key: str, name: str = "rule_1", **params: Any) -> int:
    """Create a rule with SQL and an action; return its ID."""
    rule_id = create_rule(
        api, name, **{"ProductKey": key, "ShortTopic": POST, "Select": SELECT, "TopicType": 0, **params}
    )
    create_action(api, rule_id, "MNS", {"themeName": "meters", "regionName": "cn-shanghai", "role": ROLE})
    return rule_id


def create_action(api: Api, rule_id: int, kind: str, configuration: dict[str, Any], **params: Any) -> int:
    """Create an action; return its ID."""
    return api.call(
        "CreateRuleAction", RuleId=rule_id, Type=kind, Configuration=json.dumps(configuration), **params
    )["ActionId"]


def get_rule(api: Api, rule_id: int) -> dict[str, Any]:
    return api.call("GetRule", RuleId=rule_id)["RuleInfo"]


class TestRules:
    def test_a_created_rule_is_found_with_its_values(self, api: Api, meters: str) -> None:
        rule_id = create_rule(
            api,
            "hot_rooms",
            ProductKey=meters,
            ShortTopic=POST,
            TopicType=0,
            Select=SELECT,
            Where="Temperature > 35",
            RuleDesc="Where it is hot",
            DataType="JSON",
        )
        rule = get_rule(api, rule_id)
        assert {name: rule[name] for name in ("Id", "Name", "Status", "DataType", "TopicType")} == {
            "Id": rule_id,
            "Name": "hot_rooms",
            "Status": "STOP",
            "DataType": "JSON",
            "TopicType": 0,
        }
        assert (rule["ShortTopic"], rule["Topic"]) == (POST, f"/sys/{meters}/{POST}")
        assert (rule["Select"], rule["Where"]) == (SELECT, "Temperature > 35")
        assert (rule["UtcCreated"], rule["Created"]) == (
            "2026-09-21T14:13:20.000Z",
            "Mon Sep 21 22:13:20 CST 2026",
        )
        assert rule["CreateUserId"] > 10**15

    def test_a_rule_needs_only_a_name(self, api: Api) -> None:
        rule = get_rule(api, create_rule(api))
        assert (rule["TopicType"], rule["Status"]) == (-1, "STOP")
        assert "Topic" not in rule

    @pytest.mark.parametrize(
        ("topic", "topic_type", "short"),
        [
            ("/sys/{key}/meter-1/thing/event/alarm/post", 0, "meter-1/thing/event/alarm/post"),
            ("/sys/{key}/+/ota/upgrade", 0, "+/ota/upgrade"),
            ("/{key}/+/user/#", 1, "+/user/#"),
            ("/{key}/meter-1/user/update", 1, "meter-1/user/update"),
            ("/as/mqtt/status/{key}/+", 2, "+"),
        ],
    )
    def test_a_full_topic_sets_product_type_and_short_topic(
        self, api: Api, meters: str, topic: str, topic_type: int, short: str
    ) -> None:
        rule = get_rule(api, create_rule(api, Topic=topic.format(key=meters)))
        assert (rule["ProductKey"], rule["TopicType"], rule["ShortTopic"]) == (meters, topic_type, short)
        assert rule["Topic"] == topic.format(key=meters)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"ProductKey": None}, "iot.prod.NullProductKey"),
            ({"ShortTopic": "+/thing/unknown"}, "iot.ruleng.IncorrectSysTopic"),
            ({"ShortTopic": "+/user/update"}, "iot.ruleng.IncorrectSysTopic"),
            ({"ShortTopic": "nobody/thing/lifecycle"}, "iot.device.NotExistedDevice"),
            ({"ShortTopic": "+/user/none", "TopicType": 1}, "iot.messagebroker.TopicTemplateIsNotFound"),
            ({"ShortTopic": "+/get", "TopicType": 1}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"ShortTopic": "+/user/get", "TopicType": 2}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"TopicType": 3}, "iot.ruleng.IncorrectType"),
            ({"DataType": "BINARY", "Select": "*"}, "iot.ruleng.IncorrectType"),
            ({"DataType": "TEXT"}, "iot.common.InvalidFormattedParameter"),
            ({"Select": "a as"}, "iot.messagebroker.IncorrectRuleSql"),
            ({"Where": "a >"}, "iot.messagebroker.IncorrectRuleSql"),
            ({"Name": "x" * 31}, "iot.common.InvalidFormattedParameter"),
            ({"Name": "with space"}, "iot.common.InvalidFormattedParameter"),
            ({"Name": None}, "MissingName"),
        ],
    )
    def test_invalid_rules_are_refused(
        self, api: Api, meters: str, change: dict[str, Any], code: str
    ) -> None:
        params = {"Name": "rule_1", "ProductKey": meters, "ShortTopic": POST, "TopicType": 0, **change}
        assert api.error_code("CreateRule", **params) == code

    def test_names_are_unique(self, api: Api, other_api: Api) -> None:
        create_rule(api)
        assert api.error_code("CreateRule", Name="rule_1") == "iot.rule.RuleNameIsAlreadyExisted"
        second = create_rule(api, "rule_2")
        assert (
            api.error_code("UpdateRule", RuleId=second, Name="rule_1") == "iot.rule.RuleNameIsAlreadyExisted"
        )
        create_rule(other_api)

    def test_only_sent_values_are_changed(self, api: Api, meters: str) -> None:
        rule_id = create_rule(api, ProductKey=meters, ShortTopic=POST, Select="*", Where="a > 1")
        api.clock.advance(60)
        api.call(
            "UpdateRule", RuleId=rule_id, Name="renamed", Where="", ShortTopic="+/user/update", TopicType=1
        )
        rule = get_rule(api, rule_id)
        assert (rule["Name"], rule["Select"], "Where" in rule) == ("renamed", "*", False)
        assert (rule["Topic"], rule["TopicType"]) == (f"/{meters}/+/user/update", 1)
        assert rule["UtcModified"] > rule["UtcCreated"]

    def test_rules_are_listed_newest_first(self, api: Api) -> None:
        for number in range(3):
            create_rule(api, f"rule_{number}", ResourceGroupId="rg-1" if number else None)
        page = api.call("ListRule", CurrentPage=1, PageSize=2)
        assert [rule["Name"] for rule in page["Data"]["RuleInfo"]] == ["rule_2", "rule_1"]
        assert (page["Page"], page["PageSize"], page["Total"]) == (1, 2, 3)
        assert api.call("ListRule", CurrentPage=1, ResourceGroupId="rg-1")["Total"] == 2
        assert api.error_code("ListRule", CurrentPage=1001) == "iot.common.InvalidPageParams"
        assert api.error_code("ListRule") == "MissingCurrentPage"

    def test_a_deleted_rule_is_gone_with_its_actions(self, api: Api, meters: str) -> None:
        rule_id = create_ready_rule(api, meters)
        (listed_action,) = api.call("ListRuleActions", RuleId=rule_id)["RuleActionList"]["RuleActionInfo"]
        api.call("DeleteRule", RuleId=rule_id)
        for operation in ("GetRule", "DeleteRule", "StartRule", "StopRule", "UpdateRule", "ListRuleActions"):
            assert api.error_code(operation, RuleId=rule_id) == "iot.rule.NotFoundRule"
            assert api.error_code(operation) == "MissingRuleId"
        assert api.error_code("GetRuleAction", ActionId=listed_action["Id"]) == "iot.rule.NotFoundRuleAction"

    def test_an_account_has_at_most_a_thousand_rules(self, api: Api, emulator: Emulator) -> None:
        create_rule(api)
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO rules (account, instance, name, created, modified)"
                " SELECT account, instance, ?, 0, 0 FROM rules WHERE name = 'rule_1'",
                [(f"more_{number}",) for number in range(999)],
            )
        assert api.error_code("CreateRule", Name="one_more") == "iot.rule.RuleCountExceedMax"


class TestRunning:
    def test_a_rule_is_started_and_stopped(self, api: Api, meters: str) -> None:
        rule_id = create_ready_rule(api, meters)
        api.call("StartRule", RuleId=rule_id)
        assert get_rule(api, rule_id)["Status"] == "RUNNING"
        assert api.error_code("StartRule", RuleId=rule_id) == "iot.ruleng.RuleAlreadyIsStarted"
        for _ in range(2):
            api.call("StopRule", RuleId=rule_id)
            assert get_rule(api, rule_id)["Status"] == "STOP"

    def test_a_rule_needs_sql_and_an_action_to_start(self, api: Api, meters: str) -> None:
        rule_id = create_rule(api, ProductKey=meters, Select=SELECT)
        assert api.error_code("StartRule", RuleId=rule_id) == "iot.rule.NullSqlForRule"
        api.call("UpdateRule", RuleId=rule_id, ProductKey=meters, ShortTopic=POST)
        assert api.error_code("StartRule", RuleId=rule_id) == "iot.rule.NullForwardDestForRule"
        create_action(
            api,
            rule_id,
            "FC",
            {"serviceName": "s", "functionName": "f", "regionName": "cn-beijing", "role": ROLE},
        )
        api.call("StartRule", RuleId=rule_id)
        assert api.error_code("UpdateRule", RuleId=rule_id, Select="") == "iot.rule.NullSqlForRule"

    def test_rules_of_a_deleted_product_stop_and_lose_their_topic(self, api: Api) -> None:
        key = api.create_product("Short_lived")
        rule_id = create_ready_rule(api, key)
        api.call("StartRule", RuleId=rule_id)
        api.call("DeleteProduct", ProductKey=key)
        rule = get_rule(api, rule_id)
        assert (rule["Status"], rule["TopicType"], "Topic" in rule) == ("STOP", -1, False)
        assert api.error_code("StartRule", RuleId=rule_id) == "iot.rule.NullSqlForRule"


GOOD_SELECTS = [
    "*",
    "a, b as c, 'text' as d, 1.5 e",
    "deviceName() as deviceName , timestamp('yy-MM-dd HH:mm:ss') as time, pm25, pm10",
    'a.b[0].c as x, "quoted" as y',
    "items.mod:Temperature.value as 温度",
    "case when a > 1 then 'high' when a is null then 'none' else 'low' end level",
    "case flag when 1 then 'on' else 'off' end as light",
    "a + b * (c - 2) / 3 % 2 as sum, -a, concat('x', a)",
    "*, to_base64(*) as raw",
]
BAD_SELECTS = [
    "a,",
    "a b c",
    "(a",
    "a)",
    "nosuch(a)",
    "deviceName(1)",
    "concat(a)",
    "a as 1",
    "a; drop table x",
    "'open",
    "select a",
    "a from b",
    "case when a then end",
    "a[x]",
    "(" * 60 + "a" + ")" * 60,
    "a" * 5001,
]
GOOD_WHERES = [
    "Temperature>35",
    "a = 1 and (b <> 'x' or not c like 'y%')",
    "a in (1, 2, 3) and b not in ('x')",
    "a between 1 and 5 and b is not null",
    "topic(2) = '123' and endswith(deviceName(), '7')",
    "a >= -3",
]
BAD_WHERES = ["a >", "= 3", "a and", "a not", "a in 1", "a between 1", "a is 3", "a == b c", "where a = 1"]


class TestSql:
    @pytest.mark.parametrize("select", GOOD_SELECTS)
    def test_valid_selects_are_accepted(self, api: Api, select: str) -> None:
        assert get_rule(api, create_rule(api, Select=select))["Select"] == select

    @pytest.mark.parametrize("select", BAD_SELECTS)
    def test_invalid_selects_are_refused(self, api: Api, select: str) -> None:
        assert api.error_code("CreateRule", Name="r", Select=select) == "iot.messagebroker.IncorrectRuleSql"

    @pytest.mark.parametrize("where", GOOD_WHERES)
    def test_valid_conditions_are_accepted(self, api: Api, where: str) -> None:
        assert get_rule(api, create_rule(api, Where=where))["Where"] == where

    @pytest.mark.parametrize("where", BAD_WHERES)
    def test_invalid_conditions_are_refused(self, api: Api, where: str) -> None:
        assert api.error_code("CreateRule", Name="r", Where=where) == "iot.messagebroker.IncorrectRuleSql"

    def test_binary_data_has_no_fields(self, api: Api) -> None:
        create_rule(
            api, DataType="BINARY", Select="*, deviceName() as d, to_hex(*) as raw", Where="topic(2) = 'x'"
        )
        error = api.error_code("CreateRule", Name="r", DataType="BINARY", Select="a")
        assert error == "iot.messagebroker.IncorrectRuleSql"


def with_region(**more: Any) -> dict[str, Any]:
    return {"regionName": "cn-shanghai", "role": ROLE, **more}


OTS_KEYS = [
    {"columnType": "STRING", "columnName": "ttt", "columnValue": "${tt}", "option": ""},
    {"columnType": "INTEGER", "columnName": "id", "columnValue": "", "option": "AUTO_INCREMENT"},
]
CONFIGURATIONS = {
    "MNS": with_region(themeName="t"),
    "FC": with_region(serviceName="s", functionName="f"),
    "OTS": with_region(instanceName="i", tableName="t", primaryKeys=OTS_KEYS),
    "DATAHUB": with_region(
        projectName="p",
        topicName="t",
        schemaVals=[{"name": "n", "value": "${n}", "type": "STRING"}],
    ),
    "ONS": with_region(instanceId="MQ_1", topic="t", tag="x"),
}


def without(kind: str, *path: Any) -> tuple[str, dict[str, Any]]:
    """Return a configuration without one of its parts."""
    config = json.loads(json.dumps(CONFIGURATIONS[kind]))
    part = config
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return kind, config


class TestActions:
    @pytest.mark.parametrize("kind", CONFIGURATIONS)
    def test_a_created_action_is_found_with_its_values(self, api: Api, kind: str) -> None:
        rule_id = create_rule(api)
        action_id = create_action(api, rule_id, kind, CONFIGURATIONS[kind])
        action = api.call("GetRuleAction", ActionId=action_id)["RuleActionInfo"]
        assert (action["Id"], action["RuleId"], action["Type"]) == (action_id, rule_id, kind)
        assert action["ErrorActionFlag"] is False
        configuration = json.loads(action["Configuration"])
        assert configuration.pop("uid")
        assert configuration == CONFIGURATIONS[kind]
        (listed_action,) = api.call("ListRuleActions", RuleId=rule_id)["RuleActionList"]["RuleActionInfo"]
        assert listed_action == {**action, "Status": "STOP"}

    @pytest.mark.parametrize(
        ("topic", "topic_type"),
        [
            ("/{key}/meter-1/user/get", 1),
            ("/{key}/${{deviceName}}/user/get", 1),
            ("/sys/{key}/meter-1/thing/service/property/set", 0),
            ("/sys/{key}/${{deviceName}}/thing/service/reboot", 0),
        ],
    )
    def test_an_action_forwards_to_another_topic(
        self, api: Api, meters: str, topic: str, topic_type: int
    ) -> None:
        create_action(
            api, create_rule(api), "REPUBLISH", {"topic": topic.format(key=meters), "topicType": topic_type}
        )

    def test_an_action_forwards_to_a_consumer_group(self, api: Api) -> None:
        group_id = api.call("CreateConsumerGroup", GroupName="billing")["GroupId"]
        create_action(api, create_rule(api), "AMQP", {"groupId": group_id})
        assert (
            api.error_code("DeleteConsumerGroup", GroupId=group_id)
            == "iot.consumer.group.DeleteConsumerGroupFailed"
        )

    @pytest.mark.parametrize(
        ("topic", "topic_type", "code"),
        [
            ("/sys/{key}/meter-1/thing/event/property/post", 0, "iot.ruleng.IncorrectSysTopic"),
            ("/{key}/meter-1/get", 1, "iot.messagebroker.InvalidFormattedTopicName"),
            ("/{key}/meter-1/user/none", 1, "iot.messagebroker.TopicTemplateIsNotFound"),
            ("/a1nothing00/meter-1/user/get", 1, "iot.prod.NotExistedProduct"),
            ("/{key}/nobody/user/get", 1, "iot.device.NotExistedDevice"),
            ("/{key}/meter-1/user/get", 2, "iot.ruleng.IncorrectType"),
            ("", 1, "iot.messagebroker.NullTopicName"),
        ],
    )
    def test_invalid_target_topics_are_refused(
        self, api: Api, meters: str, topic: str, topic_type: int, code: str
    ) -> None:
        configuration = json.dumps({"topic": topic.format(key=meters), "topicType": topic_type})
        error = api.error_code(
            "CreateRuleAction", RuleId=create_rule(api), Type="REPUBLISH", Configuration=configuration
        )
        assert error == code

    @pytest.mark.parametrize(
        ("type_and_configuration", "code"),
        [
            (without("MNS", "themeName"), "iot.ruleng.NullTopicNameInMns"),
            (without("MNS", "regionName"), "iot.ruleng.IncorrectRegionName"),
            (without("MNS", "role"), "iot.ruleng.InvalidRamRole"),
            (without("MNS", "role", "roleArn"), "iot.ruleng.NullRamRoleArn"),
            (without("MNS", "role", "roleName"), "iot.ruleng.NullRamRoleName"),
            (without("FC", "serviceName"), "iot.ruleng.NullServiceNameInFc"),
            (without("FC", "functionName"), "iot.ruleng.NullFunctionNameInFc"),
            (without("OTS", "instanceName"), "iot.ruleng.NullOtsInstanceName"),
            (without("OTS", "tableName"), "iot.ruleng.NullTableNameInOtsInstance"),
            (without("OTS", "primaryKeys"), "iot.ruleng.NullPrimaryKeyInOtsTable"),
            (without("OTS", "primaryKeys", 0, "columnName"), "iot.ruleng.NullPrimaryKeyNameInOts"),
            (without("OTS", "primaryKeys", 0, "columnType"), "iot.ruleng.NullPrimaryKeyTypeInOts"),
            (without("OTS", "primaryKeys", 0, "columnValue"), "iot.ruleng.NullPrimaryKeyValueInOts"),
            (without("DATAHUB", "schemaVals"), "iot.rule.ParseRuleActionConfigError"),
            (without("ONS", "instanceId"), "iot.ruleng.InstanceNotFound"),
            (without("ONS", "topic"), "iot.messagebroker.NullTopicName"),
            (
                ("ONS", with_region(instanceId="i", topic="t", tag="x" * 129)),
                "iot.ruleng.InvalidFormattedTagInConfiguration",
            ),
            (("AMQP", {"groupId": "none"}), "iot.consumer.group.ConsumerGroupNotExist"),
            (("AMQP", {}), "iot.ruleng.NullRuleActionConfig"),
            (("RDS", {"x": 1}), "iot.rule.IncorrentRuleActionType"),
        ],
    )
    def test_incomplete_configurations_are_refused(
        self, api: Api, type_and_configuration: tuple[str, dict[str, Any]], code: str
    ) -> None:
        kind, configuration = type_and_configuration
        error = api.error_code(
            "CreateRuleAction", RuleId=create_rule(api), Type=kind, Configuration=json.dumps(configuration)
        )
        assert error == code

    @pytest.mark.parametrize("configuration", ["{", "[]", '"x"'])
    def test_a_configuration_must_be_a_json_object(self, api: Api, configuration: str) -> None:
        error = api.error_code(
            "CreateRuleAction", RuleId=create_rule(api), Type="MNS", Configuration=configuration
        )
        assert error == "iot.ruleng.RuleActionConfigurationIsNotJson"

    def test_a_rule_has_at_most_ten_different_actions(self, api: Api) -> None:
        rule_id = create_rule(api)
        for number in range(10):
            create_action(api, rule_id, "MNS", with_region(themeName=f"t{number}"))
        params = {"RuleId": rule_id, "Type": "MNS"}
        more = api.error_code(
            "CreateRuleAction", **params, Configuration=json.dumps(with_region(themeName="t10"))
        )
        assert more == "iot.rule.TooManyRuleAction"
        (first, *_) = api.call("ListRuleActions", RuleId=rule_id)["RuleActionList"]["RuleActionInfo"]
        api.call("DeleteRuleAction", ActionId=first["Id"])
        error = api.error_code(
            "CreateRuleAction", **params, Configuration=json.dumps(with_region(themeName="t5"))
        )
        assert error == "iot.rule.RuleActionIsAlreadyCreated"

    def test_a_rule_has_one_action_for_errors(self, api: Api) -> None:
        rule_id = create_rule(api)
        action_id = create_action(api, rule_id, "MNS", with_region(themeName="errors"), ErrorActionFlag=True)
        assert api.call("GetRuleAction", ActionId=action_id)["RuleActionInfo"]["ErrorActionFlag"] is True
        second = {"RuleId": rule_id, "ErrorActionFlag": True}
        more = api.error_code(
            "CreateRuleAction", **second, Type="FC", Configuration=json.dumps(CONFIGURATIONS["FC"])
        )
        assert more == "iot.ruleng.OnlyAllowOneErrorAction"
        error = api.error_code(
            "CreateRuleAction", **second, Type="OTS", Configuration=json.dumps(CONFIGURATIONS["OTS"])
        )
        assert error == "iot.ruleng.IncorrectActionTypeForError"

    def test_binary_data_cannot_be_forwarded_to_a_table(self, api: Api) -> None:
        rule_id = create_rule(api, DataType="BINARY")
        configuration = json.dumps(CONFIGURATIONS["OTS"])
        error = api.error_code("CreateRuleAction", RuleId=rule_id, Type="OTS", Configuration=configuration)
        assert error == "iot.rule.IncorrentRuleActionType"

    def test_an_update_replaces_the_whole_action(self, api: Api) -> None:
        action_id = create_action(api, create_rule(api), "MNS", CONFIGURATIONS["MNS"])
        api.call(
            "UpdateRuleAction", ActionId=action_id, Type="FC", Configuration=json.dumps(CONFIGURATIONS["FC"])
        )
        action = api.call("GetRuleAction", ActionId=action_id)["RuleActionInfo"]
        assert (action["Type"], json.loads(action["Configuration"])["serviceName"]) == ("FC", "s")
        error = api.error_code("UpdateRuleAction", ActionId=action_id, Type="MNS", Configuration='{"x": 1}')
        assert error == "iot.ruleng.NullTopicNameInMns"

    def test_unknown_actions_are_refused(self, api: Api, other_api: Api) -> None:
        action_id = create_action(api, create_rule(api), "MNS", CONFIGURATIONS["MNS"])
        for caller, action_id_of_call in ((api, 1), (other_api, action_id)):
            for operation in ("GetRuleAction", "DeleteRuleAction"):
                assert (
                    caller.error_code(operation, ActionId=action_id_of_call) == "iot.rule.NotFoundRuleAction"
                )
            error = caller.error_code(
                "UpdateRuleAction", ActionId=action_id_of_call, Type="MNS", Configuration="{}"
            )
            assert error == "iot.rule.NotFoundRuleAction"
        for operation in ("GetRuleAction", "DeleteRuleAction"):
            assert api.error_code(operation) == "MissingActionId"
        assert api.error_code("UpdateRuleAction", ActionId=1, Type="MNS") == "MissingConfiguration"
        assert (
            api.error_code("CreateRuleAction", RuleId=1, Type="MNS", Configuration="{}")
            == "iot.rule.NotFoundRule"
        )


class TestDataSources:
    def test_topics_are_added_listed_and_removed(self, api: Api, meters: str) -> None:
        topics = [f"/as/mqtt/status/{meters}/+", f"/sys/{meters}/{POST}"]
        for topic in topics:
            api.call("CreateDataSourceItem", DataSourceId=1001, Topic=topic)
        api.call("CreateDataSourceItem", DataSourceId=1002, Topic=topics[0])
        page = api.call("ListDataSourceItem", DataSourceId=1001, Page=1, PageSize=10)
        items = page["DataSourceItems"]["dataSourceItem"]
        assert [item["Topic"] for item in items] == topics
        assert items[0]["ProductKey"] == meters
        assert (page["Page"], page["PageSize"], page["Total"]) == (1, 10, 2)
        assert api.call("ListDataSourceItem", DataSourceId=1001, SearchName="thing")["Total"] == 1
        item_id = items[0]["DataSourceItemId"]
        api.call("DeleteDataSourceItem", DataSourceId=1001, DataSourceItemId=item_id)
        assert api.call("ListDataSourceItem", DataSourceId=1001)["Total"] == 1
        error = api.error_code("DeleteDataSourceItem", DataSourceId=1001, DataSourceItemId=item_id)
        assert error == "iot.ruleng.TopicNotFound"

    def test_a_topic_can_be_for_one_device(self, api: Api, meters: str) -> None:
        api.call(
            "CreateDataSourceItem",
            DataSourceId=1001,
            Topic=f"/{meters}/+/user/update",
            ScopeType="DEVICE",
            ProductKey=meters,
            DeviceName="meter-1",
        )
        (item,) = api.call("ListDataSourceItem", DataSourceId=1001)["DataSourceItems"]["dataSourceItem"]
        assert (item["ScopeType"], item["DeviceName"]) == ("DEVICE", "meter-1")

    def test_the_topics_of_a_deleted_product_are_deleted(self, api: Api) -> None:
        key = api.create_product("Short_lived")
        api.call("CreateDataSourceItem", DataSourceId=1001, Topic=f"/as/mqtt/status/{key}/+")
        api.call("DeleteProduct", ProductKey=key)
        assert api.call("ListDataSourceItem", DataSourceId=1001)["Total"] == 0

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"DataSourceId": 7}, "iot.ruleng.InstanceNotFound"),
            ({"DataSourceId": None}, "iot.common.InvalidFormattedParameter"),
            ({"Topic": None}, "iot.messagebroker.NullTopicName"),
            ({"Topic": "nothing"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"Topic": "/as/mqtt/status/a1nothing00/+"}, "iot.prod.NotExistedProduct"),
            ({"Topic": "/as/mqtt/status/{key}/nobody"}, "iot.device.NotExistedDevice"),
            ({"ScopeType": "SOME"}, "iot.common.InvalidFormattedParameter"),
            ({"ScopeType": "DEVICE", "ProductKey": "{key}"}, "iot.device.NullDeviceName"),
        ],
    )
    def test_invalid_topics_are_refused(
        self, api: Api, meters: str, change: dict[str, Any], code: str
    ) -> None:
        params = {"DataSourceId": 1001, "Topic": "/as/mqtt/status/{key}/+", **change}
        params = {n: v.format(key=meters) if isinstance(v, str) else v for n, v in params.items()}
        assert api.error_code("CreateDataSourceItem", **params) == code

    def test_a_topic_cannot_be_added_twice(self, api: Api, meters: str) -> None:
        topic = f"/as/mqtt/status/{meters}/+"
        api.call("CreateDataSourceItem", DataSourceId=1001, Topic=topic)
        error = api.error_code("CreateDataSourceItem", DataSourceId=1001, Topic=topic)
        assert error == "iot.ruleng.TopicIsNotUnique"
