"""Celery tasks: every name that is scheduled or sent is the name of a task."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from console.celery import app


def test_every_scheduled_or_sent_task_exists() -> None:
    app.loader.import_default_modules()
    scheduled = {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    sources = (settings.BASE_DIR / "console").rglob("*.py")
    sent = {
        name for path in map(Path, sources) for name in re.findall(r'send_task\("([\w.]+)"', path.read_text())
    }
    assert sent
    assert scheduled | sent <= set(app.tasks)
