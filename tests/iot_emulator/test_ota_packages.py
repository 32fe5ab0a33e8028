"""Update packages: created from uploaded files, listed, read and deleted."""

from __future__ import annotations

import hashlib

import pytest

from tests.iot_emulator.update_setup import UpdateSetup


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


def read_package(ota: UpdateSetup, package: str) -> dict:
    return dict(ota.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"])


def test_a_package_has_the_size_and_md5_of_its_uploaded_file(ota):
    data = b"\x7fELF" * 4000
    product = ota.create_product()
    form = ota.upload_file(data)
    package = ota.call(
        "CreateOTAFirmware", ProductKey=product, FirmwareName="Firmware(2)", DestVersion="2.0.0",
        FirmwareUrl=form["FirmwareUrl"], FirmwareDesc="OTA", Udi='{"n":1}',
    )["Data"]["FirmwareId"]  # fmt: skip
    package_info = read_package(ota, package)
    assert package_info["FirmwareSize"] == len(data)
    assert package_info["FirmwareSign"] == hashlib.md5(data).hexdigest()
    assert (package_info["Status"], package_info["Type"], package_info["ModuleName"]) == (0, 0, "default")
    assert (package_info["ProductName"], package_info["Udi"], package_info["VerifyProgress"]) == (
        "Meter_A1",
        '{"n":1}',
        0,
    )
    assert ota.http_client.get(package_info["FirmwareUrl"]).content == data


def test_a_package_without_verification_has_its_own_status(ota):
    package = ota.create_package(ota.create_product())
    assert read_package(ota, package)["Status"] == -1


def test_a_package_of_several_files_lists_them(ota):
    files = [
        {"Name": f"part{number}", "Url": ota.upload_file(bytes([number]) * (number + 1))["FirmwareUrl"]}
        for number in range(3)
    ]
    product = ota.create_product()
    package = ota.call(
        "CreateOTAFirmware", ProductKey=product, FirmwareName="multi", DestVersion="3.0", MultiFiles=files
    )["Data"]["FirmwareId"]
    package_info = read_package(ota, package)
    assert [item["Size"] for item in package_info["MultiFiles"]] == [1, 2, 3]
    assert package_info["MultiFiles"][0]["FileMd5"] == hashlib.md5(b"\0").hexdigest()
    assert "FirmwareUrl" not in package_info
    assert ota.http_client.get(package_info["MultiFiles"][2]["Url"]).content == b"\2\2\2"


def test_files_of_a_package_must_be_unique(ota):
    product = ota.create_product()
    one, two = (ota.upload_file(data)["FirmwareUrl"] for data in (b"1", b"2"))
    common = {"ProductKey": product, "FirmwareName": "multi", "DestVersion": "3.0"}
    same_name = [{"Name": "a", "Url": one}, {"Name": "a", "Url": two}]
    same_url = [{"Name": "a", "Url": one}, {"Name": "b", "Url": one}]
    assert (
        ota.error_code("CreateOTAFirmware", **common, MultiFiles=same_name)
        == "iot.ota.PackageFileNameDuplicated"
    )
    assert (
        ota.error_code("CreateOTAFirmware", **common, MultiFiles=same_url)
        == "iot.ota.PackageFileUrlDuplicated"
    )
    both = {"MultiFiles": [{"Name": "a", "Url": one}], "FirmwareUrl": two}
    assert ota.error_code("CreateOTAFirmware", **common, **both) == "iot.ota.PackageFileParamConflict"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"FirmwareName": None}, "MissingFirmwareName"),
        ({"DestVersion": None}, "MissingDestVersion"),
        ({"FirmwareUrl": None}, "iot.firmware.NullFirmwareUrl"),
        ({"FirmwareName": "-starts badly"}, "iot.firmware.IncorrectFormattedFirmwareName"),
        ({"FirmwareName": "n" * 41}, "iot.firmware.IncorrectFormattedFirmwareName"),
        ({"DestVersion": "2.0 beta"}, "iot.firmware.IncorrectFormattedFirmwareVersion"),
        ({"FirmwareDesc": "d" * 101}, "iot.firmware.FirmwareDescriptionExceedMaxLength"),
        ({"SignMethod": "CRC"}, "iot.firmware.InvalidFirmwareSignMethod"),
        ({"Type": 2}, "iot.firmware.InvalidFirmwareType"),
        ({"Type": 1}, "iot.firmware.SrcVersionIsMandatory"),
        ({"Type": 1, "SrcVersion": "2.0.0"}, "iot.firmware.SrcDestVersionMatched"),
        ({"FirmwareUrl": "nonsense"}, "iot.firmware.MalformedFirmwareUrl"),
        ({"FirmwareUrl": "http://emulator.test/oss/ota/none.bin"}, "iot.firmware.InvalidFirmwareUrl"),
        ({"FirmwareUrl": "http://elsewhere.test/file.bin"}, "iot.firmware.InvalidFirmwareUrl"),
        ({"FirmwareSize": 1}, "iot.firmware.InvalidFirmwareSize"),
        ({"FirmwareSign": "0" * 32}, "iot.firmware.InvalidFirmwareSign"),
        ({"ProductKey": "a1nowhere"}, "iot.prod.NotExistedProduct"),
        ({"ModuleName": "nothere"}, "iot.ota.OTAModuleNotExist"),
    ],
)
def test_invalid_packages_are_refused(ota, change, code):
    form = ota.upload_file()
    params = {
        "ProductKey": ota.create_product(),
        "FirmwareName": "fw",
        "DestVersion": "2.0.0",
        "FirmwareUrl": form["FirmwareUrl"],
        **change,
    }
    assert ota.error_code("CreateOTAFirmware", **params) == code
    assert ota.call("ListOTAFirmware", CurrentPage=1, PageSize=10)["Total"] == 0


