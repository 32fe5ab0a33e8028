"""Products and their tags."""

from __future__ import annotations

from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Row

NOBODY = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
TAGS = [{"TagKey": "city", "TagValue": "Ulm"}, {"TagKey": "kind", "TagValue": "gas"}]
BAD_TAG = ({"ProductTag": [{"TagKey": "bad key", "TagValue": "v"}]}, "iot.common.InvalidFormattedParameter")


def tagged(platform: PreparedPlatform) -> str:
    key = platform.product()
    platform.call("CreateProductTags", ProductKey=key, ProductTag=TAGS)
    return key


def tags(platform: PreparedPlatform, key: str) -> dict[str, str]:
    told = platform.call("ListProductTags", ProductKey=key)["Data"]["ProductTag"]
    return {tag["TagKey"]: tag["TagValue"] for tag in told}


def info(platform: PreparedPlatform, key: str) -> dict:
    return platform.call("QueryProduct", ProductKey=key)["Data"]


def keys(platform: PreparedPlatform) -> list[str]:
    told = platform.call("QueryProductList", CurrentPage=1, PageSize=200)["Data"]["List"]["ProductInfo"]
    return column(told, "ProductKey")


def published(platform: PreparedPlatform) -> str:
    key = platform.product()
    platform.call("ReleaseProduct", ProductKey=key)
    return key


