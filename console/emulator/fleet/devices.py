"""The sample devices: who they are, where they stand, how they have lived until now.

Made one after another from a seeded random source and written in batches, so that memory does not grow with the fleet.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from console.emulator.devices_presence import device_ip
from console.emulator.devices_schema import NewDevice, insert_devices
from console.emulator.fleet.company import INSTALLERS, PLACES, SENSOR, Model
from console.emulator.groups import MAX_DEVICES
from console.emulator.store import Store

BATCH = 5_000
DAY = 86_400_000
HOUR = 3_600_000
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose fleet it is; `mark` is in the ids of its devices, which are unique over all accounts."""

    account: str
    instance: str
    mark: str


@dataclass(slots=True)
class Made:
    """A sample device and what belongs to it."""

    device: NewDevice
    place: int
    version: str
    reported: int
    tags: tuple[tuple[str, str], ...]
    gateway: str


class Sites:
    """The groups of the sites, by the index in PLACES, each filled up to the platform's limit."""

    def __init__(self, group_ids: list[str], pilot: str) -> None:
        self._free = dict.fromkeys((*group_ids, pilot), MAX_DEVICES)
        self._group_ids = group_ids
        self._pilot = pilot

    def fill(self, db: sqlite3.Connection, batch: list[Made]) -> None:
        """Put devices that are in use into the group of their site, and a few of them into the pilot's."""
        rows = []
        for number, made in enumerate(batch):
            if made.device.activated is None:
                continue
            wanted = [self._group_ids[made.place]] + ([self._pilot] if number % 90 == 0 else [])
            for group_id in wanted:
                if self._free[group_id]:
                    self._free[group_id] -= 1
                    rows.append((group_id, made.device.iot_id))
        db.executemany("INSERT INTO group_devices (group_id, iot_id) VALUES (?, ?)", rows)


def share_out(total: int, shares: list[float]) -> list[int]:
    """`total` split by `shares`, to the last one."""
    counts = [int(total * share / sum(shares)) for share in shares]
    for index in range(total - sum(counts)):
        counts[index % len(counts)] += 1
    return counts


