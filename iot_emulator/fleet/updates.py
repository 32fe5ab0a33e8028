"""The sample company's updates: modules, packages of several versions, and batches of every status.

Past batches are derived from the devices' current versions: a device with the new version was updated, one with an
older version failed or was not part of the batch. Current batches continue over time from the progress set here.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from iot_emulator import objects
from iot_emulator.fleet.company import GATEWAY, LIGHT, METER, MODELS, SENSOR, WATER
from iot_emulator.fleet.devices import DAY, HOUR, Owner
from iot_emulator.ota import common, running
from iot_emulator.ota.packages import DELTA, FULL, PackageFile, Status

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

MINUTE = 60_000
TASKS_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Package:
    """An update package of the company, created `days` ago; `size` in KB."""

    model: str
    name: str
    version: str
    days: float
    status: Status
    description: str
    size: int = 96
    kind: int = FULL
    src: str = ""
    module: str = "default"


PACKAGES = (
    Package(METER, "meter-1_4_3", "1.4.3", 480, Status.VERIFIED, "Tariff switching, clock drift fix", 84),
    Package(METER, "meter-2_0_1", "2.0.1", 220, Status.VERIFIED, "New NB-IoT stack, PSM and eDRX", 112),
    Package(METER, "meter-2_1_0", "2.1.0", 25, Status.VERIFIED, "Outage report within 30 s", 118),
    Package(METER, "meter-2_1_0-delta", "2.1.0", 12, Status.NO_NEED, "2.0.1 to 2.1.0, 9 KB over the air", 9,
            DELTA, "2.0.1"),
    Package(METER, "meter-2_2_0-rc1", "2.2.0-rc1", 2, Status.UNVERIFIED, "Release candidate for the pilot", 121),
    Package(METER, "metrology-1_1_0", "1.1.0", 60, Status.NO_NEED, "Calibration table B", 16, module="metrology"),
    Package(GATEWAY, "gateway-3_1_0", "3.1.0", 310, Status.VERIFIED, "Listen before talk", 240),
    Package(GATEWAY, "gateway-3_2_0", "3.2.0", 40, Status.VERIFIED, "Remote packet capture", 256),
    Package(GATEWAY, "gateway-3_3_0", "3.3.0", 1, Status.VERIFYING, "WPA3 and a new watchdog", 260),
    Package(LIGHT, "light-1_7_5", "1.7.5", 350, Status.VERIFIED, "Astronomical clock", 72),
    Package(LIGHT, "light-1_8_0", "1.8.0", 75, Status.FAILED, "Withdrawn: dimming flickers", 75),
    Package(LIGHT, "light-1_8_1", "1.8.1", 60, Status.VERIFIED, "Dimming curve by lamp type", 75),
    Package(SENSOR, "sensor-1_2_0", "1.2.0", 95, Status.NO_NEED, "Adaptive reporting interval", 48),
    Package(WATER, "water-1_0_3", "1.0.3", 130, Status.VERIFIED, "Leak alarm below 8 L/h", 64),
)  # fmt: skip


def write_updates(
    emulator: Emulator, db: sqlite3.Connection, owner: Owner, keys: dict[str, str], total: int, now: int
) -> None:
    """Write all modules, packages and batches, for a fleet of `total` devices."""
    for model in MODELS:
        if model.module:
            created = now - (model.days - 10) * DAY
            db.execute(
                "INSERT INTO ota_modules (product_key, name, alias, description, created, modified)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (keys[model.code], model.module, model.module_alias, "", created, created),
            )
    writer = _UpdateWriter(emulator, db, owner, keys, total, now)
    for package in PACKAGES:
        writer.add_package(package)
    _write_past_batches(writer)
    _write_current_batches(writer)


def _write_past_batches(writer: _UpdateWriter) -> None:
    """Write past batches: completed, completed with many failures, canceled."""
    now = writer.now
    batch = writer.add_batch("meter-1_4_3", 470, "COMPLETED", verify=1, target="SPECIFIC")
    writer.add_tasks(batch, "SUCCEEDED", 3, ("1.4.3", "2.0.1"), "1.2.0")
    batch = writer.add_batch("meter-1_4_3", 465, "COMPLETED", target="ALL", src_versions=["1.2.0"])
    writer.add_tasks(batch, "SUCCEEDED", 260, ("1.4.3", "2.0.1"), "1.2.0")
    writer.add_tasks(batch, "FAILED", 14, ("1.2.0",), "1.2.0")
    batch = writer.add_batch("meter-2_0_1", 214, "COMPLETED", verify=1, target="SPECIFIC")
    writer.add_tasks(batch, "SUCCEEDED", 5, ("2.0.1", "2.1.0"), "1.4.3")
    batch = writer.add_batch(
        "meter-2_0_1", 210, "COMPLETED", target="GRAY", gray_percent="10", timeout=60, tags=[("phase", "1")]
    )
    writer.add_tasks(batch, "SUCCEEDED", 110, ("2.0.1", "2.1.0"), "1.4.3")
    writer.add_tasks(batch, "FAILED", 4, ("1.4.3",), "1.4.3")
    batch = writer.add_batch(
        "meter-2_0_1", 190, "COMPLETED", target="ALL", src_versions=["1.2.0", "1.4.3"], retry_interval=60,
        retry_count=2, timeout=1440, per_minute=500, tags=[("phase", "2"), ("change", "CHG-20418")],
    )  # fmt: skip
    writer.add_tasks(batch, "SUCCEEDED", 800, ("2.0.1", "2.1.0"), "1.4.3")
    writer.add_tasks(batch, "FAILED", 46, ("1.4.3", "1.2.0"), "1.4.3")
    batch = writer.add_batch("meter-2_1_0", 22, "COMPLETED", verify=1, target="SPECIFIC")
    writer.add_tasks(batch, "SUCCEEDED", 4, ("2.1.0",), "2.0.1")
    batch = writer.add_batch("gateway-3_1_0", 300, "COMPLETED", target="ALL")
    writer.add_tasks(batch, "SUCCEEDED", 90, ("3.1.0", "3.2.0"), "3.0.2")
    writer.add_tasks(batch, "FAILED", 3, ("3.0.2",), "3.0.2")
    batch = writer.add_batch("light-1_7_5", 340, "COMPLETED", target="ALL", src_versions=["1.6.2"])
    writer.add_tasks(batch, "SUCCEEDED", 420, ("1.7.5",), "1.6.2")
    writer.add_tasks(batch, "FAILED", 21, ("1.6.2",), "1.6.2")
    batch = writer.add_batch("light-1_8_0", 74, "COMPLETED", verify=1, target="SPECIFIC")
    writer.add_tasks(batch, "FAILED", 3, ("1.7.5",), "1.7.5")
    writer.add_tasks(batch, "SUCCEEDED", 2, ("1.8.1",), "1.7.5")
    batch = writer.add_batch(
        "light-1_8_1", 55, "CANCELED", target="GRAY", gray_percent="33.33", canceled=1, tags=[("phase", "1")]
    )
    writer.add_tasks(batch, "SUCCEEDED", 130, ("1.8.1",), "1.7.5")
    writer.add_tasks(batch, "FAILED", 58, ("1.7.5",), "1.7.5")
    writer.add_tasks(batch, "CANCELED", 180, ("1.7.5", "1.6.2"), "1.7.5")
    batch = writer.add_batch(
        "water-1_0_3", 120, "CANCELED", target="ALL", canceled=1, schedule=now - 119 * DAY, started=None
    )
    writer.add_tasks(batch, "CANCELED", 60, ("1.0.0",), "1.0.0")
    batch = writer.add_batch("sensor-1_2_0", 90, "CANCELED", dynamic=1, target="ALL", src_versions=["1.0.7"])
    writer.add_tasks(batch, "SUCCEEDED", 70, ("1.2.0",), "1.0.7")


def _write_current_batches(writer: _UpdateWriter) -> None:
    """Write batches that are planned, running, or waiting for confirmation."""
    now = writer.now
    batch = writer.add_batch(
        "meter-2_1_0", 0.05, "IN_PROGRESS", target="ALL", src_versions=["2.0.1"], per_minute=10, timeout=120,
        retry_interval=10, retry_count=2, tags=[("phase", "2"), ("change", "CHG-31077")],
    )  # fmt: skip
    writer.add_tasks(batch, "SUCCEEDED", 210, ("2.1.0",), "2.0.1")
    writer.add_tasks(batch, "FAILED", 9, ("2.0.1",), "2.0.1")
    writer.add_tasks(batch, "CANCELED", 2, ("2.0.1",), "2.0.1")
    writer.add_tasks(batch, "IN_PROGRESS", 24, ("2.0.1",), device_status="ONLINE")
    writer.add_tasks(batch, "NOTIFIED", 6, ("2.0.1",), device_status="ONLINE")
    writer.add_tasks(batch, "QUEUED", 420, ("2.0.1",), device_status="ONLINE")
    writer.add_tasks(batch, "QUEUED", 60, ("2.0.1",), device_status="OFFLINE")
    batch = writer.add_batch("gateway-3_2_0", 3, "IN_PROGRESS", target="SPECIFIC", need_confirm=1)
    writer.add_tasks(batch, "SUCCEEDED", 12, ("3.2.0",), "3.1.0")
    writer.add_tasks(batch, "CONFIRM", 26, ("3.1.0",))
    batch = writer.add_batch("gateway-3_3_0", 0.5, "IN_PROGRESS", verify=1, target="SPECIFIC", need_confirm=1)
    writer.add_tasks(batch, "CONFIRM", 3, ("3.2.0",), device_status="ONLINE")
    batch = writer.add_batch(
        "sensor-1_2_0", 80, "IN_PROGRESS", dynamic=1, target="ALL", src_versions=["1.1.4"]
    )
    writer.add_tasks(batch, "SUCCEEDED", 150, ("1.2.0",), "1.1.4")
    writer.add_tasks(batch, "FAILED", 8, ("1.1.4",), "1.1.4")
    writer.add_tasks(batch, "QUEUED", 30, ("1.1.4",), device_status="OFFLINE")
    start = now + 20 * HOUR
    batch = writer.add_batch(
        "water-1_0_3", 1, "PLANNED", target="ALL", src_versions=["1.0.0"], schedule=start, finish=start + 6 * HOUR,
        started=None, per_minute=100, timeout=60,
    )  # fmt: skip
    writer.add_tasks(batch, "QUEUED", 220, ("1.0.0",))


class _UpdateWriter:
    """Writes packages, batches and tasks of one owner."""

    def __init__(
        self,
        emulator: Emulator,
        db: sqlite3.Connection,
        owner: Owner,
        keys: dict[str, str],
        total: int,
        now: int,
    ) -> None:
        self.now = now
        self._emulator, self._db, self._owner, self._keys = emulator, db, owner, keys
        self._scale = total / 5000
        self._packages = {package.name: package for package in PACKAGES}

    def add_package(self, package: Package) -> None:
        """Write a package, with a real file in the store."""
        created = self.now - int(package.days * DAY)
        key = f"ota/{self._owner.id_prefix}/{package.name}.bin"
        data = random.Random(package.name).randbytes(package.size * 1024)
        stored = objects.open_store(self._emulator).put(self._db, key, data, created)
        file = PackageFile(f"{package.name}.bin", key, stored.size, stored.md5, stored.md5)
        values = {
            "id": self._make_id(package.name),
            "account": self._owner.account,
            "instance": self._owner.instance,
            "name": package.name,
            "product_key": self._keys[package.model],
            "module": package.module,
            "kind": package.kind,
            "dest_version": package.version,
            "src_version": package.src,
            "files": json.dumps([asdict(file)]),
            "single": 1,
            "size": stored.size,
            "sign": stored.md5,
            "description": package.description,
            "udi": "",
            "status": int(package.status),
            "created": created,
            "modified": created + 3 * HOUR,
        }
        self._insert("ota_packages", values)

    def add_batch(
        self,
        package_name: str,
        days: float,
        status: str,
        *,
        src_versions: list[str] | None = None,
        tags: list[tuple[str, str]] | None = None,
        **columns: Any,
    ) -> sqlite3.Row:
        """Write a batch that was created `days` ago."""
        package = self._packages[package_name]
        created = self.now - int(days * DAY)
        is_over = status in ("COMPLETED", "CANCELED")
        (earlier,) = self._db.execute(
            "SELECT count(*) FROM ota_batches WHERE package_id = ?", (self._make_id(package_name),)
        ).fetchone()
        values = {
            "batch_id": self._make_id(f"{package_name}#{earlier}"),
            "account": self._owner.account,
            "instance": self._owner.instance,
            "package_id": self._make_id(package_name),
            "package_name": package_name,
            "product_key": self._keys[package.model],
            "module": package.module,
            "dest_version": package.version,
            "status": status,
            "src_versions": json.dumps(src_versions or []),
            "tags": json.dumps([{"Key": key, "Value": value} for key, value in tags or []]),
            "sequence": earlier,
            "created": created,
            "modified": created + 2 * HOUR if is_over else created,
            "started": created,
            "ended": created + 2 * HOUR if is_over else None,
            **columns,
        }
        number = self._insert("ota_batches", values)
        row: sqlite3.Row = self._db.execute("SELECT * FROM ota_batches WHERE id = ?", (number,)).fetchone()
        return row

    def add_tasks(
        self,
        batch: sqlite3.Row,
        status: str,
        count: int,
        versions: tuple[str, ...],
        src: str = "",
        device_status: str = "",
    ) -> None:
        """Write tasks of one status for up to `count` devices (of a fleet of 5,000) that currently have one of `versions`.

        `src` is their version before the update, if it was another one.
        """
        limit = min(max(round(count * self._scale), min(count, 3)), TASKS_LIMIT)
        devices = self._db.execute(
            f"""SELECT d.iot_id, d.name, m.version FROM devices d
                JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
                WHERE d.product_key = ? AND m.version IN ({common.placeholders(versions)})
                    AND (? = '' OR d.status = ?)
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t WHERE t.iot_id = d.iot_id
                        AND (t.active OR t.batch = ?))
                ORDER BY d.id LIMIT ?""",
            (
                batch["module"],
                batch["product_key"],
                *versions,
                device_status,
                device_status,
                batch["id"],
                limit,
            ),
        ).fetchall()
        self._db.executemany(
            """INSERT INTO ota_tasks (task_id, batch, iot_id, name, module, src_version, created, status, active, due,
                modified, progress, description, notice_ms, work_ms, failures, retries, final_progress, reason)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            self._build_task_rows(batch, status, devices, src),
        )

    def _build_task_rows(
        self, batch: sqlite3.Row, status: str, devices: list[sqlite3.Row], src: str
    ) -> Iterator[tuple[Any, ...]]:
        rng = random.Random(f"{batch['batch_id']}/{status}/{len(devices)}")
        for number, (iot_id, name, version) in enumerate(devices):
            plan = running.plan_task(
                f"{iot_id}/{batch['sequence']}",
                self._emulator.pace,
                timeout=None,
                is_verification=bool(batch["verify"]),
            )
            end = batch["ended"] or self.now - MINUTE
            moment = batch["created"] + int((end - batch["created"]) * rng.random())
            progress, text, due = 0.0, "", None
            active = status in common.UNFINISHED
            if status == "SUCCEEDED":
                progress = 100.0
            elif status == "FAILED":
                progress, text = round(rng.uniform(2, 90), 2), rng.choice(running.REASONS)
            elif status == "CANCELED":
                text = "canceled by user"
            elif status != "CONFIRM":
                due, moment = self._calculate_due(rng, batch, status, number, plan)
            yield (
                self._make_id(f"{batch['batch_id']}/{iot_id}"), batch["id"], iot_id, name, batch["module"], src or version,
                batch["created"], status, active, due, moment, progress, text, plan.notice_ms, plan.work_ms,
                plan.failures, batch["retry_count"], plan.final_progress, plan.reason,
            )  # fmt: skip

    def _calculate_due(
        self, rng: random.Random, batch: sqlite3.Row, status: str, number: int, plan: running.TaskPlan
    ) -> tuple[int, int]:
        """Calculate when the next step of an unfinished task is due, and when its current status started (ms)."""
        pace = self._emulator.pace
        if status == "QUEUED":
            first = batch["schedule"] or self.now
            return first + pace.work((number + 1) * 60 / batch["per_minute"]), batch["created"]
        if status == "NOTIFIED":
            due = self.now + int(plan.notice_ms * rng.random())
            return due, due - plan.notice_ms
        due = self.now + int(plan.work_ms * rng.random())
        return due, due - plan.work_ms

    def _make_id(self, name: str) -> str:
        rng = random.Random(f"{self._owner.account}/{self._owner.instance}/{name}")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(rng.choices(letters, k=22)) + "0100"

    def _insert(self, table: str, values: dict[str, Any]) -> int:
        cursor = self._db.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({common.placeholders(values)})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid or 0)
