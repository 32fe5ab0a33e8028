"""Products and their tags."""

from __future__ import annotations

from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Row

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
TAGS = [{"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "kind", "TagValue": "gas"}]
INVALID_TAG = (
    {"ProductTag": [{"TagKey": "bad key", "TagValue": "v"}]},
    "iot.common.InvalidFormattedParameter",
)


def create_tagged_product(platform: PreparedPlatform) -> str:
    key = platform.create_product()
    platform.call("CreateProductTags", ProductKey=key, ProductTag=TAGS)
    return key


def read_tags(platform: PreparedPlatform, key: str) -> dict[str, str]:
    response = platform.call("ListProductTags", ProductKey=key)["Data"]["ProductTag"]
    return {tag["TagKey"]: tag["TagValue"] for tag in response}


def read_product(platform: PreparedPlatform, key: str) -> dict:
    return platform.call("QueryProduct", ProductKey=key)["Data"]


def list_products(platform: PreparedPlatform) -> list[str]:
    response = platform.call("QueryProductList", CurrentPage=1, PageSize=200)["Data"]["List"]["ProductInfo"]
    return column(response, "ProductKey")


def create_published_product(platform: PreparedPlatform) -> str:
    key = platform.create_product()
    platform.call("ReleaseProduct", ProductKey=key)
    return key


ROWS = [
    Row(
        "CreateProduct",
        lambda platform: {
            "ProductName": "Street_lights",
            "NodeType": 1,
            "AliyunCommodityCode": "iothub_senior",
            "DataFormat": 1,
            "Description": "All of them",
            "ProtocolType": "modbus",
            "NetType": "WIFI",
            "AuthType": "secret",
            "Id2": False,
        },
        "the product is created and can be read",
        lambda platform, request, response: (
            read_product(platform, response["ProductKey"])["ProductName"] == "Street_lights"
        ),
        invalid=[
            ({"ProductName": "x"}, "iot.prod.InvalidFormattedProductName"),
            ({"NodeType": 2}, "iot.prod.InvalidNodeType"),
            ({"DataFormat": None}, "iot.prod.ProductDataFormatIsNull"),
            ({"Description": "x" * 101}, "iot.prod.LongProductDesc"),
            (
                lambda platform, request: {
                    "ProductName": platform.create_product("Taken_name") and "Taken_name"
                },
                "iot.prod.AlreadyExistedProductName",
            ),
        ],
    ),
    Row(
        "QueryProduct",
        lambda platform: {
            "ProductKey": platform.create_product(
                "Meters_1",
                Description="d",
                ProtocolType="zigbee",
                NodeType=1,
                CategoryKey="Lighting",
                ValidateType=1,
            )
        },
        "the settings of a product",
        lambda platform, request, response: (
            (response["Data"]["ProductName"], response["Data"]["ProtocolType"]) == ("Meters_1", "zigbee")
        ),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "QueryProductList",
        lambda platform: (
            [platform.register_devices(), platform.create_product()] and {"CurrentPage": 2, "PageSize": 1}
        ),
        "newest first, by pages, with the number of devices",
        lambda platform, request, response: (
            response["Data"]["Total"] == 2
            and column(response["Data"]["List"]["ProductInfo"], "DeviceCount") == [3]
        ),
        invalid=[
            ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
            ({"PageSize": 201}, "iot.common.InvalidPageParams"),
            ({"AliyunCommodityCode": "iothub_junior"}, "iot.prod.InvalidAliyunCommodityCode"),
        ],
    ),
    Row(
        "UpdateProduct",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "ProductName": "Counters",
            "Description": "new",
        },
        "name and description change",
        lambda platform, request, response: (
            read_product(platform, request["ProductKey"])["ProductName"] == "Counters"
        ),
        invalid=[({"ProductName": "a b c d"}, "iot.prod.InvalidFormattedProductName")],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "DeleteProduct",
        lambda platform: {"ProductKey": platform.create_product()},
        "the product is deleted",
        lambda platform, request, response: request["ProductKey"] not in list_products(platform),
        invalid=[
            (
                lambda platform, request: {"ProductKey": platform.register_devices()},
                "iot.prod.DeleteProductFailed",
            ),
            (
                lambda platform, request: {"ProductKey": create_published_product(platform)},
                "iot.prod.DeleteProductFailed",
            ),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "CreateProductTags",
        lambda platform: {"ProductKey": platform.create_product(), "ProductTag": TAGS},
        "tags are listed",
        lambda platform, request, response: (
            read_tags(platform, request["ProductKey"]) == {"city": "Ulm", "kind": "gas"}
        ),
        missing={"ProductTag": "iot.common.InvalidFormattedParameter"},
        invalid=[INVALID_TAG],
        not_found=[UNKNOWN_PRODUCT],
        absent_fields={"InvalidProductTags.ProductTag[].TagKey", "InvalidProductTags.ProductTag[].TagValue"},
    ),
    Row(
        "CreateProductTags",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "ProductTag": [*TAGS, {"TagKey": "bad key", "TagValue": "v"}],
        },
        "the invalid tag is returned, and no tag is created",
        lambda platform, request, response: (
            response["InvalidProductTags"]["ProductTag"] == request["ProductTag"][2:]
            and read_tags(platform, request["ProductKey"]) == {}
        ),
        code="iot.common.InvalidFormattedParameter",
    ),
    Row(
        "UpdateProductTags",
        lambda platform: {
            "ProductKey": create_tagged_product(platform),
            "ProductTag": [{"TagKey": "bad key", "TagValue": "v"}],
        },
        "the invalid tag is returned, and no tag is changed",
        lambda platform, request, response: (
            response["InvalidProductTags"]["ProductTag"] == request["ProductTag"]
        ),
        code="iot.common.InvalidFormattedParameter",
    ),
    Row(
        "UpdateProductTags",
        lambda platform: {
            "ProductKey": create_tagged_product(platform),
            "ProductTag": [{"TagKey": "city", "TagValue": "Bonn"}],
        },
        "one tag changes, the other is kept",
        lambda platform, request, response: (
            read_tags(platform, request["ProductKey"]) == {"city": "Bonn", "kind": "gas"}
        ),
        missing={"ProductTag": "iot.common.InvalidFormattedParameter"},
        invalid=[
            INVALID_TAG,
            ({"ProductTag": [{"TagKey": "site", "TagValue": "v"}]}, "iot.common.InvalidFormattedParameter"),
        ],
        not_found=[UNKNOWN_PRODUCT],
        absent_fields={"InvalidProductTags.ProductTag[].TagKey", "InvalidProductTags.ProductTag[].TagValue"},
    ),
    Row(
        "DeleteProductTags",
        lambda platform: {"ProductKey": create_tagged_product(platform), "ProductTagKey": ["city"]},
        "one tag is deleted, the other is kept",
        lambda platform, request, response: read_tags(platform, request["ProductKey"]) == {"kind": "gas"},
        invalid=[({"ProductTagKey": [f"k{n}" for n in range(11)]}, "iot.common.InvalidFormattedParameter")],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "ListProductTags",
        lambda platform: {"ProductKey": create_tagged_product(platform)},
        "all tags of a product",
        lambda platform, request, response: (
            sorted(column(response["Data"]["ProductTag"], "TagValue")) == ["Ulm", "gas"]
        ),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "ListProductByTags",
        lambda platform: (
            [create_tagged_product(platform), platform.create_product()]
            and {"ProductTag": [{"TagKey": "city"}]}
        ),
        "the products with a tag",
        lambda platform, request, response: len(response["ProductInfos"]["ProductInfo"]) == 1,
        missing={"ProductTag": "MissingProductTag"},
        invalid=[({"PageSize": 51}, "iot.common.InvalidPageParams")],
    ),
    Row(
        "UpdateProductFilterConfig",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "PropertyTimestampFilter": True,
            "PropertyValueFilter": False,
        },
        "the filters are stored",
        lambda platform, request, response: read_filters(platform, request["ProductKey"]) == (1, 0),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "ReleaseProduct",
        lambda platform: {"ProductKey": platform.create_product()},
        "its status is published",
        lambda platform, request, response: (
            read_product(platform, request["ProductKey"])["ProductStatus"] == "RELEASE_STATUS"
        ),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "CancelReleaseProduct",
        lambda platform: {"ProductKey": create_published_product(platform)},
        "its status is developing again",
        lambda platform, request, response: (
            read_product(platform, request["ProductKey"])["ProductStatus"] == "DEVELOPMENT_STATUS"
        ),
        not_found=[UNKNOWN_PRODUCT],
    ),
]


def read_filters(platform: PreparedPlatform, key: str) -> tuple[int, int]:
    """Read the filters from the store, because no operation returns them."""
    with platform.emulator.store.read() as db:
        row = db.execute("SELECT timestamp_filter, value_filter FROM products WHERE product_key = ?", (key,))
        return tuple(row.fetchone())
