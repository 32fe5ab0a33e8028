"""What people do to jobs on their pages."""

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
from console.jobs.http import REGISTER, SECRETS, demand, job_of
from console.jobs.listing import title
from console.ui.format import number
from console.ui.links import curl


@require_POST
def start(request: CloudRequest, job: int) -> HttpResponse:
    """Start a draft: its good rows are sent, the others are left out."""
    found = job_of(request, job)
    demand(request, found.kind)
    tags = bool(found.params.get("tagged")) and request.POST.get("tags") == "on"
    if actions.start(found, request.gateway, {"tags": tags}):
        text = ngettext("Registering %(count)s device.", "Registering %(count)s devices.", found.total)
        messages.success(request, text % {"count": number(found.total)})
    elif found.is_draft:
        messages.error(request, _("This cannot be started: there is nothing in it that could be sent."))
    return redirect(curl(request, "jobs:detail", found.pk))


@require_POST
def columns(request: CloudRequest, job: int) -> HttpResponse:
    """Read a draft's file again with the columns that a person chose."""
    found = job_of(request, job)
    demand(request, found.kind)
    layout = found.params.get("layout") or {}
    headings = found.params.get("first_line") or layout.get("header") or []
    form = ColumnsForm(headings, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose the column that the device names are in."))
        return redirect(curl(request, "jobs:detail", found.pk))
    chosen = {"name": form.cleaned_data["name"]}
    if form.cleaned_data["nickname"] not in (None, chosen["name"]):
        chosen["nickname"] = form.cleaned_data["nickname"]
    if not actions.reread(found, chosen, form.cleaned_data["headless"]):
        messages.error(request, _("The file cannot be read again. Upload it once more."))
    return redirect(curl(request, "jobs:detail", found.pk))


@require_POST
def discard(request: CloudRequest, job: int) -> HttpResponse:
    """Delete a draft."""
    found = job_of(request, job)
    demand(request, found.kind)
    if actions.discard(found):
        messages.success(request, _("The draft was discarded. Nothing was sent."))
        return redirect(curl(request, "jobs:list"))
    return redirect(curl(request, "jobs:detail", found.pk))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: CloudRequest, job: int) -> HttpResponse:
    """Stop a job before its next write; asks first."""
    found = job_of(request, job)
    demand(request, found.kind, found)
    page = curl(request, "jobs:detail", found.pk)
    if request.method == "POST":
        if not actions.cancel(found, request.user):
            messages.info(request, _("The job is over, or being canceled already."))
        return redirect(page)
    context = {
        "form": forms.Form(),
        "title": _("Stop this job?"),
        "text": kinds.get(found.kind).stopping,
        "submit": _("Stop the job"),
        "danger": True,
        "cancel": page,
        "action": request.path,
        "crumbs": [(_("Jobs"), curl(request, "jobs:list")), (title(found), page)],
    }
    return render(request, "ui/form_page.html", context)


@require_POST
def again(request: CloudRequest, job: int) -> HttpResponse:
    """A further run of the rows that failed or were not sent, as a job of its own."""
    found = job_of(request, job)
    demand(request, found.kind)
    run = actions.further_run(found, request.gateway)
    if run is None:
        messages.info(request, _("There is nothing to run again."))
        return redirect(curl(request, "jobs:detail", found.pk))
    return redirect(curl(request, "jobs:detail", run.pk))


@require_POST
def secrets(request: CloudRequest, job: int) -> HttpResponse:
    """Collect the secrets of the devices that a registration made."""
    found = job_of(request, job)
    demand(request, SECRETS)
    if found.kind != REGISTER or not found.is_over:
        messages.info(request, _("There are no secrets to collect yet."))
        return redirect(curl(request, "jobs:detail", found.pk))
    return redirect(curl(request, "jobs:detail", actions.follow_up(found, request.gateway, SECRETS).pk))