def test_an_empty_file_and_an_expired_file_are_refused(ota):
    product = ota.create_product()
    params = {"ProductKey": product, "FirmwareName": "fw", "DestVersion": "2.0.0"}
    empty = ota.upload_file(b"")
    assert ota.error_code("CreateOTAFirmware", **params, FirmwareUrl=empty["FirmwareUrl"]) == (
        "iot.firmware.EmptyFirmwareFile"
    )
    old = ota.upload_file(b"old")
    ota.clock.advance(61 * 60)
    assert ota.error_code("CreateOTAFirmware", **params, FirmwareUrl=old["FirmwareUrl"]) == (
        "iot.firmware.InvalidFirmwareUrl"
    )


def test_names_are_unique_in_an_account_and_versions_in_a_module(ota):
    product, other = ota.create_product(), ota.create_product("Meter_B2")
    ota.create_package(product, "fw", "2.0.0")
    form = ota.upload_file()
    common = {"FirmwareUrl": form["FirmwareUrl"], "ProductKey": other}
    assert ota.error_code("CreateOTAFirmware", FirmwareName="fw", DestVersion="9", **common) == (
        "iot.firmware.AlreadyExistedFirmwareName"
    )
    ota.create_package(other, "fw-b", "2.0.0")
    assert ota.error_code("CreateOTAFirmware", FirmwareName="fw-c", DestVersion="2.0.0", **common) == (
        "iot.firmware.AlreadyExistedFirmwareVersion"
    )
    ota.create_package(other, "fw-delta", "2.0.0", Type=1, SrcVersion="1.0.0")


def test_an_account_has_at_most_500_packages(ota, emulator):
    product = ota.create_product()
    package = ota.create_package(product, "fw-0", "0")
    with emulator.store.write() as db:
        row = dict(db.execute("SELECT * FROM ota_packages WHERE id = ?", (package,)).fetchone())
        for number in range(1, 500):
            row.update(id=f"id{number}", name=f"fw-{number}", dest_version=str(number))
            db.execute(f"INSERT INTO ota_packages VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    form = ota.upload_file()
    assert ota.error_code(
        "CreateOTAFirmware",
        ProductKey=product,
        FirmwareName="more",
        DestVersion="x",
        FirmwareUrl=form["FirmwareUrl"],
    ) == ("iot.firmware.FirmwareCountExceedMax")


def test_packages_are_listed_newest_first_by_product_and_version(ota):
    product, other = ota.create_product(), ota.create_product("Meter_B2")
    for number in range(3):
        ota.create_package(product, f"fw-{number}", f"1.{number}")
        ota.clock.advance(1)
    ota.create_package(other, "other", "1.1")
    first = ota.call("ListOTAFirmware", ProductKey=product, CurrentPage=1, PageSize=2)
    names = [item["FirmwareName"] for item in first["FirmwareInfo"]["SimpleFirmwareInfo"]]
    assert names == ["fw-2", "fw-1"]
    assert (first["Total"], first["PageCount"]) == (3, 2)
    second = ota.call("ListOTAFirmware", ProductKey=product, CurrentPage=2, PageSize=2)
    assert [item["FirmwareName"] for item in second["FirmwareInfo"]["SimpleFirmwareInfo"]] == ["fw-0"]
    assert ota.call("ListOTAFirmware", DestVersion="1.1", CurrentPage=1, PageSize=10)["Total"] == 2
    assert ota.error_code("ListOTAFirmware", CurrentPage=1) == "MissingPageSize"
    assert ota.error_code("ListOTAFirmware", CurrentPage=1, PageSize=101) == "iot.common.InvalidPageParams"
    assert ota.error_code("ListOTAFirmware", CurrentPage=1, PageSize=1, ProductKey="a1none") == (
        "iot.prod.NotExistedProduct"
    )


def test_a_package_is_deleted_with_its_file_but_not_while_a_batch_runs(ota):
    product = ota.create_product()
    ota.register_devices(product, 2)
    package = ota.create_package(product)
    address = read_package(ota, package)["FirmwareUrl"]
    ota.create_static_batch(package, product)
    assert ota.error_code("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.DeleteFirmwareFailure"
    ota.run_for()
    ota.call("DeleteOTAFirmware", FirmwareId=package)
    assert ota.error_code("QueryOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert ota.error_code("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert ota.http_client.get(address).status_code == 404
    assert ota.error_code("DeleteOTAFirmware") == "MissingFirmwareId"
    assert ota.error_code("QueryOTAFirmware") == "MissingFirmwareId"


def test_a_package_of_another_account_is_not_found(ota, other_api):
    package = ota.create_package(ota.create_product())
    assert other_api.error_code("QueryOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert other_api.error_code("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert other_api.call("ListOTAFirmware", CurrentPage=1, PageSize=10)["Total"] == 0


def test_an_unknown_file_suffix_is_refused(ota):
    assert ota.error_code("GenerateOTAUploadURL", FileSuffix="exe") == (
        "iot.firmware.InvalidGenerateOTAUploadURLParam"
    )


def test_a_device_list_gets_a_csv_url(ota):
    form = ota.call("GenerateDeviceNameListURL")["Data"]
    assert form["Key"].endswith(".csv")
    assert form["FileUrl"] == f"{form['Host']}/{form['Key']}"
