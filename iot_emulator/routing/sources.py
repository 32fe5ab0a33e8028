"""The topics of rules, with wildcards, and data sources, which are lists of such topics.

A data source is created in the platform's console; this API has no operation for it. So every account and instance has
two data sources, `DATA_SOURCES`. The operations add topics to them, list and remove them.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.messaging.custom_topics import find_topic_category
from iot_emulator.paging import read_page

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
"""Types of a rule's topic, as in GetRule; NONE for a rule without a topic."""

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
_CUSTOM = re.compile(rf"(?P<device>{_DEVICE})/user(?P<category>(?:/(?:\+|[A-Za-z0-9_]+))*(?:/\#)?)")
_STATUS = re.compile(rf"(?P<device>{_DEVICE})")
_PREFIXES = {SYSTEM: "/sys/{}/{}", CUSTOM: "/{}/{}", STATUS: "/as/mqtt/status/{}/{}"}
_FULL = (
    (STATUS, re.compile(r"/as/mqtt/status/([A-Za-z0-9]+)/(.+)")),
    (SYSTEM, re.compile(r"/sys/([A-Za-z0-9]+)/(.+)")),
    (CUSTOM, re.compile(r"/([A-Za-z0-9]+)/(.+)")),
)


@dataclass(frozen=True, slots=True)
class Source:
    """The topic of a rule.

    `short_topic` is the topic without the product. `device_name` is "+" for all devices of the product, and "" for the
    topic of update batches. `category` is the part after `/user/` of a custom topic, "" for the other types.
    """

    product_key: str
    short_topic: str
    topic_type: int
    device_name: str
    category: str = ""

    @property
    def topic(self) -> str:
        """The full topic."""
        return _PREFIXES[self.topic_type].format(self.product_key, self.short_topic)


def parse_short_topic(product_key: str, short: str, topic_type: int | None) -> Source:
    """Parse a short topic; a type of None is detected. Raises the platform's error for an invalid topic."""
    if topic_type is None:
        topic_type = STATUS if "/" not in short else CUSTOM if "/user/" in short else SYSTEM
    if topic_type == SYSTEM:
        if _OTA_BATCH.fullmatch(short):
            return Source(product_key, short, SYSTEM, "")
        match = _SYSTEM.fullmatch(short)
        if match is None:
            raise ServiceError("iot.ruleng.IncorrectSysTopic", f"Rules cannot use the topic {short}.")
        return Source(product_key, short, SYSTEM, match["device"])
    if topic_type == STATUS:
        match = _STATUS.fullmatch(short)
        if match is None:
            raise _invalid_topic("The short topic of status changes must be a device name or +.")
        return Source(product_key, short, STATUS, match["device"])
    match = _CUSTOM.fullmatch(short)
    if match is None or not match["category"]:
        raise _invalid_topic(f"{short} is not a custom topic.")
    return Source(product_key, short, CUSTOM, match["device"], match["category"][1:])


def parse_topic(topic: str) -> Source:
    """Parse a full topic. Raises the platform's error for an invalid topic."""
    for topic_type, pattern in _FULL:
        match = pattern.fullmatch(topic)
        if match is not None:
            return parse_short_topic(match[1], match[2], topic_type)
    raise _invalid_topic("The topic is not one that rules can use.")


def check_source_exists(call: Call, source: Source) -> None:
    """Raise an error if the product, the device or the topic category does not exist in the account."""
    find_product(call, source.product_key)
    if source.device_name not in ("", "+"):
        find_device(call, product_key=source.product_key, name=source.device_name)
    category = source.category
    has_wildcard = "+" in category or "#" in category
    if category and not has_wildcard and find_topic_category(call.db, source.product_key, category) is None:
        raise ServiceError(
            "iot.messagebroker.TopicTemplateIsNotFound", "The product does not have this topic category."
        )


def _invalid_topic(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.InvalidFormattedTopicName", message)


def create_data_source_item(call: Call) -> dict[str, Any]:
    """CreateDataSourceItem: adds a topic. ScopeType is ALL for all devices or DEVICE for one device."""
    source_id = _find_data_source(call)
    source = parse_topic(call.params["Topic"])
    check_source_exists(call, source)
    product_key = call.params.get("ProductKey") or source.product_key
    if product_key != source.product_key:
        raise _invalid_topic("The topic belongs to another product.")
    scope, name = call.params.get("ScopeType", ""), call.params.get("DeviceName", "")
    if scope == "DEVICE":
        find_device(call, product_key=product_key, name=name)
    try:
        call.db.execute(
            "INSERT INTO data_source_items (account, instance, source, topic, scope, product_key, device_name)"
            " VALUES (?,?,?,?,?,?,?)",
            (call.account, call.instance, source_id, source.topic, scope, product_key, name),
        )
    except sqlite3.IntegrityError:
        raise ServiceError("iot.ruleng.TopicIsNotUnique", "The data source already has this topic.") from None
    return {}


def list_data_source_item(call: Call) -> dict[str, Any]:
    """ListDataSourceItem: in the order in which they were added; SearchName is a part of the topic."""
    source_id = _find_data_source(call)
    page = read_page(call, number="Page")
    where = "account = ? AND instance = ? AND source = ? AND instr(topic, ?)"
    values = (call.account, call.instance, source_id, call.params.get("SearchName", ""))
    (total,) = call.db.execute(f"SELECT count(*) FROM data_source_items WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM data_source_items WHERE {where} ORDER BY id LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {
        "DataSourceItems": {"dataSourceItem": [_describe_item(row) for row in rows]},
        "Page": page.number,
        "PageSize": page.size,
        "Total": total,
    }


def _describe_item(row: sqlite3.Row) -> dict[str, Any]:
    item = {"DataSourceItemId": row["id"], "Topic": row["topic"], "ProductKey": row["product_key"]}
    for field, column in (("ScopeType", "scope"), ("DeviceName", "device_name")):
        if row[column]:
            item[field] = row[column]
    return item


def delete_data_source_item(call: Call) -> dict[str, Any]:
    """DeleteDataSourceItem."""
    deleted = call.db.execute(
        "DELETE FROM data_source_items WHERE id = ? AND account = ? AND instance = ? AND source = ?",
        (call.params["DataSourceItemId"], call.account, call.instance, _find_data_source(call)),
    ).rowcount
    if not deleted:
        raise ServiceError("iot.ruleng.TopicNotFound", "The data source does not have this topic.")
    return {}


def _find_data_source(call: Call) -> int:
    source_id: int = call.params["DataSourceId"]
    if source_id not in DATA_SOURCES:
        raise ServiceError("iot.ruleng.InstanceNotFound", "The data source does not exist.")
    return source_id


OPERATIONS: dict[str, Handler] = {
    "CreateDataSourceItem": create_data_source_item,
    "ListDataSourceItem": list_data_source_item,
    "DeleteDataSourceItem": delete_data_source_item,
}
