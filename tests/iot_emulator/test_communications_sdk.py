"""The operations of topics, messages, forwarding and subscriptions with the official SDK: its models have their fields,
and the responses have the structure of the reference."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client as Sdk
from alibabacloud_tea_openapi.models import Config

from iot_client.catalogue import operation, operations
from iot_emulator import Emulator

from .clients import KEY_ID, KEY_SECRET, Api
from .message_helpers import encode_base64, set_device_status
from .test_ota_response_shapes import deviations

GROUPS = ("topics", "communications", "data-forwarding", "server-side-subscription")
# Fields of only some responses: for newer features of the vendor, other types of subscription, and errors.
SOMETIMES = {
    "Code", "ErrorMessage", "SubscribeFlags", "Codec", "MnsConfiguration", "LastConsumerTime",
}  # fmt: skip


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(params=[None, "v2"], ids=["acs3", "sha1"])
def sdk(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Sdk]:
    server = make_server("127.0.0.1", 0, emulator, handler_class=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = Config(access_key_id=KEY_ID, access_key_secret=KEY_SECRET, protocol="http")
    config.endpoint = f"127.0.0.1:{server.server_port}"
    if request.param:
        config.signature_algorithm = request.param
    yield Sdk(config)
    server.shutdown()
    thread.join()
    server.server_close()


def snake(name: str) -> str:
    """Return the name of the SDK's method: `RRpc` -> `r_rpc`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Caller:
    """Makes calls with the SDK, and records the called operations."""

    def __init__(self, sdk: Sdk) -> None:
        self.sdk = sdk
        self.called: set[str] = set()

    def __call__(self, name: str, **params: Any) -> Any:
        request = getattr(models, f"{name}Request")().from_map(params)
        body = getattr(self.sdk, snake(name))(request).body
        response = body.to_map()
        assert response.get("Success") is True, (name, response)
        known = dict(operation(name).response)
        assert deviations(response, "", known) == [], name
        for path in known:
            top = path.partition(".")[0].removesuffix("[]")
            assert top in response or top in SOMETIMES, f"the response of {name} has no {path}"
        self.called.add(name)
        return body


def test_every_operation_can_be_called_with_the_sdk_models(api: Api, emulator: Emulator, sdk: Sdk) -> None:
    call = Caller(sdk)
    key = api.create_product("Meters")
    for name in ("one", "two"):
        api.register_device(key, f"meter-{name}")
        set_device_status(emulator, key, f"meter-{name}")
    topics(call, key)
    messages(call, key)
    forwarding(call, key)
    subscriptions(call, key, emulator)
    assert call.called == {name for name, op in operations().items() if op.group in GROUPS}


def topics(call: Caller, key: str) -> None:
    created_topic = call(
        "CreateProductTopic", ProductKey=key, TopicShortName="relay", Operation="ALL", Desc="Relay"
    )
    listed = call("QueryProductTopic", ProductKey=key).data.product_topic_info
    assert [(topic.id, topic.operation, topic.desc) for topic in listed][3:] == [
        (str(created_topic.topic_id), "2", "Relay")
    ]
    assert listed[0].topic_short_name == f"/{key}/${{deviceName}}/user/update"
    call("UpdateProductTopic", TopicId=str(created_topic.topic_id), TopicShortName="pass", Operation="ALL")
    here, there = (f"/{key}/meter-{name}/user/pass" for name in ("one", "two"))
    response = call("CreateTopicRouteTable", SrcTopic=here, DstTopic=[there, "/nothing"])
    assert (response.is_all_succeed, response.failure_topics.topic) == (False, ["/nothing"])
    assert call("QueryTopicRouteTable", Topic=here).dst_topics.topic == [there]
    assert call("QueryTopicReverseRouteTable", Topic=there).src_topics.topic == [here]
    deletion = call("DeleteTopicRouteTable", SrcTopic=here, DstTopic=[there])
    assert (deletion.is_all_succeed, deletion.failure_topics.topic) == (True, [])
    call("DeleteProductTopic", TopicId=str(created_topic.topic_id))


def messages(call: Caller, key: str) -> None:
    hello = encode_base64("hello")
    message = call(
        "Pub",
        ProductKey=key,
        TopicFullName=f"/{key}/meter-one/user/get",
        MessageContent=hello,
        UserProp=[{"Key": "k", "Value": "v"}],
    )
    assert message.message_id.isdigit()
    call("BatchPub", ProductKey=key, DeviceName=["meter-one"], TopicShortName="get", MessageContent=hello)
    assert call("PubBroadcast", ProductKey=key, MessageContent=hello).message_id > 10**18
    call("SubscribeTopic", ProductKey=key, DeviceName="meter-one", Topic=[f"/broadcast/{key}/all"])
    response = call("RRpc", ProductKey=key, DeviceName="meter-one", RequestBase64Byte=hello, Timeout=5000)
    assert (response.rrpc_code, response.payload_base_64byte) == ("SUCCESS", hello)
    assert response.message_id > 10**18


