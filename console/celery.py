"""The Celery application: workers and beat start from here (`celery -A console.celery worker`)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("fleetdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["console.audit", "console.sign_in", "console.jobs", "console.approvals", "console.dashboard"]
)
