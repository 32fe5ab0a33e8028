"""Files that devices upload: list, download and delete."""

from __future__ import annotations

import httpx
import pytest

from iot_client import catalogue
from iot_emulator import Emulator
from tests.iot_emulator.clients import Api
from tests.iot_emulator.shapes import deviations

WEEK = 7 * 86_400


@pytest.fixture
def meter(api: Api, emulator: Emulator) -> dict[str, str]:
    """The parameters that name a device which was activated just now."""
    key = api.create_product()
    api.register_device(key)
    with emulator.store.write() as db:
        now = emulator.clock.now()
        db.execute(
            "UPDATE devices SET status = 'ONLINE', activated = ?, last_online = ?, due = NULL", (now, now)
        )
    return {"ProductKey": key, "DeviceName": "meter-1"}


def list_files(api: Api, meter: dict[str, str], **page: int) -> list[dict[str, str]]:
    return api.call("QueryDeviceFileList", **meter, **page)["Data"]["FileSummary"]


def test_a_device_uploads_a_file_at_the_start_and_every_week(api: Api, meter: dict[str, str]) -> None:
    assert list_files(api, meter) == []
    api.clock.advance(600)
    (first,) = list_files(api, meter)
    assert first["Name"] == "diagnostics-2026-09-21.log"
    api.clock.advance(2 * WEEK)
    three = list_files(api, meter)
    assert [file["Name"][-14:-4] for file in three] == ["2026-10-05", "2026-09-28", "2026-09-21"]
    assert three[-1] == first
    assert int(three[0]["Size"]) > 0
    api.clock.advance(52 * WEEK)
    response = api.call("QueryDeviceFileList", **meter, PageSize=3, CurrentPage=2)
    assert (response["Total"], response["PageCount"], len(response["Data"]["FileSummary"])) == (10, 4, 3)


def test_a_file_is_downloaded_by_its_signed_url(api: Api, emulator: Emulator, meter: dict[str, str]) -> None:
    api.clock.advance(WEEK)
    (file,) = list_files(api, meter)
    details = api.call("QueryDeviceFile", FileId=file["FileId"], **meter)["Data"]
    assert {name: details[name] for name in file} == file
    with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
        response = client.get(details["DownloadUrl"])
        assert response.status_code == 200
        assert -(-len(response.content) // 1024) == int(file["Size"])
        assert b"keepalive" in response.content
        assert client.get(details["DownloadUrl"].partition("?")[0]).status_code == 403
        api.clock.advance(3601)
        assert client.get(details["DownloadUrl"]).status_code == 403


def test_deleting_a_file_keeps_the_others(api: Api, emulator: Emulator, meter: dict[str, str]) -> None:
    api.clock.advance(2 * WEEK)
    newest, older = list_files(api, meter)
    url = api.call("QueryDeviceFile", FileId=newest["FileId"], **meter)["Data"]["DownloadUrl"]
    api.call("DeleteDeviceFile", FileId=newest["FileId"], **meter)
    assert list_files(api, meter) == [older]
    for name in ("QueryDeviceFile", "DeleteDeviceFile"):
        assert api.error_code(name, FileId=newest["FileId"], **meter) == "iot.common.FileNotExist"
    with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
        assert client.get(url).status_code == 404


def test_missing_and_unknown_values_are_refused(api: Api, other_api: Api, meter: dict[str, str]) -> None:
    for name in ("QueryDeviceFile", "DeleteDeviceFile"):
        assert api.error_code(name, **meter) == "MissingFileId"
        assert api.error_code(name, FileId="x", **meter) == "iot.common.FileNotExist"
        assert api.error_code(name, FileId="x", IotId="nothing") == "iot.device.NotExistedDevice"
        assert other_api.error_code(name, FileId="x", **meter) == "iot.device.NotExistedDevice"
    assert api.error_code("QueryDeviceFileList") == "iot.prod.NullProductKey"
    assert api.error_code("QueryDeviceFileList", **meter, PageSize=201) == "iot.common.InvalidPageParams"


def test_responses_have_the_structure_of_the_reference(api: Api, meter: dict[str, str]) -> None:
    api.clock.advance(WEEK)
    (file,) = list_files(api, meter)
    for name, params in {"QueryDeviceFileList": {}, "QueryDeviceFile": {"FileId": file["FileId"]}}.items():
        known = dict(catalogue.operation(name).response)
        assert deviations(api.call(name, **meter, **params), "", known) == []
