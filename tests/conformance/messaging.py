"""Topics, topic routes and messages."""

from __future__ import annotations

import base64
from typing import Any

from tests.conformance.devices import NO_DEVICE, UNKNOWN_PRODUCT
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Request, Response, Row

BROKER = "iot.messagebroker."
HELLO = base64.b64encode(b"hello").decode()
NOT_BASE64 = f"{BROKER}MessageContentIsNotBase64Encode"
INVALID_TOPIC = f"{BROKER}InvalidFormattedTopicName"
UNKNOWN_TOPIC = f"{BROKER}TopicTemplateIsNotFound"


def create_topic(platform: PreparedPlatform) -> Request:
    key = platform.create_product()
    params = {"TopicShortName": "alarms/fire", "Operation": "PUB", "Desc": "Alarms", "Codec": "JSON"}
    response = platform.call("CreateProductTopic", ProductKey=key, **params)
    return {"ProductKey": key, "TopicId": str(response["TopicId"])}


def list_topics(platform: PreparedPlatform, key: str) -> dict[str, str]:
    """Map the short name of each topic of a product to its operation (0: publish, 1: subscribe, 2: both)."""
    listed = platform.call("QueryProductTopic", ProductKey=key)["Data"]["ProductTopicInfo"]
    return {info["TopicShortName"].rpartition("/user/")[2]: info["Operation"] for info in listed}


def register_online_devices(platform: PreparedPlatform, *names: str) -> str:
    """Register online devices; returns their ProductKey."""
    key = platform.register_devices(*(names or ("dev-1", "dev-2")))
    for name in names or ("dev-1", "dev-2"):
        platform.set_device_status(name, status_since=platform.clock.now() - 3_600_000)
    return key


def build_route(platform: PreparedPlatform) -> Request:
    """Build a route with a source topic and two destination topics."""
    key = register_online_devices(platform)
    return {"SrcTopic": f"/{key}/dev-1/user/update", "DstTopic": [f"/{key}/dev-{n}/user/get" for n in (1, 2)]}


def create_route(platform: PreparedPlatform) -> Request:
    request = build_route(platform)
    platform.call("CreateTopicRouteTable", **request)
    return request


def list_routes(platform: PreparedPlatform, source: str) -> list[str]:
    return sorted(platform.call("QueryTopicRouteTable", Topic=source)["DstTopics"].get("Topic") or [])


def read_delivered_messages(platform: PreparedPlatform) -> list[tuple[Any, ...]]:
    """Read the device and payload of each delivered message from the store, because no operation returns them."""
    with platform.emulator.store.read() as db:
        return [tuple(row) for row in db.execute("SELECT device_name, payload FROM messages ORDER BY id")]


INVALID_TOPICS = [
    ({"Topic": "/x"}, INVALID_TOPIC),
]
UNKNOWN_TOPICS = [
    ({"Topic": "/a1Unknown00/dev-1/user/get"}, "iot.prod.NotExistedProduct"),
    (lambda platform, request: {"Topic": request["Topic"].replace("dev-1", "nobody")}, NO_DEVICE),
]


def all_succeeded(request: Request, response: Response) -> bool:
    return response["IsAllSucceed"] is True


