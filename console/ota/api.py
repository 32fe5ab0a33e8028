"""Over-the-air updates as the platform keeps them: packages, the modules they are for, batches, and a task for each device.

Every function takes the gateway that acts for a person; operations are named only here, and the fields of their answers
here and in `records`. All raise PermissionRefused and the CloudError family. Ids are texts, moments aware, sizes bytes.
The platform calls a batch a job; so does this module, and pages say "batch".
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import IO, Any

from console.cloud.errors import CloudError
from console.connections import clients
from console.connections.gateway import Call, Gateway
from console.ota.records import (
    DEFAULT_MODULE,
    RUNNING,
    Aim,
    Job,
    JobDetail,
    Jobs,
    Module,
    NewPackage,
    Package,
    PackageFile,
    Packages,
    Strategy,
    Task,
    TaskCounts,
    Tasks,
    integer,
    items,
    to_job_detail,
    to_jobs,
    to_package,
    to_tasks,
)
from console.ui.format import instant

__all__ = [
    "DEFAULT_MODULE",
    "RUNNING",
    "Aim",
    "Job",
    "JobDetail",
    "Jobs",
    "Module",
    "NewPackage",
    "Package",
    "PackageFile",
    "Packages",
    "Strategy",
    "Task",
    "TaskCounts",
    "Tasks",
]

UPLOAD, CREATE_PACKAGE, DELETE_PACKAGE = "GenerateOTAUploadURL", "CreateOTAFirmware", "DeleteOTAFirmware"
CREATE_MODULE, UPDATE_MODULE, DELETE_MODULE = "CreateOTAModule", "UpdateOTAModule", "DeleteOTAModule"
CREATE_STATIC, CREATE_DYNAMIC = "CreateOTAStaticUpgradeJob", "CreateOTADynamicUpgradeJob"
CREATE_VERIFY, UPLOAD_LIST = "CreateOTAVerifyJob", "GenerateDeviceNameListURL"
CANCEL_JOB, CANCEL_DEVICE, STOP_DYNAMIC = (
    "CancelOTATaskByJob",
    "CancelOTATaskByDevice",
    "CancelOTAStrategyByJob",
)
CONFIRM = "ConfirmOTATask"
"""Operations that make something new each time they are called."""

SUFFIXES = ("bin", "dav", "apk", "tar", "gz", "tar.gz", "zip", "gzip")  # GenerateOTAUploadURL
MAX_PACKAGE_BYTES = 2_000 * 1024 * 1024  # GenerateOTAUploadURL
MAX_MQTT_BYTES = 16 * 1024 * 1024  # CreateOTAStaticUpgradeJob: what a device can load over MQTT
MAX_MODULES = 10  # CreateOTAModule: a product's own, beside the default one
MAX_NAMES_A_CALL = 200  # CreateOTAStaticUpgradeJob: TargetDeviceName.N
MAX_LISTED_NAMES = 10_000  # GenerateDeviceNameListURL: the names of one list file
MAX_LIST_BYTES = 5 * 1024 * 1024  # GenerateDeviceNameListURL
MAX_VERIFY_NAMES = 10  # CreateOTAVerifyJob
MAX_CONFIRMED = 10  # ConfirmOTATask
MAX_SOURCE_VERSIONS = 10
MAX_TAGS = 10
DEEPEST_TASK = 100_000  # ListOTATaskByJob: page times size

TASK_STATES = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED")
FINISHED_TASKS = ("SUCCEEDED", "FAILED", "CANCELED")
CANCELABLE = {
    "SCHEDULED": "CancelScheduledTask",
    "CONFIRM": "CancelUnconfirmedTask",
    "QUEUED": "CancelQueuedTask",
    "NOTIFIED": "CancelNotifiedTask",
    "IN_PROGRESS": "CancelInProgressTask",
}


# -- packages --------------------------------------------------------------------------------------------------------


def list_packages(
    gateway: Gateway, *, product_key: str = "", version: str = "", page: int = 1, size: int = 25
) -> Packages:
    """Packages, the newest first. `size` at most 100."""
    answer = gateway.call(
        "ListOTAFirmware",
        ProductKey=product_key or None,
        DestVersion=version or None,
        CurrentPage=page,
        PageSize=size,
    )
    found = items(answer.get("FirmwareInfo"), "SimpleFirmwareInfo")
    return Packages(tuple(to_package(item) for item in found), integer(answer.get("Total")) or 0)


def get_package(gateway: Gateway, package_id: str) -> Package:
    """A package. Raises NotFound."""
    answer = gateway.call("QueryOTAFirmware", FirmwareId=package_id)
    return to_package(answer.get("FirmwareInfo") or {}, package_id)


def get_package_with_jobs(gateway: Gateway, package_id: str, *, page: int, size: int) -> tuple[Package, Jobs]:
    """A package and a page of its batches. 2 calls."""
    info, jobs = gateway.gather(
        [
            Call("QueryOTAFirmware", {"FirmwareId": package_id}),
            Call("ListOTAJobByFirmware", {"FirmwareId": package_id, "CurrentPage": page, "PageSize": size}),
        ]
    )
    return to_package(_good(info).get("FirmwareInfo") or {}, package_id), to_jobs(_good(jobs))


def create_package(gateway: Gateway, new: NewPackage, file: IO[bytes], suffix: str) -> str:
    """Bring the file to the store and make a package of it: returns the package's id.

    The file goes where the platform says, in pieces; its size and MD5 go with the package. Nothing exists until the last
    call: a file without a package is swept by the platform within the hour. Raises also what `clients.upload_file` raises.
    """
    upload = gateway.call(UPLOAD, target=new.name, FileSuffix=suffix).get("Data") or {}
    stored = clients.upload_file(gateway.connection, upload, file)
    answer = gateway.call(
        CREATE_PACKAGE,
        target=new.name,
        FirmwareName=new.name,
        DestVersion=new.version,
        ProductKey=new.product_key or None,
        ModuleName=new.module or None,
        Type=1 if new.delta else 0,
        SrcVersion=new.source_version or None,
        FirmwareDesc=new.description or None,
        NeedToVerify=new.verify,
        Udi=new.udi or None,
        FirmwareUrl=str(upload.get("FirmwareUrl", "")),
        FirmwareSize=stored.size,
        FirmwareSign=stored.md5,
        SignMethod="MD5",
    )
    return str((answer.get("Data") or {}).get("FirmwareId", ""))


def delete_package(gateway: Gateway, package_id: str, *, name: str = "") -> None:
    """Delete a package. The platform refuses while a batch of it is planned or running."""
    gateway.call(DELETE_PACKAGE, target=name, FirmwareId=package_id)


# -- modules ---------------------------------------------------------------------------------------------------------


def list_modules(gateway: Gateway, product_key: str) -> tuple[Module, ...]:
    """All modules of a product, the default one included."""
    answer = gateway.call("ListOTAModuleByProduct", ProductKey=product_key)
    data = answer.get("Data")
    found = data if isinstance(data, list) else items(data, "OtaModuleDTO")
    return tuple(
        Module(
            product_key=str(item.get("ProductKey") or product_key),
            name=str(item.get("ModuleName", "")),
            alias=str(item.get("AliasName") or ""),
            description=str(item.get("Desc") or ""),
            created=instant(item.get("GmtCreate")),
            modified=instant(item.get("GmtModified")),
        )
        for item in found
        if isinstance(item, dict)
    )


def own_module(gateway: Gateway, product_key: str, name: str) -> Module | None:
    """A module that the product made itself; None for one that is not there, or is the default one, which is fixed."""
    found = (module for module in list_modules(gateway, product_key) if module.name == name)
    return next((module for module in found if not module.is_default), None)


def create_module(
    gateway: Gateway, product_key: str, name: str, *, alias: str = "", description: str = ""
) -> None:
    """A new module. Raises AlreadyExists for a name in use whatever its case, LimitExceeded past ten."""
    gateway.call(
        CREATE_MODULE,
        target=name,
        ProductKey=product_key,
        ModuleName=name,
        AliasName=alias or None,
        Desc=description or None,
    )


def update_module(gateway: Gateway, product_key: str, name: str, *, alias: str, description: str) -> None:
    """Set alias and description; the name stays. The alias cannot be emptied once set: the platform wants a character."""
    gateway.call(
        UPDATE_MODULE,
        target=name,
        ProductKey=product_key,
        ModuleName=name,
        AliasName=alias or None,
        Desc=description,
    )


def delete_module(gateway: Gateway, product_key: str, name: str) -> None:
    """Delete a module of the product's own. Raises Conflict while packages are for it."""
    gateway.call(DELETE_MODULE, target=name, ProductKey=product_key, ModuleName=name)


