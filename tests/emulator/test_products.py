"""Products, their tags and message filters."""

from __future__ import annotations

from typing import Any

import pytest

from console.emulator import Emulator, ManualClock
from console.emulator.products import MAX_PRODUCTS

from .conftest import Api

UNKNOWN = "a1Unknown00"


def product(api: Api, key: str) -> dict[str, Any]:
    return api.call("QueryProduct", ProductKey=key)["Data"]


class TestCreateProduct:
    def test_it_is_found_with_what_was_given(self, api: Api, clock: ManualClock) -> None:
        made = api.call(
            "CreateProduct",
            ProductName="Street_lights",
            NodeType=0,
            AliyunCommodityCode="iothub_senior",
            DataFormat=1,
            NetType="CELLULAR",
            Description="All of them",
            CategoryKey="Lighting",
        )
        data = made["Data"]
        assert made["ProductKey"] == data["ProductKey"]
        assert len(data["ProductKey"]) == 11
        found = product(api, data["ProductKey"])
        assert found["ProductName"] == "Street_lights"
        assert found["ProductSecret"] == data["ProductSecret"]
        assert (found["NetType"], found["DataFormat"], found["NodeType"]) == (6, 1, 0)
        assert (found["ProductStatus"], found["DeviceCount"], found["Owner"]) == (
            "DEVELOPMENT_STATUS",
            0,
            True,
        )
        assert (found["AuthType"], found["Id2"], found["CategoryKey"]) == ("secret", False, "Lighting")
        assert found["GmtCreate"] == clock.now()

    def test_without_an_edition_it_is_basic(self, api: Api) -> None:
        assert product(api, api.product())["AliyunCommodityCode"] == "iothub"

    @pytest.mark.parametrize("name", ["abc", "x" * 31, "with space", "中", "dash-ed"])
    def test_a_bad_name(self, api: Api, name: str) -> None:
        assert (
            api.refused("CreateProduct", ProductName=name, NodeType=0)
            == "iot.prod.InvalidFormattedProductName"
        )

    def test_a_chinese_character_counts_as_two(self, api: Api) -> None:
        api.product("路灯")
        assert (
            api.refused("CreateProduct", ProductName="灯" * 16, NodeType=0)
            == "iot.prod.InvalidFormattedProductName"
        )

    def test_a_name_serves_one_product(self, api: Api) -> None:
        api.product("Meters")
        assert (
            api.refused("CreateProduct", ProductName="Meters", NodeType=1)
            == "iot.prod.AlreadyExistedProductName"
        )

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"NodeType": 2}, "iot.prod.InvalidNodeType"),
            ({"AliyunCommodityCode": "iothub_junior"}, "iot.prod.InvalidAliyunCommodityCode"),
            ({"AliyunCommodityCode": "iothub_senior"}, "iot.prod.ProductDataFormatIsNull"),
            ({"Description": "x" * 101}, "iot.prod.LongProductDesc"),
            ({"NetType": "PIGEON"}, "iot.common.InvalidFormattedParameter"),
            ({"NetType": "LORA"}, "iot.common.InvalidFormattedParameter"),
            (
                {"NetType": "LORA", "JoinPermissionId": "8", "AuthType": "x509"},
                "iot.prod.CreateProductFailed",
            ),
        ],
    )
    def test_bad_values(self, api: Api, params: dict[str, Any], code: str) -> None:
        assert api.refused("CreateProduct", **{"ProductName": "Meters", "NodeType": 0, **params}) == code

    @pytest.mark.parametrize("name", ["NodeType", "ProductName"])
    def test_what_is_required(self, api: Api, name: str) -> None:
        params = {"ProductName": "Meters", "NodeType": 0}
        del params[name]
        assert api.refused("CreateProduct", **params) == f"Missing{name}"

    def test_an_instance_holds_a_thousand(self, emulator: Emulator, api: Api) -> None:
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO products (product_key, account, instance, name, secret, created, modified)"
                " VALUES (?, 'testid', '', ?, 's', 0, 0)",
                [(f"key{n}", f"product{n}") for n in range(MAX_PRODUCTS)],
            )
        assert (
            api.refused("CreateProduct", ProductName="Meters", NodeType=0) == "iot.prod.ProductCountExceedMax"
        )


