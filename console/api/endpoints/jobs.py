"""Jobs: their state, their items, and the actions on them."""

from __future__ import annotations

from typing import Any, Literal, cast

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, open_gateway
from console.api.problems import Problem
from console.api.schemas import Page, PagePosition, PageQuery, Timestamp
from console.connections.http import CloudRequest
from console.jobs import actions, kinds, models, outcomes
from console.jobs.http import find_job, require_job_rights
from console.jobs.listing import job_title
from console.jobs.visibility import visible_jobs
from console.ui.csv import Download

router = Router(tags=[gettext_noop("Jobs")])


def csv_response(description: str) -> dict[str, Any]:
    """Return the OpenAPI entry of a response that is a CSV file."""
    return {"responses": {200: {"description": description, "content": {"text/csv": {}}}}}


class Job(Schema):
    """A background job."""

    id: int
    kind: str = Field(description="For example devices.register.")
    title: str
    status: str = Field(
        description="Before the start: checking, ready (waits for POST …/jobs/{job_id}/start), waiting (for an approval)"
        " or rejected. During the run: queued, running or canceling. At the end: succeeded, partial, failed or canceled."
    )
    reason: str = Field(description="Why the job stopped, or why its file was rejected; otherwise empty.")
    user: str | None = Field(description="The user who started or created the job.")
    total: int
    succeeded: int
    failed: int
    skipped: int = Field(
        description="Number of items skipped before the start. List the items with the status skipped for details."
    )
    counts: dict[str, int] = Field(
        description="Number of items by status; for a job that monitors a batch, number of tasks by status."
    )
    parent_id: int | None = Field(description="The job that this job retries.")
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def from_job(cls, job: models.Job) -> Job:
        user = job.started_by or job.created_by
        return cls(
            id=job.pk,
            kind=job.kind,
            title=str(job_title(job)),
            status=job.state,
            reason=job.error_text,
            user=user.label if user else None,
            total=job.total,
            succeeded=job.succeeded,
            failed=job.failed,
            skipped=job.skipped,
            counts=job.counts,
            parent_id=job.parent_id,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


class JobItem(Schema):
    """An item of a job."""

    number: int = Field(description="From 1; in a file, the number of the row.")
    key: str = Field(description="For example the name of a device.")
    label: str = Field(description="For example the nickname of a device.")
    status: str = Field(
        description="pending, succeeded, unchanged (for example, a device that already exists), invalid, failed,"
        " unknown, canceled or skipped."
    )
    reason: str


class JobListQuery(PageQuery):
    """Selects jobs."""

    kind: str = Field("", max_length=64)
    status: Literal["", *models.Job.State.values] = ""  # type: ignore[valid-type]


class ItemListQuery(PageQuery):
    """Selects items."""

    status: Literal["", *models.Item.Outcome.values] = ""  # type: ignore[valid-type]
    search: str = Field("", max_length=64, description=gettext_noop("Part of a key."))


@router.get(
    "/{slug:connection}/jobs",
    response=Page[Job],
    description=gettext_noop("List the jobs of a connection, newest first."),
)
def list_jobs(request: ApiRequest, connection: str, query: Query[JobListQuery]) -> Page[Job]:
    gateway = open_gateway(request, connection)
    position = PagePosition.from_query(query)
    jobs = visible_jobs(gateway)
    if query.kind:
        jobs = jobs.filter(kind=query.kind)
    if query.status:
        jobs = jobs.filter(state=query.status)
    first = (position.number - 1) * position.size
    page = jobs.select_related("created_by", "started_by")[first : first + position.size]
    return position.build_page(map(Job.from_job, page), jobs.count())


@router.get(
    "/{slug:connection}/jobs/{int:job_id}",
    response=Job,
    description=gettext_noop("Get the status and progress of a job."),
)
def get_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    return Job.from_job(find_visible_job(request, connection, job_id))


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/items",
    response=Page[JobItem],
    description=gettext_noop("List the items of a job with their results."),
)
def list_job_items(
    request: ApiRequest, connection: str, job_id: int, query: Query[ItemListQuery]
) -> Page[JobItem]:
    job = find_visible_job(request, connection, job_id)
    position = PagePosition.from_query(query)
    items = models.Item.objects.filter(job=job)
    if query.status:
        items = items.filter(outcome=query.status)
    if query.search:
        items = items.filter(key__icontains=query.search)
    first = (position.number - 1) * position.size
    kind = kinds.get(job.kind)
    page = (
        JobItem(
            number=item.number,
            key=item.key,
            label=item.label,
            status=item.outcome,
            reason=outcomes.explain(item.outcome, item.reason, item.data, kind),
        )
        for item in items.order_by("number")[first : first + position.size]
    )
    return position.build_page(page, items.count())


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/results",
    description=gettext_noop("Download the results of all items as a CSV file."),
    openapi_extra=csv_response("One line for each item of the job."),
)
def download_job_results(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    job = find_visible_job(request, connection, job_id)
    return Download(
        outcomes.result_lines(job),
        f"job-{job.pk}-results.csv",
        operation="jobs.export",
        target=f"job {job.pk}",
    )


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/start",
    response={200: Job, 202: Approval},
    description=gettext_noop(
        "Start a job with the status `ready`. Valid items are sent, invalid items are skipped."
    ),
)
def start_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    job = find_controllable_job(request, connection, job_id)
    if not actions.start(job, request.gateway):
        raise Problem(
            "conflict",
            _("The job cannot be started."),
            _("Only jobs with the status “ready” can be started."),
        )
    job.refresh_from_db()
    return Job.from_job(job)


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/cancel",
    response=Job,
    description=gettext_noop("Cancel a job. Items that were already sent are still processed."),
)
def cancel_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    job = find_controllable_job(request, connection, job_id)
    if not actions.cancel(job, request.membership.user):
        raise Problem("conflict", _("The job has finished or is already being canceled."))
    job.refresh_from_db()
    return Job.from_job(job)


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/retry",
    response={202: Job},
    description=gettext_noop(
        "Retry the items that failed, were not sent, or have an unknown result. Creates a new job. A registration starts at"
        " once; an action on several objects waits with the status `ready` until you start it."
    ),
)
def retry_job(request: ApiRequest, connection: str, job_id: int) -> Status[Job]:
    job = find_controllable_job(request, connection, job_id)
    new_job = actions.retry(job, request.gateway)
    if new_job is None:
        raise Problem("conflict", _("There are no items to retry."))
    return Status(202, Job.from_job(new_job))


@router.delete(
    "/{slug:connection}/jobs/{int:job_id}",
    response={204: None},
    description=gettext_noop("Delete a job that was not started. Nothing was sent for it."),
)
def delete_job(request: ApiRequest, connection: str, job_id: int) -> Status[None]:
    job = find_controllable_job(request, connection, job_id)
    if not actions.discard(job):
        if job.state == models.Job.State.WAITING:
            raise Problem(
                "conflict",
                _("The job waits for an approval and cannot be deleted."),
                _("Withdraw the request in the console first."),
            )
        raise Problem("conflict", _("The job was started and cannot be deleted. You can cancel it."))
    return Status(204, None)


def find_visible_job(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    """Return a job that the token may see. Raises Http404."""
    open_gateway(request, connection)
    return find_job(cast(CloudRequest, request), job_id)


def find_controllable_job(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    """Return a job that the token may start, change or cancel. Raises PermissionRefused."""
    job = find_visible_job(request, connection, job_id)
    require_job_rights(cast(CloudRequest, request), job.kind, job)
    return job
