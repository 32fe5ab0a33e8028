"""How many messages come to a consumer group, and how many of them are waiting there.

Nothing is counted message by message: it follows from how many devices a product has online, what subscriptions and
rules send to the group and since when, and who receives for it. Programs that receive are away once a day for
20 to 60 minutes; then messages pile up, and are caught up with afterwards.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from console.emulator.routing.sources import CUSTOM, STATUS

_MINUTE, _DAY = 60_000, 86_400_000
RETENTION = _DAY  # what has waited so long is dropped
MOST_WAITING = 100_000_000  # messages of a group
MOST_CATCHING_UP = 200 * 60  # messages a minute of a group
_LEAST_CATCHING_UP = 5

# Messages a minute by kind: of each online device, and of each device at all.
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
"""What a subscription can be for, by the names of its parameters."""
_OTHER_SYSTEM = (1 / 600, 0)
_CUSTOM = (1 / 60, 0)
_PASSING = 0.1  # of the messages pass a WHERE


@dataclass(frozen=True, slots=True)
class Flow:
    """`rate` messages a minute since a time (ms)."""

    rate: float
    since: int

    def made(self, start: int, end: int) -> float:
        """How many messages between two times."""
        return self.rate * max(0, end - max(start, self.since)) / _MINUTE


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who receives for a group: so many programs, and nothing from before `position` (ms)."""

    group_id: str
    clients: int
    position: int


@dataclass(frozen=True, slots=True)
class Client:
    """One connected program: since when (ms), from where, and messages a minute."""

    client_id: str
    address: str
    since: int
    live: int
    catching_up: int


@dataclass(frozen=True, slots=True)
class Status:
    """A group at one moment: messages a minute as they come and of those that waited, how many wait, who is there."""

    live: int = 0
    catching_up: int = 0
    waiting: int = 0
    clients: tuple[Client, ...] = ()
    last_consumed: int | None = None


def flows_to(db: sqlite3.Connection, account: str, instance: str, group_id: str) -> list[Flow]:
    """All that subscriptions and running rules of this account send to a group."""
    flows = []
    for row in db.execute(
        "SELECT s.*, g.since AS group_since FROM subscription_groups g JOIN products p USING (product_key)"
        " JOIN subscriptions s ON s.product_key = g.product_key AND s.instance = g.instance AND s.type = 'AMQP'"
        " WHERE g.group_id = ? AND p.account = ? AND g.instance = ?",
        (group_id, account, instance),
    ).fetchall():
        counts = _counts(db, row["product_key"], instance)
        wanted = row["flags"].split(",")
        rate = sum(_rate(RATES[flag], counts) for flag in wanted if flag in RATES)
        flows.append(Flow(rate, max(row["since"], row["group_since"])))
    running = db.execute(
        "SELECT DISTINCT r.* FROM rule_actions a JOIN rules r ON r.id = a.rule"
        " WHERE a.group_id = ? AND NOT a.for_errors AND r.status = 'RUNNING' AND r.account = ? AND r.instance = ?",
        (group_id, account, instance),
    ).fetchall()
    flows += [Flow(_rule_rate(db, row), row["started"]) for row in running]
    return [flow for flow in flows if flow.rate > 0]


def _counts(db: sqlite3.Connection, product_key: str, instance: str) -> tuple[int, int]:
    """Devices of a product in an instance: online, and all."""
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
        rates = _CUSTOM
    elif rule["short_topic"].endswith("/thing/event/property/post"):
        rates = RATES["DeviceDataFlag"]
    else:
        rates = _OTHER_SYSTEM
    device = rule["short_topic"].partition("/")[0]
    counts = _counts(db, rule["product_key"], rule["instance"])
    if device != "+" and not rule["short_topic"].endswith("/ota/job/status"):
        row = db.execute(
            "SELECT status FROM devices WHERE product_key = ? AND name = ?", (rule["product_key"], device)
        ).fetchone()
        counts = (0, 0) if row is None else (int(row["status"] == "ONLINE"), 1)
    return _rate(rates, counts) * (_PASSING if rule["where"].strip() else 1)


def status_of(receivers: Receivers, flows: list[Flow], now: int) -> Status:
    """A group at `now` (ms)."""
    start = max(receivers.position, now - RETENTION)
    if not receivers.clients:
        waiting = sum(flow.made(start, now) for flow in flows)
        return Status(waiting=min(int(waiting), MOST_WAITING))
    rate = sum(flow.rate for flow in flows)
    catching_up = min(MOST_CATCHING_UP, max(_LEAST_CATCHING_UP, 3 * rate))
    waiting, at, connected = 0.0, start, receivers.position
    for begin, end in _absences(receivers.group_id, now):
        connected = end
        if end <= start:
            continue
        waiting = max(0.0, waiting - catching_up * (max(begin, at) - at) / _MINUTE)
        at = min(end, now)
        waiting += sum(flow.made(max(begin, start), at) for flow in flows)
        if end > now:
            last = begin if any(flow.since < begin for flow in flows) else None
            return Status(waiting=min(int(waiting), MOST_WAITING), last_consumed=last)
    waiting = max(0.0, waiting - catching_up * (now - at) / _MINUTE)
    live = round(rate * _curve(receivers.group_id, now))
    behind = round(catching_up) if waiting >= 1 else 0
    return Status(
        live=live,
        catching_up=behind,
        waiting=min(int(waiting), MOST_WAITING),
        clients=tuple(_clients(receivers, connected, live, behind)),
        last_consumed=_last_consumed(receivers.group_id, flows, now),
    )


def _absences(group_id: str, now: int) -> Iterator[tuple[int, int]]:
    """When nobody receives for a group: the last times before `now`, the one that lasts included."""
    for day in range(now // _DAY - 2, now // _DAY + 1):
        begin = day * _DAY + int(_dice(group_id, f"{day} from") * 22 * 60) * _MINUTE
        end = begin + int(20 + 40 * _dice(group_id, f"{day} for")) * _MINUTE
        if begin < now:
            yield begin, end


def _curve(group_id: str, now: int) -> float:
    """More by day than by night, and a little unsteady."""
    hour = (now + 8 * 3_600_000) % _DAY / 3_600_000
    day = 1 + 0.15 * math.sin((hour - 8) / 24 * 2 * math.pi)
    return day * (0.95 + 0.1 * _dice(group_id, str(now // _MINUTE)))


def _clients(receivers: Receivers, since: int, live: int, behind: int) -> Iterator[Client]:
    many = receivers.clients
    for number in range(many):
        dice = zlib.crc32(f"{receivers.group_id}:{number}:{since}".encode())
        yield Client(
            client_id=f"{zlib.crc32(receivers.group_id.encode())}-{number}",
            address=f"192.0.2.{1 + dice % 254}:{32768 + dice // 254 % 28232}",
            since=since + number * 430,
            live=live // many + (number < live % many),
            catching_up=behind // many + (number < behind % many),
        )


def _last_consumed(group_id: str, flows: list[Flow], now: int) -> int | None:
    rate = sum(flow.rate for flow in flows)
    if not rate:
        return None
    ago = int(_dice(group_id, str(now // 1000)) * min(_MINUTE / rate, _DAY))
    last = now - ago
    return last if last >= min(flow.since for flow in flows) else None


def _dice(group_id: str, salt: str) -> float:
    """A number from 0 to 1 that is always the same for the same group and moment."""
    return zlib.crc32(f"{group_id}:{salt}".encode()) / 2**32