class TestQueryProductList:
    def test_newest_first_by_pages(self, api: Api, clock: ManualClock) -> None:
        for n in range(5):
            api.product(f"product_{n}")
            clock.advance(1)
        first = api.call("QueryProductList", CurrentPage=1, PageSize=2)["Data"]
        last = api.call("QueryProductList", CurrentPage=3, PageSize=2)["Data"]
        assert [p["ProductName"] for p in first["List"]["ProductInfo"]] == ["product_4", "product_3"]
        assert [p["ProductName"] for p in last["List"]["ProductInfo"]] == ["product_0"]
        assert (first["Total"], first["PageCount"], last["CurrentPage"]) == (5, 3, 3)

    def test_by_edition_and_resource_group(self, api: Api) -> None:
        api.product("basic")
        senior = api.product(
            "senior", AliyunCommodityCode="iothub_senior", DataFormat=1, ResourceGroupId="rg-1"
        )

        def keys(**params: Any) -> list[str]:
            listed = api.call("QueryProductList", CurrentPage=1, **params)["Data"]["List"]["ProductInfo"]
            return [p["ProductKey"] for p in listed]

        assert keys(AliyunCommodityCode="iothub_senior") == [senior]
        assert keys(ResourceGroupId="rg-1") == [senior]
        assert keys(ResourceGroupId="rg-2") == []

    def test_it_counts_devices(self, api: Api) -> None:
        key = api.product()
        api.devices(key, "dev-1", "dev-2", "dev-3")
        listed = api.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"]
        assert listed[0]["DeviceCount"] == product(api, key)["DeviceCount"] == 3

    @pytest.mark.parametrize("page", [{"CurrentPage": 0}, {"CurrentPage": 1, "PageSize": 201}])
    def test_a_bad_page(self, api: Api, page: dict[str, int]) -> None:
        assert api.refused("QueryProductList", **page) == "iot.common.InvalidPageParams"


class TestUpdateProduct:
    def test_name_and_description(self, api: Api) -> None:
        key = api.product("Meters", Description="old")
        api.call("UpdateProduct", ProductKey=key, ProductName="Counters")
        assert (product(api, key)["ProductName"], product(api, key)["Description"]) == ("Counters", "old")
        api.call("UpdateProduct", ProductKey=key, ProductName="Counters", Description="")
        assert product(api, key)["Description"] == ""

    def test_not_to_another_ones_name_but_to_its_own(self, api: Api) -> None:
        api.product("Lights")
        key = api.product("Meters")
        taken = api.refused("UpdateProduct", ProductKey=key, ProductName="Lights")
        assert taken == "iot.prod.AlreadyExistedProductName"
        api.call("UpdateProduct", ProductKey=key, ProductName="Meters", Description="same name")

    def test_bad_and_missing(self, api: Api) -> None:
        key = api.product()
        assert api.refused("UpdateProduct", ProductKey=key) == "MissingProductName"
        assert (
            api.refused("UpdateProduct", ProductKey=key, ProductName="x")
            == "iot.prod.InvalidFormattedProductName"
        )
        long = api.refused("UpdateProduct", ProductKey=key, ProductName="Meters", Description="x" * 101)
        assert long == "iot.prod.LongProductDesc"


class TestDeleteProduct:
    def test_it_is_gone_and_its_name_free(self, api: Api) -> None:
        api.call("DeleteProduct", ProductKey=api.product("Meters"))
        assert api.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0
        api.product("Meters")

    def test_not_while_published(self, api: Api) -> None:
        key = api.product()
        api.call("ReleaseProduct", ProductKey=key)
        assert api.refused("DeleteProduct", ProductKey=key) == "iot.prod.DeleteProductFailed"
        api.call("CancelReleaseProduct", ProductKey=key)
        api.call("DeleteProduct", ProductKey=key)

    def test_not_while_it_has_devices(self, api: Api) -> None:
        key = api.product()
        api.device(key, "meter-1")
        assert api.refused("DeleteProduct", ProductKey=key) == "iot.prod.DeleteProductFailed"
        api.call("DeleteDevice", ProductKey=key, DeviceName="meter-1")
        api.call("DeleteProduct", ProductKey=key)


def test_publishing_and_unpublishing(api: Api) -> None:
    key = api.product()
    for operation, status in (
        ("ReleaseProduct", "RELEASE_STATUS"),
        ("ReleaseProduct", "RELEASE_STATUS"),
        ("CancelReleaseProduct", "DEVELOPMENT_STATUS"),
    ):
        api.call(operation, ProductKey=key)
        assert product(api, key)["ProductStatus"] == status


def test_message_filters(api: Api, emulator: Emulator) -> None:
    key = api.product()
    api.call(
        "UpdateProductFilterConfig", ProductKey=key, PropertyTimestampFilter=False, PropertyValueFilter=True
    )
    with emulator.store.read() as db:
        row = db.execute("SELECT timestamp_filter, value_filter FROM products").fetchone()
    assert tuple(row) == (0, 1)
    missing = api.refused("UpdateProductFilterConfig", ProductKey=key, PropertyValueFilter=True)
    assert missing == "MissingPropertyTimestampFilter"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("QueryProduct", {}),
        ("UpdateProduct", {"ProductName": "Meters"}),
        ("DeleteProduct", {}),
        ("ReleaseProduct", {}),
        ("CancelReleaseProduct", {}),
        ("UpdateProductFilterConfig", {"PropertyTimestampFilter": True, "PropertyValueFilter": True}),
        ("CreateProductTags", {"ProductTag": [{"TagKey": "a", "TagValue": "b"}]}),
        ("UpdateProductTags", {"ProductTag": [{"TagKey": "a", "TagValue": "b"}]}),
        ("DeleteProductTags", {"ProductTagKey": ["a"]}),
        ("ListProductTags", {}),
    ],
)
def test_a_product_that_does_not_exist(api: Api, operation: str, params: dict[str, Any]) -> None:
    assert api.refused(operation, ProductKey=UNKNOWN, **params) == "iot.prod.NotExistedProduct"
    assert api.refused(operation, **params) == "MissingProductKey"


