"""Messages to devices and their responses."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_emulator import Emulator, ManualClock, create_app
from iot_emulator.messaging import log

from .clients import KEY_ID, KEY_SECRET, Api, create_api
from .message_helpers import encode_base64, set_device_status

HELLO = encode_base64("hello world")


@pytest.fixture
def meters(api: Api, emulator: Emulator) -> str:
    """A product with an online device and an offline one."""
    key = api.create_product("Meters")
    for name, status in (("here", "ONLINE"), ("away", "OFFLINE")):
        api.register_device(key, name)
        set_device_status(emulator, key, name, status)
    return key


def list_messages(emulator: Emulator, limit: int = 10) -> list[log.Message]:
    """Return the newest messages of the first account."""
    with emulator.store.read() as db:
        return log.recent_messages(db, KEY_ID, emulator.clock.now(), limit)


class TestPub:
    def test_a_message_reaches_an_online_device(self, api: Api, emulator: Emulator, meters: str) -> None:
        topic = f"/{meters}/here/user/get"
        response = api.call("Pub", ProductKey=meters, TopicFullName=topic, MessageContent=HELLO)
        (message,) = list_messages(emulator)
        assert str(message.message_id) == response["MessageId"]
        assert (message.topic, message.device_name, message.payload) == (topic, "here", b"hello world")
        assert (message.direction, message.qos, message.outcome) == ("down", 0, "delivered")

    def test_an_offline_device_loses_qos_0_and_gets_qos_1_when_it_connects(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        params = {
            "ProductKey": meters,
            "TopicFullName": f"/{meters}/away/user/get",
            "MessageContent": HELLO,
        }
        api.call("Pub", **params)
        api.call("Pub", **params, Qos=1)
        assert [message.outcome for message in list_messages(emulator)] == ["stored", "lost"]
        api.clock.advance(60)
        set_device_status(emulator, meters, "away", "ONLINE", ago=0)
        assert [message.outcome for message in list_messages(emulator)] == ["delivered", "lost"]

    def test_a_qos_1_message_expires_after_seven_days(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        topic = f"/{meters}/away/user/get"
        api.call("Pub", ProductKey=meters, TopicFullName=topic, MessageContent=HELLO, Qos=1)
        api.clock.advance(8 * 86400)
        assert list_messages(emulator)[0].outcome == "expired"

    def test_routes_forward_a_message_only_once(self, api: Api, emulator: Emulator, meters: str) -> None:
        api.call("CreateProductTopic", ProductKey=meters, TopicShortName="relay", Operation="ALL")
        here, away = (f"/{meters}/{name}/user/relay" for name in ("here", "away"))
        api.call("CreateTopicRouteTable", SrcTopic=here, DstTopic=[away])
        api.call("CreateTopicRouteTable", SrcTopic=away, DstTopic=[here])
        api.call("Pub", ProductKey=meters, TopicFullName=here, MessageContent=HELLO)
        assert [(m.topic, m.outcome) for m in list_messages(emulator)] == [
            (away, "lost"),
            (here, "delivered"),
        ]

    def test_mqtt_5_properties_are_accepted(self, api: Api, meters: str) -> None:
        api.call(
            "Pub",
            ProductKey=meters,
            TopicFullName=f"/{meters}/here/user/get",
            MessageContent=HELLO,
            ResponseTopic=f"/{meters}/here/user/update",
            CorrelationData=encode_base64("42"),
            UserProp=[{"Key": "k1", "Value": "v1"}],
        )

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"MessageContent": None}, "MissingMessageContent"),
            ({"MessageContent": "not base64!"}, "iot.messagebroker.MessageContentIsNotBase64Encode"),
            ({"MessageContent": "aGVsb"}, "iot.messagebroker.MessageContentIsNotBase64Encode"),
            (
                {"MessageContent": encode_base64("x" * (256 * 1024 + 1))},
                "iot.messagebroker.PublishMessageFailed",
            ),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"TopicFullName": "/{key}/nobody/user/get"}, "iot.device.NotExistedDevice"),
            ({"TopicFullName": "/{key}/here/user/unknown"}, "iot.messagebroker.TopicTemplateIsNotFound"),
            (
                {"TopicFullName": "/{key}/here/user/update"},
                "iot.messagebroker.InvalidTopicTemplateOperationValue",
            ),
            ({"TopicFullName": "/a1other0000/here/user/get"}, "iot.messagebroker.InvalidFormattedTopicName"),
            (
                {"TopicFullName": "/sys/{key}/here/thing/service/property/set"},
                "iot.messagebroker.InvalidFormattedTopicName",
            ),
            ({"Qos": 2}, "iot.common.InvalidFormattedParameter"),
            ({"ResponseTopic": "here"}, "iot.messagebroker.InvalidMqttResponseTopic"),
            ({"CorrelationData": "?"}, "iot.messagebroker.CorrelationDataNotBase64Encode"),
            (
                {"CorrelationData": encode_base64("x" * 100)},
                "iot.messagebroker.CorrelationDataExceedMaxLength",
            ),
            ({"UserProp": [{"Key": "k"}]}, "iot.messagebroker.InvalidUserProperty"),
            ({"UserProp": [{"Key": "k", "Value": "v"}] * 21}, "iot.messagebroker.TooManyUserProperties"),
            (
                {"UserProp": [{"Key": "k", "Value": "v" * 8192}]},
                "iot.messagebroker.UserPropertyListExceedMaxLength",
            ),
        ],
    )
    def test_invalid_calls_are_refused(
        self, api: Api, emulator: Emulator, meters: str, change: dict[str, Any], code: str
    ) -> None:
        params = {
            "ProductKey": meters,
            "TopicFullName": "/{key}/here/user/get",
            "MessageContent": HELLO,
            **change,
        }
        params["TopicFullName"] = params["TopicFullName"].format(key=meters)
        assert api.error_code("Pub", **params) == code
        assert list_messages(emulator) == []

    def test_the_log_has_a_limited_size(self, api: Api, emulator: Emulator, meters: str) -> None:
        names = [f"node{n}" for n in range(100)]
        api.register_devices(meters, *names)
        for _ in range(12):
            api.call(
                "BatchPub",
                ProductKey=meters,
                DeviceName=names,
                TopicShortName="get",
                MessageContent=encode_base64("x" * 5000),
            )
        messages = list_messages(emulator, 5000)
        assert len(messages) <= log.MAX_MESSAGES
        with emulator.store.read() as db:
            (stored_count,) = db.execute("SELECT count(*) FROM messages").fetchone()
        assert log.MAX_MESSAGES <= stored_count < log.MAX_MESSAGES + 100
        assert (messages[0].size, len(messages[0].payload)) == (5000, log.MAX_PAYLOAD_BYTES)


class TestBatchPub:
    def test_each_device_gets_the_message(self, api: Api, emulator: Emulator, meters: str) -> None:
        api.call(
            "BatchPub",
            ProductKey=meters,
            DeviceName=["here", "away"],
            TopicShortName="get",
            MessageContent=HELLO,
            Qos=1,
        )
        assert [(m.device_name, m.outcome) for m in list_messages(emulator)] == [
            ("away", "stored"),
            ("here", "delivered"),
        ]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"DeviceName": None}, "MissingDeviceName"),
            ({"DeviceName": ["here", "nobody"]}, "iot.device.NotExistedDevice"),
            ({"DeviceName": ["here", "here"]}, "iot.common.InvalidFormattedParameter"),
            ({"DeviceName": [f"d{n}" for n in range(101)]}, "iot.device.InvalidFormattedDeviceName"),
            ({"TopicShortName": "unknown"}, "iot.messagebroker.TopicTemplateIsNotFound"),
            ({"TopicShortName": "update"}, "iot.messagebroker.InvalidTopicTemplateOperationValue"),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"MessageContent": "?"}, "iot.messagebroker.MessageContentIsNotBase64Encode"),
        ],
    )
    def test_a_refused_call_sends_no_message(
        self, api: Api, emulator: Emulator, meters: str, change: dict[str, Any], code: str
    ) -> None:
        params = {
            "ProductKey": meters,
            "DeviceName": ["here"],
            "TopicShortName": "get",
            "MessageContent": HELLO,
            **change,
        }
        assert api.error_code("BatchPub", **params) == code
        assert list_messages(emulator) == []


class TestBroadcast:
    @pytest.fixture
    def limited_api(self, tmp_path: Path) -> Iterator[tuple[Api, ManualClock]]:
        """A client of an emulator with quotas, and the wall clock of the quotas."""
        wall = ManualClock(int(time.time()) // 60 * 60_000)
        emulator = create_app(
            tmp_path / "limited.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=ManualClock(), wall=wall
        )
        yield create_api(emulator), wall
        emulator.close()

    def test_a_broadcast_reaches_all_online_devices_of_a_product(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        response = api.call("PubBroadcast", ProductKey=meters, MessageContent=HELLO)
        (message,) = list_messages(emulator)
        assert message.message_id == response["MessageId"]
        assert message.topic == f"/sys/{meters}/${{deviceName}}/broadcast/request/{response['MessageId']}"
        assert (message.recipients, message.outcome) == (1, "delivered")

    def test_a_broadcast_topic_reaches_its_online_subscribers(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        topic = f"/broadcast/{meters}/north"
        params = {"ProductKey": meters, "TopicFullName": topic, "MessageContent": HELLO}
        api.call("PubBroadcast", **params)
        for name in ("here", "away"):
            api.call("SubscribeTopic", ProductKey=meters, DeviceName=name, Topic=[topic])
        api.call("PubBroadcast", **params)
        assert [message.recipients for message in list_messages(emulator)] == [1, 0]

    def test_a_broadcast_to_a_product_is_allowed_once_a_minute(
        self, limited_api: tuple[Api, ManualClock]
    ) -> None:
        api, wall = limited_api
        key = api.create_product()
        api.call("PubBroadcast", ProductKey=key, MessageContent=HELLO)
        wall.advance(2)
        assert api.error_code("PubBroadcast", ProductKey=key, MessageContent=HELLO) == "Throttling.User"
        wall.advance(2)
        api.call(
            "PubBroadcast", ProductKey=key, MessageContent=HELLO, TopicFullName=f"/broadcast/{key}/north"
        )
        wall.advance(58)
        api.call("PubBroadcast", ProductKey=key, MessageContent=HELLO)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"ProductKey": None}, "MissingProductKey"),
            ({"MessageContent": None}, "MissingMessageContent"),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"TopicFullName": "/broadcast/a1other0000/x"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"TopicFullName": "/here/user/get"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"MessageContent": "?"}, "iot.messagebroker.MessageContentIsNotBase64Encode"),
            (
                {"MessageContent": encode_base64("x" * (64 * 1024 + 1))},
                "iot.messagebroker.PublishMessageFailed",
            ),
        ],
    )
    def test_invalid_calls_are_refused(
        self, api: Api, meters: str, change: dict[str, Any], code: str
    ) -> None:
        assert (
            api.error_code("PubBroadcast", **{"ProductKey": meters, "MessageContent": HELLO, **change})
            == code
        )

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"Topic": None}, "Iot.MessageBroker.EmptySubTopicList"),
            ({"DeviceName": None}, "iot.device.NullDeviceName"),
            ({"ProductKey": None}, "iot.prod.NullProductKey"),
            ({"DeviceName": "nobody"}, "iot.device.NotExistedDevice"),
            ({"Topic": ["/{key}/away/user/get"]}, "iot.messagebroker.InvalidFormattedTopicName"),
            (
                {"Topic": ["/{key}/here/user/update"]},
                "iot.messagebroker.InvalidTopicTemplateOperationValue",
            ),
        ],
    )
    def test_invalid_subscriptions_are_refused(
        self, api: Api, meters: str, change: dict[str, Any], code: str
    ) -> None:
        params = {"ProductKey": meters, "DeviceName": "here", "Topic": ["/{key}/here/user/get"], **change}
        if params["Topic"]:
            params["Topic"] = [topic.format(key=meters) for topic in params["Topic"]]
        assert api.error_code("SubscribeTopic", **params) == code


class TestRRpc:
    def call_rrpc(
        self, api: Api, key: str, name: str = "here", content: str = "ping", **more: Any
    ) -> dict[str, Any]:
        return api.call(
            "RRpc",
            **{
                "ProductKey": key,
                "DeviceName": name,
                "RequestBase64Byte": encode_base64(content),
                "Timeout": 5000,
                **more,
            },
        )

    def rrpc_error_code(self, api: Api, key: str, name: str, **more: Any) -> str:
        return api.error_code(
            "RRpc",
            **{
                "ProductKey": key,
                "DeviceName": name,
                "RequestBase64Byte": HELLO,
                "Timeout": 5000,
                **more,
            },
        )

    def test_an_online_device_responds(self, api: Api, emulator: Emulator, meters: str) -> None:
        response = self.call_rrpc(api, meters)
        assert response["RrpcCode"] == "SUCCESS"
        assert base64.b64decode(response["PayloadBase64Byte"]) == b"ping"
        response_message, request_message = list_messages(emulator)
        assert (request_message.direction, response_message.direction) == ("down", "up")
        assert request_message.topic == f"/sys/{meters}/here/rrpc/request/{response['MessageId']}"
        assert response_message.topic == f"/sys/{meters}/here/rrpc/response/{response['MessageId']}"

    def test_an_alink_request_gets_an_alink_response(self, api: Api, meters: str) -> None:
        request = {"id": "7", "version": "1.0", "method": "x", "params": {"on": 1}}
        response = self.call_rrpc(api, meters, content=json.dumps(request))
        reply = json.loads(base64.b64decode(response["PayloadBase64Byte"]))
        assert reply == {"id": "7", "code": 200, "data": {"on": 1}}

    def test_a_request_can_use_a_custom_topic(self, api: Api, emulator: Emulator, meters: str) -> None:
        response = self.call_rrpc(api, meters, Topic=f"/{meters}/here/user/get")
        topics = {message.topic for message in list_messages(emulator)}
        assert topics == {f"/ext/rrpc/{response['MessageId']}/{meters}/here/user/get"}

    def test_an_offline_device_is_half_connected_at_first(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        set_device_status(emulator, meters, "away", "OFFLINE", ago=10)
        assert self.rrpc_error_code(api, meters, "away") == "iot.messagebroker.HALFCONN"
        api.clock.advance(600)
        assert self.rrpc_error_code(api, meters, "away") == "iot.messagebroker.OFFLINE"
        assert [message.outcome for message in list_messages(emulator)] == ["lost", "lost"]

    def test_the_error_has_its_reason_in_rrpc_code(self, api: Api, emulator: Emulator, meters: str) -> None:
        with pytest.raises(Exception) as error:  # noqa: PT011 - looked into below
            self.call_rrpc(api, meters, "away")
        assert error.value.response["RrpcCode"] == "OFFLINE"  # type: ignore[attr-defined]

    def test_a_slow_device_causes_timeouts(self, api: Api, emulator: Emulator) -> None:
        key = api.create_product("Saving_power", NetType="CELLULAR")
        api.register_device(key, "asleep")
        set_device_status(emulator, key, "asleep")
        codes = set()
        for number in range(60):
            try:
                codes.add(self.call_rrpc(api, key, "asleep", f"ping {number}", Timeout=1000)["RrpcCode"])
            except Exception as error:
                codes.add(error.code)  # type: ignore[attr-defined]
        assert codes == {"SUCCESS", "iot.messagebroker.TIMEOUT"}

    def test_a_sub_device_is_unreachable_without_its_gateway(self, api: Api, emulator: Emulator) -> None:
        gateways, sensors = api.create_product("Gateways", NodeType=1), api.create_product("Sensors")
        gateway, sensor = api.register_device(gateways, "gate"), api.register_device(sensors, "leaf")
        topology = [
            {"IotId": sensor["IotId"], "ProductKey": sensors, "DeviceName": "leaf"},
        ]
        with emulator.store.write() as db:
            db.execute("INSERT INTO topology VALUES (?, ?)", (topology[0]["IotId"], gateway["IotId"]))
        set_device_status(emulator, sensors, "leaf")
        assert self.rrpc_error_code(api, sensors, "leaf") == "iot.messagebroker.RrpcFailed"
        set_device_status(emulator, gateways, "gate")
        assert self.call_rrpc(api, sensors, "leaf")["RrpcCode"] == "SUCCESS"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"Timeout": 999}, "iot.messagebroker.InvalidTimeoutValue"),
            ({"Timeout": 8001}, "iot.messagebroker.InvalidTimeoutValue"),
            ({"Timeout": None}, "MissingTimeout"),
            ({"RequestBase64Byte": "?"}, "iot.messagebroker.MessageContentIsNotBase64Encode"),
            ({"DeviceName": "nobody"}, "iot.device.NotExistedDevice"),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"Topic": "get"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"Topic": "/sys/x"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"Topic": "/a1other0000/here/user/get"}, "iot.messagebroker.InvalidFormattedTopicName"),
        ],
    )
    def test_invalid_calls_are_refused(
        self, api: Api, meters: str, change: dict[str, Any], code: str
    ) -> None:
        assert self.rrpc_error_code(api, meters, "here", **change) == code
