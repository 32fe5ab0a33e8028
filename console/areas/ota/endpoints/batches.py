"""Over-the-air updates: the batches of a package, and the tasks of a batch."""

from __future__ import annotations

from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.api.endpoints.approvals import Approval
from console.api.endpoints.jobs import Job
from console.api.http import ApiRequest, open_gateway
from console.api.problems import Problem, validation_problem
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.areas.ota import api, batch_tasks, batches, jobs, rules
from console.areas.ota.endpoints.strategies import DynamicBatch, StaticBatch, Verification
from console.connections.gateway import Gateway

router = Router(tags=[gettext_noop("Updates")])
CancelableStatus = Literal["SCHEDULED", "CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS"]
TaskStatus = Literal["CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED"]

# Values of console.areas.ota.rules that have another name in the API.
_FIELD_NAMES = {"names": "device_names", "start": "scheduled_start_at", "finish": "scheduled_end_at"}


class Batch(Schema):
    """An update batch in a list."""

    id: str
    package_id: str
    product_key: str
    status: str = Field(description="PLANNED, IN_PROGRESS, COMPLETED or CANCELED.")
    kind: Literal["static", "dynamic", "verification"]
    target: str = Field(description="ALL, SPECIFIC, GRAY or GROUP.")
    created_at: Timestamp | None
    started_at: Timestamp | None
    ended_at: Timestamp | None

    @classmethod
    def from_batch(cls, batch: api.Batch) -> Batch:
        return cls(
            id=batch.id,
            package_id=batch.package_id,
            product_key=batch.product_key,
            status=batch.status,
            kind="verification" if batch.is_verification else "dynamic" if batch.is_dynamic else "static",
            target=batch.target,
            created_at=batch.created,
            started_at=batch.started,
            ended_at=batch.ended,
        )


class BatchDetail(Batch):
    """An update batch with its update policy. Values that were not set are null."""

    package_name: str
    version: str
    source_versions: list[str]
    percent: str
    group_id: str | None
    scheduled_start_at: Timestamp | None
    scheduled_end_at: Timestamp | None
    rate: int | None = Field(description="Devices per minute.")
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
    target_version: str
    status: str
    progress: float = Field(description="0 to 100 percent.")
    description: str
    created_at: Timestamp | None
    modified_at: Timestamp | None


class TaskCounts(Schema):
    """Number of tasks of a batch, by status."""

    total: int
    counts: dict[str, int]


class ProgressSample(Schema):
    """Number of tasks by status at a point in time."""

    at: Timestamp
    counts: dict[str, int]


class TasksToCancel(RequestBody):
    """The statuses of the tasks to cancel."""

    statuses: list[CancelableStatus] = Field(min_length=1, max_length=10)


class CreatedBatch(Schema):
    """The new batch, and the job that monitors it."""

    batch_id: str
    monitoring_job_id: int


class TaskListQuery(PageQuery):
    """Selects tasks."""

    status: TaskStatus | None = None
    device_name: str = Field("", max_length=64, description=gettext_noop("Full name of a device."))


@router.get(
    "/{slug:connection}/ota/packages/{package_id}/batches",
    response=Page[Batch],
    description=gettext_noop("List the batches of a package, newest first."),
)
def list_batches(
    request: ApiRequest, connection: str, package_id: str, query: Query[PageQuery]
) -> Page[Batch]:
    position = PagePosition.from_query(query)
    page = api.list_batches(
        open_gateway(request, connection), package_id, page=position.number, size=position.size
    )
    return position.build_page(map(Batch.from_batch, page.batches), page.total)


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/static-batches",
    response={201: CreatedBatch, 202: Approval},
    description=gettext_noop(
        "Create a static batch: update devices that exist now to the version of a package."
    ),
)
def create_static_batch(
    request: ApiRequest, connection: str, package_id: str, body: StaticBatch
) -> Status[CreatedBatch]:
    gateway = open_gateway(request, connection)
    gateway.require(api.CREATE_STATIC)
    package, target = _get_ready_package(gateway, package_id), body.to_target()
    start, finish = body.scheduled_start_at, body.scheduled_end_at
    _refuse(
        *rules.check_strategy(package, body.to_strategy()),
        *rules.check_target(target),
        *rules.check_source_versions(package, target.source_versions),
        *rules.check_schedule(start, finish),
    )
    return _describe_new_batch(
        batches.create_static_batch(gateway, package, target, body.to_strategy(), start=start, finish=finish)
    )


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/dynamic-batches",
    response={201: CreatedBatch, 202: Approval},
    description=gettext_noop(
        "Create a dynamic batch: update every device on the source versions, now and later, until you stop adding devices."
    ),
)
def create_dynamic_batch(
    request: ApiRequest, connection: str, package_id: str, body: DynamicBatch
) -> Status[CreatedBatch]:
    gateway = open_gateway(request, connection)
    gateway.require(api.CREATE_DYNAMIC)
    package, versions = _get_ready_package(gateway, package_id), body.source_versions
    _refuse(
        *rules.check_strategy(package, body.to_strategy()), *rules.check_source_versions(package, versions)
    )
    return _describe_new_batch(
        batches.create_dynamic_batch(
            gateway, package, versions, body.to_strategy(), new_devices_only=body.new_devices_only
        )
    )


@router.post(
    "/{slug:connection}/ota/packages/{package_id}/verification",
    response={201: CreatedBatch, 202: Approval},
    description=gettext_noop(
        "Verify a package on up to 10 devices. It is verified after it succeeds on all of them."
    ),
)
def verify_package(
    request: ApiRequest, connection: str, package_id: str, body: Verification
) -> Status[CreatedBatch]:
    gateway = open_gateway(request, connection)
    gateway.require(api.CREATE_VERIFY)
    package = api.get_package(gateway, package_id)
    return _describe_new_batch(
        batches.create_verification_batch(
            gateway,
            package,
            list(dict.fromkeys(body.device_names)),
            timeout=body.timeout,
            need_push=body.need_push,
            need_confirm=body.need_confirm,
        )
    )


