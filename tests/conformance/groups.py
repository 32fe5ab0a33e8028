"""Device groups."""

from __future__ import annotations

import json

from tests.conformance.platform import PreparedPlatform, column, write_device_list
from tests.conformance.rows import Row

UNKNOWN_GROUP = ({"GroupId": "none"}, "iot.group.NotExistedGroup")
INVALID_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
TAGS = json.dumps([{"tagKey": "city", "tagValue": "Ulm"}])
INVALID_TYPE = ({"GroupType": "OTHER"}, "iot.common.InvalidFormattedParameter")


def create_filled_group(platform: PreparedPlatform) -> tuple[str, str]:
    """Create a group with two of three devices; returns its id and the ProductKey of the devices."""
    key, group = platform.register_devices(), platform.create_group(GroupDesc="The first")
    platform.add_to_group(group, key, "dev-1", "dev-2")
    return group, key


def create_tagged_group(platform: PreparedPlatform) -> str:
    group = platform.create_group(GroupDesc="d")
    platform.call("SetDeviceGroupTags", GroupId=group, TagString=TAGS)
    return group


def list_members(platform: PreparedPlatform, group: str) -> list[str]:
    response = platform.call("QueryDeviceListByDeviceGroup", GroupId=group, PageSize=50)
    return column(response["Data"].get("SimpleDeviceInfo") or [], "DeviceName")


def list_groups(platform: PreparedPlatform, **params: object) -> list[str]:
    response = platform.call("QueryDeviceGroupList", **params)
    return column(response["Data"].get("GroupInfo") or [], "GroupId")


