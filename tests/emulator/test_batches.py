"""Registering devices by the thousand: check, create, and their results over time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from console.emulator import Emulator, ManualClock, create_app

from .conftest import KEY_ID, KEY_SECRET, Api, api_of
from .test_core import http, signed


@pytest.fixture
def meters(api: Api) -> str:
    """A product."""
    return api.product("Meters")


def check(api: Api, product_key: str, *names: str) -> int:
    return api.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))["Data"][
        "ApplyId"
    ]


def state(api: Api, product_key: str, apply_id: int) -> dict[str, Any]:
    return api.call("QueryBatchRegisterDeviceStatus", ProductKey=product_key, ApplyId=apply_id)["Data"]


def register(api: Api, product_key: str, apply_id: int) -> None:
    api.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)


def answer(emulator: Emulator, product_key: str, *devices: tuple[str, str]) -> dict[str, Any]:
    """The whole answer to a check, refused or not."""
    fields = {}
    for n, (name, nickname) in enumerate(devices, start=1):
        fields[f"DeviceNameList.{n}.DeviceName"] = name
        if nickname:
            fields[f"DeviceNameList.{n}.DeviceNickname"] = nickname
    return (
        http(emulator)
        .post("/", data=signed("BatchCheckDeviceNames", ProductKey=product_key, **fields))
        .json()
    )


def test_an_application_passes_through_its_states(api: Api, meters: str, clock: ManualClock) -> None:
    names = [f"dev-{n}" for n in range(100)]
    apply_id = check(api, meters, *names)
    assert state(api, meters, apply_id)["Status"] == "CHECK"
    clock.advance(2)
    checked = state(api, meters, apply_id)
    assert checked == {"Status": "CHECK_SUCCESS", "ValidList": {"Name": names}, "InvalidList": {"Name": []}}
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 0
    register(api, meters, apply_id)
    assert state(api, meters, apply_id)["Status"] == "CREATE"
    clock.advance(3)
    assert state(api, meters, apply_id) == {**checked, "Status": "CREATE_SUCCESS"}
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 100


def test_the_devices_made_are_told_with_their_secrets_in_order(api: Api, meters: str) -> None:
    names = [f"dev-{n:03}" for n in range(60)]
    api.devices(meters, *names)
    apply_id = 1_000_001
    first = api.call("QueryPageByApplyId", ApplyId=apply_id, PageSize=50)
    second = api.call("QueryPageByApplyId", ApplyId=apply_id, PageSize=50, CurrentPage=2)
    made = [d for page in (first, second) for d in page["ApplyDeviceList"]["ApplyDeviceInfo"]]
    assert [device["DeviceName"] for device in made] == names
    assert (first["Total"], first["PageCount"], second["Page"]) == (60, 2, 2)
    info = api.call("QueryDeviceInfo", IotId=made[7]["IotId"])["Data"]
    assert (info["DeviceName"], info["DeviceSecret"]) == ("dev-007", made[7]["DeviceSecret"])


def test_nicknames_go_along(api: Api, meters: str, clock: ManualClock) -> None:
    wanted = [{"DeviceName": "dev-1", "DeviceNickname": "Keller_links"}, {"DeviceName": "dev-2"}]
    checked = api.call(
        "BatchCheckDeviceNames", ProductKey=meters, DeviceNameList=wanted, DeviceName=["ignored"]
    )
    clock.advance(2)
    register(api, meters, checked["Data"]["ApplyId"])
    clock.advance(2)
    listed = api.call("QueryDevice", ProductKey=meters)["Data"]["DeviceInfo"]
    assert {d["DeviceName"]: d["Nickname"] for d in listed} == {"dev-1": "Keller_links", "dev-2": ""}


def test_names_that_exist_are_told_at_once_and_fail_the_check(
    api: Api, emulator: Emulator, meters: str, clock: ManualClock
) -> None:
    api.devices(meters, "dev-1", "dev-3")
    told = answer(emulator, meters, ("dev-1", ""), ("dev-2", ""), ("dev-3", ""))
    assert told["Success"] is True
    assert told["Data"]["RepeatedDeviceNameList"] == {"RepeatDevieNameList": ["dev-1", "dev-3"]}
    apply_id = told["Data"]["ApplyId"]
    clock.advance(2)
    failed = state(api, meters, apply_id)
    assert (failed["Status"], failed["ValidList"]) == ("CHECK_FAILED", {"Name": []})
    assert failed["InvalidList"] == {"Name": ["dev-1", "dev-3"]}
    assert [d["DeviceName"] for d in failed["InvalidDetailList"]["invalidDetailList"]] == ["dev-1", "dev-3"]
    code = api.refused("BatchRegisterDeviceWithApplyId", ProductKey=meters, ApplyId=apply_id)
    assert code == "iot.device.IncorrentDeviceApplyInfo"
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 2


def test_a_name_taken_between_check_and_creation_fails_all(api: Api, meters: str, clock: ManualClock) -> None:
    apply_id = check(api, meters, "dev-1", "dev-2")
    clock.advance(2)
    register(api, meters, apply_id)
    api.device(meters, "dev-2")
    clock.advance(3)
    failed = state(api, meters, apply_id)
    assert (failed["Status"], failed["InvalidList"]) == ("CREATE_FAILED", {"Name": ["dev-2"]})
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 1
    assert api.call("QueryPageByApplyId", ApplyId=apply_id)["Total"] == 0


def test_an_application_registers_once(api: Api, meters: str, clock: ManualClock) -> None:
    apply_id = check(api, meters, "dev-1")
    again = {"ProductKey": meters, "ApplyId": apply_id}
    assert api.refused("BatchRegisterDeviceWithApplyId", **again) == "iot.device.CreateDeviceTaskIsRunning"
    clock.advance(2)
    register(api, meters, apply_id)
    assert api.refused("BatchRegisterDeviceWithApplyId", **again) == "iot.device.CreateDeviceTaskIsRunning"
    clock.advance(2)
    assert api.refused("BatchRegisterDeviceWithApplyId", **again) == "iot.device.IncorrentDeviceApplyInfo"
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 1


class TestRefusedAtOnce:
    def test_bad_names_and_nicknames_are_all_named(self, emulator: Emulator, meters: str, api: Api) -> None:
        told = answer(emulator, meters, ("dev-1", ""), ("b d", ""), ("dev-2", "x"), ("ü", ""))
        assert (told["Success"], told["Code"]) == (False, "iot.device.InvalidFormattedDeviceName")
        data = told["Data"]
        assert data["InvalidDeviceNameList"] == {"InvalidDeviceName": ["b d", "ü"]}
        assert data["InvalidDeviceNicknameList"] == {"InvalidDeviceNickname": ["x"]}
        details = data["InvalidDetailList"]["InvalidDetailList"]
        assert [(d["DeviceName"], d["NickName"]) for d in details] == [("b d", ""), ("ü", ""), ("dev-2", "x")]
        assert "ApplyId" not in data

    def test_a_name_given_twice(self, emulator: Emulator, meters: str, api: Api) -> None:
        told = answer(emulator, meters, ("dev-1", ""), ("dev-2", ""), ("dev-1", ""))
        assert (told["Success"], told["Code"]) == (False, "iot.device.AlreadyExistedDeviceName")
        assert told["Data"]["RepeatedDeviceNameList"] == {"RepeatDevieNameList": ["dev-1"]}

    def test_a_bad_nickname_alone(self, emulator: Emulator, meters: str, api: Api) -> None:
        told = answer(emulator, meters, ("dev-1", "灯" * 33))
        assert told["Code"] == "iot.device.InvalidDeviceNickNameExisted"

    def test_more_than_ten_thousand(self, api: Api, meters: str) -> None:
        names = [f"dev-{n}" for n in range(10_001)]
        code = api.refused("BatchCheckDeviceNames", ProductKey=meters, DeviceName=names)
        assert code == "iot.device.DeviceCountExceeded"

    def test_no_names(self, api: Api, meters: str) -> None:
        assert api.refused("BatchCheckDeviceNames", ProductKey=meters).startswith("iot.")

    def test_a_product_that_does_not_exist(self, api: Api) -> None:
        params = {"ProductKey": "none", "DeviceName": ["dev-1"]}
        assert api.refused("BatchCheckDeviceNames", **params) == "iot.prod.NotExistedProduct"
        assert api.refused("BatchCheckDeviceNames", DeviceName=["dev-1"]) == "MissingProductKey"


class TestRandomNames:
    def test_so_many_devices_are_made(self, api: Api, meters: str, clock: ManualClock) -> None:
        apply_id = api.call("BatchRegisterDevice", ProductKey=meters, Count=25)["Data"]["ApplyId"]
        assert state(api, meters, apply_id)["Status"] == "CREATE"
        clock.advance(2)
        assert state(api, meters, apply_id)["Status"] == "CREATE_SUCCESS"
        names = {
            d["DeviceName"]
            for d in api.call("QueryPageByApplyId", ApplyId=apply_id, PageSize=50)["ApplyDeviceList"][
                "ApplyDeviceInfo"
            ]
        }
        assert len(names) == 25
        code = api.refused("BatchRegisterDeviceWithApplyId", ProductKey=meters, ApplyId=apply_id)
        assert code == "iot.device.IncorrentDeviceApplyInfo"

    @pytest.mark.parametrize("count", [0, 10_001])
    def test_a_count_out_of_range(self, api: Api, meters: str, count: int) -> None:
        assert (
            api.refused("BatchRegisterDevice", ProductKey=meters, Count=count)
            == "iot.device.DeviceCountExceeded"
        )

    def test_refused(self, api: Api, meters: str) -> None:
        assert api.refused("BatchRegisterDevice", ProductKey=meters) == "MissingCount"
        assert api.refused("BatchRegisterDevice", ProductKey="none", Count=1) == "iot.prod.NotExistedProduct"


@pytest.mark.parametrize("operation", ["BatchRegisterDeviceWithApplyId", "QueryBatchRegisterDeviceStatus"])
def test_an_application_that_does_not_exist(api: Api, meters: str, operation: str) -> None:
    lamps = api.product("Lamps")
    apply_id = check(api, meters, "dev-1")
    assert api.refused(operation, ProductKey=meters, ApplyId=7) == "iot.device.DeviceApplyIsNotFound"
    assert api.refused(operation, ProductKey=lamps, ApplyId=apply_id) == "iot.device.DeviceApplyIsNotFound"
    assert api.refused(operation, ProductKey="none", ApplyId=apply_id) == "iot.prod.NotExistedProduct"
    assert api.refused(operation, ProductKey=meters) == "MissingApplyId"


def test_the_devices_of_an_application_that_does_not_exist(api: Api, other: Api, meters: str) -> None:
    apply_id = check(api, meters, "dev-1")
    assert api.refused("QueryPageByApplyId", ApplyId=7) == "iot.device.DeviceApplyIsNotFound"
    assert other.refused("QueryPageByApplyId", ApplyId=apply_id) == "iot.device.DeviceApplyIsNotFound"
    assert api.refused("QueryPageByApplyId") == "MissingApplyId"
    assert api.refused("QueryPageByApplyId", ApplyId=apply_id, PageSize=51) == "iot.common.InvalidPageParams"


def test_ten_thousand_take_seconds_at_the_real_pace(api: Api, meters: str, clock: ManualClock) -> None:
    names = [f"dev-{n}" for n in range(10_000)]
    apply_id = check(api, meters, *names)
    clock.advance(1)
    assert state(api, meters, apply_id)["Status"] == "CHECK"
    clock.advance(1)
    assert state(api, meters, apply_id)["Status"] == "CHECK_SUCCESS"
    register(api, meters, apply_id)
    clock.advance(1)
    assert state(api, meters, apply_id)["Status"] == "CREATE"
    clock.advance(1)
    assert state(api, meters, apply_id)["ValidList"]["Name"] == names
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 10_000


def test_the_instant_pace_waits_for_nothing(tmp_path: Any) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, pace="instant", clock=ManualClock())
    api = api_of(app)
    meters = api.product()
    apply_id = check(api, meters, "dev-1")
    assert state(api, meters, apply_id)["Status"] == "CHECK_SUCCESS"
    register(api, meters, apply_id)
    assert state(api, meters, apply_id)["Status"] == "CREATE_SUCCESS"
    app.close()


def test_the_real_clock_moves_it_too(tmp_path: Any) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, pace="fast")
    client = http(app)

    def call(action: str, **params: Any) -> dict[str, Any]:
        return client.post("/", params=signed(action, **params)).json()

    key = call("CreateProduct", ProductName="Meters", NodeType=0)["ProductKey"]
    apply_id = call("BatchRegisterDevice", ProductKey=key, Count=10)["Data"]["ApplyId"]
    deadline = time.monotonic() + 5
    while (
        call("QueryBatchRegisterDeviceStatus", ProductKey=key, ApplyId=apply_id)["Data"]["Status"]
        != "CREATE_SUCCESS"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert call("QueryDevice", ProductKey=key)["Total"] == 10
    app.close()
