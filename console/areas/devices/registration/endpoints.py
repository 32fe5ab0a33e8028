"""The registration of many devices as a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, cast

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import File, Form, Router, Status
from ninja.files import UploadedFile
from pydantic import Field

from console.api.endpoints.jobs import Job, csv_response
from console.api.http import ApiRequest, open_gateway
from console.api.problems import Problem, validation_problem
from console.api.schemas import RequestBody
from console.areas.devices.registration import actions, outcomes
from console.areas.devices.registration.downloads import find_registration
from console.areas.devices.registration.forms import MAX_GENERATED_NAMES, ColumnsForm
from console.areas.devices.registration.params import REGISTER_KIND, RegistrationParams
from console.areas.products import api as products_api
from console.areas.products.api import Product
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.jobs import actions as job_actions
from console.jobs import models
from console.jobs.http import require_job_rights
from console.jobs.tables import MAX_COLUMNS
from console.ui.csv import Download, csv_lines

router = Router(tags=[gettext_noop("Devices")])
MAX_DEVICES = 10_000
_CHUNK_BYTES = 256 * 1024


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
            "Whether the job starts immediately if all rows are valid. Otherwise, start it with"
            " POST …/jobs/{job_id}/start."
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
            "Whether the job starts immediately. Otherwise, start it with POST …/jobs/{job_id}/start."
        ),
    )


class ColumnMapping(RequestBody):
    """The columns of a file, counted from 0."""

    name: int = Field(
        ge=0, lt=MAX_COLUMNS, description=gettext_noop("Column with the device names, counted from 0.")
    )
    nickname: int | None = Field(
        None, ge=0, lt=MAX_COLUMNS, description=gettext_noop("Column with the nicknames, counted from 0.")
    )
    no_header: bool = Field(
        False, description=gettext_noop("Whether the first row is a device, not a header.")
    )


def check_registration_upload(request: ApiRequest, connection: str) -> None:
    """Raise PermissionRefused if the token may not register devices."""
    open_gateway(request, connection)
    require_job_rights(cast(CloudRequest, request), REGISTER_KIND)


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
    gateway, product = _open(request, connection, body.product_key)
    job = actions.register_from_file(gateway, product.key, product.name, content, "API")
    return _start_and_respond(gateway, job, start=body.start)


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
    gateway, product = _open(request, connection, body.product_key)
    job = actions.register_generated_names(gateway, product.key, product.name, body.count, body.prefix)
    return _start_and_respond(gateway, job, start=body.start)


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
    product_key: Annotated[str, Form(max_length=64)],
    start: Form[bool] = True,
) -> Status[Job]:
    gateway, product = _open(request, connection, product_key)
    content = file.chunks(_CHUNK_BYTES)
    job = actions.register_from_file(gateway, product.key, product.name, content, file.name or "")
    return _start_and_respond(gateway, job, start=start)


@router.post(
    "/{slug:connection}/registrations/{int:job_id}/columns",
    response=Job,
    description=gettext_noop(
        "Map the columns of the file of a job that was not started. Use this if the header is not recognized."
    ),
)
def map_registration_columns(request: ApiRequest, connection: str, job_id: int, body: ColumnMapping) -> Job:
    job = _find_registration(request, connection, job_id)
    require_job_rights(cast(CloudRequest, request), REGISTER_KIND, job)
    if not job.is_draft:
        raise Problem("conflict", _("The job was already started."))
    columns = {"name": body.name, "nickname": body.nickname, "headless": body.no_header}
    headings = RegistrationParams.read(job).headings
    form = ColumnsForm(headings, columns)
    missing = list(form.errors) if headings else ["name"]
    if missing:
        raise validation_problem((field, _("The file does not have this column.")) for field in missing)
    if not job_actions.reread_file(job, **form.read_columns()):
        raise Problem("conflict", _("The file cannot be read again. Upload it again."))
    job.refresh_from_db()
    return Job.from_job(job)


@router.get(
    "/{slug:connection}/registrations/{int:job_id}/errors",
    description=gettext_noop("Download the errors found in the rows of the file as a CSV file."),
    openapi_extra=csv_response("One line for each error."),
)
def download_registration_errors(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    job = _find_registration(request, connection, job_id)
    return _download(job, "errors", outcomes.finding_lines)


@router.get(
    "/{slug:connection}/registrations/{int:job_id}/invalid-rows",
    description=gettext_noop(
        "Download the skipped and failed rows as a CSV file with their original values, to correct and send again."
    ),
    openapi_extra=csv_response("The columns of the original file."),
)
def download_invalid_rows(request: ApiRequest, connection: str, job_id: int) -> HttpResponseBase:
    job = _find_registration(request, connection, job_id)
    return _download(job, "invalid-rows", outcomes.invalid_row_lines)


def _open(request: ApiRequest, connection: str, product_key: str) -> tuple[Gateway, Product]:
    """Return the gateway and the product in which devices will be registered. Raises PermissionRefused and CloudError."""
    gateway = open_gateway(request, connection)
    require_job_rights(cast(CloudRequest, request), REGISTER_KIND)
    return gateway, products_api.get_product(gateway, product_key).product


def _start_and_respond(gateway: Gateway, job: models.Job, *, start: bool) -> Status[Job]:
    """Start the job if `start` is set, it is ready and no row is skipped."""
    if start and job.state == models.Job.State.READY and not job.skipped:
        job_actions.start(job, gateway)
    job.refresh_from_db()
    return Status(202, Job.from_job(job))


def _find_registration(request: ApiRequest, connection: str, job_id: int) -> models.Job:
    open_gateway(request, connection)
    return find_registration(cast(CloudRequest, request), job_id)


def _download(job: models.Job, name: str, lines: Callable[[models.Job], Iterable[str]]) -> Download:
    return Download(lines(job), f"job-{job.pk}-{name}.csv", operation="jobs.export", target=f"job {job.pk}")