# -- batches ---------------------------------------------------------------------------------------------------------


def list_jobs(gateway: Gateway, package_id: str, *, page: int = 1, size: int = 25) -> Jobs:
    """The batches of a package, the newest first. `size` at most 200."""
    return to_jobs(
        gateway.call("ListOTAJobByFirmware", FirmwareId=package_id, CurrentPage=page, PageSize=size)
    )


def list_jobs_of(gateway: Gateway, packages: Sequence[Package], *, size: int) -> tuple[Job, ...]:
    """The latest batches of a few packages, the newest first; a call for each package."""
    answers = gateway.gather(
        [
            Call("ListOTAJobByFirmware", {"FirmwareId": package.id, "CurrentPage": 1, "PageSize": size})
            for package in packages
        ]
    )
    found = [job for answer in answers for job in to_jobs(_good(answer)).jobs]
    return tuple(sorted(found, key=lambda job: job.created.timestamp() if job.created else 0.0, reverse=True))


def get_job(gateway: Gateway, job_id: str) -> JobDetail:
    """A batch with its strategy. Raises NotFound."""
    return to_job_detail(gateway.call("QueryOTAJob", JobId=job_id).get("Data") or {}, job_id)


def get_job_with_tasks(
    gateway: Gateway,
    job_id: str,
    *,
    status: str = "",
    names: Sequence[str] = (),
    page: int = 1,
    size: int = 25,
) -> tuple[JobDetail, Tasks]:
    """A batch and a page of its tasks, of one state or of up to 50 named devices if told. 2 calls."""
    asked: dict[str, Any] = {"JobId": job_id, "CurrentPage": page, "PageSize": size}
    if status:
        asked["TaskStatus"] = status
    if names:
        asked["DeviceNames"] = list(names)
    info, tasks = gateway.gather([Call("QueryOTAJob", {"JobId": job_id}), Call("ListOTATaskByJob", asked)])
    detail = to_job_detail(_good(info).get("Data") or {}, job_id)
    answer = _good(tasks)
    return detail, to_tasks(answer)


