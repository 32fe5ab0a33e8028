"""How updates run: what happens to a task by itself, on the clock.

A task's whole course is planned from a seed when it is made: how long the device takes to answer the notification,
how long it works, and which attempts fail and why. Afterwards only its `due` is looked at. Due tasks are moved on in
sets, each transition one statement, stamped with the time at which it was due and not with the time somebody looked.

    CONFIRM -> (ConfirmOTATask) -> QUEUED -> NOTIFIED -> IN_PROGRESS -> SUCCEEDED | FAILED | QUEUED again, to retry
    FAILED | CANCELED -> (ReupgradeOTATask) -> QUEUED | CONFIRM, with a new course

A device that is not online keeps its task QUEUED and is looked at again when it should be, half a minute later at the
soonest.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from console.emulator.clock import Pace

SCHEMA = """
CREATE TABLE IF NOT EXISTS ota_jobs (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    package_id TEXT NOT NULL,
    package_name TEXT NOT NULL,
    product_key TEXT NOT NULL,
    module TEXT NOT NULL,
    dest_version TEXT NOT NULL,
    verify INTEGER NOT NULL DEFAULT 0,
    dynamic INTEGER NOT NULL DEFAULT 0,
    dynamic_mode INTEGER NOT NULL DEFAULT 1,
    target TEXT NOT NULL,
    status TEXT NOT NULL,
    canceled INTEGER NOT NULL DEFAULT 0,
    src_versions TEXT NOT NULL DEFAULT '[]',
    gray_percent TEXT NOT NULL DEFAULT '',
    group_id TEXT NOT NULL DEFAULT '',
    group_name TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '[]',
    schedule INTEGER,
    finish INTEGER,
    retry_interval INTEGER,
    retry_count INTEGER NOT NULL DEFAULT 0,
    timeout INTEGER,
    per_minute INTEGER NOT NULL DEFAULT 10000,
    overwrite INTEGER NOT NULL DEFAULT 1,
    multi INTEGER NOT NULL DEFAULT 0,
    need_push INTEGER NOT NULL DEFAULT 1,
    need_confirm INTEGER NOT NULL DEFAULT 0,
    protocol TEXT NOT NULL DEFAULT 'HTTPS',
    round INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER
);
CREATE INDEX IF NOT EXISTS ota_jobs_package ON ota_jobs (package_id, created);
CREATE INDEX IF NOT EXISTS ota_jobs_open ON ota_jobs (status) WHERE status IN ('PLANNED', 'IN_PROGRESS');
CREATE INDEX IF NOT EXISTS ota_jobs_waiting ON ota_jobs (account, instance, product_key, module)
    WHERE dynamic AND status = 'IN_PROGRESS';

