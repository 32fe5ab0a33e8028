"""Device groups: a tree of three levels with devices and tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.emulator import Emulator
from console.emulator.groups import MAX_DEVICES

from .conftest import KEY_ID, Api


@pytest.fixture
def meters(api: Api) -> str:
    """A product with three devices."""
    key = api.product("Meters")
    api.devices(key, "dev-1", "dev-2", "dev-3")
    return key


def named(product_key: str, *names: str) -> list[dict[str, str]]:
    return [{"ProductKey": product_key, "DeviceName": name} for name in names]


def members(api: Api, group_id: str) -> list[str]:
    listed = api.call("QueryDeviceListByDeviceGroup", GroupId=group_id, PageSize=50)
    return [device["DeviceName"] for device in listed["Data"]["SimpleDeviceInfo"]]


class TestTree:
    def test_a_group_is_found_with_what_was_given(self, api: Api) -> None:
        made = api.call("CreateDeviceGroup", GroupName="plant_1", GroupDesc="The first")["Data"]
        info = api.call("QueryDeviceGroupInfo", GroupId=made["GroupId"])["Data"]
        assert (info["GroupName"], info["GroupDesc"]) == ("plant_1", "The first")
        assert info["UtcCreate"] == made["UtcCreate"] == "2026-09-21T14:13:20.000Z"
        assert (info["DeviceCount"], info["DeviceActive"], info["DeviceOnline"]) == (0, 0, 0)

    def test_three_levels_and_no_fourth(self, api: Api) -> None:
        parent = ""
        for level in range(3):
            parent = api.group(f"level_{level}", SuperGroupId=parent or None)
        fourth = api.refused("CreateDeviceGroup", GroupName="level_3", SuperGroupId=parent)
        assert fourth == "iot.group.GroupLevelExceedingLimitError"

    def test_lists_of_the_top_and_of_what_is_below(self, api: Api) -> None:
        top = api.group("plant")
        below = [api.group(f"hall_{n}", SuperGroupId=top) for n in range(3)]
        api.group("scoped_fleet")

        def listed(**params: Any) -> list[str]:
            return [g["GroupName"] for g in api.call("QueryDeviceGroupList", **params)["Data"]["GroupInfo"]]

        assert listed() == ["scoped_fleet", "plant"]
        assert listed(SuperGroupId=top) == ["hall_2", "hall_1", "hall_0"]
        assert listed(SuperGroupId=below[0]) == []
        assert listed(GroupName="HALL") == ["hall_2", "hall_1", "hall_0"]
        assert listed(GroupTypes=["LINK_PLATFORM_DYNAMIC"]) == []
        page = api.call("QueryDeviceGroupList", SuperGroupId=top, CurrentPage=2, PageSize=2)
        assert (page["Total"], page["PageCount"], page["CurrentPage"]) == (3, 2, 2)
        assert [g["GroupName"] for g in page["Data"]["GroupInfo"]] == ["hall_0"]

    def test_the_group_above(self, api: Api) -> None:
        top = api.group("plant", GroupDesc="All of it")
        below = api.group("hall", SuperGroupId=top)
        above = api.call("QuerySuperDeviceGroup", GroupId=below)["Data"]["GroupInfo"]
        assert above == [{"GroupId": top, "GroupName": "plant", "GroupDesc": "All of it"}]
        assert api.call("QuerySuperDeviceGroup", GroupId=top)["Data"]["GroupInfo"] == []

    def test_a_name_serves_one_group(self, api: Api) -> None:
        api.group("plant")
        assert api.refused("CreateDeviceGroup", GroupName="plant") == "iot.group.GroupNameExisted"

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"GroupName": "abc"}, "iot.group.InvalidGroupName"),
            ({"GroupName": "with space"}, "iot.group.InvalidGroupName"),
            ({"GroupName": "plant", "GroupDesc": "x" * 101}, "iot.group.LongGroupDescError"),
            ({"GroupName": "plant", "SuperGroupId": "none"}, "iot.group.NotExistedGroup"),
            ({}, "MissingGroupName"),
        ],
    )
    def test_refused(self, api: Api, params: dict[str, str], code: str) -> None:
        assert api.refused("CreateDeviceGroup", **params) == code

    def test_a_hundred_subgroups_and_no_more(self, api: Api) -> None:
        top = api.group("plant")
        for n in range(100):
            api.group(f"hall_{n}", SuperGroupId=top)
        full = api.refused("CreateDeviceGroup", GroupName="hall_100", SuperGroupId=top)
        assert full == "iot.group.GroupCountExceedMax"

    def test_the_description_changes(self, api: Api) -> None:
        group = api.group("plant", GroupDesc="old")
        api.call("UpdateDeviceGroup", GroupId=group, GroupDesc="new")
        assert api.call("QueryDeviceGroupInfo", GroupId=group)["Data"]["GroupDesc"] == "new"
        assert (
            api.refused("UpdateDeviceGroup", GroupId=group, GroupDesc="x" * 101)
            == "iot.group.LongGroupDescError"
        )

    def test_deleting_from_the_bottom_up(self, api: Api) -> None:
        top = api.group("plant")
        below = api.group("hall", SuperGroupId=top)
        assert api.refused("DeleteDeviceGroup", GroupId=top) == "iot.group.SubGroupNotNull"
        api.call("DeleteDeviceGroup", GroupId=below)
        api.call("DeleteDeviceGroup", GroupId=top)
        assert api.call("QueryDeviceGroupList")["Total"] == 0

    def test_a_deleted_group_leaves_its_devices(self, api: Api, meters: str) -> None:
        group = api.group()
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1"))
        api.call("DeleteDeviceGroup", GroupId=group)
        assert api.call("QueryDevice", ProductKey=meters)["Total"] == 3
        groups = api.call("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="dev-1")
        assert groups["GroupInfos"]["GroupInfo"] == []


class TestDevices:
    def test_added_counted_listed_and_removed(self, api: Api, meters: str) -> None:
        group = api.group()
        added = api.call(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1", "dev-2", "nobody")
        )
        counts = (
            "ValidDeviceCount",
            "SuccessAddedDeviceCount",
            "AlreadyRelatedGroupDeviceCount",
            "ExceedTenGroupDeviceCount",
        )
        assert [added[name] for name in counts] == [2, 2, 0, 0]
        again = api.call(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-2", "dev-3")
        )
        assert [again[name] for name in counts] == [2, 1, 1, 0]
        assert members(api, group) == ["dev-3", "dev-2", "dev-1"]
        removed = api.call(
            "BatchDeleteDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1", "nobody")
        )
        assert (removed["ValidDeviceCount"], removed["SuccessDeviceCount"]) == (1, 1)
        assert members(api, group) == ["dev-3", "dev-2"]

    def test_a_device_listed_tells_its_product(self, api: Api, meters: str) -> None:
        group = api.group()
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1", "dev-2"))
        page = api.call("QueryDeviceListByDeviceGroup", GroupId=group, CurrentPage=2, PageSize=1)
        (device,) = page["Data"]["SimpleDeviceInfo"]
        assert (device["ProductKey"], device["ProductName"], device["DeviceName"]) == (
            meters,
            "Meters",
            "dev-1",
        )
        assert (page["Total"], page["PageCount"], page["Page"]) == (2, 2, 2)

    def test_a_device_is_in_ten_groups_at_most(self, api: Api, meters: str) -> None:
        groups = [api.group(f"group_{n}") for n in range(11)]
        answers = [
            api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1"))
            for group in groups
        ]
        assert [a["SuccessAddedDeviceCount"] for a in answers] == [1] * 10 + [0]
        assert answers[-1]["ExceedTenGroupDeviceCount"] == 1
        found = api.call("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="dev-1")["GroupInfos"][
            "GroupInfo"
        ]
        assert [group["GroupName"] for group in found] == [f"group_{n}" for n in range(9, -1, -1)]

    def test_a_call_names_two_hundred_at_most(self, api: Api, meters: str) -> None:
        group = api.group()
        many = named(meters, *(f"dev-{n}" for n in range(201)))
        for operation in ("BatchAddDeviceGroupRelations", "BatchDeleteDeviceGroupRelations"):
            code = api.refused(operation, GroupId=group, Device=many)
            assert code == "iot.common.InvalidFormattedParameter"

    def test_a_group_holds_twenty_thousand_at_most(self, api: Api, emulator: Emulator, meters: str) -> None:
        group = api.group()
        with emulator.store.write() as db:
            db.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO devices (iot_id, account, instance, product_key, name, secret, created, modified,"
                " status_since) SELECT 'id' || i, ?, '', ?, 'n' || i, '', 0, 0, 0 FROM n",
                (MAX_DEVICES, KEY_ID, meters),
            )
            db.execute(
                "INSERT INTO group_devices SELECT ?, iot_id FROM devices WHERE name LIKE 'n%'", (group,)
            )
        full = api.refused("BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1"))
        assert full == "iot.group.BindGroupRelationFailed"

    def test_devices_of_others_are_not_added(self, api: Api, other: Api, meters: str) -> None:
        group = other.group()
        added = other.call("BatchAddDeviceGroupRelations", GroupId=group, Device=named(meters, "dev-1"))
        assert (added["ValidDeviceCount"], added["SuccessAddedDeviceCount"]) == (0, 0)

    def test_the_groups_of_a_device_that_does_not_exist(self, api: Api, meters: str) -> None:
        code = api.refused("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="nobody")
        assert code == "iot.device.NotExistedDevice"
        assert api.refused("QueryDeviceGroupByDevice", ProductKey=meters) == "MissingDeviceName"


class TestTags:
    @staticmethod
    def set(api: Api, group: str, **tags: str) -> None:
        text = json.dumps([{"tagKey": key, "tagValue": value} for key, value in tags.items()])
        api.call("SetDeviceGroupTags", GroupId=group, TagString=text)

    @staticmethod
    def of(api: Api, group: str) -> dict[str, str]:
        listed = api.call("QueryDeviceGroupTagList", GroupId=group)["Data"]["GroupTagInfo"]
        return {tag["TagKey"]: tag["TagValue"] for tag in listed}

    def test_what_is_set_replaces_what_was(self, api: Api) -> None:
        group = api.group()
        self.set(api, group, city="Ulm", site="east")
        self.set(api, group, city="Bonn")
        assert self.of(api, group) == {"city": "Bonn"}
        api.call("SetDeviceGroupTags", GroupId=group)
        assert self.of(api, group) == {}

    @pytest.mark.parametrize(
        "text",
        [
            "not json",
            "7",
            '["city"]',
            '[{"tagKey": "c", "tagValue": "v"}]',
            '[{"tagKey": "city"}]',
            '[{"tagKey": "city", "tagValue": "a b"}]',
        ],
    )
    def test_bad_tags(self, api: Api, text: str) -> None:
        code = api.refused("SetDeviceGroupTags", GroupId=api.group(), TagString=text)
        assert code == "iot.group.InvalidFormattedTagString"

    def test_a_hundred_at_most(self, api: Api) -> None:
        group = api.group()
        self.set(api, group, **{f"key{n}": "v" for n in range(100)})
        text = json.dumps([{"tagKey": f"key{n}", "tagValue": "v"} for n in range(101)])
        assert (
            api.refused("SetDeviceGroupTags", GroupId=group, TagString=text) == "iot.group.TagCountExceedMax"
        )
        assert len(self.of(api, group)) == 100

    def test_groups_by_all_of_the_tags(self, api: Api) -> None:
        first, second = api.group("plant_1"), api.group("plant_2")
        self.set(api, first, city="Ulm", site="east")
        self.set(api, second, city="Ulm", site="west")

        def found(**tags: str) -> list[str]:
            wanted = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
            return [
                g["GroupId"] for g in api.call("QueryDeviceGroupByTags", Tag=wanted)["Data"]["DeviceGroup"]
            ]

        assert found(city="Ulm") == [second, first]
        assert found(city="Ulm", site="east") == [first]
        assert found(city="Bonn") == []
        assert api.refused("QueryDeviceGroupByTags").startswith("MissingTag")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("UpdateDeviceGroup", {}),
        ("DeleteDeviceGroup", {}),
        ("QueryDeviceGroupInfo", {}),
        ("QueryDeviceGroupInfo", {"GroupType": "LINK_PLATFORM_DYNAMIC"}),
        ("QuerySuperDeviceGroup", {}),
        ("QueryDeviceListByDeviceGroup", {}),
        ("SetDeviceGroupTags", {}),
        ("QueryDeviceGroupTagList", {}),
        ("BatchAddDeviceGroupRelations", {"Device": named("x", "y")}),
        ("BatchDeleteDeviceGroupRelations", {"Device": named("x", "y")}),
    ],
)
def test_a_group_that_does_not_exist(api: Api, operation: str, params: dict[str, Any]) -> None:
    assert api.refused(operation, GroupId="none", **params) == "iot.group.NotExistedGroup"
    assert api.refused(operation, **params) == "MissingGroupId"
