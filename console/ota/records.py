"""What the platform says of updates, as records: dates aware, ids text; and what people want of it, as parameters.

Sizes are bytes, intervals minutes, rates devices a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.cloud.answers import name_in
from console.ui.format import instant

DEFAULT_MODULE = "default"
RUNNING = frozenset({"PLANNED", "IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One of the files of a package that has several."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Package:
    """An update package. `status` is the platform's number as a text: -1 needs no verification, 0 not verified, 1 verified,
    2 being verified, 3 failed. `sign` is the file's checksum by `sign_method`."""

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
    def ready(self) -> bool:
        """Whether batches can be made of it."""
        return self.status in ("-1", "1")

    @property
    def verifiable(self) -> bool:
        """Whether it waits to be tried on a few devices first."""
        return self.status in ("0", "3")


@dataclass(frozen=True, slots=True)
class Module:
    """A part of a product's firmware that is updated apart from the rest."""

    product_key: str
    name: str
    alias: str
    description: str
    created: datetime | None
    modified: datetime | None

    @property
    def is_default(self) -> bool:
        """The whole firmware: every product has it, and it cannot be changed."""
        return self.name == DEFAULT_MODULE


@dataclass(frozen=True, slots=True)
class Job:
    """A batch as lists tell it. `status`: PLANNED, IN_PROGRESS, COMPLETED, CANCELED."""

    id: str
    package_id: str
    product_key: str
    status: str
    verify: bool
    dynamic: bool
    target: str
    created: datetime | None
    started: datetime | None
    ended: datetime | None

    @property
    def running(self) -> bool:
        """Whether something can still happen in it."""
        return self.status in RUNNING


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A batch with its strategy; what was not set is None or empty. Minutes for intervals, devices a minute for the rate."""

    job: Job
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
    """The update of one device in a batch. `progress` is per cent."""

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
    def cancelable(self) -> bool:
        """CancelOTATaskByDevice takes only what has not begun."""
        return self.status in ("CONFIRM", "QUEUED", "NOTIFIED")

    @property
    def confirmable(self) -> bool:
        """Whether it waits for a person's word."""
        return self.status == "CONFIRM"


