"""Products, and their tags and message filters."""

from __future__ import annotations

from typing import Any

import pytest

from iot_emulator import Emulator, ManualClock
from iot_emulator.products import MAX_PRODUCTS

from .clients import Api

UNKNOWN = "a1Unknown00"


def query_product(api: Api, key: str) -> dict[str, Any]:
    return api.call("QueryProduct", ProductKey=key)["Data"]


class TestCreateProduct:
    def test_a_created_product_is_found_with_its_values(self, api: Api, clock: ManualClock) -> None:
        response = api.call(
            "CreateProduct",
            ProductName="Street_lights",
            NodeType=0,
            AliyunCommodityCode="iothub_senior",
            DataFormat=1,
            NetType="CELLULAR",
            Description="All of them",
            CategoryKey="Lighting",
        )
        data = response["Data"]
        assert response["ProductKey"] == data["ProductKey"]
        assert len(data["ProductKey"]) == 11
        product = query_product(api, data["ProductKey"])
        assert product["ProductName"] == "Street_lights"
        assert product["ProductSecret"] == data["ProductSecret"]
        assert (product["NetType"], product["DataFormat"], product["NodeType"]) == (6, 1, 0)
        assert (product["ProductStatus"], product["DeviceCount"], product["Owner"]) == (
            "DEVELOPMENT_STATUS",
            0,
            True,
        )
        assert (product["AuthType"], product["Id2"], product["CategoryKey"]) == ("secret", False, "Lighting")
        assert product["GmtCreate"] == clock.now()

    def test_the_default_edition_is_basic(self, api: Api) -> None:
        assert query_product(api, api.create_product())["AliyunCommodityCode"] == "iothub"

    @pytest.mark.parametrize("name", ["abc", "x" * 31, "with space", "中", "dash-ed"])
    def test_an_invalid_name_is_refused(self, api: Api, name: str) -> None:
        assert (
            api.error_code("CreateProduct", ProductName=name, NodeType=0)
            == "iot.prod.InvalidFormattedProductName"
        )

    def test_a_chinese_character_counts_as_two(self, api: Api) -> None:
        api.create_product("路灯")
        assert (
            api.error_code("CreateProduct", ProductName="灯" * 16, NodeType=0)
            == "iot.prod.InvalidFormattedProductName"
        )

    def test_product_names_are_unique(self, api: Api) -> None:
        api.create_product("Meters")
        assert (
            api.error_code("CreateProduct", ProductName="Meters", NodeType=1)
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
    def test_invalid_values_are_refused(self, api: Api, params: dict[str, Any], code: str) -> None:
        assert api.error_code("CreateProduct", **{"ProductName": "Meters", "NodeType": 0, **params}) == code

    @pytest.mark.parametrize("name", ["NodeType", "ProductName"])
    def test_missing_parameters_are_refused(self, api: Api, name: str) -> None:
        params = {"ProductName": "Meters", "NodeType": 0}
        del params[name]
        assert api.error_code("CreateProduct", **params) == f"Missing{name}"

    def test_an_instance_has_at_most_a_thousand_products(self, emulator: Emulator, api: Api) -> None:
        with emulator.store.write() as db:
            db.executemany(
                "INSERT INTO products (product_key, account, instance, name, secret, created, modified)"
                " VALUES (?, 'testid', '', ?, 's', 0, 0)",
                [(f"key{n}", f"product{n}") for n in range(MAX_PRODUCTS)],
            )
        assert (
            api.error_code("CreateProduct", ProductName="Meters", NodeType=0)
            == "iot.prod.ProductCountExceedMax"
        )


class TestQueryProductList:
    def test_pages_are_newest_first(self, api: Api, clock: ManualClock) -> None:
        for n in range(5):
            api.create_product(f"product_{n}")
            clock.advance(1)
        first = api.call("QueryProductList", CurrentPage=1, PageSize=2)["Data"]
        last = api.call("QueryProductList", CurrentPage=3, PageSize=2)["Data"]
        assert [p["ProductName"] for p in first["List"]["ProductInfo"]] == ["product_4", "product_3"]
        assert [p["ProductName"] for p in last["List"]["ProductInfo"]] == ["product_0"]
        assert (first["Total"], first["PageCount"], last["CurrentPage"]) == (5, 3, 3)

    def test_products_are_filtered_by_edition_and_resource_group(self, api: Api) -> None:
        api.create_product("basic")
        senior = api.create_product(
            "senior", AliyunCommodityCode="iothub_senior", DataFormat=1, ResourceGroupId="rg-1"
        )

        def keys(**params: Any) -> list[str]:
            products = api.call("QueryProductList", CurrentPage=1, **params)["Data"]["List"]["ProductInfo"]
            return [p["ProductKey"] for p in products]

        assert keys(AliyunCommodityCode="iothub_senior") == [senior]
        assert keys(ResourceGroupId="rg-1") == [senior]
        assert keys(ResourceGroupId="rg-2") == []

    def test_a_listed_product_has_its_number_of_devices(self, api: Api) -> None:
        key = api.create_product()
        api.register_devices(key, "dev-1", "dev-2", "dev-3")
        products = api.call("QueryProductList", CurrentPage=1)["Data"]["List"]["ProductInfo"]
        assert products[0]["DeviceCount"] == query_product(api, key)["DeviceCount"] == 3

    @pytest.mark.parametrize("page", [{"CurrentPage": 0}, {"CurrentPage": 1, "PageSize": 201}])
    def test_an_invalid_page_is_refused(self, api: Api, page: dict[str, int]) -> None:
        assert api.error_code("QueryProductList", **page) == "iot.common.InvalidPageParams"


class TestUpdateProduct:
    def test_name_and_description_can_be_changed(self, api: Api) -> None:
        key = api.create_product("Meters", Description="old")
        api.call("UpdateProduct", ProductKey=key, ProductName="Counters")
        assert (query_product(api, key)["ProductName"], query_product(api, key)["Description"]) == (
            "Counters",
            "old",
        )
        api.call("UpdateProduct", ProductKey=key, ProductName="Counters", Description="")
        assert query_product(api, key)["Description"] == ""

    def test_the_name_of_another_product_is_refused(self, api: Api) -> None:
        api.create_product("Lights")
        key = api.create_product("Meters")
        error = api.error_code("UpdateProduct", ProductKey=key, ProductName="Lights")
        assert error == "iot.prod.AlreadyExistedProductName"
        api.call("UpdateProduct", ProductKey=key, ProductName="Meters", Description="same name")

    def test_invalid_and_missing_values_are_refused(self, api: Api) -> None:
        key = api.create_product()
        assert api.error_code("UpdateProduct", ProductKey=key) == "MissingProductName"
        assert (
            api.error_code("UpdateProduct", ProductKey=key, ProductName="x")
            == "iot.prod.InvalidFormattedProductName"
        )
        error = api.error_code("UpdateProduct", ProductKey=key, ProductName="Meters", Description="x" * 101)
        assert error == "iot.prod.LongProductDesc"


class TestDeleteProduct:
    def test_a_deleted_product_is_gone_and_its_name_is_free(self, api: Api) -> None:
        api.call("DeleteProduct", ProductKey=api.create_product("Meters"))
        assert api.call("QueryProductList", CurrentPage=1)["Data"]["Total"] == 0
        api.create_product("Meters")

    def test_a_published_product_cannot_be_deleted(self, api: Api) -> None:
        key = api.create_product()
        api.call("ReleaseProduct", ProductKey=key)
        assert api.error_code("DeleteProduct", ProductKey=key) == "iot.prod.DeleteProductFailed"
        api.call("CancelReleaseProduct", ProductKey=key)
        api.call("DeleteProduct", ProductKey=key)

    def test_a_product_with_devices_cannot_be_deleted(self, api: Api) -> None:
        key = api.create_product()
        api.register_device(key, "meter-1")
        assert api.error_code("DeleteProduct", ProductKey=key) == "iot.prod.DeleteProductFailed"
        api.call("DeleteDevice", ProductKey=key, DeviceName="meter-1")
        api.call("DeleteProduct", ProductKey=key)


def test_a_product_is_published_and_unpublished(api: Api) -> None:
    key = api.create_product()
    for operation, status in (
        ("ReleaseProduct", "RELEASE_STATUS"),
        ("ReleaseProduct", "RELEASE_STATUS"),
        ("CancelReleaseProduct", "DEVELOPMENT_STATUS"),
    ):
        api.call(operation, ProductKey=key)
        assert query_product(api, key)["ProductStatus"] == status


def test_message_filters_are_stored(api: Api, emulator: Emulator) -> None:
    key = api.create_product()
    api.call(
        "UpdateProductFilterConfig", ProductKey=key, PropertyTimestampFilter=False, PropertyValueFilter=True
    )
    with emulator.store.read() as db:
        row = db.execute("SELECT timestamp_filter, value_filter FROM products").fetchone()
    assert tuple(row) == (0, 1)
    error = api.error_code("UpdateProductFilterConfig", ProductKey=key, PropertyValueFilter=True)
    assert error == "MissingPropertyTimestampFilter"


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
def test_an_unknown_product_is_refused(api: Api, operation: str, params: dict[str, Any]) -> None:
    assert api.error_code(operation, ProductKey=UNKNOWN, **params) == "iot.prod.NotExistedProduct"
    assert api.error_code(operation, **params) == "MissingProductKey"


class TestTags:
    @staticmethod
    def list_tags(api: Api, key: str) -> dict[str, str]:
        tags = api.call("ListProductTags", ProductKey=key)["Data"]["ProductTag"]
        return {tag["TagKey"]: tag["TagValue"] for tag in tags}

    @staticmethod
    def tag_list(**tags: str) -> list[dict[str, str]]:
        return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]

    def test_tags_are_created_changed_and_deleted(self, api: Api) -> None:
        key = api.create_product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.tag_list(city="Ulm", site="east"))
        api.call("UpdateProductTags", ProductKey=key, ProductTag=self.tag_list(city="Bonn"))
        assert self.list_tags(api, key) == {"city": "Bonn", "site": "east"}
        api.call("DeleteProductTags", ProductKey=key, ProductTagKey=["city", "nothing"])
        assert self.list_tags(api, key) == {"site": "east"}

    @pytest.mark.parametrize(
        "tag",
        [
            {"TagKey": "bad key", "TagValue": "v"},
            {"TagKey": "k", "TagValue": "b$d"},
            {"TagKey": "k" * 31, "TagValue": "v"},
        ],
    )
    def test_an_invalid_tag_is_listed_and_none_is_created(
        self, api: Api, emulator: Emulator, tag: dict[str, str]
    ) -> None:
        from .test_core import http_client, signed_fields

        key = api.create_product()
        fields = signed_fields(
            "CreateProductTags",
            ProductKey=key,
            **{"ProductTag.1.TagKey": "good", "ProductTag.1.TagValue": "v"},
            **{f"ProductTag.2.{name}": value for name, value in tag.items()},
        )
        response = http_client(emulator).post("/", params=fields).json()
        assert response["Success"] is False
        assert response["InvalidProductTags"]["ProductTag"] == [tag]
        assert self.list_tags(api, key) == {}

    def test_a_key_is_created_once_and_changed_only_if_it_exists(self, api: Api) -> None:
        key = api.create_product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.tag_list(city="Ulm"))
        for operation, tag in (("CreateProductTags", "city"), ("UpdateProductTags", "site")):
            code = api.error_code(operation, ProductKey=key, ProductTag=self.tag_list(**{tag: "x"}))
            assert code == "iot.common.InvalidFormattedParameter"

    def test_tags_changed_in_one_call_have_different_values(self, api: Api) -> None:
        key = api.create_product()
        same = self.tag_list(city="Ulm", site="Ulm")
        api.call("CreateProductTags", ProductKey=key, ProductTag=same)
        code = api.error_code("UpdateProductTags", ProductKey=key, ProductTag=same)
        assert code == "iot.common.InvalidFormattedParameter"
        api.call("UpdateProductTags", ProductKey=key, ProductTag=self.tag_list(city="Bonn", site="Ulm"))
        assert self.list_tags(api, key) == {"city": "Bonn", "site": "Ulm"}

    def test_a_call_has_at_most_ten_tags_and_a_product_a_hundred(self, api: Api) -> None:
        key = api.create_product()
        eleven = self.tag_list(**{f"k{n}": "v" for n in range(11)})
        assert api.error_code("CreateProductTags", ProductKey=key, ProductTag=eleven).startswith("iot.common")
        for start in range(0, 100, 10):
            tags = self.tag_list(**{f"k{n}": "v" for n in range(start, start + 10)})
            api.call("CreateProductTags", ProductKey=key, ProductTag=tags)
        assert len(self.list_tags(api, key)) == 100
        error = api.error_code("CreateProductTags", ProductKey=key, ProductTag=self.tag_list(more="v"))
        assert error == "iot.common.InvalidFormattedParameter"

    def test_products_are_found_by_any_of_the_tags(self, api: Api, clock: ManualClock) -> None:
        keys = {}
        for name, tags in (
            ("lamps", {"city": "Ulm"}),
            ("meters", {"city": "Bonn", "kind": "gas"}),
            ("locks", {}),
        ):
            keys[name] = api.create_product(name)
            clock.advance(1)
            if tags:
                api.call("CreateProductTags", ProductKey=keys[name], ProductTag=self.tag_list(**tags))

        def find(*tags: dict[str, str]) -> list[str]:
            response = api.call("ListProductByTags", ProductTag=list(tags))
            return [p["ProductName"] for p in response["ProductInfos"]["ProductInfo"]]

        assert find({"TagKey": "city"}) == ["meters", "lamps"]
        assert find({"TagKey": "city", "TagValue": "Ulm"}) == ["lamps"]
        assert find({"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "kind"}) == ["meters", "lamps"]
        assert find({"TagKey": "nothing"}) == []

    def test_tags_are_deleted_with_their_product(self, api: Api) -> None:
        key = api.create_product()
        api.call("CreateProductTags", ProductKey=key, ProductTag=self.tag_list(city="Ulm"))
        api.call("DeleteProduct", ProductKey=key)
        assert (
            api.call("ListProductByTags", ProductTag=[{"TagKey": "city"}])["ProductInfos"]["ProductInfo"]
            == []
        )
