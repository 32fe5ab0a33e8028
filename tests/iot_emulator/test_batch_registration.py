"""Batch registration of devices: check, registration, and their results."""

from __future__ import annotations

import time
from typing import Any

import pytest

from iot_emulator import Emulator, ManualClock, create_app

from .clients import KEY_ID, KEY_SECRET, Api, create_api
from .test_core import http_client, signed_fields


@pytest.fixture
def meters(api: Api) -> str:
    """A product."""
    return api.create_product("Meters")


def check(api: Api, product_key: str, *names: str) -> int:
    return api.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))["Data"][
        "ApplyId"
    ]


def state(api: Api, product_key: str, apply_id: int) -> dict[str, Any]:
    return api.call("QueryBatchRegisterDeviceStatus", ProductKey=product_key, ApplyId=apply_id)["Data"]


def register(api: Api, product_key: str, apply_id: int) -> None:
    api.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)


def check_response(emulator: Emulator, product_key: str, *devices: tuple[str, str]) -> dict[str, Any]:
    """Return the whole response of a check, whether it was refused or not."""
    fields = {}
    for n, (name, nickname) in enumerate(devices, start=1):
        fields[f"DeviceNameList.{n}.DeviceName"] = name
        if nickname:
            fields[f"DeviceNameList.{n}.DeviceNickname"] = nickname
    return (
        http_client(emulator)
        .post("/", data=signed_fields("BatchCheckDeviceNames", ProductKey=product_key, **fields))
        .json()
    )


def test_an_application_passes_its_statuses(api: Api, meters: str, clock: ManualClock) -> None:
    names = [f"dev-{n}" for n in range(100)]
    apply_id = check(api, meters, *names)
    assert state(api, meters, apply_id)["Status"] == "CHECK"
    clock.advance(2)
    status = state(api, meters, apply_id)
    assert status == {"Status": "CHECK_SUCCESS", "ValidList": {"Name": names}, "InvalidList": {"Name": []}}
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 0
    register(api, meters, apply_id)
    assert state(api, meters, apply_id)["Status"] == "CREATE"
    clock.advance(3)
    assert state(api, meters, apply_id) == {**status, "Status": "CREATE_SUCCESS"}
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 100


def test_the_registered_devices_are_listed_with_their_secrets_in_order(api: Api, meters: str) -> None:
    names = [f"dev-{n:03}" for n in range(60)]
    api.register_devices(meters, *names)
    apply_id = 1_000_001
    first = api.call("QueryPageByApplyId", ApplyId=apply_id, PageSize=50)
    second = api.call("QueryPageByApplyId", ApplyId=apply_id, PageSize=50, CurrentPage=2)
    devices = [d for page in (first, second) for d in page["ApplyDeviceList"]["ApplyDeviceInfo"]]
    assert [device["DeviceName"] for device in devices] == names
    assert (first["Total"], first["PageCount"], second["Page"]) == (60, 2, 2)
    info = api.call("QueryDeviceInfo", IotId=devices[7]["IotId"])["Data"]
    assert (info["DeviceName"], info["DeviceSecret"]) == ("dev-007", devices[7]["DeviceSecret"])


def test_nicknames_are_registered_with_the_names(api: Api, meters: str, clock: ManualClock) -> None:
    device_list = [{"DeviceName": "dev-1", "DeviceNickname": "Keller_links"}, {"DeviceName": "dev-2"}]
    response = api.call(
        "BatchCheckDeviceNames", ProductKey=meters, DeviceNameList=device_list, DeviceName=["ignored"]
    )
    clock.advance(2)
    register(api, meters, response["Data"]["ApplyId"])
    clock.advance(2)
    devices = api.call("QueryDevice", ProductKey=meters)["Data"]["DeviceInfo"]
    assert {d["DeviceName"]: d["Nickname"] for d in devices} == {"dev-1": "Keller_links", "dev-2": ""}


