"""Device groups."""

from __future__ import annotations

import json

from tests.conformance.platform import PreparedPlatform, column, named
from tests.conformance.rows import Row

NO_GROUP = ({"GroupId": "none"}, "iot.group.NotExistedGroup")
BAD_PAGE = ({"CurrentPage": 0}, "iot.common.InvalidPageParams")
TAGS = json.dumps([{"tagKey": "city", "tagValue": "Ulm"}])
BAD_TYPE = ({"GroupType": "OTHER"}, "iot.common.InvalidFormattedParameter")


def filled(platform: PreparedPlatform) -> tuple[str, str]:
    """A group with two of three devices; its id and the devices' product."""
    key, group = platform.devices(), platform.group(GroupDesc="The first")
    platform.grouped(group, key, "dev-1", "dev-2")
    return group, key


def tagged(platform: PreparedPlatform) -> str:
    group = platform.group(GroupDesc="d")
    platform.call("SetDeviceGroupTags", GroupId=group, TagString=TAGS)
    return group


def members(platform: PreparedPlatform, group: str) -> list[str]:
    told = platform.call("QueryDeviceListByDeviceGroup", GroupId=group, PageSize=50)
    return column(told["Data"].get("SimpleDeviceInfo") or [], "DeviceName")


def groups(platform: PreparedPlatform, **params: object) -> list[str]:
    told = platform.call("QueryDeviceGroupList", **params)
    return column(told["Data"].get("GroupInfo") or [], "GroupId")


ROWS = [
    Row(
        "CreateDeviceGroup",
        lambda w: {"GroupName": "hall_1", "GroupDesc": "The first", "SuperGroupId": w.group()},
        "it is listed below the group above",
        lambda w, asked, told: groups(w, SuperGroupId=asked["SuperGroupId"]) == [told["Data"]["GroupId"]],
        bad=[
            ({"GroupName": "abc"}, "iot.group.InvalidGroupName"),
            ({"GroupDesc": "x" * 101}, "iot.group.LongGroupDescError"),
            ({"GroupName": "plant"}, "iot.group.GroupNameExisted"),
        ],
        absent=[({"SuperGroupId": "none"}, "iot.group.NotExistedGroup")],
    ),
    Row(
        "UpdateDeviceGroup",
        lambda w: {"GroupId": w.group(), "GroupDesc": "new"},
        "the description changes",
        lambda w, asked, told: (
            w.call("QueryDeviceGroupInfo", GroupId=asked["GroupId"])["Data"]["GroupDesc"] == "new"
        ),
        bad=[({"GroupDesc": "x" * 101}, "iot.group.LongGroupDescError"), BAD_TYPE],
        absent=[NO_GROUP],
    ),
    Row(
        "DeleteDeviceGroup",
        lambda w: {"GroupId": w.group()},
        "it is gone",
        lambda w, asked, told: asked["GroupId"] not in groups(w),
        bad=[
            (
                lambda w, asked: (
                    w.group("below", SuperGroupId=(top := w.group("top_group"))) and {"GroupId": top}
                ),
                "iot.group.SubGroupNotNull",
            )
        ],
        absent=[NO_GROUP],
    ),
    Row(
        "BatchAddDeviceGroupRelations",
        lambda w: {"GroupId": (made := filled(w))[0], "Device": named(made[1], "dev-2", "dev-3", "nobody")},
        "one is added, one was there, one does not exist",
        lambda w, asked, told: (
            (told["SuccessAddedDeviceCount"], told["AlreadyRelatedGroupDeviceCount"]) == (1, 1)
            and sorted(members(w, asked["GroupId"])) == ["dev-1", "dev-2", "dev-3"]
        ),
        missing={"Device": "MissingDevice"},
        bad=[({"Device": named("a1Unknown00", *["x"] * 201)}, "iot.common.InvalidFormattedParameter")],
        absent=[NO_GROUP],
    ),
    Row(
        "BatchDeleteDeviceGroupRelations",
        lambda w: {"GroupId": (made := filled(w))[0], "Device": named(made[1], "dev-1", "nobody")},
        "one is taken out",
        lambda w, asked, told: told["SuccessDeviceCount"] == 1 and members(w, asked["GroupId"]) == ["dev-2"],
        missing={"Device": "MissingDevice"},
        bad=[({"Device": named("a1Unknown00", *["x"] * 201)}, "iot.common.InvalidFormattedParameter")],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryDeviceGroupInfo",
        lambda w: {"GroupId": filled(w)[0]},
        "its devices are counted",
        lambda w, asked, told: (told["Data"]["DeviceCount"], told["Data"]["DeviceOnline"]) == (2, 0),
        bad=[BAD_TYPE],
        absent=[NO_GROUP],
        without={"Data.DynamicGroupExpression"},  # of dynamic groups, which no operation makes
    ),
    Row(
        "QueryDeviceGroupList",
        lambda w: (
            [w.group("plant", GroupDesc="a"), w.group("scoped_fleet", GroupDesc="b")]
            and {"CurrentPage": 2, "PageSize": 1}
        ),
        "newest first, by pages",
        lambda w, asked, told: (
            column(told["Data"]["GroupInfo"], "GroupName") == ["plant"] and told["Total"] == 2
        ),
        bad=[BAD_PAGE, ({"GroupTypes": ["OTHER"]}, "iot.common.InvalidFormattedParameter")],
    ),
    Row(
        "SetDeviceGroupTags",
        lambda w: {"GroupId": w.group(), "TagString": TAGS},
        "the tags are listed",
        lambda w, asked, told: (
            w.call("QueryDeviceGroupTagList", GroupId=asked["GroupId"])["Data"]["GroupTagInfo"]
            == [{"TagKey": "city", "TagValue": "Ulm"}]
        ),
        bad=[({"TagString": "not json"}, "iot.group.InvalidFormattedTagString"), BAD_TYPE],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryDeviceGroupTagList",
        lambda w: {"GroupId": tagged(w)},
        "all tags of a group",
        lambda w, asked, told: told["Data"]["GroupTagInfo"] == [{"TagKey": "city", "TagValue": "Ulm"}],
        bad=[BAD_TYPE],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryDeviceGroupByDevice",
        lambda w: {"ProductKey": filled(w)[1], "DeviceName": "dev-1"},
        "the groups that a device is in",
        lambda w, asked, told: column(told["GroupInfos"]["GroupInfo"], "GroupName") == ["plant"],
        absent=[({"DeviceName": "nobody"}, "iot.device.NotExistedDevice")],
    ),
    Row(
        "QuerySuperDeviceGroup",
        lambda w: {"GroupId": w.group("below", SuperGroupId=w.group(GroupDesc="d"))},
        "the group above",
        lambda w, asked, told: column(told["Data"]["GroupInfo"], "GroupName") == ["plant"],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryDeviceListByDeviceGroup",
        lambda w: {"GroupId": filled(w)[0], "CurrentPage": 2, "PageSize": 1},
        "its devices, by pages",
        lambda w, asked, told: (
            column(told["Data"]["SimpleDeviceInfo"], "DeviceName") == ["dev-1"] and told["Total"] == 2
        ),
        bad=[BAD_PAGE],
        absent=[NO_GROUP],
    ),
    Row(
        "QueryDeviceGroupByTags",
        lambda w: [tagged(w), w.group("scoped_fleet")] and {"Tag": [{"TagKey": "city", "TagValue": "Ulm"}]},
        "the groups with a tag",
        lambda w, asked, told: column(told["Data"]["DeviceGroup"], "GroupName") == ["plant"],
        missing={"Tag": "MissingTag"},
        bad=[BAD_PAGE],
    ),
]
