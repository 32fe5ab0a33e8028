"""Device groups: a tree of three levels. A group has tags, and contains devices of any product.

All groups are static. Dynamic groups, whose members match an expression (`LINK_PLATFORM_DYNAMIC`), cannot be created
with this version of the API, so a query for them finds nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc, random_text
from iot_emulator.lookups import find_device, find_group
from iot_emulator.paging import Page, read_page

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
MAX_TAGS = 100  # of a group
STATIC, DYNAMIC = "LINK_PLATFORM", "LINK_PLATFORM_DYNAMIC"
_TAG_KEY = re.compile(r"[A-Za-z0-9.]{2,30}")
_TAG_VALUE = re.compile(r"[\w-]{1,128}")


def create_device_group(call: Call) -> dict[str, Any]:
    """CreateDeviceGroup: a top-level group, or a subgroup of a group on the first or second level."""
    name, description = call.params["GroupName"], call.params.get("GroupDesc", "")
    owner = (call.account, call.instance)
    parent, level = call.params.get("SuperGroupId") or "", 1
    if parent:
        level = find_group(call, parent)["level"] + 1
        if level > MAX_LEVELS:
            raise ServiceError(
                "iot.group.GroupLevelExceedingLimitError", "Groups can have at most three levels."
            )
        (count,) = call.db.execute(
            "SELECT count(*) FROM groups WHERE account = ? AND instance = ? AND parent = ?", (*owner, parent)
        ).fetchone()
        if count >= MAX_SUBGROUPS:
            raise ServiceError("iot.group.GroupCountExceedMax", "A group can have at most 100 subgroups.")
    existing = call.db.execute(
        "SELECT 1 FROM groups WHERE account = ? AND instance = ? AND name = ?", (*owner, name)
    ).fetchone()
    if existing:
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
            "UtcCreate": format_utc(call.now),
        }
    }


def update_device_group(call: Call) -> dict[str, Any]:
    """UpdateDeviceGroup: changes the description. The name cannot be changed."""
    group = _find_group_of_type(call)
    if "GroupDesc" in call.params:
        call.db.execute(
            "UPDATE groups SET description = ? WHERE id = ?", (call.params["GroupDesc"], group["id"])
        )
    return {}


def delete_device_group(call: Call) -> dict[str, Any]:
    """DeleteDeviceGroup: keeps its devices. Refused while the group has subgroups."""
    group = find_group(call)
    subgroup = call.db.execute(
        "SELECT 1 FROM groups WHERE account = ? AND instance = ? AND parent = ?",
        (call.account, call.instance, group["group_id"]),
    ).fetchone()
    if subgroup:
        raise ServiceError("iot.group.SubGroupNotNull", "The group has subgroups. Delete them first.")
    call.db.execute("DELETE FROM groups WHERE id = ?", (group["id"],))
    return {}


def query_device_group_info(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupInfo: with the number of devices."""
    group = _find_group_of_type(call)
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
            "UtcCreate": format_utc(group["created"]),
            "DeviceCount": total,
            "DeviceActive": active,
            "DeviceOnline": online,
        }
    }


