"""Device shadows: the document, its versions, and invalid updates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.iot_emulator.thing_setup import ThingSetup


@pytest.fixture
def things(api, emulator, clock) -> ThingSetup:
    return ThingSetup(api, emulator, clock)


@pytest.fixture
def key(things) -> str:
    """A product of the basic edition, because shadows need no thing model."""
    return things.api.create_product("Shadowed")


def message(desired: Any, version: Any = 1, **changes: Any) -> dict[str, Any]:
    return {"method": "update", "state": {"desired": desired}, "version": version, **changes}


def update(things: ThingSetup, key: str, body: Any, **params: Any) -> None:
    things.call("UpdateDeviceShadow", ProductKey=key, DeviceName="d1", ShadowMessage=body, **params)


def update_error(things: ThingSetup, key: str, body: Any, **params: Any) -> str:
    code = things.error_code(
        "UpdateDeviceShadow", ProductKey=key, DeviceName="d1", ShadowMessage=body, **params
    )
    return code.removeprefix("iot.messagebroker.")


def shadow(things: ThingSetup, key: str) -> dict[str, Any]:
    response = things.call("GetDeviceShadow", ProductKey=key, DeviceName="d1")
    return json.loads(response["ShadowMessage"])


def test_a_shadow_that_was_never_updated_is_empty(things, key):
    things.register_device(key)
    assert shadow(things, key) == {"method": "update", "state": {}, "version": 0}


def test_desired_values_are_returned_with_version_and_times(things, key, clock):
    things.register_device(key, status="OFFLINE")
    update(things, key, message({"color": "green"}))
    assert shadow(things, key) == {
        "method": "update",
        "state": {"desired": {"color": "green"}},
        "metadata": {"desired": {"color": {"timestamp": clock.now() // 1000}}},
        "timestamp": clock.now() // 1000,
        "version": 1,
    }


def test_an_update_replaces_the_desired_values_unless_it_is_a_delta(things, key):
    things.register_device(key, status="OFFLINE")
    update(things, key, message({"color": "green", "level": 1}))
    update(things, key, message({"level": 2, "mode": {"a": [1]}}, 2), DeltaUpdate=True)
    assert shadow(things, key)["state"]["desired"] == {"color": "green", "level": 2, "mode": {"a": [1]}}
    update(things, key, message({"level": 3}, 7))
    assert shadow(things, key)["state"]["desired"] == {"level": 3}
    assert shadow(things, key)["version"] == 7


@pytest.mark.parametrize("version", [2, 1, 0])
def test_the_version_must_be_higher_than_the_present_one(things, key, version):
    things.register_device(key)
    update(things, key, message({"level": 1}, 2))
    assert update_error(things, key, message({"level": 9}, version)) == "InvalidVersionValueInShadowMessage"
    assert shadow(things, key)["state"]["desired"] == {"level": 1}


def test_a_device_reports_desired_values_when_it_is_online(things, key, clock):
    iot_id = things.register_device(key)
    update(things, key, message({"level": 1}))
    assert "reported" not in shadow(things, key)["state"]
    clock.advance(1)
    assert shadow(things, key)["state"]["reported"] == {"level": 1}
    things.set_status(iot_id, "OFFLINE")
    update(things, key, message({"level": 2}, 2))
    clock.advance(60)
    assert shadow(things, key)["state"] == {"desired": {"level": 2}, "reported": {"level": 1}}
    things.set_status(iot_id, "ONLINE")
    clock.advance(2)
    assert shadow(things, key)["state"]["reported"] == {"level": 2}
    assert shadow(things, key)["version"] == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "ShadowMessageIsNotJson"),
        ("[]", "ShadowMessageIsNotJson"),
        (" ", "NullShadowMessage"),
        ({"state": {"desired": {"a": 1}}, "version": 1}, "NotFoundMethodInShadowMessage"),
        (message({"a": 1}, method="get"), "MethodValueIsNotUpdate"),
        ({"method": "update", "version": 1}, "NotFoundStateInShadowMessage"),
        (message({"a": 1}, state={}), "NotFoundDesireInShadowMessage"),
        (message(None), "DesireValueIsNullInShadowMessage"),
        (message([1]), "DesireInfoInShadowMessageIsNotJson"),
        (message({}), "NoneElementInDesire"),
        (message({"": 1}), "ElementKeyOrValueIsNullInDesire"),
        (message({"a": None}), "ElementKeyOrValueIsNullInDesire"),
        (message({f"p{n}": n for n in range(129)}), "TooManyElementInDesire"),
        (message({"a": 1}, None), "NotFoundVersionOrNullVersionValue"),
        ({"method": "update", "state": {"desired": {"a": 1}}}, "NotFoundVersionOrNullVersionValue"),
        (message({"a": 1}, "one"), "InvalidVersionValueInShadowMessage"),
        (message({"a": "x" * 16_385}), "ShadowMessageLengthIsLarge"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_an_invalid_document_is_refused_with_its_code(things, key, body, code):
    things.register_device(key)
    assert update_error(things, key, body) == code
    assert shadow(things, key)["version"] == 0


def test_a_delta_cannot_exceed_the_limits(things, key):
    things.register_device(key)
    update(things, key, message({f"p{n}": n for n in range(128)}))
    assert update_error(things, key, message({"more": 1}, 2), DeltaUpdate=True) == "TooManyElementInDesire"


def test_the_device_is_required_and_must_exist(things, key):
    for operation, params in (
        ("GetDeviceShadow", {}),
        ("UpdateDeviceShadow", {"ShadowMessage": message({"a": 1})}),
    ):
        assert things.error_code(operation, ProductKey=key, **params) == "MissingDeviceName"
        assert things.error_code(operation, DeviceName="d1", **params) == "MissingProductKey"
        code = things.error_code(operation, ProductKey=key, DeviceName="d1", **params)
        assert code == "iot.device.NotExistedDevice"
        code = things.error_code(operation, ProductKey="a1nowhere", DeviceName="d1", **params)
        assert code == "iot.prod.NotExistedProduct"
    assert things.error_code("UpdateDeviceShadow", ProductKey=key, DeviceName="d1") == "MissingShadowMessage"
