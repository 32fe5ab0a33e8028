"""What is stored about a user with the jobs."""

from __future__ import annotations

from django.db.models import Q

from console.accounts.personal_data import PersonalData
from console.jobs.models import Job

PARTS = (
    PersonalData(
        "jobs",
        lambda user: Job.objects.filter(Q(created_by=user) | Q(started_by=user)).order_by("pk"),
        (
            "team__name",
            "connection__name",
            "kind",
            "state",
            "file_name",
            "created_at",
            "started_at",
            "finished_at",
        ),
    ),
)
