"""Creating batches. Each new batch is monitored: the function that creates it starts the job.

Every function raises PermissionRefused, ApprovalNeeded and the CloudError family.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.areas.ota import api, jobs
from console.areas.ota.records import BatchTarget, Package, Strategy
from console.connections import clients
from console.connections.gateway import Gateway
from iot_client.errors import BadResponse
from iot_client.responses import read_path


@dataclass(frozen=True, slots=True)
class NewBatch:
    """The ID of a new batch, and the number of the job that monitors it."""

    id: str
    monitoring_job: int


def create_static_batch(
    gateway: Gateway,
    package: Package,
    batch_target: BatchTarget,
    strategy: Strategy,
    *,
    start: datetime | None = None,
    finish: datetime | None = None,
) -> NewBatch:
    """Create a batch for the devices that exist now.

    Up to 200 names are sent in the call; more names (at most 10,000) are uploaded as a file. `start` is 5 minutes to 7
    days from now, `finish` is 1 hour to 30 days after `start`. Raises Conflict when the package is not verified.
    """
    is_specific = batch_target.selection == "SPECIFIC"
    listed = batch_target.names if is_specific and len(batch_target.names) > api.MAX_NAMES_PER_CALL else ()
    address = upload_names(gateway, listed, target=package.name) if listed else None
    return _create(
        gateway,
        api.CREATE_STATIC,
        package,
        listed_names=listed,
        TargetSelection=batch_target.selection,
        SrcVersion=list(batch_target.source_versions) or None,
        TargetDeviceName=list(batch_target.names) if is_specific and not listed else None,
        DnListFileUrl=address,
        GrayPercent=batch_target.percent or None,
        GroupId=batch_target.group_id or None,
        GroupType="LINK_PLATFORM" if batch_target.group_id else None,
        ScheduleTime=_to_milliseconds(start),
        ScheduleFinishTime=_to_milliseconds(finish),
        **strategy.params(),
    )


def upload_names(gateway: Gateway, names: Sequence[str], *, target: str = "") -> str:
    """Upload a file with one device name per row (at most 10,000 rows and 5 MB). Returns its URL, for the batch.

    Raises the errors of `clients.upload_file` too."""
    upload = gateway.call(api.UPLOAD_LIST, target=target).get("Data") or {}
    clients.upload_file(
        gateway.connection, upload, io.BytesIO("".join(f"{name}\n" for name in names).encode())
    )
    return str(upload.get("FileUrl", ""))


def create_dynamic_batch(
    gateway: Gateway,
    package: Package,
    source_versions: Sequence[str],
    strategy: Strategy,
    *,
    new_devices_only: bool,
) -> NewBatch:
    """Create a batch that updates all devices on these versions, now and later.

    `new_devices_only`: only devices that report one of the versions from now on. Raises Conflict while the package has a
    running dynamic batch.
    """
    return _create(
        gateway,
        api.CREATE_DYNAMIC,
        package,
        SrcVersion=list(source_versions),
        DynamicMode=2 if new_devices_only else 1,
        **strategy.params(),
    )


def create_verification_batch(
    gateway: Gateway,
    package: Package,
    names: Sequence[str],
    *,
    timeout: int | None,
    need_push: bool = True,
    need_confirm: bool = False,
) -> NewBatch:
    """Verify a package on up to 10 devices. Raises Conflict when the package is verified or verification is in progress."""
    return _create(
        gateway,
        api.CREATE_VERIFY,
        package,
        TargetDeviceName=list(names),
        TimeoutInMinutes=timeout,
        NeedPush=need_push,
        NeedConfirm=need_confirm,
    )


def monitor_new_batch(
    gateway: Gateway, operation: str, response: Mapping[str, Any], *, product_key: str, package: str = ""
) -> NewBatch:
    """Start to monitor the batch that `operation` created. `package`: the name and version of its package. Raises BadResponse when
    the response has no batch ID."""
    batch_id = read_path(response, "Data.JobId")
    if not batch_id:
        raise BadResponse("Client.BadResponse", "the response has no JobId", operation=operation)
    job = jobs.monitor_batch(gateway, str(batch_id), product_key=product_key, package=package)
    return NewBatch(str(batch_id), job.pk)


def _create(
    gateway: Gateway, operation: str, package: Package, *, listed_names: Sequence[str] = (), **params: Any
) -> NewBatch:
    response = gateway.call(
        operation,
        target=package.name,
        listed_names=listed_names,
        FirmwareId=package.id,
        ProductKey=package.product_key,
        **params,
    )
    return monitor_new_batch(
        gateway,
        operation,
        response,
        product_key=package.product_key,
        package=f"{package.name} {package.version}",
    )


def _to_milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
