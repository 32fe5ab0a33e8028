"""OTA modules of a product."""

from __future__ import annotations

import pytest

from tests.iot_emulator.update_setup import UpdateSetup


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


def read_modules(ota: UpdateSetup, product: str) -> dict[str, dict]:
    response = ota.call("ListOTAModuleByProduct", ProductKey=product)
    return {item["ModuleName"]: item for item in response["Data"]}


def test_a_new_product_has_the_default_module(ota):
    product = ota.create_product()
    assert list(read_modules(ota, product)) == ["default"]
    assert read_modules(ota, product)["default"]["ProductKey"] == product


def test_a_module_is_created_changed_and_deleted(ota):
    product = ota.create_product()
    ota.call(
        "CreateOTAModule", ProductKey=product, ModuleName="scanner", AliasName="Barcode", Desc="Reads codes"
    )
    ota.clock.advance(120)
    ota.call("UpdateOTAModule", ProductKey=product, ModuleName="scanner", AliasName="Barcode_2")
    module = read_modules(ota, product)["scanner"]
    assert (module["AliasName"], module["Desc"]) == ("Barcode_2", "Reads codes")
    assert module["GmtModified"] > module["GmtCreate"]
    assert module["GmtCreate"].endswith("Z")
    ota.call("DeleteOTAModule", ProductKey=product, ModuleName="scanner")
    assert list(read_modules(ota, product)) == ["default"]


def test_module_names_are_not_case_sensitive(ota):
    product = ota.create_product()
    ota.call("CreateOTAModule", ProductKey=product, ModuleName="scanner")
    again = ota.error_code("CreateOTAModule", ProductKey=product, ModuleName="Scanner")
    assert again == "iot.ota.CreateOTAModuleNameExist"
    assert ota.error_code("CreateOTAModule", ProductKey=product, ModuleName="Default") == (
        "iot.firmware.ModuleNameReserved"
    )


def test_a_product_has_at_most_ten_modules_of_its_own(ota):
    product, other = ota.create_product(), ota.create_product("Meter_B2")
    for number in range(10):
        ota.call("CreateOTAModule", ProductKey=product, ModuleName=f"m{number}")
    assert ota.error_code("CreateOTAModule", ProductKey=product, ModuleName="m10") == (
        "iot.ota.CreateOTAModuleExceedLimit"
    )
    ota.call("CreateOTAModule", ProductKey=other, ModuleName="m10")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ModuleName": "no spaces"}, "iot.ota.InvalidOtaModuleName"),
        ({"ModuleName": "x" * 65}, "iot.ota.InvalidOtaModuleName"),
        ({"ModuleName": "m", "AliasName": "a b"}, "iot.ota.CreateOTAModuleParamError"),
        ({"ModuleName": "m", "Desc": "d" * 101}, "iot.ota.CreateOTAModuleParamError"),
        ({"ModuleName": "m", "ProductKey": "a1nowhere"}, "iot.prod.NotExistedProduct"),
        ({}, "MissingModuleName"),
    ],
)
def test_invalid_modules_are_refused(ota, params, code):
    assert ota.error_code("CreateOTAModule", **{"ProductKey": ota.create_product(), **params}) == code


def test_the_default_module_a_used_module_and_an_unknown_module_cannot_be_deleted(ota):
    product = ota.create_product()
    ota.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
    ota.create_package(product, ModuleName="RADIO")
    for name, code in (
        ("default", "iot.ota.DeleteOtaDefaultModule"),
        ("radio", "iot.ota.DeleteOTAModulePackageExist"),
        ("none", "iot.ota.OTAModuleNotExist"),
    ):
        assert ota.error_code("DeleteOTAModule", ProductKey=product, ModuleName=name) == code
    assert (
        ota.error_code("UpdateOTAModule", ProductKey=product, ModuleName="none")
        == "iot.ota.OTAModuleNotExist"
    )
    assert ota.error_code("UpdateOTAModule", ProductKey=product) == "MissingModuleName"
    assert ota.error_code("DeleteOTAModule", ModuleName="radio") == "MissingProductKey"
    assert ota.error_code("ListOTAModuleByProduct") == "MissingProductKey"
    assert ota.error_code("ListOTAModuleByProduct", ProductKey="a1none") == "iot.prod.NotExistedProduct"
