"""Jobs, and the registration of many devices, which programs can start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from console.api.http import ApiRequest, open_gateway
from console.api.problems import Problem, validation_problem
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.jobs import actions, api, kinds, models, outcomes
from console.jobs.forms import MAX_GENERATED_NAMES, ColumnsForm
from console.jobs.http import REGISTER, find_job, require_job_rights
from console.jobs.listing import job_title
from console.jobs.visibility import visible_jobs
from console.ui.csv import Download, csv_lines

router = Router(tags=[gettext_noop("Jobs")])
MAX_DEVICES = 10_000
_CHUNK_BYTES = 256 * 1024


def _csv_response(description: str) -> dict[str, Any]:
    """Return the OpenAPI entry of a response that is a CSV file."""
    return {"responses": {200: {"description": description, "content": {"text/csv": {}}}}}


class Job(Schema):
    """A background job."""

    id: int
    kind: str = Field(description="For example devices.register.")
    title: str
    status: str = Field(
        description="Before the start: checking, ready (waits to be started) or rejected. During the run: queued,"
        " running or canceling. At the end: succeeded, partial, failed or canceled."
    )
    reason: str = Field(description="Why the job stopped, or why its file was rejected; otherwise empty.")
    user: str | None = Field(description="The user who started or created the job.")
    total: int
    succeeded: int
    failed: int
    skipped: int = Field(
        description="Number of rows skipped before the start. List the rows with the status skipped for details."
    )
    counts: dict[str, int] = Field(
        description="Number of rows by status; for a job that monitors a batch, number of tasks by status."
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


class JobRow(Schema):
    """A row of a job."""

    number: int
    name: str
    nickname: str
    status: str = Field(
        description="pending, created, exists, invalid, failed, unknown, canceled or skipped."
    )
    reason: str


class JobListQuery(PageQuery):
    """Selects jobs."""

    kind: str = ""
    status: str = ""


class RowListQuery(PageQuery):
    """Selects rows."""

    status: Literal["", *models.Row.State.values] = ""  # type: ignore[valid-type]
    search: str = Field("", max_length=64, description=gettext_noop("Part of a device name."))


class DeviceToRegister(RequestBody):
    """A device to register."""

    name: str = Field(max_length=200)
    nickname: str = Field("", max_length=200)


class Registration(RequestBody):
    """Devices to register in a product."""

    product_key: str = Field(max_length=64)
    devices: list[DeviceToRegister] = Field(min_length=1, max_length=MAX_DEVICES)
    start: bool = Field(
        True,
        description=gettext_noop(
            "Whether the job starts immediately if all rows are valid. Otherwise, start it with POST …/start."
        ),
    )


class GeneratedRegistration(RequestBody):
    """Devices with generated names to register in a product."""

    product_key: str = Field(max_length=64)
    count: int = Field(ge=1, le=MAX_GENERATED_NAMES, description=gettext_noop("Number of devices."))
    prefix: str = Field(
        "",
        max_length=16,
        pattern=r"^[A-Za-z0-9_.:@-]*$",
        description=gettext_noop("Name prefix. 16 random characters are added."),
    )
    start: bool = Field(
        True,
        description=gettext_noop(
            "Whether the job starts immediately. Otherwise, start it with POST …/start."
        ),
    )


class ColumnMapping(RequestBody):
    """The columns of a file, counted from 0."""

    name: int = Field(ge=0, description=gettext_noop("Column with the device names, counted from 0."))
    nickname: int | None = Field(
        None, ge=0, description=gettext_noop("Column with the nicknames, counted from 0.")
    )
    no_header: bool = Field(
        False, description=gettext_noop("Whether the first row is a device, not a header.")
    )


def check_registration_upload(request: ApiRequest, connection: str) -> None:
    """Raise PermissionRefused if the token may not register devices."""
    open_gateway(request, connection)
    require_job_rights(cast(CloudRequest, request), REGISTER)


@router.post(
    "/{slug:connection}/registrations",
    response={202: Job},
    description=gettext_noop(
        "Register many devices as a job. If a row is invalid, nothing is sent until you start the job."
    ),
)
def register_devices(request: ApiRequest, connection: str, body: Registration) -> Status[Job]:
    lines = csv_lines(
        [["DeviceName", "Nickname"], *([device.name, device.nickname] for device in body.devices)]
    )
    content = (line.encode() for line in lines)
    gateway = open_gateway(request, connection)
    source = {"source": "file", "filename": "API"}
    return _create_registration(request, gateway, body.product_key, source, content, start=body.start)


@router.post(
    "/{slug:connection}/registrations/generated",
    response={202: Job},
    description=gettext_noop(
        "Register devices with generated names as a job. If many names are generated, query the job until its status is"
        " `ready`."
    ),
)
def register_generated_devices(
    request: ApiRequest, connection: str, body: GeneratedRegistration
) -> Status[Job]:
    source = {"source": "count", "count": body.count, "prefix": body.prefix}
    gateway = open_gateway(request, connection)
    return _create_registration(request, gateway, body.product_key, source, start=body.start)


@router.post(
    "/{slug:connection}/registrations/upload",
    response={202: Job},
    description=gettext_noop(
        "Register the devices of a CSV file as a job. If the file is large, query the job until its status is `ready`."
    ),
)
def register_devices_from_file(
    request: ApiRequest,
    connection: str,
    file: File[UploadedFile],
    product_key: Form[str],
    start: Form[bool] = True,
) -> Status[Job]:
    gateway = open_gateway(request, connection)
    source = {"source": "file", "filename": (file.name or "")[:120]}
    content = file.chunks(_CHUNK_BYTES)
    return _create_registration(request, gateway, product_key[:64], source, content, start=start)


def _create_registration(
    request: ApiRequest,
    gateway: Gateway,
    product_key: str,
    source: dict[str, Any],
    content: Iterable[bytes] | None = None,
    *,
    start: bool,
) -> Status[Job]:
    """Create a registration job; start it if `start` is set, it is ready and no row is skipped."""
    require_job_rights(cast(CloudRequest, request), REGISTER)
    product = api.get_product(gateway, product_key)
    params = {"product_key": product.key, "product_name": product.name, **source}
    job = actions.create_draft(gateway, REGISTER, params, content)
    if start and job.state == models.Job.State.READY and not job.skipped:
        _start(gateway, job)
    return Status(202, Job.from_job(_reload(job)))


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
    return Job.from_job(_find_job(request, connection, job_id))


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/rows",
    response=Page[JobRow],
    description=gettext_noop("List the rows of a job with their results."),
)
def list_job_rows(
    request: ApiRequest, connection: str, job_id: int, query: Query[RowListQuery]
) -> Page[JobRow]:
    job = _find_job(request, connection, job_id)
    position = PagePosition.from_query(query)
    rows = models.Row.objects.filter(job=job)
    if query.status:
        rows = rows.filter(state=query.status)
    if query.search:
        rows = rows.filter(name__icontains=query.search)
    first = (position.number - 1) * position.size
    kind = kinds.get(job.kind)
    page = (
        JobRow(
            number=row.number,
            name=row.name,
            nickname=row.nickname,
            status=row.state,
            reason=outcomes.explain(row.state, row.reason, row.extra, kind),
        )
        for row in rows.order_by("number")[first : first + position.size]
    )
    return position.build_page(page, rows.count())


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/results",
    description=gettext_noop("Download the results of all rows as a CSV file."),
    openapi_extra=_csv_response("One line for each row of the job."),
)
def download_job_results(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    return _download(_find_job(request, connection, job_id), "results", outcomes.result_lines)


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/errors",
    description=gettext_noop("Download the errors found in the rows of the file as a CSV file."),
    openapi_extra=_csv_response("One line for each error."),
)
def download_job_errors(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    return _download(_find_job(request, connection, job_id), "errors", outcomes.finding_lines)


@router.get(
    "/{slug:connection}/jobs/{int:job_id}/invalid-rows",
    description=gettext_noop(
        "Download the skipped and failed rows as a CSV file with their original values, to correct and send again."
    ),
    openapi_extra=_csv_response("The columns of the original file."),
)
def download_invalid_rows(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    return _download(_find_job(request, connection, job_id), "invalid-rows", outcomes.invalid_row_lines)


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/columns",
    response=Job,
    description=gettext_noop(
        "Map the columns of the file of a job that was not started. Use this if the header is not recognized."
    ),
)
def map_job_columns(request: ApiRequest, connection: str, job_id: int, body: ColumnMapping) -> Job:
    job = _find_controllable_job(request, connection, job_id)
    if not job.is_draft:
        raise Problem("conflict", _("The job was already started."))
    layout = job.params.get("layout") or {}
    columns = {"name": body.name, "nickname": body.nickname, "headless": body.no_header}
    form = ColumnsForm(job.params.get("first_row") or layout.get("header") or [], columns)
    if not form.is_valid():
        raise validation_problem((field, _("The file does not have this column.")) for field in form.errors)
    mapping = {"name": body.name}
    if body.nickname is not None and body.nickname != body.name:
        mapping["nickname"] = body.nickname
    if not actions.reread_file(job, mapping, body.no_header):
        raise Problem("conflict", _("The file cannot be read again. Upload it again."))
    return Job.from_job(_reload(job))


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/start",
    response=Job,
    description=gettext_noop(
        "Start a job with the status `ready`. Valid rows are sent, invalid rows are skipped."
    ),
)
def start_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    job = _find_controllable_job(request, connection, job_id)
    if not _start(request.gateway, job):
        raise Problem(
            "conflict",
            _("The job cannot be started."),
            _("Only jobs with the status “ready” can be started."),
        )
    return Job.from_job(_reload(job))


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/cancel",
    response=Job,
    description=gettext_noop("Cancel a job. Rows that were already sent are still processed."),
)
def cancel_job(request: ApiRequest, connection: str, job_id: int) -> Job:
    job = _find_controllable_job(request, connection, job_id)
    if not actions.cancel(job, request.membership.user):
        raise Problem("conflict", _("The job has finished or is already being canceled."))
    return Job.from_job(_reload(job))


@router.post(
    "/{slug:connection}/jobs/{int:job_id}/retry",
    response={202: Job},
    description=gettext_noop(
        "Retry the rows that failed, were not sent, or have an unknown result. Creates a new job."
    ),
)
def retry_job(request: ApiRequest, connection: str, job_id: int) -> Status[Job]:
    job = _find_controllable_job(request, connection, job_id)
    new_job = actions.retry(job, request.gateway)
    if new_job is None:
        raise Problem("conflict", _("There are no rows to retry."))
    return Status(202, Job.from_job(new_job))


@router.delete(
    "/{slug:connection}/jobs/{int:job_id}",
    response={204: None},
    description=gettext_noop("Delete a job that was not started. Nothing was sent for it."),
)
def delete_job(request: ApiRequest, connection: str, job_id: int) -> Status[None]:
    if not actions.discard(_find_controllable_job(request, connection, job_id)):
        raise Problem("conflict", _("The job was started and cannot be deleted. You can cancel it."))
    return Status(204, None)


def _download(job: models.Job, name: str, lines: Callable[[models.Job], Iterable[str]]) -> Download:
    return Download(lines(job), f"job-{job.pk}-{name}.csv", operation="jobs.export", target=f"job {job.pk}")


def _find_job(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    open_gateway(request, connection)
    return find_job(cast(CloudRequest, request), job_id)


def _find_controllable_job(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    """Return a job that the token may start, change or cancel. Raises PermissionRefused."""
    job = _find_job(request, connection, job_id)
    require_job_rights(cast(CloudRequest, request), job.kind, job)
    return job


def _start(gateway: Gateway, job: models.Job) -> bool:
    return actions.start(job, gateway, {"tags": bool(job.params.get("tagged"))})


def _reload(job: models.Job) -> models.Job:
    job.refresh_from_db()
    return job
