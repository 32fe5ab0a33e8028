"""Batch monitoring: a background job that records the task counts of an update batch until the batch ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.jobs import actions
from console.jobs.kinds import Kind, Pages, Step, StepResult
from console.jobs.models import Job, Sample
from console.jobs.params import JobParams
from console.jobs.work import Work
from iot_client.responses import read_path

KIND = "ota.monitor"
# TaskStatus of ListOTATaskByJob.
STATUSES = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED")
_END_STATUSES = ("COMPLETED", "CANCELED")  # JobStatus of QueryOTAJob
_MIN_INTERVAL, _MAX_INTERVAL = 5.0, 300.0  # seconds between two counts


@dataclass(frozen=True)
class MonitoringParams(JobParams):
    """The monitoring of a batch of a product. `status`: the last JobStatus that was read, "" for none."""

    batch_id: str
    product_key: str
    status: str = ""


def monitor_batch(gateway: Gateway, batch_id: str, *, product_key: str) -> Job:
    """Start a job that monitors an update batch of a product until the batch ends. Returns the running job of the batch if
    there is one."""
    job = actions.build_job(
        KIND,
        MonitoringParams(batch_id, product_key),
        connection=gateway.connection,
        user=gateway.actor,
        token=gateway.membership.token,
        subject=batch_id,
        started_by=gateway.actor,
    )
    return actions.start_or_find(job, "count", 1)


def read_history(connection: Connection, batch_id: str) -> list[Sample]:
    """Return the recorded task counts of a batch by status, oldest first, from all jobs that monitored it."""
    return list(
        Sample.objects.filter(job__connection=connection, job__kind=KIND, job__subject=batch_id).order_by(
            "at", "pk"
        )
    )


def count_step(work: Work) -> StepResult:
    """Count the tasks of the batch by status: QueryOTAJob once, then ListOTATaskByJob once per status for its total."""
    batch_id = MonitoringParams.read(work.job).batch_id
    status = str(
        read_path(work.gateway.call("QueryOTAJob", fresh=True, JobId=batch_id), "Data.JobStatus") or ""
    )
    counts = {}
    for task_status in STATUSES:
        response = work.gateway.call(
            "ListOTATaskByJob", fresh=True, JobId=batch_id, TaskStatus=task_status, PageSize=1, CurrentPage=1
        )
        counts[task_status] = int(response.get("Total") or 0)
    now = timezone.now()

    def write(job: Job) -> None:
        Sample.objects.create(job=job, at=now, counts=counts)
        job.params = replace(MonitoringParams.read(job), status=status).as_json()
        if status == "CANCELED":  # by a user: the job did not fail
            job.cancel_requested = True

    age = (now - (work.job.started_at or now)).total_seconds()
    wait = min(max(_MIN_INTERVAL, age / 60), _MAX_INTERVAL)
    return StepResult(done=status in _END_STATUSES, wait=wait, write=write, counts=counts)


def _set_counts(job: Job, counts: Mapping[str, int]) -> None:
    job.counts = {status: count for status, count in counts.items() if count}
    job.total = sum(counts.values())
    job.succeeded = counts.get("SUCCEEDED", 0)
    job.failed = counts.get("FAILED", 0)


def _title(job: Job) -> str:
    return gettext("Monitoring batch %(batch)s") % {"batch": job.subject}


MONITORING = Kind(
    slug=KIND,
    label=_("Batch monitoring"),
    icon="cloud-upload",
    params=MonitoringParams,
    title=_title,
    operations=("QueryOTAJob", "ListOTATaskByJob"),
    control_operations=("CancelOTATaskByJob",),
    cancel_text=_("Monitoring stops. Nothing changes on the platform."),
    scope_key=lambda params: params.product_key,
    status_kind="batch_task",
    estimates_time=False,
    tally=_set_counts,
    steps={"count": Step(count_step, _("Counting the device updates"))},
    pages=Pages(details="areas/ota/_monitoring_details.html"),
)
