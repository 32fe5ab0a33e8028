"""Pages of jobs: the list, the tray, one job."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from console.access.pages.audit import audit_menu_items
from console.connections.http import CloudRequest
from console.jobs import kinds, page
from console.jobs.forms import JobFilters
from console.jobs.http import REGISTER, job_of
from console.jobs.listing import JOBS, title
from console.jobs.models import Job
from console.jobs.visibility import jobs_of
from console.ui.format import duration
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from console.ui.tables import Empty

_TRAY = 8


# -- lists -------------------------------------------------------------------------------------------------------------


@require_safe
def job_list(request: CloudRequest) -> HttpResponseBase:
    """The connection's jobs, newest first."""
    jobs = jobs_of(request.gateway).select_related("created_by", "started_by")
    filters = JobFilters(request, jobs)
    wanted = filters.values
    if "kind" in wanted:
        jobs = jobs.filter(kind=wanted["kind"])
    if "state" in wanted:
        jobs = jobs.filter(state=wanted["state"])
    if "person" in wanted:
        jobs = jobs.filter(
            Q(started_by=wanted["person"]) | Q(started_by__isnull=True, created_by=wanted["person"])
        )
    if request.GET.get("format") == "csv":
        return JOBS.csv_response(jobs.iterator(), "jobs.csv")
    place = Page(page_number(request), page_size(request), jobs.count())
    shown = jobs[(place.number - 1) * place.size : place.number * place.size]
    may = kinds.get(REGISTER).allowed(request.gateway)
    empty = Empty(
        title=gettext_lazy("No jobs yet"),
        text=gettext_lazy(
            "Work that takes longer than a page runs here: registering devices, watching an update."
        ),
        icon="progress-check",
        url=curl(request, "jobs:register") if may else "",
        action=gettext_lazy("Register devices"),
    )
    context = {
        "table": JOBS.bind(request, shown, page=place, empty=empty),
        "filters": filters,
        "may_register": may,
    }
    return render(request, "ui/list.html" if request.htmx else "jobs/list.html", context)


@require_safe
def tray(request: CloudRequest) -> HttpResponseBase:
    """The job tray: what is at work, and what ended within a day."""
    lately = timezone.now() - timedelta(days=1)
    jobs = jobs_of(request.gateway)
    shown = jobs.filter(
        Q(state__in=Job.AT_WORK)
        | Q(finished_at__gte=lately)
        | Q(state__in=Job.DRAFTS, created_by=request.user, created_at__gte=lately)
    )[:_TRAY]
    lines = [
        {
            "title": title(job),
            "state": job.state,
            "done": job.done,
            "total": 0 if job.is_draft else job.total,
            "url": curl(request, "jobs:detail", job.pk),
            "note": _left(job),
        }
        for job in shown
    ]
    running = jobs.at_work().count()
    return render(request, "ui/job_tray.html", {"jobs": lines, "running": running})


def _left(job: Job) -> str:
    if job.is_draft:
        return _("Not started")
    left = job.time_left()
    return _("%(time)s left") % {"time": duration(left.total_seconds())} if left is not None else ""


# -- one job -----------------------------------------------------------------------------------------------------------


@require_safe
def detail(request: CloudRequest, job: int) -> HttpResponseBase:
    """A draft with what was found in it, or a job with how far it is and what came of its rows."""
    found = job_of(request, job)
    context = page.context(request, found)
    if found.is_draft:
        return render(request, "jobs/draft.html", context | page.draft_context(request, found))
    kind = kinds.get(found.kind)
    if kind.rows:
        context |= page.rows_context(request, found)
        if request.htmx and request.htmx.target == "rows-results":
            return render(request, "ui/results.html", context)
    return render(request, "jobs/detail.html", {**context, "trail": audit_menu_items(request, job=found.pk)})


@require_safe
def live(request: CloudRequest, job: int) -> HttpResponseBase:
    """The part of a job's page that changes. `seen` is the digest of the numbers that the page shows already."""
    found = job_of(request, job)
    address = curl(request, "jobs:detail", found.pk)
    if found.is_draft and found.state != Job.State.CHECKING:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = address
        return response
    if not request.htmx:
        return redirect(address)
    context = page.context(request, found)
    response = render(request, "jobs/_live_checking.html" if found.is_draft else "jobs/_live.html", context)
    if request.GET.get("seen") != context["digest"]:
        response["HX-Trigger"] = "fd:rows"
    return response


@require_safe
def samples(request: CloudRequest, job: int) -> HttpResponse:
    """Figures over time, for the chart of a watch."""
    found = job_of(request, job)
    kept = list(found.samples.values_list("at", "counts"))
    series = [
        {
            "label": str(look.label),
            "values": [counts.get(state, 0) for _at, counts in kept],
            "tone": look.tone,
        }
        for state in dict.fromkeys(state for _at, counts in kept for state, n in counts.items() if n)
        for look in [status("ota_task", state)]
    ]
    return JsonResponse({"x": [int(at.timestamp()) for at, _counts in kept], "series": series, "unit": ""})
