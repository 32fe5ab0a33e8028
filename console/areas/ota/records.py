"""Records of over-the-air updates, and the requests of users, as parameters.

Times are aware, IDs are strings, sizes are bytes, intervals are minutes, rates are devices per minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.pages.keys import join_key
from iot_client.fields import read_count, read_integer, read_items, read_text, read_time
from iot_client.responses import read_name

DEFAULT_MODULE = "default"
RUNNING = frozenset({"PLANNED", "IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package with several files."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Package:
    """An update package. `status` is the platform's number as a string: -1 no verification needed, 0 not verified,
    1 verified, 2 verifying, 3 verification failed. `sign` is the checksum of the file, computed with `sign_method`."""

    id: str
    name: str
    version: str
    product_key: str
    product_name: str
    module: str
    delta: bool
    status: str
    size: int | None
    sign: str
    sign_method: str
    source_version: str
    description: str
    created: datetime | None
    modified: datetime | None
    udi: str = ""
    verify_progress: int = 0
    files: tuple[PackageFile, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether batches can be created from it."""
        return self.status in ("-1", "1")

    @property
    def is_verifiable(self) -> bool:
        """Whether it must first be verified on a few devices, and no verification is running."""
        return self.status in ("0", "3")


@dataclass(frozen=True, slots=True)
class Module:
    """A part of a product's firmware that can be updated separately."""

    product_key: str
    name: str
    alias: str
    description: str
    created: datetime | None
    modified: datetime | None

    @property
    def is_default(self) -> bool:
        """Whether it is the default module, the entire firmware. Every product has it; it cannot be changed."""
        return self.name == DEFAULT_MODULE


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch in a list. `status` is PLANNED, IN_PROGRESS, COMPLETED or CANCELED."""

    id: str
    package_id: str
    product_key: str
    status: str
    is_verification: bool
    is_dynamic: bool
    target: str
    created: datetime | None
    started: datetime | None
    ended: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status in RUNNING


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """A batch with its strategy. Values that were not set are None or empty. Intervals are minutes, the rate is devices
    per minute."""

    batch: Batch
    package_name: str
    version: str
    description: str
    source_versions: tuple[str, ...]
    gray_percent: str
    group_id: str
    group_name: str
    dynamic_mode: int | None
    scheduled: datetime | None
    schedule_end: datetime | None
    rate: int | None
    retry_count: int | None
    retry_interval: int | None
    timeout: int | None
    overwrite: bool
    multi_module: bool
    need_push: bool
    need_confirm: bool
    protocol: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """The update of one device in a batch. `progress` is a percentage."""

    id: str
    device: str
    product_key: str
    source_version: str
    version: str
    status: str
    progress: float
    description: str
    created: datetime | None
    modified: datetime | None

    @property
    def key(self) -> str:
        """Task ID and device name in one text, for selections."""
        return join_key(self.id, self.device)


@dataclass(frozen=True, slots=True)
class PackagePage:
    """A page of packages, and the number of all packages."""

    packages: tuple[Package, ...]
    total: int


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A page of batches, and the number of all batches."""

    batches: tuple[Batch, ...]
    total: int


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks, and the number of all tasks."""

    tasks: tuple[Task, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """The update policy of a batch. None means the platform's default. Intervals are minutes, the rate is devices per
    minute."""

    rate: int | None = None
    retry_count: int | None = None
    retry_interval: int | None = None
    timeout: int | None = None
    overwrite: bool = False
    multi_module: bool = False
    need_push: bool = True
    need_confirm: bool = False
    protocol: str = "HTTPS"
    tags: tuple[tuple[str, str], ...] = ()

    def params(self) -> dict[str, Any]:
        """Return the parameters of the operations that create batches."""
        return {
            "MaximumPerMinute": self.rate,
            "RetryCount": self.retry_count,
            "RetryInterval": self.retry_interval,
            "TimeoutInMinutes": self.timeout,
            "OverwriteMode": 2 if self.overwrite else 1,
            "MultiModuleMode": True if self.multi_module else None,
            "NeedPush": self.need_push,
            "NeedConfirm": self.need_confirm,
            "DownloadProtocol": self.protocol,
            "Tag": [{"Key": key, "Value": value} for key, value in self.tags] or None,
        }


@dataclass(frozen=True, slots=True)
class BatchTarget:
    """The devices of a static batch. `selection` is ALL, SPECIFIC (`names`), GRAY (`percent`) or GROUP (`group_id`)."""

    selection: str
    source_versions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    percent: str = ""
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class NewPackage:
    """The properties of a package to create, without its file."""

    name: str
    version: str
    product_key: str = ""
    module: str = ""
    delta: bool = False
    source_version: str = ""
    description: str = ""
    verify: bool = True
    udi: str = ""


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """The number of tasks of a batch, in total and by status. `counts` holds the statuses that were requested."""

    total: int
    counts: Mapping[str, int] = field(default_factory=dict)


# -- responses -------------------------------------------------------------------------------------------------------


def to_package(item: dict[str, Any], package_id: str = "") -> Package:
    """Read a package from a response of ListOTAFirmware or QueryOTAFirmware."""
    return Package(
        id=package_id or read_name(item, "FirmwareId"),
        name=str(item.get("FirmwareName", "")),
        version=str(item.get("DestVersion", "")),
        product_key=read_text(item, "ProductKey"),
        product_name=read_text(item, "ProductName"),
        module=str(item.get("ModuleName") or DEFAULT_MODULE),
        delta=read_integer(item.get("Type")) == 1,
        status=str(item.get("Status", "")),
        size=read_integer(item.get("FirmwareSize")),
        sign=read_text(item, "FirmwareSign"),
        sign_method=read_text(item, "SignMethod"),
        source_version=read_text(item, "SrcVersion"),
        description=read_text(item, "FirmwareDesc"),
        created=read_time(item.get("UtcCreate")),
        modified=read_time(item.get("UtcModified")),
        udi=read_text(item, "Udi"),
        verify_progress=read_count(item.get("VerifyProgress")),
        files=tuple(
            PackageFile(str(file.get("Name", "")), read_count(file.get("Size")), read_text(file, "FileMd5"))
            for file in item.get("MultiFiles") or ()
            if isinstance(file, dict)
        ),
    )


def to_batches(response: dict[str, Any]) -> BatchPage:
    """Read a page of batches from a response of ListOTAJobByFirmware."""
    batches = read_items(response.get("Data"), "SimpleOTAJobInfo")
    return BatchPage(tuple(to_batch(item) for item in batches), read_count(response.get("Total")))


def to_batch(item: dict[str, Any], batch_id: str = "") -> Batch:
    """Read a batch from an item of ListOTAJobByFirmware or a response of QueryOTAJob."""
    status = str(item.get("JobStatus", ""))
    return Batch(
        id=batch_id or read_name(item, "JobId"),
        package_id=read_name(item, "FirmwareId"),
        product_key=read_text(item, "ProductKey"),
        # Lists say COMPLETE, QueryOTAJob says COMPLETED.
        status="COMPLETED" if status == "COMPLETE" else status,
        is_verification=item.get("JobType") == "VERFIY_FIRMWARE",
        is_dynamic=item.get("SelectionType") == "DYNAMIC",
        target=read_text(item, "TargetSelection"),
        created=read_time(item.get("UtcCreate")),
        started=read_time(item.get("UtcStartTime")),
        ended=read_time(item.get("UtcEndTime")),
    )


def to_batch_detail(data: dict[str, Any], batch_id: str) -> BatchDetail:
    """Read a batch with its strategy from a response of QueryOTAJob."""
    versions = data.get("SrcVersions")
    listed = versions.get("SrcVersion") if isinstance(versions, dict) else None
    return BatchDetail(
        batch=to_batch(data, batch_id),
        package_name=read_text(data, "Name"),
        version=read_text(data, "DestVersion"),
        description=read_text(data, "JobDesc"),
        source_versions=tuple(str(version) for version in listed) if isinstance(listed, list) else (),
        gray_percent=read_text(data, "GrayPercent"),
        group_id=read_text(data, "GroupId"),
        group_name=read_text(data, "GroupName"),
        dynamic_mode=read_integer(data.get("DynamicMode")),
        scheduled=read_time(data.get("UtcScheduleTime")),
        schedule_end=read_time(data.get("UtcScheduleFinishTime")),
        rate=read_integer(data.get("MaximumPerMinute")),
        retry_count=read_integer(data.get("RetryCount")),
        retry_interval=read_integer(data.get("RetryInterval")),
        timeout=read_integer(data.get("TimeoutInMinutes")),
        overwrite=read_integer(data.get("OverwriteMode")) == 2,
        multi_module=bool(data.get("MultiModuleMode")),
        need_push=bool(data.get("NeedPush", True)),
        need_confirm=bool(data.get("NeedConfirm")),
        protocol=read_text(data, "DownloadProtocol"),
        tags=tuple(
            (str(t.get("Key", "")), str(t.get("Value", "")))
            for t in read_items(data.get("Tags"), "OtaTagDTO")
        ),
    )


def to_tasks(response: dict[str, Any]) -> TaskPage:
    """Read a page of tasks from a response of ListOTATaskByJob."""
    tasks = read_items(response.get("Data"), "SimpleOTATaskInfo")
    return TaskPage(tuple(to_task(item) for item in tasks), read_count(response.get("Total")))


def to_task(item: dict[str, Any]) -> Task:
    """Read a task from an item of ListOTATaskByJob."""
    try:
        progress = max(0.0, min(100.0, float(item.get("Progress") or 0)))
    except (TypeError, ValueError):
        progress = 0.0
    return Task(
        id=str(item.get("TaskId", "")),
        device=str(item.get("DeviceName", "")),
        product_key=read_text(item, "ProductKey"),
        source_version=read_text(item, "SrcVersion"),
        version=read_text(item, "DestVersion"),
        status=str(item.get("TaskStatus", "")),
        progress=progress,
        description=read_text(item, "TaskDesc"),
        created=read_time(item.get("UtcCreate")),
        modified=read_time(item.get("UtcModified")),
    )
