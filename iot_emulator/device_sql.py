"""QueryDeviceBySQL: translates the platform's small query language to SQLite's SQL.

    SELECT [fields] | count(*) | * FROM device WHERE [conditions] [ORDER BY field [ASC|DESC]] [LIMIT [n,] k]

A statement has up to 400 characters and five conditions joined by AND and OR, without parentheses; AND binds tighter.
LIKE needs a prefix of at least four characters. Conditions on `tag.*` or `ota_module.*` that are joined by AND apply to
the same tag or module; a second condition on the same field starts the next tag or module.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_local

MAX_CONDITIONS = 5
MAX_LIMIT = 50
MAX_ROWS = 10_000  # of all pages together
DEFAULT_LIMIT = 20
_REGION_TIME = timezone(timedelta(hours=8))  # times in statements are in this zone, as in responses

# field -> (kind, column); fields of other tables: field -> (table, column)
_FIELDS = {
    "product_key": ("text", "d.product_key"),
    "iot_id": ("text", "d.iot_id"),
    "name": ("text", "d.name"),
    "nickname": ("text", "d.nickname"),
    "status": ("text", "d.status"),
    "active_time": ("date", "d.activated"),
    "gmt_create": ("date", "d.created"),
    "gmt_modified": ("date", "d.modified"),
}
_NESTED = {
    "group.group_id": ("group", "x.group_id"),
    "tag.tag_name": ("tag", "x.key"),
    "tag.tag_value": ("tag", "x.value"),
    "ota_module.module_name": ("ota_module", "x.module"),
    "ota_module.firmware_version": ("ota_module", "x.version"),
}
_NESTED_TABLES = {"group": "group_devices", "tag": "device_tags", "ota_module": "device_modules"}
# IDs grow with the registration time, so the order by ID is the order by gmt_create and needs no sorting.
_ORDERED = {"gmt_create": "d.id", "gmt_modified": "d.modified", "active_time": "d.activated"}
_BAD_IN_PREFIX = set("\\/&+-!():~{}*?")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<operator>!=|<>|<=|>=|=|<|>)
      | (?P<mark>[(),*])
      | (?P<word>[A-Za-z_][\w.]*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`. The value is a text, milliseconds for a date, or None for null."""

    field: str
    operator: str
    value: str | int | None


@dataclass(slots=True)
class Query:
    """A parsed statement. `fields` is empty for `*`. `terms` are joined by OR, the conditions of a term by AND."""

    fields: list[str] = field(default_factory=list)
    count: bool = False
    terms: list[list[Condition]] = field(default_factory=list)
    order: str = ""
    descending: bool = False
    offset: int = 0
    limit: int = DEFAULT_LIMIT


def parse(statement: str) -> Query:
    """Parse a statement. Raises ServiceError with the platform's `iot.devicesearch.…` codes."""
    return _Parser(statement).parse()


def _refuse(kind: str, message: str) -> NoReturn:
    raise ServiceError(f"iot.devicesearch.InvalidSQL{kind}", message)


