"""Jobs, and the one that programs start: registering many devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from console.api.http import ApiRequest, gateway_of
from console.api.problems import Problem, not_valid
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.jobs import actions, api, kinds, models, outcomes
from console.jobs.forms import MAX_GENERATED_NAMES, ColumnsForm
from console.jobs.http import REGISTER, find_job, require_job_rights
from console.jobs.listing import job_title
from console.jobs.visibility import visible_jobs
from console.ui.csv import Download, csv_lines

router = Router(tags=["Jobs"])
MOST_DEVICES = 10_000
_PIECE = 256 * 1024


def _csv(about: str) -> dict[str, Any]:
    """What the document says of an answer that is a table."""
    return {"responses": {200: {"description": about, "content": {"text/csv": {}}}}}


class Job(Schema):
    """A piece of background work."""

    id: int
    kind: str = Field(
        description="Such as devices.register, devices.secrets, ota.monitor or approvals.execute."
    )
    title: str
    state: str = Field(
        description="checking, ready (waits to be started) or rejected before the start; queued, running, canceling at work;"
        " succeeded, partial, failed or canceled at the end."
    )
    why: str = Field(
        description="Why it stopped, or why its file cannot be used; empty when there is nothing to say."
    )
    person: str | None
    total: int
    succeeded: int
    failed: int
    skipped: int = Field(
        description="Lines left out before the start: see the rows whose outcome is skipped."
    )
    counts: dict[str, int] = Field(description="Rows by outcome; of an update watch, tasks by status.")
    parent_id: int | None = Field(description="The job that this one is a further run of.")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @classmethod
    def of(cls, job: models.Job) -> Job:
        person = job.started_by or job.created_by
        return cls(
            id=job.pk,
            kind=job.kind,
            title=str(job_title(job)),
            state=job.state,
            why=job.error_text,
            person=person.label if person else None,
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


class Row(Schema):
    """A line of a job."""

    row: int
    name: str
    nickname: str
    outcome: str = Field(
        description="pending, created, exists, invalid, failed, unknown, canceled or skipped."
    )
    reason: str


class JobListing(Listing):
    """Which jobs."""

    kind: str = ""
    state: str = ""


class RowListing(Listing):
    """Which rows."""

    outcome: Literal["", *models.Row.State.values] = ""  # type: ignore[valid-type]
    search: str = Field("", max_length=64, description="Part of a device name.")


class DeviceToRegister(Body):
    """A device of a registration."""

    name: str = Field(max_length=200)
    nickname: str = Field("", max_length=200)


class Registration(Body):
    """Devices to register in a product."""

    product_key: str = Field(max_length=64)
    devices: list[DeviceToRegister] = Field(min_length=1, max_length=MOST_DEVICES)
    start: bool = Field(
        True,
        description="Start at once when every line is good. Else the job waits, and POST …/start starts it.",
    )


class RandomRegistration(Body):
    """So many devices with random names to register in a product."""

    product_key: str = Field(max_length=64)
    count: int = Field(ge=1, le=MAX_GENERATED_NAMES)
    begins: str = Field(
        "",
        max_length=16,
        pattern=r"^[A-Za-z0-9_.:@-]*$",
        description="What the names begin with; 16 random characters follow.",
    )
    start: bool = Field(True, description="Else the job waits, and POST …/start starts it.")


class Columns(Body):
    """Which column of a file is which, counted from 0."""

    name: int = Field(ge=0)
    nickname: int | None = Field(None, ge=0)
    headless: bool = Field(False, description="Whether the first line is a device, not a header.")


def demand_registration(request: ApiRequest, connection: str) -> None:
    """Refuse who may register no devices. Raises PermissionRefused."""
    gateway_of(request, connection)
    require_job_rights(cast(CloudRequest, request), REGISTER)


@router.post("/{slug:connection}/registrations", response={202: Job})
def register_devices(request: ApiRequest, connection: str, body: Registration) -> Status[Job]:
    """Register many devices, as a job. Nothing is sent for a list with a bad line until the job is started by itself."""
    lines = csv_lines([["DeviceName", "Nickname"], *([one.name, one.nickname] for one in body.devices)])
    content = (line.encode() for line in lines)
    gateway = gateway_of(request, connection)
    about = {"source": "file", "filename": "API"}
    return _registered(request, gateway, body.product_key, about, content, start=body.start)


@router.post("/{slug:connection}/registrations/random", response={202: Job})
def register_random_devices(request: ApiRequest, connection: str, body: RandomRegistration) -> Status[Job]:
    """Register so many devices with random names, as a job. Many are made up first: ask for the job until it is `ready`."""
    about = {"source": "count", "count": body.count, "prefix": body.begins}
    return _registered(request, gateway_of(request, connection), body.product_key, about, start=body.start)


@router.post("/{slug:connection}/registrations/upload", response={202: Job})
def upload_registration(
    request: ApiRequest,
    connection: str,
    file: File[UploadedFile],
    product_key: Form[str],
    start: Form[bool] = True,
) -> Status[Job]:
    """Register the devices of a CSV file, as a job. A large file is checked first: ask for the job until it is `ready`."""
    gateway = gateway_of(request, connection)
    about = {"source": "file", "filename": (file.name or "")[:120]}
    return _registered(request, gateway, product_key[:64], about, file.chunks(_PIECE), start=start)


def _registered(
    request: ApiRequest,
    gateway: Gateway,
    product_key: str,
    about: dict[str, Any],
    content: Iterable[bytes] | None = None,
    *,
    start: bool,
) -> Status[Job]:
    require_job_rights(cast(CloudRequest, request), REGISTER)
    product = api.get_product(gateway, product_key)
    params = {"product_key": product.key, "product_name": product.name, **about}
    job = actions.create_draft(gateway, REGISTER, params, content)
    if start and job.state == models.Job.State.READY and not job.skipped:
        _start(gateway, job)
    return Status(202, Job.of(_fresh(job)))


@router.get("/{slug:connection}/jobs", response=Page[Job])
def list_jobs(request: ApiRequest, connection: str, listing: Query[JobListing]) -> Page[Job]:
    """List the connection's jobs, newest first."""
    gateway = gateway_of(request, connection)
    place = Place.of(listing)
    jobs = visible_jobs(gateway)
    if listing.kind:
        jobs = jobs.filter(kind=listing.kind)
    if listing.state:
        jobs = jobs.filter(state=listing.state)
    begin = (place.number - 1) * place.size
    shown = jobs.select_related("created_by", "started_by")[begin : begin + place.size]
    return place.page(map(Job.of, shown), jobs.count())


