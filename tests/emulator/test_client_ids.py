"""ClientIDs of devices."""

from __future__ import annotations

import pytest

from console.cloud import catalogue
from console.emulator import Emulator
from tests.emulator.conftest import Api
from tests.emulator.test_ota_shapes import deviations

OPERATIONS = {"QueryClientIds": {}, "TransformClientId": {"ClientId": "x"}, "DeleteClientIds": {}}


@pytest.fixture
def fleet(api: Api, emulator: Emulator) -> list[str]:
    """The ids of sixty devices that have been online for some time."""
    key = api.product()
    api.devices(key, *(f"meter-{n}" for n in range(60)))
    with emulator.store.write() as db:
        now = emulator.clock.now()
        db.execute(
            "UPDATE devices SET status = 'ONLINE', activated = ?, last_online = ?, due = NULL", (now, now)
        )
        ids = [row[0] for row in db.execute("SELECT iot_id FROM devices ORDER BY id")]
    api.clock.advance(86_400)
    return ids


def client_ids(api: Api, iot_id: str) -> list[str]:
    data = api.call("QueryClientIds", IotId=iot_id)["Data"]
    assert data["IotId"] == iot_id
    times = [item["CreateTime"] for item in data["DynamicRegClientIds"]]
    assert times == sorted(times)
    return [item["ClientId"] for item in data["DynamicRegClientIds"]]


def test_each_device_has_one_and_some_have_more(api: Api, fleet: list[str]) -> None:
    found = {iot_id: client_ids(api, iot_id) for iot_id in fleet}
    counts = {len(ids) for ids in found.values()}
    assert min(counts) == 1
    assert max(counts) > 1
    every = [client_id for ids in found.values() for client_id in ids]
    assert len(set(every)) == len(every)
    assert client_ids(api, fleet[0]) == found[fleet[0]]


def test_one_is_made_the_only_one(api: Api, fleet: list[str]) -> None:
    iot_id = next(iot_id for iot_id in fleet if len(client_ids(api, iot_id)) > 1)
    wanted = client_ids(api, iot_id)[-1]
    for _ in range(2):
        api.call("TransformClientId", IotId=iot_id, ClientId=wanted)
    assert client_ids(api, iot_id) == [wanted]


def test_deleted_a_new_one_comes_when_the_device_next_connects(
    api: Api, emulator: Emulator, fleet: list[str]
) -> None:
    before = client_ids(api, fleet[0])
    api.call("DeleteClientIds", IotId=fleet[0])
    assert client_ids(api, fleet[0]) == []
    api.clock.advance(60)
    with emulator.store.write() as db:
        db.execute("UPDATE devices SET last_online = ?", (emulator.clock.now(),))
    (new,) = client_ids(api, fleet[0])
    assert new not in before
    assert client_ids(api, fleet[0]) == [new]


def test_a_device_that_was_never_online_has_none(api: Api) -> None:
    assert client_ids(api, api.device(api.product())["IotId"]) == []


def test_refused(api: Api, other: Api, fleet: list[str]) -> None:
    for name, params in OPERATIONS.items():
        assert api.refused(name, **params) == "MissingIotId"
        assert api.refused(name, IotId="nothing", **params) == "iot.device.NotExistedDevice"
        assert other.refused(name, IotId=fleet[0], **params) == "iot.device.NotExistedDevice"
    assert api.refused("TransformClientId", IotId=fleet[0]) == "MissingClientId"
    code = api.refused("TransformClientId", IotId=fleet[0], ClientId="nothing")
    assert code == "iot.common.InvalidFormattedParameter"


def test_answers_have_the_shape_of_the_reference(api: Api, fleet: list[str]) -> None:
    known = dict(catalogue.operation("QueryClientIds").response)
    assert deviations(api.call("QueryClientIds", IotId=fleet[0]), "", known) == []
