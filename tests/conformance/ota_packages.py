"""Updates: modules and packages."""

from __future__ import annotations

import io
from typing import Any

from iot_client import object_storage
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Request, Row

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
UNKNOWN_PACKAGE = ({"FirmwareId": "none"}, "iot.firmware.FirmwareNotFound")
UNKNOWN_MODULE = ({"ModuleName": "nothere"}, "iot.ota.OTAModuleNotExist")
PAGE = {"CurrentPage": 1, "PageSize": 10}
INVALID_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
FIRMWARE = "iot.firmware."


def upload_file(platform: PreparedPlatform, data: bytes = b"firmware" * 100, suffix: str = "bin") -> str:
    """Upload a file; returns its URL."""
    form = platform.call("GenerateOTAUploadURL", FileSuffix=suffix)["Data"]
    object_storage.upload_file(object_storage.UploadForm.from_response(form), io.BytesIO(data))
    return str(form["FirmwareUrl"])


def accepts_upload(response: dict[str, Any]) -> bool:
    """Whether the store accepts a file at the upload URL of the response."""
    return (
        object_storage.upload_file(
            object_storage.UploadForm.from_response(response["Data"]), io.BytesIO(b"dev-1\r\n")
        ).size
        == 7
    )


def create_package(platform: PreparedPlatform, product_key: str = "", **params: Any) -> str:
    """Create a package, by default without verification; returns its id."""
    params = {
        "ProductKey": product_key or platform.create_product(),
        "FirmwareName": "pkg-2",
        "DestVersion": "2.0.0",
        "NeedToVerify": False,
        "FirmwareUrl": None if "MultiFiles" in params else upload_file(platform),
        **params,
    }
    fields = {name: value for name, value in params.items() if value is not None}
    return str(platform.call("CreateOTAFirmware", **fields)["Data"]["FirmwareId"])


def create_delta_package(platform: PreparedPlatform) -> str:
    """Create a package with all optional fields: a delta package for a module, with description and custom data."""
    key = create_module(platform)["ProductKey"]
    return create_package(
        platform,
        key,
        Type=1,
        SrcVersion="1.0.0",
        ModuleName="radio",
        FirmwareDesc="d",
        Udi='{"a":1}',
        SignMethod="MD5",
    )


def create_multi_file_package(platform: PreparedPlatform) -> str:
    """Create a package with two files."""
    files = [{"Name": f"part-{n}", "Url": upload_file(platform, bytes([n]) * 9)} for n in (1, 2)]
    return create_package(platform, MultiFiles=files)


def list_packages(platform: PreparedPlatform) -> list[str]:
    response = platform.call("ListOTAFirmware", CurrentPage=1, PageSize=100)
    return column(response["FirmwareInfo"].get("SimpleFirmwareInfo") or [], "FirmwareId")


def create_module(platform: PreparedPlatform) -> Request:
    request = {"ProductKey": platform.create_product(), "ModuleName": "radio"}
    platform.call("CreateOTAModule", **request, AliasName="Radio", Desc="The radio")
    return request


def read_aliases(platform: PreparedPlatform, key: str) -> dict[str, str]:
    response = platform.call("ListOTAModuleByProduct", ProductKey=key)["Data"]
    return {item["ModuleName"]: item.get("AliasName", "") for item in response}


