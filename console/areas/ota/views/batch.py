"""The pages of one batch: its progress, canceling and confirming its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api, jobs
from console.areas.ota.actions import MONITOR_BATCH
from console.areas.ota.forms.filters import TaskFilter
from console.areas.ota.pages import BATCH
from console.areas.ota.tables import TARGETS, build_task_table
from console.connections.http import CloudRequest
from console.jobs.models import Job
from console.ui.charts import Curve, build_chart_data
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
from console.ui.statuses import status
from console.ui.tables import Empty

_OPEN_STATUSES = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")
# The order of the statuses in the bar, the tiles and the chart.
_ORDER = (*api.FINISHED_TASKS, "IN_PROGRESS", "NOTIFIED", "QUEUED", "CONFIRM")
_MIN_SAMPLES = 3  # fewer make no chart


@dataclass(frozen=True)
class Tile:
    """The number of tasks with one status, and its segment of the progress bar: `left` and `width` in thousandths."""

    status: str
    label: str | Promise
    tone: str
    icon: str
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Counts:
    """The tasks of a batch by status. `at` is the time of the count, None for now."""

    total: int
    tiles: list[Tile]
    at: datetime | None = None

    @classmethod
    def from_numbers(
        cls, counts: Mapping[str, int], total: int | None = None, at: datetime | None = None
    ) -> Counts:
        """Build from numbers by status. Statuses that were not counted are left out."""
        whole = total if total is not None else sum(counts.values())
        tiles, left = [], 0.0
        for task_status in _ORDER:
            if task_status not in counts:
                continue
            badge = status("batch_task", task_status)
            width = 1000 * counts[task_status] / whole if whole else 0.0
            tiles.append(
                Tile(task_status, badge.label, badge.tone, badge.icon, counts[task_status], left, width)
            )
            left += width
        return cls(whole, tiles, at)

    @property
    def counted_tiles(self) -> list[Tile]:
        """The statuses that at least one task has."""
        return [tile for tile in self.tiles if tile.count]

    @property
    def finished(self) -> int:
        """The number of tasks that succeeded, failed or were canceled."""
        return sum(tile.count for tile in self.tiles if tile.status in api.FINISHED_TASKS)


# -- one batch ---------------------------------------------------------------------------------------------------------


@require_safe
def batch_detail(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Show a batch: status, progress, devices and strategy. 2 calls."""
    filters = TaskFilter(request)
    number, size = page_number(request), page_size(request)
    detail, task_page = api.get_batch_with_tasks(
        request.gateway,
        batch_id,
        status=filters.values.get("status", ""),
        names=[filters.values["q"]] if filters.values.get("q") else [],
        page=number,
        size=size,
    )
    tasks, total = ([], 0) if filters.problem else (task_page.tasks, task_page.total)
    batch, allows = detail.batch, request.gateway.allows
    table = build_task_table(
        batch_id,
        may_confirm=allows(api.CONFIRM) and batch.status == "IN_PROGRESS",
        may_cancel=allows(api.CANCEL_DEVICE) and (batch.is_running or batch.is_dynamic),
    )
    page = Page(number, size, total, last=max(1, api.MAX_TASK_OFFSET // size))
    empty = Empty(_("No devices"), _("The batch has no devices yet."), icon="cpu")
    return BATCH.render(
        request,
        detail,
        "batch",
        "areas/ota/batch.html",
        details=build_details(detail),
        filters=filters,
        table=table.bind(request, tasks, page=page, empty=empty),
        **_read_progress(request, batch),
    )


def _read_progress(request: CloudRequest, batch: api.Batch) -> dict[str, Any]:
    """Return the context of areas/ota/batch_live.html: the progress of the batch as monitoring recorded it. Without a record,
    the page counts the tasks. No call."""
    samples = jobs.read_history(request.connection, batch.id)
    is_monitored = Job.objects.filter(
        connection=request.connection, kind=jobs.KIND, subject=batch.id, finished_at__isnull=True
    ).exists()
    latest = Counts.from_numbers(samples[-1].counts, at=samples[-1].at) if samples else None
    # The last record is out of date if monitoring was stopped early, or if the batch ended after it.
    if latest and (not is_monitored if batch.is_running else latest.finished < latest.total):
        latest = None
    return {
        "batch": batch,
        "may_monitor": request.gateway.allows(MONITOR_BATCH.operation),
        "counts": latest,
        "is_monitored": is_monitored and batch.is_running,
        "has_chart": len(samples) >= _MIN_SAMPLES or is_monitored,
    }


def build_details(detail: api.BatchDetail) -> list[DetailItem]:
    """Return the strategy of a batch as details. Values that were not set are left out."""
    batch = detail.batch
    items = [
        DetailItem(_("Batch ID"), batch.id, "code", copy=True),
        DetailItem(pgettext("of a batch", "Target"), _describe_target(detail)),
        DetailItem(_("Source versions"), ", ".join(detail.source_versions)),
        DetailItem(_("Created"), batch.created, "time"),
        DetailItem(_("Planned start"), detail.scheduled, "time"),
        DetailItem(_("Planned end"), detail.schedule_end, "time"),
        DetailItem(_("Started"), batch.started, "time"),
        DetailItem(_("Ended"), batch.ended, "time"),
        DetailItem(
            _("Devices per minute"),
            detail.rate if detail.rate else _("Platform limit"),
            "number" if detail.rate else "text",
        ),
        DetailItem(_("Retries"), _describe_retries(detail) or _("No retry")),
        DetailItem(_("Timeout"), gettext("%d min") % detail.timeout if detail.timeout else _("None")),
        DetailItem(_("Pending updates"), _("Overwritten") if detail.overwrite else _("Run first")),
        DetailItem(_("Delivery"), _("Push") if detail.need_push else _("On request")),
        DetailItem(
            _("Confirmation"), _("Required for each device") if detail.need_confirm else _("Not required")
        ),
        DetailItem(_("Download protocol"), detail.protocol),
        DetailItem(_("Tags"), ", ".join(f"{key}={value}" for key, value in detail.tags)),
        DetailItem(_("Description"), detail.description),
    ]
    return [item for item in items if item.value not in (None, "")]


def _describe_target(detail: api.BatchDetail) -> str:
    if detail.batch.target == "GRAY" and detail.gray_percent:
        return gettext("%(percent)s%% of devices") % {"percent": detail.gray_percent}
    if detail.batch.target == "GROUP" or detail.group_name:
        return gettext("Group %(name)s") % {"name": detail.group_name or detail.group_id}
    return str(TARGETS.get(detail.batch.target, detail.batch.target))


def _describe_retries(detail: api.BatchDetail) -> str:
    if not detail.retry_count:
        return ""
    if not detail.retry_interval:
        return gettext("%(count)d, immediately") % {"count": detail.retry_count}
    values = {"count": detail.retry_count, "minutes": detail.retry_interval}
    return gettext("%(count)d (interval: %(minutes)d min)") % values


@require_safe
def batch_live(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Show the part of the batch page that refreshes automatically. 1 call.

    When the status differs from `?status=`, the status on the page, the entire page is reloaded.
    """
    detail = api.get_batch(request.gateway, batch_id)
    shown_status = request.GET.get("status", "")
    if shown_status and detail.batch.status != shown_status:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    return render(request, "areas/ota/batch_live.html", _read_progress(request, detail.batch))


@require_safe
def batch_counts(request: CloudRequest, batch_id: str) -> HttpResponse:
    """Count the tasks of a batch that is not monitored. No operation counts tasks, so this takes 1 call per status, in two
    requests of up to 4 calls: first the finished statuses, then, with these numbers in the address, the open ones."""
    known = {task_status: _read_number(request, task_status) for task_status in api.FINISHED_TASKS}
    total = _read_number(request, "total")
    if total is None or any(count is None for count in known.values()):
        task_counts = api.count_tasks(request.gateway, batch_id, api.FINISHED_TASKS)
        numbers, total = dict(task_counts.counts), task_counts.total
        open_count = total - sum(numbers.values())
        if open_count <= 0:
            numbers |= dict.fromkeys(_OPEN_STATUSES, 0) if request.GET.get("running") else {}
        has_rest = open_count > 0
    else:
        numbers = {task_status: count for task_status, count in known.items() if count is not None}
        task_counts = api.count_tasks(request.gateway, batch_id, _OPEN_STATUSES[1:], total=total)
        numbers |= task_counts.counts
        numbers["CONFIRM"] = max(0, total - sum(numbers.values()))
        has_rest = False
    context = {
        "counts": Counts.from_numbers(numbers, total),
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
        for task_status in ((asked,) if asked in _ORDER else _ORDER)
    ]
    return JsonResponse(build_chart_data([sample.at for sample in samples], curves, gap=jobs.MAX_GAP))
