"""Over-the-air updates: packages, batches of them, and the tasks of a batch."""

from __future__ import annotations

from typing import Any, Literal

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import Field, model_validator

from console.api.endpoints.approvals import Approval
from console.api.http import ApiRequest, gateway_of
from console.api.problems import Problem
from console.api.schemas import Body, Given, Listing, Moment, Page, Place
from console.connections.gateway import Gateway
from console.ota import api, jobs

router = Router(tags=["Updates"])
_PACKAGE_STATES = {"-1": "unneeded", "0": "unverified", "1": "verified", "2": "verifying", "3": "failed"}
CANCELABLE = Literal["SCHEDULED", "CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS"]
TASK = Literal["CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED"]


class Package(Schema):
    """An update package."""

    id: str
    name: str
    version: str
    product_key: str
    product_name: str
    module: str
    delta: bool = Field(description="Whether it updates from one version only.")
    source_version: str
    verification: str = Field(description="unneeded, unverified, verified, verifying or failed.")
    size: int | None = Field(description="Bytes.")
    description: str
    created_at: Moment | None

    @classmethod
    def of(cls, package: api.Package) -> Package:
        return cls(
            id=package.id,
            name=package.name,
            version=package.version,
            product_key=package.product_key,
            product_name=package.product_name,
            module=package.module,
            delta=package.delta,
            source_version=package.source_version,
            verification=_PACKAGE_STATES.get(package.status, package.status),
            size=package.size,
            description=package.description,
            created_at=package.created,
        )


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
    def of(cls, job: api.Job) -> Batch:
        return cls(
            id=job.id,
            package_id=job.package_id,
            product_key=job.product_key,
            status=job.status,
            kind="verification" if job.verify else "dynamic" if job.dynamic else "static",
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


class Strategy(Body):
    """How a batch goes about it; what is left out is the platform's default."""

    rate: int | None = Field(None, ge=10, le=10_000, description="Devices a minute.")
    retry_count: Literal[1, 2, 5] | None = None
    retry_interval: Literal[0, 10, 30, 60, 1440] | None = Field(
        None, description="Minutes. Needs `retry_count`."
    )
    timeout: int | None = Field(
        None, ge=1, le=1440, description="Minutes, from the first progress of a device."
    )
    overwrite: bool = Field(False, description="Whether a device's earlier update that waits is dropped.")
    need_push: bool = Field(True, description="Whether devices are told at once.")
    need_confirm: bool = Field(False, description="Whether each device's update waits to be confirmed.")
    protocol: Literal["HTTPS", "MQTT"] = "HTTPS"
    tags: dict[str, str] = Field(default_factory=dict, max_length=api.MAX_TAGS)

    @model_validator(mode="after")
    def _intervals(self) -> Strategy:
        if self.retry_interval is not None and self.retry_count is None:
            raise ValueError(_("A time before a retry needs a number of retries."))
        if self.timeout and self.retry_interval and self.retry_interval >= self.timeout:
            raise ValueError(_("The time before a retry must be shorter than the timeout."))
        return self

    def strategy(self) -> api.Strategy:
        """As the room knows it."""
        return api.Strategy(
            rate=self.rate,
            retry_count=self.retry_count,
            retry_interval=self.retry_interval,
            timeout=self.timeout,
            overwrite=self.overwrite,
            need_push=self.need_push,
            need_confirm=self.need_confirm,
            protocol=self.protocol,
            tags=tuple(self.tags.items()),
        )


class StaticBatch(Strategy):
    """A batch over the devices there are now."""

    target: Literal["ALL", "SPECIFIC", "GRAY", "GROUP"] = Field(
        description="All devices, those of `names`, `percent` of all, or those of `group_id`."
    )
    source_versions: list[str] = Field(default_factory=list, max_length=api.MAX_SOURCE_VERSIONS)
    names: list[str] = Field(default_factory=list, max_length=api.MAX_LISTED_NAMES)
    percent: str = Field("", pattern=r"^(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)?$")
    group_id: str = Field("", max_length=64)
    start_at: Given | None = Field(None, description="5 minutes to 7 days ahead; left out: at once.")
    finish_at: Given | None = Field(None, description="An hour to 30 days after the start.")

    @model_validator(mode="after")
    def _target_named(self) -> StaticBatch:
        needed: dict[str, Any] = {"SPECIFIC": self.names, "GRAY": self.percent, "GROUP": self.group_id}
        for target, value in needed.items():
            if bool(value) != (self.target == target):
                raise ValueError(_("SPECIFIC goes with names, GRAY with percent, GROUP with group_id."))
        if self.source_versions and self.target in ("SPECIFIC", "GROUP"):
            raise ValueError(_("Source versions go with ALL and GRAY."))
        if self.finish_at and not self.start_at:
            raise ValueError(_("An end needs a start."))
        return self

    def aim(self) -> api.Aim:
        """As the room knows it."""
        return api.Aim(
            self.target,
            tuple(self.source_versions),
            tuple(dict.fromkeys(self.names)),
            self.percent,
            self.group_id,
        )


class DynamicBatch(Strategy):
    """A batch that keeps taking devices that report one of the versions."""

    source_versions: list[str] = Field(min_length=1, max_length=api.MAX_SOURCE_VERSIONS)
    newcomers_only: bool = Field(False, description="Only devices that report a version from now on.")


class Cancellation(Body):
    """Which tasks of a batch to cancel."""

    states: list[CANCELABLE] = Field(min_length=1)


class Made(Schema):
    """What was made, and the job that watches it."""

    batch_id: str
    watched_by_job: int


class PackageListing(Listing):
    """Which packages."""

    product_key: str = Field("", max_length=64)
    version: str = Field("", max_length=64)


class TaskListing(Listing):
    """Which tasks."""

    status: TASK | None = None


@router.get("/{slug:connection}/ota/packages", response=Page[Package])
def list_packages(request: ApiRequest, connection: str, listing: Query[PackageListing]) -> Page[Package]:
    """List update packages, newest first."""
    place = Place.of(listing)
    found = api.list_packages(
        gateway_of(request, connection),
        product_key=listing.product_key,
        version=listing.version,
        page=place.number,
        size=place.size,
    )
    return place.page(map(Package.of, found.packages), found.total)


@router.get("/{slug:connection}/ota/packages/{package_id}", response=Package)
def get_package(request: ApiRequest, connection: str, package_id: str) -> Package:
    """Tell of one package."""
    return Package.of(api.get_package(gateway_of(request, connection), package_id))


@router.get("/{slug:connection}/ota/packages/{package_id}/batches", response=Page[Batch])
def list_batches(
    request: ApiRequest, connection: str, package_id: str, listing: Query[Listing]
) -> Page[Batch]:
    """List the batches of a package, newest first."""
    place = Place.of(listing)
    found = api.list_jobs(gateway_of(request, connection), package_id, page=place.number, size=place.size)
    return place.page(map(Batch.of, found.jobs), found.total)


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/static-batches", response={201: Made, 202: Approval}
)
def create_static_batch(
    request: ApiRequest, connection: str, package_id: str, body: StaticBatch
) -> Status[Made]:
    """Bring a package to devices there are now."""
    gateway = gateway_of(request, connection)
    package, aim = _ready(gateway, package_id), body.aim()
    batch_id = api.create_static_job(
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
    package = _ready(gateway, package_id)
    batch_id = api.create_dynamic_job(
        gateway, package, body.source_versions, body.strategy(), newcomers_only=body.newcomers_only
    )
    return _watched(gateway, batch_id, package)


@router.get("/{slug:connection}/ota/batches/{batch_id}", response=BatchDetail)
def get_batch(request: ApiRequest, connection: str, batch_id: str) -> BatchDetail:
    """Tell of one batch."""
    found = api.get_job(gateway_of(request, connection), batch_id)
    return BatchDetail(
        **Batch.of(found.job).model_dump(),
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
        tags=dict(found.tags),
    )


@router.get("/{slug:connection}/ota/batches/{batch_id}/tasks", response=Page[Task])
def list_tasks(
    request: ApiRequest, connection: str, batch_id: str, listing: Query[TaskListing]
) -> Page[Task]:
    """List the devices of a batch and how far each is."""
    place = Place.of(listing)
    _detail, found = api.get_job_with_tasks(
        gateway_of(request, connection),
        batch_id,
        status=listing.status or "",
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


@router.post("/{slug:connection}/ota/batches/{batch_id}/cancel", response={204: None})
def cancel_batch(request: ApiRequest, connection: str, batch_id: str, body: Cancellation) -> Status[None]:
    """Cancel the tasks of a batch that are in the named states."""
    api.cancel_job(gateway_of(request, connection), batch_id, body.states)
    return Status(204, None)


@router.post("/{slug:connection}/ota/batches/{batch_id}/stop", response={204: None})
def stop_batch(request: ApiRequest, connection: str, batch_id: str) -> Status[None]:
    """End a dynamic batch's taking of further devices; its tasks go on."""
    api.stop_dynamic_job(gateway_of(request, connection), batch_id)
    return Status(204, None)


def _ready(gateway: Gateway, package_id: str) -> api.Package:
    package = api.get_package(gateway, package_id)
    if not package.ready or not package.product_key:
        raise Problem(
            "conflict",
            _("The package is not ready."),
            _("It has to be verified, and to belong to a product, before batches can be made of it."),
        )
    return package


def _watched(gateway: Gateway, batch_id: str, package: api.Package) -> Status[Made]:
    job = jobs.watch(gateway, batch_id, product_key=package.product_key)
    return Status(201, Made(batch_id=batch_id, watched_by_job=job.pk))
