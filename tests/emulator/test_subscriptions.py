"""Server-side subscriptions, and the consumer groups that receive what they send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.emulator import Emulator

from .conftest import KEY_ID, Api
from .message_world import put

MNS = json.dumps(
    {
        "queueName": "meters",
        "regionName": "cn-shanghai",
        "role": {
            "roleArn": "acs:ram::5645:role/aliyuniotaccessingmnsrole",
            "roleName": "AliyunIOTAccessingMNSRole",
        },
    }
)
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


@pytest.fixture
def meters(api: Api, emulator: Emulator) -> str:
    """A product with ten devices online."""
    key = api.product("Meters")
    names = [f"meter-{number}" for number in range(10)]
    api.devices(key, *names)
    for name in names:
        put(emulator, key, name)
    return key


def group(api: Api, name: str = "billing") -> str:
    """A new consumer group's id."""
    return api.call("CreateConsumerGroup", GroupName=name)["GroupId"]


def amqp(api: Api, key: str, *groups: str, **params: Any) -> None:
    """An AMQP subscription to device data."""
    api.call(
        "CreateSubscribeRelation",
        **{
            "ProductKey": key,
            "Type": "AMQP",
            "ConsumerGroupIds": list(groups),
            "DeviceDataFlag": True,
            **params,
        },
    )


def relation(api: Api, key: str, kind: str = "AMQP") -> dict[str, Any]:
    return api.call("QuerySubscribeRelation", ProductKey=key, Type=kind)


def waiting(api: Api, group_id: str) -> int:
    count: int = api.call("QueryConsumerGroupStatus", GroupId=group_id)["AccumulationCount"]
    return count


