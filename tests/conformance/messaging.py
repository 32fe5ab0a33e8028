"""Topics, routes between them, and messages."""

from __future__ import annotations

import base64
from typing import Any

from tests.conformance.devices import NO_DEVICE, UNKNOWN_PRODUCT
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Asked, Row, Told

BROKER = "iot.messagebroker."
HELLO = base64.b64encode(b"hello").decode()
NOT_BASE64 = f"{BROKER}MessageContentIsNotBase64Encode"
BAD_NAME = f"{BROKER}InvalidFormattedTopicName"
NO_TOPIC = f"{BROKER}TopicTemplateIsNotFound"


def topic(platform: PreparedPlatform) -> Asked:
    key = platform.product()
    params = {"TopicShortName": "alarms/fire", "Operation": "PUB", "Desc": "Alarms", "Codec": "JSON"}
    told = platform.call("CreateProductTopic", ProductKey=key, **params)
    return {"ProductKey": key, "TopicId": str(told["TopicId"])}


def topics(platform: PreparedPlatform, key: str) -> dict[str, str]:
    """Short name -> operation (0: publish, 1: subscribe, 2: both) of a product's topics."""
    listed = platform.call("QueryProductTopic", ProductKey=key)["Data"]["ProductTopicInfo"]
    return {info["TopicShortName"].rpartition("/user/")[2]: info["Operation"] for info in listed}


def online(platform: PreparedPlatform, *names: str) -> str:
    """A product with devices that are online."""
    key = platform.devices(*(names or ("dev-1", "dev-2")))
    for name in names or ("dev-1", "dev-2"):
        platform.hold(name, status_since=platform.clock.now() - 3_600_000)
    return key


def ends(platform: PreparedPlatform) -> Asked:
    """A source topic and two destinations."""
    key = online(platform)
    return {"SrcTopic": f"/{key}/dev-1/user/update", "DstTopic": [f"/{key}/dev-{n}/user/get" for n in (1, 2)]}


def routed(platform: PreparedPlatform) -> Asked:
    asked = ends(platform)
    platform.call("CreateTopicRouteTable", **asked)
    return asked


def routes(platform: PreparedPlatform, source: str) -> list[str]:
    return sorted(platform.call("QueryTopicRouteTable", Topic=source)["DstTopics"].get("Topic") or [])


def log(platform: PreparedPlatform) -> list[tuple[Any, ...]]:
    """The device and the payload of each message that was delivered; no operation tells them, so the store has to."""
    with platform.emulator.store.read() as db:
        return [tuple(row) for row in db.execute("SELECT device_name, payload FROM messages ORDER BY id")]


NOWHERE = [
    ({"Topic": "/x"}, BAD_NAME),
]
NO_SUCH = [
    ({"Topic": "/a1Unknown00/dev-1/user/get"}, "iot.prod.NotExistedProduct"),
    (lambda w, asked: {"Topic": asked["Topic"].replace("dev-1", "nobody")}, NO_DEVICE),
]


def told_nothing_of(asked: Asked, told: Told) -> bool:
    return told["IsAllSucceed"] is True


