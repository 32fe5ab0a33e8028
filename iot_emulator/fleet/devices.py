"""The sample devices: their identity, place and history.

They are generated one by one from a seeded random source and written in chunks, so memory use does not grow with the
fleet.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from iot_emulator.devices_presence import device_ip
from iot_emulator.devices_schema import NewDevice, insert_devices
from iot_emulator.fleet.company import INSTALLERS, PLACES, SENSOR, Model
from iot_emulator.groups import MAX_DEVICES
from iot_emulator.store import Store

CHUNK_SIZE = 5_000
DAY = 86_400_000
HOUR = 3_600_000
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a fleet; its device ids start with `id_prefix`, so that they are unique across accounts."""

    account: str
    instance: str
    id_prefix: str


@dataclass(slots=True)
class SampleDevice:
    """A sample device with its place (index in PLACES), firmware version and report time (ms), tags and gateway."""

    device: NewDevice
    place: int
    version: str
    reported: int
    tags: tuple[tuple[str, str], ...]
    gateway: str


class Sites:
    """The groups of the sites, in the order of PLACES, and the pilot group; each takes devices up to the platform's limit."""

    def __init__(self, group_ids: list[str], pilot: str) -> None:
        self._free_places = dict.fromkeys((*group_ids, pilot), MAX_DEVICES)
        self._group_ids = group_ids
        self._pilot = pilot

    def add_devices(self, db: sqlite3.Connection, chunk: list[SampleDevice]) -> None:
        """Add activated devices to the group of their site, and a few of them to the pilot group."""
        rows = []
        for number, sample in enumerate(chunk):
            if sample.device.activated is None:
                continue
            group_ids = [self._group_ids[sample.place]] + ([self._pilot] if number % 90 == 0 else [])
            for group_id in group_ids:
                if self._free_places[group_id]:
                    self._free_places[group_id] -= 1
                    rows.append((group_id, sample.device.iot_id))
        db.executemany("INSERT INTO group_devices (group_id, iot_id) VALUES (?, ?)", rows)


def split_by_shares(total: int, shares: list[float]) -> list[int]:
    """Split `total` into whole parts in proportion to `shares`; the parts add up to `total`."""
    counts = [int(total * share / sum(shares)) for share in shares]
    for index in range(total - sum(counts)):
        counts[index % len(counts)] += 1
    return counts