class TestSubscriptions:
    def test_an_amqp_subscription_is_found_with_what_was_given(self, api: Api) -> None:
        key = api.product("Gateways", NodeType=1)
        first, second = group(api), group(api, "alerts")
        amqp(api, key, first, second, **dict.fromkeys(FLAGS, True))
        found = relation(api, key)
        assert (found["ProductKey"], found["Type"]) == (key, "AMQP")
        assert found["ConsumerGroupIds"] == [first, second]
        assert all(found[flag] is True for flag in FLAGS)
        assert "MnsConfiguration" not in found

    def test_an_mns_subscription_beside_it(self, api: Api) -> None:
        key = api.product()
        amqp(api, key, "DEFAULT_GROUP")
        api.call(
            "CreateSubscribeRelation", ProductKey=key, Type="MNS", MnsConfiguration=MNS, OtaEventFlag=True
        )
        found = relation(api, key, "MNS")
        assert json.loads(found["MnsConfiguration"]) == json.loads(MNS)
        assert (found["OtaEventFlag"], found["DeviceDataFlag"]) == (True, False)
        assert "ConsumerGroupIds" not in found

    def test_flags_that_do_not_apply_are_off(self, api: Api) -> None:
        key = api.product()
        api.call(
            "CreateSubscribeRelation",
            ProductKey=key,
            MnsConfiguration=MNS,
            **dict.fromkeys(FLAGS, True),
        )
        found = relation(api, key, "MNS")
        assert {flag for flag in FLAGS if not found[flag]} == {
            "DeviceTopoLifeCycleFlag",
            "FoundDeviceListFlag",
            "DeviceTagFlag",
            "OtaVersionFlag",
            "OtaJobFlag",
        }

    def test_a_change_sets_flags_and_groups_anew(self, api: Api) -> None:
        key = api.product()
        first, second = group(api), group(api, "alerts")
        amqp(api, key, first)
        api.call(
            "UpdateSubscribeRelation",
            ProductKey=key,
            Type="AMQP",
            ConsumerGroupIds=[second],
            DeviceStatusChangeFlag=True,
        )
        found = relation(api, key)
        assert found["ConsumerGroupIds"] == [second]
        assert (found["DeviceDataFlag"], found["DeviceStatusChangeFlag"]) == (False, True)

    def test_a_deleted_one_is_gone_and_its_group_free(self, api: Api) -> None:
        key, group_id = api.product(), group(api)
        amqp(api, key, group_id)
        assert (
            api.refused("DeleteConsumerGroup", GroupId=group_id)
            == "iot.consumer.group.DeleteConsumerGroupFailed"
        )
        api.call("DeleteSubscribeRelation", ProductKey=key, Type="AMQP")
        for operation in ("QuerySubscribeRelation", "DeleteSubscribeRelation"):
            gone = api.refused(operation, ProductKey=key, Type="AMQP")
            assert gone == "iot.consumer.group.SubscribeNotExist"
        api.call("DeleteConsumerGroup", GroupId=group_id)

    def test_a_deleted_product_takes_it_along(self, api: Api) -> None:
        key, group_id = api.product(), group(api)
        amqp(api, key, group_id)
        api.call("DeleteProduct", ProductKey=key)
        api.call("DeleteConsumerGroup", GroupId=group_id)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"ProductKey": None}, "MissingProductKey"),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"Type": "HTTP"}, "iot.consumer.group.InvalidSubscribeType"),
            ({"Type": None, "ConsumerGroupIds": None}, "iot.consumer.group.InvalidSubscribeType"),
            ({"ConsumerGroupIds": None}, "iot.consumer.group.InvalidConsumerGroupId"),
            ({"ConsumerGroupIds": ["none"]}, "iot.consumer.group.ConsumerGroupNotExist"),
            ({"ConsumerGroupIds": ["x"] * 11}, "iot.consumer.group.ConsumerGroupExceedsLimit"),
            ({"DeviceDataFlag": False}, "iot.common.InvalidFormattedParameter"),
            ({"DeviceDataFlag": None, "FoundDeviceListFlag": True}, "iot.common.InvalidFormattedParameter"),
            ({"Type": "MNS"}, "iot.consumer.group.MnsCheckFailed"),
            ({"Type": "MNS", "MnsConfiguration": "{"}, "iot.consumer.group.MnsCheckFailed"),
            ({"Type": "MNS", "MnsConfiguration": '{"queueName": "q"}'}, "iot.consumer.group.MnsCheckFailed"),
        ],
    )
    def test_what_cannot_be_made(self, api: Api, change: dict[str, Any], code: str) -> None:
        params = {
            "ProductKey": api.product(),
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "DeviceDataFlag": True,
            **change,
        }
        assert api.refused("CreateSubscribeRelation", **params) == code

    def test_a_product_in_several_instances_has_no_mns_subscription(
        self, api: Api, emulator: Emulator
    ) -> None:
        key = api.product()
        with emulator.store.write() as db:
            db.execute(
                "INSERT INTO distributed_products VALUES (?, ?, '', 'iot-sandbox', ?)",
                (key, KEY_ID, emulator.clock.now()),
            )
        params = {"ProductKey": key, "OtaEventFlag": True}
        refused = api.refused("CreateSubscribeRelation", **params, Type="MNS", MnsConfiguration=MNS)
        assert refused == "iot.consumer.group.MnsNotSupport"
        amqp(api, key, "DEFAULT_GROUP")
        api.call(
            "CreateSubscribeRelation",
            **params,
            Type="AMQP",
            ConsumerGroupIds=["DEFAULT_GROUP"],
            IotInstanceId="iot-sandbox",
        )
        assert relation(api, key)["OtaEventFlag"] is False

    def test_one_of_each_type(self, api: Api) -> None:
        key = api.product()
        amqp(api, key, "DEFAULT_GROUP")
        again = {
            "ProductKey": key,
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "OtaEventFlag": True,
        }
        assert api.refused("CreateSubscribeRelation", **again) == "iot.consumer.group.InvalidSubscribeType"

    def test_what_cannot_be_changed_or_asked_for(self, api: Api) -> None:
        key = api.product()
        change = {
            "ProductKey": key,
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "DeviceDataFlag": True,
        }
        assert api.refused("UpdateSubscribeRelation", **change) == "iot.consumer.group.SubscribeNotExist"
        amqp(api, key, "DEFAULT_GROUP")
        for operation in ("UpdateSubscribeRelation", "QuerySubscribeRelation", "DeleteSubscribeRelation"):
            assert api.refused(operation, ProductKey=key) == "MissingType"
            bad = api.refused(operation, ProductKey=key, Type="X")
            assert bad == "iot.consumer.group.InvalidSubscribeType"
            nothing = api.refused(operation, **{**change, "ProductKey": "a1nothing00"})
            assert nothing == "iot.prod.NotExistedProduct"


