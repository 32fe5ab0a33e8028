"""The views that change jobs."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.http import find_job, require_job_rights
from console.jobs.listing import job_title
from console.ui.links import connection_url


@require_POST
def discard(request: CloudRequest, job: int) -> HttpResponse:
    """Delete a draft."""
    record = find_job(request, job)
    require_job_rights(request, record.kind, record)
    if actions.discard(record):
        messages.success(request, _("Draft discarded. Nothing was sent."))
        return redirect(connection_url(request, "jobs:list"))
    return redirect(connection_url(request, "jobs:detail", record.pk))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: CloudRequest, job: int) -> HttpResponse:
    """Cancel a job before its next write, after a confirmation."""
    record = find_job(request, job)
    require_job_rights(request, record.kind, record)
    page = connection_url(request, "jobs:detail", record.pk)
    if request.method == "POST":
        if not actions.cancel(record, request.user):
            messages.info(request, _("The job has finished or is already being canceled."))
        return redirect(page)
    context = {
        "form": forms.Form(),
        "title": _("Cancel this job?"),
        "text": kinds.get(record.kind).cancel_text,
        "submit": _("Cancel job"),
        "danger": True,
        "cancel": page,
        "action": request.path,
        "crumbs": [(_("Jobs"), connection_url(request, "jobs:list")), (job_title(record), page)],
    }
    return render(request, "ui/form_page.html", context)


@require_POST
def retry(request: CloudRequest, job: int) -> HttpResponse:
    """Create a new job for the items that failed or were not sent, and show it."""
    record = find_job(request, job)
    require_job_rights(request, record.kind, record)
    run = actions.retry(record, request.gateway)
    if run is None:
        messages.info(request, _("There are no items to retry."))
        return redirect(connection_url(request, "jobs:detail", record.pk))
    return redirect(connection_url(request, "jobs:detail", run.pk))
