"""The simulation of updates: the course of a task over time.

The complete course of a task is planned from a seed at its creation: how long the device takes to respond to the
notification, how long the update takes, and which attempts fail and why. After that, only `due` decides. Due tasks are
advanced in sets, each transition in one statement, with the time at which it was due (not the time of the statement).

    CONFIRM -> (ConfirmOTATask) -> QUEUED -> NOTIFIED -> IN_PROGRESS -> SUCCEEDED | FAILED | QUEUED again, to retry
    FAILED | CANCELED -> (ReupgradeOTATask) -> QUEUED | CONFIRM, with a new course

A due task stays QUEUED until its device is online, or was online since then. It is checked again when the device is
expected online, 30 seconds later at the earliest.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iot_emulator.clock import Pace

SCHEMA = """
CREATE TABLE IF NOT EXISTS ota_batches (
    id INTEGER PRIMARY KEY,
    batch_id TEXT NOT NULL UNIQUE,
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
    sequence INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER
);
CREATE INDEX IF NOT EXISTS ota_batches_package ON ota_batches (package_id, created);
CREATE INDEX IF NOT EXISTS ota_batches_open ON ota_batches (status) WHERE status IN ('PLANNED', 'IN_PROGRESS');
CREATE INDEX IF NOT EXISTS ota_batches_dynamic ON ota_batches (account, instance, product_key, module)
    WHERE dynamic AND status = 'IN_PROGRESS';