class TestGroupsOfASubscription:
    def test_added_and_removed(self, api: Api) -> None:
        key, first, second = api.product(), group(api), group(api, "alerts")
        amqp(api, key, first)
        api.call("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
        assert relation(api, key)["ConsumerGroupIds"] == [first, second]
        again = api.refused("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
        assert again == "iot.consumer.group.InvalidConsumerGroup"
        api.call("DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=first)
        assert relation(api, key)["ConsumerGroupIds"] == [second]
        absent = api.refused("DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=first)
        assert absent == "iot.consumer.group.InvalidConsumerGroup"

    def test_the_last_one_stays(self, api: Api) -> None:
        key, group_id = api.product(), group(api)
        amqp(api, key, group_id)
        refused = api.refused(
            "DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=group_id
        )
        assert refused == "iot.consumer.group.DeleteConsumerGroupFailed"

    def test_ten_at_most(self, api: Api) -> None:
        key = api.product()
        amqp(api, key, *(group(api, f"group_{number}") for number in range(10)))
        more = {"ProductKey": key, "ConsumerGroupId": group(api, "one_more")}
        refused = api.refused("CreateConsumerGroupSubscribeRelation", **more)
        assert refused == "iot.consumer.group.ConsumerGroupExceedsLimit"

    @pytest.mark.parametrize(
        "operation", ["CreateConsumerGroupSubscribeRelation", "DeleteConsumerGroupSubscribeRelation"]
    )
    def test_what_does_not_exist(self, api: Api, operation: str) -> None:
        key, group_id = api.product(), group(api)
        assert api.refused(operation, ProductKey=key) == "MissingConsumerGroupId"
        without = api.refused(operation, ProductKey=key, ConsumerGroupId=group_id)
        assert without == "iot.consumer.group.SubscribeNotExist"
        nobody = api.refused(operation, ProductKey=key, ConsumerGroupId="none")
        assert nobody == "iot.consumer.group.ConsumerGroupNotExist"
        nothing = api.refused(operation, ProductKey="a1nothing00", ConsumerGroupId=group_id)
        assert nothing == "iot.prod.NotExistedProduct"


class TestConsumerGroups:
    def test_a_group_is_found_with_what_was_given(self, api: Api) -> None:
        group_id = group(api, "账单系统")
        found = api.call("QueryConsumerGroupByGroupId", GroupId=group_id)["Data"]
        assert found == {
            "GroupId": group_id,
            "GroupName": "账单系统",
            "CreateTime": "2026-09-21T14:13:20.000Z",
        }

    def test_newest_first_and_the_platforms_own_last(self, api: Api, other: Api) -> None:
        for name in ("billing_1", "alerts", "billing_2"):
            group(api, name)
        group(other, "theirs")
        page = api.call("QueryConsumerGroupList", CurrentPage=1, PageSize=3)
        names = [found["GroupName"] for found in page["Data"]["ConsumerGroupDTO"]]
        assert names == ["billing_2", "alerts", "billing_1"]
        assert (page["Total"], page["PageCount"], page["PageSize"]) == (4, 2, 3)
        (last,) = api.call("QueryConsumerGroupList", CurrentPage=2, PageSize=3)["Data"]["ConsumerGroupDTO"]
        assert last["GroupId"] == "DEFAULT_GROUP"
        part = {"CurrentPage": 1, "GroupName": "Billing"}
        assert api.call("QueryConsumerGroupList", **part, Fuzzy=True)["Total"] == 2
        assert api.call("QueryConsumerGroupList", **part)["Total"] == 4

    def test_a_new_name(self, api: Api) -> None:
        group_id = group(api)
        api.call("UpdateConsumerGroup", GroupId=group_id, NewGroupName="invoicing")
        found = api.call("QueryConsumerGroupByGroupId", GroupId=group_id)["Data"]
        assert found["GroupName"] == "invoicing"

    def test_names_are_unique(self, api: Api) -> None:
        group(api, "billing")
        second = group(api, "alerts")
        taken = "iot.consumer.group.ConsumerGroupNameExisted"
        assert api.refused("CreateConsumerGroup", GroupName="billing") == taken
        assert api.refused("UpdateConsumerGroup", GroupId=second, NewGroupName="billing") == taken

    @pytest.mark.parametrize("name", ["abc", "x" * 31, "with space", "汉"])
    def test_bad_names(self, api: Api, name: str) -> None:
        bad = "iot.consumer.group.InvalidConsumerGroupName"
        assert api.refused("CreateConsumerGroup", GroupName=name) == bad
        assert api.refused("UpdateConsumerGroup", GroupId=group(api), NewGroupName=name) == bad

    def test_the_default_group_cannot_be_changed(self, api: Api) -> None:
        refused = "iot.consumer.group.ChangeDefaultConsumerGroupNotAllowed"
        assert api.refused("UpdateConsumerGroup", GroupId="DEFAULT_GROUP", NewGroupName="mine") == refused
        assert api.refused("DeleteConsumerGroup", GroupId="DEFAULT_GROUP") == refused
        assert api.call("QueryConsumerGroupByGroupId", GroupId="DEFAULT_GROUP")["Data"]["GroupName"]

    def test_groups_that_do_not_exist(self, api: Api, other: Api) -> None:
        theirs = group(other, "theirs")
        for operation in (
            "UpdateConsumerGroup",
            "QueryConsumerGroupByGroupId",
            "QueryConsumerGroupStatus",
            "ResetConsumerGroupPosition",
            "DeleteConsumerGroup",
        ):
            for group_id in ("none", theirs):
                refused = api.refused(operation, GroupId=group_id, NewGroupName="name")
                assert refused == "iot.consumer.group.ConsumerGroupNotExist"
            assert api.refused(operation, NewGroupName="name") == "MissingGroupId"
        assert api.refused("CreateConsumerGroup") == "MissingGroupName"
        assert api.refused("UpdateConsumerGroup", GroupId="none") == "MissingNewGroupName"

    def test_lists_that_cannot_be_had(self, api: Api) -> None:
        assert api.refused("QueryConsumerGroupList") == "MissingCurrentPage"
        bad = api.refused("QueryConsumerGroupList", CurrentPage=1, PageSize=1001)
        assert bad == "iot.common.InvalidPageParams"
        nameless = api.refused("QueryConsumerGroupList", CurrentPage=1, Fuzzy=True)
        assert nameless == "iot.consumer.group.InvalidConsumerGroupName"

    def test_a_thousand_and_no_more(self, api: Api, emulator: Emulator) -> None:
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO consumer_groups (account, instance, group_id, name, created, position)"
                " VALUES (?, '', ?, ?, 0, 0)",
                [(KEY_ID, f"id{n}", f"group_{n}") for n in range(1000)],
            )
        refused = api.refused("CreateConsumerGroup", GroupName="one_more")
        assert refused == "iot.consumer.group.ConsumerGroupExceedLimit"


class TestTraffic:
    def test_messages_wait_while_nobody_receives(self, api: Api, meters: str) -> None:
        group_id = group(api)
        assert waiting(api, group_id) == 0
        amqp(api, meters, group_id)
        api.clock.advance(600)
        first = waiting(api, group_id)
        assert first == 20  # ten devices, each every five minutes
        api.clock.advance(600)
        assert waiting(api, group_id) == 2 * first
        status = api.call("QueryConsumerGroupStatus", GroupId=group_id)
        assert status["ClientConnectionStatusList"]["ConsumerGroupClientConnectionInfo"] == []
        assert (status["ConsumerSpeed"], status["RealTimeConsumeCountPerMinute"]) == (0, 0)
        assert "LastConsumerTime" not in status

    def test_none_waits_longer_than_a_day(self, api: Api, meters: str) -> None:
        group_id = group(api)
        amqp(api, meters, group_id)
        api.clock.advance(5 * 86400)
        assert waiting(api, group_id) == 2 * 60 * 24

    @pytest.mark.parametrize("group_id", [None, "DEFAULT_GROUP"])
    def test_a_reset_drops_what_waits(self, api: Api, meters: str, group_id: str | None) -> None:
        wanted = group_id or group(api)
        amqp(api, meters, wanted)
        api.clock.advance(3600)
        assert waiting(api, wanted) > 0
        api.call("ResetConsumerGroupPosition", GroupId=wanted)
        assert waiting(api, wanted) == 0
        api.clock.advance(3600)
        assert waiting(api, wanted) > 0

    def test_a_running_rule_sends_what_passes_its_where(self, api: Api, meters: str) -> None:
        every, some = group(api, "every"), group(api, "some")
        for group_id, where in ((every, ""), (some, "a > 1")):
            rule_id = api.call(
                "CreateRule",
                Name=f"rule_{group_id[:6]}",
                Topic=f"/sys/{meters}/+/thing/event/property/post",
                Select="*",
                Where=where,
            )["RuleId"]
            api.call(
                "CreateRuleAction",
                RuleId=rule_id,
                Type="AMQP",
                Configuration=json.dumps({"groupId": group_id}),
            )
            api.clock.advance(600)
            assert waiting(api, group_id) == 0
            api.call("StartRule", RuleId=rule_id)
        api.clock.advance(3600)
        assert waiting(api, every) > waiting(api, some) > 0

    def test_programs_receive_and_are_away_once_a_day(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        group_id = "DEFAULT_GROUP"  # when programs are away depends on the id
        amqp(api, meters, group_id)
        api.call("ResetConsumerGroupPosition", GroupId=group_id)
        with emulator.store.write() as db:
            db.execute("UPDATE consumer_groups SET clients = 2 WHERE group_id = ?", (group_id,))
        api.clock.advance(86400)
        seen = []
        for _ in range(24 * 12):
            status = api.call("QueryConsumerGroupStatus", GroupId=group_id)
            clients = status["ClientConnectionStatusList"]["ConsumerGroupClientConnectionInfo"]
            seen.append(
                (len(clients), status["AccumulationCount"], status["AccumulatedConsumeCountPerMinute"])
            )
            if clients:
                live = sum(client["RealTimeConsumeCountPerMinute"] for client in clients)
                behind = sum(client["AccumulatedConsumeCountPerMinute"] for client in clients)
                assert live == status["RealTimeConsumeCountPerMinute"]
                assert behind == status["AccumulatedConsumeCountPerMinute"]
                assert status["ConsumerSpeed"] == live + behind
                assert all(client["OnlineTime"] <= api.clock.now() for client in clients)
                assert status["LastConsumerTime"]
            api.clock.advance(300)
        away = [entry for entry in seen if entry[0] == 0]
        assert 3 <= len(away) <= 26
        assert max(count for _, count, _ in away) > 20
        assert (2, 0, 0) in seen
        assert any(clients and speed for clients, _, speed in seen)
