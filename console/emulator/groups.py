"""Device groups: a tree of three levels, whose nodes hold devices of any product and carry tags.

All groups here are static. Groups whose members follow from an expression (`LINK_PLATFORM_DYNAMIC`) cannot be made
through this version of the API, so asking for one finds nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.formats import random_text, utc
from console.emulator.lookups import device_of, group_of
from console.emulator.paging import Page, page_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY,
    group_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    parent TEXT NOT NULL DEFAULT '',
    level INTEGER NOT NULL DEFAULT 1,
    created INTEGER NOT NULL,
    UNIQUE (account, instance, name)
);
CREATE INDEX IF NOT EXISTS groups_tree ON groups (account, instance, parent, id);
CREATE TABLE IF NOT EXISTS group_devices (
    group_id TEXT NOT NULL REFERENCES groups (group_id) ON DELETE CASCADE,
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, iot_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_devices_device ON group_devices (iot_id, group_id);
CREATE TABLE IF NOT EXISTS group_tags (
    group_id TEXT NOT NULL REFERENCES groups (group_id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (group_id, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_tags_value ON group_tags (key, value, group_id);
"""

MAX_LEVELS = 3
MAX_SUBGROUPS = 100  # of one group
MAX_GROUPS_OF_DEVICE = 10
MAX_DEVICES = 20_000  # in one group
MAX_TAGS = 100  # a group
STATIC, DYNAMIC = "LINK_PLATFORM", "LINK_PLATFORM_DYNAMIC"
_TAG_KEY = re.compile(r"[A-Za-z0-9.]{2,30}")
_TAG_VALUE = re.compile(r"[\w-]{1,128}")


def create_device_group(call: Call) -> dict[str, Any]:
    """CreateDeviceGroup: at the top, or under a group that is not at the third level."""
    name, description = call.params["GroupName"], call.params.get("GroupDesc", "")
    owner = (call.account, call.instance)
    parent, level = call.params.get("SuperGroupId") or "", 1
    if parent:
        above = group_of(call, parent)
        level = above["level"] + 1
        if level > MAX_LEVELS:
            raise ServiceError(
                "iot.group.GroupLevelExceedingLimitError", "Groups can be nested in three levels."
            )
        (count,) = call.db.execute(
            "SELECT count(*) FROM groups WHERE account = ? AND instance = ? AND parent = ?", (*owner, parent)
        ).fetchone()
        if count >= MAX_SUBGROUPS:
            raise ServiceError("iot.group.GroupCountExceedMax", "A group can have at most 100 subgroups.")
    taken = call.db.execute(
        "SELECT 1 FROM groups WHERE account = ? AND instance = ? AND name = ?", (*owner, name)
    ).fetchone()
    if taken:
        raise ServiceError("iot.group.GroupNameExisted", "Another group has this name.")
    group_id = random_text(16)
    call.db.execute(
        "INSERT INTO groups (group_id, account, instance, name, description, parent, level, created)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (group_id, *owner, name, description, parent, level, call.now),
    )
    return {
        "Data": {
            "GroupId": group_id,
            "GroupName": name,
            "GroupDesc": description,
            "UtcCreate": utc(call.now),
        }
    }


def update_device_group(call: Call) -> dict[str, Any]:
    """UpdateDeviceGroup: the description; a group keeps its name."""
    group = _group_of_type(call)
    if "GroupDesc" in call.params:
        call.db.execute(
            "UPDATE groups SET description = ? WHERE id = ?", (call.params["GroupDesc"], group["id"])
        )
    return {}


def delete_device_group(call: Call) -> dict[str, Any]:
    """DeleteDeviceGroup: its devices stay; refused while it has subgroups."""
    group = group_of(call)
    below = call.db.execute(
        "SELECT 1 FROM groups WHERE account = ? AND instance = ? AND parent = ?",
        (call.account, call.instance, group["group_id"]),
    ).fetchone()
    if below:
        raise ServiceError("iot.group.SubGroupNotNull", "The group still has subgroups.")
    call.db.execute("DELETE FROM groups WHERE id = ?", (group["id"],))
    return {}