def query_device_group_list(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupList: newest first; the subgroups of a group, by default the top-level groups.

    With a part of the name, groups of all levels. The response does not contain the parent of a group, so a client can
    build the tree only from the top-level groups down.
    """
    page = read_page(call)
    where, values = "account = ? AND instance = ?", [call.account, call.instance]
    if call.params.get("SuperGroupId"):
        where, values = (
            where + " AND parent = ?",
            [*values, find_group(call, call.params["SuperGroupId"])["group_id"]],
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
        "Data": {"GroupInfo": [_describe_group(row) for row in rows]},
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _describe_group(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "GroupId": row["group_id"],
        "GroupName": row["name"],
        "GroupDesc": row["description"],
        "GroupType": STATIC,
        "UtcCreate": format_utc(row["created"]),
    }


def query_super_device_group(call: Call) -> dict[str, Any]:
    """QuerySuperDeviceGroup: the parent group; an empty list for a top-level group."""
    group = find_group(call)
    parents = [find_group(call, group["parent"])] if group["parent"] else []
    return {
        "Data": {
            "GroupInfo": [
                {"GroupId": row["group_id"], "GroupName": row["name"], "GroupDesc": row["description"]}
                for row in parents
            ]
        }
    }


def batch_add_device_group_relations(call: Call) -> dict[str, Any]:
    """BatchAddDeviceGroupRelations: up to 200 devices. Devices that cannot be added are counted, not refused."""
    group_id = find_group(call)["group_id"]
    devices = _read_iot_ids(call)
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
        "ErrorMessage": f"Devices added: {added}. Devices not added: {failed}.",
        "ValidDeviceCount": len(devices),
        "SuccessAddedDeviceCount": added,
        "AlreadyRelatedGroupDeviceCount": already,
        "ExceedTenGroupDeviceCount": full,
    }


def batch_delete_device_group_relations(call: Call) -> dict[str, Any]:
    """BatchDeleteDeviceGroupRelations: up to 200 devices. Devices that are not in the group are ignored."""
    group_id = find_group(call)["group_id"]
    devices = _read_iot_ids(call)
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


def _read_iot_ids(call: Call) -> list[str]:
    """Return the IotIds of those devices in `Device` that exist, without duplicates."""
    iot_ids: dict[str, None] = {}
    for item in call.params["Device"]:
        row = call.db.execute(
            "SELECT iot_id FROM devices WHERE product_key = ? AND name = ? AND account = ? AND instance = ?",
            (item.get("ProductKey"), item.get("DeviceName"), call.account, call.instance),
        ).fetchone()
        if row:
            iot_ids[row["iot_id"]] = None
    return list(iot_ids)


def query_device_group_by_device(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupByDevice: the groups of a device, newest first."""
    device = find_device(call)
    rows = call.db.execute(
        "SELECT g.* FROM group_devices d JOIN groups g ON g.group_id = d.group_id WHERE d.iot_id = ?"
        " ORDER BY g.id DESC",
        (device["iot_id"],),
    )
    return {"GroupInfos": {"GroupInfo": [_describe_group(row) for row in rows]}}


def query_device_list_by_device_group(call: Call) -> dict[str, Any]:
    """QueryDeviceListByDeviceGroup: the devices of a group, newest first."""
    group_id, page = find_group(call)["group_id"], read_page(call)
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
    return {"Data": {"SimpleDeviceInfo": devices}, **_page_fields(page, total)}


def set_device_group_tags(call: Call) -> dict[str, Any]:
    """SetDeviceGroupTags: replaces all tags of the group. Without TagString, all tags are removed."""
    group_id = _find_group_of_type(call)["group_id"]
    tags = _read_tags(call.params.get("TagString") or "[]")
    if len(tags) > MAX_TAGS:
        raise ServiceError("iot.group.TagCountExceedMax", "A group can have at most 100 tags.")
    call.db.execute("DELETE FROM group_tags WHERE group_id = ?", (group_id,))
    call.db.executemany(
        "INSERT INTO group_tags VALUES (?, ?, ?)", [(group_id, key, value) for key, value in tags.items()]
    )
    return {}


def _read_tags(text: str) -> dict[str, str]:
    """Parse `[{"tagKey": …, "tagValue": …}, …]`. Raises `iot.group.InvalidFormattedTagString`."""
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
                "TagString must be a JSON list of objects with tagKey (2 to 30 characters: letters, digits, .)"
                " and tagValue (1 to 128 characters: letters, digits, _ -).",
            )
        tags[key] = value
    return tags


def query_device_group_tag_list(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupTagList."""
    rows = call.db.execute(
        "SELECT key, value FROM group_tags WHERE group_id = ? ORDER BY key",
        (_find_group_of_type(call)["group_id"],),
    )
    return {"Data": {"GroupTagInfo": [{"TagKey": row["key"], "TagValue": row["value"]} for row in rows]}}


def query_device_group_by_tags(call: Call) -> dict[str, Any]:
    """QueryDeviceGroupByTags: groups that have all of the tags, newest first."""
    page = read_page(call)
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
    return {"Data": {"DeviceGroup": groups}, **_page_fields(page, total)}


def _find_group_of_type(call: Call) -> sqlite3.Row:
    """Return the group if it has the type `GroupType`; there are no dynamic groups."""
    if call.params.get("GroupType") == DYNAMIC:
        raise ServiceError("iot.group.NotExistedGroup", "The dynamic group does not exist.")
    return find_group(call)


def _page_fields(page: Page, total: int) -> dict[str, int]:
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
