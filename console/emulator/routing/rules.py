"""Forwarding rules: a topic, the SQL over its messages, and whether the rule runs. Its actions are in actions.py."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.formats import gmt, utc
from console.emulator.lookups import product_of
from console.emulator.paging import page_of
from console.emulator.routing.sources import NONE, SYSTEM, Source, check_exists, read_parts, read_topic
from console.emulator.routing.sql import check_select, check_where

# A deleted product leaves its rules behind without a topic, so they cannot go on running.
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
    """CreateRule: everything but the name may come later, by UpdateRule. A new rule is stopped."""
    params = call.params
    owner = (call.account, call.instance)
    _refuse_taken_name(call, params["Name"])
    (count,) = call.db.execute(
        "SELECT count(*) FROM rules WHERE account = ? AND instance = ?", owner
    ).fetchone()
    if count >= MAX_RULES:
        raise ServiceError("iot.rule.RuleCountExceedMax", f"An account can have at most {MAX_RULES} rules.")
    data_type = params.get("DataType") or "JSON"
    source = _source(call, None)
    _check(source, data_type, params.get("Select", ""), params.get("Where", ""))
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
    """UpdateRule: what is sent is changed. A running rule goes on running, and so has to keep its SQL."""
    params = call.params
    row = rule_of(call)
    if params.get("Name"):
        _refuse_taken_name(call, params["Name"], but=row["id"])
    source = _source(call, row)
    select, where = params.get("Select", row["select"]), params.get("Where", row["where"])
    _check(source, row["data_type"], select, where)
    if row["status"] == RUNNING and (source is None or not select.strip()):
        raise ServiceError("iot.rule.NullSqlForRule", "A running rule needs a topic and a SELECT.")
    call.db.execute(
        "UPDATE rules SET name = ?, description = ? WHERE id = ?",
        (params.get("Name") or row["name"], params.get("RuleDesc", row["description"]), row["id"]),
    )
    _set_sql(call, row["id"], source, select, where)
    return {}


def get_rule(call: Call) -> dict[str, Any]:
    """GetRule."""
    row = rule_of(call)
    return {"RuleInfo": {**_listed(row), "TopicType": row["topic_type"]}}


def list_rule(call: Call) -> dict[str, Any]:
    """ListRule: newest first."""
    page = page_of(call)
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
        "Data": {"RuleInfo": [_listed(row) for row in rows]},
        "Page": page.number,
        "PageSize": page.size,
        "Total": total,
    }


def delete_rule(call: Call) -> dict[str, Any]:
    """DeleteRule, with its actions."""
    call.db.execute("DELETE FROM rules WHERE id = ?", (rule_of(call)["id"],))
    return {}


def start_rule(call: Call) -> dict[str, Any]:
    """StartRule: the rule needs a topic, a SELECT and an action."""
    row = rule_of(call)
    if row["status"] == RUNNING:
        raise ServiceError("iot.ruleng.RuleAlreadyIsStarted", "The rule is running.")
    if row["topic_type"] == NONE or not row["select"].strip():
        raise ServiceError("iot.rule.NullSqlForRule", "The rule needs a topic and a SELECT.")
    if call.db.execute("SELECT 1 FROM rule_actions WHERE rule = ? LIMIT 1", (row["id"],)).fetchone() is None:
        raise ServiceError("iot.rule.NullForwardDestForRule", "The rule has no action.")
    call.db.execute("UPDATE rules SET status = ?, started = ? WHERE id = ?", (RUNNING, call.now, row["id"]))
    return {}


def stop_rule(call: Call) -> dict[str, Any]:
    """StopRule; stopping twice is the same as once."""
    call.db.execute(
        "UPDATE rules SET status = ?, started = NULL WHERE id = ?", (STOPPED, rule_of(call)["id"])
    )
    return {}


def rule_of(call: Call) -> sqlite3.Row:
    """The rule named by RuleId; raises `iot.rule.NotFoundRule`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM rules WHERE id = ? AND account = ? AND instance = ?",
        (call.params["RuleId"], call.account, call.instance),
    ).fetchone()
    if row is None:
        raise ServiceError("iot.rule.NotFoundRule", "The rule does not exist.")
    return row


def user_id(account: str) -> int:
    """The number of an account, as rules and their actions carry it: 16 digits, always the same."""
    return 10**15 + int(hashlib.sha256(account.encode()).hexdigest(), 16) % (9 * 10**15)


def _source(call: Call, rule: sqlite3.Row | None) -> Source | None:
    """The topic of a rule after this call: the whole one if sent, else by its parts, else what it was."""
    params = call.params
    if params.get("Topic"):
        source = read_topic(params["Topic"])
    else:
        sent = any(params.get(name) not in (None, "") for name in ("ProductKey", "ShortTopic", "TopicType"))
        product_key = params.get("ProductKey") or (rule["product_key"] if rule else "")
        short = params.get("ShortTopic") or (rule["short_topic"] if rule else "")
        if not sent:
            return None if not short else read_parts(product_key, short, rule["topic_type"] if rule else None)
        if product_key:
            product_of(call, product_key)
        if not short:
            return None
        if not product_key:
            raise ServiceError("iot.prod.NullProductKey", "A short topic needs a ProductKey.")
        source = read_parts(product_key, short, params.get("TopicType"))
    check_exists(call, source)
    return source


def _check(source: Source | None, data_type: str, select: str, where: str) -> None:
    """Refuse SQL that cannot be read, and binary data where there is none."""
    binary = data_type == BINARY
    if binary and source is not None and source.type == SYSTEM:
        raise ServiceError(
            "iot.ruleng.IncorrectType", "Rules for binary data cannot use basic or thing model topics."
        )
    if select.strip():
        check_select(select, binary)
    if where.strip():
        check_where(where, binary)


def _set_sql(call: Call, rule_id: int, source: Source | None, select: str, where: str) -> None:
    if source is not None:
        topic = (source.product_key, source.short, source.topic, source.type)
    else:
        topic = (call.params.get("ProductKey", ""), "", "", NONE)
    call.db.execute(
        'UPDATE rules SET product_key = ?, short_topic = ?, topic = ?, topic_type = ?, "select" = ?,'
        ' "where" = ?, modified = ? WHERE id = ?',
        (*topic, select, where, call.now, rule_id),
    )


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    listed = {
        "Id": row["id"],
        "Name": row["name"],
        "Status": row["status"],
        "DataType": row["data_type"],
        "CreateUserId": user_id(row["account"]),
        "Created": _cst(row["created"]),
        "Modified": _cst(row["modified"]),
        "UtcCreated": utc(row["created"]),
        "UtcModified": utc(row["modified"]),
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
            listed[field] = row[column]
    return listed


def _cst(ms: int) -> str:
    """`Thu Feb 28 14:14:33 CST 2019`, the time in the platform's home region (UTC+8)."""
    day, date, time, _ = gmt(ms + 8 * 3_600_000).split()
    number, month, year = date.split("-")
    return f"{day[:3]} {month} {number} {time} CST {year}"


def _refuse_taken_name(call: Call, name: str, but: int = 0) -> None:
    taken = call.db.execute(
        "SELECT 1 FROM rules WHERE account = ? AND instance = ? AND name = ? AND id <> ?",
        (call.account, call.instance, name, but),
    ).fetchone()
    if taken:
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
