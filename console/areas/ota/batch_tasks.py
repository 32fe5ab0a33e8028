"""Typed calls for the tasks of a batch, one for each of its devices. See `api` for what the functions raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.areas.ota.api import (
    CONFIRM,
    MAX_NAMES_FILTER,
    MAX_TASKS_PER_CALL,
    RETRY,
    require_success,
)
from console.areas.ota.records import (
    BatchDetail,
    Task,
    TaskCounts,
    TaskPage,
    to_batch_detail,
    to_tasks,
)
from console.connections.gateway import Call, Gateway
from iot_client.errors import CloudError, NotFound
from iot_client.fields import read_count
from iot_client.paging import Page, Position

MAX_FAILED_SHOWN = 10
"""The failed devices that the page of a batch lists above its list of all devices."""


def get_batch_with_tasks(
    gateway: Gateway,
    batch_id: str,
    *,
    status: str = "",
    names: Sequence[str] = (),
    page: int = 1,
    size: int = 25,
) -> tuple[BatchDetail, TaskPage]:
    """Return a batch and a page of its tasks. `status` and `names` (up to 50 devices) filter the tasks. 2 calls."""
    info, tasks = gateway.gather(
        [Call("QueryOTAJob", {"JobId": batch_id}), _call_for_tasks(batch_id, status, names, page, size)]
    )
    return _to_detail(info, batch_id), to_tasks(require_success(tasks))


def get_batch_with_failures(
    gateway: Gateway,
    batch_id: str,
    *,
    status: str = "",
    names: Sequence[str] = (),
    page: int = 1,
    size: int = 25,
) -> tuple[BatchDetail, TaskPage, TaskPage]:
    """Return a batch, a page of its tasks as `get_batch_with_tasks`, and its first failed tasks. Up to 3 calls.

    The platform does not list tasks by their status, so the failed ones are read separately; not if the page shows only them.
    """
    calls = [Call("QueryOTAJob", {"JobId": batch_id}), _call_for_tasks(batch_id, status, names, page, size)]
    if status != "FAILED":
        calls.append(_call_for_tasks(batch_id, "FAILED", (), 1, MAX_FAILED_SHOWN))
    info, tasks, *failed = gateway.gather(calls)
    failures = to_tasks(require_success(failed[0])) if failed else TaskPage((), 0)
    return _to_detail(info, batch_id), to_tasks(require_success(tasks)), failures


def _call_for_tasks(batch_id: str, status: str, names: Sequence[str], page: int, size: int) -> Call:
    params: dict[str, Any] = {"JobId": batch_id, "CurrentPage": page, "PageSize": size}
    if status:
        params["TaskStatus"] = status
    if names:
        params["DeviceNames"] = list(names)
    return Call("ListOTATaskByJob", params)


def _to_detail(response: dict[str, Any] | CloudError, batch_id: str) -> BatchDetail:
    return to_batch_detail(require_success(response).get("Data") or {}, batch_id)


def read_task_pages(
    gateway: Gateway,
    batch_id: str,
    *,
    status: str = "",
    names: Sequence[str] = (),
    start: Position | None = None,
) -> Iterator[Page[Sequence[Task]]]:
    """Yield the tasks of a batch page by page, from `start` on. `status` and `names` filter as in `get_batch_with_tasks`."""
    params: dict[str, Any] = {"JobId": batch_id, "PageSize": 100}
    if status:
        params["TaskStatus"] = status
    if names:
        params["DeviceNames"] = list(names)
    for page in gateway.read_pages("ListOTATaskByJob", start=start, **params):
        yield Page(to_tasks(page.content).tasks, page.following)


def count_tasks(
    gateway: Gateway, batch_id: str, statuses: Sequence[str], *, total: int | None = None
) -> TaskCounts:
    """Count the tasks with each of `statuses`, and all tasks unless `total` is known. 1 call for each number."""
    filters: list[dict[str, Any]] = [{"TaskStatus": status} for status in statuses]
    if total is None:
        filters.append({})
    responses = gateway.gather(
        [
            Call("ListOTATaskByJob", {"JobId": batch_id, "CurrentPage": 1, "PageSize": 1, **task_filter})
            for task_filter in filters
        ]
    )
    totals = [read_count(require_success(response).get("Total")) for response in responses]
    return TaskCounts(
        total=total if total is not None else totals[-1], counts=dict(zip(statuses, totals, strict=False))
    )


def count_failed(gateway: Gateway, batch_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of failed tasks of each batch, without batches that cannot be read. 1 call for each."""
    responses = gateway.gather([_call_for_tasks(batch_id, "FAILED", (), 1, 1) for batch_id in batch_ids])
    return {
        batch_id: read_count(response.get("Total"))
        for batch_id, response in zip(batch_ids, responses, strict=True)
        if not isinstance(response, CloudError)
    }


def confirm_each(
    gateway: Gateway, tasks: Sequence[tuple[str, str]], *, batch_id: str
) -> list[CloudError | None]:
    """Confirm tasks of a batch. See `_call_each`."""
    return _call_each(gateway, CONFIRM, {}, tasks, batch_id)


def retry_each(
    gateway: Gateway, tasks: Sequence[tuple[str, str]], *, batch_id: str
) -> list[CloudError | None]:
    """Run failed or canceled tasks of a batch again. See `_call_each`."""
    return _call_each(gateway, RETRY, {"JobId": batch_id}, tasks, batch_id)


def _call_each(
    gateway: Gateway,
    operation: str,
    params: Mapping[str, str],
    tasks: Sequence[tuple[str, str]],
    batch_id: str,
) -> list[CloudError | None]:
    """Call an operation for tasks of a batch, given as (task ID, device name), ten in a call. Returns for each task None or an
    error: NotFound if the batch does not have it, else that of its call. The platform changes all tasks of a call or none.

    1 call for each 50 tasks reads those of the batch.
    """
    listed = _read_task_ids(gateway, batch_id, [name for _task, name in tasks])
    missing = NotFound("iot.firmware.InvalidOTATaskId", operation=operation)
    outcomes: dict[str, CloudError | None] = {task: missing for task, _name in tasks if task not in listed}
    known = [task for task, _name in tasks if task in listed]
    parts = [known[start : start + MAX_TASKS_PER_CALL] for start in range(0, len(known), MAX_TASKS_PER_CALL)]
    calls = [{**params, "TaskId": part} for part in parts]
    for part, response in zip(parts, gateway.call_each(operation, calls, target=batch_id), strict=True):
        outcomes |= dict.fromkeys(part, response if isinstance(response, CloudError) else None)
    return [outcomes[task] for task, _name in tasks]


def _read_task_ids(gateway: Gateway, batch_id: str, names: Sequence[str]) -> set[str]:
    """Return the IDs of the tasks of a batch that update the devices with these names."""
    calls = [
        Call(
            "ListOTATaskByJob",
            {"JobId": batch_id, "DeviceNames": list(names[start : start + MAX_NAMES_FILTER])},
        )
        for start in range(0, len(names), MAX_NAMES_FILTER)
    ]
    responses = map(require_success, gateway.gather(calls, fresh=True))
    return {task.id for response in responses for task in to_tasks(response).tasks}
