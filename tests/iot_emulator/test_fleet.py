"""The sample fleet: complete, valid, repeatable, and changing over time."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter

import pytest

from iot_client import catalogue
from iot_emulator import ManualClock, create_app
from iot_emulator.fleet import devices
from iot_emulator.fleet.company import MODELS, PLACES
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET
from tests.iot_emulator.update_setup import UpdateSetup

START = 1_790_000_000_000


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    clock = ManualClock(START)
    app = create_app(
        tmp_path_factory.mktemp("fleet") / "emulator.sqlite3",
        keys={KEY_ID: KEY_SECRET},
        clock=clock,
        quotas=False,
    )
    app.seed(devices=5000)
    yield UpdateSetup.create(app, clock)
    app.close()


def read_products(ota: UpdateSetup) -> dict[str, dict]:
    response = ota.call("QueryProductList", CurrentPage=1, PageSize=200)
    return {item["ProductName"]: item for item in response["Data"]["List"]["ProductInfo"]}


def read_rows(ota: UpdateSetup, sql: str) -> list[tuple]:
    with ota.emulator.store.read() as db:
        return [tuple(row) for row in db.execute(sql)]


def test_six_products_hold_all_the_devices(seeded):
    found = read_products(seeded)
    assert len(found) == 6
    assert sum(item["DeviceCount"] for item in found.values()) == 5000
    published = [
        seeded.call("QueryProduct", ProductKey=item["ProductKey"])["Data"]["ProductStatus"]
        for item in found.values()
    ]
    assert Counter(published) == {"RELEASE_STATUS": 5, "DEVELOPMENT_STATUS": 1}


def test_the_fleet_has_devices_of_every_status(seeded):
    counts = dict(read_rows(seeded, "SELECT status, count(*) FROM devices GROUP BY status"))
    assert set(counts) == {"ONLINE", "OFFLINE", "UNACTIVE", "DISABLE"}
    assert counts["ONLINE"] > 3500
    assert all(count >= 20 for count in counts.values())


def test_sample_data_is_valid_for_the_platform(seeded):
    register = catalogue.operation("RegisterDevice")
    create = catalogue.operation("CreateProduct")
    group = catalogue.operation("CreateDeviceGroup")
    for key, name, nickname in read_rows(seeded, "SELECT product_key, name, nickname FROM devices"):
        params = {"ProductKey": key, "DeviceName": name, "Nickname": nickname or None}
        assert catalogue.validate(register, {k: v for k, v in params.items() if v}) == {}
    for name, node, text in read_rows(seeded, "SELECT name, node_type, description FROM products"):
        assert catalogue.validate(create, {"ProductName": name, "NodeType": node, "Description": text}) == {}
    for name, text in read_rows(seeded, "SELECT name, description FROM groups"):
        assert catalogue.validate(group, {"GroupName": name, "GroupDesc": text}) == {}


def test_times_are_in_the_past_and_in_order(seeded):
    now = START
    assert read_rows(
        seeded,
        f"SELECT name, created, activated, last_online FROM devices WHERE created > {now} OR activated < created"
        f" OR last_online < activated OR last_online > {now} OR (due IS NOT NULL AND due <= {now})",
    ) == []  # fmt: skip
    (oldest,) = read_rows(seeded, "SELECT min(created) FROM devices")[0]
    assert 650 < (now - oldest) / 86_400_000 < 800


def test_only_devices_that_were_online_have_versions(seeded):
    query = (
        "SELECT count(*) FROM devices d LEFT JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = 'default'"
        " WHERE (d.activated IS NULL) <> (m.version IS NULL)"
    )
    assert read_rows(seeded, query) == [(0,)]


def test_groups_are_a_tree_of_region_city_and_site(seeded):
    levels = dict(read_rows(seeded, "SELECT level, count(*) FROM groups GROUP BY level"))
    assert levels[3] == len(PLACES)
    assert levels[1] == 5
    for group_id, level in read_rows(seeded, "SELECT group_id, level FROM groups WHERE level = 3"):
        info = seeded.call("QueryDeviceGroupInfo", GroupId=group_id)["Data"]
        assert info["DeviceCount"] > 50, level


def test_batches_and_tasks_have_every_status(seeded):
    assert {row[0] for row in read_rows(seeded, "SELECT DISTINCT status FROM ota_batches")} == {
        "PLANNED", "IN_PROGRESS", "COMPLETED", "CANCELED",
    }  # fmt: skip
    statuses = "SELECT DISTINCT t.status FROM ota_tasks t JOIN ota_batches b ON b.id = t.batch WHERE b.status = 'IN_PROGRESS'"
    assert {row[0] for row in read_rows(seeded, statuses)} == {
        "CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED",
    }  # fmt: skip
    packages = {row[0] for row in read_rows(seeded, "SELECT DISTINCT status FROM ota_packages")}
    assert packages == {-1, 0, 1, 2, 3}


def test_no_device_has_two_unfinished_tasks_and_tasks_match_the_versions(seeded):
    assert (
        read_rows(seeded, "SELECT iot_id FROM ota_tasks WHERE active GROUP BY iot_id HAVING count(*) > 1")
        == []
    )
    assert (
        read_rows(
            seeded,
            "SELECT id FROM ota_batches b WHERE NOT EXISTS (SELECT 1 FROM ota_tasks WHERE batch = b.id)",
        )
        == []
    )
    assert read_rows(
        seeded,
        "SELECT t.name FROM ota_tasks t JOIN ota_batches b ON b.id = t.batch JOIN device_modules m"
        " ON m.iot_id = t.iot_id AND m.module = t.module WHERE t.active AND m.version = b.dest_version",
    ) == []  # fmt: skip


def test_packages_can_be_downloaded(seeded):
    listed = seeded.call("ListOTAFirmware", CurrentPage=1, PageSize=100)["FirmwareInfo"]["SimpleFirmwareInfo"]
    assert len(listed) >= 12
    for item in listed[:3]:
        info = seeded.call("QueryOTAFirmware", FirmwareId=item["FirmwareId"])["FirmwareInfo"]
        assert len(seeded.http_client.get(info["FirmwareUrl"]).content) == info["FirmwareSize"]


def test_seeding_twice_has_no_effect(seeded):
    before = read_rows(seeded, "SELECT count(*), sum(created) FROM devices")
    seeded.emulator.seed(devices=5000)
    assert read_rows(seeded, "SELECT count(*), sum(created) FROM devices") == before


def test_the_fleet_is_repeatable_and_separate_for_each_account(tmp_path):
    keys = {"one": "s1", "two": "s2"}
    contents = []
    for number in range(2):
        app = create_app(tmp_path / f"{number}.sqlite3", keys=keys, clock=ManualClock(START), quotas=False)
        app.seed(devices=300)
        app.seed(devices=300, account="two")
        with app.store.read() as db:
            contents.append(
                [
                    [tuple(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
                    for table in (
                        "devices",
                        "device_modules",
                        "device_tags",
                        "groups",
                        "ota_batches",
                        "ota_packages",
                    )
                ]
            )
            assert db.execute("SELECT count(*) FROM devices WHERE account = 'two'").fetchone()[0] == 300
        app.close()
    assert contents[0] == contents[1]


@pytest.mark.parametrize("count", [1, 7, 40])
def test_small_fleets_have_the_requested_number_of_devices(tmp_path, count):
    app = create_app(tmp_path / "small.sqlite3", keys={"k": "s"}, quotas=False)
    app.seed(devices=count)
    with app.store.read() as db:
        assert db.execute("SELECT count(*) FROM devices").fetchone()[0] == count
    app.close()


def test_the_fleet_changes_over_time(tmp_path):
    clock = ManualClock(START)
    app = create_app(tmp_path / "alive.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False)
    app.seed(devices=1000)
    ota = UpdateSetup.create(app, clock)

    def state() -> tuple:
        return (
            read_rows(ota, "SELECT iot_id, status FROM devices ORDER BY id"),
            dict(read_rows(ota, "SELECT status, count(*) FROM ota_tasks GROUP BY status")),
        )

    devices_before, tasks_before = state()
    ota.run_for(2 * 3600, 60)
    devices_after, tasks_after = state()
    assert sum(a != b for a, b in zip(devices_before, devices_after, strict=True)) > 50
    assert tasks_after["SUCCEEDED"] > tasks_before["SUCCEEDED"] + 50
    app.close()


def test_memory_use_does_not_grow_with_the_fleet():
    owner = devices.Owner("k", "", "abcde")
    meter = next(model for model in MODELS if model.code == "meter")

    def peak(count: int) -> int:
        tracemalloc.start()
        for sample in devices.generate_devices(owner, 2, meter, count, 10, START):
            random.random() if sample.version else None
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(20_000) < peak(2_000) + 100_000
