"""Batch monitoring: a background job that records the task counts of an update batch until the batch ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db.models import Max, QuerySet
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
MAX_GAP = timedelta(seconds=3 * _MAX_INTERVAL)
"""The time between two counts after which the batch was not monitored in between."""


@dataclass(frozen=True)
class MonitoringParams(JobParams):
    """The monitoring of a batch of a product. `package`: the name and version of its package, "" if unknown. `status`: the last
    JobStatus that was read, "" for none."""

    batch_id: str
    product_key: str
    status: str = ""
    package: str = ""


def monitor_batch(gateway: Gateway, batch_id: str, *, product_key: str, package: str = "") -> Job:
    """Start a job that monitors an update batch of a product until the batch ends. `package`: the name and version of its
    package, for the title of the job. Returns the running job of the batch if there is one."""
    job = actions.build_job(
        KIND,
        MonitoringParams(batch_id, product_key, package=package),
        connection=gateway.connection,
        user=gateway.actor,
        token=gateway.membership.token,
        subject=batch_id,
        started_by=gateway.actor,
    )
    return actions.start_or_find(job, "count", 1)


def read_history(connection: Connection, batch_id: str) -> list[Sample]:
    """Return the recorded task counts of a batch by status, oldest first, from all jobs that monitored it."""
    return list(_find_samples(connection, [batch_id]).order_by("at", "pk"))


def has_curve(connection: Connection, batch_id: str) -> bool:
    """Return whether the tasks of a batch were recorded more than once."""
    return _find_samples(connection, [batch_id]).count() > 1


def read_latest(connection: Connection, batch_ids: Sequence[str]) -> dict[str, Sample]:
    """Return the last recorded task counts of batches, by batch ID. Batches without a record are left out."""
    samples = _find_samples(connection, batch_ids)
    latest = samples.order_by().values("job__subject").annotate(last=Max("pk")).values_list("last", flat=True)
    return {
        sample.job.subject: sample
        for sample in Sample.objects.filter(pk__in=list(latest)).select_related("job")
    }


def read_monitored(connection: Connection, batch_ids: Sequence[str]) -> set[str]:
    """Return the IDs of those batches that a job monitors now."""
    running = Job.objects.filter(connection=connection, kind=KIND, finished_at__isnull=True)
    return set(running.filter(subject__in=batch_ids).values_list("subject", flat=True))


def _find_samples(connection: Connection, batch_ids: Sequence[str]) -> QuerySet[Sample]:
    return Sample.objects.filter(job__connection=connection, job__kind=KIND, job__subject__in=batch_ids)


def count_step(work: Work) -> StepResult:
    """Count the tasks of the batch by status: QueryOTAJob once, then ListOTATaskByJob once per status for its total."""
    batch_id = MonitoringParams.read(work.job).batch_id
    batch = work.gateway.call("QueryOTAJob", fresh=True, JobId=batch_id)
    status = str(read_path(batch, "Data.JobStatus") or "")
    package = str(read_path(batch, "Data.Name") or "")
    counts = {}
    for task_status in STATUSES:
        response = work.gateway.call(
            "ListOTATaskByJob", fresh=True, JobId=batch_id, TaskStatus=task_status, PageSize=1, CurrentPage=1
        )
        counts[task_status] = int(response.get("Total") or 0)
    now = timezone.now()

    def write(job: Job) -> None:
        Sample.objects.create(job=job, at=now, counts=counts)
        params = MonitoringParams.read(job)
        job.params = replace(params, status=status, package=params.package or package).as_json()
        if status == "CANCELED":  # by a user: the job did not fail
            job.cancel_requested = True

    age = (now - (work.job.started_at or now)).total_seconds()
    wait = min(max(_MIN_INTERVAL, age / 60), _MAX_INTERVAL)
    return StepResult(done=status in _END_STATUSES, wait=wait, write=write, counts=counts)


def _tally(job: Job) -> None:
    job.total = sum(job.counts.values())
    job.succeeded = job.counts.get("SUCCEEDED", 0)
    job.failed = job.counts.get("FAILED", 0)


def _title(job: Job) -> str:
    package = MonitoringParams.read(job).package
    if not package:
        return gettext("Monitoring batch %(batch)s") % {"batch": job.subject}
    return gettext("Monitoring a batch of %(package)s") % {"package": package}


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
    tally=_tally,
    steps={"count": Step(count_step, _("Counting the device updates"))},
    pages=Pages(details="areas/ota/_monitoring_details.html"),
)
