"""What the sample fleet's company has set up for its messages: topics, routes, rules, subscriptions, receivers.

Made by the operations' own handlers, at times in the past, so that it obeys their rules.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from console.emulator.call import Call, Handler
from console.emulator.messaging.routes import create_topic_route_table
from console.emulator.messaging.topics import create_product_topic
from console.emulator.routing.actions import create_rule_action
from console.emulator.routing.rules import create_rule, start_rule, user_id
from console.emulator.routing.sources import DATA_SOURCES, create_data_source_item
from console.emulator.routing.subscriptions import create_subscribe_relation

if TYPE_CHECKING:
    from console.emulator.app import Emulator

_DAY = 86_400_000
_REGION = "cn-shanghai"

# Product, short name, permission, description.
_TOPICS = (
    ("meter", "billing/read", "PUB", "Readings at the end of a billing period"),
    ("meter", "tariff", "SUB", "Tariff table"),
    ("light", "schedule", "SUB", "Dimming schedule of the week"),
    ("light", "neighbour", "ALL", "Presence, told to the next lamps"),
    ("gateway", "config", "SUB", "Radio settings"),
    ("gateway", "log", "PUB", "Log lines asked for by support"),
    ("water", "leak/confirm", "ALL", "Leaks confirmed by a person"),
)
# Name, days ago, programs that receive.
_GROUPS = (
    ("metering_backend", 640, 3),
    ("maintenance_desk", 410, 1),
    ("data_lake_import", 120, 2),
    ("qa_replay", 9, 0),
)
_ROUTED_LAMPS = 3


def give_routing(
    emulator: Emulator, db: sqlite3.Connection, account: str, instance: str, keys: Mapping[str, str], now: int
) -> None:
    """Set the company's messages up; `keys` are its product keys by model code, `now` the time of seeding (ms)."""
    Routing(emulator, db, account, instance, keys, now).write()


class Routing:
    """Makes it, one kind after the other."""

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
        """All of it."""
        for model, short, operation, description in _TOPICS:
            self._do(
                create_product_topic,
                600,
                ProductKey=self._keys[model],
                TopicShortName=short,
                Operation=operation,
                Desc=description,
            )
        self._route_lamps()
        groups = self._make_groups()
        self._subscribe(groups)
        self._make_rules(groups)
        for model in ("meter", "water"):
            topic = f"/as/mqtt/status/{self._keys[model]}/+"
            self._do(create_data_source_item, 200, DataSourceId=DATA_SOURCES[0], Topic=topic)

    def _do(self, handler: Handler, days: float, **params: Any) -> dict[str, Any]:
        """Call an operation as it was called so many days ago."""
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
        """A street light tells the next ones that somebody comes."""
        key = self._keys["light"]
        rows = self._db.execute(
            "SELECT name FROM devices WHERE product_key = ? AND activated IS NOT NULL ORDER BY id LIMIT ?",
            (key, _ROUTED_LAMPS),
        ).fetchall()
        topics = [f"/{key}/{row['name']}/user/neighbour" for row in rows]
        for before, after in pairwise(topics):
            self._do(create_topic_route_table, 180, SrcTopic=before, DstTopic=[after])

    def _make_groups(self) -> dict[str, str]:
        """Consumer groups by name, with ids that only the account decides."""
        made = {}
        for name, days, clients in _GROUPS:
            digest = hashlib.sha256(f"{self._account}/{self._instance}/{name}".encode()).hexdigest()
            created = self._now - days * _DAY
            made[name] = f"{digest[:20]}000100"
            self._db.execute(
                "INSERT INTO consumer_groups (account, instance, group_id, name, created, position, clients)"
                " VALUES (?,?,?,?,?,?,?)",
                (self._account, self._instance, made[name], name, created, created, clients),
            )
        return made

    def _subscribe(self, groups: Mapping[str, str]) -> None:
        backend, desk = groups["metering_backend"], groups["maintenance_desk"]
        amqp: tuple[tuple[str, float, list[str], list[str]], ...] = (
            ("meter", 620, [backend, groups["data_lake_import"]], ["DeviceDataFlag", "ThingHistoryFlag"]),
            ("water", 380, [backend], ["DeviceDataFlag", "DeviceLifeCycleFlag"]),
            ("gateway", 400, [desk], ["DeviceStatusChangeFlag", "FoundDeviceListFlag", "OtaEventFlag"]),
            ("lift", 8.5, [groups["qa_replay"]], ["DeviceDataFlag", "DeviceStatusChangeFlag"]),
        )
        for model, days, wanted, flags in amqp:
            self._do(
                create_subscribe_relation,
                days,
                ProductKey=self._keys[model],
                Type="AMQP",
                ConsumerGroupIds=wanted,
                **dict.fromkeys(flags, True),
            )
        queue = {"queueName": "lamp-status", "regionName": _REGION, "role": self._role("mns")}
        self._do(
            create_subscribe_relation,
            300,
            ProductKey=self._keys["light"],
            Type="MNS",
            MnsConfiguration=json.dumps(queue),
            DeviceStatusChangeFlag=True,
        )

    def _make_rules(self, groups: Mapping[str, str]) -> None:
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
        self._rule(
            "Readings_to_table", 560, "meter", "+/thing/event/property/post",
            "deviceName() as deviceName, items.TotalActiveEnergy.value as energy, items.Voltage.value as voltage",
            "", ("OTS", table), ("MNS", {"themeName": "readings-failed"}, True),
        )  # fmt: skip
        self._rule(
            "Heat_alarm", 330, "sensor", "+/thing/event/property/post",
            "deviceName() as deviceName, timestamp('yyyy-MM-dd HH:mm:ss') as at, items.Temperature.value as t",
            "items.Temperature.value > 38", ("AMQP", {"groupId": groups["maintenance_desk"]}),
            ("FC", {"serviceName": "alerts", "functionName": "call_on_duty"}),
        )  # fmt: skip
        self._rule(
            "漏水上报", 150, "water", "+/user/leak/confirm", "*", "",
            ("MNS", {"themeName": "leaks"}),
        )  # fmt: skip
        self._rule(
            "Lamp_presence_draft",
            12,
            "light",
            "+/user/neighbour",
            "deviceName() as lamp, presence",
            "presence = 1",
        )

    def _rule(
        self, name: str, days: int, model: str, short: str, select: str, where: str, *actions: Any
    ) -> None:
        """A rule that runs since the day it was made, or has no action and is a draft."""
        rule_id = self._do(
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
            self._do(
                create_rule_action,
                days,
                RuleId=rule_id,
                Type=kind,
                Configuration=json.dumps(configuration),
                ErrorActionFlag=bool(for_errors),
            )
        if actions:
            self._do(start_rule, days, RuleId=rule_id)

    def _role(self, service: str) -> dict[str, str]:
        name = f"AliyunIOTAccessing{service.upper()}Role"
        return {"roleArn": f"acs:ram::{user_id(self._account)}:role/{name.lower()}", "roleName": name}
