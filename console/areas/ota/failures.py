"""Running batches with failed devices, whether or not the console monitors them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from console.areas.ota import api, batch_tasks
from console.areas.ota.records import Batch
from console.connections.gateway import Gateway

OPERATIONS = ("ListOTAFirmware", "ListOTAJobByFirmware", "ListOTATaskByJob")
"""What a member must be allowed to call for it."""
MAX_PACKAGES = 8
MAX_BATCHES = 8


@dataclass(frozen=True, slots=True)
class FailingBatch:
    """A running batch, the name and version of its package, and the number of its failed devices."""

    batch: Batch
    package: str
    failed: int


def find_failing_batches(gateway: Gateway, *, known: Container[str]) -> list[FailingBatch]:
    """Return the running batches of the newest MAX_PACKAGES packages that have failed devices, newest first. `known`: the IDs of
    those that are left out.

    1 call, 1 for each package, and 1 for each of up to MAX_BATCHES running batches.
    """
    packages = api.list_packages(gateway, size=MAX_PACKAGES).packages
    names = {package.id: f"{package.name} {package.version}" for package in packages}
    listed = api.list_batches_of_packages(gateway, packages).batches
    running = [batch for batch in listed if batch.status == "IN_PROGRESS" and batch.id not in known]
    failed = batch_tasks.count_failed(gateway, [batch.id for batch in running[:MAX_BATCHES]])
    return [
        FailingBatch(batch, names.get(batch.package_id, batch.id), failed[batch.id])
        for batch in running
        if failed.get(batch.id)
    ]