ROWS = [
    Row(
        "GenerateOTAUploadURL",
        lambda platform: {"FileSuffix": "tar.gz"},
        "the store accepts a file",
        lambda platform, request, response: (
            accepts_upload(response) and response["Data"]["FirmwareUrl"].endswith(".tar.gz")
        ),
        invalid=[({"FileSuffix": "exe"}, f"{FIRMWARE}InvalidGenerateOTAUploadURLParam")],
    ),
    Row(
        "GenerateDeviceNameListURL",
        lambda platform: {},
        "the store accepts a list",
        lambda platform, request, response: accepts_upload(response),
    ),
    Row(
        "CreateOTAModule",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "ModuleName": "radio",
            "AliasName": "Radio",
            "Desc": "The radio",
        },
        "it is listed",
        lambda platform, request, response: read_aliases(platform, request["ProductKey"])["radio"] == "Radio",
        invalid=[
            ({"ModuleName": "no spaces"}, "iot.ota.InvalidOtaModuleName"),
            ({"ModuleName": "Default"}, f"{FIRMWARE}ModuleNameReserved"),
            ({"AliasName": "a b"}, "iot.ota.CreateOTAModuleParamError"),
            (lambda platform, request: create_module(platform), "iot.ota.CreateOTAModuleNameExist"),
        ],
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateOTAModule",
        lambda platform: create_module(platform) | {"AliasName": "Antenna", "Desc": "new"},
        "the alias changes",
        lambda platform, request, response: (
            read_aliases(platform, request["ProductKey"])["radio"] == "Antenna"
        ),
        invalid=[({"AliasName": "a b"}, "iot.ota.CreateOTAModuleParamError")],
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_MODULE],
    ),
    Row(
        "DeleteOTAModule",
        create_module,
        "it is deleted",
        lambda platform, request, response: "radio" not in read_aliases(platform, request["ProductKey"]),
        invalid=[({"ModuleName": "default"}, "iot.ota.DeleteOtaDefaultModule")],
        not_found=[UNKNOWN_PRODUCT, UNKNOWN_MODULE],
    ),
    Row(
        "ListOTAModuleByProduct",
        lambda platform: {"ProductKey": create_module(platform)["ProductKey"]},
        "a product's modules",
        lambda platform, request, response: "radio" in column(response["Data"], "ModuleName"),
        not_found=[UNKNOWN_PRODUCT],
    ),
    Row(
        "CreateOTAFirmware",
        lambda platform: {
            "ProductKey": platform.create_product(),
            "FirmwareName": "pkg-2",
            "DestVersion": "2.0.0",
            "FirmwareUrl": upload_file(platform),
            "FirmwareDesc": "d",
            "SignMethod": "MD5",
        },
        "it is listed",
        lambda platform, request, response: list_packages(platform) == [response["Data"]["FirmwareId"]],
        missing={"FirmwareUrl": f"{FIRMWARE}NullFirmwareUrl"},
        invalid=[
            ({"FirmwareName": "-x"}, f"{FIRMWARE}IncorrectFormattedFirmwareName"),
            ({"DestVersion": "2.0 beta"}, f"{FIRMWARE}IncorrectFormattedFirmwareVersion"),
            ({"FirmwareDesc": "d" * 101}, f"{FIRMWARE}FirmwareDescriptionExceedMaxLength"),
            ({"SignMethod": "CRC"}, f"{FIRMWARE}InvalidFirmwareSignMethod"),
            ({"Type": 1}, f"{FIRMWARE}SrcVersionIsMandatory"),
            ({"FirmwareUrl": "nonsense"}, f"{FIRMWARE}MalformedFirmwareUrl"),
            ({"FirmwareSign": "0" * 32}, f"{FIRMWARE}InvalidFirmwareSign"),
            ({"FirmwareSize": 1}, f"{FIRMWARE}InvalidFirmwareSize"),
        ],
        not_found=[
            UNKNOWN_PRODUCT,
            UNKNOWN_MODULE,
            ({"FirmwareUrl": "http://elsewhere.test/x.bin"}, f"{FIRMWARE}InvalidFirmwareUrl"),
        ],
    ),
    Row(
        "DeleteOTAFirmware",
        lambda platform: {"FirmwareId": create_package(platform)},
        "it is deleted",
        lambda platform, request, response: list_packages(platform) == [],
        not_found=[UNKNOWN_PACKAGE],
    ),
    Row(
        "ListOTAFirmware",
        lambda platform: create_delta_package(platform) and dict(PAGE),
        "all packages",
        lambda platform, request, response: (
            column(response["FirmwareInfo"]["SimpleFirmwareInfo"], "DestVersion") == ["2.0.0"]
        ),
        invalid=[INVALID_PAGE, ({"PageSize": 101}, "iot.common.InvalidPageParams")],
        not_found=[UNKNOWN_PRODUCT],
        other_account_code=None,
    ),
    Row(
        "QueryOTAFirmware",
        lambda platform: {"FirmwareId": create_delta_package(platform)},
        "a package of one file",
        lambda platform, request, response: response["FirmwareInfo"]["Udi"] == '{"a":1}',
        not_found=[UNKNOWN_PACKAGE],
        absent_fields={
            f"FirmwareInfo.MultiFiles[].{name}" for name in ("FileMd5", "Name", "SignValue", "Size", "Url")
        },
    ),
    Row(
        "QueryOTAFirmware",
        lambda platform: {"FirmwareId": create_multi_file_package(platform)},
        "a package of two files",
        lambda platform, request, response: (
            column(response["FirmwareInfo"]["MultiFiles"], "Name") == ["part-1", "part-2"]
        ),
        absent_fields={f"FirmwareInfo.{name}" for name in ("FirmwareUrl", "FirmwareSign", "FirmwareSize")},
    ),
]
