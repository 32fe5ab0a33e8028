"""Devices: register, query, list, count, disable and delete; changes of the status with time; topology."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import httpx
import pytest

from iot_emulator import Emulator, ManualClock, devices_presence
from iot_emulator.devices_schema import NewDevice, insert_devices

from .clients import KEY_ID, Api, signed_fields

HOUR = 3600


@pytest.fixture
def meters(api: Api) -> str:
    """A product."""
    return api.create_product("Meters")


def run_all_due_work(api: Api) -> None:
    """Make enough requests to do all work that is due."""
    for _ in range(50):
        api.call("QueryDeviceStatistics")


def count_online(api: Api, product_key: str) -> int:
    return int(api.call("QueryDeviceStatistics", ProductKey=product_key)["Data"]["onlineCount"])


def set_status(emulator: Emulator, name: str, status: str, *, due: int | None = None) -> None:
    """Set the status of a device, as a status change with time does."""
    with emulator.store.write() as db:
        activated = None if status == "UNACTIVE" else emulator.clock.now()
        db.execute(
            "UPDATE devices SET status = ?, activated = ?, last_online = ?, due = ? WHERE name = ?",
            (status, activated, activated, due, name),
        )


class TestRegisterDevice:
    def test_a_registered_device_is_found_with_its_secret(
        self, api: Api, meters: str, clock: ManualClock
    ) -> None:
        registered = api.register_device(meters, "meter-1", Nickname="Keller_links")
        info = api.call("QueryDeviceInfo", ProductKey=meters, DeviceName="meter-1")["Data"]
        assert info == registered
        assert len(registered["DeviceSecret"]) == 32
        detail = api.call("QueryDeviceDetail", IotId=registered["IotId"])["Data"]
        assert (detail["DeviceName"], detail["Nickname"]) == ("meter-1", "Keller_links")
        assert (detail["Status"], detail["ProductName"], detail["GmtActive"]) == ("UNACTIVE", "Meters", "")
        assert detail["UtcCreate"] == "2026-09-21T14:13:20.000Z"
        assert detail["GmtCreate"] == "2026-09-21 22:13:20"

    def test_a_name_is_generated_if_none_is_given(self, api: Api, meters: str) -> None:
        registered = api.call("RegisterDevice", ProductKey=meters)["Data"]
        assert len(registered["DeviceName"]) == 20

    def test_a_device_name_is_unique_in_its_product(self, api: Api, meters: str) -> None:
        api.register_device(meters, "meter-1")
        error = api.error_code("RegisterDevice", ProductKey=meters, DeviceName="meter-1")
        assert error == "iot.device.AlreadyExistedDeviceName"
        api.register_device(api.create_product("Lamps"), "meter-1")

    @pytest.mark.parametrize("name", ["abc", "x" * 33, "two words", "zähler", "a/b/c"])
    def test_an_invalid_name_is_refused(self, api: Api, meters: str, name: str) -> None:
        code = api.error_code("RegisterDevice", ProductKey=meters, DeviceName=name)
        assert code == "iot.device.InvalidFormattedDeviceName"

    @pytest.mark.parametrize("name", ["abcd", "A-_@.:9", "x" * 32])
    def test_a_valid_name_is_accepted(self, api: Api, meters: str, name: str) -> None:
        assert api.register_device(meters, name)["DeviceName"] == name

    @pytest.mark.parametrize("nickname", ["abc", "x" * 65, "with space", "灯" * 33])
    def test_an_invalid_nickname_is_refused(self, api: Api, meters: str, nickname: str) -> None:
        code = api.error_code("RegisterDevice", ProductKey=meters, Nickname=nickname)
        assert code == "iot.device.InvalidDeviceNickNameExisted"

    def test_an_unknown_product_is_refused(self, api: Api) -> None:
        assert api.error_code("RegisterDevice", ProductKey="none") == "iot.prod.NotExistedProduct"

    def test_a_lorawan_device_needs_its_eui(self, api: Api) -> None:
        lora = api.create_product("Lora", NetType="LORA", JoinPermissionId="8")
        assert api.error_code("RegisterDevice", ProductKey=lora) == "iot.device.CreateDeviceFailed"
        error = api.error_code("RegisterDevice", ProductKey=lora, LoraNodeType="ALIYUNDEFINED", DevEui="e8")
        assert error == "iot.common.InvalidFormattedParameter"
        response = api.call(
            "RegisterDevice", ProductKey=lora, LoraNodeType="ALIYUNDEFINED", DevEui="e8", PinCode="1"
        )
        assert response["Data"]["DevEui"] == "e8"


ONE_DEVICE = [
    ("QueryDeviceInfo", {}),
    ("QueryDeviceDetail", {}),
    ("GetDeviceStatus", {}),
    ("DeleteDevice", {}),
    ("DisableThing", {}),
    ("EnableThing", {}),
    ("ResetThing", {}),
    ("SaveDeviceProp", {"Props": '{"a":"b"}'}),
    ("QueryDeviceProp", {}),
    ("DeleteDeviceProp", {"PropKey": "a"}),
    ("RemoveThingTopo", {}),
    ("GetThingTopo", {"PageSize": 10}),
    ("GetGatewayBySubDevice", {}),
    ("ListOTAModuleVersionsByDevice", {"CurrentPage": 1, "PageSize": 10}),
]


@pytest.mark.parametrize(("operation", "params"), ONE_DEVICE)
class TestFindOneDevice:
    def test_an_unknown_device_is_refused(
        self, api: Api, meters: str, operation: str, params: dict[str, Any]
    ) -> None:
        for name in ({"IotId": "none"}, {"ProductKey": meters, "DeviceName": "nobody"}):
            assert api.error_code(operation, **name, **params) == "iot.device.NotExistedDevice"

    def test_an_incomplete_device_name_is_refused(
        self, api: Api, meters: str, operation: str, params: dict[str, Any]
    ) -> None:
        assert api.error_code(operation, ProductKey=meters, **params) == "iot.device.NullDeviceName"
        assert api.error_code(operation, DeviceName="meter-1", **params) == "iot.prod.NullProductKey"
        assert api.error_code(operation, **params) == "iot.prod.NullProductKey"


def test_an_iot_id_has_precedence_over_a_name(api: Api, meters: str) -> None:
    first = api.register_device(meters, "meter-1")
    api.register_device(meters, "meter-2")
    device = api.call("QueryDeviceInfo", IotId=first["IotId"], ProductKey=meters, DeviceName="meter-2")[
        "Data"
    ]
    assert device["DeviceName"] == "meter-1"


class TestSeveralDevices:
    def test_details_of_existing_devices_are_in_the_order_of_the_request(self, api: Api, meters: str) -> None:
        api.register_devices(meters, "dev-1", "dev-2")
        response = api.call(
            "BatchQueryDeviceDetail", ProductKey=meters, DeviceName=["dev-2", "dev-9", "dev-1", "dev-2"]
        )
        assert [device["DeviceName"] for device in response["Data"]["Data"]] == ["dev-2", "dev-1"]

    def test_details_of_unknown_devices_are_refused(self, api: Api, meters: str) -> None:
        params = {"ProductKey": meters, "DeviceName": ["dev-9"]}
        assert api.error_code("BatchQueryDeviceDetail", **params) == "iot.device.NotExistedDevice"

    def test_details_of_more_than_a_hundred_devices_are_refused(self, api: Api, meters: str) -> None:
        names = [f"dev-{n}" for n in range(101)]
        code = api.error_code("BatchQueryDeviceDetail", ProductKey=meters, DeviceName=names)
        assert code == "iot.device.InvalidFormattedDeviceName"

    def test_statuses_are_found_by_name_and_by_id(self, api: Api, meters: str, emulator: Emulator) -> None:
        ids = [api.register_device(meters, name)["IotId"] for name in ("dev-1", "dev-2")]
        set_status(emulator, "dev-2", "ONLINE")
        by_name = api.call("BatchGetDeviceState", ProductKey=meters, DeviceName=["dev-1", "dev-2", "dev-9"])
        by_id = api.call("BatchGetDeviceState", IotId=ids)
        states = [(d["DeviceName"], d["Status"]) for d in by_id["DeviceStatusList"]["DeviceStatus"]]
        assert states == [("dev-1", "UNACTIVE"), ("dev-2", "ONLINE")]
        assert by_name["DeviceStatusList"] == by_id["DeviceStatusList"]

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "iot.prod.NullProductKey"),
            ({"IotId": ["none"]}, "iot.device.NotExistedDevice"),
            ({"IotId": [f"id{n}" for n in range(51)]}, "iot.common.InvalidFormattedParameter"),
            ({"ProductKey": "none", "DeviceName": ["dev-1"]}, "iot.prod.NotExistedProduct"),
        ],
    )
    def test_invalid_status_queries_are_refused(self, api: Api, params: dict[str, Any], code: str) -> None:
        assert api.error_code("BatchGetDeviceState", **params) == code

    def test_nicknames_are_changed_and_removed(self, api: Api, meters: str) -> None:
        first = api.register_device(meters, "dev-1", Nickname="Old_name")
        api.register_device(meters, "dev-2", Nickname="Stays_not")
        api.call(
            "BatchUpdateDeviceNickname",
            DeviceNicknameInfo=[
                {"IotId": first["IotId"], "Nickname": "New_name"},
                {"ProductKey": meters, "DeviceName": "dev-2"},
            ],
        )
        names = {
            name: api.call("QueryDeviceInfo", ProductKey=meters, DeviceName=name)["Data"]["Nickname"]
            for name in ("dev-1", "dev-2")
        }
        assert names == {"dev-1": "New_name", "dev-2": ""}

    def test_an_invalid_nickname_changes_none(self, api: Api, meters: str) -> None:
        api.register_device(meters, "dev-1", Nickname="Old_name")
        change = [{"ProductKey": meters, "DeviceName": "dev-1", "Nickname": "x"}]
        code = api.error_code("BatchUpdateDeviceNickname", DeviceNicknameInfo=change)
        assert code == "iot.device.InvalidDeviceNickNameExisted"


class TestQueryDevice:
    def names(self, response: dict[str, Any]) -> list[str]:
        return [device["DeviceName"] for device in response["Data"]["DeviceInfo"]]

    def test_pages_are_newest_first(self, api: Api, meters: str) -> None:
        api.register_devices(meters, *(f"dev-{n:02}" for n in range(25)))
        first = api.call("QueryDevice", ProductKey=meters)
        last = api.call("QueryDevice", ProductKey=meters, CurrentPage=3)
        assert self.names(first) == [f"dev-{n:02}" for n in range(24, 14, -1)]
        assert self.names(last) == [f"dev-{n:02}" for n in range(4, -1, -1)]
        assert (first["Total"], first["PageCount"], first["PageSize"], last["Page"]) == (25, 3, 10, 3)
        assert last["NextToken"] == ""

    def test_tokens_reach_every_device_once(self, api: Api, meters: str) -> None:
        all_names = [f"dev-{n:03}" for n in range(120)]
        api.register_devices(meters, *all_names)
        found_names, token, pages = [], None, 0
        while token != "":
            pages += 1
            response = api.call(
                "QueryDevice", ProductKey=meters, PageSize=50, CurrentPage=pages, NextToken=token
            )
            found_names += self.names(response)
            token = response["NextToken"]
        assert (sorted(found_names), pages) == (all_names, 3)

    def test_the_fields_of_a_listed_device(self, api: Api, meters: str) -> None:
        registered = api.register_device(meters, "meter-1", Nickname="Keller")
        (device,) = api.call("QueryDevice", ProductKey=meters)["Data"]["DeviceInfo"]
        assert device["IotId"] == registered["IotId"]
        assert device["DeviceSecret"] == registered["DeviceSecret"]
        assert (device["DeviceStatus"], device["Nickname"]) == ("UNACTIVE", "Keller")
        assert device["GmtCreate"] == "Mon, 21-Sep-2026 14:13:20 GMT"
        assert device["UtcModified"] == "2026-09-21T14:13:20.000Z"

    @pytest.mark.parametrize(
        "page", [{"PageSize": 51}, {"PageSize": 0}, {"CurrentPage": 0}, {"CurrentPage": 201, "PageSize": 50}]
    )
    def test_an_invalid_page_is_refused(self, api: Api, meters: str, page: dict[str, int]) -> None:
        assert api.error_code("QueryDevice", ProductKey=meters, **page) == "iot.common.InvalidPageParams"

    def test_a_token_reaches_half_a_million_devices(self, api: Api, meters: str) -> None:
        api.register_devices(meters, "dev-1", "dev-2")
        token = api.call("QueryDevice", ProductKey=meters, PageSize=1)["NextToken"]
        far = {"ProductKey": meters, "NextToken": token, "PageSize": 50}
        assert self.names(api.call("QueryDevice", CurrentPage=9999, **far)) == ["dev-1"]
        assert api.error_code("QueryDevice", CurrentPage=10_000, **far) == "iot.common.InvalidPageParams"

    def test_an_invalid_token_is_refused(self, api: Api, meters: str) -> None:
        for token in ("nonsense", "bmV4dDpub25l", "\u00e9"):
            code = api.error_code("QueryDevice", ProductKey=meters, NextToken=token)
            assert code == "iot.device.PageTokenIsIllegal"

    def test_an_unknown_product_is_refused(self, api: Api) -> None:
        assert api.error_code("QueryDevice", ProductKey="none") == "iot.prod.NotExistedProduct"


class TestStatus:
    def test_a_device_that_was_never_activated_is_disabled_and_enabled(
        self, api: Api, meters: str, clock: ManualClock
    ) -> None:
        api.register_device(meters, "meter-1")
        clock.advance(60)
        api.call("DisableThing", ProductKey=meters, DeviceName="meter-1")
        status = api.call("GetDeviceStatus", ProductKey=meters, DeviceName="meter-1")["Data"]
        assert status == {"Status": "DISABLE", "Timestamp": clock.now()}
        api.call("EnableThing", ProductKey=meters, DeviceName="meter-1")
        assert api.device_status(meters, "meter-1") == "UNACTIVE"

    def test_a_device_that_was_online_is_offline_after_it_is_enabled(
        self, api: Api, meters: str, emulator: Emulator
    ) -> None:
        api.register_device(meters, "meter-1")
        set_status(emulator, "meter-1", "ONLINE")
        api.call("DisableThing", ProductKey=meters, DeviceName="meter-1")
        api.call("EnableThing", ProductKey=meters, DeviceName="meter-1")
        assert api.device_status(meters, "meter-1") == "OFFLINE"
        api.call("EnableThing", ProductKey=meters, DeviceName="meter-1")
        assert api.device_status(meters, "meter-1") == "OFFLINE"

    def test_a_reset_device_is_not_activated(self, api: Api, meters: str, emulator: Emulator) -> None:
        registered = api.register_device(meters, "meter-1")
        set_status(emulator, "meter-1", "ONLINE")
        assert api.call("ResetThing", ProductKey=meters, DeviceName="meter-1")["JobId"]
        detail = api.call("QueryDeviceDetail", IotId=registered["IotId"])["Data"]
        assert (detail["Status"], detail["UtcActive"]) == ("UNACTIVE", "")
        assert detail["DeviceSecret"] != registered["DeviceSecret"]

    def test_a_deleted_device_is_removed_from_tags_and_groups(self, api: Api, meters: str) -> None:
        registered = api.register_device(meters, "meter-1")
        group = api.create_group()
        api.call(
            "BatchAddDeviceGroupRelations",
            GroupId=group,
            Device=[{"ProductKey": meters, "DeviceName": "meter-1"}],
        )
        api.call("SaveDeviceProp", IotId=registered["IotId"], Props={"city": "Ulm"})
        api.call("DeleteDevice", IotId=registered["IotId"])
        assert api.error_code("QueryDeviceInfo", IotId=registered["IotId"]) == "iot.device.NotExistedDevice"
        assert api.call("QueryDevice", ProductKey=meters)["Total"] == 0
        assert api.call("QueryDeviceGroupInfo", GroupId=group)["Data"]["DeviceCount"] == 0
        assert api.call("QueryDeviceByTags", Tag=[{"TagKey": "city", "TagValue": "Ulm"}])["Total"] == 0
        assert api.register_device(meters, "meter-1")["IotId"] != registered["IotId"]


class TestQueryDeviceByStatus:
    @pytest.mark.parametrize(("number", "status"), [(0, "UNACTIVE"), (1, "ONLINE"), (3, "OFFLINE")])
    def test_devices_are_found_by_status_in_a_product_and_in_the_account(
        self, api: Api, emulator: Emulator, number: int, status: str
    ) -> None:
        meters, lamps = api.create_product("Meters"), api.create_product("Lamps", ResourceGroupId="rg-1")
        for key, prefix in ((meters, "m"), (lamps, "l")):
            api.register_devices(key, *(f"{prefix}-{name}" for name in ("UNACTIVE", "ONLINE", "OFFLINE")))
        for name in ("ONLINE", "OFFLINE"):
            for prefix in "ml":
                set_status(emulator, f"{prefix}-{name}", name)

        def find(**params: Any) -> tuple[int, list[tuple[str, str]]]:
            response = api.call("QueryDeviceByStatus", Status=number, **params)
            return response["Total"], [
                (d["DeviceName"], d["Status"]) for d in response["Data"]["SimpleDeviceInfo"]
            ]

        assert find(ProductKey=meters) == (1, [(f"m-{status}", status)])
        assert find() == (2, [(f"l-{status}", status), (f"m-{status}", status)])
        assert find(ResourceGroupId="rg-1") == (1, [(f"l-{status}", status)])

    def test_the_list_has_pages(self, api: Api, meters: str) -> None:
        api.register_devices(meters, *(f"dev-{n:02}" for n in range(12)))
        response = api.call("QueryDeviceByStatus", ProductKey=meters, Status=0, CurrentPage=2, PageSize=5)
        assert [d["DeviceName"] for d in response["Data"]["SimpleDeviceInfo"]] == [
            f"dev-{n:02}" for n in (6, 5, 4, 3, 2)
        ]
        assert (response["Total"], response["PageCount"], response["Page"]) == (12, 3, 2)

    def test_invalid_calls_are_refused(self, api: Api, meters: str) -> None:
        assert api.error_code("QueryDeviceByStatus", Status=2) == "iot.common.InvalidFormattedParameter"
        assert api.error_code("QueryDeviceByStatus", ProductKey=meters) == "MissingStatus"
        assert api.error_code("QueryDeviceByStatus", Status=0, ProductKey="x") == "iot.prod.NotExistedProduct"
        assert api.error_code("QueryDeviceByStatus", Status=0, PageSize=51) == "iot.common.InvalidPageParams"


class TestStatistics:
    def test_counts_of_account_product_group_and_both(self, api: Api, emulator: Emulator) -> None:
        meters, lamps = api.create_product("Meters"), api.create_product("Lamps")
        api.register_devices(meters, "m--1", "m--2", "m--3")
        api.register_devices(lamps, "l--1")
        set_status(emulator, "m--1", "ONLINE")
        set_status(emulator, "m--2", "OFFLINE")
        set_status(emulator, "l--1", "ONLINE")
        group = api.create_group()
        members = [{"ProductKey": meters, "DeviceName": "m--1"}, {"ProductKey": lamps, "DeviceName": "l--1"}]
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=members)

        def counts(**params: Any) -> tuple[int, int, int]:
            data = api.call("QueryDeviceStatistics", **params)["Data"]
            return data["deviceCount"], data["activeCount"], data["onlineCount"]

        assert counts() == (4, 3, 2)
        assert counts(ProductKey=meters) == (3, 2, 1)
        assert counts(GroupId=group) == (2, 2, 2)
        assert counts(GroupId=group, ProductKey=lamps) == (1, 1, 1)
        api.call("DisableThing", ProductKey=meters, DeviceName="m--1")
        assert counts(ProductKey=meters) == (3, 2, 0)
        api.call("DeleteDevice", ProductKey=meters, DeviceName="m--1")
        assert counts(ProductKey=meters) == (2, 1, 0)

    def test_counts_of_an_unknown_product_or_group_are_refused(self, api: Api) -> None:
        assert api.error_code("QueryDeviceStatistics", ProductKey="x") == "iot.prod.NotExistedProduct"
        assert api.error_code("QueryDeviceStatistics", GroupId="x") == "iot.group.NotExistedGroup"


class TestPresence:
    def test_most_devices_activate_in_hours_and_report_their_firmware(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock
    ) -> None:
        api.register_devices(meters, *(f"dev-{n:03}" for n in range(200)))
        assert api.call("QueryDeviceStatistics", ProductKey=meters)["Data"]["activeCount"] == 0
        clock.advance(8 * HOUR)
        run_all_due_work(api)
        counts = api.call("QueryDeviceStatistics", ProductKey=meters)["Data"]
        assert 150 < counts["activeCount"] < 200
        assert 0 < counts["onlineCount"] < counts["activeCount"]
        online = api.call("QueryDeviceByStatus", ProductKey=meters, Status=1)["Data"]["SimpleDeviceInfo"][0]
        detail = api.call("QueryDeviceDetail", IotId=online["IotId"])["Data"]
        assert detail["FirmwareVersion"] == "1.0.0"
        assert detail["IpAddress"]
        assert detail["UtcActive"] < detail["UtcOnline"] or detail["UtcActive"] == detail["UtcOnline"]
        versions = api.call(
            "ListOTAModuleVersionsByDevice", IotId=online["IotId"], CurrentPage=1, PageSize=10
        )
        assert [(v["ModuleName"], v["ModuleVersion"]) for v in versions["Data"]["SimpleOTAModuleInfo"]] == [
            ("default", "1.0.0")
        ]

    def test_one_request_does_a_bounded_part_and_the_next_ones_continue(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(devices_presence, "MAX_PER_REQUEST", 300)
        due = clock.now() + 1000
        with emulator.store.write() as db:
            devices = [NewDevice(name=f"dev-{n}", due=due) for n in range(1000)]
            insert_devices(db, KEY_ID, "", meters, devices, clock.now())
        clock.advance(2)
        assert count_online(api, meters) == 300
        run_all_due_work(api)
        assert count_online(api, meters) == 1000

    def test_one_request_changes_all_devices_of_a_large_fleet(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock
    ) -> None:
        with emulator.store.write() as db:
            devices = [NewDevice(name=f"dev-{n}", due=clock.now() + n) for n in range(2000)]
            insert_devices(db, KEY_ID, "", meters, devices, clock.now())
        clock.advance(60)
        assert count_online(api, meters) == 2000

    @pytest.mark.parametrize("days", [1, 2, 9, 400])
    def test_a_jump_of_the_clock_leaves_as_many_devices_online_as_small_steps(
        self, days: int, api: Api, meters: str, clock: ManualClock
    ) -> None:
        api.register_devices(meters, *(f"dev-{n:04}" for n in range(1000)))
        for _ in range(3):
            clock.advance(days * 24 * HOUR)
            counts = api.call("QueryDeviceStatistics", ProductKey=meters)["Data"]
            assert 850 < counts["activeCount"] < 950
            assert 0.8 < counts["onlineCount"] / counts["activeCount"] < 0.95  # 89% on average

    def test_a_device_that_came_and_went_in_a_jump_was_away_only_until_it_came(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock
    ) -> None:
        api.register_devices(meters, *(f"dev-{n:03}" for n in range(300)))
        clock.advance(24 * HOUR)
        api.call("QueryDeviceStatistics", ProductKey=meters)
        with emulator.store.read() as db:
            away = dict(db.execute("SELECT iot_id, due FROM devices WHERE status = 'OFFLINE' AND activated"))
        clock.advance(9 * 24 * HOUR)
        api.call("QueryDeviceStatistics", ProductKey=meters)
        with emulator.store.read() as db:
            absences = dict(db.execute("SELECT iot_id, until FROM device_absences"))
        assert away
        assert {iot_id: absences[iot_id] for iot_id in away} == away

    def test_a_disabled_device_does_not_change_its_status(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock
    ) -> None:
        api.register_device(meters, "meter-1")
        set_status(emulator, "meter-1", "ONLINE", due=clock.now() + 1000)
        api.call("DisableThing", ProductKey=meters, DeviceName="meter-1")
        clock.advance(100 * HOUR)
        assert api.device_status(meters, "meter-1") == "DISABLE"
        api.call("EnableThing", ProductKey=meters, DeviceName="meter-1")
        clock.advance(4 * HOUR)
        run_all_due_work(api)
        assert api.device_status(meters, "meter-1") in ("ONLINE", "OFFLINE")
        last = api.call("BatchGetDeviceState", ProductKey=meters, DeviceName=["meter-1"])
        assert last["DeviceStatusList"]["DeviceStatus"][0]["LastOnlineTime"] > "2026-09-25"

    def test_changes_of_a_year_are_soon_done(
        self, api: Api, meters: str, emulator: Emulator, clock: ManualClock
    ) -> None:
        api.register_devices(meters, *(f"dev-{n:03}" for n in range(100)))
        clock.advance(365 * 24 * HOUR)
        run_all_due_work(api)
        with emulator.store.read() as db:
            (late,) = db.execute("SELECT count(*) FROM devices WHERE due <= ?", (clock.now(),)).fetchone()
        assert late == 0


class TestTopology:
    @pytest.fixture
    def gateway(self, api: Api) -> dict[str, Any]:
        return api.register_device(api.create_product("Gateways", NodeType=1), "gateway-1")

    @staticmethod
    def item(device: dict[str, Any], method: str = "hmacSha256", **more: str) -> dict[str, str]:
        content = {"deviceName": device["DeviceName"], "productKey": device["ProductKey"], **more}
        text = "".join(key + value for key, value in sorted(content.items())).encode()
        secret = device["DeviceSecret"].encode()
        if method.lower() == "sha256":
            sign = hashlib.sha256(text + secret).hexdigest()
        else:
            sign = hmac.new(secret, text, method.lower().removeprefix("hmac")).hexdigest()
        return {
            "ProductKey": device["ProductKey"],
            "DeviceName": device["DeviceName"],
            "Sign": sign.upper(),
            "SignMethod": method,
            **{key[0].upper() + key[1:]: value for key, value in more.items()},
        }

    def add(self, api: Api, gateway: dict[str, Any], *items: dict[str, str]) -> None:
        api.call(
            "BatchAddThingTopo",
            GwProductKey=gateway["ProductKey"],
            GwDeviceName=gateway["DeviceName"],
            TopoAddItem=list(items),
        )

    def below(self, api: Api, gateway: dict[str, Any]) -> list[str]:
        data = api.call("GetThingTopo", IotId=gateway["IotId"], PageSize=10, PageNo=1)["Data"]
        return [device["DeviceName"] for device in data["List"]["deviceInfo"]]

    @pytest.mark.parametrize("method", ["hmacSha1", "hmacSha256", "hmacMd5", "Sha256", "HMACMD5"])
    def test_signed_sub_devices_are_added_to_a_gateway(
        self, api: Api, meters: str, gateway: dict[str, Any], method: str
    ) -> None:
        device = api.register_device(meters, "meter-1")
        self.add(api, gateway, self.item(device, method, clientId="c1", timestamp="1646277090411"))
        assert self.below(api, gateway) == ["meter-1"]
        above = api.call("GetGatewayBySubDevice", IotId=device["IotId"])["Data"]
        assert (above["DeviceName"], above["iotId"], above["NodeType"]) == (
            "gateway-1",
            gateway["IotId"],
            "1",
        )

    def test_a_gateway_is_never_a_sub_device(self, api: Api, gateway: dict[str, Any]) -> None:
        second = api.register_device(gateway["ProductKey"], "gateway-2")
        params = {
            "GwProductKey": gateway["ProductKey"],
            "GwDeviceName": "gateway-1",
            "TopoAddItem": [self.item(second)],
        }
        assert api.error_code("BatchAddThingTopo", **params) == "iot.device.AddTopoRelationFailed"
        api.call("NotifyAddThingTopo", GwIotId=gateway["IotId"], DeviceListStr=[{"IotId": second["IotId"]}])
        assert self.below(api, gateway) == []

    def test_too_many_sub_devices_are_reported_under_the_name_of_their_list(
        self, api: Api, emulator: Emulator, meters: str, gateway: dict[str, Any]
    ) -> None:
        item = self.item(api.register_device(meters, "meter-1"))
        fields = signed_fields(
            "BatchAddThingTopo",
            GwProductKey=gateway["ProductKey"],
            GwDeviceName="gateway-1",
            **{f"TopoAddItem.{n}.{name}": value for n in range(1, 12) for name, value in item.items()},
        )
        transport = httpx.WSGITransport(app=emulator)
        with httpx.Client(transport=transport, base_url="http://emulator.test") as client:
            message = client.post("/", data=fields).json()["ErrorMessage"]
        assert message == "TopoAddItem: Enter up to 10 entries (you entered 11)"

    def test_one_wrong_signature_means_none_is_added(
        self, api: Api, meters: str, gateway: dict[str, Any]
    ) -> None:
        good, bad = (self.item(api.register_device(meters, name)) for name in ("meter-1", "meter-2"))
        bad["Sign"] = "0" * 64
        params = {
            "GwProductKey": gateway["ProductKey"],
            "GwDeviceName": "gateway-1",
            "TopoAddItem": [good, bad],
        }
        assert api.error_code("BatchAddThingTopo", **params) == "iot.device.VerifyDeviceFailed"
        assert self.below(api, gateway) == []

    def test_a_sub_device_moves_to_the_last_gateway(
        self, api: Api, meters: str, gateway: dict[str, Any]
    ) -> None:
        second = api.register_device(gateway["ProductKey"], "gateway-2")
        device = api.register_device(meters, "meter-1")
        self.add(api, gateway, self.item(device))
        self.add(api, second, self.item(device))
        assert (self.below(api, gateway), self.below(api, second)) == ([], ["meter-1"])

    def test_a_relation_is_removed_from_either_side(
        self, api: Api, meters: str, gateway: dict[str, Any]
    ) -> None:
        devices = [api.register_device(meters, f"meter-{n}") for n in range(3)]
        self.add(api, gateway, *(self.item(device) for device in devices))
        assert api.call("RemoveThingTopo", IotId=devices[0]["IotId"])["Data"] is True
        assert sorted(self.below(api, gateway)) == ["meter-1", "meter-2"]
        api.call("RemoveThingTopo", IotId=gateway["IotId"])
        assert self.below(api, gateway) == []
        code = api.error_code("GetGatewayBySubDevice", IotId=devices[1]["IotId"])
        assert code == "iot.device.QueryTopoRelationFailed"

    def test_pages_and_tokens(self, api: Api, meters: str, gateway: dict[str, Any]) -> None:
        self.add(api, gateway, *(self.item(api.register_device(meters, f"meter-{n}")) for n in range(5)))
        first = api.call("GetThingTopo", IotId=gateway["IotId"], PageSize=3, PageNo=1)["Data"]
        rest = api.call("GetThingTopo", IotId=gateway["IotId"], PageSize=3, NextToken=first["NextToken"])[
            "Data"
        ]
        names = [d["DeviceName"] for page in (first, rest) for d in page["List"]["deviceInfo"]]
        assert sorted(names) == [f"meter-{n}" for n in range(5)]
        assert (first["Total"], first["PageCount"], rest["NextToken"]) == (5, 2, "")
        error = api.error_code("GetThingTopo", IotId=gateway["IotId"], PageSize=3, PageNo=3)
        assert error == "iot.device.QueryTopoRelationFailed"
        assert api.error_code("GetThingTopo", IotId=gateway["IotId"]) == "MissingPageSize"

    def test_a_device_that_is_not_a_gateway_cannot_have_sub_devices(self, api: Api, meters: str) -> None:
        plain, device = api.register_device(meters, "meter-1"), api.register_device(meters, "meter-2")
        params = {
            "GwProductKey": meters,
            "GwDeviceName": plain["DeviceName"],
            "TopoAddItem": [self.item(device)],
        }
        assert api.error_code("BatchAddThingTopo", **params) == "iot.device.AddTopoRelationFailed"

    def test_more_than_ten_sub_devices_in_a_call_are_refused(
        self, api: Api, meters: str, gateway: dict[str, Any]
    ) -> None:
        items = [self.item(api.register_device(meters, f"meter-{n}")) for n in range(11)]
        params = {"GwProductKey": gateway["ProductKey"], "GwDeviceName": "gateway-1", "TopoAddItem": items}
        assert api.error_code("BatchAddThingTopo", **params) == "iot.common.InvalidFormattedParameter"

    def test_an_online_gateway_adds_the_sub_devices_of_a_notification(
        self, api: Api, meters: str, gateway: dict[str, Any], emulator: Emulator
    ) -> None:
        first, second = (api.register_device(meters, name) for name in ("meter-1", "meter-2"))
        device_list = [{"productKey": meters, "deviceName": "meter-1"}, {"IotId": second["IotId"]}]
        api.call("NotifyAddThingTopo", GwIotId=gateway["IotId"], DeviceListStr=device_list)
        assert self.below(api, gateway) == []
        set_status(emulator, "gateway-1", "ONLINE")
        assert api.call("NotifyAddThingTopo", GwIotId=gateway["IotId"], DeviceListStr=device_list)["Data"][
            "MessageId"
        ]
        assert sorted(self.below(api, gateway)) == ["meter-1", "meter-2"]
        unknown = [{"productKey": first["ProductKey"], "deviceName": "nobody"}]
        code = api.error_code("NotifyAddThingTopo", GwIotId=gateway["IotId"], DeviceListStr=unknown)
        assert code == "iot.device.NotExistedDevice"
        assert api.error_code("NotifyAddThingTopo") == "iot.prod.NullProductKey"


def test_queries_of_devices_use_indexes(emulator: Emulator, api: Api, meters: str) -> None:
    """The query plans show that no query reads the whole table."""
    plans = {
        "SELECT * FROM devices WHERE product_key = ? AND id < ? ORDER BY id DESC LIMIT 50": (meters, 9),
        "SELECT * FROM devices WHERE product_key = ? ORDER BY id DESC LIMIT 50 OFFSET 100": (meters,),
        "SELECT * FROM devices WHERE product_key = ? AND name = ?": (meters, "x"),
        "SELECT * FROM devices WHERE iot_id = ?": ("x",),
        "SELECT * FROM devices WHERE product_key = ? AND status = ? ORDER BY id DESC LIMIT 50": (
            meters,
            "ONLINE",
        ),
        "SELECT * FROM devices WHERE account = ? AND instance = ? AND status = ? ORDER BY id DESC LIMIT 50": (
            KEY_ID,
            "",
            "ONLINE",
        ),
        "SELECT id FROM devices WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT 300": (1,),
        "SELECT min(due) FROM devices WHERE due IS NOT NULL": (),
    }
    with emulator.store.read() as db:
        for sql, values in plans.items():
            plan = " / ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            assert "INDEX" in plan, sql
            assert "TEMP B-TREE" not in plan, sql