@router.get(
    "/{slug:connection}/ota/batches/{batch_id}",
    response=BatchDetail,
    description=gettext_noop("Get a batch."),
)
def get_batch(request: ApiRequest, connection: str, batch_id: str) -> BatchDetail:
    detail = api.get_batch(open_gateway(request, connection), batch_id)
    return BatchDetail(
        **Batch.from_batch(detail.batch).model_dump(),
        package_name=detail.package_name,
        version=detail.version,
        source_versions=list(detail.source_versions),
        percent=detail.gray_percent,
        group_id=detail.group_id or None,
        scheduled_start_at=detail.scheduled,
        scheduled_end_at=detail.schedule_end,
        rate=detail.rate,
        retry_count=detail.retry_count,
        retry_interval=detail.retry_interval,
        timeout=detail.timeout,
        overwrite=detail.overwrite,
        need_push=detail.need_push,
        need_confirm=detail.need_confirm,
        multi_module=detail.multi_module,
        protocol=detail.protocol,
        tags=dict(detail.tags),
    )


@router.get(
    "/{slug:connection}/ota/batches/{batch_id}/tasks",
    response=Page[Task],
    description=gettext_noop("List the tasks of a batch: one for each device, with status and progress."),
)
def list_tasks(
    request: ApiRequest, connection: str, batch_id: str, query: Query[TaskListQuery]
) -> Page[Task]:
    position = PagePosition.from_query(query)
    _detail, page = batch_tasks.get_batch_with_tasks(
        open_gateway(request, connection),
        batch_id,
        status=query.status or "",
        names=[query.device_name] if query.device_name else [],
        page=position.number,
        size=position.size,
    )
    tasks = (
        Task(
            id=task.id,
            device_name=task.device,
            product_key=task.product_key,
            source_version=task.source_version,
            target_version=task.version,
            status=task.status,
            progress=task.progress,
            description=task.description,
            created_at=task.created,
            modified_at=task.modified,
        )
        for task in page.tasks
    )
    return position.build_page(tasks, page.total)


@router.get(
    "/{slug:connection}/ota/batches/{batch_id}/counts",
    response=TaskCounts,
    description=gettext_noop(
        "Count the tasks of a batch by status. The counts are current; those of the monitoring job may be older."
    ),
)
def count_tasks(request: ApiRequest, connection: str, batch_id: str) -> TaskCounts:
    result = batch_tasks.count_tasks(open_gateway(request, connection), batch_id, api.TASK_STATUSES)
    return TaskCounts(total=result.total, counts=dict(result.counts))


@router.get(
    "/{slug:connection}/ota/batches/{batch_id}/history",
    response=list[ProgressSample],
    description=gettext_noop("Get the recorded progress of a batch, oldest first."),
)
def get_batch_history(request: ApiRequest, connection: str, batch_id: str) -> list[ProgressSample]:
    gateway = open_gateway(request, connection)
    api.get_batch(gateway, batch_id)  # only for those who may read the batch
    return [
        ProgressSample(at=sample.at, counts=sample.counts)
        for sample in jobs.read_history(gateway.connection, batch_id)
    ]


@router.post(
    "/{slug:connection}/ota/batches/{batch_id}/monitor",
    response={202: Job},
    description=gettext_noop(
        "Record the progress of a batch until it ends, as a job. New batches are recorded automatically."
    ),
)
def monitor_batch(request: ApiRequest, connection: str, batch_id: str) -> Status[Job]:
    gateway = open_gateway(request, connection)
    gateway.require(api.CANCEL_BATCH)
    detail = api.get_batch(gateway, batch_id)
    job = jobs.monitor_batch(
        gateway,
        batch_id,
        product_key=detail.batch.product_key,
        package=f"{detail.package_name} {detail.version}".strip(),
    )
    return Status(202, Job.from_job(job))


@router.post(
    "/{slug:connection}/ota/batches/{batch_id}/cancel",
    response={204: None},
    description=gettext_noop("Cancel all tasks of a batch that have one of the given statuses."),
)
def cancel_batch(request: ApiRequest, connection: str, batch_id: str, body: TasksToCancel) -> Status[None]:
    api.cancel_batch(open_gateway(request, connection), batch_id, body.statuses)
    return Status(204, None)


@router.post(
    "/{slug:connection}/ota/batches/{batch_id}/stop",
    response={204: None},
    description=gettext_noop(
        "Stop adding devices to a dynamic batch. Devices already in the batch continue."
    ),
)
def stop_batch(request: ApiRequest, connection: str, batch_id: str) -> Status[None]:
    api.stop_dynamic_batch(open_gateway(request, connection), batch_id)
    return Status(204, None)


def _get_ready_package(gateway: Gateway, package_id: str) -> api.Package:
    """Return the package if batches can be created of it. Raises Problem."""
    package = api.get_package(gateway, package_id)
    if not package.is_ready or not package.product_key:
        raise Problem(
            "conflict",
            _("The package is not ready."),
            _("Batches require a verified package that belongs to a product."),
        )
    return package


def _refuse(*problems: rules.Problem) -> None:
    """Raise Problem if there are problems, with the names of the fields of the request."""
    if problems:
        raise validation_problem((_FIELD_NAMES.get(name, name), str(text)) for name, text in problems)


def _describe_new_batch(batch: batches.NewBatch) -> Status[CreatedBatch]:
    return Status(201, CreatedBatch(batch_id=batch.id, monitoring_job_id=batch.monitoring_job))
