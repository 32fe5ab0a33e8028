"""Tags of devices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Api


@pytest.fixture
def meters(api: Api) -> str:
    """A product with three devices."""
    key = api.product("Meters")
    api.devices(key, "dev-1", "dev-2", "dev-3")
    return key


def save(api: Api, key: str, name: str, props: Any) -> None:
    api.call("SaveDeviceProp", ProductKey=key, DeviceName=name, Props=props)


def tags(api: Api, key: str, name: str) -> dict[str, str]:
    return json.loads(api.call("QueryDeviceProp", ProductKey=key, DeviceName=name)["Props"])


def test_saved_changed_and_deleted_one_by_one(api: Api, meters: str) -> None:
    assert tags(api, meters, "dev-1") == {}
    save(api, meters, "dev-1", {"city": "Ulm", "floor": "3", "名": "值"})
    save(api, meters, "dev-1", {"city": "Bonn"})
    assert tags(api, meters, "dev-1") == {"city": "Bonn", "floor": "3", "名": "值"}
    api.call("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1", PropKey="city")
    api.call("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1", PropKey="nothing")
    assert tags(api, meters, "dev-1") == {"floor": "3", "名": "值"}


@pytest.mark.parametrize(
    ("props", "code"),
    [
        ("not json", "iot.device.InvalidFormattedDevicePropertiesString"),
        ('["city"]', "iot.device.InvalidFormattedDevicePropertiesString"),
        ('{"city": {"name": "Ulm"}}', "iot.device.InvalidFormattedDevicePropertiesString"),
        ('{"": "Ulm"}', "iot.device.NullDevicePropertyKey"),
        ("{}", "iot.device.NullDevicePropertiesString"),
        (json.dumps({f"k{n}": "v" for n in range(101)}), "iot.device.TooManyDevicePropertiesPerTime"),
        (json.dumps({"city": "x" * 5200}), "iot.device.LongDevicePropertiesString"),
        (None, "MissingProps"),
    ],
)
def test_bad_tags_change_nothing(api: Api, meters: str, props: str | None, code: str) -> None:
    assert api.refused("SaveDeviceProp", ProductKey=meters, DeviceName="dev-1", Props=props) == code
    assert tags(api, meters, "dev-1") == {}


def test_a_device_has_a_hundred_at_most(api: Api, meters: str) -> None:
    save(api, meters, "dev-1", {f"k{n}": "v" for n in range(100)})
    save(api, meters, "dev-1", {"k7": "w"})
    code = api.refused("SaveDeviceProp", ProductKey=meters, DeviceName="dev-1", Props={"more": "v"})
    assert code == "iot.device.SaveOrUpdateDevicePropertiesFailed"
    assert len(tags(api, meters, "dev-1")) == 100


def test_deleting_needs_a_key(api: Api, meters: str) -> None:
    assert api.refused("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1") == "MissingPropKey"


class TestByTags:
    @staticmethod
    def find(api: Api, page: dict[str, int] | None = None, **wanted: str) -> dict[str, Any]:
        tag = [{"TagKey": key, "TagValue": value} for key, value in wanted.items()]
        return api.call("QueryDeviceByTags", Tag=tag, **(page or {}))

    def names(self, api: Api, **wanted: str) -> list[str]:
        return [device["DeviceName"] for device in self.find(api, **wanted)["Data"]["SimpleDeviceInfo"]]

    def test_devices_that_have_all_of_them_newest_first(self, api: Api, meters: str, other: Api) -> None:
        save(api, meters, "dev-1", {"city": "Ulm", "kind": "gas"})
        save(api, meters, "dev-2", {"city": "Ulm", "kind": "water"})
        save(api, meters, "dev-3", {"city": "Bonn"})
        assert self.names(api, city="Ulm") == ["dev-2", "dev-1"]
        assert self.names(api, city="Ulm", kind="gas") == ["dev-1"]
        assert self.names(api, city="Rome") == []
        assert self.names(other, city="Ulm") == []

    def test_by_pages(self, api: Api, meters: str) -> None:
        for name in ("dev-1", "dev-2", "dev-3"):
            save(api, meters, name, {"city": "Ulm"})
        answer = self.find(api, {"CurrentPage": 2, "PageSize": 2}, city="Ulm")
        assert (answer["Total"], answer["PageCount"], answer["Page"]) == (3, 2, 2)
        (device,) = answer["Data"]["SimpleDeviceInfo"]
        assert (device["DeviceName"], device["ProductName"], device["ProductKey"]) == (
            "dev-1",
            "Meters",
            meters,
        )

    def test_refused(self, api: Api, meters: str) -> None:
        assert api.refused("QueryDeviceByTags").startswith("MissingTag")
        eleven = [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(11)]
        assert api.refused("QueryDeviceByTags", Tag=eleven) == "iot.common.InvalidFormattedParameter"
        one = [{"TagKey": "k", "TagValue": "v"}]
        assert api.refused("QueryDeviceByTags", Tag=one, PageSize=51) == "iot.common.InvalidPageParams"