def count_tasks(
    gateway: Gateway, job_id: str, states: Sequence[str], *, total: int | None = None
) -> TaskCounts:
    """How many tasks are in each of `states`, and in all unless `total` is known. A call for each: no operation counts."""
    asked: list[dict[str, Any]] = [{"TaskStatus": state} for state in states]
    if total is None:
        asked.append({})
    answers = gateway.gather(
        [
            Call("ListOTATaskByJob", {"JobId": job_id, "CurrentPage": 1, "PageSize": 1, **more})
            for more in asked
        ]
    )
    numbers = [integer(_good(answer).get("Total")) or 0 for answer in answers]
    return TaskCounts(
        total=total if total is not None else numbers[-1], counts=dict(zip(states, numbers, strict=False))
    )


def create_static_job(
    gateway: Gateway,
    package: Package,
    aim: Aim,
    strategy: Strategy,
    *,
    start: datetime | None = None,
    finish: datetime | None = None,
) -> str:
    """A batch over the devices there are now: returns its id.

    Up to 200 names go in the call itself, more (10,000 at most) as a file by way of the store. `start` is 5 minutes to 7
    days ahead, `finish` an hour to 30 days after it. Raises Conflict for a package that is not verified.
    """
    specific = aim.selection == "SPECIFIC"
    listed = aim.names if specific and len(aim.names) > MAX_NAMES_A_CALL else ()
    address = upload_names(gateway, listed, target=package.name) if listed else None
    answer = gateway.call(
        CREATE_STATIC,
        target=package.name,
        listed_names=listed,
        FirmwareId=package.id,
        ProductKey=package.product_key,
        TargetSelection=aim.selection,
        SrcVersion=list(aim.source_versions) or None,
        TargetDeviceName=list(aim.names) if specific and not listed else None,
        DnListFileUrl=address,
        GrayPercent=aim.percent or None,
        GroupId=aim.group_id or None,
        GroupType="LINK_PLATFORM" if aim.group_id else None,
        ScheduleTime=_ms(start),
        ScheduleFinishTime=_ms(finish),
        **strategy.params(),
    )
    return made_by(answer)


