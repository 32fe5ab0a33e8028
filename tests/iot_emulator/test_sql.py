"""QueryDeviceBySQL: valid and invalid statements."""

from __future__ import annotations

from typing import Any

import pytest

from iot_emulator import Emulator, ManualClock
from iot_emulator.devices_schema import NewDevice, insert_devices

from .clients import KEY_ID, Api

HOUR = 3600


@pytest.fixture
def fleet(api: Api, emulator: Emulator, clock: ManualClock) -> str:
    """A product with four devices, registered at intervals of an hour; some are active, have tags, groups and versions."""
    key = api.create_product("Meters")
    start = clock.now()
    with emulator.store.write() as db:
        ids = insert_devices(
            db,
            KEY_ID,
            "",
            key,
            [
                NewDevice("meter-a1", nickname="Keller", created=start),
                NewDevice(
                    "meter-a2",
                    status="ONLINE",
                    created=start + HOUR * 1000,
                    activated=start + 5 * HOUR * 1000,
                ),
                NewDevice(
                    "meter-b1",
                    status="OFFLINE",
                    created=start + 2 * HOUR * 1000,
                    activated=start + 4 * HOUR * 1000,
                ),
                NewDevice("lamp", created=start + 3 * HOUR * 1000),
            ],
            start,
        )
        db.executemany(
            "INSERT INTO device_modules VALUES (?, '', ?, ?, ?, 0)",
            [
                (KEY_ID, ids[1], "default", "1.0"),
                (KEY_ID, ids[1], "mcu", "2.0"),
                (KEY_ID, ids[2], "mcu", "1.0"),
            ],
        )
    api.call("SaveDeviceProp", IotId=ids[0], Props={"city": "Ulm", "kind": "gas"})
    api.call("SaveDeviceProp", IotId=ids[1], Props={"city": "Bonn", "kind": "Ulm"})
    group = api.create_group("plant")
    api.call(
        "BatchAddDeviceGroupRelations", GroupId=group, Device=[{"ProductKey": key, "DeviceName": "meter-b1"}]
    )
    return key


def query(api: Api, where: str, select: str = "*") -> list[dict[str, Any]]:
    return api.call("QueryDeviceBySQL", SQL=f"SELECT {select} FROM device WHERE {where}")["Data"]


def query_names(api: Api, where: str) -> list[str]:
    return [device["DeviceName"] for device in query(api, where)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('name = "meter-a1"', ["meter-a1"]),
        ("name = 'meter-a1'", ["meter-a1"]),
        ('name like "meter%"', ["meter-a1", "meter-a2", "meter-b1"]),
        ('name LIKE "mete%" AND status = "OFFLINE"', ["meter-b1"]),
        ('status != "UNACTIVE"', ["meter-a2", "meter-b1"]),
        ('nickname = "Keller"', ["meter-a1"]),
        ('nickname like "Kell%"', ["meter-a1"]),
        ('nickname = ""', ["meter-a2", "meter-b1", "lamp"]),
        ('nickname != "Keller"', ["meter-a2", "meter-b1", "lamp"]),
        ('name = "lamp" OR name = "meter-a2"', ["meter-a2", "lamp"]),
        ('status = "UNACTIVE" AND name = "lamp" OR status = "ONLINE"', ["meter-a2", "lamp"]),
        ('active_time > "2026-09-22 02:30:00.000"', ["meter-a2"]),
        ('active_time < "2026-09-22 02:30:00"', ["meter-b1"]),
        ("active_time = null", ["meter-a1", "lamp"]),
        ("active_time != null", ["meter-a2", "meter-b1"]),
        ('active_time != "2026-09-22 03:13:20.000"', ["meter-a1", "meter-b1", "lamp"]),
        ('gmt_create = "2026-09-21 23:13:20.000"', ["meter-a2"]),
        ('gmt_create > "2026-09-21 22:13:20.000" and gmt_create < "2026-09-22"', ["meter-a2"]),
        ('tag.tag_name = "city"', ["meter-a1", "meter-a2"]),
        ('tag.tag_name = "city" AND tag.tag_value = "Ulm"', ["meter-a1"]),
        (
            'tag.tag_name = "city" AND tag.tag_value = "Ulm" AND tag.tag_name = "kind" AND tag.tag_value = "gas"',
            ["meter-a1"],
        ),
        ('tag.tag_value = "Ulm"', ["meter-a1", "meter-a2"]),
        ('tag.tag_name != "city"', ["meter-b1", "lamp"]),
        ('ota_module.module_name = "mcu" AND ota_module.firmware_version = "1.0"', ["meter-b1"]),
        ('ota_module.firmware_version = "1.0"', ["meter-a2", "meter-b1"]),
        ("group.group_id != null", ["meter-b1"]),
        ("group.group_id = null", ["meter-a1", "meter-a2", "lamp"]),
        ('name = "nobody"', []),
    ],
)
def test_devices_are_found_by_conditions(api: Api, fleet: str, where: str, expected: list[str]) -> None:
    assert query_names(api, where) == expected