@router.get("/{slug:connection}/jobs/{int:job_id}", response=Job)
def get_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    """Tell how far a job is."""
    return Job.of(_job(request, connection, job_id))


@router.get("/{slug:connection}/jobs/{int:job_id}/rows", response=Page[Row])
def list_job_rows(request: ApiRequest, connection: str, job_id: int, listing: Query[RowListing]) -> Page[Row]:
    """List what became of each line of a job."""
    job = _job(request, connection, job_id)
    place = Place.of(listing)
    rows = models.Row.objects.filter(job=job)
    if listing.outcome:
        rows = rows.filter(state=listing.outcome)
    if listing.search:
        rows = rows.filter(name__icontains=listing.search)
    begin = (place.number - 1) * place.size
    kind = kinds.get(job.kind)
    shown = (
        Row(
            row=row.number,
            name=row.name,
            nickname=row.nickname,
            outcome=row.state,
            reason=outcomes.explain(row.state, row.reason, row.extra, kind),
        )
        for row in rows.order_by("number")[begin : begin + place.size]
    )
    return place.page(shown, rows.count())


@router.get("/{slug:connection}/jobs/{int:job_id}/result", openapi_extra=_csv("One line a row."))
def get_job_result(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    """Download what became of every line, as CSV."""
    return _download(_job(request, connection, job_id), "result", outcomes.result_lines)


@router.get("/{slug:connection}/jobs/{int:job_id}/findings", openapi_extra=_csv("One line a finding."))
def get_job_findings(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    """Download what is wrong with which line of the file, as CSV."""
    return _download(_job(request, connection, job_id), "findings", outcomes.finding_lines)


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/invalid-rows", openapi_extra=_csv("The file's own columns.")
)
def get_job_invalid_rows(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    """Download the lines that were left out or failed, as they were sent: to be mended and sent again."""
    return _download(_job(request, connection, job_id), "invalid-rows", outcomes.invalid_row_lines)


@router.post("/{slug:connection}/jobs/{int:job_id}/columns", response=Job)
def choose_columns(request: ApiRequest, connection: str, job_id: int, body: Columns) -> Job:
    """Read the file of a job that was not started again, when its headings do not tell which column is which."""
    job = _steered(request, connection, job_id)
    if not job.is_draft:
        raise Problem("conflict", _("The job was started already."))
    layout = job.params.get("layout") or {}
    form = ColumnsForm(job.params.get("first_row") or layout.get("header") or [], body.model_dump())
    if not form.is_valid():
        raise not_valid((field, _("The file has no such column.")) for field in form.errors)
    chosen = {"name": body.name}
    if body.nickname is not None and body.nickname != body.name:
        chosen["nickname"] = body.nickname
    if not actions.reread_file(job, chosen, body.headless):
        raise Problem("conflict", _("The file cannot be read again. Upload it once more."))
    return Job.of(_fresh(job))


@router.post("/{slug:connection}/jobs/{int:job_id}/start", response=Job)
def start_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    """Start a job that is `ready`: its good lines are sent, the others are left out."""
    job = _steered(request, connection, job_id)
    if not _start(request.gateway, job):
        raise Problem("conflict", _("The job cannot be started."), _("Only a job that is ready can be."))
    return Job.of(_fresh(job))


@router.post("/{slug:connection}/jobs/{int:job_id}/cancel", response=Job)
def cancel_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    """Stop a job before its next write. What was sent before is carried through."""
    job = _steered(request, connection, job_id)
    if not actions.cancel(job, request.membership.user):
        raise Problem("conflict", _("The job is over, or being canceled already."))
    return Job.of(_fresh(job))


@router.post("/{slug:connection}/jobs/{int:job_id}/retry", response={202: Job})
def retry_job(request: ApiRequest, connection: str, job_id: int) -> Status[Job]:
    """Run again the rows that failed, were not sent, or whose outcome is not known: as a new job."""
    job = _steered(request, connection, job_id)
    run = actions.retry(job, request.gateway)
    if run is None:
        raise Problem("conflict", _("There is nothing to run again."))
    return Status(202, Job.of(run))


@router.delete("/{slug:connection}/jobs/{int:job_id}", response={204: None})
def discard_job(request: ApiRequest, connection: str, job_id: int) -> Status[None]:
    """Delete a job that was not started; nothing of it was sent."""
    if not actions.discard(_steered(request, connection, job_id)):
        raise Problem("conflict", _("The job was started: it can be canceled, and stays in the list."))
    return Status(204, None)


def _download(job: models.Job, name: str, lines: Callable[[models.Job], Iterable[str]]) -> Download:
    return Download(lines(job), f"job-{job.pk}-{name}.csv", act="jobs.export", about=f"job {job.pk}")


def _job(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    gateway_of(request, connection)
    return find_job(cast(CloudRequest, request), job_id)


def _steered(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    job = _job(request, connection, job_id)
    require_job_rights(cast(CloudRequest, request), job.kind, job)
    return job


def _start(gateway: Gateway, job: models.Job) -> bool:
    return actions.start(job, gateway, {"tags": bool(job.params.get("tagged"))})


def _fresh(job: models.Job) -> models.Job:
    job.refresh_from_db()
    return job
