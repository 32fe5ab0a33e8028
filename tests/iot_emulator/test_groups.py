"""Device groups: a tree of three levels, with devices and tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iot_emulator import Emulator
from iot_emulator.groups import MAX_DEVICES

from .clients import KEY_ID, Api


@pytest.fixture
def meters(api: Api) -> str:
    """A product with three devices."""
    key = api.create_product("Meters")
    api.register_devices(key, "dev-1", "dev-2", "dev-3")
    return key


def device_list(product_key: str, *names: str) -> list[dict[str, str]]:
    return [{"ProductKey": product_key, "DeviceName": name} for name in names]


def member_names(api: Api, group_id: str) -> list[str]:
    page = api.call("QueryDeviceListByDeviceGroup", GroupId=group_id, PageSize=50)
    return [device["DeviceName"] for device in page["Data"]["SimpleDeviceInfo"]]


class TestTree:
    def test_a_created_group_is_found_with_its_values(self, api: Api) -> None:
        group = api.call("CreateDeviceGroup", GroupName="plant_1", GroupDesc="The first")["Data"]
        info = api.call("QueryDeviceGroupInfo", GroupId=group["GroupId"])["Data"]
        assert (info["GroupName"], info["GroupDesc"]) == ("plant_1", "The first")
        assert info["UtcCreate"] == group["UtcCreate"] == "2026-09-21T14:13:20.000Z"
        assert (info["DeviceCount"], info["DeviceActive"], info["DeviceOnline"]) == (0, 0, 0)

    def test_groups_have_at_most_three_levels(self, api: Api) -> None:
        parent = ""
        for level in range(3):
            parent = api.create_group(f"level_{level}", SuperGroupId=parent or None)
        error = api.error_code("CreateDeviceGroup", GroupName="level_3", SuperGroupId=parent)
        assert error == "iot.group.GroupLevelExceedingLimitError"

    def test_top_level_groups_and_subgroups_are_listed(self, api: Api) -> None:
        top = api.create_group("plant")
        below = [api.create_group(f"hall_{n}", SuperGroupId=top) for n in range(3)]
        api.create_group("north")

        def list_names(**params: Any) -> list[str]:
            return [g["GroupName"] for g in api.call("QueryDeviceGroupList", **params)["Data"]["GroupInfo"]]

        assert list_names() == ["north", "plant"]
        assert list_names(SuperGroupId=top) == ["hall_2", "hall_1", "hall_0"]
        assert list_names(SuperGroupId=below[0]) == []
        assert list_names(GroupName="HALL") == ["hall_2", "hall_1", "hall_0"]
        assert list_names(GroupTypes=["LINK_PLATFORM_DYNAMIC"]) == []
        page = api.call("QueryDeviceGroupList", SuperGroupId=top, CurrentPage=2, PageSize=2)
        assert (page["Total"], page["PageCount"], page["CurrentPage"]) == (3, 2, 2)
        assert [g["GroupName"] for g in page["Data"]["GroupInfo"]] == ["hall_0"]

    def test_the_parent_group_is_found(self, api: Api) -> None:
        top = api.create_group("plant", GroupDesc="All of it")
        below = api.create_group("hall", SuperGroupId=top)
        above = api.call("QuerySuperDeviceGroup", GroupId=below)["Data"]["GroupInfo"]
        assert above == [{"GroupId": top, "GroupName": "plant", "GroupDesc": "All of it"}]
        assert api.call("QuerySuperDeviceGroup", GroupId=top)["Data"]["GroupInfo"] == []

    def test_group_names_are_unique(self, api: Api) -> None:
        api.create_group("plant")
        assert api.error_code("CreateDeviceGroup", GroupName="plant") == "iot.group.GroupNameExisted"

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
    def test_invalid_groups_are_refused(self, api: Api, params: dict[str, str], code: str) -> None:
        assert api.error_code("CreateDeviceGroup", **params) == code

    def test_a_group_has_at_most_a_hundred_subgroups(self, api: Api) -> None:
        top = api.create_group("plant")
        for n in range(100):
            api.create_group(f"hall_{n}", SuperGroupId=top)
        error = api.error_code("CreateDeviceGroup", GroupName="hall_100", SuperGroupId=top)
        assert error == "iot.group.GroupCountExceedMax"

    def test_the_description_can_be_changed(self, api: Api) -> None:
        group = api.create_group("plant", GroupDesc="old")
        api.call("UpdateDeviceGroup", GroupId=group, GroupDesc="new")
        assert api.call("QueryDeviceGroupInfo", GroupId=group)["Data"]["GroupDesc"] == "new"
        assert (
            api.error_code("UpdateDeviceGroup", GroupId=group, GroupDesc="x" * 101)
            == "iot.group.LongGroupDescError"
        )

    def test_a_group_with_subgroups_cannot_be_deleted(self, api: Api) -> None:
        top = api.create_group("plant")
        below = api.create_group("hall", SuperGroupId=top)
        assert api.error_code("DeleteDeviceGroup", GroupId=top) == "iot.group.SubGroupNotNull"
        api.call("DeleteDeviceGroup", GroupId=below)
        api.call("DeleteDeviceGroup", GroupId=top)
        assert api.call("QueryDeviceGroupList")["Total"] == 0

    def test_deleting_a_group_keeps_its_devices(self, api: Api, meters: str) -> None:
        group = api.create_group()
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1"))
        api.call("DeleteDeviceGroup", GroupId=group)
        assert api.call("QueryDevice", ProductKey=meters)["Total"] == 3
        groups = api.call("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="dev-1")
        assert groups["GroupInfos"]["GroupInfo"] == []


class TestDevices:
    def test_devices_are_added_counted_listed_and_removed(self, api: Api, meters: str) -> None:
        group = api.create_group()
        response = api.call(
            "BatchAddDeviceGroupRelations",
            GroupId=group,
            Device=device_list(meters, "dev-1", "dev-2", "nobody"),
        )
        counts = (
            "ValidDeviceCount",
            "SuccessAddedDeviceCount",
            "AlreadyRelatedGroupDeviceCount",
            "ExceedTenGroupDeviceCount",
        )
        assert [response[name] for name in counts] == [2, 2, 0, 0]
        second_response = api.call(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-2", "dev-3")
        )
        assert [second_response[name] for name in counts] == [2, 1, 1, 0]
        assert member_names(api, group) == ["dev-3", "dev-2", "dev-1"]
        removal = api.call(
            "BatchDeleteDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1", "nobody")
        )
        assert (removal["ValidDeviceCount"], removal["SuccessDeviceCount"]) == (1, 1)
        assert member_names(api, group) == ["dev-3", "dev-2"]

    def test_a_listed_device_has_its_product(self, api: Api, meters: str) -> None:
        group = api.create_group()
        api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1", "dev-2"))
        page = api.call("QueryDeviceListByDeviceGroup", GroupId=group, CurrentPage=2, PageSize=1)
        (device,) = page["Data"]["SimpleDeviceInfo"]
        assert (device["ProductKey"], device["ProductName"], device["DeviceName"]) == (
            meters,
            "Meters",
            "dev-1",
        )
        assert (page["Total"], page["PageCount"], page["Page"]) == (2, 2, 2)

    def test_a_device_is_in_at_most_ten_groups(self, api: Api, meters: str) -> None:
        groups = [api.create_group(f"group_{n}") for n in range(11)]
        responses = [
            api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1"))
            for group in groups
        ]
        assert [a["SuccessAddedDeviceCount"] for a in responses] == [1] * 10 + [0]
        assert responses[-1]["ExceedTenGroupDeviceCount"] == 1
        groups_of_device = api.call("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="dev-1")[
            "GroupInfos"
        ]["GroupInfo"]
        assert [group["GroupName"] for group in groups_of_device] == [f"group_{n}" for n in range(9, -1, -1)]

    def test_a_call_has_at_most_two_hundred_devices(self, api: Api, meters: str) -> None:
        group = api.create_group()
        many = device_list(meters, *(f"dev-{n}" for n in range(201)))
        for operation in ("BatchAddDeviceGroupRelations", "BatchDeleteDeviceGroupRelations"):
            code = api.error_code(operation, GroupId=group, Device=many)
            assert code == "iot.common.InvalidFormattedParameter"

    def test_a_group_has_at_most_twenty_thousand_devices(
        self, api: Api, emulator: Emulator, meters: str
    ) -> None:
        group = api.create_group()
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
        error = api.error_code(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1")
        )
        assert error == "iot.group.BindGroupRelationFailed"

    def test_devices_of_other_accounts_are_not_added(self, api: Api, other_api: Api, meters: str) -> None:
        group = other_api.create_group()
        response = other_api.call(
            "BatchAddDeviceGroupRelations", GroupId=group, Device=device_list(meters, "dev-1")
        )
        assert (response["ValidDeviceCount"], response["SuccessAddedDeviceCount"]) == (0, 0)

    def test_the_groups_of_an_unknown_device_are_refused(self, api: Api, meters: str) -> None:
        code = api.error_code("QueryDeviceGroupByDevice", ProductKey=meters, DeviceName="nobody")
        assert code == "iot.device.NotExistedDevice"
        assert api.error_code("QueryDeviceGroupByDevice", ProductKey=meters) == "MissingDeviceName"


class TestTags:
    @staticmethod
    def set_tags(api: Api, group: str, **tags: str) -> None:
        text = json.dumps([{"tagKey": key, "tagValue": value} for key, value in tags.items()])
        api.call("SetDeviceGroupTags", GroupId=group, TagString=text)

    @staticmethod
    def tags_of(api: Api, group: str) -> dict[str, str]:
        tags = api.call("QueryDeviceGroupTagList", GroupId=group)["Data"]["GroupTagInfo"]
        return {tag["TagKey"]: tag["TagValue"] for tag in tags}

    def test_new_tags_replace_the_old_ones(self, api: Api) -> None:
        group = api.create_group()
        self.set_tags(api, group, city="Ulm", site="east")
        self.set_tags(api, group, city="Bonn")
        assert self.tags_of(api, group) == {"city": "Bonn"}
        api.call("SetDeviceGroupTags", GroupId=group)
        assert self.tags_of(api, group) == {}

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
    def test_invalid_tags_are_refused(self, api: Api, text: str) -> None:
        code = api.error_code("SetDeviceGroupTags", GroupId=api.create_group(), TagString=text)
        assert code == "iot.group.InvalidFormattedTagString"

    def test_a_group_has_at_most_a_hundred_tags(self, api: Api) -> None:
        group = api.create_group()
        self.set_tags(api, group, **{f"key{n}": "v" for n in range(100)})
        text = json.dumps([{"tagKey": f"key{n}", "tagValue": "v"} for n in range(101)])
        assert (
            api.error_code("SetDeviceGroupTags", GroupId=group, TagString=text)
            == "iot.group.TagCountExceedMax"
        )
        assert len(self.tags_of(api, group)) == 100

    def test_groups_are_found_by_all_of_the_tags(self, api: Api) -> None:
        first, second = api.create_group("plant_1"), api.create_group("plant_2")
        self.set_tags(api, first, city="Ulm", site="east")
        self.set_tags(api, second, city="Ulm", site="west")

        def find(**tags: str) -> list[str]:
            tag_list = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
            return [
                g["GroupId"] for g in api.call("QueryDeviceGroupByTags", Tag=tag_list)["Data"]["DeviceGroup"]
            ]

        assert find(city="Ulm") == [second, first]
        assert find(city="Ulm", site="east") == [first]
        assert find(city="Bonn") == []
        assert api.error_code("QueryDeviceGroupByTags").startswith("MissingTag")


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
        ("BatchAddDeviceGroupRelations", {"Device": device_list("x", "y")}),
        ("BatchDeleteDeviceGroupRelations", {"Device": device_list("x", "y")}),
    ],
)
def test_an_unknown_group_is_refused(api: Api, operation: str, params: dict[str, Any]) -> None:
    assert api.error_code(operation, GroupId="none", **params) == "iot.group.NotExistedGroup"
    assert api.error_code(operation, **params) == "MissingGroupId"
