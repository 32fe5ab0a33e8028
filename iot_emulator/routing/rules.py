"""Forwarding rules: topic, SQL and status. Actions of rules are in actions.py."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_gmt, format_utc
from iot_emulator.lookups import find_product
from iot_emulator.paging import read_page
from iot_emulator.routing.sources import (
    NONE,
    SYSTEM,
    Source,
    check_source_exists,
    parse_short_topic,
    parse_topic,
)
from iot_emulator.routing.sql import check_select, check_where

# When a product is deleted, its rules lose their topic and stop.
SCHEMA = """
CREATE TABLE IF NOT EXISTS rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    data_type TEXT NOT NULL DEFAULT 'JSON',
    product_key TEXT NOT NULL DEFAULT '',
    short_topic TEXT NOT NULL DEFAULT '',
    topic TEXT NOT NULL DEFAULT '',
    topic_type INTEGER NOT NULL DEFAULT -1,
    "select" TEXT NOT NULL DEFAULT '',
    "where" TEXT NOT NULL DEFAULT '',
    resource_group_id TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'STOP',
    started INTEGER,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (account, instance, name)
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'rules', 99999
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'rules');
CREATE INDEX IF NOT EXISTS rules_owner ON rules (account, instance, created, id);
CREATE INDEX IF NOT EXISTS rules_product ON rules (product_key);
CREATE TRIGGER IF NOT EXISTS products_leave_rules AFTER DELETE ON products BEGIN
    UPDATE rules SET product_key = '', short_topic = '', topic = '', topic_type = -1, status = 'STOP', started = NULL
        WHERE product_key = old.product_key;
