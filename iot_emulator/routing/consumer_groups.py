"""Consumer groups, which receive the messages of AMQP subscriptions and of rules.

Every account and instance has the platform's group `DEFAULT_GROUP`, which cannot be changed or deleted. It has a row
only after its position was reset.

`clients` is the number of simulated clients of a group. A group created with the API has none, so its messages accumulate
until the position is reset.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc, random_text
from iot_emulator.paging import read_page
from iot_emulator.routing.traffic import Flow, Receivers, calculate_status, find_flows

SCHEMA = """
CREATE TABLE IF NOT EXISTS consumer_groups (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    group_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    position INTEGER NOT NULL,
    clients INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, instance, group_id),
    UNIQUE (account, instance, name)
);
"""

DEFAULT, DEFAULT_NAME = "DEFAULT_GROUP", "Default_Group"
DEFAULT_CREATED = 1_516_406_400_000  # 2018-01-20, the day of this API's version
MAX_GROUPS = 1000  # of an account (iot.consumer.group.ConsumerGroupExceedLimit)


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group. Messages before `position` (ms) are not delivered any more."""

    group_id: str
    name: str
    created: int
    position: int
    clients: int


_DEFAULT_GROUP = Group(DEFAULT, DEFAULT_NAME, DEFAULT_CREATED, DEFAULT_CREATED, 0)


def find_consumer_group(call: Call, group_id: str | None = None) -> Group:
    """Return a group, by default the one that `GroupId` names. Raises `iot.consumer.group.ConsumerGroupNotExist`."""
    key = group_id if group_id is not None else call.params["GroupId"]
    row = call.db.execute(
        "SELECT * FROM consumer_groups WHERE account = ? AND instance = ? AND group_id = ?",
        (call.account, call.instance, key),
    ).fetchone()
    if row is not None:
        return _to_group(row)
    if key == DEFAULT:
        return _DEFAULT_GROUP
    raise ServiceError("iot.consumer.group.ConsumerGroupNotExist", "The consumer group does not exist.")


def _to_group(row: sqlite3.Row) -> Group:
    return Group(row["group_id"], row["name"], row["created"], row["position"], row["clients"])


def _list_groups(call: Call) -> list[Group]:
    """Return all groups, newest first, with the platform's group at the end."""
    rows = call.db.execute(
        "SELECT * FROM consumer_groups WHERE account = ? AND instance = ? AND group_id <> ?"
        " ORDER BY created DESC, id DESC",
        (call.account, call.instance, DEFAULT),
    )
    return [*map(_to_group, rows), _DEFAULT_GROUP]


def create_consumer_group(call: Call) -> dict[str, Any]:
    """CreateConsumerGroup."""
    name = call.params["GroupName"]
    groups = _list_groups(call)
    if len(groups) > MAX_GROUPS:
        raise ServiceError(
            "iot.consumer.group.ConsumerGroupExceedLimit",
            f"An account can have at most {MAX_GROUPS:,} groups.",
        )
    _check_name_is_unique(groups, name)
    group_id = f"{random_text(20)}000100"
    call.db.execute(
        "INSERT INTO consumer_groups (account, instance, group_id, name, created, position) VALUES (?,?,?,?,?,?)",
        (call.account, call.instance, group_id, name, call.now, call.now),
    )
    return {"GroupId": group_id}


def update_consumer_group(call: Call) -> dict[str, Any]:
    """UpdateConsumerGroup: changes the name."""
    group = _find_changeable_group(call)
    name = call.params["NewGroupName"]
    _check_name_is_unique([other for other in _list_groups(call) if other.group_id != group.group_id], name)
    call.db.execute(
        "UPDATE consumer_groups SET name = ? WHERE account = ? AND instance = ? AND group_id = ?",
        (name, call.account, call.instance, group.group_id),
    )
    return {}