def test_devices_are_found_by_product_group_and_id(api: Api, fleet: str) -> None:
    lamps = api.create_product("Lamps")
    api.register_device(lamps, "lamp-1")
    assert query_names(api, f'product_key = "{lamps}"') == ["lamp-1"]
    group = api.call("QueryDeviceGroupList")["Data"]["GroupInfo"][0]["GroupId"]
    assert query_names(api, f'group.group_id = "{group}"') == ["meter-b1"]
    (lamp,) = query(api, f'product_key = "{lamps}"')
    assert query_names(api, f'iot_id = "{lamp["IotId"]}"') == ["lamp-1"]


def test_a_device_has_all_its_fields(api: Api, fleet: str) -> None:
    (device,) = query(api, 'name = "meter-a2"')
    assert device["Status"] == "ONLINE"
    assert device["ActiveTime"] == "2026-09-22 03:13:20.000"
    assert device["GmtCreate"] == "2026-09-21 23:13:20.000"
    assert {"TagName": "city", "TagValue": "Bonn"} in device["Tags"]
    assert {"ModuleName": "mcu", "FirmwareVersion": "2.0"} in device["OTAModules"]
    assert "Groups" not in device
    assert "Nickname" not in device
    assert set(query(api, 'name = "meter-b1"')[0]["Groups"][0]) == {"GroupId"}


def test_only_the_selected_fields_and_the_id_are_returned(api: Api, fleet: str) -> None:
    (device,) = query(api, 'name = "meter-a1"', "name, tag.tag_name")
    assert set(device) == {"IotId", "DeviceName", "Tags"}


def test_devices_are_counted(api: Api, fleet: str) -> None:
    response = api.call("QueryDeviceBySQL", SQL=f'select count(*) from device where product_key = "{fleet}"')
    assert (response["TotalCount"], response["Data"]) == (4, [])


@pytest.mark.parametrize(
    ("where", "count"), [('status = "UNACTIVE"', 2), ('name like "meter%"', 3), ('status = "DISABLE"', 0)]
)
def test_devices_are_counted_by_conditions(
    api: Api, other_api: Api, fleet: str, where: str, count: int
) -> None:
    sql = f"SELECT COUNT(*) FROM device WHERE {where}"
    assert api.call("QueryDeviceBySQL", SQL=sql)["TotalCount"] == count
    assert other_api.call("QueryDeviceBySQL", SQL=sql)["TotalCount"] == 0


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("gmt_create", ["meter-a1", "meter-a2", "meter-b1", "lamp"]),
        ("gmt_create desc", ["lamp", "meter-b1", "meter-a2", "meter-a1"]),
        ("GMT_CREATE ASC", ["meter-a1", "meter-a2", "meter-b1", "lamp"]),
        ("active_time desc limit 1", ["meter-a2"]),
        ("gmt_create limit 1, 2", ["meter-a2", "meter-b1"]),
        ("gmt_create limit 3,50;", ["lamp"]),
    ],
)
def test_devices_are_ordered_and_limited(api: Api, fleet: str, order: str, expected: list[str]) -> None:
    assert query_names(api, f'product_key = "{fleet}" order by {order}') == expected


