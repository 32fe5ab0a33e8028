"""Following a batch: the lists of batches, one batch while it runs, cancelling and confirming its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.cloud.errors import CloudError
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.jobs.models import Job
from console.ota import api, jobs
from console.ota.batch_forms import CancelForm
from console.ota.views import tables
from console.ota.views.filters import JobFilter, TaskFilter
from console.ota.views.shared import FORM_REFUSED, Rights, status_of
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem, MenuItem, explorer_item
from console.ui.statuses import status
from console.ui.tables import Empty, Selection

PACKAGES_A_PAGE = 3  # whose batches are shown together: a call each
_OPEN = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")
_CURVES: tuple[tuple[str | Promise, str, tuple[str, ...]], ...] = (
    (_("Succeeded"), "good", ("SUCCEEDED",)),
    (_("Failed"), "bad", ("FAILED",)),
    (_("Canceled"), "off", ("CANCELED",)),
    (_("In progress"), "busy", ("IN_PROGRESS",)),
    (_("Waiting"), "warn", ("CONFIRM", "QUEUED", "NOTIFIED")),
)


@dataclass(frozen=True)
class Tile:
    """One state of tasks: how many, and where its part of the bar lies, in thousandths."""

    state: str
    label: str | Promise
    tone: str
    icon: str
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Counts:
    """The tasks of a batch by state. `at`: when they were counted, None for now."""

    total: int
    tiles: list[Tile]
    at: datetime | None = None

    @classmethod
    def of(cls, counts: Mapping[str, int], total: int | None = None, at: datetime | None = None) -> Counts:
        """From numbers by state; states that were not counted are left out."""
        whole = total if total is not None else sum(counts.values())
        tiles, left = [], 0.0
        for state in (*api.FINISHED_TASKS, "IN_PROGRESS", "NOTIFIED", "QUEUED", "CONFIRM"):
            if state not in counts:
                continue
            shown = status("ota_task", state)
            width = 1000 * counts[state] / whole if whole else 0.0
            tiles.append(Tile(state, shown.label, shown.tone, shown.icon, counts[state], left, width))
            left += width
        return cls(whole, tiles, at)

    @property
    def finished(self) -> int:
        """How many tasks have ended, one way or another."""
        return sum(tile.count for tile in self.tiles if tile.state in api.FINISHED_TASKS)


# -- lists -------------------------------------------------------------------------------------------------------------


@require_safe
def job_list(request: CloudRequest) -> HttpResponse:
    """The batches of `?package=`; without one those of three packages at a time, the newest first, of `?product=` if asked.

    No operation lists batches of more than one package. Up to 4 calls.
    """
    product_key = request.GET.get("product", "")[:64]
    packages = api.list_packages(request.gateway, page=1, size=100).packages
    filters = JobFilter(request, packages)
    chosen = filters.values.get("package", "")
    names = {package.id: package.name for package in packages}
    number, size = page_number(request), page_size(request)
    empty = Empty(
        _("No batches yet"),
        _("A batch brings an update package to devices. Open a package to make one."),
        icon="cloud-upload",
        url=curl(request, "ota:packages"),
        action=_("See the packages"),
    )
    context: dict[str, Any] = {"filters": filters}
    if chosen:
        found = api.list_jobs(request.gateway, chosen, page=number, size=size)
        page, listed = Page(number, size, found.total), found.jobs
    else:
        # A package that waits for its first verification has no batch.
        fitting = [p for p in packages if p.status != "0" and product_key in ("", p.product_key)]
        shown = fitting[(number - 1) * PACKAGES_A_PAGE : number * PACKAGES_A_PAGE]
        page, listed = None, api.list_jobs_of(request.gateway, shown, size=size)
        context["packages"] = [package.name for package in shown]
        context["newer"] = number - 1
        context["older"] = number + 1 if len(fitting) > number * PACKAGES_A_PAGE else 0
    context["table"] = tables.all_jobs(names).bind(request, listed, page=page, empty=empty)
    return render(request, "ota/jobs.html", context)


# -- one batch ---------------------------------------------------------------------------------------------------------


@require_safe
def job(request: CloudRequest, job_id: str) -> HttpResponse:
    """A batch: its state, its strategy, how far it is, its devices. 2 calls."""
    filters = TaskFilter(request)
    number, size = page_number(request), page_size(request)
    names = [filters.values["q"]] if filters.values.get("q") else []
    detail, found = api.get_job_with_tasks(
        request.gateway, job_id, status=filters.values.get("status", ""), names=names, page=number, size=size
    )
    rights = Rights.of(request)
    page = Page(number, size, found.total, last=max(1, api.DEEPEST_TASK // size))
    table = tables.tasks(
        job_id,
        confirm=rights.confirm and detail.job.status == "IN_PROGRESS",
        cancel=rights.cancel_devices and (detail.job.running or detail.job.dynamic),
    )
    empty = Empty(_("No devices"), _("The batch has reached no device yet."), icon="cpu")
    return render(
        request,
        "ota/job.html",
        {
            "detail": detail,
            "job": detail.job,
            "facts": facts_of(detail),
            "menu": _menu(request, detail, rights),
            "rights": rights,
            "filters": filters,
            "table": table.bind(request, found.tasks, page=page, empty=empty),
            **_progress(request, detail.job),
        },
    )


def _progress(request: CloudRequest, job: api.Job) -> dict[str, Any]:
    """How far the batch is, from what its watch wrote down; without one the page counts anew. No call."""
    samples = jobs.history(request.connection, job.id)
    watching = Job.objects.filter(
        connection=request.connection, kind=jobs.KIND, subject=job.id, finished_at__isnull=True
    ).exists()
    latest = Counts.of(samples[-1].counts, at=samples[-1].at) if samples else None
    # What a watch wrote that was ended too early is the past, not the present.
    if latest and not watching and (job.running or latest.finished < latest.total):
        latest = None
    return {"counts": latest, "watching": watching and job.running, "charted": len(samples) > 1 or watching}


def facts_of(detail: api.JobDetail) -> list[DetailItem]:
    """The strategy of a batch, what was not set left out."""
    job = detail.job
    never, everyone = _("Never"), _("As many as the platform allows")
    facts = [
        DetailItem(_("Batch ID"), job.id, "code", copy=True),
        DetailItem(_("Aimed at"), _aimed_at(detail)),
        DetailItem(_("Only from versions"), ", ".join(detail.source_versions)),
        DetailItem(_("Created"), job.created, "when"),
        DetailItem(_("Planned start"), detail.scheduled, "when"),
        DetailItem(_("Planned end"), detail.schedule_end, "when"),
        DetailItem(_("Started"), job.started, "when"),
        DetailItem(_("Ended"), job.ended, "when"),
        DetailItem(
            _("Devices a minute"),
            detail.rate if detail.rate else everyone,
            "number" if detail.rate else "text",
        ),
        DetailItem(_("Retries"), _retries(detail) or never),
        DetailItem(_("Timeout"), gettext("%d min") % detail.timeout if detail.timeout else _("None")),
        DetailItem(_("Updates that wait"), _("Are replaced") if detail.overwrite else _("Go first")),
        DetailItem(_("Devices are told"), _("At once") if detail.need_push else _("When they ask")),
        DetailItem(
            _("Confirmation"), _("Each device waits for it") if detail.need_confirm else _("Not needed")
        ),
        DetailItem(_("Download over"), detail.protocol),
        DetailItem(_("Tags"), ", ".join(f"{key}={value}" for key, value in detail.tags)),
        DetailItem(_("Description"), detail.description),
    ]
    return [fact for fact in facts if fact.value not in (None, "")]


def _aimed_at(detail: api.JobDetail) -> str:
    if detail.job.target == "GRAY" and detail.gray_percent:
        return gettext("%(percent)s %% of the devices") % {"percent": detail.gray_percent}
    if detail.job.target == "GROUP" or detail.group_name:
        return gettext("The group %(name)s") % {"name": detail.group_name or detail.group_id}
    return str(tables.TARGETS.get(detail.job.target, detail.job.target))


def _retries(detail: api.JobDetail) -> str:
    if not detail.retry_count:
        return ""
    if not detail.retry_interval:
        return gettext("%(count)d, at once") % {"count": detail.retry_count}
    values = {"count": detail.retry_count, "minutes": detail.retry_interval}
    return gettext("%(count)d, after %(minutes)d min each") % values


def _menu(request: CloudRequest, detail: api.JobDetail, rights: Rights) -> list[MenuItem]:
    job = detail.job
    menu = [explorer_item(request, "QueryOTAJob", JobId=job.id)]
    if rights.stop and job.dynamic and job.running:
        url = curl(request, "ota:stop-job", job.id)
        menu.append(MenuItem(_("Take no more devices"), url, "player-stop", dialog=True))
    if rights.cancel and not job.verify and (job.running or job.dynamic):
        url = curl(request, "ota:cancel-job", job.id)
        menu.append(MenuItem(_("Cancel the batch"), url, "ban", danger=True, dialog=True))
    return menu


@require_safe
def live(request: CloudRequest, job_id: str) -> HttpResponse:
    """The part of a batch's page that changes by itself. 1 call.

    When the state is no longer `?status=`, what the page shows, the whole page is loaded anew.
    """
    detail = api.get_job(request.gateway, job_id)
    shown = request.GET.get("status", "")
    if shown and detail.job.status != shown:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    context = {
        "detail": detail,
        "job": detail.job,
        "rights": Rights.of(request),
        **_progress(request, detail.job),
    }
    return render(request, "ota/job_live.html", context)


@require_safe
def counts(request: CloudRequest, job_id: str) -> HttpResponse:
    """The tasks of a batch nobody watches, counted now. No operation counts them, so it is a call a state, in two parts of
    up to 4 calls: first what has ended, and then, handed those numbers, what has not."""
    known = {state: _number(request, state) for state in api.FINISHED_TASKS}
    total = _number(request, "total")
    if total is None or any(count is None for count in known.values()):
        found = api.count_tasks(request.gateway, job_id, api.FINISHED_TASKS)
        numbers, total = dict(found.counts), found.total
        left = total - sum(numbers.values())
        if left <= 0:
            numbers |= dict.fromkeys(_OPEN, 0) if request.GET.get("running") else {}
        first = left > 0
    else:
        numbers = {state: count for state, count in known.items() if count is not None}
        found = api.count_tasks(request.gateway, job_id, _OPEN[1:], total=total)
        numbers |= found.counts
        numbers["CONFIRM"] = max(0, total - sum(numbers.values()))
        first = False
    context = {"counts": Counts.of(numbers, total), "job_id": job_id, "rest": numbers if first else None}
    return render(request, "ota/job_counts.html", context)


def _number(request: CloudRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@require_safe
def history(request: CloudRequest, job_id: str) -> JsonResponse:
    """The counts over time, for the chart. No call: a watch wrote them down, for those who may read the batch."""
    request.gateway.require("QueryOTAJob")
    samples = jobs.history(request.connection, job_id)
    series = [
        {
            "label": str(label),
            "tone": tone,
            "values": [sum(s.counts.get(k, 0) for k in states) for s in samples],
        }
        for label, tone, states in _CURVES
    ]
    shown = [curve for curve in series if any(curve["values"])]
    return JsonResponse(
        {"x": [int(sample.at.timestamp()) for sample in samples], "series": shown, "unit": ""}
    )


@require_POST
def watch(request: CloudRequest, job_id: str) -> HttpResponseBase:
    """Begin to write down the counts of a batch that nobody watches. 1 call: it must be there."""
    request.gateway.require(api.CANCEL_JOB)
    detail = api.get_job(request.gateway, job_id)
    jobs.watch(request.gateway, job_id, product_key=detail.job.product_key)
    messages.success(request, gettext("The batch is watched now: its counts are written down until it ends."))
    return redirect(curl(request, "ota:job", job_id))


# -- changing a batch --------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: CloudRequest, job_id: str) -> HttpResponseBase:
    """Cancel the tasks of a batch by what they are at. Up to 2 calls."""
    request.gateway.require(api.CANCEL_JOB)
    detail = api.get_job(request.gateway, job_id)
    planned = detail.job.status == "PLANNED"
    choices = (
        [("SCHEDULED", _("planned: not begun, as the batch has not"))]
        if planned
        else [
            ("CONFIRM", _("waiting to be confirmed")),
            ("QUEUED", _("waiting to be told")),
            ("NOTIFIED", _("told, and have not begun")),
            ("IN_PROGRESS", _("in the middle of their update")),
        ]
    )
    form = CancelForm(
        choices,
        request.POST if request.method == "POST" else None,
        initial={"states": [value for value, _label in choices[:3]]},
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.cancel_job(request.gateway, job_id, form.cleaned_data["states"])
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("The batch is being canceled."))
            return redirect(curl(request, "ota:job", job_id))
    context = {"detail": detail, "job": detail.job, "form": form, "error": error, "planned": planned}
    return render(request, "ota/cancel_job.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: CloudRequest, job_id: str) -> HttpResponseBase:
    """Let a dynamic batch take no more devices, once the package's name is typed. Up to 2 calls."""
    request.gateway.require(api.STOP_DYNAMIC)
    detail = api.get_job(request.gateway, job_id)
    form = ConfirmForm(
        detail.package_name or job_id,
        request.POST if request.method == "POST" else None,
        label=gettext("Name of the package"),
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.stop_dynamic_job(request.gateway, job_id)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("The batch takes no more devices."))
            return redirect(curl(request, "ota:job", job_id))
    return render(
        request,
        "ota/stop_job.html",
        {"detail": detail, "job": detail.job, "form": form, "error": error, "consequences": [
            gettext("Devices that report one of its versions from now on are not updated."),
            gettext("Devices that it has taken already go on; cancel them apart."),
        ]},
        status=status_of(form),
    )  # fmt: skip