def place_of(serial: int) -> int:
    """The index in PLACES of a model's device by its serial number: neighbours stand together, sites differ in size."""
    return (serial // 7 * 2654435761 >> 7) % (len(PLACES) * 3) % (len(PLACES) + 5) % len(PLACES)


def write(
    store: Store,
    owner: Owner,
    product_key: str,
    model: Model,
    source: Iterator[Made],
    sites: Sites,
    now: int,
) -> None:
    """Insert the devices of a model from `source`, with their versions, tags, groups and gateways."""
    while batch := list(islice(source, BATCH)):
        with store.write() as db:
            insert_devices(
                db, owner.account, owner.instance, product_key, (made.device for made in batch), now
            )
            _write_rest(db, owner, model, batch)
            sites.fill(db, batch)


def make(owner: Owner, number: int, model: Model, count: int, gateways: int, now: int) -> Iterator[Made]:
    """The devices of a model, oldest first. The same for the same arguments, but for `now` by which times go."""
    rng = random.Random(f"{owner.mark}/{model.code}/{count}")
    delivery = max(20, count // 14)
    deliveries = -(-count // delivery)
    for serial in range(count):
        wave = serial // delivery
        age = model.days * (1 - wave / deliveries) ** 1.15 + 6
        created = now - int(age * DAY) + (serial % delivery) * 180
        place = place_of(serial)
        device = NewDevice(
            name=_name(rng, model, serial, place, created),
            nickname=_nickname(rng, model, serial, place),
            iot_id=iot_id_of(owner, number, serial),
            secret=f"{rng.getrandbits(128):032x}",
            created=created,
        )
        _live(rng, device, now, boxed=0.55 if age < 14 or not model.published else 0.05)
        version, reported = _version(rng, model, device, now)
        tags = (
            (("installer", rng.choice(INSTALLERS)), ("site", PLACES[place][1].name)) if serial % 5 < 2 else ()
        )
        gateway = ""
        if model.code == SENSOR and gateways and device.activated is not None:
            gateway = iot_id_of(owner, 0, serial % gateways)
        yield Made(device, place, version, reported, tags, gateway)


def iot_id_of(owner: Owner, number: int, serial: int) -> str:
    """The IotId of a model's device: 26 characters, growing with the serial so that indexes grow at their end."""
    digits = ""
    value = serial
    for _ in range(5):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    salt = hashlib.blake2b(f"{owner.mark}{number}/{serial}".encode(), digest_size=5).hexdigest()
    return f"{owner.mark}{_BASE62[10 + number]}{digits}{salt}"[:20] + "000000"


def _name(rng: random.Random, model: Model, serial: int, place: int, created: int) -> str:
    made = time.gmtime(created // 1000)
    return model.serial.format(
        n=serial + 1,
        hex=f"{rng.getrandbits(24):06X}{serial:06X}",
        city=PLACES[place][0].code,
        year=made.tm_year % 100,
        week=f"{made.tm_yday // 7 + 1:02}",
    )


def _nickname(rng: random.Random, model: Model, serial: int, place: int) -> str:
    words = model.words[place % len(model.words)]
    city, site = PLACES[place]
    chinese = not words.isascii()
    return words.format(
        site=site.chinese if chinese else site.name,
        district=site.district if chinese else city.name,
        road=site.road if chinese else f"{city.name}_{site.name}",
        building=rng.randint(1, 28),
        unit=rng.randint(1, 4),
        floor=rng.randint(1, 32),
        door=rng.randint(1, 6),
        k=serial + 1,
    )


def _live(rng: random.Random, device: NewDevice, now: int, boxed: float) -> None:
    """Status and times. Most are online and will go on coming and going; some are dead, disabled or still boxed."""
    created = device.created or now
    if rng.random() < boxed:
        device.due = now + int(rng.uniform(0.2, 72) * HOUR) if rng.random() < 0.3 else None
        return
    device.activated = min(
        created + int(rng.expovariate(1 / 12) * DAY) + HOUR, now - int(rng.uniform(1, 30) * HOUR)
    )
    device.activated = max(device.activated, created + 60_000)
    device.ip = device_ip(device.iot_id)
    room = max(now - device.activated, 1)
    luck = rng.random()
    if luck < 0.015:
        device.status, device.last_online = "DISABLE", now - int(room * rng.random())
    elif luck < 0.065:
        device.status, device.last_online = "OFFLINE", now - int(room * rng.uniform(0.02, 0.9))
    elif luck < 0.14:
        device.status, device.last_online = "OFFLINE", now - min(int(rng.uniform(3, 40) * HOUR), room)
        device.due = now + int(rng.uniform(0.1, 3) * HOUR)
    else:
        device.status, device.last_online = "ONLINE", now - min(int(rng.uniform(0.01, 20) * HOUR), room)
        device.due = now + int(rng.uniform(0.5, 22) * HOUR)


def _version(rng: random.Random, model: Model, device: NewDevice, now: int) -> tuple[str, int]:
    """The firmware a device last submitted and when; ("", 0) for one that never spoke."""
    if device.activated is None or device.last_online is None:
        return "", 0
    known = [release for release in model.releases if now - release.days * DAY <= device.last_online]
    known = known or list(model.releases[:1])
    release = rng.choices(known, [item.share for item in known])[0]
    reported = max(device.activated, now - int(release.days * rng.uniform(0.4, 1) * DAY))
    return release.version, min(reported, device.last_online)


def _write_rest(db: sqlite3.Connection, owner: Owner, model: Model, batch: list[Made]) -> None:
    scope = (owner.account, owner.instance)
    spoken = [made for made in batch if made.version]
    sql = "INSERT INTO device_modules (account, instance, iot_id, module, version, reported) VALUES (?, ?, ?, ?, ?, ?)"
    db.executemany(
        sql, ((*scope, made.device.iot_id, "default", made.version, made.reported) for made in spoken)
    )
    if model.module:
        db.executemany(
            sql,
            ((*scope, made.device.iot_id, model.module, "1.0.0", made.device.activated) for made in spoken),
        )
    db.executemany(
        "INSERT INTO device_tags (iot_id, account, instance, key, value) VALUES (?, ?, ?, ?, ?)",
        ((made.device.iot_id, *scope, key, value) for made in batch for key, value in made.tags),
    )
    if model.code == SENSOR:
        db.executemany(
            "INSERT INTO topology (iot_id, gateway_iot_id) VALUES (?, ?)",
            ((made.device.iot_id, made.gateway) for made in batch if made.gateway),
        )