def choose_place(serial: int) -> int:
    """Choose the index in PLACES by a device's serial number: adjacent numbers share a site, and sites differ in size."""
    return (serial // 7 * 2654435761 >> 7) % (len(PLACES) * 3) % (len(PLACES) + 5) % len(PLACES)


def write_devices(
    store: Store,
    owner: Owner,
    product_key: str,
    model: Model,
    source: Iterator[SampleDevice],
    sites: Sites,
    now: int,
) -> None:
    """Insert the devices of a model from `source`, with their versions, tags, groups and gateways."""
    while chunk := list(islice(source, CHUNK_SIZE)):
        with store.write() as db:
            insert_devices(
                db, owner.account, owner.instance, product_key, (sample.device for sample in chunk), now
            )
            _write_related_rows(db, owner, model, chunk)
            sites.add_devices(db, chunk)


def generate_devices(
    owner: Owner, number: int, model: Model, count: int, gateways: int, now: int
) -> Iterator[SampleDevice]:
    """Generate the devices of a model, oldest first. The result depends only on the arguments; times are relative to `now`."""
    rng = random.Random(f"{owner.id_prefix}/{model.code}/{count}")
    delivery = max(20, count // 14)
    deliveries = -(-count // delivery)
    for serial in range(count):
        wave = serial // delivery
        age = model.days * (1 - wave / deliveries) ** 1.15 + 6
        created = now - int(age * DAY) + (serial % delivery) * 180
        place = choose_place(serial)
        device = NewDevice(
            name=_make_name(rng, model, serial, place, created),
            nickname=_make_nickname(rng, model, serial, place),
            iot_id=make_iot_id(owner, number, serial),
            secret=f"{rng.getrandbits(128):032x}",
            created=created,
        )
        _set_status(rng, device, now, unused_share=0.55 if age < 14 or not model.published else 0.05)
        version, reported = _choose_version(rng, model, device, now)
        tags = (
            (("installer", rng.choice(INSTALLERS)), ("site", PLACES[place][1].name)) if serial % 5 < 2 else ()
        )
        gateway = ""
        if model.code == SENSOR and gateways and device.activated is not None:
            gateway = make_iot_id(owner, 0, serial % gateways)
        yield SampleDevice(device, place, version, reported, tags, gateway)


def make_iot_id(owner: Owner, number: int, serial: int) -> str:
    """Make the IotId of a model's device: 26 characters, ascending with the serial number so that indexes grow at the end."""
    digits = ""
    value = serial
    for _ in range(5):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    salt = hashlib.blake2b(f"{owner.id_prefix}{number}/{serial}".encode(), digest_size=5).hexdigest()
    return f"{owner.id_prefix}{_BASE62[10 + number]}{digits}{salt}"[:20] + "000000"


def _make_name(rng: random.Random, model: Model, serial: int, place: int, created: int) -> str:
    created_at = time.gmtime(created // 1000)
    return model.name_pattern.format(
        n=serial + 1,
        hex=f"{rng.getrandbits(24):06X}{serial:06X}",
        city=PLACES[place][0].code,
        year=created_at.tm_year % 100,
        week=f"{created_at.tm_yday // 7 + 1:02}",
    )


def _make_nickname(rng: random.Random, model: Model, serial: int, place: int) -> str:
    pattern = model.nickname_patterns[place % len(model.nickname_patterns)]
    city, site = PLACES[place]
    chinese = not pattern.isascii()
    return pattern.format(
        site=site.chinese if chinese else site.name,
        district=site.district if chinese else city.name,
        road=site.road if chinese else f"{city.name}_{site.name}",
        building=rng.randint(1, 28),
        unit=rng.randint(1, 4),
        floor=rng.randint(1, 32),
        door=rng.randint(1, 6),
        k=serial + 1,
    )


def _set_status(rng: random.Random, device: NewDevice, now: int, unused_share: float) -> None:
    """Set status and times. Most devices are online and will go offline and online again; some are permanently offline,
    disabled or not yet in use (`unused_share`)."""
    created = device.created or now
    if rng.random() < unused_share:
        device.due = now + int(rng.uniform(0.2, 72) * HOUR) if rng.random() < 0.3 else None
        return
    device.activated = min(
        created + int(rng.expovariate(1 / 12) * DAY) + HOUR, now - int(rng.uniform(1, 30) * HOUR)
    )
    device.activated = max(device.activated, created + 60_000)
    device.ip = device_ip(device.iot_id)
    age = max(now - device.activated, 1)
    draw = rng.random()
    if draw < 0.015:
        device.status, device.last_online = "DISABLE", now - int(age * rng.random())
    elif draw < 0.065:
        device.status, device.last_online = "OFFLINE", now - int(age * rng.uniform(0.02, 0.9))
    elif draw < 0.14:
        device.status, device.last_online = "OFFLINE", now - min(int(rng.uniform(3, 40) * HOUR), age)
        device.due = now + int(rng.uniform(0.1, 3) * HOUR)
    else:
        device.status, device.last_online = "ONLINE", now - min(int(rng.uniform(0.01, 20) * HOUR), age)
        device.due = now + int(rng.uniform(0.5, 22) * HOUR)


def _choose_version(rng: random.Random, model: Model, device: NewDevice, now: int) -> tuple[str, int]:
    """Choose the firmware version that a device last reported, and when (ms); ("", 0) if it was never online."""
    if device.activated is None or device.last_online is None:
        return "", 0
    known = [release for release in model.releases if now - release.days * DAY <= device.last_online]
    known = known or list(model.releases[:1])
    release = rng.choices(known, [item.share for item in known])[0]
    reported = max(device.activated, now - int(release.days * rng.uniform(0.4, 1) * DAY))
    return release.version, min(reported, device.last_online)


def _write_related_rows(
    db: sqlite3.Connection, owner: Owner, model: Model, chunk: list[SampleDevice]
) -> None:
    scope = (owner.account, owner.instance)
    reporting = [sample for sample in chunk if sample.version]
    sql = "INSERT INTO device_modules (account, instance, iot_id, module, version, reported) VALUES (?, ?, ?, ?, ?, ?)"
    db.executemany(
        sql,
        ((*scope, sample.device.iot_id, "default", sample.version, sample.reported) for sample in reporting),
    )
    if model.module:
        db.executemany(
            sql,
            (
                (*scope, sample.device.iot_id, model.module, "1.0.0", sample.device.activated)
                for sample in reporting
            ),
        )
    db.executemany(
        "INSERT INTO device_tags (iot_id, account, instance, key, value) VALUES (?, ?, ?, ?, ?)",
        ((sample.device.iot_id, *scope, key, value) for sample in chunk for key, value in sample.tags),
    )
    if model.code == SENSOR:
        db.executemany(
            "INSERT INTO topology (iot_id, gateway_iot_id) VALUES (?, ?)",
            ((sample.device.iot_id, sample.gateway) for sample in chunk if sample.gateway),
        )
