"""OTA modules of a product."""

from __future__ import annotations

import pytest

from tests.emulator.ota_world import World


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


def modules(world: World, product: str) -> dict[str, dict]:
    answer = world.call("ListOTAModuleByProduct", ProductKey=product)
    return {item["ModuleName"]: item for item in answer["Data"]}


def test_a_product_has_its_default_module_from_the_start(world):
    product = world.product()
    assert list(modules(world, product)) == ["default"]
    assert modules(world, product)["default"]["ProductKey"] == product


def test_a_module_is_made_changed_and_deleted(world):
    product = world.product()
    world.call(
        "CreateOTAModule", ProductKey=product, ModuleName="scanner", AliasName="Barcode", Desc="Reads codes"
    )
    world.clock.advance(120)
    world.call("UpdateOTAModule", ProductKey=product, ModuleName="scanner", AliasName="Barcode_2")
    module = modules(world, product)["scanner"]
    assert (module["AliasName"], module["Desc"]) == ("Barcode_2", "Reads codes")
    assert module["GmtModified"] > module["GmtCreate"]
    assert module["GmtCreate"].endswith("Z")
    world.call("DeleteOTAModule", ProductKey=product, ModuleName="scanner")
    assert list(modules(world, product)) == ["default"]


def test_module_names_differ_in_more_than_case(world):
    product = world.product()
    world.call("CreateOTAModule", ProductKey=product, ModuleName="scanner")
    again = world.refused("CreateOTAModule", ProductKey=product, ModuleName="Scanner")
    assert again == "iot.ota.CreateOTAModuleNameExist"
    assert world.refused("CreateOTAModule", ProductKey=product, ModuleName="Default") == (
        "iot.firmware.ModuleNameReserved"
    )


def test_a_product_has_at_most_ten_modules_of_its_own(world):
    product, other = world.product(), world.product("Meter_B2")
    for number in range(10):
        world.call("CreateOTAModule", ProductKey=product, ModuleName=f"m{number}")
    assert world.refused("CreateOTAModule", ProductKey=product, ModuleName="m10") == (
        "iot.ota.CreateOTAModuleExceedLimit"
    )
    world.call("CreateOTAModule", ProductKey=other, ModuleName="m10")


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
def test_bad_modules_are_refused(world, params, code):
    assert world.refused("CreateOTAModule", **{"ProductKey": world.product(), **params}) == code


def test_the_default_module_a_used_one_and_one_that_is_not_there_cannot_be_deleted(world):
    product = world.product()
    world.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
    world.package(product, ModuleName="RADIO")
    for name, code in (
        ("default", "iot.ota.DeleteOtaDefaultModule"),
        ("radio", "iot.ota.DeleteOTAModulePackageExist"),
        ("none", "iot.ota.OTAModuleNotExist"),
    ):
        assert world.refused("DeleteOTAModule", ProductKey=product, ModuleName=name) == code
    assert (
        world.refused("UpdateOTAModule", ProductKey=product, ModuleName="none") == "iot.ota.OTAModuleNotExist"
    )
    assert world.refused("UpdateOTAModule", ProductKey=product) == "MissingModuleName"
    assert world.refused("DeleteOTAModule", ModuleName="radio") == "MissingProductKey"
    assert world.refused("ListOTAModuleByProduct") == "MissingProductKey"
    assert world.refused("ListOTAModuleByProduct", ProductKey="a1none") == "iot.prod.NotExistedProduct"
