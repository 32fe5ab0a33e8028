"""Update packages: made of uploaded files, listed, read and deleted."""

from __future__ import annotations

import hashlib

import pytest

from tests.emulator.ota_world import World


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


def info(world: World, package: str) -> dict:
    return dict(world.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"])


def test_a_package_knows_the_size_and_md5_of_its_uploaded_file(world):
    data = b"\x7fELF" * 4000
    product = world.product()
    form = world.upload(data)
    package = world.call(
        "CreateOTAFirmware", ProductKey=product, FirmwareName="Firmware(2)", DestVersion="2.0.0",
        FirmwareUrl=form["FirmwareUrl"], FirmwareDesc="OTA", Udi='{"n":1}',
    )["Data"]["FirmwareId"]  # fmt: skip
    shown = info(world, package)
    assert shown["FirmwareSize"] == len(data)
    assert shown["FirmwareSign"] == hashlib.md5(data).hexdigest()
    assert (shown["Status"], shown["Type"], shown["ModuleName"]) == (0, 0, "default")
    assert (shown["ProductName"], shown["Udi"], shown["VerifyProgress"]) == ("Meter_A1", '{"n":1}', 0)
    assert world.http.get(shown["FirmwareUrl"]).content == data


def test_a_package_without_verification_says_so(world):
    package = world.package(world.product())
    assert info(world, package)["Status"] == -1


def test_a_package_of_several_files_lists_them(world):
    files = [
        {"Name": f"part{number}", "Url": world.upload(bytes([number]) * (number + 1))["FirmwareUrl"]}
        for number in range(3)
    ]
    product = world.product()
    package = world.call(
        "CreateOTAFirmware", ProductKey=product, FirmwareName="multi", DestVersion="3.0", MultiFiles=files
    )["Data"]["FirmwareId"]
    shown = info(world, package)
    assert [item["Size"] for item in shown["MultiFiles"]] == [1, 2, 3]
    assert shown["MultiFiles"][0]["FileMd5"] == hashlib.md5(b"\0").hexdigest()
    assert "FirmwareUrl" not in shown
    assert world.http.get(shown["MultiFiles"][2]["Url"]).content == b"\2\2\2"


def test_files_of_a_package_must_differ(world):
    product = world.product()
    one, two = (world.upload(data)["FirmwareUrl"] for data in (b"1", b"2"))
    common = {"ProductKey": product, "FirmwareName": "multi", "DestVersion": "3.0"}
    same_name = [{"Name": "a", "Url": one}, {"Name": "a", "Url": two}]
    same_url = [{"Name": "a", "Url": one}, {"Name": "b", "Url": one}]
    assert (
        world.refused("CreateOTAFirmware", **common, MultiFiles=same_name)
        == "iot.ota.PackageFileNameDuplicated"
    )
    assert (
        world.refused("CreateOTAFirmware", **common, MultiFiles=same_url)
        == "iot.ota.PackageFileUrlDuplicated"
    )
    both = {"MultiFiles": [{"Name": "a", "Url": one}], "FirmwareUrl": two}
    assert world.refused("CreateOTAFirmware", **common, **both) == "iot.ota.PackageFileParamConflict"


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
def test_bad_packages_are_refused(world, change, code):
    form = world.upload()
    params = {
        "ProductKey": world.product(),
        "FirmwareName": "fw",
        "DestVersion": "2.0.0",
        "FirmwareUrl": form["FirmwareUrl"],
        **change,
    }
    assert world.refused("CreateOTAFirmware", **params) == code
    assert world.call("ListOTAFirmware", CurrentPage=1, PageSize=10)["Total"] == 0


def test_an_empty_file_and_one_uploaded_over_an_hour_ago_make_no_package(world):
    product = world.product()
    params = {"ProductKey": product, "FirmwareName": "fw", "DestVersion": "2.0.0"}
    empty = world.upload(b"")
    assert world.refused("CreateOTAFirmware", **params, FirmwareUrl=empty["FirmwareUrl"]) == (
        "iot.firmware.EmptyFirmwareFile"
    )
    old = world.upload(b"old")
    world.clock.advance(61 * 60)
    assert world.refused("CreateOTAFirmware", **params, FirmwareUrl=old["FirmwareUrl"]) == (
        "iot.firmware.InvalidFirmwareUrl"
    )


def test_names_are_unique_in_an_account_and_versions_in_a_module(world):
    product, other = world.product(), world.product("Meter_B2")
    world.package(product, "fw", "2.0.0")
    form = world.upload()
    common = {"FirmwareUrl": form["FirmwareUrl"], "ProductKey": other}
    assert world.refused("CreateOTAFirmware", FirmwareName="fw", DestVersion="9", **common) == (
        "iot.firmware.AlreadyExistedFirmwareName"
    )
    world.package(other, "fw-b", "2.0.0")
    assert world.refused("CreateOTAFirmware", FirmwareName="fw-c", DestVersion="2.0.0", **common) == (
        "iot.firmware.AlreadyExistedFirmwareVersion"
    )
    world.package(other, "fw-delta", "2.0.0", Type=1, SrcVersion="1.0.0")


def test_an_account_has_at_most_500_packages(world, emulator):
    product = world.product()
    package = world.package(product, "fw-0", "0")
    with emulator.store.write() as db:
        row = dict(db.execute("SELECT * FROM ota_packages WHERE id = ?", (package,)).fetchone())
        for number in range(1, 500):
            row.update(id=f"id{number}", name=f"fw-{number}", dest_version=str(number))
            db.execute(f"INSERT INTO ota_packages VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    form = world.upload()
    assert world.refused(
        "CreateOTAFirmware",
        ProductKey=product,
        FirmwareName="more",
        DestVersion="x",
        FirmwareUrl=form["FirmwareUrl"],
    ) == ("iot.firmware.FirmwareCountExceedMax")


def test_packages_are_listed_newest_first_by_product_and_version(world):
    product, other = world.product(), world.product("Meter_B2")
    for number in range(3):
        world.package(product, f"fw-{number}", f"1.{number}")
        world.clock.advance(1)
    world.package(other, "other", "1.1")
    first = world.call("ListOTAFirmware", ProductKey=product, CurrentPage=1, PageSize=2)
    names = [item["FirmwareName"] for item in first["FirmwareInfo"]["SimpleFirmwareInfo"]]
    assert names == ["fw-2", "fw-1"]
    assert (first["Total"], first["PageCount"]) == (3, 2)
    second = world.call("ListOTAFirmware", ProductKey=product, CurrentPage=2, PageSize=2)
    assert [item["FirmwareName"] for item in second["FirmwareInfo"]["SimpleFirmwareInfo"]] == ["fw-0"]
    assert world.call("ListOTAFirmware", DestVersion="1.1", CurrentPage=1, PageSize=10)["Total"] == 2
    assert world.refused("ListOTAFirmware", CurrentPage=1) == "MissingPageSize"
    assert world.refused("ListOTAFirmware", CurrentPage=1, PageSize=101) == "iot.common.InvalidPageParams"
    assert world.refused("ListOTAFirmware", CurrentPage=1, PageSize=1, ProductKey="a1none") == (
        "iot.prod.NotExistedProduct"
    )


def test_a_deleted_package_is_gone_with_its_file_but_not_while_a_batch_runs(world):
    product = world.product()
    world.devices(product, 2)
    package = world.package(product)
    address = info(world, package)["FirmwareUrl"]
    world.static(package, product)
    assert world.refused("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.DeleteFirmwareFailure"
    world.run_out()
    world.call("DeleteOTAFirmware", FirmwareId=package)
    assert world.refused("QueryOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert world.refused("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert world.http.get(address).status_code == 404
    assert world.refused("DeleteOTAFirmware") == "MissingFirmwareId"
    assert world.refused("QueryOTAFirmware") == "MissingFirmwareId"


def test_a_package_of_another_account_is_not_found(world, other_api):
    package = world.package(world.product())
    assert other_api.error_code("QueryOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert other_api.error_code("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.FirmwareNotFound"
    assert other_api.call("ListOTAFirmware", CurrentPage=1, PageSize=10)["Total"] == 0


def test_an_unknown_suffix_is_refused(world):
    assert world.refused("GenerateOTAUploadURL", FileSuffix="exe") == (
        "iot.firmware.InvalidGenerateOTAUploadURLParam"
    )


def test_a_device_list_gets_a_csv_address(world):
    form = world.call("GenerateDeviceNameListURL")["Data"]
    assert form["Key"].endswith(".csv")
    assert form["FileUrl"] == f"{form['Host']}/{form['Key']}"
