"""The pages of jobs: the list, the job tray, one job."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from console.connections.http import CloudRequest
from console.jobs import kinds, page
from console.jobs.forms import JobFilters
from console.jobs.http import find_job
from console.jobs.listing import JOBS, estimate_time_left, job_title
from console.jobs.models import Job
from console.jobs.visibility import visible_jobs
from console.ui.format import duration
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty

_TRAY = 8
# The cookie that says when the user last opened the list of jobs, in seconds since 1970.
_SEEN_COOKIE = "jobs_seen"


# -- lists -------------------------------------------------------------------------------------------------------------


@require_safe
def job_list(request: CloudRequest) -> HttpResponseBase:
    """List the connection's jobs, newest first unless the user sorts them."""
    jobs = visible_jobs(request.gateway).select_related("created_by", "started_by")
    filters = JobFilters(request, jobs)
    values = filters.values
    if "kind" in values:
        jobs = jobs.filter(kind=values["kind"])
    if "state" in values:
        jobs = jobs.filter(state=values["state"])
    if "person" in values:
        jobs = jobs.filter(
            Q(started_by=values["person"]) | Q(started_by__isnull=True, created_by=values["person"])
        )
    jobs = jobs.order_by(*JOBS.order_by(request, "-pk"))
    if request.GET.get("format") == "csv":
        return JOBS.csv_response(jobs.iterator(), "jobs.csv")
    position = Page(page_number(request), page_size(request), jobs.count())
    shown = jobs[(position.number - 1) * position.size : position.number * position.size]
    start_pages = [
        (connection_url(request, kind.start_page.url_name), kind.start_page.label)
        for kind in kinds.all_kinds().values()
        if kind.start_page is not None and kind.is_allowed(request.gateway)
    ]
    first_url, first_label = start_pages[0] if start_pages else ("", "")
    empty = Empty(
        title=gettext_lazy("No jobs yet"),
        text=gettext_lazy("Operations that take longer than a few seconds run as jobs."),
        icon="stack-2",
        url=first_url,
        action=first_label,
    )
    context = {
        "table": JOBS.bind(request, shown, page=position, empty=empty),
        "filters": filters,
        "start_pages": start_pages,
    }
    response = render(request, "ui/list.html" if request.htmx else "jobs/list.html", context)
    response.set_cookie(
        _SEEN_COOKIE,
        str(int(time.time())),
        max_age=timedelta(days=365),
        path=connection_url(request, "jobs:list"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


@require_safe
def tray(request: CloudRequest) -> HttpResponseBase:
    """Show the job tray: running jobs, the user's new drafts, and jobs that ended within a day. It also brings the number of jobs
    that failed within a day, and since the user opened the list of jobs."""
    since = timezone.now() - timedelta(days=1)
    jobs = visible_jobs(request.gateway)
    shown = jobs.filter(
        Q(state__in=Job.ACTIVE)
        | Q(finished_at__gte=since)
        | Q(state__in=Job.DRAFTS, created_by=request.user, created_at__gte=since)
    )[:_TRAY]
    items = [
        {
            "title": job_title(job),
            "state": job.state,
            "done": job.done,
            "total": 0 if job.is_draft else job.total,
            "url": connection_url(request, "jobs:detail", job.pk),
            "note": _time_left_text(job),
        }
        for job in shown
    ]
    running = jobs.active().count()
    failed = jobs.filter(
        state__in=(Job.State.FAILED, Job.State.PARTIAL), finished_at__gte=max(since, _read_seen(request))
    ).count()
    return render(request, "ui/job_tray.html", {"jobs": items, "running": running, "failed": failed})


def _read_seen(request: CloudRequest) -> datetime:
    """When the user last opened the list of jobs; the year 1970 if that is not known."""
    text = request.COOKIES.get(_SEEN_COOKIE, "")
    is_valid = text.isascii() and text.isdecimal() and len(text) <= 10
    return datetime.fromtimestamp(int(text) if is_valid else 0, UTC)


def _time_left_text(job: Job) -> str:
    if job.is_draft:
        return _("Not started")
    left = estimate_time_left(job)
    return _("%(time)s left") % {"time": duration(left)} if left is not None else ""


# -- one job -----------------------------------------------------------------------------------------------------------


@require_safe
def detail(request: CloudRequest, job: int) -> HttpResponseBase:
    """Show a draft with its findings, or a job with its progress and its items."""
    record = find_job(request, job)
    context = page.job_context(request, record)
    if record.is_draft:
        return render(request, "jobs/draft.html", context)
    if kinds.get(record.kind).items is not None:
        context |= page.items_context(request, record)
        if request.htmx and request.htmx.target == "items-results":
            return render(request, "ui/results.html", context)
    return render(request, "jobs/detail.html", context)


@require_safe
def live(request: CloudRequest, job: int) -> HttpResponseBase:
    """Show the parts of a job's page that refresh themselves. `seen` is the digest of the state and the numbers that the page shows
    already: the table and the side card reload if it changed, and the actions, whose menu may be open, if the state changed."""
    record = find_job(request, job)
    address = connection_url(request, "jobs:detail", record.pk)
    if record.is_draft and record.state != Job.State.CHECKING:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = address
        return response
    if not request.htmx:
        return redirect(address)
    context = page.job_context(request, record)
    seen = request.GET.get("seen", "")
    context |= {
        "is_changed": seen != context["digest"],
        "is_state_changed": seen.partition("-")[0] != record.state,
    }
    response = render(request, "jobs/_live_checking.html" if record.is_draft else "jobs/_live.html", context)
    if context["is_changed"]:
        response["HX-Trigger"] = "fd:items"
    return response
