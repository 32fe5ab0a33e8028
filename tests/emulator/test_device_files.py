"""Files that devices upload, listed, downloaded and deleted."""

from __future__ import annotations

import httpx
import pytest

from console.cloud import catalogue
from console.emulator import Emulator
from tests.emulator.conftest import Api
from tests.emulator.test_ota_shapes import deviations

WEEK = 7 * 86_400


@pytest.fixture
def meter(api: Api, emulator: Emulator) -> dict[str, str]:
    """A device that was activated just now, as a request names it."""
    key = api.product()
    api.device(key)
    with emulator.store.write() as db:
        now = emulator.clock.now()
        db.execute(
            "UPDATE devices SET status = 'ONLINE', activated = ?, last_online = ?, due = NULL", (now, now)
        )
    return {"ProductKey": key, "DeviceName": "meter-1"}


def files(api: Api, meter: dict[str, str], **page: int) -> list[dict[str, str]]:
    return api.call("QueryDeviceFileList", **meter, **page)["Data"]["FileSummary"]


def test_one_at_the_start_and_one_a_week_newest_first(api: Api, meter: dict[str, str]) -> None:
    assert files(api, meter) == []
    api.clock.advance(600)
    (first,) = files(api, meter)
    assert first["Name"] == "diagnostics-2026-09-21.log"
    api.clock.advance(2 * WEEK)
    three = files(api, meter)
    assert [file["Name"][-14:-4] for file in three] == ["2026-10-05", "2026-09-28", "2026-09-21"]
    assert three[-1] == first
    assert int(three[0]["Size"]) > 0
    api.clock.advance(52 * WEEK)
    answer = api.call("QueryDeviceFileList", **meter, PageSize=3, CurrentPage=2)
    assert (answer["Total"], answer["PageCount"], len(answer["Data"]["FileSummary"])) == (10, 4, 3)


def test_downloaded_from_a_signed_address(api: Api, emulator: Emulator, meter: dict[str, str]) -> None:
    api.clock.advance(WEEK)
    (listed,) = files(api, meter)
    told = api.call("QueryDeviceFile", FileId=listed["FileId"], **meter)["Data"]
    assert {name: told[name] for name in listed} == listed
    with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
        answer = client.get(told["DownloadUrl"])
        assert answer.status_code == 200
        assert -(-len(answer.content) // 1024) == int(listed["Size"])
        assert b"keepalive" in answer.content
        assert client.get(told["DownloadUrl"].partition("?")[0]).status_code == 403
        api.clock.advance(3601)
        assert client.get(told["DownloadUrl"]).status_code == 403


def test_deleted_it_is_gone_and_the_others_are_not(
    api: Api, emulator: Emulator, meter: dict[str, str]
) -> None:
    api.clock.advance(2 * WEEK)
    newest, older = files(api, meter)
    url = api.call("QueryDeviceFile", FileId=newest["FileId"], **meter)["Data"]["DownloadUrl"]
    api.call("DeleteDeviceFile", FileId=newest["FileId"], **meter)
    assert files(api, meter) == [older]
    for name in ("QueryDeviceFile", "DeleteDeviceFile"):
        assert api.refused(name, FileId=newest["FileId"], **meter) == "iot.common.FileNotExist"
    with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
        assert client.get(url).status_code == 404


def test_refused(api: Api, other: Api, meter: dict[str, str]) -> None:
    for name in ("QueryDeviceFile", "DeleteDeviceFile"):
        assert api.refused(name, **meter) == "MissingFileId"
        assert api.refused(name, FileId="x", **meter) == "iot.common.FileNotExist"
        assert api.refused(name, FileId="x", IotId="nothing") == "iot.device.NotExistedDevice"
        assert other.refused(name, FileId="x", **meter) == "iot.device.NotExistedDevice"
    assert api.refused("QueryDeviceFileList") == "iot.prod.NullProductKey"
    assert api.refused("QueryDeviceFileList", **meter, PageSize=201) == "iot.common.InvalidPageParams"


def test_answers_have_the_shape_of_the_reference(api: Api, meter: dict[str, str]) -> None:
    api.clock.advance(WEEK)
    (listed,) = files(api, meter)
    for name, params in {"QueryDeviceFileList": {}, "QueryDeviceFile": {"FileId": listed["FileId"]}}.items():
        known = dict(catalogue.operation(name).response)
        assert deviations(api.call(name, **meter, **params), "", known) == []
