"""Consumer groups: who receives the messages of AMQP subscriptions and of rules.

Every account and instance has the platform's own group `DEFAULT_GROUP`, which cannot be changed or deleted. It is
stored once something about it has to be remembered.

`clients` is how many simulated programs receive for a group. A group made by the API has none: nobody has written
the program yet, so its messages pile up until the position is reset.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.formats import random_text, utc
from console.emulator.paging import page_of
from console.emulator.routing.traffic import Flow, Receivers, flows_to, status_of

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
    """A consumer group. Messages before `position` (ms) are no longer wanted."""

    group_id: str
    name: str
    created: int
    position: int
    clients: int


_DEFAULT_GROUP = Group(DEFAULT, DEFAULT_NAME, DEFAULT_CREATED, DEFAULT_CREATED, 0)


def group_of(call: Call, group_id: str | None = None) -> Group:
    """The group named (by `GroupId` unless given); raises `iot.consumer.group.ConsumerGroupNotExist`."""
    wanted = group_id if group_id is not None else call.params["GroupId"]
    row = call.db.execute(
        "SELECT * FROM consumer_groups WHERE account = ? AND instance = ? AND group_id = ?",
        (call.account, call.instance, wanted),
    ).fetchone()
    if row is not None:
        return _group(row)
    if wanted == DEFAULT:
        return _DEFAULT_GROUP
    raise ServiceError("iot.consumer.group.ConsumerGroupNotExist", "The consumer group does not exist.")


def _group(row: sqlite3.Row) -> Group:
    return Group(row["group_id"], row["name"], row["created"], row["position"], row["clients"])


def _groups(call: Call) -> list[Group]:
    """All groups, newest first; the platform's own comes last."""
    rows = call.db.execute(
        "SELECT * FROM consumer_groups WHERE account = ? AND instance = ? AND group_id <> ?"
        " ORDER BY created DESC, id DESC",
        (call.account, call.instance, DEFAULT),
    )
    return [*map(_group, rows), _DEFAULT_GROUP]


def create_consumer_group(call: Call) -> dict[str, Any]:
    """CreateConsumerGroup."""
    name = call.params["GroupName"]
    groups = _groups(call)
    if len(groups) > MAX_GROUPS:
        raise ServiceError(
            "iot.consumer.group.ConsumerGroupExceedLimit", f"An account can have at most {MAX_GROUPS} groups."
        )
    _refuse_taken_name(groups, name)
    group_id = f"{random_text(20)}000100"
    call.db.execute(
        "INSERT INTO consumer_groups (account, instance, group_id, name, created, position) VALUES (?,?,?,?,?,?)",
        (call.account, call.instance, group_id, name, call.now, call.now),
    )
    return {"GroupId": group_id}


def update_consumer_group(call: Call) -> dict[str, Any]:
    """UpdateConsumerGroup: its name."""
    group = _changeable(call)
    name = call.params["NewGroupName"]
    _refuse_taken_name([other for other in _groups(call) if other.group_id != group.group_id], name)
    call.db.execute(
        "UPDATE consumer_groups SET name = ? WHERE account = ? AND instance = ? AND group_id = ?",
        (name, call.account, call.instance, group.group_id),
    )
    return {}


def query_consumer_group_by_group_id(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupByGroupId."""
    return {"Data": _listed(group_of(call))}


def query_consumer_group_list(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupList: all, or with Fuzzy those whose name contains GroupName."""
    page = page_of(call)
    part = call.params["GroupName"] if call.params.get("Fuzzy") else ""
    found = [group for group in _groups(call) if part.lower() in group.name.lower()]
    return {
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(len(found)),
        "Total": len(found),
        "Data": {
            "ConsumerGroupDTO": [_listed(group) for group in found[page.offset : page.offset + page.size]]
        },
    }


def _listed(group: Group) -> dict[str, Any]:
    return {"GroupId": group.group_id, "GroupName": group.name, "CreateTime": utc(group.created)}


def query_consumer_group_status(call: Call) -> dict[str, Any]:
    """QueryConsumerGroupStatus: who is connected, how fast messages go, how many are waiting."""
    group = group_of(call)
    flows: list[Flow] = flows_to(call.db, call.account, call.instance, group.group_id)
    status = status_of(Receivers(group.group_id, group.clients, group.position), flows, call.now)
    answer: dict[str, Any] = {
        "AccumulationCount": status.waiting,
        "ConsumerSpeed": status.live + status.catching_up,
        "RealTimeConsumeCountPerMinute": status.live,
        "AccumulatedConsumeCountPerMinute": status.catching_up,
        "ClientConnectionStatusList": {
            "ConsumerGroupClientConnectionInfo": [
                {
                    "ClientId": client.client_id,
                    "ClientIpPort": client.address,
                    "OnlineTime": client.since,
                    "RealTimeConsumeCountPerMinute": client.live,
                    "AccumulatedConsumeCountPerMinute": client.catching_up,
                }
                for client in status.clients
            ]
        },
    }
    if status.last_consumed is not None:
        answer["LastConsumerTime"] = utc(status.last_consumed)
    return answer


def reset_consumer_group_position(call: Call) -> dict[str, Any]:
    """ResetConsumerGroupPosition: what has piled up is dropped."""
    group = group_of(call)
    call.db.execute(
        "INSERT INTO consumer_groups (account, instance, group_id, name, created, position) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT (account, instance, group_id) DO UPDATE SET position = excluded.position",
        (call.account, call.instance, group.group_id, group.name, group.created, call.now),
    )
    return {}


def delete_consumer_group(call: Call) -> dict[str, Any]:
    """DeleteConsumerGroup: refused while a subscription or a rule's action sends to it."""
    group = _changeable(call)
    in_use = call.db.execute(
        "SELECT 1 FROM subscription_groups g JOIN products p USING (product_key)"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?"
        " UNION ALL SELECT 1 FROM rule_actions WHERE group_id = ? LIMIT 1",
        (group.group_id, call.account, call.instance, group.group_id),
    ).fetchone()
    if in_use:
        raise ServiceError(
            "iot.consumer.group.DeleteConsumerGroupFailed", "A subscription or a rule sends to the group."
        )
    call.db.execute(
        "DELETE FROM consumer_groups WHERE account = ? AND instance = ? AND group_id = ?",
        (call.account, call.instance, group.group_id),
    )
    return {}


def _changeable(call: Call) -> Group:
    group = group_of(call)
    if group.group_id == DEFAULT:
        raise ServiceError(
            "iot.consumer.group.ChangeDefaultConsumerGroupNotAllowed", "The default group cannot be changed."
        )
    return group


def _refuse_taken_name(groups: list[Group], name: str) -> None:
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