@require_POST
def cancel_devices(request: CloudRequest, job_id: str) -> HttpResponseBase:
    """Cancel the updates of the ticked devices: asks first, then (`confirmed`) does it. Up to 2 calls."""
    request.gateway.require(api.CANCEL_DEVICE)
    ticked = _ticked(request)
    names = [name for _task, name in ticked][: api.MAX_NAMES_A_CALL]

    def act() -> None:
        api.cancel_devices(request.gateway, api.get_job(request.gateway, job_id).job, names)
        text = ngettext(
            "The update of %(count)d device is canceled.",
            "The updates of %(count)d devices are canceled.",
            len(names),
        )
        messages.success(request, text % {"count": len(names)})

    return _act_on(request, job_id, ticked, api.MAX_NAMES_A_CALL, act, "cancel")


@require_POST
def confirm(request: CloudRequest, job_id: str) -> HttpResponseBase:
    """Let the ticked tasks go ahead: asks first, then (`confirmed`) does it. 1 call."""
    request.gateway.require(api.CONFIRM)
    ticked = _ticked(request)
    ids = [task for task, _name in ticked][: api.MAX_CONFIRMED]

    def act() -> None:
        api.confirm_tasks(request.gateway, ids, job_id=job_id)
        text = ngettext("%(count)d update is confirmed.", "%(count)d updates are confirmed.", len(ids))
        messages.success(request, text % {"count": len(ids)})

    return _act_on(request, job_id, ticked, api.MAX_CONFIRMED, act, "confirm")


def _ticked(request: CloudRequest) -> list[tuple[str, str]]:
    """(task id, device name) of each ticked row."""
    keys = [key.partition("/") for key in Selection.of(request).keys]
    return [(task, name) for task, slash, name in keys if slash and task and name]


def _act_on(
    request: CloudRequest, job_id: str, ticked: list[tuple[str, str]], most: int, act: Any, what: str
) -> HttpResponseBase:
    """Ask, or act on the ticked tasks: at most `most` of them, and never on "all matching", which was not read."""
    error: CloudError | None = None
    refused = Selection.of(request).all_matching or len(ticked) > most
    if request.POST.get("confirmed") == "1" and ticked and not refused:
        try:
            act()
        except CloudError as raised:
            error = raised
        else:
            return redirect(curl(request, "ota:job", job_id))
    context = {
        "job_id": job_id,
        "keys": [f"{task}/{name}" for task, name in ticked],
        "shown": [name for _task, name in ticked[:5]],
        "more": max(0, len(ticked) - 5),
        "refused": refused,
        "most": most,
        "what": what,
        "error": error,
    }
    return render(request, "ota/act_on_tasks.html", context, status=FORM_REFUSED if error else 200)