def upload_names(gateway: Gateway, names: Sequence[str], *, target: str = "") -> str:
    """Bring a file of names, one a line (10,000 and 5 MB at most), to the store: the address that a batch takes it from.

    Raises also what `clients.upload_file` raises."""
    upload = gateway.call(UPLOAD_LIST, target=target).get("Data") or {}
    clients.upload_file(
        gateway.connection, upload, io.BytesIO("".join(f"{name}\n" for name in names).encode())
    )
    return str(upload.get("FileUrl", ""))


def made_by(answer: Mapping[str, Any]) -> str:
    """The id of the batch that an operation made."""
    return str((answer.get("Data") or {}).get("JobId", ""))


def create_dynamic_job(
    gateway: Gateway,
    package: Package,
    source_versions: Sequence[str],
    strategy: Strategy,
    *,
    newcomers_only: bool,
) -> str:
    """A batch that keeps taking devices of these versions, those too that come later: returns its id.

    `newcomers_only`: only devices that report one of the versions from now on. Raises Conflict when the package has one
    running.
    """
    answer = gateway.call(
        CREATE_DYNAMIC,
        target=package.name,
        FirmwareId=package.id,
        ProductKey=package.product_key,
        SrcVersion=list(source_versions),
        DynamicMode=2 if newcomers_only else 1,
        **strategy.params(),
    )
    return made_by(answer)


def create_verify_job(
    gateway: Gateway,
    package: Package,
    names: Sequence[str],
    *,
    timeout: int | None,
    need_push: bool = True,
    need_confirm: bool = False,
) -> str:
    """Try a package on up to 10 devices: returns the batch's id. Raises Conflict when it is verified or being verified."""
    answer = gateway.call(
        CREATE_VERIFY,
        target=package.name,
        FirmwareId=package.id,
        ProductKey=package.product_key,
        TargetDeviceName=list(names),
        TimeoutInMinutes=timeout,
        NeedPush=need_push,
        NeedConfirm=need_confirm,
    )
    return made_by(answer)


def cancel_job(gateway: Gateway, job_id: str, states: Sequence[str]) -> None:
    """Cancel the tasks of a batch that are in `states`, keys of CANCELABLE. Raises Conflict when it is cancelled already."""
    # Said outright: left out, CancelUnconfirmedTask follows CancelQueuedTask.
    chosen: dict[str, Any] = {
        name: state in states for state, name in CANCELABLE.items() if state in states or state == "CONFIRM"
    }
    gateway.call(CANCEL_JOB, target=job_id, JobId=job_id, **chosen)


def stop_dynamic_job(gateway: Gateway, job_id: str) -> None:
    """End a dynamic batch's taking of further devices; its tasks go on."""
    gateway.call(STOP_DYNAMIC, target=job_id, JobId=job_id)


def cancel_devices(gateway: Gateway, job: Job, names: Sequence[str]) -> None:
    """Cancel the tasks of up to 200 devices in a batch that have not begun. Raises Conflict when one has."""
    gateway.call(
        CANCEL_DEVICE,
        target=names[0] if len(names) == 1 else job.id,
        FirmwareId=job.package_id,
        ProductKey=job.product_key,
        JobId=job.id,
        DeviceName=list(names),
    )


def confirm_tasks(gateway: Gateway, task_ids: Sequence[str], *, job_id: str = "") -> None:
    """Let up to 10 tasks that wait to be confirmed go ahead. Raises Conflict when one of them does not wait."""
    gateway.call(CONFIRM, target=job_id, TaskId=list(task_ids))


# -- what a batch would reach ----------------------------------------------------------------------------------------


def count_devices(gateway: Gateway, product_key: str) -> int:
    """How many devices the product has."""
    answer = gateway.call("QueryDeviceStatistics", ProductKey=product_key)
    return integer((answer.get("Data") or {}).get("deviceCount")) or 0


# -- the wire --------------------------------------------------------------------------------------------------------


def _good(answer: dict[str, Any] | CloudError) -> dict[str, Any]:
    if isinstance(answer, CloudError):
        raise answer
    return answer


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
