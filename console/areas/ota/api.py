"""Typed calls for over-the-air updates: packages, the modules they update, batches, and one task for each device.

Every function takes the gateway of the acting user. `batches` makes the calls that create batches, `jobs` those that
monitor them, `batch_tasks` those for tasks, this module all others; `records` reads the objects in their responses. Every function raises PermissionRefused and
the CloudError family. IDs are strings, times are aware, sizes are bytes. The platform's API calls a batch a job (JobId).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from console.areas.ota.records import (
    DEFAULT_MODULE,
    RUNNING,
    Batch,
    BatchDetail,
    BatchPage,
    BatchTarget,
    Module,
    NewPackage,
    Package,
    PackageFile,
    PackagePage,
    Strategy,
    Task,
    TaskCounts,
    TaskPage,
    to_batch_detail,
    to_batches,
    to_package,
)
from console.areas.products import api as products_api
from console.connections import clients
from console.connections.gateway import Call, Gateway
from console.pages.keys import join_key
from iot_client.errors import CloudError, NotFound
from iot_client.fields import read_count, read_integer, read_items, read_text, read_time

__all__ = [
    "DEFAULT_MODULE",
    "RUNNING",
    "Batch",
    "BatchDetail",
    "BatchPage",
    "BatchTarget",
    "Module",
    "NewPackage",
    "Package",
    "PackageFile",
    "PackagePage",
    "Strategy",
    "Task",
    "TaskCounts",
    "TaskPage",
]

UPLOAD, CREATE_PACKAGE, DELETE_PACKAGE = "GenerateOTAUploadURL", "CreateOTAFirmware", "DeleteOTAFirmware"
CREATE_MODULE, UPDATE_MODULE, DELETE_MODULE = "CreateOTAModule", "UpdateOTAModule", "DeleteOTAModule"
CREATE_STATIC, CREATE_DYNAMIC = "CreateOTAStaticUpgradeJob", "CreateOTADynamicUpgradeJob"
CREATE_VERIFY, UPLOAD_LIST = "CreateOTAVerifyJob", "GenerateDeviceNameListURL"
CANCEL_BATCH, CANCEL_DEVICE, STOP_DYNAMIC = (
    "CancelOTATaskByJob",
    "CancelOTATaskByDevice",
    "CancelOTAStrategyByJob",
)
CONFIRM, RETRY = "ConfirmOTATask", "ReupgradeOTATask"

SUFFIXES = ("bin", "dav", "apk", "tar", "gz", "tar.gz", "zip", "gzip")  # GenerateOTAUploadURL
MAX_PACKAGE_BYTES = 2_000 * 1024 * 1024  # GenerateOTAUploadURL
MAX_MODULES = 10  # CreateOTAModule: per product, without the default module
MAX_NAMES_PER_CALL = 200  # CreateOTAStaticUpgradeJob: TargetDeviceName.N
MAX_LIST_BYTES = 5 * 1024 * 1024  # GenerateDeviceNameListURL
MAX_VERIFY_NAMES = 10  # CreateOTAVerifyJob
MAX_TASKS_PER_CALL = 10  # ConfirmOTATask, ReupgradeOTATask
MAX_NAMES_FILTER = 50  # ListOTATaskByJob: DeviceNames.N
MAX_SOURCE_VERSIONS = 10
MAX_TAGS = 10
MAX_BATCHES = 200  # ListOTAJobByFirmware: largest page
MAX_TASK_OFFSET = 100_000  # ListOTATaskByJob: page number times page size

BATCH_STATUSES = ("PLANNED", "IN_PROGRESS", "COMPLETED", "CANCELED")
TASK_STATUSES = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED")
OPEN_TASKS, FINISHED_TASKS = TASK_STATUSES[:4], TASK_STATUSES[4:]
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
) -> PackagePage:
    """Return a page of packages, newest first. `size` is at most 100."""
    response = gateway.call(
        "ListOTAFirmware",
        ProductKey=product_key or None,
        DestVersion=version or None,
        CurrentPage=page,
        PageSize=size,
    )
    packages = read_items(response.get("FirmwareInfo"), "SimpleFirmwareInfo")
    return PackagePage(tuple(to_package(item) for item in packages), read_count(response.get("Total")))


def get_package(gateway: Gateway, package_id: str, *, fresh: bool = False) -> Package:
    """Return a package. Raises NotFound."""
    response = gateway.call("QueryOTAFirmware", fresh=fresh, FirmwareId=package_id)
    return to_package(response.get("FirmwareInfo") or {}, package_id)


def get_package_with_batches(
    gateway: Gateway, package_id: str, *, page: int, size: int
) -> tuple[Package, BatchPage]:
    """Return a package and a page of its batches. 2 calls."""
    info, batches = gateway.gather(
        [
            Call("QueryOTAFirmware", {"FirmwareId": package_id}),
            Call("ListOTAJobByFirmware", {"FirmwareId": package_id, "CurrentPage": page, "PageSize": size}),
        ]
    )
    return to_package(require_success(info).get("FirmwareInfo") or {}, package_id), to_batches(
        require_success(batches)
    )


def create_package(gateway: Gateway, new_package: NewPackage, file: IO[bytes], suffix: str) -> str:
    """Upload the file to the platform's store and create a package from it. Returns the package ID.

    The file is uploaded in chunks to the address that GenerateOTAUploadURL returns; the package gets its size and MD5. The
    package exists only after the last call; the platform deletes a file without a package within an hour. Raises also what
    `clients.upload_file` raises.
    """
    upload = gateway.call(UPLOAD, target=new_package.name, FileSuffix=suffix).get("Data") or {}
    stored = clients.upload_file(gateway.connection, upload, file)
    response = gateway.call(
        CREATE_PACKAGE,
        target=new_package.name,
        FirmwareName=new_package.name,
        DestVersion=new_package.version,
        ProductKey=new_package.product_key or None,
        ModuleName=new_package.module or None,
        Type=1 if new_package.delta else 0,
        SrcVersion=new_package.source_version or None,
        FirmwareDesc=new_package.description or None,
        NeedToVerify=new_package.verify,
        Udi=new_package.udi or None,
        FirmwareUrl=str(upload.get("FirmwareUrl", "")),
        FirmwareSize=stored.size,
        FirmwareSign=stored.md5,
        SignMethod="MD5",
    )
    return str((response.get("Data") or {}).get("FirmwareId", ""))


def delete_package(gateway: Gateway, package_id: str, *, name: str = "") -> None:
    """Delete a package. The platform refuses while a batch of the package is planned or running."""
    gateway.call(DELETE_PACKAGE, target=name, FirmwareId=package_id)


# -- modules ---------------------------------------------------------------------------------------------------------


def list_modules(gateway: Gateway, product_key: str, *, fresh: bool = False) -> tuple[Module, ...]:
    """Return all modules of a product, including the default one."""
    response = gateway.call("ListOTAModuleByProduct", fresh=fresh, ProductKey=product_key)
    data = response.get("Data")
    modules = data if isinstance(data, list) else read_items(data, "OtaModuleDTO")
    return tuple(
        Module(
            product_key=str(item.get("ProductKey") or product_key),
            name=str(item.get("ModuleName", "")),
            alias=read_text(item, "AliasName"),
            description=read_text(item, "Desc"),
            created=read_time(item.get("GmtCreate")),
            modified=read_time(item.get("GmtModified")),
        )
        for item in modules
        if isinstance(item, dict)
    )


def get_module(gateway: Gateway, product_key: str, name: str, *, fresh: bool = False) -> Module:
    """Return a module of the product. Raises NotFound."""
    for module in list_modules(gateway, product_key, fresh=fresh):
        if module.name == name:
            return module
    raise NotFound("iot.ota.OTAModuleNotExist", operation="ListOTAModuleByProduct")


def create_module(
    gateway: Gateway, product_key: str, name: str, *, alias: str = "", description: str = ""
) -> None:
    """Create a module. Raises AlreadyExists when the name is in use (case is ignored), LimitExceeded after ten modules."""
    gateway.call(
        CREATE_MODULE,
        target=name,
        ProductKey=product_key,
        ModuleName=name,
        AliasName=alias or None,
        Desc=description or None,
    )


def update_module(gateway: Gateway, product_key: str, name: str, *, alias: str, description: str) -> None:
    """Set alias and description; the name is fixed. The platform does not accept an empty alias once one is set."""
    gateway.call(
        UPDATE_MODULE,
        target=name,
        ProductKey=product_key,
        ModuleName=name,
        AliasName=alias or None,
        Desc=description,
    )


def delete_module(gateway: Gateway, product_key: str, name: str) -> None:
    """Delete a module. Raises Conflict while it has packages."""
    gateway.call(DELETE_MODULE, target=name, ProductKey=product_key, ModuleName=name)


# -- batches ---------------------------------------------------------------------------------------------------------


def list_batches(gateway: Gateway, package_id: str, *, page: int = 1, size: int = 25) -> BatchPage:
    """Return a page of the batches of a package, newest first. `size` is at most 200."""
    return to_batches(
        gateway.call("ListOTAJobByFirmware", FirmwareId=package_id, CurrentPage=page, PageSize=size)
    )


def list_batches_of_packages(gateway: Gateway, packages: Sequence[Package]) -> BatchPage:
    """Return the newest 200 batches of each package in one list, newest first. 1 call per package."""
    pages = [
        to_batches(require_success(response))
        for response in gateway.gather(
            [
                Call(
                    "ListOTAJobByFirmware",
                    {"FirmwareId": package.id, "CurrentPage": 1, "PageSize": MAX_BATCHES},
                )
                for package in packages
            ]
        )
    ]
    batches = [batch for page in pages for batch in page.batches]
    batches.sort(key=lambda batch: batch.created.timestamp() if batch.created else 0.0, reverse=True)
    return BatchPage(tuple(batches), sum(page.total for page in pages))


def get_batch(gateway: Gateway, batch_id: str, *, fresh: bool = False) -> BatchDetail:
    """Return a batch with its strategy. Raises NotFound."""
    return to_batch_detail(
        gateway.call("QueryOTAJob", fresh=fresh, JobId=batch_id).get("Data") or {}, batch_id
    )


def find_batches(gateway: Gateway, batch_ids: Sequence[str]) -> list[BatchDetail]:
    """Return those of the batches that the platform returns. 1 call per batch."""
    responses = gateway.gather([Call("QueryOTAJob", {"JobId": batch_id}) for batch_id in batch_ids])
    return [
        to_batch_detail(response.get("Data") or {}, batch_id)
        for batch_id, response in zip(batch_ids, responses, strict=True)
        if not isinstance(response, CloudError)
    ]


def cancel_batch(gateway: Gateway, batch_id: str, statuses: Sequence[str]) -> None:
    """Cancel the tasks of a batch with one of `statuses` (keys of CANCELABLE). Raises Conflict when the batch is canceled."""
    # CancelUnconfirmedTask is always sent: its default is the value of CancelQueuedTask.
    flags: dict[str, Any] = {
        name: status in statuses
        for status, name in CANCELABLE.items()
        if status in statuses or status == "CONFIRM"
    }
    gateway.call(CANCEL_BATCH, target=batch_id, JobId=batch_id, **flags)


def stop_dynamic_batch(gateway: Gateway, batch_id: str) -> None:
    """Stop a dynamic batch from adding devices. Its tasks continue."""
    gateway.call(STOP_DYNAMIC, target=batch_id, JobId=batch_id)


def cancel_devices(gateway: Gateway, batch: Batch, names: Sequence[str]) -> None:
    """Cancel tasks that have not started, for up to 200 devices of a batch. Raises Conflict when one has started."""
    gateway.call(
        CANCEL_DEVICE,
        target=join_key(batch.product_key, names[0]) if len(names) == 1 else batch.id,
        FirmwareId=batch.package_id,
        ProductKey=batch.product_key,
        JobId=batch.id,
        DeviceName=list(names),
    )


# -- products and devices --------------------------------------------------------------------------------------------


def list_product_choices(gateway: Gateway) -> list[tuple[str, str]]:
    """Return the newest 200 products to choose from, as (key, label). 1 call."""
    page = products_api.list_products(gateway, size=products_api.MAX_PAGE_SIZE)
    return [(product.key, f"{product.name} · {product.key}") for product in page.products]


def count_devices(gateway: Gateway, product_key: str) -> int:
    """Return the number of devices of a product."""
    response = gateway.call("QueryDeviceStatistics", ProductKey=product_key)
    return read_integer((response.get("Data") or {}).get("deviceCount")) or 0


# -- requests and responses ------------------------------------------------------------------------------------------


def require_success(response: dict[str, Any] | CloudError) -> dict[str, Any]:
    """Return a response of `Gateway.gather`. Raises its error."""
    if isinstance(response, CloudError):
        raise response
    return response
