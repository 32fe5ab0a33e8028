"""The sample company's updates: modules, packages of several versions, and batches in every state.

Past batches are told from what devices have now: one that runs a version was updated to it, one that runs an older one
failed or was left out. The running batches are real: they go on by the clock from where they are put here.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from console.emulator import objects
from console.emulator.fleet.company import GATEWAY, LIGHT, METER, MODELS, SENSOR, WATER
from console.emulator.fleet.devices import DAY, HOUR, Owner
from console.emulator.ota import common, running
from console.emulator.ota.packages import DELTA, FULL, PackageFile, Status

if TYPE_CHECKING:
    from console.emulator.app import Emulator

MINUTE = 60_000
TASKS_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Package:
    """An update package as the company made it, `days` ago; `size` in KB."""

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


def write(
    emulator: Emulator, db: sqlite3.Connection, owner: Owner, keys: dict[str, str], total: int, now: int
) -> None:
    """Write it all, for a fleet of `total` devices."""
    for model in MODELS:
        if model.module:
            created = now - (model.days - 10) * DAY
            db.execute(
                "INSERT INTO ota_modules (product_key, name, alias, description, created, modified)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (keys[model.code], model.module, model.module_alias, "", created, created),
            )
    company = _Company(emulator, db, owner, keys, total, now)
    for package in PACKAGES:
        company.add_package(package)
    _past(company)
    _present(company)


def _past(company: _Company) -> None:
    """Batches that are over: done, done with many failures, called off."""
    now = company.now
    job = company.add_job("meter-1_4_3", 470, "COMPLETED", verify=1, target="SPECIFIC")
    company.add_tasks(job, "SUCCEEDED", 3, ("1.4.3", "2.0.1"), "1.2.0")
    job = company.add_job("meter-1_4_3", 465, "COMPLETED", target="ALL", src_versions=["1.2.0"])
    company.add_tasks(job, "SUCCEEDED", 260, ("1.4.3", "2.0.1"), "1.2.0")
    company.add_tasks(job, "FAILED", 14, ("1.2.0",), "1.2.0")
    job = company.add_job("meter-2_0_1", 214, "COMPLETED", verify=1, target="SPECIFIC")
    company.add_tasks(job, "SUCCEEDED", 5, ("2.0.1", "2.1.0"), "1.4.3")
    job = company.add_job(
        "meter-2_0_1", 210, "COMPLETED", target="GRAY", gray_percent="10", timeout=60, tags=[("phase", "1")]
    )
    company.add_tasks(job, "SUCCEEDED", 110, ("2.0.1", "2.1.0"), "1.4.3")
    company.add_tasks(job, "FAILED", 4, ("1.4.3",), "1.4.3")
    job = company.add_job(
        "meter-2_0_1", 190, "COMPLETED", target="ALL", src_versions=["1.2.0", "1.4.3"], retry_interval=60,
        retry_count=2, timeout=1440, per_minute=500, tags=[("phase", "2"), ("change", "CHG-20418")],
    )  # fmt: skip
    company.add_tasks(job, "SUCCEEDED", 800, ("2.0.1", "2.1.0"), "1.4.3")
    company.add_tasks(job, "FAILED", 46, ("1.4.3", "1.2.0"), "1.4.3")
    job = company.add_job("meter-2_1_0", 22, "COMPLETED", verify=1, target="SPECIFIC")
    company.add_tasks(job, "SUCCEEDED", 4, ("2.1.0",), "2.0.1")
    job = company.add_job("gateway-3_1_0", 300, "COMPLETED", target="ALL")
    company.add_tasks(job, "SUCCEEDED", 90, ("3.1.0", "3.2.0"), "3.0.2")
    company.add_tasks(job, "FAILED", 3, ("3.0.2",), "3.0.2")
    job = company.add_job("light-1_7_5", 340, "COMPLETED", target="ALL", src_versions=["1.6.2"])
    company.add_tasks(job, "SUCCEEDED", 420, ("1.7.5",), "1.6.2")
    company.add_tasks(job, "FAILED", 21, ("1.6.2",), "1.6.2")
    job = company.add_job("light-1_8_0", 74, "COMPLETED", verify=1, target="SPECIFIC")
    company.add_tasks(job, "FAILED", 3, ("1.7.5",), "1.7.5")
    company.add_tasks(job, "SUCCEEDED", 2, ("1.8.1",), "1.7.5")
    job = company.add_job(
        "light-1_8_1", 55, "CANCELED", target="GRAY", gray_percent="33.33", canceled=1, tags=[("phase", "1")]
    )
    company.add_tasks(job, "SUCCEEDED", 130, ("1.8.1",), "1.7.5")
    company.add_tasks(job, "FAILED", 58, ("1.7.5",), "1.7.5")
    company.add_tasks(job, "CANCELED", 180, ("1.7.5", "1.6.2"), "1.7.5")
    job = company.add_job(
        "water-1_0_3", 120, "CANCELED", target="ALL", canceled=1, schedule=now - 119 * DAY, started=None
    )
    company.add_tasks(job, "CANCELED", 60, ("1.0.0",), "1.0.0")
    job = company.add_job("sensor-1_2_0", 90, "CANCELED", dynamic=1, target="ALL", src_versions=["1.0.7"])
    company.add_tasks(job, "SUCCEEDED", 70, ("1.2.0",), "1.0.7")


def _present(company: _Company) -> None:
    """Batches that are planned, running, or waiting for somebody."""
    now = company.now
    job = company.add_job(
        "meter-2_1_0", 0.05, "IN_PROGRESS", target="ALL", src_versions=["2.0.1"], per_minute=10, timeout=120,
        retry_interval=10, retry_count=2, tags=[("phase", "2"), ("change", "CHG-31077")],
    )  # fmt: skip
    company.add_tasks(job, "SUCCEEDED", 210, ("2.1.0",), "2.0.1")
    company.add_tasks(job, "FAILED", 9, ("2.0.1",), "2.0.1")
    company.add_tasks(job, "CANCELED", 2, ("2.0.1",), "2.0.1")
    company.add_tasks(job, "IN_PROGRESS", 24, ("2.0.1",), device_status="ONLINE")
    company.add_tasks(job, "NOTIFIED", 6, ("2.0.1",), device_status="ONLINE")
    company.add_tasks(job, "QUEUED", 420, ("2.0.1",), device_status="ONLINE")
    company.add_tasks(job, "QUEUED", 60, ("2.0.1",), device_status="OFFLINE")
    job = company.add_job("gateway-3_2_0", 3, "IN_PROGRESS", target="SPECIFIC", need_confirm=1)
    company.add_tasks(job, "SUCCEEDED", 12, ("3.2.0",), "3.1.0")
    company.add_tasks(job, "CONFIRM", 26, ("3.1.0",))
    job = company.add_job("gateway-3_3_0", 0.5, "IN_PROGRESS", verify=1, target="SPECIFIC", need_confirm=1)
    company.add_tasks(job, "CONFIRM", 3, ("3.2.0",), device_status="ONLINE")
    job = company.add_job("sensor-1_2_0", 80, "IN_PROGRESS", dynamic=1, target="ALL", src_versions=["1.1.4"])
    company.add_tasks(job, "SUCCEEDED", 150, ("1.2.0",), "1.1.4")
    company.add_tasks(job, "FAILED", 8, ("1.1.4",), "1.1.4")
    company.add_tasks(job, "QUEUED", 30, ("1.1.4",), device_status="OFFLINE")
    start = now + 20 * HOUR
    job = company.add_job(
        "water-1_0_3", 1, "PLANNED", target="ALL", src_versions=["1.0.0"], schedule=start, finish=start + 6 * HOUR,
        started=None, per_minute=100, timeout=60,
    )  # fmt: skip
    company.add_tasks(job, "QUEUED", 220, ("1.0.0",))


class _Company:
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
        """A package with a real file in the store."""
        created = self.now - int(package.days * DAY)
        key = f"ota/{self._owner.mark}/{package.name}.bin"
        data = random.Random(package.name).randbytes(package.size * 1024)
        stored = objects.open_store(self._emulator).put(self._db, key, data, created)
        file = PackageFile(f"{package.name}.bin", key, stored.size, stored.md5, stored.md5)
        values = {
            "id": self._id(package.name),
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

    def add_job(
        self,
        package_name: str,
        days: float,
        status: str,
        *,
        src_versions: list[str] | None = None,
        tags: list[tuple[str, str]] | None = None,
        **columns: Any,
    ) -> sqlite3.Row:
        """A batch that was made `days` ago."""
        package = self._packages[package_name]
        created = self.now - int(days * DAY)
        over = status in ("COMPLETED", "CANCELED")
        (before,) = self._db.execute(
            "SELECT count(*) FROM ota_jobs WHERE package_id = ?", (self._id(package_name),)
        ).fetchone()
        values = {
            "job_id": self._id(f"{package_name}#{before}"),
            "account": self._owner.account,
            "instance": self._owner.instance,
            "package_id": self._id(package_name),
            "package_name": package_name,
            "product_key": self._keys[package.model],
            "module": package.module,
            "dest_version": package.version,
            "status": status,
            "src_versions": json.dumps(src_versions or []),
            "tags": json.dumps([{"Key": key, "Value": value} for key, value in tags or []]),
            "round": before,
            "created": created,
            "modified": created + 2 * HOUR if over else created,
            "started": created,
            "ended": created + 2 * HOUR if over else None,
            **columns,
        }
        number = self._insert("ota_jobs", values)
        row: sqlite3.Row = self._db.execute("SELECT * FROM ota_jobs WHERE id = ?", (number,)).fetchone()
        return row

    def add_tasks(
        self,
        job: sqlite3.Row,
        status: str,
        count: int,
        versions: tuple[str, ...],
        src: str = "",
        device_status: str = "",
    ) -> None:
        """Tasks of one status for up to `count` devices (of a fleet of 5,000) that now have one of `versions`.

        `src` is the version they had before, when it is not the one they have.
        """
        wanted = min(max(round(count * self._scale), min(count, 3)), TASKS_LIMIT)
        devices = self._db.execute(
            f"""SELECT d.iot_id, d.name, m.version FROM devices d
                JOIN device_modules m ON m.iot_id = d.iot_id AND m.module = ?
                WHERE d.product_key = ? AND m.version IN ({common.marks(versions)})
                    AND (? = '' OR d.status = ?)
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t WHERE t.iot_id = d.iot_id
                        AND (t.active OR t.job = ?))
                ORDER BY d.id LIMIT ?""",
            (job["module"], job["product_key"], *versions, device_status, device_status, job["id"], wanted),
        ).fetchall()
        self._db.executemany(
            """INSERT INTO ota_tasks (task_id, job, iot_id, name, module, src_version, created, status, active, due,
                modified, progress, description, notice_ms, work_ms, failures, retries, reach, reason)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            self._tasks(job, status, devices, src),
        )

    def _tasks(
        self, job: sqlite3.Row, status: str, devices: list[sqlite3.Row], src: str
    ) -> Iterator[tuple[Any, ...]]:
        rng = random.Random(f"{job['job_id']}/{status}/{len(devices)}")
        for number, (iot_id, name, version) in enumerate(devices):
            course = running.plan(
                f"{iot_id}/{job['round']}", self._emulator.pace, timeout=None, trial=bool(job["verify"])
            )
            end = job["ended"] or self.now - MINUTE
            moment = job["created"] + int((end - job["created"]) * rng.random())
            progress, text, due = 0.0, "", None
            active = status in common.UNFINISHED
            if status == "SUCCEEDED":
                progress = 100.0
            elif status == "FAILED":
                progress, text = round(rng.uniform(2, 90), 2), rng.choice(running.REASONS)
            elif status == "CANCELED":
                text = "canceled by user"
            elif status != "CONFIRM":
                due, moment = self._due(rng, job, status, number, course)
            yield (
                self._id(f"{job['job_id']}/{iot_id}"), job["id"], iot_id, name, job["module"], src or version,
                job["created"], status, active, due, moment, progress, text, course.notice_ms, course.work_ms,
                course.failures, job["retry_count"], course.reach, course.reason,
            )  # fmt: skip

    def _due(
        self, rng: random.Random, job: sqlite3.Row, status: str, number: int, course: running.Plan
    ) -> tuple[int, int]:
        """When an unfinished task goes on, and when it came to where it is."""
        pace = self._emulator.pace
        if status == "QUEUED":
            first = job["schedule"] or self.now
            return first + pace.work((number + 1) * 60 / job["per_minute"]), job["created"]
        if status == "NOTIFIED":
            due = self.now + int(course.notice_ms * rng.random())
            return due, due - course.notice_ms
        due = self.now + int(course.work_ms * rng.random())
        return due, due - course.work_ms

    def _id(self, what: str) -> str:
        rng = random.Random(f"{self._owner.account}/{self._owner.instance}/{what}")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(rng.choices(letters, k=22)) + "0100"

    def _insert(self, table: str, values: dict[str, Any]) -> int:
        cursor = self._db.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({common.marks(values)})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid or 0)
