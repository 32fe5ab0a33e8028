"""The pages of one batch: its progress, canceling and confirming its tasks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api, batch_tasks, jobs
from console.areas.ota.actions import MONITOR_BATCH, list_task_actions
from console.areas.ota.details import build_batch_details
from console.areas.ota.forms.filters import TaskFilter
from console.areas.ota.pages import BATCH
from console.areas.ota.progress import SEGMENTS, Counts, read_recorded
from console.areas.ota.tables import FAILED_TASKS, build_task_table
from console.connections.http import CloudRequest
from console.ui.charts import Curve, build_chart_data
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from console.ui.tables import Empty

# -- one batch ---------------------------------------------------------------------------------------------------------


@require_safe
def batch_detail(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Show a batch: status, progress, failed devices, all devices and strategy. Up to 3 calls."""
    filters = TaskFilter(request)
    number, size = page_number(request), page_size(request)
    detail, task_page, failures = batch_tasks.get_batch_with_failures(
        request.gateway,
        batch_id,
        status=filters.values.get("status", ""),
        names=[filters.values["q"]] if filters.values.get("q") else [],
        page=number,
        size=size,
    )
    tasks, total = ([], 0) if filters.problem else (task_page.tasks, task_page.total)
    table = build_task_table(batch_id, list_task_actions(request.gateway, detail))
    page = Page(number, size, total, last=max(1, api.MAX_TASK_OFFSET // size))
    empty = Empty(_("No devices"), _("The batch has no devices yet."), icon="cpu")
    return BATCH.render(
        request,
        detail,
        "batch",
        "areas/ota/batch.html",
        details=build_batch_details(detail),
        filters=filters,
        table=table.bind(request, tasks, page=page, empty=empty),
        failed=FAILED_TASKS.bind(request, failures.tasks) if failures.total else None,
        failed_total=failures.total,
        **_read_progress(request, detail.batch),
    )


def _read_progress(request: CloudRequest, batch: api.Batch) -> dict[str, Any]:
    """Return the context of areas/ota/batch_live.html: the progress of the batch as monitoring recorded it. Without a record,
    the page counts the tasks. No call."""
    is_monitored = batch.is_running and bool(jobs.read_monitored(request.connection, [batch.id]))
    counts = read_recorded(request.connection, [batch]).get(batch.id, Counts())
    return {
        "batch": batch,
        "live_query": urlencode(
            {"status": batch.status, **({"counted": counts.at.isoformat()} if counts.at else {})}
        ),
        "may_monitor": request.gateway.allows(MONITOR_BATCH.operation),
        "counts": counts,
        "is_monitored": is_monitored,
        "has_chart": is_monitored or jobs.has_curve(request.connection, batch.id),
    }


@require_safe
def batch_live(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Show the part of the batch page that refreshes automatically. 1 call.

    When the status differs from `?status=`, the status on the page, the entire page is reloaded. When the counts are newer than
    those on the page, of the time `?counted=`, its charts load again.
    """
    detail = api.get_batch(request.gateway, batch_id)
    shown_status = request.GET.get("status", "")
    if shown_status and detail.batch.status != shown_status:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    context = _read_progress(request, detail.batch)
    response = render(request, "areas/ota/batch_live.html", context)
    counted_at = context["counts"].at
    if counted_at and request.GET.get("counted") != counted_at.isoformat():
        response["HX-Trigger"] = "fd:charts"  # the charts show the same counts
    return response


@require_safe
def batch_counts(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Count the tasks of a batch that is not monitored. No operation counts tasks, so this takes 1 call per status, in two
    requests of up to 4 calls: first the finished statuses, then, with these numbers in the address, the open ones."""
    known = {task_status: _read_number(request, task_status) for task_status in api.FINISHED_TASKS}
    total = _read_number(request, "total")
    if total is None or any(count is None for count in known.values()):
        task_counts = batch_tasks.count_tasks(request.gateway, batch_id, api.FINISHED_TASKS)
        numbers, total = dict(task_counts.counts), task_counts.total
        open_count = total - sum(numbers.values())
        if open_count <= 0:
            numbers |= dict.fromkeys(api.OPEN_TASKS, 0)
        has_rest = open_count > 0
    else:
        numbers = {task_status: count for task_status, count in known.items() if count is not None}
        task_counts = batch_tasks.count_tasks(request.gateway, batch_id, api.OPEN_TASKS[1:], total=total)
        numbers |= task_counts.counts
        numbers["CONFIRM"] = max(0, total - sum(numbers.values()))
        has_rest = False
    context = {
        "counts": Counts(total, numbers),
        "batch_id": batch_id,
        "rest": urlencode({"total": total, **numbers}) if has_rest else "",
    }
    return render(request, "areas/ota/batch_counts.html", context)


def _read_number(request: CloudRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@require_safe
def batch_history(request: CloudRequest, batch_id: str) -> JsonResponse:
    """Return the recorded counts over time as JSON, for the chart; with `?status=`, only those of this status. Requires the right
    to read the batch. No call."""
    request.gateway.require("QueryOTAJob")
    samples = jobs.read_history(request.connection, batch_id)
    asked = request.GET.get("status", "")
    curves = [
        Curve(
            status("batch_task", task_status).label,
            f"--ota-{task_status.lower().replace('_', '-')}",
            [sample.counts.get(task_status, 0) for sample in samples],
        )
        for task_status in ((asked,) if asked in SEGMENTS else SEGMENTS)
    ]
    return JsonResponse(build_chart_data([sample.at for sample in samples], curves, gap=jobs.MAX_GAP))
