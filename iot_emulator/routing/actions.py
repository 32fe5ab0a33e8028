"""Actions of rules: the destinations to which a rule forwards messages."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.routing.configurations import parse_configuration
from iot_emulator.routing.rules import BINARY, find_rule, user_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS rule_actions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule INTEGER NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    configuration TEXT NOT NULL,
    group_id TEXT,
    for_errors INTEGER NOT NULL DEFAULT 0
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'rule_actions', 100000
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'rule_actions');
CREATE INDEX IF NOT EXISTS rule_actions_rule ON rule_actions (rule, id);
CREATE INDEX IF NOT EXISTS rule_actions_group ON rule_actions (group_id) WHERE group_id IS NOT NULL;
"""

MAX_ACTIONS = 10  # of a rule (CreateRuleAction)
_NOT_FOR_BINARY = frozenset({"OTS"})  # types that do not accept binary data (CreateRuleAction)
_NOT_FOR_ERRORS = frozenset(
    {"REPUBLISH", "OTS"}
)  # types that do not accept error data (…IncorrectActionTypeForError)


def create_rule_action(call: Call) -> dict[str, Any]:
    """CreateRuleAction: up to ten actions per rule. One can be for error data, which other actions failed to forward."""
    rule = find_rule(call)
    action_type = call.params["Type"]
    for_errors = bool(call.params.get("ErrorActionFlag"))
    others = _list_actions(call.db, rule["id"])
    if len(others) >= MAX_ACTIONS:
        raise ServiceError("iot.rule.TooManyRuleAction", f"A rule can have at most {MAX_ACTIONS} actions.")
    if for_errors and action_type in _NOT_FOR_ERRORS:
        raise ServiceError(
            "iot.ruleng.IncorrectActionTypeForError", "This type of action cannot forward error data."
        )
    if for_errors and any(other["for_errors"] for other in others):
        raise ServiceError(
            "iot.ruleng.OnlyAllowOneErrorAction", "The rule already has an action for error data."
        )
    configuration, group_id = _read_configuration(call, rule, action_type)
    _check_action_is_new(others, action_type, configuration, for_errors)
    action_id = call.db.execute(
        "INSERT INTO rule_actions (rule, type, configuration, group_id, for_errors) VALUES (?,?,?,?,?)",
        (rule["id"], action_type, configuration, group_id, for_errors),
    ).lastrowid
    return {"ActionId": action_id}


def update_rule_action(call: Call) -> dict[str, Any]:
    """UpdateRuleAction: replaces the type and the whole configuration."""
    action = find_action(call)
    action_type = call.params["Type"]
    if action["for_errors"] and action_type in _NOT_FOR_ERRORS:
        raise ServiceError(
            "iot.ruleng.IncorrectActionTypeForError", "This type of action cannot forward error data."
        )
    configuration, group_id = _read_configuration(call, action, action_type)
    others = [other for other in _list_actions(call.db, action["rule"]) if other["id"] != action["id"]]
    _check_action_is_new(others, action_type, configuration, bool(action["for_errors"]))
    call.db.execute(
        "UPDATE rule_actions SET type = ?, configuration = ?, group_id = ? WHERE id = ?",
        (action_type, configuration, group_id, action["id"]),
    )
    return {}


def get_rule_action(call: Call) -> dict[str, Any]:
    """GetRuleAction."""
    return {"RuleActionInfo": _describe_action(find_action(call))}


def list_rule_actions(call: Call) -> dict[str, Any]:
    """ListRuleActions: in the order of their creation. The status of an action is the status of its rule."""
    rule = find_rule(call)
    return {
        "RuleActionList": {
            "RuleActionInfo": [
                {**_describe_action(row), "Status": rule["status"]}
                for row in _list_actions(call.db, rule["id"])
            ]
        }
    }


def delete_rule_action(call: Call) -> dict[str, Any]:
    """DeleteRuleAction."""
    call.db.execute("DELETE FROM rule_actions WHERE id = ?", (find_action(call)["id"],))
    return {}


def find_action(call: Call) -> sqlite3.Row:
    """Return the action that ActionId names, with the `data_type` of its rule. Raises `iot.rule.NotFoundRuleAction`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT a.*, r.data_type FROM rule_actions a JOIN rules r ON r.id = a.rule"
        " WHERE a.id = ? AND r.account = ? AND r.instance = ?",
        (call.params["ActionId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.rule.NotFoundRuleAction", "The rule action does not exist.")
    return row


def _read_configuration(call: Call, rule: sqlite3.Row, action_type: str) -> tuple[str, str | None]:
    """Return the configuration to store, with the account's number, and the ID of its consumer group (AMQP only)."""
    if rule["data_type"] == BINARY and action_type in _NOT_FOR_BINARY:
        raise ServiceError(
            "iot.rule.IncorrentRuleActionType", "This type of action cannot forward binary data."
        )
    config = parse_configuration(call, action_type, call.params["Configuration"])
    config["uid"] = str(user_id(call.account))
    return (
        json.dumps(config, ensure_ascii=False, separators=(",", ":")),
        config["groupId"] if action_type == "AMQP" else None,
    )


def _check_action_is_new(
    others: list[sqlite3.Row], action_type: str, configuration: str, for_errors: bool
) -> None:
    new = (action_type, configuration, for_errors)
    if any((other["type"], other["configuration"], bool(other["for_errors"])) == new for other in others):
        raise ServiceError("iot.rule.RuleActionIsAlreadyCreated", "The rule already has this action.")


def _list_actions(db: sqlite3.Connection, rule_id: int) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM rule_actions WHERE rule = ? ORDER BY id", (rule_id,)).fetchall()


def _describe_action(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "RuleId": row["rule"],
        "Type": row["type"],
        "Configuration": row["configuration"],
        "ErrorActionFlag": bool(row["for_errors"]),
    }


OPERATIONS: dict[str, Handler] = {
    "CreateRuleAction": create_rule_action,
    "UpdateRuleAction": update_rule_action,
    "GetRuleAction": get_rule_action,
    "ListRuleActions": list_rule_actions,
    "DeleteRuleAction": delete_rule_action,
}
