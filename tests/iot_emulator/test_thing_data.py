"""Data of devices and commands to them: history, current and desired values, setting properties, calling services."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import httpx
import pytest

from iot_client.client import Client, Credentials
from iot_emulator import create_app
from iot_emulator.clock import ManualClock
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, Api, create_api
from tests.iot_emulator.thing_setup import (
    DAY,
    HOUR,
    SAMPLE,
    STRUCTURED,
    ThingSetup,
    build_property,
    build_service,
)


@pytest.fixture
def things(api, emulator, clock) -> ThingSetup:
    return ThingSetup(api, emulator, clock)


@pytest.fixture
def meter(things) -> str:
    """A meter that has been online for 40 days."""
    return things.register_device(things.create_product("Meters", CategoryKey="ElectricityMeter"), "meter-1")


@pytest.fixture
def device(things) -> str:
    """A device with the sample model that has been online for 40 days."""
    return things.register_device(things.create_modeled_product())


def read_numbers(data: dict[str, Any]) -> list[float]:
    return [float(entry["Value"]) for entry in data["List"]["PropertyInfo"]]


def read_times(data: dict[str, Any]) -> list[int]:
    return [int(entry["Time"]) for entry in data["List"]["PropertyInfo"]]


def read_all_pages(
    things: ThingSetup, iot_id: str, identifier: str, start: int, end: int, **params: Any
) -> list[tuple]:
    """Read all records of a period page by page, oldest first."""
    records: list[tuple] = []
    while True:
        data = things.read_history(iot_id, identifier, start, end, **params)
        records += [(int(entry["Time"]), entry["Value"]) for entry in data["List"]["PropertyInfo"]]
        if not data["NextValid"]:
            return records
        start = data["NextTime"]


# --- simulated reports


def test_a_meter_only_counts_up_and_its_voltage_is_near_the_grid_voltage(things, meter, clock):
    now = clock.now()
    energy = [
        float(value) for _, value in read_all_pages(things, meter, "TotalActiveEnergy", now - 5 * DAY, now)
    ]
    assert len(energy) > 300
    assert energy == sorted(energy)
    assert 5 < energy[-1] - energy[0] < 100
    voltage = read_numbers(things.read_history(meter, "Voltage", now - DAY, now))
    assert all(200 < value < 250 for value in voltage)
    assert len(set(voltage)) > 10


def test_history_is_the_same_in_both_directions_and_with_any_page_size(things, meter, clock):
    now = clock.now()
    whole = read_all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY)
    assert whole == read_all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY, PageSize=7)
    backwards: list[tuple] = []
    end = now - DAY
    while True:
        data = things.read_history(meter, "Voltage", now - 3 * DAY, end, Asc=0, PageSize=11)
        backwards += [(int(entry["Time"]), entry["Value"]) for entry in data["List"]["PropertyInfo"]]
        if not data["NextValid"]:
            break
        end = data["NextTime"]
    assert whole == backwards[::-1]
    clock.advance(3 * 3600)
    assert whole == read_all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY)


@pytest.mark.parametrize("ascending", [0, 1])
def test_the_client_reads_all_pages_in_both_orders(things, meter, clock, ascending):
    now = clock.now()
    span = {"IotId": meter, "Identifier": "Voltage", "StartTime": now - 2 * DAY, "EndTime": now}
    pages = things.api.client.pages("QueryDevicePropertyData", Asc=ascending, PageSize=9, **span)
    reported = [int(entry["Time"]) for page in pages for entry in page["Data"]["List"]["PropertyInfo"]]
    assert reported == sorted(reported, reverse=not ascending)
    assert sorted(reported) == [
        moment for moment, _ in read_all_pages(things, meter, "Voltage", now - 2 * DAY, now)
    ]


def test_two_emulators_return_the_same_data_for_the_same_device(things, meter, clock, tmp_path):
    app = create_app(tmp_path / "second.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False)
    second = ThingSetup(create_api(app), app, clock)
    twin = second.register_device(second.create_product("Meters", CategoryKey="ElectricityMeter"), "meter-1")
    now = clock.now()
    assert things.read_history(meter, "Voltage", now - DAY, now) == second.read_history(
        twin, "Voltage", now - DAY, now
    )
    app.close()


def test_times_are_within_the_period_and_never_in_the_future(things, meter, clock):
    now = clock.now()
    data = things.read_history(meter, "Voltage", now - HOUR, now + DAY)
    assert read_times(data) == sorted(read_times(data))
    assert all(now - HOUR <= time <= now for time in read_times(data))


def test_a_device_reports_nothing_before_its_activation_and_while_it_is_offline(things, clock):
    key = things.create_product("Meters", CategoryKey="ElectricityMeter")
    now = clock.now()
    young = things.register_device(key, "young", days=0.5)
    assert min(read_times(things.read_history(young, "Voltage", now - DAY, now))) == now - DAY // 2 + 1000
    things.set_status(young, "OFFLINE")
    clock.advance(6 * 3600)
    assert read_times(things.read_history(young, "Voltage", now + 1, clock.now())) == []
    things.set_status(young, "ONLINE")
    clock.advance(6 * 3600)
    reported = read_times(things.read_history(young, "Voltage", now + 1, clock.now()))
    assert reported
    assert min(reported) >= now + 6 * HOUR


def test_a_device_that_was_never_online_has_no_data(things, clock):
    inactive = things.register_device(things.create_modeled_product(), "inactive", "UNACTIVE")
    assert set(things.read_values(inactive)) == {"Level", "Measured", "Label", "Switch", "Mode"}
    assert set(things.read_values(inactive).values()) == {None}
    now = clock.now()
    assert things.read_history(inactive, "Level", now - DAY, now)["List"]["PropertyInfo"] == []
    events = things.call("QueryDeviceEventData", IotId=inactive, StartTime=now - DAY, EndTime=now)["Data"]
    assert events["List"]["EventInfo"] == []
    assert events["NextValid"] is False


def test_values_match_every_data_type_of_a_custom_model(things):
    key = things.create_modeled_product(model={"properties": SAMPLE["properties"] + STRUCTURED["properties"]})
    values = things.read_values(things.register_device(key))
    assert 0 <= int(values["Level"]) <= 100
    assert float(values["Measured"]) % 1 == 0
    assert 1 <= len(values["Label"]) <= 8
    assert values["Switch"] in ("0", "1")
    assert values["Mode"] in ("2", "5")
    assert values["When"].isdigit()
    assert set(json.loads(values["Place"])) == {"lat", "fixed"}
    assert len(json.loads(values["Row"])) == 3


def test_the_current_values_have_type_unit_and_time(things, meter, clock):
    response = things.call("QueryDevicePropertyStatus", IotId=meter)["Data"]["List"]["PropertyStatusInfo"]
    voltage = next(info for info in response if info["Identifier"] == "Voltage")
    assert (voltage["Name"], voltage["DataType"], voltage["Unit"]) == ("Voltage", "float", "V")
    assert int(voltage["Time"]) <= clock.now()
    last = things.read_history(meter, "Voltage", clock.now() - DAY, clock.now(), Asc=0, PageSize=1)
    assert last["List"]["PropertyInfo"] == [{"Time": voltage["Time"], "Value": voltage["Value"]}]


def test_a_month_of_history_is_read_with_constant_memory_and_never_stored(things, meter, clock, emulator):
    now = clock.now()
    things.read_history(meter, "Voltage", now - DAY, now)
    tracemalloc.start()
    things.read_history(meter, "Voltage", now - DAY, now)
    day = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    things.read_history(meter, "Voltage", now - 29 * DAY, now)
    month = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert month < day * 1.5
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_reports").fetchone()[0] == 0


def test_a_product_without_any_check_has_only_original_data(things, clock):
    iot_id = things.register_device(things.create_modeled_product(ValidateType=2))
    now = clock.now()
    assert things.read_history(iot_id, "Measured", now - DAY, now)["List"]["PropertyInfo"] == []
    params = {"Identifier": "Measured", "StartTime": now - DAY, "EndTime": now, "Asc": 1, "PageSize": 50}
    original = things.call("QueryDeviceOriginalPropertyData", IotId=iot_id, **params)["Data"]
    assert len(original["List"]["PropertyInfo"]) == 50


def test_the_sample_fleet_has_models_and_data(things, emulator):
    emulator.seed(devices=200)
    products = things.call("QueryProductList", CurrentPage=1, PageSize=50)["Data"]["List"]["ProductInfo"]
    for product in products:
        key = product["ProductKey"]
        assert things.call("ListThingModelVersion", ProductKey=key)["Data"]["ModelVersions"]
        for device in things.call("QueryDevice", ProductKey=key, PageSize=50)["Data"]["DeviceInfo"]:
            if device["DeviceStatus"] == "ONLINE":
                values = things.read_values(device["IotId"])
                assert None not in values.values()
                break


# --- periods


def test_a_period_must_be_in_order_and_within_the_last_30_days(things, meter, clock):
    now = clock.now()
    params = {"IotId": meter, "Asc": 1, "PageSize": 5, "Identifier": "Voltage"}
    for start, end, code in (
        (now, now - HOUR, "iot.check.ParameterIsNotLessThanMax"),
        (now, now, "iot.check.ParameterIsNotLessThanMax"),
        (now - 32 * DAY, now, "iot.device.InvalidTimeBucket"),
        (12345, now, "iot.device.InvalidTimeBucket"),
    ):
        for operation in ("QueryDevicePropertyData", "QueryDeviceOriginalPropertyData"):
            assert things.error_code(operation, StartTime=start, EndTime=end, **params) == code
        events = {"IotId": meter, "StartTime": start, "EndTime": end}
        assert things.error_code("QueryDeviceEventData", **events) == code
        assert things.error_code("QueryDeviceServiceData", **events) == code
    assert things.read_history(meter, "Voltage", now - 30 * DAY, now)["NextValid"]


def test_page_sizes_are_limited(things, meter, clock):
    now = clock.now()
    span = {"IotId": meter, "StartTime": now - HOUR, "EndTime": now, "Asc": 0}
    for operation, size, more in (
        ("QueryDevicePropertyData", 51, {"Identifier": "Voltage"}),
        ("QueryDeviceOriginalPropertyData", 101, {"Identifier": "Voltage"}),
        ("QueryDeviceEventData", 51, {}),
        ("QueryDeviceServiceData", 0, {}),
        ("QueryDeviceOriginalEventData", 51, {"Identifier": "CoverOpened"}),
        ("QueryDeviceOriginalServiceData", 51, {"Identifier": "ReadMeter"}),
    ):
        code = things.error_code(operation, PageSize=size, **span, **more)
        assert code == "iot.common.InvalidPageParams", operation
    code = things.error_code("QueryDeviceOriginalPropertyStatus", IotId=meter, Asc=0, PageSize=51)
    assert code == "iot.common.InvalidPageParams"


# --- several properties


def test_several_properties_stop_at_the_time_of_the_first_full_page(things, clock):
    key = things.create_product("Meters", CategoryKey="ElectricityMeter")
    things.register_device(key, "meter-1")
    now = clock.now()
    wanted = ["Voltage", "RelayStatus"]
    seen: dict[str, list[tuple]] = {name: [] for name in wanted}
    start = now - DAY
    for _ in range(20):
        response = things.call(
            "QueryDevicePropertiesData",
            ProductKey=key,
            DeviceName="meter-1",
            Identifier=wanted,
            StartTime=start,
            EndTime=now,
            Asc=1,
            PageSize=10,
        )
        for info in response["PropertyDataInfos"]["PropertyDataInfo"]:
            assert len(info["List"]["PropertyInfo"]) <= 10
            seen[info["Identifier"]] += [(e["Time"], e["Value"]) for e in info["List"]["PropertyInfo"]]
        if not response["NextValid"]:
            break
        start = response["NextTime"]
    iot_id = f"{'meter-1':x<20}000000"
    for name in wanted:
        assert seen[name] == read_all_pages(things, iot_id, name, now - DAY, now), name


def test_several_properties_newest_first_require_the_later_time_as_the_start(things, clock):
    key = things.create_product("Meters", CategoryKey="ElectricityMeter")
    things.register_device(key, "meter-1")
    now = clock.now()
    params = {"ProductKey": key, "DeviceName": "meter-1", "Identifier": ["Voltage"], "PageSize": 5, "Asc": 0}
    response = things.call("QueryDevicePropertiesData", StartTime=now, EndTime=now - DAY, **params)
    reported = [
        e["Time"] for e in response["PropertyDataInfos"]["PropertyDataInfo"][0]["List"]["PropertyInfo"]
    ]
    assert reported == sorted(reported, reverse=True)
    again = things.call(
        "QueryDevicePropertiesData", StartTime=response["NextTime"], EndTime=now - DAY, **params
    )
    more = [e["Time"] for e in again["PropertyDataInfos"]["PropertyDataInfo"][0]["List"]["PropertyInfo"]]
    assert max(more) == response["NextTime"] < min(reported)
    code = things.error_code("QueryDevicePropertiesData", StartTime=now - DAY, EndTime=now, **params)
    assert code == "iot.check.ParameterIsNotLessThanMax"


def test_several_properties_must_be_unique_and_at_most_ten(things, clock):
    key = things.create_modeled_product()
    things.register_device(key)
    now = clock.now()
    params = {
        "ProductKey": key,
        "DeviceName": "d1",
        "StartTime": now - DAY,
        "EndTime": now,
        "Asc": 1,
        "PageSize": 5,
    }
    for names, code in (
        (["Level"] * 2, "iot.common.InvalidFormattedParameter"),
        ([f"p{n}" for n in range(11)], "iot.device.TooManyDevicePropertiesPerTime"),
        (["Nothing"], "iot.device.NoneDeviceProperties"),
    ):
        assert things.error_code("QueryDevicePropertiesData", Identifier=names, **params) == code
    assert things.error_code("QueryDevicePropertiesData", **params) == "MissingIdentifier"


# --- events


def test_events_are_rare_and_match_the_model(things, clock):
    key = things.create_product("Gateways", CategoryKey="GeneralGateway", NodeType=1)
    iot_id = things.register_device(key, "gateway")
    now = clock.now()
    span = {"IotId": iot_id, "StartTime": now - 29 * DAY, "EndTime": now, "PageSize": 50}
    data = things.call("QueryDeviceEventData", Asc=1, **span)["Data"]
    events = data["List"]["EventInfo"]
    assert 1 <= len(events) <= 40
    assert [int(e["Time"]) for e in events] == sorted(int(e["Time"]) for e in events)
    for found in events:
        assert found["Identifier"] in ("SubDeviceLost", "Rebooted")
        assert set(json.loads(found["OutputData"])) <= {"DeviceName", "Reason"}
    newest = things.call("QueryDeviceEventData", **span)["Data"]["List"]["EventInfo"]
    assert newest == events[::-1]
    some = things.call("QueryDeviceEventData", Identifier="Rebooted", **span)["Data"]["List"]["EventInfo"]
    assert some == [found for found in newest if found["Identifier"] == "Rebooted"]
    alerts = things.call("QueryDeviceEventData", EventType="alert", **span)["Data"]["List"]["EventInfo"]
    assert alerts == [found for found in newest if found["EventType"] == "alert"]


def test_events_are_paged_by_time(things, clock):
    iot_id = things.register_device(
        things.create_product("Gateways", CategoryKey="GeneralGateway", NodeType=1), "gateway"
    )
    start, now = clock.now() - 29 * DAY, clock.now()
    whole = things.call(
        "QueryDeviceEventData", IotId=iot_id, StartTime=start, EndTime=now, PageSize=50, Asc=1
    )
    pages: list[Any] = []
    while True:
        data = things.call(
            "QueryDeviceEventData", IotId=iot_id, StartTime=start, EndTime=now, PageSize=2, Asc=1
        )["Data"]
        pages += data["List"]["EventInfo"]
        if not data["NextValid"]:
            break
        start = data["NextTime"]
    assert pages == whole["Data"]["List"]["EventInfo"]


def test_unknown_properties_events_and_services_are_refused(things, device, clock):
    span = {"IotId": device, "StartTime": clock.now() - DAY, "EndTime": clock.now(), "Identifier": "Nothing"}
    original = {**span, "Asc": 0, "PageSize": 5}
    for operation, params, code in (
        ("QueryDevicePropertyData", original, "iot.device.NoneDeviceProperties"),
        ("QueryDeviceEventData", span, "iot.device.QueryDeviceEventHistoryFailed"),
        ("QueryDeviceServiceData", span, "iot.device.QueryDeviceServiceHistoryFailed"),
        ("QueryDeviceOriginalPropertyData", original, "InvalidIdentifierInPropertyError"),
        ("QueryDeviceOriginalEventData", original, "iot.tsl.InvalidIdentifierInEventError"),
        ("QueryDeviceOriginalServiceData", original, "InvalidIdentifierInServiceError"),
    ):
        assert things.error_code(operation, **params) == code, operation


# --- setting properties


def test_a_value_that_was_set_is_reported_and_kept(things, device, clock):
    before = clock.now()
    response = things.call("SetDeviceProperty", IotId=device, Items={"Level": 42, "Label": "blue"})
    assert response["Data"]["MessageId"].isdigit()
    assert things.read_values(device)["Level"] != "42"
    clock.advance(1)
    assert (things.read_values(device)["Level"], things.read_values(device)["Label"]) == ("42", "blue")
    clock.advance(3 * 86_400)
    assert things.read_values(device)["Level"] == "42"
    reported = read_all_pages(things, device, "Level", before, clock.now())
    assert {value for _, value in reported} == {"42"}
    assert before < reported[0][0] < before + 1000
    assert len(reported) >= 2


def test_setting_is_a_call_of_the_service_set(things, device, clock):
    things.call("SetDeviceProperty", IotId=device, Items={"Level": 42})
    things.call("SetDeviceProperty", IotId=device, Items={"Level": 43})
    clock.advance(1)
    span = {"IotId": device, "StartTime": clock.now() - HOUR, "EndTime": clock.now(), "Identifier": "set"}
    calls = things.call("QueryDeviceServiceData", **span)["Data"]["List"]["ServiceInfo"]
    assert [json.loads(call["InputData"]) for call in calls] == [{"Level": 43}, {"Level": 42}]
    assert json.loads(calls[0]["OutputData"])["code"] == 200


def test_at_instant_pace_a_device_responds_at_once(tmp_path, clock):
    app = create_app(
        tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
    )
    things = ThingSetup(create_api(app), app, clock)
    iot_id = things.register_device(things.create_modeled_product())
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 7})
    assert things.read_values(iot_id)["Level"] == "7"
    app.close()


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ({"Level": 101}, "iot.device.SetDevicePropertyFailed"),
        ({"Level": 1.5}, "iot.device.SetDevicePropertyFailed"),
        ({"Level": "1"}, "iot.device.SetDevicePropertyFailed"),
        ({"Level": True}, "iot.device.SetDevicePropertyFailed"),
        ({"Label": "nine char"}, "iot.device.SetDevicePropertyFailed"),
        ({"Label": "三个字"}, "iot.device.SetDevicePropertyFailed"),
        ({"Switch": 2}, "iot.device.SetDevicePropertyFailed"),
        ({"Switch": True}, "iot.device.SetDevicePropertyFailed"),
        ({"Mode": 3}, "iot.device.SetDevicePropertyFailed"),
        ({"Measured": 1}, "iot.device.SetDevicePropertyFailed"),
        ({"Nothing": 1}, "iot.device.NoneDeviceProperties"),
        ({}, "iot.device.NullDevicePropertiesString"),
        ("[1]", "iot.device.InvalidFormattedDevicePropertiesString"),
        ("{", "iot.device.InvalidFormattedDevicePropertiesString"),
        ('{"Label": "\\ud800"}', "iot.device.InvalidFormattedDevicePropertiesString"),
        ('{"Level": NaN}', "iot.device.InvalidFormattedDevicePropertiesString"),
        ('{"Level": 1e999}', "iot.device.InvalidFormattedDevicePropertiesString"),
        ("[" * 5000, "iot.device.InvalidFormattedDevicePropertiesString"),
    ],
    ids=str,
)
def test_a_value_that_does_not_match_the_model_is_refused(things, clock, items, code):
    key = things.create_modeled_product()
    iot_id = things.register_device(key)
    assert things.error_code("SetDeviceProperty", IotId=iot_id, Items=items) == code
    assert things.error_code("SetDevicesProperty", ProductKey=key, DeviceName=["d1"], Items=items) == code
    desired_request = {"IotId": iot_id, "Items": items, "Versions": {}}
    assert things.error_code("SetDeviceDesiredProperty", **desired_request) == code


@pytest.mark.parametrize(
    ("items", "good"),
    [
        ({"When": "1579335899000"}, True),
        ({"When": "yesterday"}, False),
        ({"Place": {"lat": 30.25, "fixed": 1}}, True),
        ({"Place": {"lat": 30.255}}, False),
        ({"Place": {"lat": 91}}, False),
        ({"Place": {"lon": 1}}, False),
        ({"Place": [1]}, False),
        ({"Row": [1, 2, 3]}, True),
        ({"Row": [1, 2, 3, 4]}, False),
        ({"Row": [10]}, False),
        ({"Row": "123"}, False),
    ],
    ids=str,
)
def test_times_and_the_contents_of_structures_and_arrays_are_checked(things, clock, items, good):
    iot_id = things.register_device(things.create_modeled_product(model=STRUCTURED))
    if not good:
        code = things.error_code("SetDeviceProperty", IotId=iot_id, Items=items)
        assert code == "iot.device.SetDevicePropertyFailed"
        return
    things.call("SetDeviceProperty", IotId=iot_id, Items=items)
    clock.advance(1)
    ((identifier, value),) = items.items()
    shown = things.read_values(iot_id)[identifier]
    assert (shown if isinstance(value, str) else json.loads(shown)) == value


@pytest.mark.parametrize(("step", "good", "bad"), [("0.1", 20.3, 20.35), ("2.5", 7.5, 7)])
def test_values_must_match_the_step(things, step, good, bad):
    model = {
        "properties": [build_property("T", "DOUBLE", dataSpecs={"min": "0", "max": "100", "step": step})]
    }
    iot_id = things.register_device(things.create_modeled_product(model=model))
    things.call("SetDeviceProperty", IotId=iot_id, Items={"T": good})
    code = things.error_code("SetDeviceProperty", IotId=iot_id, Items={"T": bad})
    assert code == "iot.device.SetDevicePropertyFailed"


def test_the_property_of_a_module_has_the_module_in_its_identifier(things, clock):
    key = things.create_product()
    module = {"FunctionBlockId": "testFb", "FunctionBlockName": "Test_Module"}
    model = {"properties": [build_property("Switch")], "services": [build_service("Turn")]}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=model, **module)
    things.call("PublishThingModel", ProductKey=key)
    iot_id = things.register_device(key)
    things.call("SetDeviceProperty", IotId=iot_id, Items={"testFb:Switch": 9})
    clock.advance(1)
    assert things.read_values(iot_id, FunctionBlockId="testFb") == {"Switch": "9"}
    assert things.read_values(iot_id) == {}
    assert read_numbers(things.read_history(iot_id, "testFb:Switch", clock.now() - 5000, clock.now())) == [9]
    response = things.call("InvokeThingService", IotId=iot_id, Identifier="testFb:Turn", Args={})
    assert json.loads(response["Data"]["Result"])["code"] == 200
    code = things.error_code("QueryDevicePropertyStatus", IotId=iot_id, FunctionBlockId="no")
    assert code == "iot.common.InvalidFormattedParameter"


def test_an_offline_device_receives_values_later_only_with_qos_1(things, clock):
    key = things.create_modeled_product()
    missing, kept = (things.register_device(key, name, "OFFLINE", days=1) for name in ("missing", "kept"))
    things.call("SetDeviceProperty", IotId=missing, Items={"Level": 77})
    things.call("SetDeviceProperty", IotId=kept, Items={"Level": 77}, Qos=1)
    clock.advance(60)
    for iot_id in (missing, kept):
        things.set_status(iot_id, "ONLINE")
    clock.advance(2)
    assert things.read_values(missing)["Level"] != "77"
    assert things.read_values(kept)["Level"] == "77"


def test_nothing_can_be_sent_to_a_device_that_was_never_online(things):
    iot_id = things.register_device(things.create_modeled_product(), "inactive", "UNACTIVE")
    code = things.error_code("SetDeviceProperty", IotId=iot_id, Items={"Level": 1})
    assert code == "iot.device.InactiveDevice"
    code = things.error_code("InvokeThingService", IotId=iot_id, Identifier="Restart", Args={})
    assert code == "iot.device.InactiveDevice"


def test_up_to_100_devices_are_set_at_once(things, clock):
    key = things.create_modeled_product()
    online = [things.register_device(key, f"d{n}") for n in range(3)]
    away = things.register_device(key, "away", "OFFLINE")
    names = ["d0", "d1", "d2", "away"]
    things.call("SetDevicesProperty", ProductKey=key, DeviceName=names, Items={"Level": 12})
    clock.advance(1)
    assert [things.read_values(iot_id)["Level"] for iot_id in online] == ["12"] * 3
    assert things.read_values(away)["Level"] != "12"
    many = {"ProductKey": key, "Items": {"Level": 1}}
    code = things.error_code("SetDevicesProperty", DeviceName=[f"d{n}" for n in range(101)], **many)
    assert code == "iot.device.DeviceCountExceeded"
    code = things.error_code("SetDevicesProperty", DeviceName=["d1", "nobody"], **many)
    assert code == "iot.device.NotExistedDevice"


# --- services


def test_a_synchronous_service_returns_its_response(things, device, clock):
    response = things.call("InvokeThingService", IotId=device, Identifier="Move", Args={"Level": 61})["Data"]
    result = json.loads(response["Result"])
    assert (result["code"], result["message"], result["id"]) == (200, "success", response["MessageId"])
    assert result["data"]["Level"] == 61
    assert 0 <= result["data"]["Left"] <= 100
    clock.advance(1)
    assert things.read_values(device)["Level"] == "61"
    span = {"IotId": device, "StartTime": clock.now() - HOUR, "EndTime": clock.now(), "Identifier": "Move"}
    (record,) = things.call("QueryDeviceServiceData", **span)["Data"]["List"]["ServiceInfo"]
    assert (record["Name"], json.loads(record["InputData"])) == ("Move", {"Level": 61})
    assert json.loads(record["OutputData"]) == result


def test_an_asynchronous_service_returns_only_a_message_id(things, device, clock):
    response = things.call("InvokeThingService", IotId=device, Identifier="Restart", Args={})["Data"]
    assert set(response) == {"MessageId"}


def test_every_device_has_the_services_set_and_get(things, device, clock):
    things.call("InvokeThingService", IotId=device, Identifier="set", Args={"Level": 5})
    clock.advance(1)
    things.call("InvokeThingService", IotId=device, Identifier="get", Args=["Level"])
    clock.advance(1)
    span = {"IotId": device, "StartTime": clock.now() - HOUR, "EndTime": clock.now()}
    records = things.call("QueryDeviceServiceData", Asc=1, **span)["Data"]["List"]["ServiceInfo"]
    assert [record["Identifier"] for record in records] == ["set", "get"]
    assert json.loads(records[1]["OutputData"])["data"] == {"Level": 5}


@pytest.mark.parametrize(
    ("identifier", "args"),
    [
        ("Nothing", {}),
        ("Move", {"Level": 101}),
        ("Move", {"Other": 1}),
        ("Move", "[]"),
        ("Move", "{"),
        ("get", ["Nothing"]),
    ],
)
def test_a_call_that_does_not_match_the_model_is_refused(things, identifier, args):
    key = things.create_modeled_product()
    iot_id = things.register_device(key)
    params = {"Identifier": identifier, "Args": args}
    assert (
        things.error_code("InvokeThingService", IotId=iot_id, **params)
        == "iot.device.InvokeThingServiceFailed"
    )
    code = things.error_code("InvokeThingsService", ProductKey=key, DeviceName=["d1"], **params)
    assert code == "iot.device.InvokeThingServiceFailed"


@pytest.mark.parametrize("status", ["OFFLINE", "DISABLE"])
def test_a_service_requires_an_online_device(things, status):
    iot_id = things.register_device(things.create_modeled_product(), status=status)
    code = things.error_code("InvokeThingService", IotId=iot_id, Identifier="Move", Args={})
    assert code == "iot.device.InvokeThingServiceFailed"


def test_a_service_is_called_on_many_devices(things, clock):
    key = things.create_modeled_product()
    ids = [things.register_device(key, name) for name in ("d1", "d2")]
    things.register_device(key, "away", "OFFLINE")
    names = ["d1", "d2", "away"]
    response = things.call(
        "InvokeThingsService", ProductKey=key, DeviceName=names, Identifier="Move", Args={"Level": 3}
    )
    assert "Data" not in response
    clock.advance(1)
    assert [things.read_values(iot_id)["Level"] for iot_id in ids] == ["3", "3"]
    code = things.error_code(
        "InvokeThingsService", ProductKey=key, DeviceName=["nobody"], Identifier="Move", Args={}
    )
    assert code == "iot.device.NotExistedDevice"


def test_a_synchronous_call_takes_the_latency_of_the_device_on_a_real_clock(tmp_path):
    app = create_app(tmp_path / "real.sqlite3", keys={KEY_ID: KEY_SECRET}, quotas=False)
    transport = httpx.WSGITransport(app=app)
    client = Client(Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport)
    clock = ManualClock()  # only for the setup; the emulator uses a real clock
    things = ThingSetup(Api(client, clock), app, clock)
    iot_id = things.register_device(things.create_modeled_product())
    started = time.perf_counter()
    things.call("InvokeThingService", IotId=iot_id, Identifier="Move", Args={})
    assert time.perf_counter() - started > 0.06
    app.close()


# --- desired values


def read_desired(things: ThingSetup, iot_id: str, **params: Any) -> dict[str, tuple]:
    response = things.call("QueryDeviceDesiredProperty", IotId=iot_id, **params)["Data"]["List"]
    return {
        info["Identifier"]: (info.get("Value"), info["Version"]) for info in response["DesiredPropertyInfo"]
    }


def test_a_desired_value_has_a_growing_version_that_requests_must_match(things, device, clock):
    assert read_desired(things, device, Identifier=["Level"]) == {"Level": (None, 0)}
    for version in (0, 1):
        response = things.call(
            "SetDeviceDesiredProperty",
            IotId=device,
            Items={"Level": 20 + version},
            Versions={"Level": version},
        )
        assert json.loads(response["Data"]["Versions"]) == {"Level": version + 1}
    stale = {"IotId": device, "Items": {"Level": 1}, "Versions": {"Level": 1}}
    assert things.error_code("SetDeviceDesiredProperty", **stale) == "iot.device.SetDevicePropertyFailed"
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": 30}, Versions={})
    assert read_desired(things, device, Identifier=["Level"]) == {"Level": ("30", 3)}
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": None}, Versions={})
    assert read_desired(things, device, Identifier=["Level"]) == {"Level": (None, 4)}


def test_desired_values_have_type_unit_and_time(things, device, clock):
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": 20}, Versions={})
    assert set(read_desired(things, device)) == {"Level", "Label", "Switch", "Mode"}
    (info,) = things.call("QueryDeviceDesiredProperty", IotId=device, Identifier=["Level"])["Data"]["List"][
        "DesiredPropertyInfo"
    ]
    assert info == {
        "Identifier": "Level", "Name": "Level", "DataType": "int", "Unit": "%", "Version": 1,
        "Time": str(clock.now()), "Value": "20",
    }  # fmt: skip


def test_a_device_receives_a_desired_value_at_once_or_when_it_comes_online(things, clock):
    key = things.create_modeled_product()
    online, away = things.register_device(key, "online"), things.register_device(key, "away", "OFFLINE")
    for iot_id in (online, away):
        things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 88}, Versions={})
    clock.advance(1)
    assert things.read_values(online)["Level"] == "88"
    assert things.read_values(away)["Level"] != "88"
    things.set_status(away, "ONLINE")
    clock.advance(2)
    assert things.read_values(away)["Level"] == "88"


@pytest.mark.parametrize("status", ["OFFLINE", "UNACTIVE"])
def test_a_device_that_came_and_went_in_a_jump_of_the_clock_has_its_desired_value(things, clock, status):
    key = things.create_modeled_product()
    names = [f"away{number}" for number in range(30)]
    ids = [things.register_device(key, name, status) for name in names]
    for iot_id in ids:
        things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 88}, Versions={})
    with things.emulator.store.write() as db:
        db.execute("UPDATE devices SET due = ?", (clock.now() + HOUR,))
    clock.advance(9 * 24 * 3600)
    assert {things.read_values(iot_id)["Level"] for iot_id in ids} == {"88"}
    states = things.call("BatchGetDeviceState", ProductKey=key, DeviceName=names)
    assert "OFFLINE" in {state["Status"] for state in states["DeviceStatusList"]["DeviceStatus"]}


def test_a_desired_value_can_be_set_before_the_device_was_ever_online(things, clock):
    iot_id = things.register_device(things.create_modeled_product(), "inactive", "UNACTIVE")
    things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 1}, Versions={"Level": 0})
    assert read_desired(things, iot_id)["Level"] == ("1", 1)


def test_desired_values_are_at_most_ten_and_for_writable_properties(things, device):
    many = {f"p{n}": 1 for n in range(11)}
    code = things.error_code("SetDeviceDesiredProperty", IotId=device, Items=many, Versions={})
    assert code == "iot.device.TooManyDevicePropertiesPerTime"
    code = things.error_code("QueryDeviceDesiredProperty", IotId=device, Identifier=list(many))
    assert code == "iot.device.TooManyDevicePropertiesPerTime"
    code = things.error_code("QueryDeviceDesiredProperty", IotId=device, Identifier=["Measured"])
    assert code == "iot.device.SetDevicePropertyFailed"
    code = things.error_code("QueryDeviceDesiredProperty", IotId=device, Identifier=["Nothing"])
    assert code == "iot.device.NoneDeviceProperties"
    code = things.error_code("QueryDeviceDesiredProperty", IotId=device, Identifier=["Level", "Level"])
    assert code == "iot.common.InvalidFormattedParameter"
    for versions in ("{", "[]", {"Level": "1"}, {"Label": 0}):
        code = things.error_code(
            "SetDeviceDesiredProperty", IotId=device, Items={"Level": 1}, Versions=versions
        )
        assert code == "iot.common.InvalidFormattedParameter"


# --- original data


def test_original_data_is_paged_by_token_and_includes_all_valid_data(things, meter, clock):
    now = clock.now()
    params = {"IotId": meter, "Identifier": "Voltage", "StartTime": now - 20 * DAY, "EndTime": now, "Asc": 1}
    original: list[tuple] = []
    token = None
    while True:
        data = things.call("QueryDeviceOriginalPropertyData", PageSize=100, NextPageToken=token, **params)[
            "Data"
        ]
        original += [(int(e["Time"]), e["Value"]) for e in data["List"]["PropertyInfo"]]
        if not data["NextValid"]:
            break
        token = data["nextPageToken"]
    passed = read_all_pages(things, meter, "Voltage", now - 20 * DAY, now)
    assert set(passed) < set(original)
    assert {value for _, value in set(original) - set(passed)} == {"ERR"}
    bad = {**params, "PageSize": 5, "NextPageToken": "nonsense"}
    assert things.error_code("QueryDeviceOriginalPropertyData", **bad) == "iot.device.PageTokenIsIllegal"


def test_original_events_and_calls_are_paged_by_token(things, clock):
    key = things.create_product("Gateways", CategoryKey="GeneralGateway", NodeType=1)
    iot_id = things.register_device(key, "gateway")
    for _ in range(3):
        things.call("InvokeThingService", IotId=iot_id, Identifier="Restart", Args={})
        clock.advance(1)
    now = clock.now()
    for operation, plain, identifier, listed in (
        ("QueryDeviceOriginalEventData", "QueryDeviceEventData", "SubDeviceLost", "EventInfo"),
        ("QueryDeviceOriginalServiceData", "QueryDeviceServiceData", "Restart", "ServiceInfo"),
    ):
        span = {"IotId": iot_id, "Identifier": identifier, "StartTime": now - 29 * DAY, "EndTime": now}
        whole = things.call(plain, Asc=0, PageSize=50, **span)["Data"]["List"][listed]
        read: list[Any] = []
        token = None
        while True:
            data = things.call(operation, Asc=0, PageSize=2, NextPageToken=token, **span)["Data"]
            read += data["List"][listed]
            if not data["NextValid"]:
                break
            token = data["NextPageToken"]
        assert read == whole
        assert len(read) >= 1


def test_the_last_original_values_are_sorted_by_time(things, meter):
    read: list[Any] = []
    token = None
    while True:
        data = things.call(
            "QueryDeviceOriginalPropertyStatus", IotId=meter, Asc=0, PageSize=4, NextPageToken=token
        )["Data"]
        read += data["List"]["PropertyStatusDataInfo"]
        if not data["NextValid"]:
            break
        token = data["NextPageToken"]
    assert {info["Identifier"] for info in read} == set(things.read_values(meter))
    assert [info["Time"] for info in read] == sorted((info["Time"] for info in read), reverse=True)


# --- all operations

SPAN = {"StartTime": 1_789_990_000_000, "EndTime": 1_790_000_000_000}
PAGE = {**SPAN, "Asc": 0, "PageSize": 10}
CALLS: dict[str, dict[str, Any]] = {
    "SetDeviceProperty": {"Items": {"Level": 1}},
    "InvokeThingService": {"Identifier": "Restart", "Args": {}},
    "SetDeviceDesiredProperty": {"Items": {"Level": 1}, "Versions": {}},
    "QueryDeviceDesiredProperty": {},
    "QueryDevicePropertyStatus": {},
    "QueryDevicePropertyData": {**PAGE, "Identifier": "Level"},
    "QueryDeviceEventData": SPAN,
    "QueryDeviceServiceData": SPAN,
    "QueryDeviceOriginalPropertyStatus": {"Asc": 0, "PageSize": 10},
    "QueryDeviceOriginalPropertyData": {**PAGE, "Identifier": "Level"},
    "QueryDeviceOriginalEventData": {**PAGE, "Identifier": "Reported"},
    "QueryDeviceOriginalServiceData": {**PAGE, "Identifier": "Move"},
}


@pytest.mark.parametrize("operation", CALLS)
def test_the_device_must_exist_belong_to_the_account_and_use_a_thing_model(things, other_api, operation):
    params = CALLS[operation]
    key = things.create_modeled_product()
    iot_id = things.register_device(key)
    things.call(operation, IotId=iot_id, **params)
    things.call(operation, ProductKey=key, DeviceName="d1", **params)
    assert things.error_code(operation, **params) == "iot.prod.NullProductKey"
    assert things.error_code(operation, ProductKey=key, **params) == "iot.device.NullDeviceName"
    assert things.error_code(operation, IotId="nowhere", **params) == "iot.device.NotExistedDevice"
    assert other_api.error_code(operation, IotId=iot_id, **params) == "iot.device.NotExistedDevice"
    basic = things.register_device(things.api.create_product("Basic_One"), "basic")
    assert things.error_code(operation, IotId=basic, **params) == "iot.prod.NotSeniorProduct"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("SetDevicesProperty", {"Items": {"Level": 1}}),
        ("InvokeThingsService", {"Identifier": "Restart", "Args": {}}),
        ("QueryDevicePropertiesData", {**PAGE, "Asc": 1, "Identifier": ["Level"]}),
    ],
)
def test_several_devices_require_their_product(things, operation, params):
    key = things.create_modeled_product()
    name = "d1" if operation == "QueryDevicePropertiesData" else ["d1"]
    assert things.error_code(operation, DeviceName=name, **params) == "MissingProductKey"
    assert things.error_code(operation, ProductKey=key, **params) == "MissingDeviceName"
    code = things.error_code(operation, ProductKey=key, DeviceName=name, **params)
    assert code == "iot.device.NotExistedDevice"


@pytest.mark.parametrize(
    ("operation", "names"),
    [
        ("SetDeviceProperty", ["Items"]),
        ("SetDeviceDesiredProperty", ["Items", "Versions"]),
        ("InvokeThingService", ["Identifier", "Args"]),
        ("QueryDevicePropertyData", ["Identifier", "StartTime", "EndTime", "Asc", "PageSize"]),
        ("QueryDeviceEventData", ["StartTime", "EndTime"]),
        ("QueryDeviceOriginalPropertyStatus", ["Asc", "PageSize"]),
        ("QueryDeviceOriginalServiceData", ["Identifier", "StartTime", "EndTime", "Asc", "PageSize"]),
    ],
)
def test_missing_parameters_are_refused(things, device, operation, names):
    for name in names:
        params = {key: value for key, value in CALLS[operation].items() if key != name}
        assert things.error_code(operation, IotId=device, **params) == f"Missing{name}"


def test_the_data_of_a_device_is_deleted_with_it(things, emulator, clock):
    key = things.create_modeled_product()
    iot_id = things.register_device(key)
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 1})
    things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 1}, Versions={})
    things.call("DeleteDevice", IotId=iot_id)
    with emulator.store.read() as db:
        for table in ("thing_reports", "thing_calls", "thing_desired", "device_absences"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_expired_reports_are_deleted_but_the_value_is_kept(things, emulator):
    clock = things.clock
    assert isinstance(clock, ManualClock)
    iot_id = things.register_device(things.create_modeled_product())
    for value in (1, 2):
        things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": value})
        clock.advance(40 * 86_400)
    assert things.read_values(iot_id)["Level"] == "2"
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 3})
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_reports").fetchone()[0] <= 2
