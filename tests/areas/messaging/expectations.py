"""Who may use the addresses and the operations of topics, and objects to try them with."""

from __future__ import annotations

from iot_client.client import Client
from tests.roles import EVERYBODY, FLEET, FLEET_ACT, FLEET_FORM, PAGE, Expectation, Objects

ADDRESSES = {
    "messaging:list": PAGE,
    "messaging:topics": PAGE,
    "messaging:create": FLEET_FORM,
    "messaging:edit": FLEET_FORM,
    "messaging:delete": FLEET_FORM,
    "messaging:bulk-topics": FLEET_ACT,
    "messaging:device-topics": PAGE,
    "messaging:routes": PAGE,
    "messaging:create-routes": FLEET_FORM,
    "messaging:bulk-routes": FLEET_ACT,
}
OTHER_PARAMETERS = {"short_name"}  # a topic category of the product
OPERATIONS = {
    "list_topic_categories": Expectation(EVERYBODY),
    "create_topic_category": Expectation(FLEET, 201, {"short_name": "made/by_api", "permission": "ALL"}),
    "edit_topic_category": Expectation(FLEET, 204, {"short_name": "renamed_by_api", "permission": "SUB"}),
    "delete_topic_category": Expectation(FLEET, 204),
    "list_topic_routes": Expectation(EVERYBODY, query="topic={topic}"),
    "create_topic_routes": Expectation(FLEET, 200, {"source": "{topic}", "targets": ["{other_topic}"]}),
    "bulk_delete_messaging_products_topics": Expectation(
        FLEET, 200, {"keys": ["{topic_category_id}/{short_name}"]}
    ),
    "bulk_delete_messaging_routes": Expectation(FLEET, 200, {"keys": ["{topic} {other_topic}"]}),
}


def find_objects(cloud: Client, product_key: str) -> Objects:
    """Return the values for the parameters of addresses: a topic category, and topics of two devices with a route."""
    categories = cloud.call("QueryProductTopic", ProductKey=product_key)["Data"]["ProductTopicInfo"]
    devices = cloud.call("QueryDevice", ProductKey=product_key, PageSize=50)["Data"]["DeviceInfo"]
    active = [device["DeviceName"] for device in devices if device["DeviceStatus"] != "UNACTIVE"]
    topic, other_topic = (
        f"/{product_key}/{name}/user/{last}" for name, last in zip(active, ("update", "get"), strict=False)
    )
    cloud.call("CreateTopicRouteTable", SrcTopic=topic, DstTopic=[other_topic])
    return {
        "messaging": {
            "product_key": product_key,
            "short_name": categories[0]["TopicShortName"].rpartition("/user/")[2],
            "name": active[0],
            "action": "delete",
            "topic_category_id": categories[0]["Id"],
            "topic": topic,
            "other_topic": other_topic,
        },
    }
