"""Server-side subscriptions and consumer groups."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iot_emulator import Emulator

from .clients import KEY_ID, Api
from .message_helpers import set_device_status

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
    """A product with ten online devices."""
    key = api.create_product("Meters")
    names = [f"meter-{number}" for number in range(10)]
    api.register_devices(key, *names)
    for name in names:
        set_device_status(emulator, key, name)
    return key


def create_group(api: Api, name: str = "billing") -> str:
    """Create a consumer group; return its ID."""
    return api.call("CreateConsumerGroup", GroupName=name)["GroupId"]


def subscribe(api: Api, key: str, *groups: str, **params: Any) -> None:
    """Create an AMQP subscription to device data."""
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


def query_subscription(api: Api, key: str, kind: str = "AMQP") -> dict[str, Any]:
    return api.call("QuerySubscribeRelation", ProductKey=key, Type=kind)


def accumulation(api: Api, group_id: str) -> int:
    count: int = api.call("QueryConsumerGroupStatus", GroupId=group_id)["AccumulationCount"]
    return count


class TestSubscriptions:
    def test_a_created_amqp_subscription_is_found_with_its_values(self, api: Api) -> None:
        key = api.create_product("Gateways", NodeType=1)
        first, second = create_group(api), create_group(api, "alerts")
        subscribe(api, key, first, second, **dict.fromkeys(FLAGS, True))
        subscription = query_subscription(api, key)
        assert (subscription["ProductKey"], subscription["Type"]) == (key, "AMQP")
        assert subscription["ConsumerGroupIds"] == [first, second]
        assert all(subscription[flag] is True for flag in FLAGS)
        assert "MnsConfiguration" not in subscription

    def test_a_product_can_also_have_an_mns_subscription(self, api: Api) -> None:
        key = api.create_product()
        subscribe(api, key, "DEFAULT_GROUP")
        api.call(
            "CreateSubscribeRelation", ProductKey=key, Type="MNS", MnsConfiguration=MNS, OtaEventFlag=True
        )
        subscription = query_subscription(api, key, "MNS")
        assert json.loads(subscription["MnsConfiguration"]) == json.loads(MNS)
        assert (subscription["OtaEventFlag"], subscription["DeviceDataFlag"]) == (True, False)
        assert "ConsumerGroupIds" not in subscription

    def test_flags_that_do_not_apply_are_false(self, api: Api) -> None:
        key = api.create_product()
        api.call(
            "CreateSubscribeRelation",
            ProductKey=key,
            MnsConfiguration=MNS,
            **dict.fromkeys(FLAGS, True),
        )
        subscription = query_subscription(api, key, "MNS")
        assert {flag for flag in FLAGS if not subscription[flag]} == {
            "DeviceTopoLifeCycleFlag",
            "FoundDeviceListFlag",
            "DeviceTagFlag",
            "OtaVersionFlag",
            "OtaJobFlag",
        }

    def test_an_update_replaces_flags_and_groups(self, api: Api) -> None:
        key = api.create_product()
        first, second = create_group(api), create_group(api, "alerts")
        subscribe(api, key, first)
        api.call(
            "UpdateSubscribeRelation",
            ProductKey=key,
            Type="AMQP",
            ConsumerGroupIds=[second],
            DeviceStatusChangeFlag=True,
        )
        subscription = query_subscription(api, key)
        assert subscription["ConsumerGroupIds"] == [second]
        assert (subscription["DeviceDataFlag"], subscription["DeviceStatusChangeFlag"]) == (False, True)

    def test_after_deletion_the_consumer_group_can_be_deleted(self, api: Api) -> None:
        key, group_id = api.create_product(), create_group(api)
        subscribe(api, key, group_id)
        assert (
            api.error_code("DeleteConsumerGroup", GroupId=group_id)
            == "iot.consumer.group.DeleteConsumerGroupFailed"
        )
        api.call("DeleteSubscribeRelation", ProductKey=key, Type="AMQP")
        for operation in ("QuerySubscribeRelation", "DeleteSubscribeRelation"):
            error = api.error_code(operation, ProductKey=key, Type="AMQP")
            assert error == "iot.consumer.group.SubscribeNotExist"
        api.call("DeleteConsumerGroup", GroupId=group_id)

    def test_a_subscription_is_deleted_with_its_product(self, api: Api) -> None:
        key, group_id = api.create_product(), create_group(api)
        subscribe(api, key, group_id)
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
    def test_invalid_subscriptions_are_refused(self, api: Api, change: dict[str, Any], code: str) -> None:
        params = {
            "ProductKey": api.create_product(),
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "DeviceDataFlag": True,
            **change,
        }
        assert api.error_code("CreateSubscribeRelation", **params) == code

    def test_a_product_in_several_instances_has_no_mns_subscription(
        self, api: Api, emulator: Emulator
    ) -> None:
        key = api.create_product()
        with emulator.store.write() as db:
            db.execute(
                "INSERT INTO distributed_products VALUES (?, ?, '', 'iot-sandbox', ?)",
                (key, KEY_ID, emulator.clock.now()),
            )
        params = {"ProductKey": key, "OtaEventFlag": True}
        error = api.error_code("CreateSubscribeRelation", **params, Type="MNS", MnsConfiguration=MNS)
        assert error == "iot.consumer.group.MnsNotSupport"
        subscribe(api, key, "DEFAULT_GROUP")
        api.call(
            "CreateSubscribeRelation",
            **params,
            Type="AMQP",
            ConsumerGroupIds=["DEFAULT_GROUP"],
            IotInstanceId="iot-sandbox",
        )
        assert query_subscription(api, key)["OtaEventFlag"] is False

    def test_a_product_has_one_subscription_of_each_type(self, api: Api) -> None:
        key = api.create_product()
        subscribe(api, key, "DEFAULT_GROUP")
        params = {
            "ProductKey": key,
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "OtaEventFlag": True,
        }
        assert (
            api.error_code("CreateSubscribeRelation", **params) == "iot.consumer.group.InvalidSubscribeType"
        )

    def test_invalid_updates_and_queries_are_refused(self, api: Api) -> None:
        key = api.create_product()
        change = {
            "ProductKey": key,
            "Type": "AMQP",
            "ConsumerGroupIds": ["DEFAULT_GROUP"],
            "DeviceDataFlag": True,
        }
        assert api.error_code("UpdateSubscribeRelation", **change) == "iot.consumer.group.SubscribeNotExist"
        subscribe(api, key, "DEFAULT_GROUP")
        for operation in ("UpdateSubscribeRelation", "QuerySubscribeRelation", "DeleteSubscribeRelation"):
            assert api.error_code(operation, ProductKey=key) == "MissingType"
            error = api.error_code(operation, ProductKey=key, Type="X")
            assert error == "iot.consumer.group.InvalidSubscribeType"
            nothing = api.error_code(operation, **{**change, "ProductKey": "a1nothing00"})
            assert nothing == "iot.prod.NotExistedProduct"


class TestGroupsOfASubscription:
    def test_a_group_is_added_and_removed(self, api: Api) -> None:
        key, first, second = api.create_product(), create_group(api), create_group(api, "alerts")
        subscribe(api, key, first)
        api.call("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
        assert query_subscription(api, key)["ConsumerGroupIds"] == [first, second]
        again = api.error_code("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
        assert again == "iot.consumer.group.InvalidConsumerGroup"
        api.call("DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=first)
        assert query_subscription(api, key)["ConsumerGroupIds"] == [second]
        error = api.error_code("DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=first)
        assert error == "iot.consumer.group.InvalidConsumerGroup"

    def test_the_last_group_cannot_be_removed(self, api: Api) -> None:
        key, group_id = api.create_product(), create_group(api)
        subscribe(api, key, group_id)
        error = api.error_code(
            "DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=group_id
        )
        assert error == "iot.consumer.group.DeleteConsumerGroupFailed"

    def test_a_subscription_has_at_most_ten_groups(self, api: Api) -> None:
        key = api.create_product()
        subscribe(api, key, *(create_group(api, f"group_{number}") for number in range(10)))
        more = {"ProductKey": key, "ConsumerGroupId": create_group(api, "one_more")}
        error = api.error_code("CreateConsumerGroupSubscribeRelation", **more)
        assert error == "iot.consumer.group.ConsumerGroupExceedsLimit"

    @pytest.mark.parametrize(
        "operation", ["CreateConsumerGroupSubscribeRelation", "DeleteConsumerGroupSubscribeRelation"]
    )
    def test_unknown_values_are_refused(self, api: Api, operation: str) -> None:
        key, group_id = api.create_product(), create_group(api)
        assert api.error_code(operation, ProductKey=key) == "MissingConsumerGroupId"
        error = api.error_code(operation, ProductKey=key, ConsumerGroupId=group_id)
        assert error == "iot.consumer.group.SubscribeNotExist"
        nobody = api.error_code(operation, ProductKey=key, ConsumerGroupId="none")
        assert nobody == "iot.consumer.group.ConsumerGroupNotExist"
        nothing = api.error_code(operation, ProductKey="a1nothing00", ConsumerGroupId=group_id)
        assert nothing == "iot.prod.NotExistedProduct"


class TestConsumerGroups:
    def test_a_created_group_is_found_with_its_values(self, api: Api) -> None:
        group_id = create_group(api, "账单系统")
        consumer_group = api.call("QueryConsumerGroupByGroupId", GroupId=group_id)["Data"]
        assert consumer_group == {
            "GroupId": group_id,
            "GroupName": "账单系统",
            "CreateTime": "2026-09-21T14:13:20.000Z",
        }

    def test_groups_are_newest_first_and_the_default_group_is_last(self, api: Api, other_api: Api) -> None:
        for name in ("billing_1", "alerts", "billing_2"):
            create_group(api, name)
        create_group(other_api, "theirs")
        page = api.call("QueryConsumerGroupList", CurrentPage=1, PageSize=3)
        names = [group["GroupName"] for group in page["Data"]["ConsumerGroupDTO"]]
        assert names == ["billing_2", "alerts", "billing_1"]
        assert (page["Total"], page["PageCount"], page["PageSize"]) == (4, 2, 3)
        (last,) = api.call("QueryConsumerGroupList", CurrentPage=2, PageSize=3)["Data"]["ConsumerGroupDTO"]
        assert last["GroupId"] == "DEFAULT_GROUP"
        part = {"CurrentPage": 1, "GroupName": "Billing"}
        assert api.call("QueryConsumerGroupList", **part, Fuzzy=True)["Total"] == 2
        assert api.call("QueryConsumerGroupList", **part)["Total"] == 4

    def test_a_group_can_be_renamed(self, api: Api) -> None:
        group_id = create_group(api)
        api.call("UpdateConsumerGroup", GroupId=group_id, NewGroupName="invoicing")
        consumer_group = api.call("QueryConsumerGroupByGroupId", GroupId=group_id)["Data"]
        assert consumer_group["GroupName"] == "invoicing"

    def test_names_are_unique(self, api: Api) -> None:
        create_group(api, "billing")
        second = create_group(api, "alerts")
        taken = "iot.consumer.group.ConsumerGroupNameExisted"
        assert api.error_code("CreateConsumerGroup", GroupName="billing") == taken
        assert api.error_code("UpdateConsumerGroup", GroupId=second, NewGroupName="billing") == taken

    @pytest.mark.parametrize("name", ["abc", "x" * 31, "with space", "汉"])
    def test_invalid_names_are_refused(self, api: Api, name: str) -> None:
        bad = "iot.consumer.group.InvalidConsumerGroupName"
        assert api.error_code("CreateConsumerGroup", GroupName=name) == bad
        assert api.error_code("UpdateConsumerGroup", GroupId=create_group(api), NewGroupName=name) == bad

    def test_the_default_group_cannot_be_changed(self, api: Api) -> None:
        expected = "iot.consumer.group.ChangeDefaultConsumerGroupNotAllowed"
        assert api.error_code("UpdateConsumerGroup", GroupId="DEFAULT_GROUP", NewGroupName="mine") == expected
        assert api.error_code("DeleteConsumerGroup", GroupId="DEFAULT_GROUP") == expected
        assert api.call("QueryConsumerGroupByGroupId", GroupId="DEFAULT_GROUP")["Data"]["GroupName"]

    def test_unknown_groups_are_refused(self, api: Api, other_api: Api) -> None:
        theirs = create_group(other_api, "theirs")
        for operation in (
            "UpdateConsumerGroup",
            "QueryConsumerGroupByGroupId",
            "QueryConsumerGroupStatus",
            "ResetConsumerGroupPosition",
            "DeleteConsumerGroup",
        ):
            for group_id in ("none", theirs):
                error = api.error_code(operation, GroupId=group_id, NewGroupName="name")
                assert error == "iot.consumer.group.ConsumerGroupNotExist"
            assert api.error_code(operation, NewGroupName="name") == "MissingGroupId"
        assert api.error_code("CreateConsumerGroup") == "MissingGroupName"
        assert api.error_code("UpdateConsumerGroup", GroupId="none") == "MissingNewGroupName"

    def test_invalid_list_parameters_are_refused(self, api: Api) -> None:
        assert api.error_code("QueryConsumerGroupList") == "MissingCurrentPage"
        error = api.error_code("QueryConsumerGroupList", CurrentPage=1, PageSize=1001)
        assert error == "iot.common.InvalidPageParams"
        nameless = api.error_code("QueryConsumerGroupList", CurrentPage=1, Fuzzy=True)
        assert nameless == "iot.consumer.group.InvalidConsumerGroupName"

    def test_an_account_has_at_most_a_thousand_groups(self, api: Api, emulator: Emulator) -> None:
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO consumer_groups (account, instance, group_id, name, created, position)"
                " VALUES (?, '', ?, ?, 0, 0)",
                [(KEY_ID, f"id{n}", f"group_{n}") for n in range(1000)],
            )
        error = api.error_code("CreateConsumerGroup", GroupName="one_more")
        assert error == "iot.consumer.group.ConsumerGroupExceedLimit"


class TestTraffic:
    def test_messages_accumulate_without_clients(self, api: Api, meters: str) -> None:
        group_id = create_group(api)
        assert accumulation(api, group_id) == 0
        subscribe(api, meters, group_id)
        api.clock.advance(600)
        first = accumulation(api, group_id)
        assert first == 20  # ten devices, each every five minutes
        api.clock.advance(600)
        assert accumulation(api, group_id) == 2 * first
        status = api.call("QueryConsumerGroupStatus", GroupId=group_id)
        assert status["ClientConnectionStatusList"]["ConsumerGroupClientConnectionInfo"] == []
        assert (status["ConsumerSpeed"], status["RealTimeConsumeCountPerMinute"]) == (0, 0)
        assert "LastConsumerTime" not in status

    def test_messages_are_dropped_after_a_day(self, api: Api, meters: str) -> None:
        group_id = create_group(api)
        subscribe(api, meters, group_id)
        api.clock.advance(5 * 86400)
        assert accumulation(api, group_id) == 2 * 60 * 24

    @pytest.mark.parametrize("group_id", [None, "DEFAULT_GROUP"])
    def test_a_reset_drops_the_accumulated_messages(
        self, api: Api, meters: str, group_id: str | None
    ) -> None:
        reset_group_id = group_id or create_group(api)
        subscribe(api, meters, reset_group_id)
        api.clock.advance(3600)
        assert accumulation(api, reset_group_id) > 0
        api.call("ResetConsumerGroupPosition", GroupId=reset_group_id)
        assert accumulation(api, reset_group_id) == 0
        api.clock.advance(3600)
        assert accumulation(api, reset_group_id) > 0

    def test_a_running_rule_sends_messages_that_match_its_where(self, api: Api, meters: str) -> None:
        every, some = create_group(api, "every"), create_group(api, "some")
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
            assert accumulation(api, group_id) == 0
            api.call("StartRule", RuleId=rule_id)
        api.clock.advance(3600)
        assert accumulation(api, every) > accumulation(api, some) > 0

    def test_clients_are_disconnected_once_a_day(self, api: Api, emulator: Emulator, meters: str) -> None:
        group_id = "DEFAULT_GROUP"  # the times of disconnection depend on the ID
        subscribe(api, meters, group_id)
        api.call("ResetConsumerGroupPosition", GroupId=group_id)
        with emulator.store.write() as db:
            db.execute("UPDATE consumer_groups SET clients = 2 WHERE group_id = ?", (group_id,))
        api.clock.advance(86400)
        samples = []
        for _ in range(24 * 12):
            status = api.call("QueryConsumerGroupStatus", GroupId=group_id)
            clients = status["ClientConnectionStatusList"]["ConsumerGroupClientConnectionInfo"]
            samples.append(
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
        disconnected = [entry for entry in samples if entry[0] == 0]
        assert 3 <= len(disconnected) <= 26
        assert max(count for _, count, _ in disconnected) > 20
        assert (2, 0, 0) in samples
        assert any(clients and speed for clients, _, speed in samples)
