"""Topic categories of products, and routes from one device's topic to others'."""

from __future__ import annotations

from typing import Any

import pytest

from console.emulator import Emulator

from .conftest import Api
from .message_world import put


@pytest.fixture
def meters(api: Api, emulator: Emulator) -> str:
    """A product with three devices, all of which have been online."""
    key = api.product("Meters")
    for name in ("dev-1", "dev-2", "dev-3"):
        api.device(key, name)
        put(emulator, key, name)
    return key


def topics(api: Api, key: str) -> dict[str, dict[str, Any]]:
    """Topic categories of a product by short name."""
    listed = api.call("QueryProductTopic", ProductKey=key)["Data"]["ProductTopicInfo"]
    return {topic["TopicShortName"].partition("/user/")[2]: topic for topic in listed}


class TestCategories:
    def test_a_new_product_has_three(self, api: Api) -> None:
        key = api.product()
        found = topics(api, key)
        assert {name: topic["Operation"] for name, topic in found.items()} == {
            "update": "0",
            "update/error": "0",
            "get": "1",
        }
        assert found["get"]["TopicShortName"] == f"/{key}/${{deviceName}}/user/get"
        assert found["get"]["ProductKey"] == key

    def test_what_is_made_is_listed_with_permission_and_description(self, api: Api) -> None:
        key = api.product()
        made = api.call(
            "CreateProductTopic",
            ProductKey=key,
            TopicShortName="submit/raw",
            Operation="ALL",
            Desc="Raw values",
        )
        topic = topics(api, key)["submit/raw"]
        assert topic["Id"] == str(made["TopicId"])
        assert (topic["Operation"], topic["Desc"]) == ("2", "Raw values")

    def test_change_of_name_and_permission(self, api: Api) -> None:
        key = api.product()
        topic_id = topics(api, key)["get"]["Id"]
        api.call("UpdateProductTopic", TopicId=topic_id, TopicShortName="fetch", Operation="PUB")
        found = topics(api, key)
        assert "get" not in found
        assert (found["fetch"]["Id"], found["fetch"]["Operation"]) == (topic_id, "0")

    def test_deleted_ones_are_gone(self, api: Api) -> None:
        key = api.product()
        topic_id = topics(api, key)["get"]["Id"]
        api.call("DeleteProductTopic", TopicId=topic_id)
        assert set(topics(api, key)) == {"update", "update/error"}
        assert (
            api.refused("DeleteProductTopic", TopicId=topic_id) == "iot.messagebroker.TopicTemplateIsNotFound"
        )

    def test_a_product_has_at_most_fifty(self, api: Api) -> None:
        key = api.product()
        for number in range(47):
            api.call("CreateProductTopic", ProductKey=key, TopicShortName=f"t{number}", Operation="PUB")
        refused = api.refused("CreateProductTopic", ProductKey=key, TopicShortName="more", Operation="PUB")
        assert refused == "iot.messagebroker.TopicTemplateCountExceedMax"

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
    def test_what_cannot_be_made(self, api: Api, change: dict[str, Any], code: str) -> None:
        params = {"ProductKey": api.product(), "TopicShortName": "submit", "Operation": "PUB", **change}
        assert api.refused("CreateProductTopic", **params) == code

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
    def test_what_cannot_be_changed(self, api: Api, change: dict[str, Any], code: str) -> None:
        topic_id = topics(api, api.product())["get"]["Id"]
        params = {"TopicId": topic_id, "TopicShortName": "fetch", "Operation": "SUB", **change}
        assert api.refused("UpdateProductTopic", **params) == code

    def test_another_account_sees_none(self, api: Api, other: Api) -> None:
        key = api.product()
        topic_id = topics(api, key)["get"]["Id"]
        assert other.refused("QueryProductTopic", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert (
            other.refused("DeleteProductTopic", TopicId=topic_id)
            == "iot.messagebroker.TopicTemplateIsNotFound"
        )

    def test_a_deleted_product_takes_them_with_it(self, api: Api) -> None:
        key = api.product()
        topic_id = topics(api, key)["get"]["Id"]
        api.call("DeleteProduct", ProductKey=key)
        assert api.refused("QueryProductTopic", ProductKey=key) == "iot.prod.NotExistedProduct"
        assert (
            api.refused("DeleteProductTopic", TopicId=topic_id) == "iot.messagebroker.TopicTemplateIsNotFound"
        )
        assert api.refused("QueryProductTopic") == "MissingProductKey"


class TestRoutes:
    def test_both_directions_show_what_was_made(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        targets = [f"/{meters}/{name}/user/get" for name in ("dev-2", "dev-3")]
        made = api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=targets)
        assert (made["IsAllSucceed"], made["FailureTopics"]["Topic"]) == (True, [])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == targets
        assert api.call("QueryTopicReverseRouteTable", Topic=targets[0])["SrcTopics"]["Topic"] == [source]

    def test_bad_destinations_come_back_and_the_good_are_routed(self, api: Api, meters: str) -> None:
        source, good = f"/{meters}/dev-1/user/update", f"/{meters}/dev-2/user/get"
        bad = [
            f"/{meters}/nobody/user/get",
            f"/{meters}/dev-2/user/unknown",
            f"/sys/{meters}/dev-2/thing/service/property/set",
            source,
        ]
        made = api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=[good, *bad])
        assert (made["IsAllSucceed"], made["FailureTopics"]["Topic"]) == (False, bad)
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == [good]

    def test_deleting_tells_which_were_not_there(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        first, second = f"/{meters}/dev-2/user/get", f"/{meters}/dev-3/user/get"
        api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=[first])
        gone = api.call("DeleteTopicRouteTable", SrcTopic=source, DstTopic=[first, second])
        assert (gone["IsAllSucceed"], gone["FailureTopics"]["Topic"]) == (False, [second])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == []

    def test_a_source_has_at_most_a_hundred_destinations(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        many = [f"/{meters}/dev-{n}/user/get" for n in range(101)]
        too_many = api.refused("CreateTopicRouteTable", SrcTopic=source, DstTopic=many)
        assert too_many == "iot.messagebroker.DestTopicNameArraySizeIsLarge"
        names = [f"node{n}" for n in range(100)]
        api.devices(meters, *names)
        first = [f"/{meters}/{name}/user/get" for name in names]
        assert api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=first)["IsAllSucceed"] is True
        one_more = api.refused(
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
    def test_sources_that_cannot_be_routed(self, api: Api, meters: str, topic: str | None, code: str) -> None:
        api.device(meters, "sleeper")
        source = topic.format(key=meters) if topic else None
        target = [f"/{meters}/dev-2/user/get"]
        assert api.refused("CreateTopicRouteTable", SrcTopic=source, DstTopic=target) == code

    @pytest.mark.parametrize("operation", ["QueryTopicRouteTable", "QueryTopicReverseRouteTable"])
    def test_what_cannot_be_asked_for(self, api: Api, meters: str, operation: str) -> None:
        assert api.refused(operation) == "MissingTopic"
        assert api.refused(operation, Topic="/x") == "iot.messagebroker.InvalidFormattedTopicName"
        assert api.refused(operation, Topic="/a1nothing00/x/user/get") == "iot.prod.NotExistedProduct"
        assert api.refused(operation, Topic=f"/{meters}/x/user/get") == "iot.device.NotExistedDevice"

    def test_deleting_wants_a_source_and_destinations(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        assert api.refused("DeleteTopicRouteTable", SrcTopic=source) == "MissingDstTopic"
        bad = api.refused("DeleteTopicRouteTable", SrcTopic="update", DstTopic=[source])
        assert bad == "iot.messagebroker.InvalidFormattedSrcTopicName"
        nobody = api.refused("DeleteTopicRouteTable", SrcTopic=f"/{meters}/x/user/update", DstTopic=[source])
        assert nobody == "iot.device.NotExistedDevice"

    def test_routes_go_with_their_devices_and_categories(self, api: Api, meters: str) -> None:
        source = f"/{meters}/dev-1/user/update"
        targets = [f"/{meters}/dev-2/user/get", f"/{meters}/dev-3/user/get"]
        api.call("CreateTopicRouteTable", SrcTopic=source, DstTopic=targets)
        api.call("DeleteDevice", ProductKey=meters, DeviceName="dev-2")
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == targets[1:]
        api.call("DeleteProductTopic", TopicId=topics(api, meters)["get"]["Id"])
        assert api.call("QueryTopicRouteTable", Topic=source)["DstTopics"]["Topic"] == []