CREATE TABLE IF NOT EXISTS ota_tasks (
    id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    batch INTEGER NOT NULL REFERENCES ota_batches (id) ON DELETE CASCADE,
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
    final_progress REAL NOT NULL DEFAULT 100,
    reason TEXT NOT NULL DEFAULT '',
    reruns INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS ota_tasks_due ON ota_tasks (status, due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS ota_tasks_active ON ota_tasks (batch) WHERE active;
CREATE INDEX IF NOT EXISTS ota_tasks_status ON ota_tasks (batch, status);
CREATE INDEX IF NOT EXISTS ota_tasks_batch ON ota_tasks (batch);
CREATE INDEX IF NOT EXISTS ota_tasks_device ON ota_tasks (iot_id);
CREATE INDEX IF NOT EXISTS ota_tasks_name ON ota_tasks (batch, name);

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
WHEN EXISTS (SELECT 1 FROM ota_batches WHERE account = new.account AND dynamic AND status = 'IN_PROGRESS') BEGIN
    INSERT OR IGNORE INTO ota_reports VALUES (new.iot_id, new.module);
END;
CREATE TRIGGER IF NOT EXISTS ota_version_changed AFTER UPDATE OF version ON device_modules
WHEN EXISTS (SELECT 1 FROM ota_batches WHERE account = new.account AND dynamic AND status = 'IN_PROGRESS') BEGIN
    INSERT OR IGNORE INTO ota_reports VALUES (new.iot_id, new.module);
END;
"""

SECONDS_BEFORE_PUSH = 3
CHECK_EARLIEST, CHECK_LATEST = 30, 300  # seconds until the task of an offline device is checked again
ALWAYS_FAILS = 99
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
class TaskPlan:
    """The course of one task: ms until the device starts, ms of work, number of failing attempts, progress (%) at which they
    fail (100 if none fails), reason of the failure."""

    notice_ms: int
    work_ms: int
    failures: int
    final_progress: float
    reason: str


def plan_task(seed: str, pace: Pace, *, timeout: int | None, is_verification: bool) -> TaskPlan:
    """Plan the course of a task from `seed`: 1 to 4 minutes of work; about 3% of devices fail always and 4% once.

    `timeout` (minutes): longer work fails and is not retried. `is_verification`: a task of a verify batch, which has
    selected devices and rarely fails.
    """
    bits = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=12).digest())
    bits, failure_draw = divmod(bits, 1000)
    bits, notice = divmod(bits, 18_000)
    bits, work = divmod(bits, 180_000)
    bits, final_progress = divmod(bits, 9_000)
    reason = REASONS[bits % len(REASONS)]
    failures = 0
    if failure_draw < (3 if is_verification else 30):
        failures = ALWAYS_FAILS
    elif failure_draw < (6 if is_verification else 70):
        failures = 1
    work_seconds = (60_000 + work) / 1000
    if timeout is not None and work_seconds > timeout * 60:
        work_seconds, failures, reason = timeout * 60.0, ALWAYS_FAILS, TIMED_OUT
    notice_ms = pace.work((2_000 + notice) / 1000)
    return TaskPlan(
        notice_ms, pace.work(work_seconds), failures, 2 + final_progress / 100 if failures else 100.0, reason
    )


def start_tasks(db: sqlite3.Connection, batch: sqlite3.Row, pace: Pace, now: int) -> int:
    """Create the tasks of `batch` for the devices in temp.ota_targets; returns their number.

    If the batch overwrites, earlier pending tasks of these devices are canceled. A device that still has a blocking task
    gets a failed task (CreateOTAStaticUpgradeJob: a device is in one batch at a time).
    """
    _cancel_blocking_tasks(db, batch, now)
    targets = db.execute("SELECT iot_id, name, version, blocked FROM temp.ota_targets ORDER BY position")
    return db.executemany(
        """INSERT INTO ota_tasks (task_id, batch, iot_id, name, module, src_version, status, active, due, description,
            created, modified, notice_ms, work_ms, failures, retries, final_progress, reason)
        VALUES (lower(hex(randomblob(11))) || '0100', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        _build_task_rows(batch, targets, pace, now),
    ).rowcount


def restart_tasks(db: sqlite3.Connection, batch: sqlite3.Row, pace: Pace, now: int) -> int:
    """Start ended tasks of `batch` again; returns the number of started tasks. Their ids are the positions in
    temp.ota_targets.

    They start like tasks of a new batch, with the current version of the device as the source version. A task whose
    device is in another batch fails at once.
    """
    _cancel_blocking_tasks(db, batch, now)
    targets = db.execute(
        "SELECT t.id, t.name, t.reruns + 1, r.version, r.blocked FROM temp.ota_targets r "
        "CROSS JOIN ota_tasks t ON t.id = r.position ORDER BY t.id"
    ).fetchall()
    started = 0
    for number, name, reruns, version, blocked in targets:
        state = _BLOCKED_STATE if blocked else _build_initial_state(batch, name, started, pace, now, reruns)
        started += not blocked
        db.execute(
            """UPDATE ota_tasks SET status = ?, active = ?, due = ?, description = ?, notice_ms = ?, work_ms = ?,
                failures = ?, retries = ?, final_progress = ?, reason = ?, src_version = ?, reruns = ?, progress = 0,
                modified = ? WHERE id = ?""",
            (*state, version, reruns, now, number),
        )
    return started


def _cancel_blocking_tasks(db: sqlite3.Connection, batch: sqlite3.Row, now: int) -> None:
    """If `batch` overwrites, cancel pending tasks of other batches for the devices in temp.ota_targets. Then mark the
    devices that still have a blocking task."""
    same_module = "AND a.module = :module" if batch["multi"] else ""
    values = {
        "module": batch["module"],
        "now": now,
        "all": int(batch["overwrite"] == 2 or batch["multi"]),
        "dynamic": batch["dynamic"],
        "batch": batch["id"],
    }
    db.execute(
        f"""UPDATE ota_tasks AS a SET status = 'CANCELED', active = 0, due = NULL, modified = :now,
                description = 'overwritten by another update batch'
            WHERE a.iot_id IN (SELECT iot_id FROM temp.ota_targets) AND a.active AND a.status <> 'IN_PROGRESS'
                AND a.batch <> :batch {same_module}
                AND (:all OR (:dynamic AND a.batch IN (SELECT id FROM ota_batches WHERE dynamic)))""",
        values,
    )
    db.execute(
        f"""UPDATE temp.ota_targets AS t SET blocked = 1 WHERE EXISTS
            (SELECT 1 FROM ota_tasks a WHERE a.iot_id = t.iot_id AND a.active {same_module})""",
        values,
    )


def _build_task_rows(
    batch: sqlite3.Row, targets: Iterable[sqlite3.Row], pace: Pace, now: int
) -> Iterator[tuple[object, ...]]:
    """Build the rows of the tasks; pushes are spread by the batch's maximum per minute."""
    pushed = 0
    for iot_id, name, version, blocked in targets:
        state = _BLOCKED_STATE if blocked else _build_initial_state(batch, name, pushed, pace, now)
        pushed += not blocked
        status, active, due, description, *plan = state
        yield (
            batch["id"], iot_id, name, batch["module"], version, status, active, due, description, now, now, *plan
        )  # fmt: skip


_BLOCKED_STATE = ("FAILED", 0, None, "the device is in another update batch", 0, 0, 0, 0, 0.0, "")
"""The initial state, as of `_build_initial_state`, of a task whose device has a blocking task."""


def _build_initial_state(
    batch: sqlite3.Row, name: str, pushed: int, pace: Pace, now: int, reruns: int = 0
) -> tuple[object, ...]:
    """Build the initial state of the task of the device `name`, with `pushed` tasks before it: status, active, due,
    description, notice_ms, work_ms, failures, retries, final_progress, reason. Each rerun has a different plan."""
    seed = f"{name}/{batch['module']}/{batch['dest_version']}/{batch['sequence']}"
    plan = plan_task(
        f"{seed}/{reruns}" if reruns else seed,
        pace,
        timeout=batch["timeout"],
        is_verification=bool(batch["verify"]),
    )
    due = max(batch["schedule"] or 0, now + pace.work(SECONDS_BEFORE_PUSH))
    due += pace.work(pushed * 60 / batch["per_minute"])
    if not batch["need_push"]:
        due += pace.work(30) + 8 * plan.notice_ms  # the device requests the update itself, some time later
    needs_confirmation = bool(batch["need_confirm"])
    retries = batch["retry_count"] if batch["retry_interval"] is not None and plan.reason != TIMED_OUT else 0
    return (
        "CONFIRM" if needs_confirmation else "QUEUED", 1, None if needs_confirmation else due, "",
        plan.notice_ms, plan.work_ms, plan.failures, retries, plan.final_progress, plan.reason,
    )  # fmt: skip


# SQLite has no statistics of these tables; without CROSS JOIN and INDEXED BY it reads all tasks to find a few.
def advance_tasks(db: sqlite3.Connection, now: int, pace: Pace, limit: int) -> int:
    """Advance up to `limit` due tasks of each status by one step; returns the number of due tasks."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS ota_step (id INTEGER PRIMARY KEY)")
    moved = 0
    for status, step in (
        ("QUEUED", _notify_devices),
        ("NOTIFIED", _start_updates),
        ("IN_PROGRESS", _finish_updates),
    ):
        db.execute("DELETE FROM temp.ota_step")
        moved += db.execute(
            "INSERT INTO temp.ota_step SELECT id FROM ota_tasks WHERE status = ? AND due <= ? ORDER BY due LIMIT ?",
            (status, now, limit),
        ).rowcount
        step(db, now, pace)
    return moved


def _notify_devices(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        "UPDATE ota_tasks SET status = 'NOTIFIED', modified = due, due = due + notice_ms "
        "WHERE id IN (SELECT s.id FROM temp.ota_step s CROSS JOIN ota_tasks t ON t.id = s.id "
        "CROSS JOIN devices d ON d.iot_id = t.iot_id WHERE d.status = 'ONLINE' OR d.last_online >= t.due)"
    )
    db.execute(
        """UPDATE ota_tasks SET due = (
                SELECT min(max(coalesce(max(d.due), 0), :earliest), :latest) FROM devices d
                WHERE d.iot_id = ota_tasks.iot_id)
            WHERE id IN (SELECT id FROM temp.ota_step) AND status = 'QUEUED'""",
        {"earliest": now + pace.background(CHECK_EARLIEST), "latest": now + pace.background(CHECK_LATEST)},
    )


def _start_updates(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        "UPDATE ota_tasks SET status = 'IN_PROGRESS', modified = due, due = due + work_ms, progress = 0 "
        "WHERE id IN (SELECT id FROM temp.ota_step)"
    )


def _finish_updates(db: sqlite3.Connection, now: int, pace: Pace) -> None:
    db.execute(
        """INSERT INTO device_modules (account, instance, iot_id, module, version, reported)
            SELECT b.account, b.instance, t.iot_id, t.module, b.dest_version, t.due
            FROM temp.ota_step s CROSS JOIN ota_tasks t ON t.id = s.id CROSS JOIN ota_batches b ON b.id = t.batch
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
            due = due + (SELECT retry_interval FROM ota_batches b WHERE b.id = ota_tasks.batch) * ?
            WHERE id IN (SELECT id FROM temp.ota_step) AND failures > 0 AND retries > 0""",
        (pace.work(60),),
    )
    db.execute(
        "UPDATE ota_tasks SET status = 'FAILED', progress = final_progress, description = reason, active = 0, modified = due, "
        "due = NULL WHERE id IN (SELECT id FROM temp.ota_step) AND failures > 0 AND status = 'IN_PROGRESS'"
    )


def end_overdue_batches(db: sqlite3.Connection, now: int) -> None:
    """Cancel the unfinished tasks of batches whose finish time has passed."""
    db.execute(
        """UPDATE ota_tasks INDEXED BY ota_tasks_active
            SET status = 'CANCELED', active = 0, due = NULL, description = 'the update batch ended',
                modified = (SELECT finish FROM ota_batches b WHERE b.id = ota_tasks.batch)
            WHERE active AND batch IN (SELECT id FROM ota_batches WHERE status IN ('PLANNED', 'IN_PROGRESS')
                AND finish <= ?)""",
        (now,),
    )


def finish_batches(db: sqlite3.Connection, now: int) -> None:
    """End the static and verify batches without active tasks, and save the result of verify batches in their packages."""
    ended = db.execute(
        """UPDATE ota_batches AS b SET status = CASE WHEN canceled THEN 'CANCELED' ELSE 'COMPLETED' END,
                ended = coalesce(max(modified, (SELECT max(modified) FROM ota_tasks t WHERE t.batch = b.id)), ?1),
                modified = coalesce(max(modified, (SELECT max(modified) FROM ota_tasks t WHERE t.batch = b.id)), ?1)
            WHERE status = 'IN_PROGRESS' AND NOT dynamic
                AND NOT EXISTS
                (SELECT 1 FROM ota_tasks t INDEXED BY ota_tasks_active WHERE t.batch = b.id AND t.active)
            RETURNING id, package_id, verify""",
        (now,),
    ).fetchall()
    for batch_id, package_id, verify in ended:
        if verify:
            save_verify_result(db, batch_id, package_id, now)


def save_verify_result(db: sqlite3.Connection, batch: int, package_id: str, now: int) -> None:
    """Save the result of a verify batch in its package: verified if all tasks succeeded, failed if one failed, unverified if
    the batch was canceled."""
    succeeded, total, failed = db.execute(
        "SELECT count(*) FILTER (WHERE status = 'SUCCEEDED'), count(*), count(*) FILTER (WHERE status = 'FAILED') "
        "FROM ota_tasks WHERE batch = ?",
        (batch,),
    ).fetchone()
    status = 1 if succeeded == total and total else 3 if failed else 0
    db.execute("UPDATE ota_packages SET status = ?, modified = ? WHERE id = ?", (status, now, package_id))


def calculate_progress(task: sqlite3.Row, now: int) -> float:
    """Calculate the progress of a task (%): the stored one, or for a running task the one at the time `now` (ms)."""
    if task["status"] != "IN_PROGRESS" or task["due"] is None or not task["work_ms"]:
        return float(task["progress"])
    done: float = 1 - (task["due"] - now) / task["work_ms"]
    return float(round(min(max(done, 0.0), 0.99) * task["final_progress"], 2))