def test_existing_names_are_listed_at_once_and_make_the_check_fail(
    api: Api, emulator: Emulator, meters: str, clock: ManualClock
) -> None:
    api.register_devices(meters, "dev-1", "dev-3")
    response = check_response(emulator, meters, ("dev-1", ""), ("dev-2", ""), ("dev-3", ""))
    assert response["Success"] is True
    assert response["Data"]["RepeatedDeviceNameList"] == {"RepeatDevieNameList": ["dev-1", "dev-3"]}
    apply_id = response["Data"]["ApplyId"]
    clock.advance(2)
    status = state(api, meters, apply_id)
    assert (status["Status"], status["ValidList"]) == ("CHECK_FAILED", {"Name": []})
    assert status["InvalidList"] == {"Name": ["dev-1", "dev-3"]}
    assert [d["DeviceName"] for d in status["InvalidDetailList"]["invalidDetailList"]] == ["dev-1", "dev-3"]
    code = api.error_code("BatchRegisterDeviceWithApplyId", ProductKey=meters, ApplyId=apply_id)
    assert code == "iot.device.IncorrentDeviceApplyInfo"
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 2


def test_a_name_registered_after_the_check_makes_all_fail(api: Api, meters: str, clock: ManualClock) -> None:
    apply_id = check(api, meters, "dev-1", "dev-2")
    clock.advance(2)
    register(api, meters, apply_id)
    api.register_device(meters, "dev-2")
    clock.advance(3)
    status = state(api, meters, apply_id)
    assert (status["Status"], status["InvalidList"]) == ("CREATE_FAILED", {"Name": ["dev-2"]})
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 1
    assert api.call("QueryPageByApplyId", ApplyId=apply_id)["Total"] == 0


def test_an_application_registers_only_once(api: Api, meters: str, clock: ManualClock) -> None:
    apply_id = check(api, meters, "dev-1")
    params = {"ProductKey": meters, "ApplyId": apply_id}
    assert (
        api.error_code("BatchRegisterDeviceWithApplyId", **params) == "iot.device.CreateDeviceTaskIsRunning"
    )
    clock.advance(2)
    register(api, meters, apply_id)
    assert (
        api.error_code("BatchRegisterDeviceWithApplyId", **params) == "iot.device.CreateDeviceTaskIsRunning"
    )
    clock.advance(2)
    assert api.error_code("BatchRegisterDeviceWithApplyId", **params) == "iot.device.IncorrentDeviceApplyInfo"
    assert api.call("QueryDevice", ProductKey=meters)["Total"] == 1


class TestInvalidNames:
    def test_all_invalid_names_and_nicknames_are_listed(
        self, emulator: Emulator, meters: str, api: Api
    ) -> None:
        response = check_response(emulator, meters, ("dev-1", ""), ("b d", ""), ("dev-2", "x"), ("ü", ""))
        assert (response["Success"], response["Code"]) == (False, "iot.device.InvalidFormattedDeviceName")
        data = response["Data"]
        assert data["InvalidDeviceNameList"] == {"InvalidDeviceName": ["b d", "ü"]}
        assert data["InvalidDeviceNicknameList"] == {"InvalidDeviceNickname": ["x"]}
        details = data["InvalidDetailList"]["InvalidDetailList"]
        assert [(d["DeviceName"], d["NickName"]) for d in details] == [("b d", ""), ("ü", ""), ("dev-2", "x")]
        assert "ApplyId" not in data

    def test_a_duplicate_name_is_refused(self, emulator: Emulator, meters: str, api: Api) -> None:
        response = check_response(emulator, meters, ("dev-1", ""), ("dev-2", ""), ("dev-1", ""))
        assert (response["Success"], response["Code"]) == (False, "iot.device.AlreadyExistedDeviceName")
        assert response["Data"]["RepeatedDeviceNameList"] == {"RepeatDevieNameList": ["dev-1"]}

    def test_an_invalid_nickname_alone_is_refused(self, emulator: Emulator, meters: str, api: Api) -> None:
        response = check_response(emulator, meters, ("dev-1", "灯" * 33))
        assert response["Code"] == "iot.device.InvalidDeviceNickNameExisted"

    def test_more_than_ten_thousand_names_are_refused(self, api: Api, meters: str) -> None:
        names = [f"dev-{n}" for n in range(10_001)]
        code = api.error_code("BatchCheckDeviceNames", ProductKey=meters, DeviceName=names)
        assert code == "iot.device.DeviceCountExceeded"

    def test_a_call_without_names_is_refused(self, api: Api, meters: str) -> None:
        assert api.error_code("BatchCheckDeviceNames", ProductKey=meters).startswith("iot.")

    def test_an_unknown_product_is_refused(self, api: Api) -> None:
        params = {"ProductKey": "none", "DeviceName": ["dev-1"]}
        assert api.error_code("BatchCheckDeviceNames", **params) == "iot.prod.NotExistedProduct"
        assert api.error_code("BatchCheckDeviceNames", DeviceName=["dev-1"]) == "MissingProductKey"


