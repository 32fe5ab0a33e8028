"""The views of bulk actions: the question and the outcomes of a few objects, and the start of a job for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from console.connections.http import CloudRequest
from console.jobs import actions as job_actions
from console.jobs.http import find_job, require_job_rights
from console.jobs.models import Job
from console.jobs.page import job_context
from console.pages import jobs
from console.pages.bulk import SHOWN_NAMES, Bulk, BulkPages
from console.pages.bulk_params import BULK_KIND
from console.ui.format import number
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.selection import Selection
from iot_client.errors import CloudError, explain


@dataclass(frozen=True)
class Outcome:
    """The outcome for one object: its name, and the error or None."""

    name: str
    error: CloudError | None

    @property
    def error_title(self) -> str:
        """The error in a few words, as a msgid."""
        return explain(self.error).title if self.error else ""


def bulk_path(pages: BulkPages[Any]) -> URLPattern:
    """The URL pattern of the actions of a list."""

    @require_POST
    def view(request: CloudRequest, action: str, **ids: str) -> HttpResponse:
        found = pages.find(action)
        if found is None:
            raise Http404
        return _act(request, pages, found, ids)

    return path(f"{pages.address}bulk/<slug:action>/", view, name=pages.name.partition(":")[2])


# -- a few objects -----------------------------------------------------------------------------------------------------


def _act(request: CloudRequest, pages: BulkPages[Any], action: Bulk, ids: Mapping[str, str]) -> HttpResponse:
    """Ask, and with `confirmed` act on the objects and show the outcome of each. Many objects become a job."""
    request.gateway.require(action.operation)
    selection = Selection.from_request(request)
    if selection.all_matching and (problem := pages.filters.from_query(selection.query).problem):
        return _refuse(request, pages, action, ids, selection, problem)
    keys = _read_keys(request, pages, selection, action, ids)
    if len(keys) > action.direct:
        return _create_job(request, pages, action, ids, selection, keys)
    names = [pages.name_of(key) for key in keys]
    is_confirmed = request.POST.get("confirmed") == "1"
    question = action.ask(len(keys))
    form = action.build_form(request.POST if is_confirmed else None, names[0], len(keys)) if keys else None
    context = {
        "action": action,
        "question": question,
        "title": question.title
        if keys
        else gettext("“%(action)s” was not started") % {"action": action.label},
        "list_label": pages.list_label,
        "back": _back_url(request, pages, ids, selection),
        "url": pages.url(request, action, ids),
        "query": request.POST.get("query", ""),
        "keys": keys,
        "first_names": names[:SHOWN_NAMES],
        "others": max(0, len(names) - SHOWN_NAMES),
        "form": form,
        "needs_approval": bool(keys) and not is_confirmed and action.needs_approval(request.gateway, keys),
    }
    is_refused = not keys or (is_confirmed and form is not None and not form.is_valid())
    if is_refused or not is_confirmed:
        return render(request, "pages/bulk.html", context, status=FORM_REFUSED if is_refused else 200)
    errors = action.run(request.gateway, keys, ids)
    outcomes = [Outcome(name, error) for name, error in zip(names, errors, strict=True)]
    failed = [error for error in errors if error is not None]
    unknown = sum(error.is_outcome_unknown for error in failed)
    context |= {
        "outcomes": outcomes,
        "failed": len(failed) - unknown,
        "unknown": unknown,
        "succeeded": len(outcomes) - len(failed),
    }
    response = render(request, "pages/bulk.html", context)
    response["HX-Trigger"] = "list-changed"  # the list under the dialog reloads
    return response


def _read_keys(
    request: CloudRequest, pages: BulkPages[Any], selection: Selection, action: Bulk, ids: Mapping[str, str]
) -> list[str]:
    """Return the keys of the selected objects. For "all that match", those that the list has now: all of them, or one more than
    the action takes in a request."""
    if not selection.all_matching:
        return [key for key in selection.keys if pages.accepts(key)]
    return pages.list_first_keys(action, request.gateway, pages.filters.from_query(selection.query), ids)


def _back_url(
    request: CloudRequest, pages: BulkPages[Any], ids: Mapping[str, str], selection: Selection
) -> str:
    query = f"?{selection.place.urlencode()}" if selection.place else ""
    return connection_url(request, pages.list_name, *ids.values()) + query


# -- many objects ------------------------------------------------------------------------------------------------------


def _create_job(
    request: CloudRequest,
    pages: BulkPages[Any],
    action: Bulk,
    ids: Mapping[str, str],
    selection: Selection,
    keys: Sequence[str],
) -> HttpResponse:
    """Create a job that waits for review, and go to it. Refused where the member could not see the job."""
    try:
        job = jobs.create_draft(
            request.gateway,
            pages,
            action,
            ids,
            query=selection.query if selection.all_matching else None,
            keys=() if selection.all_matching else keys,
        )
    except jobs.JobOutOfScope as refusal:
        return _refuse(request, pages, action, ids, selection, str(refusal))
    return redirect(connection_url(request, "jobs:detail", job.pk))


def _refuse(
    request: CloudRequest,
    pages: BulkPages[Any],
    action: Bulk,
    ids: Mapping[str, str],
    selection: Selection,
    reason: str,
) -> HttpResponse:
    context = {
        "action": action,
        "title": gettext("“%(action)s” was not started") % {"action": action.label},
        "list_label": pages.list_label,
        "back": _back_url(request, pages, ids, selection),
        "refusal": reason,
    }
    return render(request, "pages/bulk.html", context, status=FORM_REFUSED)


@require_POST
def start(request: CloudRequest, job: int) -> HttpResponse:
    """Start the job of a bulk action after its review. Raises ApprovalNeeded if a rule of the team covers it."""
    record = _find_job(request, job)
    address = connection_url(request, "jobs:detail", record.pk)
    # Its page had no form to confirm, even if the list is complete by now.
    if record.state != Job.State.READY:
        return redirect(address)
    context = job_context(request, record)
    form = context.get("form")
    if form is not None and not form.is_valid():
        return render(request, "jobs/draft.html", context, status=FORM_REFUSED)
    if job_actions.start(record, request.gateway):
        text = ngettext("Processing %(count)s object.", "Processing %(count)s objects.", record.total)
        messages.success(request, text % {"count": number(record.total)})
    return redirect(address)


def _find_job(request: CloudRequest, pk: int) -> Job:
    """Return the job of a bulk action that the user may control. Raises Http404, PermissionRefused."""
    record = find_job(request, pk)
    if record.kind != BULK_KIND:
        raise Http404
    require_job_rights(request, BULK_KIND, record)
    return record