class TestTags:
    @staticmethod
    def tags(api: Api, key: str) -> dict[str, str]:
        listed = api.call("ListProductTags", ProductKey=key)["Data"]["ProductTag"]
        return {tag["TagKey"]: tag["TagValue"] for tag in listed}

    @staticmethod
    def wanted(**tags: str) -> list[dict[str, str]]:
        return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]

    def test_made_changed_and_deleted(self, api: Api) -> None:
        key = api.product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.wanted(city="Ulm", site="east"))
        api.call("UpdateProductTags", ProductKey=key, ProductTag=self.wanted(city="Bonn"))
        assert self.tags(api, key) == {"city": "Bonn", "site": "east"}
        api.call("DeleteProductTags", ProductKey=key, ProductTagKey=["city", "nothing"])
        assert self.tags(api, key) == {"site": "east"}

    @pytest.mark.parametrize(
        "tag",
        [
            {"TagKey": "bad key", "TagValue": "v"},
            {"TagKey": "k", "TagValue": "b$d"},
            {"TagKey": "k" * 31, "TagValue": "v"},
        ],
    )
    def test_a_bad_tag_is_named_and_none_is_made(
        self, api: Api, emulator: Emulator, tag: dict[str, str]
    ) -> None:
        from .test_core import http, signed

        key = api.product()
        fields = signed(
            "CreateProductTags",
            ProductKey=key,
            **{"ProductTag.1.TagKey": "good", "ProductTag.1.TagValue": "v"},
            **{f"ProductTag.2.{name}": value for name, value in tag.items()},
        )
        answer = http(emulator).post("/", params=fields).json()
        assert answer["Success"] is False
        assert answer["InvalidProductTags"]["ProductTag"] == [tag]
        assert self.tags(api, key) == {}

    def test_a_key_is_made_once_and_changed_only_if_there(self, api: Api) -> None:
        key = api.product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.wanted(city="Ulm"))
        for operation, tag in (("CreateProductTags", "city"), ("UpdateProductTags", "site")):
            code = api.refused(operation, ProductKey=key, ProductTag=self.wanted(**{tag: "x"}))
            assert code == "iot.common.InvalidFormattedParameter"

    def test_ten_a_call_and_a_hundred_a_product(self, api: Api) -> None:
        key = api.product()
        eleven = self.wanted(**{f"k{n}": "v" for n in range(11)})
        assert api.refused("CreateProductTags", ProductKey=key, ProductTag=eleven).startswith("iot.common")
        for start in range(0, 100, 10):
            tags = self.wanted(**{f"k{n}": "v" for n in range(start, start + 10)})
            api.call("CreateProductTags", ProductKey=key, ProductTag=tags)
        assert len(self.tags(api, key)) == 100
        full = api.refused("CreateProductTags", ProductKey=key, ProductTag=self.wanted(more="v"))
        assert full == "iot.common.InvalidFormattedParameter"

    def test_products_by_any_of_the_tags(self, api: Api, clock: ManualClock) -> None:
        keys = {}
        for name, tags in (
            ("lamps", {"city": "Ulm"}),
            ("meters", {"city": "Bonn", "kind": "gas"}),
            ("locks", {}),
        ):
            keys[name] = api.product(name)
            clock.advance(1)
            if tags:
                api.call("CreateProductTags", ProductKey=keys[name], ProductTag=self.wanted(**tags))

        def found(*tags: dict[str, str]) -> list[str]:
            answer = api.call("ListProductByTags", ProductTag=list(tags))
            return [p["ProductName"] for p in answer["ProductInfos"]["ProductInfo"]]

        assert found({"TagKey": "city"}) == ["meters", "lamps"]
        assert found({"TagKey": "city", "TagValue": "Ulm"}) == ["lamps"]
        assert found({"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "kind"}) == ["meters", "lamps"]
        assert found({"TagKey": "nothing"}) == []

    def test_tags_go_with_their_product(self, api: Api) -> None:
        key = api.product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.wanted(city="Ulm"))
        api.call("DeleteProduct", ProductKey=key)
        assert (
            api.call("ListProductByTags", ProductTag=[{"TagKey": "city"}])["ProductInfos"]["ProductInfo"]
            == []
        )
