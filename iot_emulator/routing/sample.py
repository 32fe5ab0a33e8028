"""The message configuration of the sample fleet: topics, routes, rules, subscriptions and consumer groups.

It is created by the handlers of the operations, with times in the past, so that their checks apply.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from iot_emulator.call import Call, Handler
from iot_emulator.messaging.routes import create_topic_route_table
from iot_emulator.messaging.topics import create_product_topic
from iot_emulator.routing.actions import create_rule_action
from iot_emulator.routing.rules import create_rule, start_rule, user_id
from iot_emulator.routing.sources import DATA_SOURCES, create_data_source_item
from iot_emulator.routing.subscriptions import create_subscribe_relation

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

_DAY = 86_400_000
_REGION = "cn-shanghai"

# Product, short name, permission, description.
_TOPICS = (
    ("meter", "billing/read", "PUB", "Readings at the end of a billing period"),
    ("meter", "tariff", "SUB", "Tariff table"),
    ("light", "schedule", "SUB", "Dimming schedule of the week"),
    ("light", "neighbor", "ALL", "Presence, forwarded to the next lamps"),
    ("gateway", "config", "SUB", "Radio settings"),
    ("gateway", "log", "PUB", "Log lines for support"),
    ("water", "leak/confirm", "ALL", "Leaks confirmed by a person"),
)
# Name, age in days, number of clients.
_GROUPS = (
    ("metering_backend", 640, 3),
    ("maintenance_desk", 410, 1),
    ("data_lake_import", 120, 2),
    ("qa_replay", 9, 0),
)
_ROUTED_LAMPS = 3


def add_sample_routing(
    emulator: Emulator, db: sqlite3.Connection, account: str, instance: str, keys: Mapping[str, str], now: int
) -> None:
    """Add the message configuration; `keys` are ProductKeys by model code, `now` is the time of seeding (ms)."""
    _SampleRouting(emulator, db, account, instance, keys, now).write()


class _SampleRouting:
    """Writes the message configuration, one kind after the other."""

    def __init__(
        self,
        emulator: Emulator,
        db: sqlite3.Connection,
        account: str,
        instance: str,
        keys: Mapping[str, str],
        now: int,
    ) -> None:
        self._emulator, self._db, self._now = emulator, db, now
        self._account, self._instance, self._keys = account, instance, keys

    def write(self) -> None:
        """Write everything."""
        for model, short, operation, description in _TOPICS:
            self._call(
                create_product_topic,
                600,
                ProductKey=self._keys[model],
                TopicShortName=short,
                Operation=operation,
                Desc=description,
            )
        self._route_lamps()
        groups = self._insert_groups()
        self._create_subscriptions(groups)
        self._create_rules(groups)
        for model in ("meter", "water"):
            topic = f"/as/mqtt/status/{self._keys[model]}/+"
            self._call(create_data_source_item, 200, DataSourceId=DATA_SOURCES[0], Topic=topic)

    def _call(self, handler: Handler, days: float, **params: Any) -> dict[str, Any]:
        """Call the handler of an operation with a time `days` ago."""
        return handler(
            Call(
                operation="".join(word.capitalize() for word in handler.__name__.split("_")),
                params=params,
                db=self._db,
                now=self._now - int(days * _DAY),
                account=self._account,
                instance=self._instance,
                emulator=self._emulator,
                base_url="",
            )
        )

    def _route_lamps(self) -> None:
        """Route the presence messages of each lamp to the next lamp."""
        key = self._keys["light"]
        rows = self._db.execute(
            "SELECT name FROM devices WHERE product_key = ? AND activated IS NOT NULL ORDER BY id LIMIT ?",
            (key, _ROUTED_LAMPS),
        ).fetchall()
        topics = [f"/{key}/{row['name']}/user/neighbor" for row in rows]
        for before, after in pairwise(topics):
            self._call(create_topic_route_table, 180, SrcTopic=before, DstTopic=[after])

    def _insert_groups(self) -> dict[str, str]:
        """Insert consumer groups; return name -> ID. The IDs are always the same for an account."""
        group_ids = {}
        for name, days, clients in _GROUPS:
            digest = hashlib.sha256(f"{self._account}/{self._instance}/{name}".encode()).hexdigest()
            created = self._now - days * _DAY
            group_ids[name] = f"{digest[:20]}000100"
            self._db.execute(
                "INSERT INTO consumer_groups (account, instance, group_id, name, created, position, clients)"
                " VALUES (?,?,?,?,?,?,?)",
                (self._account, self._instance, group_ids[name], name, created, created, clients),
            )
        return group_ids

    def _create_subscriptions(self, groups: Mapping[str, str]) -> None:
        backend, desk = groups["metering_backend"], groups["maintenance_desk"]
        amqp: tuple[tuple[str, float, list[str], list[str]], ...] = (
            ("meter", 620, [backend, groups["data_lake_import"]], ["DeviceDataFlag", "ThingHistoryFlag"]),
            ("water", 380, [backend], ["DeviceDataFlag", "DeviceLifeCycleFlag"]),
            ("gateway", 400, [desk], ["DeviceStatusChangeFlag", "FoundDeviceListFlag", "OtaEventFlag"]),
            ("lift", 8.5, [groups["qa_replay"]], ["DeviceDataFlag", "DeviceStatusChangeFlag"]),
        )
        for model, days, group_ids, flags in amqp:
            self._call(
                create_subscribe_relation,
                days,
                ProductKey=self._keys[model],
                Type="AMQP",
                ConsumerGroupIds=group_ids,
                **dict.fromkeys(flags, True),
            )
        queue = {"queueName": "lamp-status", "regionName": _REGION, "role": self._role("mns")}
        self._call(
            create_subscribe_relation,
            300,
            ProductKey=self._keys["light"],
            Type="MNS",
            MnsConfiguration=json.dumps(queue),
            DeviceStatusChangeFlag=True,
        )

    def _create_rules(self, groups: Mapping[str, str]) -> None:
        table = {
            "instanceName": "metering",
            "tableName": "readings",
            "primaryKeys": [
                {
                    "columnName": "device",
                    "columnType": "STRING",
                    "columnValue": "${deviceName}",
                    "option": "",
                },
                {"columnName": "n", "columnType": "INTEGER", "columnValue": "", "option": "AUTO_INCREMENT"},
            ],
        }
        self._create_rule(
            "Readings_to_table", 560, "meter", "+/thing/event/property/post",
            "deviceName() as deviceName, items.TotalActiveEnergy.value as energy, items.Voltage.value as voltage",
            "", ("OTS", table), ("MNS", {"themeName": "readings-failed"}, True),
        )  # fmt: skip
        self._create_rule(
            "Heat_alarm", 330, "sensor", "+/thing/event/property/post",
            "deviceName() as deviceName, timestamp('yyyy-MM-dd HH:mm:ss') as at, items.Temperature.value as t",
            "items.Temperature.value > 38", ("AMQP", {"groupId": groups["maintenance_desk"]}),
            ("FC", {"serviceName": "alerts", "functionName": "call_on_duty"}),
        )  # fmt: skip
        self._create_rule(
            "漏水上报", 150, "water", "+/user/leak/confirm", "*", "",
            ("MNS", {"themeName": "leaks"}),
        )  # fmt: skip
        self._create_rule(
            "Lamp_presence_draft",
            12,
            "light",
            "+/user/neighbor",
            "deviceName() as lamp, presence",
            "presence = 1",
        )

    def _create_rule(
        self, name: str, days: int, model: str, short: str, select: str, where: str, *actions: Any
    ) -> None:
        """Create a rule and start it on the same day; without actions, it stays a draft."""
        rule_id = self._call(
            create_rule,
            days,
            Name=name,
            ProductKey=self._keys[model],
            ShortTopic=short,
            Select=select,
            Where=where,
        )["RuleId"]
        for kind, configuration, *for_errors in actions:
            if kind != "AMQP":
                configuration |= {"regionName": _REGION, "role": self._role(kind.lower())}
            self._call(
                create_rule_action,
                days,
                RuleId=rule_id,
                Type=kind,
                Configuration=json.dumps(configuration),
                ErrorActionFlag=bool(for_errors),
            )
        if actions:
            self._call(start_rule, days, RuleId=rule_id)

    def _role(self, service: str) -> dict[str, str]:
        name = f"AliyunIOTAccessing{service.upper()}Role"
        return {"roleArn": f"acs:ram::{user_id(self._account)}:role/{name.lower()}", "roleName": name}
