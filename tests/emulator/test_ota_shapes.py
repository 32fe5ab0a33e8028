"""Answers of the OTA operations have the reference's shape: its fields, its wrapping of lists, its types."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.cloud import catalogue
from console.cloud.client import Client, Credentials
from tests.emulator.conftest import KEY_ID, KEY_SECRET
from tests.emulator.ota_world import World

TYPES = {"String": str, "Integer": int, "Long": int, "Boolean": bool, "Struct": dict}


@pytest.fixture
def world(emulator, clock) -> World:
    emulator.seed(devices=300)
    return World.of(emulator, clock)


def deviations(value: Any, path: str, known: dict[str, str]) -> list[str]:
    """Paths of an answer that the reference has not, or has with another type."""
    if isinstance(value, dict):
        found = []
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            if isinstance(item, list):
                below += "[]"
            if below not in known:
                found.append(below)
            found += deviations(item, below, known)
        return found
    if isinstance(value, list):
        return [deviation for item in value for deviation in deviations(item, path, known)]
    wanted = TYPES.get(known.get(path, ""))
    return (
        []
        if value is None or wanted is None or isinstance(value, wanted)
        else [f"{path}: {type(value).__name__}"]
    )


def one(world: World, sql: str) -> tuple:
    with world.emulator.store.read() as db:
        return tuple(db.execute(sql).fetchone())


def test_answers_have_the_shape_of_the_reference(world):
    package, product, job, device, iot_id = one(
        world,
        "SELECT j.package_id, j.product_key, j.job_id, t.name, t.iot_id FROM ota_jobs j JOIN ota_tasks t ON t.job = j.id"
        " WHERE t.status = 'CONFIRM'",
    )
    page = {"CurrentPage": 1, "PageSize": 10}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("GenerateOTAUploadURL", {}),
        ("GenerateDeviceNameListURL", {}),
        ("ListOTAModuleByProduct", {"ProductKey": product}),
        ("ListOTAFirmware", page),
        ("QueryOTAFirmware", {"FirmwareId": package}),
        ("ListOTAJobByFirmware", {"FirmwareId": package, **page}),
        ("ListOTAJobByDevice", {"FirmwareId": package, "ProductKey": product, "DeviceName": device, **page}),
        ("QueryOTAJob", {"JobId": job}),
        ("ListOTATaskByJob", {"JobId": job, **page}),
        ("ListOTAUnfinishedTaskByDevice", {"IotId": iot_id, "TaskStatus": "CONFIRM"}),
    ]
    for (every_job,) in [one(world, f"SELECT job_id FROM ota_jobs WHERE id = {n}") for n in range(1, 10)]:
        calls.append(("QueryOTAJob", {"JobId": every_job}))
    for name, params in calls:
        answer = world.call(name, **params)
        known = dict(catalogue.operation(name).response)
        assert deviations(answer, "", known) == [], name
        for path in known:
            if path.endswith("[]") and path.count("[]") == 1 and "MultiFiles" not in path:
                value: Any = answer
                for part in path.removesuffix("[]").split("."):
                    value = value[part]
                assert isinstance(value, list), (name, path)
                assert value or "SrcVersions" in path or "Tags" in path, (name, path)


def test_lists_stay_lists_in_xml_with_one_entry(world):
    transport = httpx.WSGITransport(app=world.emulator)
    client = Client(
        Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport, format="XML"
    )
    (job,) = one(world, "SELECT job_id FROM ota_jobs WHERE verify AND status = 'IN_PROGRESS'")
    answer = client.call("ListOTATaskByJob", JobId=job, PageSize=1)
    assert len(answer["Data"]["SimpleOTATaskInfo"]) == 1