def query_device_group_info(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupInfo, with the numbers of its devices."""
    group = _group_of_type(call)
    total, active, online = call.db.execute(
        "SELECT count(*), coalesce(sum(d.activated IS NOT NULL), 0), coalesce(sum(d.status = 'ONLINE'), 0)"
        " FROM group_devices g JOIN devices d ON d.iot_id = g.iot_id WHERE g.group_id = ?",
        (group["group_id"],),
    ).fetchone()
    return {
        "Data": {
            "GroupId": group["group_id"],
            "GroupName": group["name"],
            "GroupDesc": group["description"],
            "UtcCreate": utc(group["created"]),
            "DeviceCount": total,
            "DeviceActive": active,
            "DeviceOnline": online,
        }
    }


def query_device_group_list(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupList: newest first; those directly below a group, else the topmost; by a part of the name all levels.

    A listed group does not tell its parent, so only a list of the topmost lets a client build the tree from it.
    """
    page = page_of(call)
    where, values = "account = ? AND instance = ?", [call.account, call.instance]
    if call.params.get("SuperGroupId"):
        where, values = (
            where + " AND parent = ?",
            [*values, group_of(call, call.params["SuperGroupId"])["group_id"]],
        )
    elif not call.params.get("GroupName"):
        where += " AND parent = ''"
    if call.params.get("GroupName"):
        where, values = where + " AND instr(lower(name), lower(?)) > 0", [*values, call.params["GroupName"]]
    types = call.params.get("GroupTypes") or [STATIC]
    if STATIC not in types:
        where += " AND 0"
    (total,) = call.db.execute(f"SELECT count(*) FROM groups WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM groups WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "Data": {"GroupInfo": [_listed(row) for row in rows]},
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "GroupId": row["group_id"],
        "GroupName": row["name"],
        "GroupDesc": row["description"],
        "GroupType": STATIC,
        "UtcCreate": utc(row["created"]),
    }


def query_super_device_group(call: Call) -> dict[str, Any]:
    """QuerySuperDeviceGroup: the group above; an empty list for one at the top."""
    group = group_of(call)
    above = [group_of(call, group["parent"])] if group["parent"] else []
    return {
        "Data": {
            "GroupInfo": [
                {"GroupId": row["group_id"], "GroupName": row["name"], "GroupDesc": row["description"]}
                for row in above
            ]
        }
    }


def batch_add_device_group_relations(call: Call) -> dict[str, Any]:
    """BatchAddDeviceGroupRelations: up to 200 devices; those that cannot be added are counted, not refused."""
    group_id = group_of(call)["group_id"]
    devices = _devices_named(call)
    added, already, full = 0, 0, 0
    (members,) = call.db.execute(
        "SELECT count(*) FROM group_devices WHERE group_id = ?", (group_id,)
    ).fetchone()
    for iot_id in devices:
        groups = {
            row["group_id"]
            for row in call.db.execute("SELECT group_id FROM group_devices WHERE iot_id = ?", (iot_id,))
        }
        if group_id in groups:
            already += 1
        elif len(groups) >= MAX_GROUPS_OF_DEVICE:
            full += 1
        else:
            if members + added >= MAX_DEVICES:
                raise ServiceError(
                    "iot.group.BindGroupRelationFailed", "A group can have at most 20,000 devices."
                )
            call.db.execute("INSERT INTO group_devices VALUES (?, ?)", (group_id, iot_id))
            added += 1
    failed = len(call.params["Device"]) - added
    return {
        "ErrorMessage": f"{added} added, {failed} not added.",
        "ValidDeviceCount": len(devices),
        "SuccessAddedDeviceCount": added,
        "AlreadyRelatedGroupDeviceCount": already,
        "ExceedTenGroupDeviceCount": full,
    }


def batch_delete_device_group_relations(call: Call) -> dict[str, Any]:
    """BatchDeleteDeviceGroupRelations: up to 200 devices; those that are not in the group are passed over."""
    group_id = group_of(call)["group_id"]
    devices = _devices_named(call)
    removed = 0
    for iot_id in devices:
        removed += call.db.execute(
            "DELETE FROM group_devices WHERE group_id = ? AND iot_id = ?", (group_id, iot_id)
        ).rowcount
    return {
        "ValidDeviceCount": len(devices),
        "SuccessDeviceCount": removed,
        "AlreadyRelatedGroupDeviceCount": removed,
    }


def _devices_named(call: Call) -> list[str]:
    """IotIds of the devices named that exist, each once."""
    found: dict[str, None] = {}
    for item in call.params["Device"]:
        row = call.db.execute(
            "SELECT iot_id FROM devices WHERE product_key = ? AND name = ? AND account = ? AND instance = ?",
            (item.get("ProductKey"), item.get("DeviceName"), call.account, call.instance),
        ).fetchone()
        if row:
            found[row["iot_id"]] = None
    return list(found)


def query_device_group_by_device(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupByDevice: the groups a device is in, newest first."""
    device = device_of(call)
    rows = call.db.execute(
        "SELECT g.* FROM group_devices d JOIN groups g ON g.group_id = d.group_id WHERE d.iot_id = ?"
        " ORDER BY g.id DESC",
        (device["iot_id"],),
    )
    return {"GroupInfos": {"GroupInfo": [_listed(row) for row in rows]}}


def query_device_list_by_device_group(call: Call) -> dict[str, Any]:
    """QueryDeviceListByDeviceGroup: newest device first."""
    group_id, page = group_of(call)["group_id"], page_of(call)
    (total,) = call.db.execute(
        "SELECT count(*) FROM group_devices WHERE group_id = ?", (group_id,)
    ).fetchone()
    rows = call.db.execute(
        "SELECT d.name, d.iot_id, d.product_key, p.name AS product_name FROM group_devices g"
        " JOIN devices d ON d.iot_id = g.iot_id JOIN products p ON p.product_key = d.product_key"
        " WHERE g.group_id = ? ORDER BY d.id DESC LIMIT ? OFFSET ?",
        (group_id, page.size, page.offset),
    )
    devices = [
        {
            "IotId": row["iot_id"],
            "ProductKey": row["product_key"],
            "ProductName": row["product_name"],
            "DeviceName": row["name"],
        }
        for row in rows
    ]
    return {"Data": {"SimpleDeviceInfo": devices}, **_paged(page, total)}


def set_device_group_tags(call: Call) -> dict[str, Any]:
    """SetDeviceGroupTags: the tags sent replace those the group has; none sent, none left."""
    group_id = _group_of_type(call)["group_id"]
    tags = _read_tags(call.params.get("TagString") or "[]")
    if len(tags) > MAX_TAGS:
        raise ServiceError("iot.group.TagCountExceedMax", "A group can have at most 100 tags.")
    call.db.execute("DELETE FROM group_tags WHERE group_id = ?", (group_id,))
    call.db.executemany(
        "INSERT INTO group_tags VALUES (?, ?, ?)", [(group_id, key, value) for key, value in tags.items()]
    )
    return {}


def _read_tags(text: str) -> dict[str, str]:
    """`[{"tagKey": …, "tagValue": …}, …]`; raises `iot.group.InvalidFormattedTagString`."""
    tags: dict[str, str] = {}
    items = json.loads(text)
    for item in items if isinstance(items, list) else [items]:
        key = item.get("tagKey") if isinstance(item, dict) else None
        value = item.get("tagValue") if isinstance(item, dict) else None
        if (
            not isinstance(key, str)
            or not isinstance(value, str)
            or not _TAG_KEY.fullmatch(key)
            or not _TAG_VALUE.fullmatch(value)
        ):
            raise ServiceError(
                "iot.group.InvalidFormattedTagString",
                "Tags are a JSON list of objects with tagKey (2 to 30 letters, digits, periods) and tagValue"
                " (1 to 128 letters, digits, underscores, hyphens).",
            )
        tags[key] = value
    return tags


def query_device_group_tag_list(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupTagList."""
    rows = call.db.execute(
        "SELECT key, value FROM group_tags WHERE group_id = ? ORDER BY key",
        (_group_of_type(call)["group_id"],),
    )
    return {"Data": {"GroupTagInfo": [{"TagKey": row["key"], "TagValue": row["value"]} for row in rows]}}


def query_device_group_by_tags(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupByTags: groups that have all the tags, newest first."""
    page = page_of(call)
    where, values = "g.account = ? AND g.instance = ?", [call.account, call.instance]
    for tag in call.params["Tag"]:
        where += " AND EXISTS (SELECT 1 FROM group_tags t WHERE t.group_id = g.group_id AND t.key = ? AND t.value = ?)"
        values += [tag.get("TagKey") or "", tag.get("TagValue") or ""]
    (total,) = call.db.execute(f"SELECT count(*) FROM groups g WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT group_id, name FROM groups g WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    groups = [{"GroupId": row["group_id"], "GroupName": row["name"]} for row in rows]
    return {"Data": {"DeviceGroup": groups}, **_paged(page, total)}


def _group_of_type(call: Call) -> sqlite3.Row:
    """The group named, if it is of the type asked for."""
    if call.params.get("GroupType") == DYNAMIC:
        raise ServiceError("iot.group.NotExistedGroup", "The dynamic group does not exist.")
    return group_of(call)


def _paged(page: Page, total: int) -> dict[str, int]:
    return {
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


OPERATIONS: dict[str, Handler] = {
    "CreateDeviceGroup": create_device_group,
    "UpdateDeviceGroup": update_device_group,
    "DeleteDeviceGroup": delete_device_group,
    "QueryDeviceGroupInfo": query_device_group_info,
    "QueryDeviceGroupList": query_device_group_list,
    "QuerySuperDeviceGroup": query_super_device_group,
    "BatchAddDeviceGroupRelations": batch_add_device_group_relations,
    "BatchDeleteDeviceGroupRelations": batch_delete_device_group_relations,
    "QueryDeviceGroupByDevice": query_device_group_by_device,
    "QueryDeviceListByDeviceGroup": query_device_list_by_device_group,
    "SetDeviceGroupTags": set_device_group_tags,
    "QueryDeviceGroupTagList": query_device_group_tag_list,
    "QueryDeviceGroupByTags": query_device_group_by_tags,
}