class _Parser:
    def __init__(self, statement: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, statement = 0, statement.strip().rstrip(";").rstrip()
        while position < len(statement):
            match = _TOKEN.match(statement, position)
            if match is None or match.lastgroup is None:
                _refuse("Error", f"The statement cannot be read at character {position + 1}.")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._next = 0

    def parse(self) -> Query:
        query = Query()
        self._expect("select")
        self._select(query)
        self._expect("from")
        self._expect("device")
        if not self._accept("where"):
            _refuse("Error", "The statement has no WHERE clause.")
        self._where(query)
        if self._accept("order"):
            self._expect("by")
            self._order(query)
        if self._accept("limit"):
            self._limit(query)
        if self._next < len(self._tokens):
            _refuse("ParamError", f"Unexpected text: {self._peek()[1]}.")
        return query

    def _select(self, query: Query) -> None:
        if self._accept_mark("*"):
            return
        if self._accept("count"):
            for mark in "(*)":
                if not self._accept_mark(mark):
                    _refuse("Error", "The only form of count is count(*).")
            query.count = True
            return
        while True:
            query.fields.append(self._field())
            if not self._accept_mark(","):
                return

    def _where(self, query: Query) -> None:
        query.terms.append([self._condition()])
        count = 1
        while True:
            if self._accept("and"):
                query.terms[-1].append(self._condition())
            elif self._accept("or"):
                query.terms.append([self._condition()])
            else:
                break
            count += 1
        if count > MAX_CONDITIONS:
            _refuse("ConditionError", "A statement can have at most five conditions.")
        for term in query.terms:
            names = {condition.field for condition in term}
            if "ota_module.module_name" in names and "ota_module.firmware_version" not in names:
                _refuse(
                    "ParamError",
                    "A condition on ota_module.module_name needs one on ota_module.firmware_version.",
                )

    def _condition(self) -> Condition:
        if self._peek() == ("mark", "("):
            _refuse("Error", "Conditions cannot be nested.")
        name = self._field()
        field_kind = _FIELDS[name][0] if name in _FIELDS else "text"
        kind, operator = self._take()
        operator = operator.lower()
        if kind == "word" and operator == "like":
            if field_kind != "text":
                _refuse("OperatorTypeError", f"LIKE cannot be used with {name}.")
            return Condition(name, "LIKE", self._prefix(name))
        if operator in ("<=", ">=", "<>") or kind != "operator":
            _refuse("Error", f"{operator} is not an operator. Use =, !=, >, < or LIKE.")
        if operator in ("<", ">") and field_kind == "text":
            _refuse("OperatorTypeError", f"{operator} cannot be used with {name}.")
        value = self._value()
        if value is None and operator in ("<", ">"):
            _refuse("OperatorTypeError", f"{operator} cannot be used with null.")
        return Condition(
            name, operator, _milliseconds(value) if field_kind == "date" and value is not None else value
        )

    def _prefix(self, name: str) -> str:
        value = self._value() or ""
        prefix = value[:-1]
        if not value.endswith("%") or len(prefix) < 4 or "%" in prefix or _BAD_IN_PREFIX & set(prefix):
            _refuse(
                "ParamError",
                f"LIKE on {name} needs at least four characters without special characters, then a %.",
            )
        return prefix

    def _value(self) -> str | None:
        kind, value = self._take()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", value[1:-1])
        if kind == "number":
            return value
        if kind == "word" and value.lower() == "null":
            return None
        _refuse("Error", f"{value} is not a value. Put text in quotation marks.")

    def _order(self, query: Query) -> None:
        kind, name = self._take()
        if kind != "word" or name.lower() not in _ORDERED:
            _refuse("OrderError", "ORDER BY supports gmt_create, gmt_modified and active_time.")
        query.order = name.lower()
        query.descending = self._accept("desc") or (self._accept("asc") and False)
        if self._peek() == ("mark", ","):
            _refuse("OrderError", "ORDER BY supports only one field.")

    def _limit(self, query: Query) -> None:
        first = self._whole_number()
        if self._accept_mark(","):
            query.offset, query.limit = first, self._whole_number()
        else:
            query.limit = first
        if query.limit > MAX_LIMIT or query.limit < 1 or query.offset + query.limit > MAX_ROWS:
            _refuse("OffsetError", "LIMIT allows 1 to 50 rows per page, and 10,000 rows in all pages.")

    def _whole_number(self) -> int:
        kind, value = self._take()
        if kind != "number" or not value.isdigit():
            _refuse("OffsetError", "LIMIT needs whole numbers.")
        return int(value)

    def _field(self) -> str:
        kind, name = self._take()
        if kind != "word":
            _refuse("Error", f"{name} is not a field.")
        if name.lower() not in _FIELDS and name.lower() not in _NESTED:
            _refuse("FieldError", f"The field {name} does not exist.")
        return name.lower()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        if not token[0]:
            _refuse("Error", "The statement is incomplete.")
        self._next += 1
        return token

    def _accept(self, word: str) -> bool:
        kind, value = self._peek()
        if kind == "word" and value.lower() == word:
            self._next += 1
            return True
        return False

    def _accept_mark(self, mark: str) -> bool:
        if self._peek() == ("mark", mark):
            self._next += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            _refuse("Error", f"{word.upper()} is missing before {self._peek()[1] or 'the end'}.")


def _milliseconds(text: str) -> int:
    """Return the milliseconds since the epoch of a date literal, with or without time of day and milliseconds."""
    for pattern in ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return round(datetime.strptime(text, pattern).replace(tzinfo=_REGION_TIME).timestamp() * 1000)
        except ValueError:
            continue
    if text.isdigit():
        return int(text)
    _refuse("ParamError", f"{text} is not a time. Write it as 2024-01-31 08:00:00.000.")


def _where_sql(query: Query) -> tuple[str, list[Any]]:
    values: list[Any] = []
    terms = []
    for term in query.terms:
        parts = [
            _comparison_sql(_FIELDS[condition.field][1], condition, values)
            for condition in term
            if condition.field in _FIELDS
        ]
        parts.extend(_exists_sql(group, values) for group in _nested_groups(term))
        terms.append("(" + " AND ".join(parts) + ")")
    return "(" + " OR ".join(terms) + ")", values


def _nested_groups(term: list[Condition]) -> list[list[Condition]]:
    """Group the conditions of a term by the tag, module or group they apply to."""
    groups: list[list[Condition]] = []
    latest: dict[str, list[Condition]] = {}
    for condition in term:
        if condition.field not in _NESTED:
            continue
        table = _NESTED[condition.field][0]
        group = latest.get(table)
        if group is None or any(other.field == condition.field for other in group):
            group = latest[table] = []
            groups.append(group)
        group.append(condition)
    return groups


def _exists_sql(group: list[Condition], values: list[Any]) -> str:
    """SQL: one tag, module or group meets all the conditions; for a single `!=`, none has the value."""
    table = _NESTED_TABLES[_NESTED[group[0].field][0]]
    negated = len(group) == 1 and group[0].operator == "!=" and group[0].value is not None
    if negated:
        group = [Condition(group[0].field, "=", group[0].value)]
    if len(group) == 1 and group[0].value is None:
        verb = "NOT EXISTS" if group[0].operator == "=" else "EXISTS"
        return f"{verb} (SELECT 1 FROM {table} x WHERE x.iot_id = d.iot_id)"
    inner = " AND ".join(
        _comparison_sql(_NESTED[condition.field][1], condition, values) for condition in group
    )
    return (
        f"{'NOT ' if negated else ''}EXISTS (SELECT 1 FROM {table} x WHERE x.iot_id = d.iot_id AND {inner})"
    )


def _comparison_sql(column: str, condition: Condition, values: list[Any]) -> str:
    if condition.value is None:
        return f"coalesce({column}, '') {condition.operator} ''"
    # Repeats the condition of the partial index on nicknames, so that SQLite uses this index.
    index_hint = f" AND {column} <> ''" if condition.field == "nickname" and condition.value != "" else ""
    if condition.operator == "LIKE":
        prefix = str(condition.value)
        values.extend((prefix, prefix + "\U0010ffff"))
        return f"({column} >= ? AND {column} < ?{index_hint})"
    values.append(condition.value)
    if condition.operator == "!=":
        return f"{column} IS NOT ?"
    return f"({column} {condition.operator} ?{index_hint})"


def _count(call: Call, query: Query) -> int:
    """Count the devices that match; from the stored counters if only products and statuses are compared."""
    if len(query.terms) == 1 and all(
        condition.field in ("product_key", "status") and condition.operator == "="
        for condition in query.terms[0]
    ):
        conditions = "".join(f" AND c.{condition.field} = ?" for condition in query.terms[0])
        (total,) = call.db.execute(
            "SELECT coalesce(sum(c.devices), 0) FROM device_counts c JOIN products p ON p.product_key = c.product_key"
            f" WHERE p.account = ? AND c.instance = ?{conditions}",
            (call.account, call.instance, *(condition.value for condition in query.terms[0])),
        ).fetchone()
    else:
        where, values = _where_sql(query)
        (total,) = call.db.execute(
            f"SELECT count(*) FROM devices d WHERE d.account = ? AND d.instance = ? AND {where}",
            (call.account, call.instance, *values),
        ).fetchone()
    return int(total)


def query_device_by_sql(call: Call) -> dict[str, Any]:
    """QueryDeviceBySQL. Each device has its IotId in the response, whichever fields were selected."""
    query = parse(call.params["SQL"])
    if query.count:
        return {"Data": [], "TotalCount": _count(call, query)}
    where, values = _where_sql(query)
    direction = "DESC" if query.descending else "ASC"
    order = f"{_ORDERED[query.order]} {direction}, d.id {direction}" if query.order else "d.id"
    rows = call.db.execute(
        f"SELECT d.* FROM devices d WHERE d.account = ? AND d.instance = ? AND {where}"
        f" ORDER BY {order} LIMIT ? OFFSET ?",
        (call.account, call.instance, *values, query.limit, query.offset),
    ).fetchall()
    return {"Data": [_describe_device(call.db, row, set(query.fields)) for row in rows]}


def _describe_device(db: sqlite3.Connection, row: sqlite3.Row, fields: set[str]) -> dict[str, Any]:
    all_fields = not fields
    plain = (
        ("product_key", "ProductKey", row["product_key"]),
        ("name", "DeviceName", row["name"]),
        ("nickname", "Nickname", row["nickname"]),
        ("status", "Status", row["status"]),
        ("active_time", "ActiveTime", _format_time(row["activated"])),
        ("gmt_create", "GmtCreate", _format_time(row["created"])),
        ("gmt_modified", "GmtModified", _format_time(row["modified"])),
    )
    device: dict[str, Any] = {"IotId": row["iot_id"]}
    device.update((key, value) for name, key, value in plain if value and (all_fields or name in fields))
    for table, key, sql in (
        ("group", "Groups", "SELECT group_id AS GroupId FROM group_devices WHERE iot_id = ?"),
        ("tag", "Tags", "SELECT key AS TagName, value AS TagValue FROM device_tags WHERE iot_id = ?"),
        (
            "ota_module",
            "OTAModules",
            "SELECT module AS ModuleName, version AS FirmwareVersion FROM device_modules WHERE iot_id = ?",
        ),
    ):
        if all_fields or any(name.startswith(f"{table}.") for name in fields):
            items = [dict(inner) for inner in db.execute(sql, (row["iot_id"],))]
            if items:
                device[key] = items
    return device


def _format_time(ms: int | None) -> str:
    return f"{format_local(ms)}.{ms % 1000:03d}" if ms is not None else ""


OPERATIONS: dict[str, Handler] = {"QueryDeviceBySQL": query_device_by_sql}
