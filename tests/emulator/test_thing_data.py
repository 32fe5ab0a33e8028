"""What devices tell, and what they are told: history, present and desired values, setting properties, calling services."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import httpx
import pytest

from console.cloud.client import Client, Credentials
from console.emulator import create_app
from console.emulator.clock import ManualClock
from tests.emulator.conftest import KEY_ID, KEY_SECRET, Api, create_api
from tests.emulator.thing_world import DAY, HOUR, SAMPLE, STRUCTURED, Things, prop, service


@pytest.fixture
def things(api, emulator, clock) -> Things:
    return Things(api, emulator, clock)


@pytest.fixture
def meter(things) -> str:
    """A meter that has been online for 40 days."""
    return things.device(things.product("Meters", CategoryKey="ElectricityMeter"), "meter-1")


@pytest.fixture
def device(things) -> str:
    """A device with the sample model that has been online for 40 days."""
    return things.device(things.modelled())


def numbers(data: dict[str, Any]) -> list[float]:
    return [float(entry["Value"]) for entry in data["List"]["PropertyInfo"]]


def times(data: dict[str, Any]) -> list[int]:
    return [int(entry["Time"]) for entry in data["List"]["PropertyInfo"]]


def all_pages(
    things: Things, iot_id: str, identifier: str, start: int, end: int, **params: Any
) -> list[tuple]:
    """Every record of a stretch, oldest first, read forwards page by page."""
    records: list[tuple] = []
    while True:
        data = things.history(iot_id, identifier, start, end, **params)
        records += [(int(entry["Time"]), entry["Value"]) for entry in data["List"]["PropertyInfo"]]
        if not data["NextValid"]:
            return records
        start = data["NextTime"]


# --- what devices tell by themselves


def test_a_meter_only_ever_counts_up_and_its_voltage_stays_near_the_grid_s(things, meter, clock):
    now = clock.now()
    energy = [float(value) for _, value in all_pages(things, meter, "TotalActiveEnergy", now - 5 * DAY, now)]
    assert len(energy) > 300
    assert energy == sorted(energy)
    assert 5 < energy[-1] - energy[0] < 100
    voltage = numbers(things.history(meter, "Voltage", now - DAY, now))
    assert all(200 < value < 250 for value in voltage)
    assert len(set(voltage)) > 10


def test_history_reads_the_same_each_time_from_either_end_and_in_any_pages(things, meter, clock):
    now = clock.now()
    whole = all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY)
    assert whole == all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY, PageSize=7)
    backwards: list[tuple] = []
    end = now - DAY
    while True:
        data = things.history(meter, "Voltage", now - 3 * DAY, end, Asc=0, PageSize=11)
        backwards += [(int(entry["Time"]), entry["Value"]) for entry in data["List"]["PropertyInfo"]]
        if not data["NextValid"]:
            break
        end = data["NextTime"]
    assert whole == backwards[::-1]
    clock.advance(3 * 3600)
    assert whole == all_pages(things, meter, "Voltage", now - 3 * DAY, now - DAY)


@pytest.mark.parametrize("ascending", [0, 1])
def test_the_client_walks_through_all_pages_in_either_order(things, meter, clock, ascending):
    now = clock.now()
    span = {"IotId": meter, "Identifier": "Voltage", "StartTime": now - 2 * DAY, "EndTime": now}
    pages = things.api.client.pages("QueryDevicePropertyData", Asc=ascending, PageSize=9, **span)
    told = [int(entry["Time"]) for page in pages for entry in page["Data"]["List"]["PropertyInfo"]]
    assert told == sorted(told, reverse=not ascending)
    assert sorted(told) == [moment for moment, _ in all_pages(things, meter, "Voltage", now - 2 * DAY, now)]


def test_two_emulators_tell_the_same_of_the_same_device(things, meter, clock, tmp_path):
    app = create_app(tmp_path / "second.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False)
    second = Things(create_api(app), app, clock)
    twin = second.device(second.product("Meters", CategoryKey="ElectricityMeter"), "meter-1")
    now = clock.now()
    assert things.history(meter, "Voltage", now - DAY, now) == second.history(twin, "Voltage", now - DAY, now)
    app.close()


def test_times_lie_in_the_stretch_and_never_in_the_future(things, meter, clock):
    now = clock.now()
    data = things.history(meter, "Voltage", now - HOUR, now + DAY)
    assert times(data) == sorted(times(data))
    assert all(now - HOUR <= told <= now for told in times(data))


def test_a_device_tells_nothing_before_its_activation_and_while_it_is_away(things, clock):
    key = things.product("Meters", CategoryKey="ElectricityMeter")
    now = clock.now()
    young = things.device(key, "young", days=0.5)
    assert min(times(things.history(young, "Voltage", now - DAY, now))) == now - DAY // 2 + 1000
    things.move(young, "OFFLINE")
    clock.advance(6 * 3600)
    assert times(things.history(young, "Voltage", now + 1, clock.now())) == []
    things.move(young, "ONLINE")
    clock.advance(6 * 3600)
    told = times(things.history(young, "Voltage", now + 1, clock.now()))
    assert told
    assert min(told) >= now + 6 * HOUR


def test_a_device_that_never_was_online_has_told_nothing(things, clock):
    sleeper = things.device(things.modelled(), "sleeper", "UNACTIVE")
    assert set(things.status(sleeper)) == {"Level", "Measured", "Label", "Switch", "Mode"}
    assert set(things.status(sleeper).values()) == {None}
    now = clock.now()
    assert things.history(sleeper, "Level", now - DAY, now)["List"]["PropertyInfo"] == []
    events = things.call("QueryDeviceEventData", IotId=sleeper, StartTime=now - DAY, EndTime=now)["Data"]
    assert events["List"]["EventInfo"] == []
    assert events["NextValid"] is False


def test_every_type_of_a_model_made_by_hand_has_fitting_values(things):
    key = things.modelled(model={"properties": SAMPLE["properties"] + STRUCTURED["properties"]})
    values = things.status(things.device(key))
    assert 0 <= int(values["Level"]) <= 100
    assert float(values["Measured"]) % 1 == 0
    assert 1 <= len(values["Label"]) <= 8
    assert values["Switch"] in ("0", "1")
    assert values["Mode"] in ("2", "5")
    assert values["When"].isdigit()
    assert set(json.loads(values["Place"])) == {"lat", "fixed"}
    assert len(json.loads(values["Row"])) == 3


def test_the_present_values_carry_type_unit_and_time(things, meter, clock):
    answer = things.call("QueryDevicePropertyStatus", IotId=meter)["Data"]["List"]["PropertyStatusInfo"]
    voltage = next(info for info in answer if info["Identifier"] == "Voltage")
    assert (voltage["Name"], voltage["DataType"], voltage["Unit"]) == ("Voltage", "float", "V")
    assert int(voltage["Time"]) <= clock.now()
    last = things.history(meter, "Voltage", clock.now() - DAY, clock.now(), Asc=0, PageSize=1)
    assert last["List"]["PropertyInfo"] == [{"Time": voltage["Time"], "Value": voltage["Value"]}]


def test_a_month_of_history_is_read_in_flat_memory_and_stored_nowhere(things, meter, clock, emulator):
    now = clock.now()
    things.history(meter, "Voltage", now - DAY, now)
    tracemalloc.start()
    things.history(meter, "Voltage", now - DAY, now)
    day = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    things.history(meter, "Voltage", now - 29 * DAY, now)
    month = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert month < day * 1.5
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_reports").fetchone()[0] == 0


def test_a_product_without_any_check_shows_its_data_as_original_only(things, clock):
    iot_id = things.device(things.modelled(ValidateType=2))
    now = clock.now()
    assert things.history(iot_id, "Measured", now - DAY, now)["List"]["PropertyInfo"] == []
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
                values = things.status(device["IotId"])
                assert None not in values.values()
                break


# --- stretches of time


def test_a_stretch_has_its_ends_in_order_and_is_not_older_than_a_month(things, meter, clock):
    now = clock.now()
    params = {"IotId": meter, "Asc": 1, "PageSize": 5, "Identifier": "Voltage"}
    for start, end, code in (
        (now, now - HOUR, "iot.check.ParameterIsNotLessThanMax"),
        (now, now, "iot.check.ParameterIsNotLessThanMax"),
        (now - 32 * DAY, now, "iot.device.InvalidTimeBucket"),
        (12345, now, "iot.device.InvalidTimeBucket"),
    ):
        for operation in ("QueryDevicePropertyData", "QueryDeviceOriginalPropertyData"):
            assert things.refused(operation, StartTime=start, EndTime=end, **params) == code
        events = {"IotId": meter, "StartTime": start, "EndTime": end}
        assert things.refused("QueryDeviceEventData", **events) == code
        assert things.refused("QueryDeviceServiceData", **events) == code
    assert things.history(meter, "Voltage", now - 30 * DAY, now)["NextValid"]


def test_pages_have_their_limits(things, meter, clock):
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
        code = things.refused(operation, PageSize=size, **span, **more)
        assert code == "iot.common.InvalidPageParams", operation
    code = things.refused("QueryDeviceOriginalPropertyStatus", IotId=meter, Asc=0, PageSize=51)
    assert code == "iot.common.InvalidPageParams"


# --- several properties


def test_several_properties_stop_where_the_first_page_is_full(things, clock):
    key = things.product("Meters", CategoryKey="ElectricityMeter")
    things.device(key, "meter-1")
    now = clock.now()
    wanted = ["Voltage", "RelayStatus"]
    seen: dict[str, list[tuple]] = {name: [] for name in wanted}
    start = now - DAY
    for _ in range(20):
        answer = things.call(
            "QueryDevicePropertiesData",
            ProductKey=key,
            DeviceName="meter-1",
            Identifier=wanted,
            StartTime=start,
            EndTime=now,
            Asc=1,
            PageSize=10,
        )
        for info in answer["PropertyDataInfos"]["PropertyDataInfo"]:
            assert len(info["List"]["PropertyInfo"]) <= 10
            seen[info["Identifier"]] += [(e["Time"], e["Value"]) for e in info["List"]["PropertyInfo"]]
        if not answer["NextValid"]:
            break
        start = answer["NextTime"]
    iot_id = f"{'meter-1':x<20}000000"
    for name in wanted:
        assert seen[name] == all_pages(things, iot_id, name, now - DAY, now), name


def test_several_properties_newest_first_name_the_later_end_first(things, clock):
    key = things.product("Meters", CategoryKey="ElectricityMeter")
    things.device(key, "meter-1")
    now = clock.now()
    params = {"ProductKey": key, "DeviceName": "meter-1", "Identifier": ["Voltage"], "PageSize": 5, "Asc": 0}
    answer = things.call("QueryDevicePropertiesData", StartTime=now, EndTime=now - DAY, **params)
    told = [e["Time"] for e in answer["PropertyDataInfos"]["PropertyDataInfo"][0]["List"]["PropertyInfo"]]
    assert told == sorted(told, reverse=True)
    again = things.call(
        "QueryDevicePropertiesData", StartTime=answer["NextTime"], EndTime=now - DAY, **params
    )
    more = [e["Time"] for e in again["PropertyDataInfos"]["PropertyDataInfo"][0]["List"]["PropertyInfo"]]
    assert max(more) == answer["NextTime"] < min(told)
    code = things.refused("QueryDevicePropertiesData", StartTime=now - DAY, EndTime=now, **params)
    assert code == "iot.check.ParameterIsNotLessThanMax"


def test_several_properties_are_ten_different_ones_at_most(things, clock):
    key = things.modelled()
    things.device(key)
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
        assert things.refused("QueryDevicePropertiesData", Identifier=names, **params) == code
    assert things.refused("QueryDevicePropertiesData", **params) == "MissingIdentifier"


# --- events


def test_events_are_rare_and_carry_what_the_model_says(things, clock):
    key = things.product("Gateways", CategoryKey="GeneralGateway", NodeType=1)
    iot_id = things.device(key, "gateway")
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


def test_events_page_by_time(things, clock):
    iot_id = things.device(things.product("Gateways", CategoryKey="GeneralGateway", NodeType=1), "gateway")
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


def test_an_event_or_service_that_the_model_has_not_is_refused(things, device, clock):
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
        assert things.refused(operation, **params) == code, operation


# --- setting properties


def test_a_value_that_was_set_is_reported_and_stays(things, device, clock):
    before = clock.now()
    answer = things.call("SetDeviceProperty", IotId=device, Items={"Level": 42, "Label": "blue"})
    assert answer["Data"]["MessageId"].isdigit()
    assert things.status(device)["Level"] != "42"
    clock.advance(1)
    assert (things.status(device)["Level"], things.status(device)["Label"]) == ("42", "blue")
    clock.advance(3 * 86_400)
    assert things.status(device)["Level"] == "42"
    told = all_pages(things, device, "Level", before, clock.now())
    assert {value for _, value in told} == {"42"}
    assert before < told[0][0] < before + 1000
    assert len(told) >= 2


def test_setting_is_a_call_of_the_service_set(things, device, clock):
    things.call("SetDeviceProperty", IotId=device, Items={"Level": 42})
    things.call("SetDeviceProperty", IotId=device, Items={"Level": 43})
    clock.advance(1)
    span = {"IotId": device, "StartTime": clock.now() - HOUR, "EndTime": clock.now(), "Identifier": "set"}
    calls = things.call("QueryDeviceServiceData", **span)["Data"]["List"]["ServiceInfo"]
    assert [json.loads(call["InputData"]) for call in calls] == [{"Level": 43}, {"Level": 42}]
    assert json.loads(calls[0]["OutputData"])["code"] == 200


def test_at_instant_pace_a_device_answers_at_once(tmp_path, clock):
    app = create_app(
        tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
    )
    things = Things(create_api(app), app, clock)
    iot_id = things.device(things.modelled())
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 7})
    assert things.status(iot_id)["Level"] == "7"
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
def test_a_value_that_does_not_fit_the_model_is_refused(things, clock, items, code):
    key = things.modelled()
    iot_id = things.device(key)
    assert things.refused("SetDeviceProperty", IotId=iot_id, Items=items) == code
    assert things.refused("SetDevicesProperty", ProductKey=key, DeviceName=["d1"], Items=items) == code
    wished = {"IotId": iot_id, "Items": items, "Versions": {}}
    assert things.refused("SetDeviceDesiredProperty", **wished) == code


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
def test_times_structures_and_arrays_are_checked_inside(things, clock, items, good):
    iot_id = things.device(things.modelled(model=STRUCTURED))
    if not good:
        code = things.refused("SetDeviceProperty", IotId=iot_id, Items=items)
        assert code == "iot.device.SetDevicePropertyFailed"
        return
    things.call("SetDeviceProperty", IotId=iot_id, Items=items)
    clock.advance(1)
    ((identifier, value),) = items.items()
    shown = things.status(iot_id)[identifier]
    assert (shown if isinstance(value, str) else json.loads(shown)) == value


@pytest.mark.parametrize(("step", "good", "bad"), [("0.1", 20.3, 20.35), ("2.5", 7.5, 7)])
def test_values_go_by_steps_from_the_least(things, step, good, bad):
    model = {"properties": [prop("T", "DOUBLE", dataSpecs={"min": "0", "max": "100", "step": step})]}
    iot_id = things.device(things.modelled(model=model))
    things.call("SetDeviceProperty", IotId=iot_id, Items={"T": good})
    code = things.refused("SetDeviceProperty", IotId=iot_id, Items={"T": bad})
    assert code == "iot.device.SetDevicePropertyFailed"


def test_a_property_of_a_module_is_named_with_it(things, clock):
    key = things.product()
    module = {"FunctionBlockId": "testFb", "FunctionBlockName": "Test_Module"}
    model = {"properties": [prop("Switch")], "services": [service("Turn")]}
    things.call("CreateThingModel", ProductKey=key, ThingModelJson=model, **module)
    things.call("PublishThingModel", ProductKey=key)
    iot_id = things.device(key)
    things.call("SetDeviceProperty", IotId=iot_id, Items={"testFb:Switch": 9})
    clock.advance(1)
    assert things.status(iot_id, FunctionBlockId="testFb") == {"Switch": "9"}
    assert things.status(iot_id) == {}
    assert numbers(things.history(iot_id, "testFb:Switch", clock.now() - 5000, clock.now())) == [9]
    answer = things.call("InvokeThingService", IotId=iot_id, Identifier="testFb:Turn", Args={})
    assert json.loads(answer["Data"]["Result"])["code"] == 200
    code = things.refused("QueryDevicePropertyStatus", IotId=iot_id, FunctionBlockId="no")
    assert code == "iot.common.InvalidFormattedParameter"


def test_a_device_that_is_away_misses_what_is_set_unless_it_is_kept_for_it(things, clock):
    key = things.modelled()
    missing, kept = (things.device(key, name, "OFFLINE", days=1) for name in ("missing", "kept"))
    things.call("SetDeviceProperty", IotId=missing, Items={"Level": 77})
    things.call("SetDeviceProperty", IotId=kept, Items={"Level": 77}, Qos=1)
    clock.advance(60)
    for iot_id in (missing, kept):
        things.move(iot_id, "ONLINE")
    clock.advance(2)
    assert things.status(missing)["Level"] != "77"
    assert things.status(kept)["Level"] == "77"


def test_nothing_can_be_sent_to_a_device_that_never_was_online(things):
    iot_id = things.device(things.modelled(), "sleeper", "UNACTIVE")
    code = things.refused("SetDeviceProperty", IotId=iot_id, Items={"Level": 1})
    assert code == "iot.device.InactiveDevice"
    code = things.refused("InvokeThingService", IotId=iot_id, Identifier="Restart", Args={})
    assert code == "iot.device.InactiveDevice"


def test_a_hundred_devices_are_set_at_once(things, clock):
    key = things.modelled()
    online = [things.device(key, f"d{n}") for n in range(3)]
    away = things.device(key, "away", "OFFLINE")
    names = ["d0", "d1", "d2", "away"]
    things.call("SetDevicesProperty", ProductKey=key, DeviceName=names, Items={"Level": 12})
    clock.advance(1)
    assert [things.status(iot_id)["Level"] for iot_id in online] == ["12"] * 3
    assert things.status(away)["Level"] != "12"
    many = {"ProductKey": key, "Items": {"Level": 1}}
    code = things.refused("SetDevicesProperty", DeviceName=[f"d{n}" for n in range(101)], **many)
    assert code == "iot.device.DeviceCountExceeded"
    code = things.refused("SetDevicesProperty", DeviceName=["d1", "nobody"], **many)
    assert code == "iot.device.NotExistedDevice"


# --- services


def test_a_synchronous_service_is_answered_in_the_call(things, device, clock):
    answer = things.call("InvokeThingService", IotId=device, Identifier="Move", Args={"Level": 61})["Data"]
    result = json.loads(answer["Result"])
    assert (result["code"], result["message"], result["id"]) == (200, "success", answer["MessageId"])
    assert result["data"]["Level"] == 61
    assert 0 <= result["data"]["Left"] <= 100
    clock.advance(1)
    assert things.status(device)["Level"] == "61"
    span = {"IotId": device, "StartTime": clock.now() - HOUR, "EndTime": clock.now(), "Identifier": "Move"}
    (record,) = things.call("QueryDeviceServiceData", **span)["Data"]["List"]["ServiceInfo"]
    assert (record["Name"], json.loads(record["InputData"])) == ("Move", {"Level": 61})
    assert json.loads(record["OutputData"]) == result


def test_an_asynchronous_service_has_a_message_only(things, device, clock):
    answer = things.call("InvokeThingService", IotId=device, Identifier="Restart", Args={})["Data"]
    assert set(answer) == {"MessageId"}


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
def test_a_call_that_does_not_fit_the_model_is_refused(things, identifier, args):
    key = things.modelled()
    iot_id = things.device(key)
    params = {"Identifier": identifier, "Args": args}
    assert (
        things.refused("InvokeThingService", IotId=iot_id, **params) == "iot.device.InvokeThingServiceFailed"
    )
    code = things.refused("InvokeThingsService", ProductKey=key, DeviceName=["d1"], **params)
    assert code == "iot.device.InvokeThingServiceFailed"


@pytest.mark.parametrize("status", ["OFFLINE", "DISABLE"])
def test_a_service_needs_a_device_that_is_online(things, status):
    iot_id = things.device(things.modelled(), status=status)
    code = things.refused("InvokeThingService", IotId=iot_id, Identifier="Move", Args={})
    assert code == "iot.device.InvokeThingServiceFailed"


def test_a_service_is_called_on_many_devices(things, clock):
    key = things.modelled()
    ids = [things.device(key, name) for name in ("d1", "d2")]
    things.device(key, "away", "OFFLINE")
    names = ["d1", "d2", "away"]
    answer = things.call(
        "InvokeThingsService", ProductKey=key, DeviceName=names, Identifier="Move", Args={"Level": 3}
    )
    assert "Data" not in answer
    clock.advance(1)
    assert [things.status(iot_id)["Level"] for iot_id in ids] == ["3", "3"]
    code = things.refused(
        "InvokeThingsService", ProductKey=key, DeviceName=["nobody"], Identifier="Move", Args={}
    )
    assert code == "iot.device.NotExistedDevice"


def test_a_synchronous_call_takes_the_device_s_time_on_a_real_clock(tmp_path):
    app = create_app(tmp_path / "real.sqlite3", keys={KEY_ID: KEY_SECRET}, quotas=False)
    transport = httpx.WSGITransport(app=app)
    client = Client(Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport)
    clock = ManualClock()  # only tells the time; the emulator goes by its own
    things = Things(Api(client, clock), app, clock)
    iot_id = things.device(things.modelled())
    began = time.perf_counter()
    things.call("InvokeThingService", IotId=iot_id, Identifier="Move", Args={})
    assert time.perf_counter() - began > 0.06
    app.close()


# --- desired values


def desired(things: Things, iot_id: str, **params: Any) -> dict[str, tuple]:
    answer = things.call("QueryDeviceDesiredProperty", IotId=iot_id, **params)["Data"]["List"]
    return {
        info["Identifier"]: (info.get("Value"), info["Version"]) for info in answer["DesiredPropertyInfo"]
    }


def test_a_wish_has_a_version_that_grows_and_has_to_be_known(things, device, clock):
    assert desired(things, device, Identifier=["Level"]) == {"Level": (None, 0)}
    for version in (0, 1):
        answer = things.call(
            "SetDeviceDesiredProperty",
            IotId=device,
            Items={"Level": 20 + version},
            Versions={"Level": version},
        )
        assert json.loads(answer["Data"]["Versions"]) == {"Level": version + 1}
    stale = {"IotId": device, "Items": {"Level": 1}, "Versions": {"Level": 1}}
    assert things.refused("SetDeviceDesiredProperty", **stale) == "iot.device.SetDevicePropertyFailed"
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": 30}, Versions={})
    assert desired(things, device, Identifier=["Level"]) == {"Level": ("30", 3)}
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": None}, Versions={})
    assert desired(things, device, Identifier=["Level"]) == {"Level": (None, 4)}


def test_all_wishes_are_told_with_type_unit_and_time(things, device, clock):
    things.call("SetDeviceDesiredProperty", IotId=device, Items={"Level": 20}, Versions={})
    assert set(desired(things, device)) == {"Level", "Label", "Switch", "Mode"}
    (info,) = things.call("QueryDeviceDesiredProperty", IotId=device, Identifier=["Level"])["Data"]["List"][
        "DesiredPropertyInfo"
    ]
    assert info == {
        "Identifier": "Level", "Name": "Level", "DataType": "int", "Unit": "%", "Version": 1,
        "Time": str(clock.now()), "Value": "20",
    }  # fmt: skip


def test_a_device_takes_a_wish_at_once_or_when_it_comes_back(things, clock):
    key = things.modelled()
    online, away = things.device(key, "online"), things.device(key, "away", "OFFLINE")
    for iot_id in (online, away):
        things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 88}, Versions={})
    clock.advance(1)
    assert things.status(online)["Level"] == "88"
    assert things.status(away)["Level"] != "88"
    things.move(away, "ONLINE")
    clock.advance(2)
    assert things.status(away)["Level"] == "88"


def test_a_wish_can_be_made_before_the_device_was_ever_online(things, clock):
    iot_id = things.device(things.modelled(), "sleeper", "UNACTIVE")
    things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 1}, Versions={"Level": 0})
    assert desired(things, iot_id)["Level"] == ("1", 1)


def test_wishes_are_ten_at_most_and_for_what_can_be_set(things, device):
    many = {f"p{n}": 1 for n in range(11)}
    code = things.refused("SetDeviceDesiredProperty", IotId=device, Items=many, Versions={})
    assert code == "iot.device.TooManyDevicePropertiesPerTime"
    code = things.refused("QueryDeviceDesiredProperty", IotId=device, Identifier=list(many))
    assert code == "iot.device.TooManyDevicePropertiesPerTime"
    code = things.refused("QueryDeviceDesiredProperty", IotId=device, Identifier=["Measured"])
    assert code == "iot.device.SetDevicePropertyFailed"
    code = things.refused("QueryDeviceDesiredProperty", IotId=device, Identifier=["Nothing"])
    assert code == "iot.device.NoneDeviceProperties"
    code = things.refused("QueryDeviceDesiredProperty", IotId=device, Identifier=["Level", "Level"])
    assert code == "iot.common.InvalidFormattedParameter"
    for versions in ("{", "[]", {"Level": "1"}, {"Label": 0}):
        code = things.refused("SetDeviceDesiredProperty", IotId=device, Items={"Level": 1}, Versions=versions)
        assert code == "iot.common.InvalidFormattedParameter"


# --- original data


def test_original_data_pages_by_token_and_holds_at_least_what_passed_the_check(things, meter, clock):
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
    passed = all_pages(things, meter, "Voltage", now - 20 * DAY, now)
    assert set(passed) < set(original)
    assert {value for _, value in set(original) - set(passed)} == {"ERR"}
    bad = {**params, "PageSize": 5, "NextPageToken": "nonsense"}
    assert things.refused("QueryDeviceOriginalPropertyData", **bad) == "iot.device.PageTokenIsIllegal"


def test_original_events_and_calls_page_by_token(things, clock):
    key = things.product("Gateways", CategoryKey="GeneralGateway", NodeType=1)
    iot_id = things.device(key, "gateway")
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


def test_the_last_original_values_are_paged_in_the_order_of_their_times(things, meter):
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
    assert {info["Identifier"] for info in read} == set(things.status(meter))
    assert [info["Time"] for info in read] == sorted((info["Time"] for info in read), reverse=True)


# --- all of them

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
    "QueryDeviceOriginalEventData": {**PAGE, "Identifier": "Told"},
    "QueryDeviceOriginalServiceData": {**PAGE, "Identifier": "Move"},
}


@pytest.mark.parametrize("operation", CALLS)
def test_the_device_is_named_there_one_s_own_and_of_a_product_with_a_model(things, other_api, operation):
    params = CALLS[operation]
    key = things.modelled()
    iot_id = things.device(key)
    things.call(operation, IotId=iot_id, **params)
    things.call(operation, ProductKey=key, DeviceName="d1", **params)
    assert things.refused(operation, **params) == "iot.prod.NullProductKey"
    assert things.refused(operation, ProductKey=key, **params) == "iot.device.NullDeviceName"
    assert things.refused(operation, IotId="nowhere", **params) == "iot.device.NotExistedDevice"
    assert other_api.error_code(operation, IotId=iot_id, **params) == "iot.device.NotExistedDevice"
    basic = things.device(things.api.create_product("Basic_One"), "basic")
    assert things.refused(operation, IotId=basic, **params) == "iot.prod.NotSeniorProduct"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("SetDevicesProperty", {"Items": {"Level": 1}}),
        ("InvokeThingsService", {"Identifier": "Restart", "Args": {}}),
        ("QueryDevicePropertiesData", {**PAGE, "Asc": 1, "Identifier": ["Level"]}),
    ],
)
def test_devices_of_a_product_are_named_by_it(things, operation, params):
    key = things.modelled()
    name = "d1" if operation == "QueryDevicePropertiesData" else ["d1"]
    assert things.refused(operation, DeviceName=name, **params) == "MissingProductKey"
    assert things.refused(operation, ProductKey=key, **params) == "MissingDeviceName"
    code = things.refused(operation, ProductKey=key, DeviceName=name, **params)
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
def test_what_is_missing_is_named(things, device, operation, names):
    for name in names:
        params = {key: value for key, value in CALLS[operation].items() if key != name}
        assert things.refused(operation, IotId=device, **params) == f"Missing{name}"


def test_what_a_device_was_told_goes_with_it(things, emulator, clock):
    key = things.modelled()
    iot_id = things.device(key)
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 1})
    things.call("SetDeviceDesiredProperty", IotId=iot_id, Items={"Level": 1}, Versions={})
    things.call("DeleteDevice", IotId=iot_id)
    with emulator.store.read() as db:
        for table in ("thing_reports", "thing_calls", "thing_desired", "device_absences"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_what_was_told_long_ago_is_forgotten_but_still_holds(things, emulator):
    clock = things.clock
    assert isinstance(clock, ManualClock)
    iot_id = things.device(things.modelled())
    for value in (1, 2):
        things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": value})
        clock.advance(40 * 86_400)
    assert things.status(iot_id)["Level"] == "2"
    things.call("SetDeviceProperty", IotId=iot_id, Items={"Level": 3})
    with emulator.store.read() as db:
        assert db.execute("SELECT count(*) FROM thing_reports").fetchone()[0] <= 2