@dataclass(frozen=True, slots=True)
class Packages:
    """One page of packages and how many there are in all."""

    packages: tuple[Package, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Jobs:
    """One page of batches and how many there are in all."""

    jobs: tuple[Job, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Tasks:
    """One page of tasks and how many there are in all."""

    tasks: tuple[Task, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a batch goes about it; None leaves the platform's default. Minutes for intervals, devices a minute for the rate."""

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
        """As parameters of the operations that make batches."""
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
class Aim:
    """Which devices a static batch is for. `selection`: ALL, SPECIFIC, GRAY, GROUP."""

    selection: str
    source_versions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    percent: str = ""
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class NewPackage:
    """What a package is to be, beside its file."""

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
    """How many tasks of a batch are in each state; `counts` holds those that were asked for."""

    total: int
    counts: Mapping[str, int] = field(default_factory=dict)


# -- the wire --------------------------------------------------------------------------------------------------------


def items(data: Any, name: str) -> list[dict[str, Any]]:
    """The list inside its wrapper; an empty list may come as nothing at all."""
    found = data.get(name) if isinstance(data, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def integer(value: Any) -> int | None:
    """A number that may come as a text; None when it was not set."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def to_package(item: dict[str, Any], package_id: str = "") -> Package:
    """A package, of ListOTAFirmware or QueryOTAFirmware."""
    return Package(
        id=package_id or name_in(item, "FirmwareId"),
        name=str(item.get("FirmwareName", "")),
        version=str(item.get("DestVersion", "")),
        product_key=str(item.get("ProductKey") or ""),
        product_name=str(item.get("ProductName") or ""),
        module=str(item.get("ModuleName") or DEFAULT_MODULE),
        delta=integer(item.get("Type")) == 1,
        status=str(item.get("Status", "")),
        size=integer(item.get("FirmwareSize")),
        sign=str(item.get("FirmwareSign") or ""),
        sign_method=str(item.get("SignMethod") or ""),
        source_version=str(item.get("SrcVersion") or ""),
        description=str(item.get("FirmwareDesc") or ""),
        created=instant(item.get("UtcCreate")),
        modified=instant(item.get("UtcModified")),
        udi=str(item.get("Udi") or ""),
        verify_progress=integer(item.get("VerifyProgress")) or 0,
        files=tuple(
            PackageFile(
                str(file.get("Name", "")), integer(file.get("Size")) or 0, str(file.get("FileMd5") or "")
            )
            for file in item.get("MultiFiles") or ()
            if isinstance(file, dict)
        ),
    )


def to_jobs(answer: dict[str, Any]) -> Jobs:
    """A page of batches, of ListOTAJobByFirmware."""
    found = items(answer.get("Data"), "SimpleOTAJobInfo")
    return Jobs(tuple(to_job(item) for item in found), integer(answer.get("Total")) or 0)


def to_job(item: dict[str, Any], job_id: str = "") -> Job:
    """A batch, as its lists or QueryOTAJob tell it."""
    status = str(item.get("JobStatus", ""))
    return Job(
        id=job_id or name_in(item, "JobId"),
        package_id=name_in(item, "FirmwareId"),
        product_key=str(item.get("ProductKey") or ""),
        status="COMPLETED" if status == "COMPLETE" else status,  # the lists spell it so, QueryOTAJob does not
        verify=item.get("JobType") == "VERFIY_FIRMWARE",
        dynamic=item.get("SelectionType") == "DYNAMIC",
        target=str(item.get("TargetSelection") or ""),
        created=instant(item.get("UtcCreate")),
        started=instant(item.get("UtcStartTime")),
        ended=instant(item.get("UtcEndTime")),
    )


def to_job_detail(data: dict[str, Any], job_id: str) -> JobDetail:
    """A batch with its strategy, of QueryOTAJob."""
    versions = data.get("SrcVersions")
    listed = versions.get("SrcVersion") if isinstance(versions, dict) else None
    return JobDetail(
        job=to_job(data, job_id),
        package_name=str(data.get("Name") or ""),
        version=str(data.get("DestVersion") or ""),
        description=str(data.get("JobDesc") or ""),
        source_versions=tuple(str(version) for version in listed) if isinstance(listed, list) else (),
        gray_percent=str(data.get("GrayPercent") or ""),
        group_id=str(data.get("GroupId") or ""),
        group_name=str(data.get("GroupName") or ""),
        dynamic_mode=integer(data.get("DynamicMode")),
        scheduled=instant(data.get("UtcScheduleTime")),
        schedule_end=instant(data.get("UtcScheduleFinishTime")),
        rate=integer(data.get("MaximumPerMinute")),
        retry_count=integer(data.get("RetryCount")),
        retry_interval=integer(data.get("RetryInterval")),
        timeout=integer(data.get("TimeoutInMinutes")),
        overwrite=integer(data.get("OverwriteMode")) == 2,
        multi_module=bool(data.get("MultiModuleMode")),
        need_push=bool(data.get("NeedPush", True)),
        need_confirm=bool(data.get("NeedConfirm")),
        protocol=str(data.get("DownloadProtocol") or ""),
        tags=tuple(
            (str(t.get("Key", "")), str(t.get("Value", ""))) for t in items(data.get("Tags"), "OtaTagDTO")
        ),
    )


def to_tasks(answer: dict[str, Any]) -> Tasks:
    """A page of tasks, of ListOTATaskByJob."""
    found = items(answer.get("Data"), "SimpleOTATaskInfo")
    return Tasks(tuple(to_task(item) for item in found), integer(answer.get("Total")) or 0)


def to_task(item: dict[str, Any]) -> Task:
    """A task, of ListOTATaskByJob."""
    try:
        progress = max(0.0, min(100.0, float(item.get("Progress") or 0)))
    except (TypeError, ValueError):
        progress = 0.0
    return Task(
        id=str(item.get("TaskId", "")),
        device=str(item.get("DeviceName", "")),
        product_key=str(item.get("ProductKey") or ""),
        source_version=str(item.get("SrcVersion") or ""),
        version=str(item.get("DestVersion") or ""),
        status=str(item.get("TaskStatus", "")),
        progress=progress,
        description=str(item.get("TaskDesc") or ""),
        created=instant(item.get("UtcCreate")),
        modified=instant(item.get("UtcModified")),
    )
