"""Deferred work of updates: when the next change is due, and making it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from iot_emulator.call import DeferredWork
from iot_emulator.ota import running, targets

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

TASKS_PER_RUN = 20_000


def find_due_time(db: sqlite3.Connection) -> int | None:
    """Find when the next change is due (ms): of a task, a scheduled start or end, a finished batch, a reported version; None
    if there is none."""
    due_time = db.execute(
        """SELECT min(moment) FROM (
            SELECT min(due) AS moment FROM ota_tasks WHERE status = 'QUEUED' AND due IS NOT NULL
            UNION ALL SELECT min(due) FROM ota_tasks WHERE status = 'NOTIFIED' AND due IS NOT NULL
            UNION ALL SELECT min(due) FROM ota_tasks WHERE status = 'IN_PROGRESS' AND due IS NOT NULL
            UNION ALL SELECT min(schedule) FROM ota_batches WHERE status = 'PLANNED'
            UNION ALL SELECT min(finish) FROM ota_batches WHERE status IN ('PLANNED', 'IN_PROGRESS')
            UNION ALL SELECT 0 WHERE EXISTS (SELECT 1 FROM ota_reports)
            UNION ALL SELECT 0 WHERE EXISTS (
                SELECT 1 FROM ota_batches b WHERE b.status = 'IN_PROGRESS' AND NOT b.dynamic
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t INDEXED BY ota_tasks_active WHERE t.batch = b.id AND t.active))
        )"""
    ).fetchone()[0]
    return None if due_time is None else int(due_time)


def run_due_work(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    """Make all changes of batches and tasks that are due at `now` (ms)."""
    db.execute(
        "UPDATE ota_batches SET status = 'IN_PROGRESS', started = schedule, modified = schedule "
        "WHERE status = 'PLANNED' AND schedule <= ?",
        (now,),
    )
    targets.add_reported_devices(db, now, emulator.pace)
    remaining = TASKS_PER_RUN
    while remaining > 0 and (advanced := running.advance_tasks(db, now, emulator.pace, remaining)):
        remaining -= advanced
    running.end_overdue_batches(db, now)
    running.finish_batches(db, now)


DEFERRED_WORK = DeferredWork(find_due_time, run_due_work)
