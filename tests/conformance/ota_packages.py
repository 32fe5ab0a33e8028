"""Updates: modules and packages."""

from __future__ import annotations

import io
from typing import Any

from console.cloud import object_storage
from tests.conformance.platform import PreparedPlatform, column
from tests.conformance.rows import Asked, Row

UNKNOWN_PRODUCT = ({"ProductKey": "a1Unknown00"}, "iot.prod.NotExistedProduct")
NO_PACKAGE = ({"FirmwareId": "none"}, "iot.firmware.FirmwareNotFound")
NO_MODULE = ({"ModuleName": "nothere"}, "iot.ota.OTAModuleNotExist")
PAGE = {"CurrentPage": 1, "PageSize": 10}
BAD_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
FIRMWARE = "iot.firmware."


def upload(platform: PreparedPlatform, data: bytes = b"firmware" * 100, suffix: str = "bin") -> str:
    """The address of a file brought to the store."""
    form = platform.call("GenerateOTAUploadURL", FileSuffix=suffix)["Data"]
    object_storage.upload_file(object_storage.UploadForm.from_response(form), io.BytesIO(data))
    return str(form["FirmwareUrl"])


def bring(told: dict[str, Any]) -> bool:
    """Whether the store takes a file at the address that was told."""
    return (
        object_storage.upload_file(
            object_storage.UploadForm.from_response(told["Data"]), io.BytesIO(b"dev-1\r\n")
        ).size
        == 7
    )


def package(platform: PreparedPlatform, product_key: str = "", **params: Any) -> str:
    """The id of a package that needs no verifying, or of one that does."""
    params = {
        "ProductKey": product_key or platform.product(),
        "FirmwareName": "pkg-2",
        "DestVersion": "2.0.0",
        "NeedToVerify": False,
        "FirmwareUrl": None if "MultiFiles" in params else upload(platform),
        **params,
    }
    given = {name: value for name, value in params.items() if value is not None}
    return str(platform.call("CreateOTAFirmware", **given)["Data"]["FirmwareId"])


def whole(platform: PreparedPlatform) -> str:
    """A package with all that can be told of one: a difference, for a module, with a text and data of one's own."""
    key = module(platform)["ProductKey"]
    return package(
        platform,
        key,
        Type=1,
        SrcVersion="1.0.0",
        ModuleName="radio",
        FirmwareDesc="d",
        Udi='{"a":1}',
        SignMethod="MD5",
    )


def several(platform: PreparedPlatform) -> str:
    """A package of two files."""
    files = [{"Name": f"part-{n}", "Url": upload(platform, bytes([n]) * 9)} for n in (1, 2)]
    return package(platform, MultiFiles=files)


def packages(platform: PreparedPlatform) -> list[str]:
    told = platform.call("ListOTAFirmware", CurrentPage=1, PageSize=100)
    return column(told["FirmwareInfo"].get("SimpleFirmwareInfo") or [], "FirmwareId")


def module(platform: PreparedPlatform) -> Asked:
    asked = {"ProductKey": platform.product(), "ModuleName": "radio"}
    platform.call("CreateOTAModule", **asked, AliasName="Radio", Desc="The radio")
    return asked


def aliases(platform: PreparedPlatform, key: str) -> dict[str, str]:
    told = platform.call("ListOTAModuleByProduct", ProductKey=key)["Data"]
    return {item["ModuleName"]: item.get("AliasName", "") for item in told}


