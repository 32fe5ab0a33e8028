"""When something of an update next happens by itself, and making it happen."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from console.emulator.call import DeferredWork
from console.emulator.ota import running, targets

if TYPE_CHECKING:
    from console.emulator.app import Emulator

ROWS_A_SETTLE = 20_000


def due(db: sqlite3.Connection) -> int | None:
    """When something next happens by itself: a task, a scheduled start or end, a batch that is done, a version."""
    waiting = db.execute(
        """SELECT min(moment) FROM (
            SELECT min(due) AS moment FROM ota_tasks WHERE status = 'QUEUED' AND due IS NOT NULL
            UNION ALL SELECT min(due) FROM ota_tasks WHERE status = 'NOTIFIED' AND due IS NOT NULL
            UNION ALL SELECT min(due) FROM ota_tasks WHERE status = 'IN_PROGRESS' AND due IS NOT NULL
            UNION ALL SELECT min(schedule) FROM ota_jobs WHERE status = 'PLANNED'
            UNION ALL SELECT min(finish) FROM ota_jobs WHERE status IN ('PLANNED', 'IN_PROGRESS')
            UNION ALL SELECT 0 WHERE EXISTS (SELECT 1 FROM ota_reports)
            UNION ALL SELECT 0 WHERE EXISTS (
                SELECT 1 FROM ota_jobs j WHERE j.status = 'IN_PROGRESS' AND NOT j.dynamic
                    AND NOT EXISTS (SELECT 1 FROM ota_tasks t INDEXED BY ota_tasks_active WHERE t.job = j.id AND t.active))
        )"""
    ).fetchone()[0]
    return None if waiting is None else int(waiting)


def settle(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    """Bring batches and tasks to `now`."""
    db.execute(
        "UPDATE ota_jobs SET status = 'IN_PROGRESS', started = schedule, modified = schedule "
        "WHERE status = 'PLANNED' AND schedule <= ?",
        (now,),
    )
    targets.take_reports(db, now, emulator.pace)
    left = ROWS_A_SETTLE
    while left > 0 and (moved := running.move(db, now, emulator.pace, left)):
        left -= moved
    running.end_overdue(db, now)
    running.finish_jobs(db, now)


DEFERRED_WORK = DeferredWork(due, settle)
