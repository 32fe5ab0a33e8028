"""Responses of the OTA operations match the reference: fields, wrapping of lists, types."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from iot_client import catalogue
from iot_client.client import Client, Credentials
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET
from tests.iot_emulator.shapes import deviations
from tests.iot_emulator.update_setup import UpdateSetup


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    emulator.seed(devices=300)
    return UpdateSetup.create(emulator, clock)


def read_row(ota: UpdateSetup, sql: str) -> tuple:
    with ota.emulator.store.read() as db:
        return tuple(db.execute(sql).fetchone())


def test_responses_have_the_fields_and_types_of_the_reference(ota):
    package, product, batch, device, iot_id = read_row(
        ota,
        "SELECT b.package_id, b.product_key, b.batch_id, t.name, t.iot_id FROM ota_batches b JOIN ota_tasks t ON t.batch = b.id"
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
        ("QueryOTAJob", {"JobId": batch}),
        ("ListOTATaskByJob", {"JobId": batch, **page}),
        ("ListOTAUnfinishedTaskByDevice", {"IotId": iot_id, "TaskStatus": "CONFIRM"}),
    ]
    for (other_batch,) in [
        read_row(ota, f"SELECT batch_id FROM ota_batches WHERE id = {n}") for n in range(1, 10)
    ]:
        calls.append(("QueryOTAJob", {"JobId": other_batch}))
    for name, params in calls:
        response = ota.call(name, **params)
        known = dict(catalogue.operation(name).response)
        assert deviations(response, "", known) == [], name
        for path in known:
            if path.endswith("[]") and path.count("[]") == 1 and "MultiFiles" not in path:
                value: Any = response
                for part in path.removesuffix("[]").split("."):
                    value = value[part]
                assert isinstance(value, list), (name, path)
                assert value or "SrcVersions" in path or "Tags" in path, (name, path)


def test_xml_lists_with_one_entry_are_read_as_lists(ota):
    transport = httpx.WSGITransport(app=ota.emulator)
    client = Client(
        Credentials(KEY_ID, KEY_SECRET), endpoint="http://emulator.test", transport=transport, format="XML"
    )
    (batch,) = read_row(ota, "SELECT batch_id FROM ota_batches WHERE verify AND status = 'IN_PROGRESS'")
    response = client.call("ListOTATaskByJob", JobId=batch, PageSize=1)
    assert len(response["Data"]["SimpleOTATaskInfo"]) == 1