ROWS = [
    Row(
        "GenerateOTAUploadURL",
        lambda w: {"FileSuffix": "tar.gz"},
        "the store takes a file there",
        lambda w, asked, told: bring(told) and told["Data"]["FirmwareUrl"].endswith(".tar.gz"),
        bad=[({"FileSuffix": "exe"}, f"{FIRMWARE}InvalidGenerateOTAUploadURLParam")],
    ),
    Row(
        "GenerateDeviceNameListURL",
        lambda w: {},
        "the store takes a list there",
        lambda w, asked, told: bring(told),
    ),
    Row(
        "CreateOTAModule",
        lambda w: {
            "ProductKey": w.product(),
            "ModuleName": "radio",
            "AliasName": "Radio",
            "Desc": "The radio",
        },
        "it is listed",
        lambda w, asked, told: aliases(w, asked["ProductKey"])["radio"] == "Radio",
        bad=[
            ({"ModuleName": "no spaces"}, "iot.ota.InvalidOtaModuleName"),
            ({"ModuleName": "Default"}, f"{FIRMWARE}ModuleNameReserved"),
            ({"AliasName": "a b"}, "iot.ota.CreateOTAModuleParamError"),
            (lambda w, asked: module(w), "iot.ota.CreateOTAModuleNameExist"),
        ],
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "UpdateOTAModule",
        lambda w: module(w) | {"AliasName": "Antenna", "Desc": "new"},
        "the alias changes",
        lambda w, asked, told: aliases(w, asked["ProductKey"])["radio"] == "Antenna",
        bad=[({"AliasName": "a b"}, "iot.ota.CreateOTAModuleParamError")],
        absent=[UNKNOWN_PRODUCT, NO_MODULE],
    ),
    Row(
        "DeleteOTAModule",
        module,
        "it is gone",
        lambda w, asked, told: "radio" not in aliases(w, asked["ProductKey"]),
        bad=[({"ModuleName": "default"}, "iot.ota.DeleteOtaDefaultModule")],
        absent=[UNKNOWN_PRODUCT, NO_MODULE],
    ),
    Row(
        "ListOTAModuleByProduct",
        lambda w: {"ProductKey": module(w)["ProductKey"]},
        "a product's modules",
        lambda w, asked, told: "radio" in column(told["Data"], "ModuleName"),
        absent=[UNKNOWN_PRODUCT],
    ),
    Row(
        "CreateOTAFirmware",
        lambda w: {
            "ProductKey": w.product(),
            "FirmwareName": "pkg-2",
            "DestVersion": "2.0.0",
            "FirmwareUrl": upload(w),
            "FirmwareDesc": "d",
            "SignMethod": "MD5",
        },
        "it is listed",
        lambda w, asked, told: packages(w) == [told["Data"]["FirmwareId"]],
        missing={"FirmwareUrl": f"{FIRMWARE}NullFirmwareUrl"},
        bad=[
            ({"FirmwareName": "-x"}, f"{FIRMWARE}IncorrectFormattedFirmwareName"),
            ({"DestVersion": "2.0 beta"}, f"{FIRMWARE}IncorrectFormattedFirmwareVersion"),
            ({"FirmwareDesc": "d" * 101}, f"{FIRMWARE}FirmwareDescriptionExceedMaxLength"),
            ({"SignMethod": "CRC"}, f"{FIRMWARE}InvalidFirmwareSignMethod"),
            ({"Type": 1}, f"{FIRMWARE}SrcVersionIsMandatory"),
            ({"FirmwareUrl": "nonsense"}, f"{FIRMWARE}MalformedFirmwareUrl"),
            ({"FirmwareSign": "0" * 32}, f"{FIRMWARE}InvalidFirmwareSign"),
            ({"FirmwareSize": 1}, f"{FIRMWARE}InvalidFirmwareSize"),
        ],
        absent=[
            UNKNOWN_PRODUCT,
            NO_MODULE,
            ({"FirmwareUrl": "http://elsewhere.test/x.bin"}, f"{FIRMWARE}InvalidFirmwareUrl"),
        ],
    ),
    Row(
        "DeleteOTAFirmware",
        lambda w: {"FirmwareId": package(w)},
        "it is gone",
        lambda w, asked, told: packages(w) == [],
        absent=[NO_PACKAGE],
    ),
    Row(
        "ListOTAFirmware",
        lambda w: whole(w) and dict(PAGE),
        "all packages",
        lambda w, asked, told: column(told["FirmwareInfo"]["SimpleFirmwareInfo"], "DestVersion") == ["2.0.0"],
        bad=[BAD_PAGE, ({"PageSize": 101}, "iot.common.InvalidPageParams")],
        absent=[UNKNOWN_PRODUCT],
        alien=None,
    ),
    Row(
        "QueryOTAFirmware",
        lambda w: {"FirmwareId": whole(w)},
        "a package of one file",
        lambda w, asked, told: told["FirmwareInfo"]["Udi"] == '{"a":1}',
        absent=[NO_PACKAGE],
        without={
            f"FirmwareInfo.MultiFiles[].{name}" for name in ("FileMd5", "Name", "SignValue", "Size", "Url")
        },
    ),
    Row(
        "QueryOTAFirmware",
        lambda w: {"FirmwareId": several(w)},
        "a package of two files",
        lambda w, asked, told: column(told["FirmwareInfo"]["MultiFiles"], "Name") == ["part-1", "part-2"],
        without={f"FirmwareInfo.{name}" for name in ("FirmwareUrl", "FirmwareSign", "FirmwareSize")},
    ),
]
