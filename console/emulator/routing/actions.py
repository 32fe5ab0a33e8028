"""Actions of rules: where the messages that a rule lets through are forwarded to."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.routing.configurations import read_configuration
from console.emulator.routing.rules import BINARY, rule_of, user_id

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
_NOT_BINARY = frozenset({"OTS"})  # cannot take binary data (CreateRuleAction)
_NOT_FOR_ERRORS = frozenset({"REPUBLISH", "OTS"})  # (iot.ruleng.IncorrectActionTypeForError)


def create_rule_action(call: Call) -> dict[str, Any]:
    """CreateRuleAction: up to ten a rule, one of them for what the others could not forward."""
    rule = rule_of(call)
    action_type = call.params["Type"]
    for_errors = bool(call.params.get("ErrorActionFlag"))
    others = _actions(call.db, rule["id"])
    if len(others) >= MAX_ACTIONS:
        raise ServiceError("iot.rule.TooManyRuleAction", f"A rule can have at most {MAX_ACTIONS} actions.")
    if for_errors and action_type in _NOT_FOR_ERRORS:
        raise ServiceError(
            "iot.ruleng.IncorrectActionTypeForError", "Error data cannot be forwarded to this service."
        )
    if for_errors and any(other["for_errors"] for other in others):
        raise ServiceError("iot.ruleng.OnlyAllowOneErrorAction", "The rule has an action for error data.")
    configuration, group_id = _read(call, rule, action_type)
    _refuse_same(others, action_type, configuration, for_errors)
    action_id = call.db.execute(
        "INSERT INTO rule_actions (rule, type, configuration, group_id, for_errors) VALUES (?,?,?,?,?)",
        (rule["id"], action_type, configuration, group_id, for_errors),
    ).lastrowid
    return {"ActionId": action_id}


def update_rule_action(call: Call) -> dict[str, Any]:
    """UpdateRuleAction: the type and the whole configuration."""
    action = action_of(call)
    action_type = call.params["Type"]
    if action["for_errors"] and action_type in _NOT_FOR_ERRORS:
        raise ServiceError(
            "iot.ruleng.IncorrectActionTypeForError", "Error data cannot be forwarded to this service."
        )
    configuration, group_id = _read(call, action, action_type)
    others = [other for other in _actions(call.db, action["rule"]) if other["id"] != action["id"]]
    _refuse_same(others, action_type, configuration, bool(action["for_errors"]))
    call.db.execute(
        "UPDATE rule_actions SET type = ?, configuration = ?, group_id = ? WHERE id = ?",
        (action_type, configuration, group_id, action["id"]),
    )
    return {}


def get_rule_action(call: Call) -> dict[str, Any]:
    """GetRuleAction."""
    return {"RuleActionInfo": _listed(action_of(call))}


def list_rule_actions(call: Call) -> dict[str, Any]:
    """ListRuleActions: in the order in which they were made. An action's status is that of its rule."""
    rule = rule_of(call)
    return {
        "RuleActionList": {
            "RuleActionInfo": [
                {**_listed(row), "Status": rule["status"]} for row in _actions(call.db, rule["id"])
            ]
        }
    }


def delete_rule_action(call: Call) -> dict[str, Any]:
    """DeleteRuleAction."""
    call.db.execute("DELETE FROM rule_actions WHERE id = ?", (action_of(call)["id"],))
    return {}


def action_of(call: Call) -> sqlite3.Row:
    """The action named by ActionId, with its rule's `data_type`; raises `iot.rule.NotFoundRuleAction`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT a.*, r.data_type FROM rule_actions a JOIN rules r ON r.id = a.rule"
        " WHERE a.id = ? AND r.account = ? AND r.instance = ?",
        (call.params["ActionId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.rule.NotFoundRuleAction", "The rule action does not exist.")
    return row


def _read(call: Call, rule: sqlite3.Row, action_type: str) -> tuple[str, str | None]:
    """The configuration as it is kept (it carries the account's number), and the consumer group it names."""
    if rule["data_type"] == BINARY and action_type in _NOT_BINARY:
        raise ServiceError("iot.rule.IncorrentRuleActionType", "The service cannot take binary data.")
    config = read_configuration(call, action_type, call.params["Configuration"])
    config["uid"] = str(user_id(call.account))
    return (
        json.dumps(config, ensure_ascii=False, separators=(",", ":")),
        config["groupId"] if action_type == "AMQP" else None,
    )


def _refuse_same(others: list[sqlite3.Row], action_type: str, configuration: str, for_errors: bool) -> None:
    same = (action_type, configuration, for_errors)
    if any((other["type"], other["configuration"], bool(other["for_errors"])) == same for other in others):
        raise ServiceError("iot.rule.RuleActionIsAlreadyCreated", "The rule has this action already.")


def _actions(db: sqlite3.Connection, rule_id: int) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM rule_actions WHERE rule = ? ORDER BY id", (rule_id,)).fetchall()


def _listed(row: sqlite3.Row) -> dict[str, Any]:
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
