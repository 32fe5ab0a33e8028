"""Topic categories of products, and topic routes."""

from __future__ import annotations

from typing import Any

import pytest

from iot_emulator import Emulator

from .clients import Api
from .message_helpers import set_device_status


@pytest.fixture
def meters(api: Api, emulator: Emulator) -> str:
    """A product with three activated devices."""
    key = api.create_product("Meters")
    for name in ("dev-1", "dev-2", "dev-3"):
        api.register_device(key, name)
        set_device_status(emulator, key, name)
    return key


def list_categories(api: Api, key: str) -> dict[str, dict[str, Any]]:
    """Return the topic categories of a product by short name."""
    listed = api.call("QueryProductTopic", ProductKey=key)["Data"]["ProductTopicInfo"]
    return {topic["TopicShortName"].partition("/user/")[2]: topic for topic in listed}


class TestCategories:
    def test_a_new_product_has_three_topic_categories(self, api: Api) -> None:
        key = api.create_product()
        categories = list_categories(api, key)
        assert {name: topic["Operation"] for name, topic in categories.items()} == {
            "update": "0",
            "update/error": "0",
            "get": "1",
        }
        assert categories["get"]["TopicShortName"] == f"/{key}/${{deviceName}}/user/get"
        assert categories["get"]["ProductKey"] == key

    def test_a_created_category_is_listed_with_permission_and_description(self, api: Api) -> None:
        key = api.create_product()
        response = api.call(
            "CreateProductTopic",
            ProductKey=key,
            TopicShortName="submit/raw",
            Operation="ALL",
            Desc="Raw values",
        )
        topic = list_categories(api, key)["submit/raw"]
        assert topic["Id"] == str(response["TopicId"])
        assert (topic["Operation"], topic["Desc"]) == ("2", "Raw values")

    def test_name_and_permission_can_be_changed(self, api: Api) -> None:
        key = api.create_product()
        topic_id = list_categories(api, key)["get"]["Id"]
        api.call("UpdateProductTopic", TopicId=topic_id, TopicShortName="fetch", Operation="PUB")
        categories = list_categories(api, key)
        assert "get" not in categories
        assert (categories["fetch"]["Id"], categories["fetch"]["Operation"]) == (topic_id, "0")

    def test_a_deleted_category_is_gone(self, api: Api) -> None:
        key = api.create_product()
        topic_id = list_categories(api, key)["get"]["Id"]
        api.call("DeleteProductTopic", TopicId=topic_id)
        assert set(list_categories(api, key)) == {"update", "update/error"}
        assert (
            api.error_code("DeleteProductTopic", TopicId=topic_id)
            == "iot.messagebroker.TopicTemplateIsNotFound"
        )

    def test_a_product_has_at_most_fifty_categories(self, api: Api) -> None:
        key = api.create_product()
        for number in range(47):
            api.call("CreateProductTopic", ProductKey=key, TopicShortName=f"t{number}", Operation="PUB")
        error = api.error_code("CreateProductTopic", ProductKey=key, TopicShortName="more", Operation="PUB")
        assert error == "iot.messagebroker.TopicTemplateCountExceedMax"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"TopicShortName": "get"}, "iot.messagebroker.TopicAlreadyFound"),
            ({"TopicShortName": "a//b"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"TopicShortName": "a-b"}, "iot.messagebroker.InvalidFormattedTopicName"),
            ({"Operation": "READ"}, "iot.messagebroker.InvalidTopicTemplateOperationValue"),
            ({"ProductKey": "a1nothing00"}, "iot.prod.NotExistedProduct"),
            ({"Desc": "x" * 101}, "iot.common.InvalidFormattedParameter"),
            ({"TopicShortName": None}, "MissingTopicShortName"),
        ],
    )
    def test_invalid_categories_are_refused(self, api: Api, change: dict[str, Any], code: str) -> None:
        params = {
            "ProductKey": api.create_product(),
            "TopicShortName": "submit",
            "Operation": "PUB",
            **change,
        }
        assert api.error_code("CreateProductTopic", **params) == code

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"TopicId": "1"}, "iot.messagebroker.TopicTemplateIsNotFound"),
            ({"TopicId": "one"}, "iot.messagebroker.InvalidFormattedTopicTemplateId"),
            ({"TopicId": None}, "MissingTopicId"),
            ({"TopicShortName": "update"}, "iot.messagebroker.TopicAlreadyFound"),
            ({"Operation": None}, "MissingOperation"),
        ],
    )
    def test_invalid_changes_are_refused(self, api: Api, change: dict[str, Any], code: str) -> None:
        topic_id = list_categories(api, api.create_product())["get"]["Id"]
        params = {"TopicId": topic_id, "TopicShortName": "fetch", "Operation": "SUB", **change}
        assert api.error_code("UpdateProductTopic", **params) == code

    def test_another_account_sees_no_categories(self, api: Api, other_api: Api) -> None:
        key = api.create_product()
        topic_id = list_categories(api, key)["get"]["Id"]
        assert other_api.error_code("QueryProductTopic", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert (
            other_api.error_code("DeleteProductTopic", TopicId=topic_id)
            == "iot.messagebroker.TopicTemplateIsNotFound"
        )

    def test_categories_are_deleted_with_their_product(self, api: Api) -> None:
        key = api.create_product()
        topic_id = list_categories(api, key)["get"]["Id"]
        api.call("DeleteProduct", ProductKey=key)
        assert api.error_code("QueryProductTopic", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert (
            api.error_code("DeleteProductTopic", TopicId=topic_id)
            == "iot.messagebroker.TopicTemplateIsNotFound"
        )
        assert api.error_code("QueryProductTopic") == "MissingProductKey"


class TestRoutes:
    def test_a_created_route_is_found_from_both_ends(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        targets = [f"/{meters}/{name}/user/get" for name in ("dev-2", "dev-3")]
        response = api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=targets)
        assert (response["IsAllSucceed"], response["FailureTopics"]["Topic"]) == (True, [])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == targets
        assert api.call("QueryTopicReverseRouteTable", Topic=targets[0])["SrcTopics"]["Topic"] == [source]

    def test_invalid_destinations_are_returned_and_valid_ones_are_routed(self, api: Api, meters: str) -> None:
        source, good = f"/{meters}/dev-1/user/update", f"/{meters}/dev-2/user/get"
        bad = [
            f"/{meters}/nobody/user/get",
            f"/{meters}/dev-2/user/unknown",
            f"/sys/{meters}/dev-2/thing/service/property/set",
            source,
        ]
        response = api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=[good, *bad])
        assert (response["IsAllSucceed"], response["FailureTopics"]["Topic"]) == (False, bad)
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == [good]

    def test_deletion_returns_unknown_destinations(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        first, second = f"/{meters}/dev-2/user/get", f"/{meters}/dev-3/user/get"
        api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=[first])
        response = api.call("DeleteTopicRouteTable", SrcTopic=source, DstTopic=[first, second])
        assert (response["IsAllSucceed"], response["FailureTopics"]["Topic"]) == (False, [second])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == []

    def test_a_source_has_at_most_a_hundred_destinations(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        many = [f"/{meters}/dev-{n}/user/get" for n in range(101)]
        error = api.error_code("CreateTopicRouteTable", SrcTopic=source, DstTopic=many)
        assert error == "iot.messagebroker.DestTopicNameArraySizeIsLarge"
        names = [f"node{n}" for n in range(100)]
        api.register_devices(meters, *names)
        first = [f"/{meters}/{name}/user/get" for name in names]
        assert api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=first)["IsAllSucceed"] is True
        one_more = api.error_code(
            "CreateTopicRouteTable", SrcTopic=source, DstTopic=[f"/{meters}/dev-2/user/get"]
        )
        assert one_more == "iot.messagebroker.DestTopicNameArraySizeIsLarge"

    @pytest.mark.parametrize(
        ("topic", "code"),
        [
            ("/sys/{key}/dev-1/thing/event/property/post", "iot.messagebroker.InvalidFormattedSrcTopicName"),
            ("/a1nothing00/dev-1/user/update", "iot.messagebroker.NotMatchedProductKeyWithSrcTopicOwner"),
            ("/{key}/nobody/user/update", "iot.device.NotExistedDevice"),
            ("/{key}/dev-1/user/unknown", "iot.messagebroker.TopicTemplateIsNotFound"),
            ("/{key}/sleeper/user/update", "iot.device.InactiveDevice"),
            (None, "MissingSrcTopic"),
        ],
    )
    def test_invalid_sources_are_refused(self, api: Api, meters: str, topic: str | None, code: str) -> None:
        api.register_device(meters, "sleeper")
        source = topic.format(key=meters) if topic else None
        target = [f"/{meters}/dev-2/user/get"]
        assert api.error_code("CreateTopicRouteTable", SrcTopic=source, DstTopic=target) == code

    @pytest.mark.parametrize("operation", ["QueryTopicRouteTable", "QueryTopicReverseRouteTable"])
    def test_invalid_queries_are_refused(self, api: Api, meters: str, operation: str) -> None:
        assert api.error_code(operation) == "MissingTopic"
        assert api.error_code(operation, Topic="/x") == "iot.messagebroker.InvalidFormattedTopicName"
        assert api.error_code(operation, Topic="/a1nothing00/x/user/get") == "iot.prod.NotExistedProduct"
        assert api.error_code(operation, Topic=f"/{meters}/x/user/get") == "iot.device.NotExistedDevice"

    def test_deletion_needs_a_source_and_destinations(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        assert api.error_code("DeleteTopicRouteTable", SrcTopic=source) == "MissingDstTopic"
        bad = api.error_code("DeleteTopicRouteTable", SrcTopic="update", DstTopic=[source])
        assert bad == "iot.messagebroker.InvalidFormattedSrcTopicName"
        error = api.error_code(
            "DeleteTopicRouteTable", SrcTopic=f"/{meters}/x/user/update", DstTopic=[source]
        )
        assert error == "iot.device.NotExistedDevice"

    def test_routes_are_deleted_with_their_devices_and_categories(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        targets = [f"/{meters}/dev-2/user/get", f"/{meters}/dev-3/user/get"]
        api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=targets)
        api.call("DeleteDevice", ProductKey=meters, DeviceName="dev-2")
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == targets[1:]
        api.call("DeleteProductTopic", TopicId=list_categories(api, meters)["get"]["Id"])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == []
