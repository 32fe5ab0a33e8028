"""Over-the-air updates: batches of a package, and the tasks of a batch."""

from __future__ import annotations

from typing import Literal

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.endpoints.jobs import Job
from console.api.http import ApiRequest, gateway_of
from console.api.problems import Problem, not_valid
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.api.strategies import DeviceName, DynamicBatch, StaticBatch, Strategy, Verification
from console.connections.gateway import Gateway
from console.ota import api, jobs

router = Router(tags=["Updates"])
CANCELABLE = Literal["SCHEDULED", "CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS"]
TASK = Literal["CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED"]


class Batch(Schema):
    """An update batch as lists tell it."""

    id: str
    package_id: str
    product_key: str
    status: str = Field(description="PLANNED, IN_PROGRESS, COMPLETED or CANCELED.")
    kind: Literal["static", "dynamic", "verification"]
    target: str = Field(description="ALL, SPECIFIC, GRAY or GROUP.")
    created_at: Moment | None
    started_at: Moment | None
    ended_at: Moment | None

    @classmethod
    def of(cls, job: api.Batch) -> Batch:
        return cls(
            id=job.id,
            package_id=job.package_id,
            product_key=job.product_key,
            status=job.status,
            kind="verification" if job.is_verification else "dynamic" if job.is_dynamic else "static",
            target=job.target,
            created_at=job.created,
            started_at=job.started,
            ended_at=job.ended,
        )


class BatchDetail(Batch):
    """An update batch with its strategy; null is what was not set."""

    package_name: str
    version: str
    source_versions: list[str]
    percent: str
    group_id: str
    scheduled_at: Moment | None
    schedule_ends_at: Moment | None
    rate: int | None = Field(description="Devices a minute.")
    retry_count: int | None
    retry_interval: int | None = Field(description="Minutes.")
    timeout: int | None = Field(description="Minutes.")
    overwrite: bool
    need_push: bool
    need_confirm: bool
    multi_module: bool
    protocol: str
    tags: dict[str, str]


class Task(Schema):
    """The update of one device."""

    id: str
    device_name: str
    product_key: str
    source_version: str
    version: str
    status: str
    progress: float = Field(description="Per cent.")
    description: str
    created_at: Moment | None
    modified_at: Moment | None


class TasksOfDevices(Body):
    """Devices of a batch."""

    names: list[DeviceName] = Field(min_length=1, max_length=api.MAX_NAMES_PER_CALL)


class Confirmation(Body):
    """Tasks that wait to be confirmed."""

    task_ids: list[str] = Field(min_length=1, max_length=api.MAX_CONFIRMED)


class Counts(Schema):
    """The tasks of a batch by status."""

    total: int
    counts: dict[str, int]


class Sample(Schema):
    """What a watch counted at a moment."""

    at: Moment
    counts: dict[str, int]


class Cancellation(Body):
    """Which tasks of a batch to cancel."""

    states: list[CANCELABLE] = Field(min_length=1)


class Made(Schema):
    """What was made, and the job that watches it."""

    batch_id: str
    watched_by_job: int


class TaskListing(Listing):
    """Which tasks."""

    status: TASK | None = None
    device_name: str = Field("", max_length=64, description="The whole name of a device.")


@router.get("/{slug:connection}/ota/packages/{package_id}/batches", response=Page[Batch])
def list_batches(
    request: ApiRequest, connection: str, package_id: str, listing: Query[Listing]
) -> Page[Batch]:
    """List the batches of a package, newest first."""
    place = Place.of(listing)
    found = api.list_batches(gateway_of(request, connection), package_id, page=place.number, size=place.size)
    return place.page(map(Batch.of, found.batches), found.total)


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/static-batches", response={201: Made, 202: Approval}
)
def create_static_batch(
    request: ApiRequest, connection: str, package_id: str, body: StaticBatch
) -> Status[Made]:
    """Bring a package to devices there are now."""
    gateway = gateway_of(request, connection)
    gateway.require(api.CREATE_STATIC)
    package, aim = _ready(gateway, package_id, body, body.source_versions), body.aim()
    batch_id = api.create_static_batch(
        gateway, package, aim, body.strategy(), start=body.start_at, finish=body.finish_at
    )
    return _watched(gateway, batch_id, package)


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/dynamic-batches", response={201: Made, 202: Approval}
)
def create_dynamic_batch(
    request: ApiRequest, connection: str, package_id: str, body: DynamicBatch
) -> Status[Made]:
    """Bring a package to devices of certain versions, those too that come later."""
    gateway = gateway_of(request, connection)
    gateway.require(api.CREATE_DYNAMIC)
    package = _ready(gateway, package_id, body, body.source_versions)
    batch_id = api.create_dynamic_batch(
        gateway, package, body.source_versions, body.strategy(), new_devices_only=body.newcomers_only
    )
    return _watched(gateway, batch_id, package)


@router.post("/{slug:connection}/ota/packages/{package_id}/verification", response={201: Made, 202: Approval})
def verify_package(request: ApiRequest, connection: str, package_id: str, body: Verification) -> Status[Made]:
    """Try a package on up to 10 devices: it is verified once it has succeeded on all of them."""
    gateway = gateway_of(request, connection)
    gateway.require(api.CREATE_VERIFY)
    package = api.get_package(gateway, package_id)
    batch_id = api.create_verification_batch(
        gateway,
        package,
        list(dict.fromkeys(body.names)),
        timeout=body.timeout,
        need_push=body.need_push,
        need_confirm=body.need_confirm,
    )
    return _watched(gateway, batch_id, package)


@router.get("/{slug:connection}/ota/batches/{batch_id}", response=BatchDetail)
def get_batch(request: ApiRequest, connection: str, batch_id: str) -> BatchDetail:
    """Tell of one batch."""
    found = api.get_batch(gateway_of(request, connection), batch_id)
    return BatchDetail(
        **Batch.of(found.batch).model_dump(),
        package_name=found.package_name,
        version=found.version,
        source_versions=list(found.source_versions),
        percent=found.gray_percent,
        group_id=found.group_id,
        scheduled_at=found.scheduled,
        schedule_ends_at=found.schedule_end,
        rate=found.rate,
        retry_count=found.retry_count,
        retry_interval=found.retry_interval,
        timeout=found.timeout,
        overwrite=found.overwrite,
        need_push=found.need_push,
        need_confirm=found.need_confirm,
        multi_module=found.multi_module,
        protocol=found.protocol,
        tags=dict(found.tags),
    )


@router.get("/{slug:connection}/ota/batches/{batch_id}/tasks", response=Page[Task])
def list_tasks(
    request: ApiRequest, connection: str, batch_id: str, listing: Query[TaskListing]
) -> Page[Task]:
    """List the devices of a batch and how far each is."""
    place = Place.of(listing)
    _detail, found = api.get_batch_with_tasks(
        gateway_of(request, connection),
        batch_id,
        status=listing.status or "",
        names=[listing.device_name] if listing.device_name else [],
        page=place.number,
        size=place.size,
    )
    tasks = (
        Task(
            id=task.id,
            device_name=task.device,
            product_key=task.product_key,
            source_version=task.source_version,
            version=task.version,
            status=task.status,
            progress=task.progress,
            description=task.description,
            created_at=task.created,
            modified_at=task.modified,
        )
        for task in found.tasks
    )
    return place.page(tasks, found.total)


@router.get("/{slug:connection}/ota/batches/{batch_id}/counts", response=Counts)
def count_tasks(request: ApiRequest, connection: str, batch_id: str) -> Counts:
    """Count the devices of a batch by status, now. The job that watches it tells the same from its last look."""
    found = api.count_tasks(gateway_of(request, connection), batch_id, api.TASK_STATUSES)
    return Counts(total=found.total, counts=dict(found.counts))


@router.get("/{slug:connection}/ota/batches/{batch_id}/history", response=list[Sample])
def get_batch_history(request: ApiRequest, connection: str, batch_id: str) -> list[Sample]:
    """Tell what the watches of a batch counted, oldest first."""
    gateway = gateway_of(request, connection)
    api.get_batch(gateway, batch_id)  # for those who may read the batch
    return [Sample(at=one.at, counts=one.counts) for one in jobs.read_history(gateway.connection, batch_id)]


@router.post("/{slug:connection}/ota/batches/{batch_id}/watch", response={202: Job})
def watch_batch(request: ApiRequest, connection: str, batch_id: str) -> Status[Job]:
    """Watch a batch that nobody watches, as a job that ends with it; a new batch is watched already."""
    gateway = gateway_of(request, connection)
    gateway.require(api.CANCEL_BATCH)
    batch = api.get_batch(gateway, batch_id).batch
    return Status(202, Job.of(jobs.monitor_batch(gateway, batch_id, product_key=batch.product_key)))


@router.post("/{slug:connection}/ota/batches/{batch_id}/cancel-devices", response={204: None})
def cancel_devices(request: ApiRequest, connection: str, batch_id: str, body: TasksOfDevices) -> Status[None]:
    """Cancel the updates of up to 200 devices that have not begun. Refused when one of them has."""
    gateway = gateway_of(request, connection)
    gateway.require(api.CANCEL_DEVICE)
    api.cancel_devices(gateway, api.get_batch(gateway, batch_id).batch, list(dict.fromkeys(body.names)))
    return Status(204, None)


@router.post("/{slug:connection}/ota/batches/{batch_id}/confirm", response={204: None})
def confirm_tasks(request: ApiRequest, connection: str, batch_id: str, body: Confirmation) -> Status[None]:
    """Let up to 10 tasks that wait to be confirmed go ahead. Refused when one of them does not wait."""
    task_ids = list(dict.fromkeys(body.task_ids))
    api.confirm_tasks(gateway_of(request, connection), task_ids, batch_id=batch_id)
    return Status(204, None)


@router.post("/{slug:connection}/ota/batches/{batch_id}/cancel", response={204: None})
def cancel_batch(request: ApiRequest, connection: str, batch_id: str, body: Cancellation) -> Status[None]:
    """Cancel the tasks of a batch that are in the named states."""
    api.cancel_batch(gateway_of(request, connection), batch_id, body.states)
    return Status(204, None)


@router.post("/{slug:connection}/ota/batches/{batch_id}/stop", response={204: None})
def stop_batch(request: ApiRequest, connection: str, batch_id: str) -> Status[None]:
    """End a dynamic batch's taking of further devices; its tasks go on."""
    api.stop_dynamic_batch(gateway_of(request, connection), batch_id)
    return Status(204, None)


def _ready(gateway: Gateway, package_id: str, strategy: Strategy, source_versions: list[str]) -> api.Package:
    """The package, if batches of such a strategy can be made of it. Raises Problem."""
    package = api.get_package(gateway, package_id)
    if not package.ready or not package.product_key:
        raise Problem(
            "conflict",
            _("The package is not ready."),
            _("It has to be verified, and to belong to a product, before batches can be made of it."),
        )
    if package.version in source_versions:
        raise not_valid([("source_versions", _("The package itself leads to this version."))])
    if strategy.protocol == "MQTT" and (package.files or (package.size or 0) > api.MAX_MQTT_BYTES):
        raise not_valid([("protocol", _("Over MQTT a package must be a single file of at most 16 MB."))])
    return package


def _watched(gateway: Gateway, batch_id: str, package: api.Package) -> Status[Made]:
    job = jobs.monitor_batch(gateway, batch_id, product_key=package.product_key)
    return Status(201, Made(batch_id=batch_id, watched_by_job=job.pk))
