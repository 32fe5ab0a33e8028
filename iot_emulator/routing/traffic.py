"""Computes how many messages a consumer group receives, and how many have accumulated.

Messages are not counted one by one. The numbers follow from the devices that a product has online, from the subscriptions
and rules that send to the group and their start, and from the clients of the group. Clients are disconnected once a day
for 20 to 60 minutes; then messages accumulate and are consumed later.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from iot_emulator.routing.sources import CUSTOM, STATUS

_MINUTE, _DAY = 60_000, 86_400_000
RETENTION = _DAY  # older messages are dropped
MAX_ACCUMULATED = 100_000_000  # messages of a group
MAX_BACKLOG_RATE = 200 * 60  # messages per minute of a group
_MIN_BACKLOG_RATE = 5

# Messages per minute by kind: of each online device, and of each device whatever its status.
RATES: Mapping[str, tuple[float, float]] = {
    "DeviceDataFlag": (1 / 5, 0),
    "DeviceStatusChangeFlag": (0, 1 / 440),
    "ThingHistoryFlag": (1 / 240, 0),
    "DeviceLifeCycleFlag": (0, 1 / 40_000),
    "DeviceTopoLifeCycleFlag": (1 / 10_000, 0),
    "FoundDeviceListFlag": (1 / 5_000, 0),
    "OtaEventFlag": (0, 1 / 30_000),
    "DeviceTagFlag": (0, 1 / 50_000),
    "OtaVersionFlag": (1 / 1_440, 0),
    "OtaJobFlag": (0, 1 / 500_000),
}
FLAGS = tuple(RATES)
"""The kinds of messages of a subscription, which are also the names of its parameters."""
_OTHER_SYSTEM_RATES = (1 / 600, 0)
_CUSTOM_RATES = (1 / 60, 0)
_WHERE_SHARE = 0.1  # of the messages match a WHERE


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow of `rate` messages per minute since a time (ms)."""

    rate: float
    since: int

    def count_messages(self, start: int, end: int) -> float:
        """Return the number of messages between two times (ms)."""
        return self.rate * max(0, end - max(start, self.since)) / _MINUTE


@dataclass(frozen=True, slots=True)
class Receivers:
    """The receivers of a group: the number of clients; messages before `position` (ms) are not delivered."""

    group_id: str
    clients: int
    position: int


