"""Tags of devices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .clients import Api


@pytest.fixture
def meters(api: Api) -> str:
    """A product with three devices."""
    key = api.create_product("Meters")
    api.register_devices(key, "dev-1", "dev-2", "dev-3")
    return key


def save_tags(api: Api, key: str, name: str, props: Any) -> None:
    api.call("SaveDeviceProp", ProductKey=key, DeviceName=name, Props=props)


def query_tags(api: Api, key: str, name: str) -> dict[str, str]:
    return json.loads(api.call("QueryDeviceProp", ProductKey=key, DeviceName=name)["Props"])


def test_tags_are_saved_changed_and_deleted(api: Api, meters: str) -> None:
    assert query_tags(api, meters, "dev-1") == {}
    save_tags(api, meters, "dev-1", {"city": "Ulm", "floor": "3", "名": "值"})
    save_tags(api, meters, "dev-1", {"city": "Bonn"})
    assert query_tags(api, meters, "dev-1") == {"city": "Bonn", "floor": "3", "名": "值"}
    api.call("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1", PropKey="city")
    api.call("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1", PropKey="nothing")
    assert query_tags(api, meters, "dev-1") == {"floor": "3", "名": "值"}


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
def test_invalid_tags_change_nothing(api: Api, meters: str, props: str | None, code: str) -> None:
    assert api.error_code("SaveDeviceProp", ProductKey=meters, DeviceName="dev-1", Props=props) == code
    assert query_tags(api, meters, "dev-1") == {}


def test_a_device_has_at_most_a_hundred_tags(api: Api, meters: str) -> None:
    save_tags(api, meters, "dev-1", {f"k{n}": "v" for n in range(100)})
    save_tags(api, meters, "dev-1", {"k7": "w"})
    code = api.error_code("SaveDeviceProp", ProductKey=meters, DeviceName="dev-1", Props={"more": "v"})
    assert code == "iot.device.SaveOrUpdateDevicePropertiesFailed"
    assert len(query_tags(api, meters, "dev-1")) == 100


def test_deletion_needs_a_key(api: Api, meters: str) -> None:
    assert api.error_code("DeleteDeviceProp", ProductKey=meters, DeviceName="dev-1") == "MissingPropKey"


class TestQueryByTags:
    @staticmethod
    def find(api: Api, page: dict[str, int] | None = None, **tags: str) -> dict[str, Any]:
        tag = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
        return api.call("QueryDeviceByTags", Tag=tag, **(page or {}))

    def names(self, api: Api, **tags: str) -> list[str]:
        return [device["DeviceName"] for device in self.find(api, **tags)["Data"]["SimpleDeviceInfo"]]

    def test_devices_with_all_of_the_tags_are_newest_first(
        self, api: Api, meters: str, other_api: Api
    ) -> None:
        save_tags(api, meters, "dev-1", {"city": "Ulm", "kind": "gas"})
        save_tags(api, meters, "dev-2", {"city": "Ulm", "kind": "water"})
        save_tags(api, meters, "dev-3", {"city": "Bonn"})
        assert self.names(api, city="Ulm") == ["dev-2", "dev-1"]
        assert self.names(api, city="Ulm", kind="gas") == ["dev-1"]
        assert self.names(api, city="Rome") == []
        assert self.names(other_api, city="Ulm") == []

    def test_the_list_has_pages(self, api: Api, meters: str) -> None:
        for name in ("dev-1", "dev-2", "dev-3"):
            save_tags(api, meters, name, {"city": "Ulm"})
        response = self.find(api, {"CurrentPage": 2, "PageSize": 2}, city="Ulm")
        assert (response["Total"], response["PageCount"], response["Page"]) == (3, 2, 2)
        (device,) = response["Data"]["SimpleDeviceInfo"]
        assert (device["DeviceName"], device["ProductName"], device["ProductKey"]) == (
            "dev-1",
            "Meters",
            meters,
        )

    def test_invalid_calls_are_refused(self, api: Api, meters: str) -> None:
        assert api.error_code("QueryDeviceByTags").startswith("MissingTag")
        eleven = [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(11)]
        assert api.error_code("QueryDeviceByTags", Tag=eleven) == "iot.common.InvalidFormattedParameter"
        one = [{"TagKey": "k", "TagValue": "v"}]
        assert api.error_code("QueryDeviceByTags", Tag=one, PageSize=51) == "iot.common.InvalidPageParams"