ROWS = [
    Row(
        "CreateProduct",
        lambda w: {
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
        "a product is made and found again",
        lambda w, asked, told: info(w, told["ProductKey"])["ProductName"] == "Street_lights",
        bad=[
            ({"ProductName": "x"}, "iot.prod.InvalidFormattedProductName"),
            ({"NodeType": 2}, "iot.prod.InvalidNodeType"),
            ({"DataFormat": None}, "iot.prod.ProductDataFormatIsNull"),
            ({"Description": "x" * 101}, "iot.prod.LongProductDesc"),
            (
                lambda w, asked: {"ProductName": w.product("Taken_name") and "Taken_name"},
                "iot.prod.AlreadyExistedProductName",
            ),
        ],
    ),
    Row(
        "QueryProduct",
        lambda w: {
            "ProductKey": w.product(
                "Meters_1",
                Description="d",
                ProtocolType="zigbee",
                NodeType=1,
                CategoryKey="Lighting",
                ValidateType=1,
            )
        },
        "tells what was given",
        lambda w, asked, told: (
            (told["Data"]["ProductName"], told["Data"]["ProtocolType"]) == ("Meters_1", "zigbee")
        ),
        absent=[NOBODY],
    ),
    Row(
        "QueryProductList",
        lambda w: [w.devices(), w.product()] and {"CurrentPage": 2, "PageSize": 1},
        "newest first, by pages, with the devices counted",
        lambda w, asked, told: (
            told["Data"]["Total"] == 2 and column(told["Data"]["List"]["ProductInfo"], "DeviceCount") == [3]
        ),
        bad=[
            ({"CurrentPage": 0}, "iot.common.InvalidPageParams"),
            ({"PageSize": 201}, "iot.common.InvalidPageParams"),
            ({"AliyunCommodityCode": "iothub_junior"}, "iot.prod.InvalidAliyunCommodityCode"),
        ],
    ),
    Row(
        "UpdateProduct",
        lambda w: {"ProductKey": w.product(), "ProductName": "Counters", "Description": "new"},
        "name and description change",
        lambda w, asked, told: info(w, asked["ProductKey"])["ProductName"] == "Counters",
        bad=[({"ProductName": "a b c d"}, "iot.prod.InvalidFormattedProductName")],
        absent=[NOBODY],
    ),
    Row(
        "DeleteProduct",
        lambda w: {"ProductKey": w.product()},
        "it is gone",
        lambda w, asked, told: asked["ProductKey"] not in keys(w),
        bad=[
            (lambda w, asked: {"ProductKey": w.devices()}, "iot.prod.DeleteProductFailed"),
            (lambda w, asked: {"ProductKey": published(w)}, "iot.prod.DeleteProductFailed"),
        ],
        absent=[NOBODY],
    ),
    Row(
        "CreateProductTags",
        lambda w: {"ProductKey": w.product(), "ProductTag": TAGS},
        "tags are listed",
        lambda w, asked, told: tags(w, asked["ProductKey"]) == {"city": "Ulm", "kind": "gas"},
        missing={"ProductTag": "iot.common.InvalidFormattedParameter"},
        bad=[BAD_TAG],
        absent=[NOBODY],
        without={"InvalidProductTags.ProductTag[].TagKey", "InvalidProductTags.ProductTag[].TagValue"},
    ),
    Row(
        "CreateProductTags",
        lambda w: {"ProductKey": w.product(), "ProductTag": [*TAGS, {"TagKey": "bad key", "TagValue": "v"}]},
        "the bad tag is named, and none is made",
        lambda w, asked, told: (
            told["InvalidProductTags"]["ProductTag"] == asked["ProductTag"][2:]
            and tags(w, asked["ProductKey"]) == {}
        ),
        code="iot.common.InvalidFormattedParameter",
    ),
    Row(
        "UpdateProductTags",
        lambda w: {"ProductKey": tagged(w), "ProductTag": [{"TagKey": "bad key", "TagValue": "v"}]},
        "the bad tag is named, and none is changed",
        lambda w, asked, told: told["InvalidProductTags"]["ProductTag"] == asked["ProductTag"],
        code="iot.common.InvalidFormattedParameter",
    ),
    Row(
        "UpdateProductTags",
        lambda w: {"ProductKey": tagged(w), "ProductTag": [{"TagKey": "city", "TagValue": "Bonn"}]},
        "one tag changes, the other stays",
        lambda w, asked, told: tags(w, asked["ProductKey"]) == {"city": "Bonn", "kind": "gas"},
        missing={"ProductTag": "iot.common.InvalidFormattedParameter"},
        bad=[
            BAD_TAG,
            ({"ProductTag": [{"TagKey": "site", "TagValue": "v"}]}, "iot.common.InvalidFormattedParameter"),
        ],
        absent=[NOBODY],
        without={"InvalidProductTags.ProductTag[].TagKey", "InvalidProductTags.ProductTag[].TagValue"},
    ),
    Row(
        "DeleteProductTags",
        lambda w: {"ProductKey": tagged(w), "ProductTagKey": ["city"]},
        "one tag goes, the other stays",
        lambda w, asked, told: tags(w, asked["ProductKey"]) == {"kind": "gas"},
        bad=[({"ProductTagKey": [f"k{n}" for n in range(11)]}, "iot.common.InvalidFormattedParameter")],
        absent=[NOBODY],
    ),
    Row(
        "ListProductTags",
        lambda w: {"ProductKey": tagged(w)},
        "all tags of a product",
        lambda w, asked, told: sorted(column(told["Data"]["ProductTag"], "TagValue")) == ["Ulm", "gas"],
        absent=[NOBODY],
    ),
    Row(
        "ListProductByTags",
        lambda w: [tagged(w), w.product()] and {"ProductTag": [{"TagKey": "city"}]},
        "the products with a tag",
        lambda w, asked, told: len(told["ProductInfos"]["ProductInfo"]) == 1,
        missing={"ProductTag": "MissingProductTag"},
        bad=[({"PageSize": 51}, "iot.common.InvalidPageParams")],
    ),
    Row(
        "UpdateProductFilterConfig",
        lambda w: {"ProductKey": w.product(), "PropertyTimestampFilter": True, "PropertyValueFilter": False},
        "kept with the product",
        lambda w, asked, told: filters(w, asked["ProductKey"]) == (1, 0),
        absent=[NOBODY],
    ),
    Row(
        "ReleaseProduct",
        lambda w: {"ProductKey": w.product()},
        "its status is published",
        lambda w, asked, told: info(w, asked["ProductKey"])["ProductStatus"] == "RELEASE_STATUS",
        absent=[NOBODY],
    ),
    Row(
        "CancelReleaseProduct",
        lambda w: {"ProductKey": published(w)},
        "its status is developing again",
        lambda w, asked, told: info(w, asked["ProductKey"])["ProductStatus"] == "DEVELOPMENT_STATUS",
        absent=[NOBODY],
    ),
]


def filters(platform: PreparedPlatform, key: str) -> tuple[int, int]:
    """No operation tells them, so the store has to."""
    with platform.emulator.store.read() as db:
        row = db.execute("SELECT timestamp_filter, value_filter FROM products WHERE product_key = ?", (key,))
        return tuple(row.fetchone())
