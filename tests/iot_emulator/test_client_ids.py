"""ClientIDs of devices."""

from __future__ import annotations

import pytest

from iot_client import catalogue
from iot_emulator import Emulator
from tests.iot_emulator.clients import Api
from tests.iot_emulator.shapes import deviations

OPERATIONS = {"QueryClientIds": {}, "TransformClientId": {"ClientId": "x"}, "DeleteClientIds": {}}


@pytest.fixture
def fleet(api: Api, emulator: Emulator) -> list[str]:
    """The IotIds of sixty devices that have been online for a day."""
    key = api.create_product()
    api.register_devices(key, *(f"meter-{n}" for n in range(60)))
    with emulator.store.write() as db:
        now = emulator.clock.now()
        db.execute(
            "UPDATE devices SET status = 'ONLINE', activated = ?, last_online = ?, due = NULL", (now, now)
        )
        ids = [row[0] for row in db.execute("SELECT iot_id FROM devices ORDER BY id")]
    api.clock.advance(86_400)
    return ids


def query_client_ids(api: Api, iot_id: str) -> list[str]:
    data = api.call("QueryClientIds", IotId=iot_id)["Data"]
    assert data["IotId"] == iot_id
    times = [item["CreateTime"] for item in data["DynamicRegClientIds"]]
    assert times == sorted(times)
    return [item["ClientId"] for item in data["DynamicRegClientIds"]]


def test_each_device_has_a_client_id_and_some_have_several(api: Api, fleet: list[str]) -> None:
    ids_by_device = {iot_id: query_client_ids(api, iot_id) for iot_id in fleet}
    counts = {len(ids) for ids in ids_by_device.values()}
    assert min(counts) == 1
    assert max(counts) > 1
    every = [client_id for ids in ids_by_device.values() for client_id in ids]
    assert len(set(every)) == len(every)
    assert query_client_ids(api, fleet[0]) == ids_by_device[fleet[0]]


def test_transforming_keeps_only_one_client_id(api: Api, fleet: list[str]) -> None:
    iot_id = next(iot_id for iot_id in fleet if len(query_client_ids(api, iot_id)) > 1)
    client_id = query_client_ids(api, iot_id)[-1]
    for _ in range(2):
        api.call("TransformClientId", IotId=iot_id, ClientId=client_id)
    assert query_client_ids(api, iot_id) == [client_id]


def test_after_deletion_a_device_gets_a_new_client_id_when_it_connects(
    api: Api, emulator: Emulator, fleet: list[str]
) -> None:
    before = query_client_ids(api, fleet[0])
    api.call("DeleteClientIds", IotId=fleet[0])
    assert query_client_ids(api, fleet[0]) == []
    api.clock.advance(60)
    with emulator.store.write() as db:
        db.execute("UPDATE devices SET last_online = ?", (emulator.clock.now(),))
    (new,) = query_client_ids(api, fleet[0])
    assert new not in before
    assert query_client_ids(api, fleet[0]) == [new]


def test_a_device_that_was_never_online_has_no_query_client_ids(api: Api) -> None:
    assert query_client_ids(api, api.register_device(api.create_product())["IotId"]) == []


def test_missing_and_unknown_values_are_refused(api: Api, other_api: Api, fleet: list[str]) -> None:
    for name, params in OPERATIONS.items():
        assert api.error_code(name, **params) == "MissingIotId"
        assert api.error_code(name, IotId="nothing", **params) == "iot.device.NotExistedDevice"
        assert other_api.error_code(name, IotId=fleet[0], **params) == "iot.device.NotExistedDevice"
    assert api.error_code("TransformClientId", IotId=fleet[0]) == "MissingClientId"
    code = api.error_code("TransformClientId", IotId=fleet[0], ClientId="nothing")
    assert code == "iot.common.InvalidFormattedParameter"


def test_responses_have_the_structure_of_the_reference(api: Api, fleet: list[str]) -> None:
    known = dict(catalogue.operation("QueryClientIds").response)
    assert deviations(api.call("QueryClientIds", IotId=fleet[0]), "", known) == []