CREATE TABLE IF NOT EXISTS ota_tasks (
    id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    job INTEGER NOT NULL REFERENCES ota_jobs (id) ON DELETE CASCADE,
    iot_id TEXT NOT NULL,
    name TEXT NOT NULL,
    module TEXT NOT NULL,
    src_version TEXT NOT NULL,
    status TEXT NOT NULL,
    active INTEGER NOT NULL,
    due INTEGER,
    progress REAL NOT NULL DEFAULT 0,
    description TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    notice_ms INTEGER NOT NULL DEFAULT 0,
    work_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    reach REAL NOT NULL DEFAULT 100,
    reason TEXT NOT NULL DEFAULT '',
    reruns INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS ota_tasks_due ON ota_tasks (status, due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS ota_tasks_active ON ota_tasks (job) WHERE active;
CREATE INDEX IF NOT EXISTS ota_tasks_status ON ota_tasks (job, status);
CREATE INDEX IF NOT EXISTS ota_tasks_job ON ota_tasks (job);
CREATE INDEX IF NOT EXISTS ota_tasks_device ON ota_tasks (iot_id);
CREATE INDEX IF NOT EXISTS ota_tasks_name ON ota_tasks (job, name);

CREATE TRIGGER IF NOT EXISTS ota_device_gone AFTER DELETE ON devices BEGIN
    UPDATE ota_tasks SET status = 'CANCELED', active = 0, due = NULL, description = 'the device was deleted'
        WHERE iot_id = old.iot_id AND active;
END;

CREATE TABLE IF NOT EXISTS ota_reports (
    iot_id TEXT NOT NULL,
    module TEXT NOT NULL,
    PRIMARY KEY (iot_id, module)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS ota_version_first AFTER INSERT ON device_modules
WHEN EXISTS (SELECT 1 FROM ota_jobs WHERE account = new.account AND dynamic AND status = 'IN_PROGRESS') BEGIN
    INSERT OR IGNORE INTO ota_reports VALUES (new.iot_id, new.module);
END;
CREATE TRIGGER IF NOT EXISTS ota_version_changed AFTER UPDATE OF version ON device_modules
WHEN EXISTS (SELECT 1 FROM ota_jobs WHERE account = new.account AND dynamic AND status = 'IN_PROGRESS') BEGIN
    INSERT OR IGNORE INTO ota_reports VALUES (new.iot_id, new.module);
END;
"""

SECONDS_BEFORE_PUSH = 3
LOOK_SOONEST, LOOK_LATEST = 30, 300  # seconds until a device that is offline is looked at again
HOPELESS = 99
TIMED_OUT = "upgrade timeout"
REASONS = (
    "report version is not conform",
    "download failed: connection reset by peer",
    "download failed: http status 403",
    "md5 of the downloaded file does not match",
    "no free space for the package",
    "flash write error",
    "battery below 30%, update refused",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The course of one task: ms until the device starts, ms of work, attempts that fail, how far those get (%)."""

    notice_ms: int
    work_ms: int
    failures: int
    reach: float
    reason: str


def plan(seed: str, pace: Pace, *, timeout: int | None, trial: bool) -> Plan:
    """The course that `seed` leads to: 1 to 4 minutes of work; of a hundred devices about three fail for good and
    four once. `timeout` in minutes ends longer work for good. A `trial` (verify job) is on picked devices and
    hardly ever fails.
    """
    bits = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=12).digest())
    bits, luck = divmod(bits, 1000)
    bits, notice = divmod(bits, 18_000)
    bits, work = divmod(bits, 180_000)
    bits, reach = divmod(bits, 9_000)
    reason = REASONS[bits % len(REASONS)]
    failures = 0
    if luck < (3 if trial else 30):
        failures = HOPELESS
    elif luck < (6 if trial else 70):
        failures = 1
    work_seconds = (60_000 + work) / 1000
    if timeout is not None and work_seconds > timeout * 60:
        work_seconds, failures, reason = timeout * 60.0, HOPELESS, TIMED_OUT
    notice_ms = pace.work((2_000 + notice) / 1000)
    return Plan(notice_ms, pace.work(work_seconds), failures, 2 + reach / 100 if failures else 100.0, reason)


def start_tasks(db: sqlite3.Connection, job: sqlite3.Row, pace: Pace, now: int) -> int:
    """Make the tasks of `job` for the devices in temp.ota_targets; returns how many.

    Earlier waiting tasks of these devices are cancelled where the job overwrites; a device that still has one in
    its way gets a task that failed (CreateOTAStaticUpgradeJob: a device is in one batch at a time).
    """
    _clear_way(db, job, now)
    targets = db.execute("SELECT iot_id, name, version, blocked FROM temp.ota_targets ORDER BY position")
    return db.executemany(
        """INSERT INTO ota_tasks (task_id, job, iot_id, name, module, src_version, status, active, due, description,
            created, modified, notice_ms, work_ms, failures, retries, reach, reason)
        VALUES (lower(hex(randomblob(11))) || '0100', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        _rows(job, targets, pace, now),
    ).rowcount


def restart_tasks(db: sqlite3.Connection, job: sqlite3.Row, pace: Pace, now: int) -> int:
    """Start ended tasks of `job` again, those in temp.ota_targets by position; returns how many have started.

    They begin as those of a new batch do, from the version that the device has now. A task whose device is in another
    batch fails at once.
    """
    _clear_way(db, job, now)
    targets = db.execute(
        "SELECT t.id, t.name, t.reruns + 1, r.version, r.blocked FROM temp.ota_targets r "
        "CROSS JOIN ota_tasks t ON t.id = r.position ORDER BY t.id"
    ).fetchall()
    started = 0
    for number, name, reruns, version, blocked in targets:
        opening = _BLOCKED if blocked else _opening(job, name, started, pace, now, reruns)
        started += not blocked
        db.execute(
            """UPDATE ota_tasks SET status = ?, active = ?, due = ?, description = ?, notice_ms = ?, work_ms = ?,
                failures = ?, retries = ?, reach = ?, reason = ?, src_version = ?, reruns = ?, progress = 0,
                modified = ? WHERE id = ?""",
            (*opening, version, reruns, now, number),
        )
    return started


def _clear_way(db: sqlite3.Connection, job: sqlite3.Row, now: int) -> None:
    """Cancel other batches' waiting tasks of the devices in temp.ota_targets where `job` overwrites; mark the devices
    that still have one in the way."""
    same_module = "AND a.module = :module" if job["multi"] else ""
    values = {
        "module": job["module"],
        "now": now,
        "all": int(job["overwrite"] == 2 or job["multi"]),
        "dynamic": job["dynamic"],
        "job": job["id"],
    }
    db.execute(
        f"""UPDATE ota_tasks AS a SET status = 'CANCELED', active = 0, due = NULL, modified = :now,
                description = 'overwritten by another update batch'
            WHERE a.iot_id IN (SELECT iot_id FROM temp.ota_targets) AND a.active AND a.status <> 'IN_PROGRESS'
                AND a.job <> :job {same_module}
                AND (:all OR (:dynamic AND a.job IN (SELECT id FROM ota_jobs WHERE dynamic)))""",
        values,
    )
    db.execute(
        f"""UPDATE temp.ota_targets AS t SET blocked = 1 WHERE EXISTS
            (SELECT 1 FROM ota_tasks a WHERE a.iot_id = t.iot_id AND a.active {same_module})""",
        values,
    )


def _rows(
    job: sqlite3.Row, targets: Iterable[sqlite3.Row], pace: Pace, now: int
) -> Iterator[tuple[object, ...]]:
    """The tasks, pushed no faster than the job allows a minute."""
    pushed = 0
    for iot_id, name, version, blocked in targets:
        opening = _BLOCKED if blocked else _opening(job, name, pushed, pace, now)
        pushed += not blocked
        status, active, due, description, *course = opening
        yield (
            job["id"], iot_id, name, job["module"], version, status, active, due, description, now, now, *course
        )  # fmt: skip


_BLOCKED = ("FAILED", 0, None, "the device is in another update batch", 0, 0, 0, 0, 0.0, "")
"""What `_opening` returns, for a device that another task is in the way of."""


def _opening(
    job: sqlite3.Row, name: str, pushed: int, pace: Pace, now: int, reruns: int = 0
) -> tuple[object, ...]:
    """How the task of the device `name` begins when `pushed` others go before it: status, active, due, description,
    notice_ms, work_ms, failures, retries, reach, reason. Each of its `reruns` has another course."""
    seed = f"{name}/{job['module']}/{job['dest_version']}/{job['round']}"
    course = plan(
        f"{seed}/{reruns}" if reruns else seed, pace, timeout=job["timeout"], trial=bool(job["verify"])
    )
    due = max(job["schedule"] or 0, now + pace.work(SECONDS_BEFORE_PUSH))
    due += pace.work(pushed * 60 / job["per_minute"])
    if not job["need_push"]:
        due += pace.work(30) + 8 * course.notice_ms  # the device asks by itself, when it next gets to it
    waiting = bool(job["need_confirm"])
    retries = job["retry_count"] if job["retry_interval"] is not None and course.reason != TIMED_OUT else 0
    return (
        "CONFIRM" if waiting else "QUEUED", 1, None if waiting else due, "",
        course.notice_ms, course.work_ms, course.failures, retries, course.reach, course.reason,
    )  # fmt: skip


# SQLite has no statistics of these tables; CROSS JOIN and INDEXED BY keep it from reading all tasks for a few.
def move(db: sqlite3.Connection, now: int, pace: Pace, most: int) -> int:
    """One step of at most `most` due tasks in each state; returns how many were due."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS ota_step (id INTEGER PRIMARY KEY)")
    moved = 0
    for status, step in (("QUEUED", _push), ("NOTIFIED", _begin), ("IN_PROGRESS", _end)):
        db.execute("DELETE FROM temp.ota_step")
        moved += db.execute(
            "INSERT INTO temp.ota_step SELECT id FROM ota_tasks WHERE status = ? AND due <= ? ORDER BY due LIMIT ?",
            (status, now, most),
        ).rowcount
        step(db, now, pace)
    return moved


def _push(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        "UPDATE ota_tasks SET status = 'NOTIFIED', modified = due, due = due + notice_ms "
        "WHERE id IN (SELECT s.id FROM temp.ota_step s CROSS JOIN ota_tasks t ON t.id = s.id "
        "CROSS JOIN devices d ON d.iot_id = t.iot_id WHERE d.status = 'ONLINE')"
    )
    db.execute(
        """UPDATE ota_tasks SET due = (
                SELECT min(max(coalesce(max(d.due), 0), :soonest), :latest) FROM devices d
                WHERE d.iot_id = ota_tasks.iot_id)
            WHERE id IN (SELECT id FROM temp.ota_step) AND status = 'QUEUED'""",
        {"soonest": now + pace.background(LOOK_SOONEST), "latest": now + pace.background(LOOK_LATEST)},
    )


def _begin(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        "UPDATE ota_tasks SET status = 'IN_PROGRESS', modified = due, due = due + work_ms, progress = 0 "
        "WHERE id IN (SELECT id FROM temp.ota_step)"
    )


def _end(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        """INSERT INTO device_modules (account, instance, iot_id, module, version, reported)
            SELECT j.account, j.instance, t.iot_id, t.module, j.dest_version, t.due
            FROM temp.ota_step s CROSS JOIN ota_tasks t ON t.id = s.id CROSS JOIN ota_jobs j ON j.id = t.job
            WHERE t.failures = 0
            ON CONFLICT (iot_id, module) DO UPDATE SET version = excluded.version, reported = excluded.reported"""
    )
    db.execute(
        "UPDATE ota_tasks SET status = 'SUCCEEDED', progress = 100, description = '', active = 0, modified = due, "
        "due = NULL WHERE id IN (SELECT id FROM temp.ota_step) AND failures = 0"
    )
    db.execute(
        """UPDATE ota_tasks SET status = 'QUEUED', modified = due, progress = 0, description = reason,
            failures = failures - 1, retries = retries - 1,
            due = due + (SELECT retry_interval FROM ota_jobs j WHERE j.id = ota_tasks.job) * ?
            WHERE id IN (SELECT id FROM temp.ota_step) AND failures > 0 AND retries > 0""",
        (pace.work(60),),
    )
    db.execute(
        "UPDATE ota_tasks SET status = 'FAILED', progress = reach, description = reason, active = 0, modified = due, "
        "due = NULL WHERE id IN (SELECT id FROM temp.ota_step) AND failures > 0 AND status = 'IN_PROGRESS'"
    )


def end_overdue(db: sqlite3.Connection, now: int) -> None:
    """A batch past its finish time ends; what is left of it is cancelled."""
    db.execute(
        """UPDATE ota_tasks INDEXED BY ota_tasks_active
            SET status = 'CANCELED', active = 0, due = NULL, description = 'the update batch ended',
                modified = (SELECT finish FROM ota_jobs j WHERE j.id = ota_tasks.job)
            WHERE active AND job IN (SELECT id FROM ota_jobs WHERE status IN ('PLANNED', 'IN_PROGRESS')
                AND finish <= ?)""",
        (now,),
    )


def finish_jobs(db: sqlite3.Connection, now: int) -> None:
    """End the static and verify batches that have no task left to do, and tell verified packages so."""
    ended = db.execute(
        """UPDATE ota_jobs AS j SET status = CASE WHEN canceled THEN 'CANCELED' ELSE 'COMPLETED' END,
                ended = coalesce((SELECT max(modified) FROM ota_tasks t WHERE t.job = j.id), ?1),
                modified = coalesce((SELECT max(modified) FROM ota_tasks t WHERE t.job = j.id), ?1)
            WHERE status = 'IN_PROGRESS' AND NOT dynamic
                AND NOT EXISTS
                (SELECT 1 FROM ota_tasks t INDEXED BY ota_tasks_active WHERE t.job = j.id AND t.active)
            RETURNING id, package_id, verify""",
        (now,),
    ).fetchall()
    for job_id, package_id, verify in ended:
        if verify:
            tell_package(db, job_id, package_id, now)


def tell_package(db: sqlite3.Connection, job: int, package_id: str, now: int) -> None:
    """The outcome of a verify batch: all succeeded, or some failed, or it was called off."""
    succeeded, total, failed = db.execute(
        "SELECT count(*) FILTER (WHERE status = 'SUCCEEDED'), count(*), count(*) FILTER (WHERE status = 'FAILED') "
        "FROM ota_tasks WHERE job = ?",
        (job,),
    ).fetchone()
    status = 1 if succeeded == total and total else 3 if failed else 0
    db.execute("UPDATE ota_packages SET status = ?, modified = ? WHERE id = ?", (status, now, package_id))


def progress(task: sqlite3.Row, now: int) -> float:
    """How far a task is (%): what it last reached, or on its way what the clock says."""
    if task["status"] != "IN_PROGRESS" or task["due"] is None or not task["work_ms"]:
        return float(task["progress"])
    done: float = 1 - (task["due"] - now) / task["work_ms"]
    return float(round(min(max(done, 0.0), 0.99) * task["reach"], 2))
