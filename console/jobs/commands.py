"""The views that change jobs."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.forms import ColumnsForm
from console.jobs.http import REGISTER, SECRETS, find_job, require_job_rights
from console.jobs.listing import job_title
from console.ui.format import number
from console.ui.links import connection_url


@require_POST
def start(request: CloudRequest, job: int) -> HttpResponse:
    """Start a draft: its valid rows are sent, the others are skipped."""
    record = find_job(request, job)
    require_job_rights(request, record.kind)
    tags = bool(record.params.get("tagged")) and request.POST.get("tags") == "on"
    if actions.start(record, request.gateway, {"tags": tags}):
        text = ngettext("Registering %(count)s device.", "Registering %(count)s devices.", record.total)
        messages.success(request, text % {"count": number(record.total)})
    elif record.is_draft:
        messages.error(
            request, _("This job cannot be started because it has no valid rows. Upload another file.")
        )
    return redirect(connection_url(request, "jobs:detail", record.pk))


@require_POST
def columns(request: CloudRequest, job: int) -> HttpResponse:
    """Read a draft's file again with the columns that the user chose."""
    record = find_job(request, job)
    require_job_rights(request, record.kind)
    layout = record.params.get("layout") or {}
    headings = record.params.get("first_row") or layout.get("header") or []
    form = ColumnsForm(headings, request.POST)
    if not form.is_valid():
        messages.error(request, _("Select the column with the device names."))
        return redirect(connection_url(request, "jobs:detail", record.pk))
    chosen = {"name": form.cleaned_data["name"]}
    if form.cleaned_data["nickname"] not in (None, chosen["name"]):
        chosen["nickname"] = form.cleaned_data["nickname"]
    if not actions.reread_file(record, chosen, form.cleaned_data["headless"]):
        messages.error(request, _("The file cannot be read again. Upload it once more."))
    return redirect(connection_url(request, "jobs:detail", record.pk))


@require_POST
def discard(request: CloudRequest, job: int) -> HttpResponse:
    """Delete a draft."""
    record = find_job(request, job)
    require_job_rights(request, record.kind)
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
    """Retry the rows that failed or were not sent, as a new job."""
    record = find_job(request, job)
    require_job_rights(request, record.kind)
    run = actions.retry(record, request.gateway)
    if run is None:
        messages.info(request, _("There are no rows to retry."))
        return redirect(connection_url(request, "jobs:detail", record.pk))
    return redirect(connection_url(request, "jobs:detail", run.pk))


@require_POST
def secrets(request: CloudRequest, job: int) -> HttpResponse:
    """Start a job that collects the DeviceSecrets of registered devices."""
    record = find_job(request, job)
    require_job_rights(request, SECRETS)
    if record.kind != REGISTER or not record.is_finished:
        messages.info(
            request, _("There are no secrets to collect yet. Wait until the registration has finished.")
        )
        return redirect(connection_url(request, "jobs:detail", record.pk))
    return redirect(
        connection_url(request, "jobs:detail", actions.start_follow_up(record, request.gateway, SECRETS).pk)
    )