class TestRandomNames:
    def test_the_requested_number_of_devices_is_registered(
        self, api: Api, meters: str, clock: ManualClock
    ) -> None:
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
        code = api.error_code("BatchRegisterDeviceWithApplyId", ProductKey=meters, ApplyId=apply_id)
        assert code == "iot.device.IncorrentDeviceApplyInfo"

    @pytest.mark.parametrize("count", [0, 10_001])
    def test_a_count_out_of_range_is_refused(self, api: Api, meters: str, count: int) -> None:
        assert (
            api.error_code("BatchRegisterDevice", ProductKey=meters, Count=count)
            == "iot.device.DeviceCountExceeded"
        )

    def test_a_missing_count_and_an_unknown_product_are_refused(self, api: Api, meters: str) -> None:
        assert api.error_code("BatchRegisterDevice", ProductKey=meters) == "MissingCount"
        assert (
            api.error_code("BatchRegisterDevice", ProductKey="none", Count=1) == "iot.prod.NotExistedProduct"
        )


@pytest.mark.parametrize("operation", ["BatchRegisterDeviceWithApplyId", "QueryBatchRegisterDeviceStatus"])
def test_an_unknown_application_is_refused(api: Api, meters: str, operation: str) -> None:
    lamps = api.create_product("Lamps")
    apply_id = check(api, meters, "dev-1")
    assert api.error_code(operation, ProductKey=meters, ApplyId=7) == "iot.device.DeviceApplyIsNotFound"
    assert api.error_code(operation, ProductKey=lamps, ApplyId=apply_id) == "iot.device.DeviceApplyIsNotFound"
    assert api.error_code(operation, ProductKey="none", ApplyId=apply_id) == "iot.prod.NotExistedProduct"
    assert api.error_code(operation, ProductKey=meters) == "MissingApplyId"


def test_the_devices_of_an_unknown_application_are_refused(api: Api, other_api: Api, meters: str) -> None:
    apply_id = check(api, meters, "dev-1")
    assert api.error_code("QueryPageByApplyId", ApplyId=7) == "iot.device.DeviceApplyIsNotFound"
    assert other_api.error_code("QueryPageByApplyId", ApplyId=apply_id) == "iot.device.DeviceApplyIsNotFound"
    assert api.error_code("QueryPageByApplyId") == "MissingApplyId"
    assert (
        api.error_code("QueryPageByApplyId", ApplyId=apply_id, PageSize=51) == "iot.common.InvalidPageParams"
    )


def test_ten_thousand_devices_take_seconds_at_the_real_pace(
    api: Api, meters: str, clock: ManualClock
) -> None:
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


def test_the_instant_pace_needs_no_time(tmp_path: Any) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, pace="instant", clock=ManualClock())
    api = create_api(app)
    meters = api.create_product()
    apply_id = check(api, meters, "dev-1")
    assert state(api, meters, apply_id)["Status"] == "CHECK_SUCCESS"
    register(api, meters, apply_id)
    assert state(api, meters, apply_id)["Status"] == "CREATE_SUCCESS"
    app.close()


def test_an_application_also_advances_with_the_real_clock(tmp_path: Any) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={KEY_ID: KEY_SECRET}, pace="fast")
    client = http_client(app)

    def call(action: str, **params: Any) -> dict[str, Any]:
        return client.post("/", params=signed_fields(action, **params)).json()

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