def query_consumer_group_by_group_id(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupByGroupId."""
    return {"Data": _describe_group(find_consumer_group(call))}


def query_consumer_group_list(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupList: all groups, or with Fuzzy those whose names contain GroupName."""
    page = read_page(call)
    part = call.params["GroupName"] if call.params.get("Fuzzy") else ""
    groups = [group for group in _list_groups(call) if part.lower() in group.name.lower()]
    return {
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(len(groups)),
        "Total": len(groups),
        "Data": {
            "ConsumerGroupDTO": [
                _describe_group(group) for group in groups[page.offset : page.offset + page.size]
            ]
        },
    }


def _describe_group(group: Group) -> dict[str, Any]:
    return {"GroupId": group.group_id, "GroupName": group.name, "CreateTime": format_utc(group.created)}


def query_consumer_group_status(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupStatus: connected clients, messages per minute, and accumulated messages."""
    group = find_consumer_group(call)
    flows: list[Flow] = find_flows(call.db, call.account, call.instance, group.group_id)
    status = calculate_status(Receivers(group.group_id, group.clients, group.position), flows, call.now)
    response: dict[str, Any] = {
        "AccumulationCount": status.accumulated,
        "ConsumerSpeed": status.realtime_rate + status.backlog_rate,
        "RealTimeConsumeCountPerMinute": status.realtime_rate,
        "AccumulatedConsumeCountPerMinute": status.backlog_rate,
        "ClientConnectionStatusList": {
            "ConsumerGroupClientConnectionInfo": [
                {
                    "ClientId": client.client_id,
                    "ClientIpPort": client.address,
                    "OnlineTime": client.since,
                    "RealTimeConsumeCountPerMinute": client.realtime_rate,
                    "AccumulatedConsumeCountPerMinute": client.backlog_rate,
                }
                for client in status.clients
            ]
        },
    }
    if status.last_consumed is not None:
        response["LastConsumerTime"] = format_utc(status.last_consumed)
    return response


def reset_consumer_group_position(call: Call) -> dict[str, Any]:
    """ResetConsumerGroupPosition: drops the accumulated messages."""
    group = find_consumer_group(call)
    call.db.execute(
        "INSERT INTO consumer_groups (account, instance, group_id, name, created, position) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (account, instance, group_id) DO UPDATE SET position = excluded.position",
        (call.account, call.instance, group.group_id, group.name, group.created, call.now),
    )
    return {}


def delete_consumer_group(call: Call) -> dict[str, Any]:
    """DeleteConsumerGroup. Refused while a subscription or an action of a rule uses the group."""
    group = _find_changeable_group(call)
    in_use = call.db.execute(
        "SELECT 1 FROM subscription_groups g JOIN products p USING (product_key)"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?"
        " UNION ALL SELECT 1 FROM rule_actions WHERE group_id = ? LIMIT 1",
        (group.group_id, call.account, call.instance, group.group_id),
    ).fetchone()
    if in_use:
        raise ServiceError(
            "iot.consumer.group.DeleteConsumerGroupFailed",
            "A subscription or a rule uses the group. Remove it from there first.",
        )
    call.db.execute(
        "DELETE FROM consumer_groups WHERE account = ? AND instance = ? AND group_id = ?",
        (call.account, call.instance, group.group_id),
    )
    return {}


def _find_changeable_group(call: Call) -> Group:
    group = find_consumer_group(call)
    if group.group_id == DEFAULT:
        raise ServiceError(
            "iot.consumer.group.ChangeDefaultConsumerGroupNotAllowed", "The default group cannot be changed."
        )
    return group


def _check_name_is_unique(groups: list[Group], name: str) -> None:
    if any(group.name == name for group in groups):
        raise ServiceError("iot.consumer.group.ConsumerGroupNameExisted", "Another group has this name.")


OPERATIONS: dict[str, Handler] = {
    "CreateConsumerGroup": create_consumer_group,
    "UpdateConsumerGroup": update_consumer_group,
    "QueryConsumerGroupByGroupId": query_consumer_group_by_group_id,
    "QueryConsumerGroupList": query_consumer_group_list,
    "QueryConsumerGroupStatus": query_consumer_group_status,
    "ResetConsumerGroupPosition": reset_consumer_group_position,
    "DeleteConsumerGroup": delete_consumer_group,
}