def test_the_default_limit_is_twenty(api: Api) -> None:
    key = api.create_product()
    api.register_devices(key, *(f"dev-{n}" for n in range(30)))
    assert len(query(api, f'product_key = "{key}"')) == 20
    assert len(query(api, f'product_key = "{key}" limit 50')) == 30


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM device", "Error"),
        ("DELETE FROM device WHERE name = 'x'", "Error"),
        ("SELECT * FROM devices WHERE name = 'x'", "Error"),
        ("SELECT * FROM device WHERE", "Error"),
        ("SELECT * FROM device WHERE name = meter", "Error"),
        ("SELECT * FROM device WHERE name 'x'", "Error"),
        ("SELECT * FROM device WHERE name = 'x", "Error"),
        ("SELECT * FROM device WHERE (name = 'x')", "Error"),
        ("SELECT * FROM device WHERE gmt_create >= '2024-01-01'", "Error"),
        ("SELECT count(name) FROM device WHERE name = 'x'", "Error"),
        ("SELECT * FROM device WHERE name = 'x' -- or so", "Error"),
        ("SELECT secret FROM device WHERE name = 'x'", "FieldError"),
        ("SELECT * FROM device WHERE secret = 'x'", "FieldError"),
        ("SELECT * FROM device WHERE name > 'x'", "OperatorTypeError"),
        ("SELECT * FROM device WHERE gmt_create like '2024%'", "OperatorTypeError"),
        ("SELECT * FROM device WHERE gmt_create > null", "OperatorTypeError"),
        ("SELECT * FROM device WHERE name like 'met%'", "ParamError"),
        ("SELECT * FROM device WHERE name like '%meter'", "ParamError"),
        ("SELECT * FROM device WHERE name like 'meter-%'", "ParamError"),
        ("SELECT * FROM device WHERE gmt_create > 'yesterday'", "ParamError"),
        ("SELECT * FROM device WHERE name = 'x' GROUP BY name", "ParamError"),
        ("SELECT * FROM device WHERE ota_module.module_name = 'mcu'", "ParamError"),
        ("SELECT * FROM device WHERE name = 'x' ORDER BY name", "OrderError"),
        ("SELECT * FROM device WHERE name = 'x' ORDER BY gmt_create, active_time", "OrderError"),
        ("SELECT * FROM device WHERE name = 'x' LIMIT 51", "OffsetError"),
        ("SELECT * FROM device WHERE name = 'x' LIMIT 9960, 50", "OffsetError"),
        ("SELECT * FROM device WHERE name = 'x' LIMIT -1", "OffsetError"),
        ("SELECT * FROM device WHERE name = 'x' LIMIT many", "OffsetError"),
        ("SELECT * FROM device WHERE " + " AND ".join(["name = 'x'"] * 6), "ConditionError"),
        ("SELECT * FROM device WHERE name = '" + "x" * 400 + "'", "Error"),
    ],
)
def test_invalid_statements_are_refused(api: Api, sql: str, code: str) -> None:
    assert api.error_code("QueryDeviceBySQL", SQL=sql) == f"iot.devicesearch.InvalidSQL{code}"


def test_a_missing_statement_is_refused(api: Api) -> None:
    assert api.error_code("QueryDeviceBySQL") == "MissingSQL"


def test_values_are_never_executed_as_sql(api: Api, fleet: str) -> None:
    assert query_names(api, "name = \"x' OR '1' = '1\"") == []
    assert query_names(api, 'name = "\\" OR 1"') == []


def test_other_accounts_devices_are_never_found(api: Api, other_api: Api, fleet: str) -> None:
    assert query_names(other_api, 'name = "lamp" OR status != "x"') == []