@dataclass(frozen=True, slots=True)
class Client:
    """A connected client: ID, IP address and port, time of connection (ms), and messages per minute."""

    client_id: str
    address: str
    since: int
    realtime_rate: int
    backlog_rate: int


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a group at a time.

    `realtime_rate` and `backlog_rate` are the new and the accumulated messages consumed per minute; `accumulated` is the
    number of messages that wait; `last_consumed` is in milliseconds since the epoch.
    """

    realtime_rate: int = 0
    backlog_rate: int = 0
    accumulated: int = 0
    clients: tuple[Client, ...] = ()
    last_consumed: int | None = None


def find_flows(db: sqlite3.Connection, account: str, instance: str, group_id: str) -> list[Flow]:
    """Return the flows that subscriptions and running rules of this account send to a group."""
    flows = []
    for row in db.execute(
        "SELECT s.*, g.since AS group_since FROM subscription_groups g JOIN products p USING (product_key)"
        " JOIN subscriptions s ON s.product_key = g.product_key AND s.instance = g.instance AND s.type = 'AMQP'"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?",
        (group_id, account, instance),
    ).fetchall():
        counts = _count_devices(db, row["product_key"], instance)
        flags = row["flags"].split(",")
        rate = sum(_rate(RATES[flag], counts) for flag in flags if flag in RATES)
        flows.append(Flow(rate, max(row["since"], row["group_since"])))
    running = db.execute(
        "SELECT DISTINCT r.* FROM rule_actions a JOIN rules r ON r.id = a.rule"
        " WHERE a.group_id = ? AND NOT a.for_errors AND r.status = 'RUNNING' AND r.account = ? AND r.instance = ?",
        (group_id, account, instance),
    ).fetchall()
    flows += [Flow(_rule_rate(db, row), row["started"]) for row in running]
    return [flow for flow in flows if flow.rate > 0]


def _count_devices(db: sqlite3.Connection, product_key: str, instance: str) -> tuple[int, int]:
    """Return the number of online devices and of all devices of a product in an instance."""
    row = db.execute(
        "SELECT coalesce(sum(devices) FILTER (WHERE status = 'ONLINE'), 0), coalesce(sum(devices), 0)"
        " FROM device_counts WHERE product_key = ? AND instance = ?",
        (product_key, instance),
    ).fetchone()
    return int(row[0]), int(row[1])


def _rate(rates: tuple[float, float], counts: tuple[int, int]) -> float:
    return rates[0] * counts[0] + rates[1] * counts[1]


def _rule_rate(db: sqlite3.Connection, rule: sqlite3.Row) -> float:
    if rule["topic_type"] == STATUS:
        rates = RATES["DeviceStatusChangeFlag"]
    elif rule["topic_type"] == CUSTOM:
        rates = _CUSTOM_RATES
    elif rule["short_topic"].endswith("/thing/event/property/post"):
        rates = RATES["DeviceDataFlag"]
    else:
        rates = _OTHER_SYSTEM_RATES
    device_name = rule["short_topic"].partition("/")[0]
    counts = _count_devices(db, rule["product_key"], rule["instance"])
    if device_name != "+" and not rule["short_topic"].endswith("/ota/job/status"):
        row = db.execute(
            "SELECT status FROM devices WHERE product_key = ? AND name = ?",
            (rule["product_key"], device_name),
        ).fetchone()
        counts = (0, 0) if row is None else (int(row["status"] == "ONLINE"), 1)
    return _rate(rates, counts) * (_WHERE_SHARE if rule["where"].strip() else 1)


def calculate_status(receivers: Receivers, flows: list[Flow], now: int) -> Status:
    """Return the status of a group at `now` (ms)."""
    start = max(receivers.position, now - RETENTION)
    if not receivers.clients:
        accumulated = sum(flow.count_messages(start, now) for flow in flows)
        return Status(accumulated=min(int(accumulated), MAX_ACCUMULATED))
    rate = sum(flow.rate for flow in flows)
    max_backlog_rate = min(MAX_BACKLOG_RATE, max(_MIN_BACKLOG_RATE, 3 * rate))
    accumulated, at, connected = 0.0, start, receivers.position
    for begin, end in _disconnections(receivers.group_id, now):
        connected = end
        if end <= start:
            continue
        accumulated = max(0.0, accumulated - max_backlog_rate * (max(begin, at) - at) / _MINUTE)
        at = min(end, now)
        accumulated += sum(flow.count_messages(max(begin, start), at) for flow in flows)
        if end > now:
            last = begin if any(flow.since < begin for flow in flows) else None
            return Status(accumulated=min(int(accumulated), MAX_ACCUMULATED), last_consumed=last)
    accumulated = max(0.0, accumulated - max_backlog_rate * (now - at) / _MINUTE)
    realtime_rate = round(rate * _daily_factor(receivers.group_id, now))
    backlog_rate = round(max_backlog_rate) if accumulated >= 1 else 0
    return Status(
        realtime_rate=realtime_rate,
        backlog_rate=backlog_rate,
        accumulated=min(int(accumulated), MAX_ACCUMULATED),
        clients=tuple(_simulate_clients(receivers, connected, realtime_rate, backlog_rate)),
        last_consumed=_last_consumed(receivers.group_id, flows, now),
    )


def _disconnections(group_id: str, now: int) -> Iterator[tuple[int, int]]:
    """Return the last times (start, end) before `now` when no client was connected; the last one may still continue."""
    for day in range(now // _DAY - 2, now // _DAY + 1):
        begin = day * _DAY + int(_chance(group_id, f"{day} from") * 22 * 60) * _MINUTE
        end = begin + int(20 + 40 * _chance(group_id, f"{day} for")) * _MINUTE
        if begin < now:
            yield begin, end


def _daily_factor(group_id: str, now: int) -> float:
    """Return the factor of the time of day, with a small variation: higher by day than at night."""
    hour = (now + 8 * 3_600_000) % _DAY / 3_600_000
    day = 1 + 0.15 * math.sin((hour - 8) / 24 * 2 * math.pi)
    return day * (0.95 + 0.1 * _chance(group_id, str(now // _MINUTE)))


def _simulate_clients(
    receivers: Receivers, since: int, realtime_rate: int, backlog_rate: int
) -> Iterator[Client]:
    count = receivers.clients
    for number in range(count):
        seed = zlib.crc32(f"{receivers.group_id}:{number}:{since}".encode())
        yield Client(
            client_id=f"{zlib.crc32(receivers.group_id.encode())}-{number}",
            address=f"192.0.2.{1 + seed % 254}:{32768 + seed // 254 % 28232}",
            since=since + number * 430,
            realtime_rate=realtime_rate // count + (number < realtime_rate % count),
            backlog_rate=backlog_rate // count + (number < backlog_rate % count),
        )


def _last_consumed(group_id: str, flows: list[Flow], now: int) -> int | None:
    rate = sum(flow.rate for flow in flows)
    if not rate:
        return None
    ago = int(_chance(group_id, str(now // 1000)) * min(_MINUTE / rate, _DAY))
    last = now - ago
    return last if last >= min(flow.since for flow in flows) else None


def _chance(group_id: str, salt: str) -> float:
    """Return a number from 0 to 1 that is always the same for the same group and `salt`."""
    return zlib.crc32(f"{group_id}:{salt}".encode()) / 2**32