ROWS = [
    Row(
        "CreateProductTopic",
        lambda w: {
            "ProductKey": w.product(),
            "TopicShortName": "alarms/fire",
            "Operation": "ALL",
            "Desc": "Alarms",
        },
        "it is listed with the product's topics",
        lambda w, asked, told: topics(w, asked["ProductKey"])["alarms/fire"] == "2",
        bad=[
            ({"TopicShortName": "a-b"}, BAD_NAME),
            ({"TopicShortName": "get"}, f"{BROKER}TopicAlreadyFound"),
            ({"Operation": "READ"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
            ({"Desc": "x" * 101}, "iot.common.InvalidFormattedParameter"),
        ],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateProductTopic",
        lambda w: {
            "TopicId": (made := topic(w))["TopicId"],
            "TopicShortName": f"alarms/{made['ProductKey']}",
            "Operation": "SUB",
            "Desc": "new",
        },
        "name and operation change",
        lambda w, asked, told: (
            topics(w, asked["TopicShortName"].partition("/")[2])[asked["TopicShortName"]] == "1"
        ),
        bad=[
            ({"TopicId": "one"}, f"{BROKER}InvalidFormattedTopicTemplateId"),
            ({"TopicShortName": "update"}, f"{BROKER}TopicAlreadyFound"),
            ({"Operation": "READ"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
        ],
        absent=[({"TopicId": "1"}, NO_TOPIC)],
    ),
    Row(
        "QueryProductTopic",
        lambda w: {"ProductKey": topic(w)["ProductKey"]},
        "a product's own topics and the three that every product has",
        lambda w, asked, told: len(told["Data"]["ProductTopicInfo"]) == 4,
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "DeleteProductTopic",
        lambda w: {"TopicId": topic(w)["TopicId"]},
        "it is gone",
        lambda w, asked, told: w.refused("DeleteProductTopic", **asked) == NO_TOPIC,
        bad=[({"TopicId": "one"}, f"{BROKER}InvalidFormattedTopicTemplateId")],
        absent=[({"TopicId": "1"}, NO_TOPIC)],
    ),
    Row(
        "CreateTopicRouteTable",
        lambda w: (
            (asked := ends(w))
            | {"DstTopic": [*asked["DstTopic"], asked["DstTopic"][0].replace("dev-1", "nobody")]}
        ),
        "two routes are made, and the one that cannot be is named",
        lambda w, asked, told: (
            told["FailureTopics"]["Topic"] == asked["DstTopic"][2:]
            and routes(w, asked["SrcTopic"]) == asked["DstTopic"][:2]
        ),
        bad=[
            ({"SrcTopic": "update"}, f"{BROKER}InvalidFormattedSrcTopicName"),
            (lambda w, asked: {"DstTopic": asked["DstTopic"] * 60}, f"{BROKER}DestTopicNameArraySizeIsLarge"),
        ],
        absent=[
            (
                {"SrcTopic": "/a1Unknown00/dev-1/user/update"},
                f"{BROKER}NotMatchedProductKeyWithSrcTopicOwner",
            ),
            (lambda w, asked: {"SrcTopic": asked["SrcTopic"].replace("dev-1", "nobody")}, NO_DEVICE),
        ],
    ),
    Row(
        "DeleteTopicRouteTable",
        lambda w: (asked := routed(w)) | {"DstTopic": asked["DstTopic"][:1]},
        "one route goes, the other stays",
        lambda w, asked, told: told_nothing_of(asked, told) and len(routes(w, asked["SrcTopic"])) == 1,
        bad=[({"SrcTopic": "update"}, f"{BROKER}InvalidFormattedSrcTopicName")],
        absent=[(lambda w, asked: {"SrcTopic": asked["SrcTopic"].replace("dev-1", "nobody")}, NO_DEVICE)],
        alien=f"{BROKER}NotMatchedProductKeyWithSrcTopicOwner",
        without={"FailureTopics.Topic[]"},
    ),
    Row(
        "DeleteTopicRouteTable",
        lambda w: (
            (asked := routed(w))
            | {"DstTopic": [asked["DstTopic"][0], asked["DstTopic"][0].replace("get", "none")]}
        ),
        "a route that is none is named",
        lambda w, asked, told: told["FailureTopics"]["Topic"] == asked["DstTopic"][1:],
    ),
    Row(
        "QueryTopicReverseRouteTable",
        lambda w: {"Topic": routed(w)["DstTopic"][0]},
        "where messages come from",
        lambda w, asked, told: len(told["SrcTopics"]["Topic"]) == 1,
        bad=NOWHERE,
        absent=NO_SUCH,
    ),
    Row(
        "QueryTopicRouteTable",
        lambda w: {"Topic": routed(w)["SrcTopic"]},
        "where messages go to",
        lambda w, asked, told: len(told["DstTopics"]["Topic"]) == 2,
        bad=NOWHERE,
        absent=NO_SUCH,
    ),
    Row(
        "Pub",
        lambda w: {
            "ProductKey": (key := online(w)),
            "TopicFullName": f"/{key}/dev-1/user/get",
            "MessageContent": HELLO,
            "Qos": 1,
            "UserProp": [{"Key": "k", "Value": "v"}],
        },
        "the message reaches the device",
        lambda w, asked, told: told["MessageId"] and log(w),
        bad=[
            ({"MessageContent": "?"}, NOT_BASE64),
            ({"Qos": 2}, "iot.common.InvalidFormattedParameter"),
            ({"CorrelationData": "?"}, f"{BROKER}CorrelationDataNotBase64Encode"),
            ({"ResponseTopic": "here"}, f"{BROKER}InvalidMqttResponseTopic"),
            ({"UserProp": [{"Key": "k", "Value": "v"}] * 21}, f"{BROKER}TooManyUserProperties"),
            (
                lambda w, asked: {"TopicFullName": asked["TopicFullName"].replace("get", "update")},
                f"{BROKER}InvalidTopicTemplateOperationValue",
            ),
        ],
        absent=[
            UNKNOWN_PRODUCT,
            (
                lambda w, asked: {"TopicFullName": asked["TopicFullName"].replace("dev-1", "nobody")},
                NO_DEVICE,
            ),
            (lambda w, asked: {"TopicFullName": asked["TopicFullName"].replace("get", "unknown")}, NO_TOPIC),
        ],
    ),
    Row(
        "BatchPub",
        lambda w: {
            "ProductKey": online(w),
            "DeviceName": ["dev-1", "dev-2"],
            "TopicShortName": "get",
            "MessageContent": HELLO,
        },
        "the message reaches both devices",
        lambda w, asked, told: len(log(w)) == 2,
        bad=[
            ({"MessageContent": "?"}, NOT_BASE64),
            ({"DeviceName": ["dev-1", "dev-1"]}, "iot.common.InvalidFormattedParameter"),
            ({"TopicShortName": "update"}, f"{BROKER}InvalidTopicTemplateOperationValue"),
        ],
        absent=[
            UNKNOWN_PRODUCT,
            ({"DeviceName": ["dev-1", "nobody"]}, NO_DEVICE),
            ({"TopicShortName": "unknown"}, NO_TOPIC),
        ],
    ),
    Row(
        "PubBroadcast",
        lambda w: {
            "ProductKey": (key := online(w)),
            "TopicFullName": f"/broadcast/{key}/news",
            "MessageContent": HELLO,
        },
        "the message is out",
        lambda w, asked, told: told["MessageId"] and log(w),
        bad=[({"MessageContent": "?"}, NOT_BASE64), ({"TopicFullName": "/broadcast/other/x"}, BAD_NAME)],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "RRpc",
        lambda w: {
            "ProductKey": online(w),
            "DeviceName": "dev-1",
            "RequestBase64Byte": HELLO,
            "Timeout": 8000,
        },
        "the device answers in time",
        lambda w, asked, told: told["RrpcCode"] == "SUCCESS" and base64.b64decode(told["PayloadBase64Byte"]),
        bad=[
            ({"Timeout": 999}, f"{BROKER}InvalidTimeoutValue"),
            ({"RequestBase64Byte": "?"}, NOT_BASE64),
            ({"Topic": "get"}, BAD_NAME),
        ],
        absent=[UNKNOWN_PRODUCT, ({"DeviceName": "nobody"}, NO_DEVICE)],
    ),
    Row(
        "SubscribeTopic",
        lambda w: {
            "ProductKey": (key := online(w)),
            "DeviceName": "dev-1",
            "Topic": [f"/{key}/dev-1/user/get"],
        },
        "the device has subscribed",
        lambda w, asked, told: subscriptions(w) == asked["Topic"],
        missing={
            "ProductKey": "iot.prod.NullProductKey",
            "DeviceName": "iot.device.NullDeviceName",
            "Topic": "Iot.MessageBroker.EmptySubTopicList",
        },
        bad=[(lambda w, asked: {"Topic": [asked["Topic"][0].replace("dev-1", "dev-2")]}, BAD_NAME)],
        absent=[UNKNOWN_PRODUCT, ({"DeviceName": "nobody"}, NO_DEVICE)],
    ),
]


def subscriptions(platform: PreparedPlatform) -> list[str]:
    with platform.emulator.store.read() as db:
        return column([dict(row) for row in db.execute("SELECT topic FROM device_topics")], "topic")
