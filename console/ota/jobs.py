"""Watching an update batch until it ends, and keeping its counts over time."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.cloud.answers import dig
from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.jobs import actions
from console.jobs.kinds import Kind, Step, StepResult
from console.jobs.models import Job, Sample
from console.jobs.work import Work

KIND = "ota.watch"
# TaskStatus of ListOTATaskByJob.
STATUSES = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED")
_OVER = ("COMPLETED", "CANCELED")  # JobStatus of QueryOTAJob
_SHORTEST, _LONGEST = 5.0, 300.0  # seconds between two looks


def watch(gateway: Gateway, job_id: str, *, product_key: str) -> Job:
    """Watch the update batch `job_id` of that product until it ends. One watch a batch: the one that runs is answered when
    there is one."""
    wanted = Job(
        team=gateway.membership.team,
        connection=gateway.connection,
        kind=KIND,
        subject=job_id,
        params={"ota_job": job_id, "product_key": product_key},
        created_by=gateway.actor,
        started_by=gateway.actor,
        token=gateway.membership.token,
    )
    return actions.start_or_find(wanted, "look", 1)


def history(connection: Connection, ota_job_id: str) -> list[Sample]:
    """The batch's counts by task status over time, oldest first, of all its watches."""
    return list(
        Sample.objects.filter(job__connection=connection, job__kind=KIND, job__subject=ota_job_id).order_by(
            "at", "pk"
        )
    )


def look(work: Work) -> StepResult:
    """Count the batch's tasks by status. QueryOTAJob, and ListOTATaskByJob once a status for its total."""
    ota_job = work.job.params["ota_job"]
    status = str(dig(work.gateway.call("QueryOTAJob", fresh=True, JobId=ota_job), "Data.JobStatus") or "")
    counts = {}
    for task_status in STATUSES:
        answer = work.gateway.call(
            "ListOTATaskByJob", fresh=True, JobId=ota_job, TaskStatus=task_status, PageSize=1, CurrentPage=1
        )
        counts[task_status] = int(answer.get("Total") or 0)
    now = timezone.now()

    def write(job: Job) -> None:
        Sample.objects.create(job=job, at=now, counts=counts)
        job.params = {**job.params, "status": status}

    age = (now - (work.job.started_at or now)).total_seconds()
    wait = min(max(_SHORTEST, age / 60), _LONGEST)
    return StepResult(done=status in _OVER, wait=wait, write=write, counts=counts)


def _tally(job: Job, counts: Mapping[str, int]) -> None:
    job.counts = {status: n for status, n in counts.items() if n}
    job.total = sum(counts.values())
    job.succeeded = counts.get("SUCCEEDED", 0)
    job.failed = counts.get("FAILED", 0) + counts.get("CANCELED", 0)


def _title(job: Job) -> str:
    return gettext("Watch update job %(job)s") % {"job": job.subject}


WATCH = Kind(
    slug=KIND,
    label=_("Update watch"),
    icon="cloud-upload",
    title=_title,
    operations=("QueryOTAJob", "ListOTATaskByJob"),
    control_operations=("CancelOTATaskByJob",),
    cancel_text=_("It stops looking. Nothing on the platform changes."),
    has_rows=False,
    status_kind="ota_task",
    tally=_tally,
    steps={"look": Step(look, _("Looking at the update tasks"))},
    details_template="jobs/watch_about.html",
)
