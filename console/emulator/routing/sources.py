"""Where a rule's messages come from: topics with wildcards; and data sources, which are lists of such topics.

A data source is made in the platform's own console, for which this API has no operation. So every account and
instance has two, `DATA_SOURCES`; the operations add topics to them, list and remove them.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import device_of, product_of
from console.emulator.messaging.names import category_of
from console.emulator.paging import page_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS data_source_items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    source INTEGER NOT NULL,
    topic TEXT NOT NULL,
    scope TEXT NOT NULL DEFAULT '',
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    device_name TEXT NOT NULL DEFAULT '',
    UNIQUE (account, instance, source, topic)
);
INSERT INTO sqlite_sequence (name, seq) SELECT 'data_source_items', 129000
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'data_source_items');
CREATE INDEX IF NOT EXISTS data_source_items_product ON data_source_items (product_key);
"""

DATA_SOURCES = (1001, 1002)
SYSTEM, CUSTOM, STATUS, NONE = 0, 1, 2, -1
"""Types of a rule's topic, as GetRule tells them; NONE for a rule that has none yet."""

_DEVICE = r"\+|[\w.:@-]{1,64}"
_EVENT = r"(?:\+|[A-Za-z_]\w*(?::\w+)?)"
_SYSTEM = re.compile(
    rf"""(?P<device>{_DEVICE})/(?:
        thing/event/{_EVENT}/post | thing/event/{_EVENT}/history/post
      | thing/lifecycle | thing/downlink/reply/message | thing/list/found | thing/topo/lifecycle
      | thing/deviceinfo/update | ota/upgrade | ota/version/post | edge/driver/[\w-]+/point_post
    )""",
    re.VERBOSE,
)
_OTA_BATCH = re.compile(r"(?:\+|[\w-]+)/(?:\+|[\w-]+)/ota/job/status")
_CUSTOM = re.compile(rf"(?P<device>{_DEVICE})/user(?P<rest>(?:/(?:\+|[A-Za-z0-9_]+))*(?:/\#)?)")
_STATUS = re.compile(rf"(?P<device>{_DEVICE})")
_PREFIXES = {SYSTEM: "/sys/{}/{}", CUSTOM: "/{}/{}", STATUS: "/as/mqtt/status/{}/{}"}
_FULL = (
    (STATUS, re.compile(r"/as/mqtt/status/([A-Za-z0-9]+)/(.+)")),
    (SYSTEM, re.compile(r"/sys/([A-Za-z0-9]+)/(.+)")),
    (CUSTOM, re.compile(r"/([A-Za-z0-9]+)/(.+)")),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A topic a rule listens to. `short` leaves out the product; `device` is a name, "+" for all of the product's,
    "" for what concerns an update batch; `rest` is what follows `/user/` in a custom topic, "" in the others."""

    product_key: str
    short: str
    type: int
    device: str
    rest: str = ""

    @property
    def topic(self) -> str:
        """The whole topic."""
        return _PREFIXES[self.type].format(self.product_key, self.short)


def read_parts(product_key: str, short: str, topic_type: int | None) -> Source:
    """A source by product, short topic and type (guessed when None); raises with the code for what is wrong."""
    if topic_type is None:
        topic_type = STATUS if "/" not in short else CUSTOM if "/user/" in short else SYSTEM
    if topic_type == SYSTEM:
        if _OTA_BATCH.fullmatch(short):
            return Source(product_key, short, SYSTEM, "")
        match = _SYSTEM.fullmatch(short)
        if match is None:
            raise ServiceError("iot.ruleng.IncorrectSysTopic", f"{short} is not a topic that rules can use.")
        return Source(product_key, short, SYSTEM, match["device"])
    if topic_type == STATUS:
        match = _STATUS.fullmatch(short)
        if match is None:
            raise _bad_topic("The topic of status changes is the device's name alone.")
        return Source(product_key, short, STATUS, match["device"])
    match = _CUSTOM.fullmatch(short)
    if match is None or not match["rest"]:
        raise _bad_topic(f"{short} is not a custom topic.")
    return Source(product_key, short, CUSTOM, match["device"], match["rest"][1:])


def read_topic(topic: str) -> Source:
    """A source by its whole topic; raises with the code for what is wrong."""
    for topic_type, pattern in _FULL:
        match = pattern.fullmatch(topic)
        if match is not None:
            return read_parts(match[1], match[2], topic_type)
    raise _bad_topic("The topic is not valid.")


def check_exists(call: Call, source: Source) -> None:
    """Refuse a source whose product, device or topic category the account has not."""
    product_of(call, source.product_key)
    if source.device not in ("", "+"):
        device_of(call, product_key=source.product_key, name=source.device)
    wild = "+" in source.rest or "#" in source.rest
    if source.rest and not wild and category_of(call.db, source.product_key, source.rest) is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product has no such topic category."
        )


def _bad_topic(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.InvalidFormattedTopicName", message)


def create_data_source_item(call: Call) -> dict[str, Any]:
    """CreateDataSourceItem: one topic more. ScopeType ALL and DEVICE say for which devices it holds."""
    source_id = _data_source(call)
    source = read_topic(call.params["Topic"])
    check_exists(call, source)
    product_key = call.params.get("ProductKey") or source.product_key
    if product_key != source.product_key:
        raise _bad_topic("The topic is of another product.")
    scope, name = call.params.get("ScopeType", ""), call.params.get("DeviceName", "")
    if scope == "DEVICE":
        device_of(call, product_key=product_key, name=name)
    try:
        call.db.execute(
            "INSERT INTO data_source_items (account, instance, source, topic, scope, product_key, device_name)"
            " VALUES (?,?,?,?,?,?,?)",
            (call.account, call.instance, source_id, source.topic, scope, product_key, name),
        )
    except sqlite3.IntegrityError:
        raise ServiceError("iot.ruleng.TopicIsNotUnique", "The data source has this topic already.") from None
    return {}


def list_data_source_item(call: Call) -> dict[str, Any]:
    """ListDataSourceItem: in the order in which they were added; SearchName is part of the topic."""
    source_id = _data_source(call)
    page = page_of(call, number="Page")
    where = "account = ? AND instance = ? AND source = ? AND instr(topic, ?)"
    values = (call.account, call.instance, source_id, call.params.get("SearchName", ""))
    (total,) = call.db.execute(f"SELECT count(*) FROM data_source_items WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM data_source_items WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "DataSourceItems": {"dataSourceItem": [_listed(row) for row in rows]},
        "Page": page.number,
        "PageSize": page.size,
        "Total": total,
    }


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    listed = {"DataSourceItemId": row["id"], "Topic": row["topic"], "ProductKey": row["product_key"]}
    for field, column in (("ScopeType", "scope"), ("DeviceName", "device_name")):
        if row[column]:
            listed[field] = row[column]
    return listed


def delete_data_source_item(call: Call) -> dict[str, Any]:
    """DeleteDataSourceItem."""
    deleted = call.db.execute(
        "DELETE FROM data_source_items WHERE id = ? AND account = ? AND instance = ? AND source = ?",
        (call.params["DataSourceItemId"], call.account, call.instance, _data_source(call)),
    ).rowcount
    if not deleted:
        raise ServiceError("iot.ruleng.TopicNotFound", "The data source has no such topic.")
    return {}


def _data_source(call: Call) -> int:
    source_id: int = call.params["DataSourceId"]
    if source_id not in DATA_SOURCES:
        raise ServiceError("iot.ruleng.InstanceNotFound", "The data source does not exist.")
    return source_id


OPERATIONS: dict[str, Handler] = {
    "CreateDataSourceItem": create_data_source_item,
    "ListDataSourceItem": list_data_source_item,
    "DeleteDataSourceItem": delete_data_source_item,
}