def forwarding(call: Caller, key: str) -> None:
    rule_id = call(
        "CreateRule",
        Name="hot",
        ProductKey=key,
        ShortTopic="+/thing/event/property/post",
        TopicType=0,
        Select="*",
        Where="a > 1",
        RuleDesc="Hot ones",
    ).rule_id
    config = json.dumps({"topic": f"/{key}/meter-one/user/get", "topicType": 1})
    action = {"Type": "REPUBLISH", "Configuration": config}
    action_id = call("CreateRuleAction", RuleId=rule_id, **action).action_id
    config = json.dumps({"topic": f"/{key}/meter-two/user/get", "topicType": 1})
    call("UpdateRuleAction", ActionId=action_id, Type="REPUBLISH", Configuration=config)
    action_info = call("GetRuleAction", ActionId=action_id).rule_action_info
    assert (action_info.id, action_info.rule_id, action_info.type, action_info.error_action_flag) == (
        action_id,
        rule_id,
        "REPUBLISH",
        False,
    )
    call("StartRule", RuleId=rule_id)
    (listed_action,) = call("ListRuleActions", RuleId=rule_id).rule_action_list.rule_action_info
    assert (listed_action.id, listed_action.status) == (action_id, "RUNNING")
    call("UpdateRule", RuleId=rule_id, Name="hotter")
    info = call("GetRule", RuleId=rule_id).rule_info
    assert {name for name, value in info.to_map().items() if value is None} == set()
    assert (info.name, info.status, info.topic_type) == ("hotter", "RUNNING", 0)
    page = call("ListRule", CurrentPage=1, PageSize=10)
    assert [(one.id, one.name) for one in page.data.rule_info] == [(rule_id, "hotter")]
    call("StopRule", RuleId=rule_id)
    call("DeleteRuleAction", ActionId=action_id)
    call("DeleteRule", RuleId=rule_id)
    call("CreateDataSourceItem", DataSourceId=1001, Topic=f"/as/mqtt/status/{key}/+")
    (item,) = call(
        "ListDataSourceItem", DataSourceId=1001, Page=1, PageSize=10
    ).data_source_items.data_source_item
    assert (item.product_key, item.topic) == (key, f"/as/mqtt/status/{key}/+")
    call("DeleteDataSourceItem", DataSourceId=1001, DataSourceItemId=item.data_source_item_id)


def subscriptions(call: Caller, key: str, emulator: Emulator) -> None:
    first, second = (
        call("CreateConsumerGroup", GroupName=name).group_id for name in ("billing", "maintenance")
    )
    call("UpdateConsumerGroup", GroupId=first, NewGroupName="invoices")
    assert call("QueryConsumerGroupByGroupId", GroupId=first).data.group_name == "invoices"
    groups = call("QueryConsumerGroupList", CurrentPage=1, PageSize=10)
    assert (groups.total, len(groups.data.consumer_group_dto)) == (3, 3)
    product = {"ProductKey": key, "Type": "AMQP"}
    call("CreateSubscribeRelation", **product, ConsumerGroupIds=[first], DeviceDataFlag=True)
    call("CreateConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
    subscription = call("QuerySubscribeRelation", **product)
    assert (subscription.consumer_group_ids, subscription.device_data_flag) == ([first, second], True)
    with emulator.store.write() as db:
        db.execute("UPDATE consumer_groups SET clients = 1 WHERE group_id = ?", (second,))
    emulator.clock.advance(3600)  # type: ignore[attr-defined]
    assert call("QueryConsumerGroupStatus", GroupId=first).accumulation_count == 24
    for _ in range(3):  # the client may be disconnected
        status = call("QueryConsumerGroupStatus", GroupId=second)
        if status.client_connection_status_list.consumer_group_client_connection_info:
            break
        emulator.clock.advance(3600)  # type: ignore[attr-defined]
    (client,) = status.client_connection_status_list.consumer_group_client_connection_info
    assert all((client.client_id, client.client_ip_port, client.online_time))
    call("ResetConsumerGroupPosition", GroupId=first)
    assert call("QueryConsumerGroupStatus", GroupId=first).accumulation_count == 0
    call("DeleteConsumerGroupSubscribeRelation", ProductKey=key, ConsumerGroupId=second)
    call("UpdateSubscribeRelation", **product, ConsumerGroupIds=[second], OtaEventFlag=True)
    call("DeleteSubscribeRelation", **product)
    call("DeleteConsumerGroup", GroupId=first)