ROWS = [
    Row(
        "CreateDeviceGroup",
        lambda platform: {
            "GroupName": "hall_1",
            "GroupDesc": "The first",
            "SuperGroupId": platform.create_group(),
        },
        "the group is listed as a subgroup",
        lambda platform, request, response: (
            list_groups(platform, SuperGroupId=request["SuperGroupId"]) == [response["Data"]["GroupId"]]
        ),
        invalid=[
            ({"GroupName": "abc"}, "iot.group.InvalidGroupName"),
            ({"GroupDesc": "x" * 101}, "iot.group.LongGroupDescError"),
            ({"GroupName": "plant"}, "iot.group.GroupNameExisted"),
        ],
        not_found=[({"SuperGroupId": "none"}, "iot.group.NotExistedGroup")],
    ),
    Row(
        "UpdateDeviceGroup",
        lambda platform: {"GroupId": platform.create_group(), "GroupDesc": "new"},
        "the description changes",
        lambda platform, request, response: (
            platform.call("QueryDeviceGroupInfo", GroupId=request["GroupId"])["Data"]["GroupDesc"] == "new"
        ),
        invalid=[({"GroupDesc": "x" * 101}, "iot.group.LongGroupDescError"), INVALID_TYPE],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "DeleteDeviceGroup",
        lambda platform: {"GroupId": platform.create_group()},
        "the group is deleted",
        lambda platform, request, response: request["GroupId"] not in list_groups(platform),
        invalid=[
            (
                lambda platform, request: (
                    platform.create_group(
                        "below", SuperGroupId=(parent := platform.create_group("top_group"))
                    )
                    and {"GroupId": parent}
                ),
                "iot.group.SubGroupNotNull",
            )
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "BatchAddDeviceGroupRelations",
        lambda platform: {
            "GroupId": (group_and_product := create_filled_group(platform))[0],
            "Device": write_device_list(group_and_product[1], "dev-2", "dev-3", "nobody"),
        },
        "one device is added, one was already in the group, one does not exist",
        lambda platform, request, response: (
            (response["SuccessAddedDeviceCount"], response["AlreadyRelatedGroupDeviceCount"]) == (1, 1)
            and sorted(list_members(platform, request["GroupId"])) == ["dev-1", "dev-2", "dev-3"]
        ),
        missing={"Device": "MissingDevice"},
        invalid=[
            (
                {"Device": write_device_list("a1Unknown00", *["x"] * 201)},
                "iot.common.InvalidFormattedParameter",
            )
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "BatchDeleteDeviceGroupRelations",
        lambda platform: {
            "GroupId": (group_and_product := create_filled_group(platform))[0],
            "Device": write_device_list(group_and_product[1], "dev-1", "nobody"),
        },
        "one device is removed",
        lambda platform, request, response: (
            response["SuccessDeviceCount"] == 1 and list_members(platform, request["GroupId"]) == ["dev-2"]
        ),
        missing={"Device": "MissingDevice"},
        invalid=[
            (
                {"Device": write_device_list("a1Unknown00", *["x"] * 201)},
                "iot.common.InvalidFormattedParameter",
            )
        ],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryDeviceGroupInfo",
        lambda platform: {"GroupId": create_filled_group(platform)[0]},
        "the numbers of its devices",
        lambda platform, request, response: (
            (response["Data"]["DeviceCount"], response["Data"]["DeviceOnline"]) == (2, 0)
        ),
        invalid=[INVALID_TYPE],
        not_found=[UNKNOWN_GROUP],
        absent_fields={"Data.DynamicGroupExpression"},  # only of dynamic groups, which no operation creates
    ),
    Row(
        "QueryDeviceGroupList",
        lambda platform: (
            [
                platform.create_group("plant", GroupDesc="a"),
                platform.create_group("north", GroupDesc="b"),
            ]
            and {"CurrentPage": 2, "PageSize": 1}
        ),
        "newest first, by pages",
        lambda platform, request, response: (
            column(response["Data"]["GroupInfo"], "GroupName") == ["plant"] and response["Total"] == 2
        ),
        invalid=[INVALID_PAGE, ({"GroupTypes": ["OTHER"]}, "iot.common.InvalidFormattedParameter")],
    ),
    Row(
        "SetDeviceGroupTags",
        lambda platform: {"GroupId": platform.create_group(), "TagString": TAGS},
        "the tags are listed",
        lambda platform, request, response: (
            platform.call("QueryDeviceGroupTagList", GroupId=request["GroupId"])["Data"]["GroupTagInfo"]
            == [{"TagKey": "city", "TagValue": "Ulm"}]
        ),
        invalid=[({"TagString": "not json"}, "iot.group.InvalidFormattedTagString"), INVALID_TYPE],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryDeviceGroupTagList",
        lambda platform: {"GroupId": create_tagged_group(platform)},
        "all tags of a group",
        lambda platform, request, response: (
            response["Data"]["GroupTagInfo"] == [{"TagKey": "city", "TagValue": "Ulm"}]
        ),
        invalid=[INVALID_TYPE],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryDeviceGroupByDevice",
        lambda platform: {"ProductKey": create_filled_group(platform)[1], "DeviceName": "dev-1"},
        "the groups that a device is in",
        lambda platform, request, response: (
            column(response["GroupInfos"]["GroupInfo"], "GroupName") == ["plant"]
        ),
        not_found=[({"DeviceName": "nobody"}, "iot.device.NotExistedDevice")],
    ),
    Row(
        "QuerySuperDeviceGroup",
        lambda platform: {
            "GroupId": platform.create_group("below", SuperGroupId=platform.create_group(GroupDesc="d"))
        },
        "the parent group",
        lambda platform, request, response: column(response["Data"]["GroupInfo"], "GroupName") == ["plant"],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryDeviceListByDeviceGroup",
        lambda platform: {"GroupId": create_filled_group(platform)[0], "CurrentPage": 2, "PageSize": 1},
        "its devices, by pages",
        lambda platform, request, response: (
            column(response["Data"]["SimpleDeviceInfo"], "DeviceName") == ["dev-1"] and response["Total"] == 2
        ),
        invalid=[INVALID_PAGE],
        not_found=[UNKNOWN_GROUP],
    ),
    Row(
        "QueryDeviceGroupByTags",
        lambda platform: (
            [create_tagged_group(platform), platform.create_group("north")]
            and {"Tag": [{"TagKey": "city", "TagValue": "Ulm"}]}
        ),
        "the groups with a tag",
        lambda platform, request, response: column(response["Data"]["DeviceGroup"], "GroupName") == ["plant"],
        missing={"Tag": "MissingTag"},
        invalid=[INVALID_PAGE],
    ),
]