END;
"""

MAX_RULES = 1000  # of an account (iot.rule.RuleCountExceedMax)
RUNNING, STOPPED = "RUNNING", "STOP"
BINARY = "BINARY"


def create_rule(call: Call) -> dict[str, Any]:
    """CreateRule: only the name is required, the rest can be set by UpdateRule. A new rule is stopped."""
    params = call.params
    owner = (call.account, call.instance)
    _check_name_is_unique(call, params["Name"])
    (count,) = call.db.execute(
        "SELECT count(*) FROM rules WHERE account = ? AND instance = ?", owner
    ).fetchone()
    if count >= MAX_RULES:
        raise ServiceError("iot.rule.RuleCountExceedMax", f"An account can have at most {MAX_RULES:,} rules.")
    data_type = params.get("DataType") or "JSON"
    source = _read_source(call, None)
    _check_sql(source, data_type, params.get("Select", ""), params.get("Where", ""))
    cursor = call.db.execute(
        "INSERT INTO rules (account, instance, name, description, data_type, resource_group_id, created, modified)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (
            *owner,
            params["Name"],
            params.get("RuleDesc", ""),
            data_type,
            params.get("ResourceGroupId", ""),
            call.now,
            call.now,
        ),
    )
    rule_id = cursor.lastrowid or 0
    _set_sql(call, rule_id, source, params.get("Select", ""), params.get("Where", ""))
    return {"RuleId": rule_id}


def update_rule(call: Call) -> dict[str, Any]:
    """UpdateRule: changes the parameters that are sent. A running rule continues to run, so it must keep its SQL."""
    params = call.params
    row = find_rule(call)
    if params.get("Name"):
        _check_name_is_unique(call, params["Name"], except_id=row["id"])
    source = _read_source(call, row)
    select, where = params.get("Select", row["select"]), params.get("Where", row["where"])
    _check_sql(source, row["data_type"], select, where)
    if row["status"] == RUNNING and (source is None or not select.strip()):
        raise ServiceError(
            "iot.rule.NullSqlForRule", "A running rule must have a topic and a SELECT. Stop the rule first."
        )
    call.db.execute(
        "UPDATE rules SET name = ?, description = ? WHERE id = ?",
        (params.get("Name") or row["name"], params.get("RuleDesc", row["description"]), row["id"]),
    )
    _set_sql(call, row["id"], source, select, where)
    return {}


def get_rule(call: Call) -> dict[str, Any]:
    """GetRule."""
    row = find_rule(call)
    return {"RuleInfo": {**_describe_rule(row), "TopicType": row["topic_type"]}}


def list_rule(call: Call) -> dict[str, Any]:
    """ListRule: newest first."""
    page = read_page(call)
    where, values = "account = ? AND instance = ?", [call.account, call.instance]
    if call.params.get("ResourceGroupId"):
        where += " AND resource_group_id = ?"
        values.append(call.params["ResourceGroupId"])
    (total,) = call.db.execute(f"SELECT count(*) FROM rules WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM rules WHERE {where} ORDER BY created DESC, id DESC LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "Data": {"RuleInfo": [_describe_rule(row) for row in rows]},
        "Page": page.number,
        "PageSize": page.size,
        "Total": total,
    }


def delete_rule(call: Call) -> dict[str, Any]:
    """DeleteRule: also deletes its actions."""
    call.db.execute("DELETE FROM rules WHERE id = ?", (find_rule(call)["id"],))
    return {}


def start_rule(call: Call) -> dict[str, Any]:
    """StartRule: the rule must have a topic, a SELECT and an action."""
    row = find_rule(call)
    if row["status"] == RUNNING:
        raise ServiceError("iot.ruleng.RuleAlreadyIsStarted", "The rule is already running.")
    if row["topic_type"] == NONE or not row["select"].strip():
        raise ServiceError("iot.rule.NullSqlForRule", "The rule must have a topic and a SELECT.")
    if call.db.execute("SELECT 1 FROM rule_actions WHERE rule = ? LIMIT 1", (row["id"],)).fetchone() is None:
        raise ServiceError("iot.rule.NullForwardDestForRule", "The rule has no action.")
    call.db.execute("UPDATE rules SET status = ?, started = ? WHERE id = ?", (RUNNING, call.now, row["id"]))
    return {}


def stop_rule(call: Call) -> dict[str, Any]:
    """StopRule. Stopping a stopped rule changes nothing."""
    call.db.execute(
        "UPDATE rules SET status = ?, started = NULL WHERE id = ?", (STOPPED, find_rule(call)["id"])
    )
    return {}


def find_rule(call: Call) -> sqlite3.Row:
    """Return the rule that RuleId names. Raises `iot.rule.NotFoundRule`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM rules WHERE id = ? AND account = ? AND instance = ?",
        (call.params["RuleId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.rule.NotFoundRule", "The rule does not exist.")
    return row


def user_id(account: str) -> int:
    """Return the number of an account for rules and actions: 16 digits, always the same."""
    return 10**15 + int(hashlib.sha256(account.encode()).hexdigest(), 16) % (9 * 10**15)


def _read_source(call: Call, rule: sqlite3.Row | None) -> Source | None:
    """Return the topic of a rule after this call: the full topic or the parts that were sent, else the present topic."""
    params = call.params
    if params.get("Topic"):
        source = parse_topic(params["Topic"])
    else:
        is_sent = any(
            params.get(name) not in (None, "") for name in ("ProductKey", "ShortTopic", "TopicType")
        )
        product_key = params.get("ProductKey") or (rule["product_key"] if rule else "")
        short = params.get("ShortTopic") or (rule["short_topic"] if rule else "")
        if not is_sent:
            return (
                None
                if not short
                else parse_short_topic(product_key, short, rule["topic_type"] if rule else None)
            )
        if product_key:
            find_product(call, product_key)
        if not short:
            return None
        if not product_key:
            raise ServiceError("iot.prod.NullProductKey", "ShortTopic requires ProductKey.")
        source = parse_short_topic(product_key, short, params.get("TopicType"))
    check_source_exists(call, source)
    return source


def _check_sql(source: Source | None, data_type: str, select: str, where: str) -> None:
    """Raise an error for invalid SQL, and for a topic that cannot have the data type."""
    binary = data_type == BINARY
    if binary and source is not None and source.topic_type == SYSTEM:
        raise ServiceError(
            "iot.ruleng.IncorrectType",
            "A rule for binary data must use a custom topic, not a basic or thing model topic.",
        )
    if select.strip():
        check_select(select, binary)
    if where.strip():
        check_where(where, binary)


def _set_sql(call: Call, rule_id: int, source: Source | None, select: str, where: str) -> None:
    if source is not None:
        topic = (source.product_key, source.short_topic, source.topic, source.topic_type)
    else:
        topic = (call.params.get("ProductKey", ""), "", "", NONE)
    call.db.execute(
        'UPDATE rules SET product_key = ?, short_topic = ?, topic = ?, topic_type = ?, "select" = ?,'
        ' "where" = ?, modified = ? WHERE id = ?',
        (*topic, select, where, call.now, rule_id),
    )


def _describe_rule(row: sqlite3.Row) -> dict[str, Any]:
    rule = {
        "Id": row["id"],
        "Name": row["name"],
        "Status": row["status"],
        "DataType": row["data_type"],
        "CreateUserId": user_id(row["account"]),
        "Created": _format_cst(row["created"]),
        "Modified": _format_cst(row["modified"]),
        "UtcCreated": format_utc(row["created"]),
        "UtcModified": format_utc(row["modified"]),
    }
    for field, column in (
        ("RuleDesc", "description"),
        ("ProductKey", "product_key"),
        ("ShortTopic", "short_topic"),
        ("Topic", "topic"),
        ("Select", "select"),
        ("Where", "where"),
    ):
        if row[column]:
            rule[field] = row[column]
    return rule


def _format_cst(ms: int) -> str:
    """`Thu Feb 28 14:14:33 CST 2019`, in the time zone of the platform's main region (UTC+8)."""
    day, date, time, _ = format_gmt(ms + 8 * 3_600_000).split()
    number, month, year = date.split("-")
    return f"{day[:3]} {month} {number} {time} CST {year}"


def _check_name_is_unique(call: Call, name: str, except_id: int = 0) -> None:
    other = call.db.execute(
        "SELECT 1 FROM rules WHERE account = ? AND instance = ? AND name = ? AND id <> ?",
        (call.account, call.instance, name, except_id),
    ).fetchone()
    if other:
        raise ServiceError("iot.rule.RuleNameIsAlreadyExisted", "Another rule has this name.")


OPERATIONS: dict[str, Handler] = {
    "CreateRule": create_rule,
    "UpdateRule": update_rule,
    "GetRule": get_rule,
    "ListRule": list_rule,
    "DeleteRule": delete_rule,
    "StartRule": start_rule,
    "StopRule": stop_rule,
}