ROWS = [
    Row(
        "CreateProductTopic",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "TopicShortName": "alarms/fire",
            "Operation": "ALL",
            "Desc": "Alarms",
        },
        "it is listed with the product's topics",
        lambda platform, request, response: (
            list_topics(platform, request["ProductKey"])["alarms/fire"] == "2"
        ),
        invalid=[
            ({"TopicShortName": "a-b"}, INVALID_TOPIC),
            ({"TopicShortName": "get"}, f"{BROKER}TopicAlreadyFound"),
            ({"Operation": "READ"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
            ({"Desc": "x" * 101}, "iot.common.InvalidFormattedParameter"),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateProductTopic",
        lambda platform: {
            "TopicId": (created := create_topic(platform))["TopicId"],
            "TopicShortName": f"alarms/{created['ProductKey']}",
            "Operation": "SUB",
            "Desc": "new",
        },
        "name and operation change",
        lambda platform, request, response: (
            list_topics(platform, request["TopicShortName"].partition("/")[2])[request["TopicShortName"]]
            == "1"
        ),
        invalid=[
            ({"TopicId": "one"}, f"{BROKER}InvalidFormattedTopicTemplateId"),
            ({"TopicShortName": "update"}, f"{BROKER}TopicAlreadyFound"),
            ({"Operation": "READ"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
        ],
        not_found=[({"TopicId": "1"}, UNKNOWN_TOPIC)],
    ),
    Row(
        "QueryProductTopic",
        lambda platform: {"ProductKey": create_topic(platform)["ProductKey"]},
        "a product's own topics and the three that every product has",
        lambda platform, request, response: len(response["Data"]["ProductTopicInfo"]) == 4,
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "DeleteProductTopic",
        lambda platform: {"TopicId": create_topic(platform)["TopicId"]},
        "the topic is deleted",
        lambda platform, request, response: (
            platform.error_code("DeleteProductTopic", **request) == UNKNOWN_TOPIC
        ),
        invalid=[({"TopicId": "one"}, f"{BROKER}InvalidFormattedTopicTemplateId")],
        not_found=[({"TopicId": "1"}, UNKNOWN_TOPIC)],
    ),
    Row(
        "CreateTopicRouteTable",
        lambda platform: (
            (request := build_route(platform))
            | {"DstTopic": [*request["DstTopic"], request["DstTopic"][0].replace("dev-1", "nobody")]}
        ),
        "two routes are created, and the invalid one is returned",
        lambda platform, request, response: (
            response["FailureTopics"]["Topic"] == request["DstTopic"][2:]
            and list_routes(platform, request["SrcTopic"]) == request["DstTopic"][:2]
        ),
        invalid=[
            ({"SrcTopic": "update"}, f"{BROKER}InvalidFormattedSrcTopicName"),
            (
                lambda platform, request: {"DstTopic": request["DstTopic"] * 60},
                f"{BROKER}DestTopicNameArraySizeIsLarge",
            ),
        ],
        not_found=[
            (
                {"SrcTopic": "/a1Unknown00/dev-1/user/update"},
                f"{BROKER}NotMatchedProductKeyWithSrcTopicOwner",
            ),
            (
                lambda platform, request: {"SrcTopic": request["SrcTopic"].replace("dev-1", "nobody")},
                NO_DEVICE,
            ),
        ],
    ),
    Row(
        "DeleteTopicRouteTable",
        lambda platform: (request := create_route(platform)) | {"DstTopic": request["DstTopic"][:1]},
        "one route is deleted, the other is kept",
        lambda platform, request, response: (
            all_succeeded(request, response) and len(list_routes(platform, request["SrcTopic"])) == 1
        ),
        invalid=[({"SrcTopic": "update"}, f"{BROKER}InvalidFormattedSrcTopicName")],
        not_found=[
            (
                lambda platform, request: {"SrcTopic": request["SrcTopic"].replace("dev-1", "nobody")},
                NO_DEVICE,
            )
        ],
        other_account_code=f"{BROKER}NotMatchedProductKeyWithSrcTopicOwner",
        absent_fields={"FailureTopics.Topic[]"},
    ),
    Row(
        "DeleteTopicRouteTable",
        lambda platform: (
            (request := create_route(platform))
            | {"DstTopic": [request["DstTopic"][0], request["DstTopic"][0].replace("get", "none")]}
        ),
        "the unknown route is returned",
        lambda platform, request, response: response["FailureTopics"]["Topic"] == request["DstTopic"][1:],
    ),
    Row(
        "QueryTopicReverseRouteTable",
        lambda platform: {"Topic": create_route(platform)["DstTopic"][0]},
        "the source topics",
        lambda platform, request, response: len(response["SrcTopics"]["Topic"]) == 1,
        invalid=INVALID_TOPICS,
        not_found=UNKNOWN_TOPICS,
    ),
    Row(
        "QueryTopicRouteTable",
        lambda platform: {"Topic": create_route(platform)["SrcTopic"]},
        "the destination topics",
        lambda platform, request, response: len(response["DstTopics"]["Topic"]) == 2,
        invalid=INVALID_TOPICS,
        not_found=UNKNOWN_TOPICS,
    ),
    Row(
        "Pub",
        lambda platform: {
            "ProductKey": (key := register_online_devices(platform)),
            "TopicFullName": f"/{key}/dev-1/user/get",
            "MessageContent": HELLO,
            "Qos": 1,
            "UserProp": [{"Key": "k", "Value": "v"}],
        },
        "the message reaches the device",
        lambda platform, request, response: response["MessageId"] and read_delivered_messages(platform),
        invalid=[
            ({"MessageContent": "?"}, NOT_BASE64),
            ({"Qos": 2}, "iot.common.InvalidFormattedParameter"),
            ({"CorrelationData": "?"}, f"{BROKER}CorrelationDataNotBase64Encode"),
            ({"ResponseTopic": "here"}, f"{BROKER}InvalidMqttResponseTopic"),
            ({"UserProp": [{"Key": "k", "Value": "v"}] * 21}, f"{BROKER}TooManyUserProperties"),
            (
                lambda platform, request: {
                    "TopicFullName": request["TopicFullName"].replace("get", "update")
                },
                f"{BROKER}InvalidTopicTemplateOperationValue",
            ),
        ],
        not_found=[
            UNKNOWN_PRODUCT,
            (
                lambda platform, request: {
                    "TopicFullName": request["TopicFullName"].replace("dev-1", "nobody")
                },
                NO_DEVICE,
            ),
            (
                lambda platform, request: {
                    "TopicFullName": request["TopicFullName"].replace("get", "unknown")
                },
                UNKNOWN_TOPIC,
            ),
        ],
    ),
    Row(
        "BatchPub",
        lambda platform: {
            "ProductKey": register_online_devices(platform),
            "DeviceName": ["dev-1", "dev-2"],
            "TopicShortName": "get",
            "MessageContent": HELLO,
        },
        "the message reaches both devices",
        lambda platform, request, response: len(read_delivered_messages(platform)) == 2,
        invalid=[
            ({"MessageContent": "?"}, NOT_BASE64),
            ({"DeviceName": ["dev-1", "dev-1"]}, "iot.common.InvalidFormattedParameter"),
            ({"TopicShortName": "update"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
        ],
        not_found=[
            UNKNOWN_PRODUCT,
            ({"DeviceName": ["dev-1", "nobody"]}, NO_DEVICE),
            ({"TopicShortName": "unknown"}, UNKNOWN_TOPIC),
        ],
    ),
    Row(
        "PubBroadcast",
        lambda platform: {
            "ProductKey": (key := register_online_devices(platform)),
            "TopicFullName": f"/broadcast/{key}/news",
            "MessageContent": HELLO,
        },
        "the message is sent",
        lambda platform, request, response: response["MessageId"] and read_delivered_messages(platform),
        invalid=[
            ({"MessageContent": "?"}, NOT_BASE64),
            ({"TopicFullName": "/broadcast/other/x"}, INVALID_TOPIC),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "RRpc",
        lambda platform: {
            "ProductKey": register_online_devices(platform),
            "DeviceName": "dev-1",
            "RequestBase64Byte": HELLO,
            "Timeout": 8000,
        },
        "the device responds in time",
        lambda platform, request, response: (
            response["RrpcCode"] == "SUCCESS" and base64.b64decode(response["PayloadBase64Byte"])
        ),
        invalid=[
            ({"Timeout": 999}, f"{BROKER}InvalidTimeoutValue"),
            ({"RequestBase64Byte": "?"}, NOT_BASE64),
            ({"Topic": "get"}, INVALID_TOPIC),
        ],
        not_found=[UNKNOWN_PRODUCT, ({"DeviceName": "nobody"}, NO_DEVICE)],
    ),
    Row(
        "SubscribeTopic",
        lambda platform: {
            "ProductKey": (key := register_online_devices(platform)),
            "DeviceName": "dev-1",
            "Topic": [f"/{key}/dev-1/user/get"],
        },
        "the device has subscribed",
        lambda platform, request, response: read_subscriptions(platform) == request["Topic"],
        missing={
            "ProductKey": "iot.prod.NullProductKey",
            "DeviceName": "iot.device.NullDeviceName",
            "Topic": "Iot.MessageBroker.EmptySubTopicList",
        },
        invalid=[
            (
                lambda platform, request: {"Topic": [request["Topic"][0].replace("dev-1", "dev-2")]},
                INVALID_TOPIC,
            )
        ],
        not_found=[UNKNOWN_PRODUCT, ({"DeviceName": "nobody"}, NO_DEVICE)],
    ),
]


def read_subscriptions(platform: PreparedPlatform) -> list[str]:
    with platform.emulator.store.read() as db:
        return column([dict(row) for row in db.execute("SELECT topic FROM device_topics")], "topic")
