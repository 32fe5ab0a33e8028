"""Pages of approval requests: the list, one request, and its actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.accounts.http import TeamRequest
from console.approvals import actions, inbox
from console.approvals.forms import ApproveForm, ReasonForm, RejectForm, RequestFilters
from console.approvals.models import ApprovalRequest, NotPending, OtherRequestShown, RequestAltered
from console.approvals.subject import CallRow, read_subject
from console.approvals.submission import submit_draft
from console.connections.http import CloudRequest
from console.jobs.listing import job_title
from console.jobs.page import items_context
from console.jobs.visibility import visible_jobs
from console.sign_in.reauthentication import requires_reauthentication
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
from console.ui.tables import Column, Empty, Table

State = ApprovalRequest.State


# -- the list ----------------------------------------------------------------------------------------------------------


def _request_url(request: HttpRequest, approval: ApprovalRequest) -> str:
    return reverse("approvals:detail", args=[approval.team.slug, approval.connection.slug, approval.pk])


REQUESTS: Table[ApprovalRequest] = Table(
    id="approvals",
    caption=gettext_lazy("Requests"),
    columns=[
        Column(
            "rule",
            gettext_lazy("Action"),
            value=lambda row: row.rule_label,
            link=_request_url,
            primary=True,
            sort="rule",
        ),
        Column("target", gettext_lazy("Target"), sort=True),
        Column("shown_state", gettext_lazy("Status"), kind="status", status="approval", sort="state"),
        Column("devices", gettext_lazy("Devices"), kind="number", sort=True),
        Column("requester_label", gettext_lazy("Requested by"), sort=True),
        Column(
            "requested_at",
            gettext_lazy("Requested"),
            kind="time",
            sort=Coalesce("asked_at", "created_at"),
        ),
        Column("expires_at", gettext_lazy("Expires"), kind="time", hidden=True, sort=True),
        Column("decider_label", gettext_lazy("Decided by"), hidden=True, sort=True),
        Column(
            "connection",
            gettext_lazy("Connection"),
            value=lambda row: row.connection.name,
            narrow=False,
            sort="connection__name",
        ),
    ],
    export=True,
)


OUTCOME: Column[CallRow] = Column("outcome", gettext_lazy("Outcome"), template="approvals/_outcome.html")


@require_safe
def list_requests(request: TeamRequest) -> HttpResponseBase:
    """The team's requests that the user can see, pending ones first unless the user sorts them."""
    filters = RequestFilters(request)
    values = filters.values
    requests = inbox.visible_requests(request.membership)
    if values.get("mine") == "asked":
        requests = requests.filter(requested_by=request.membership.user)
    elif values.get("mine") == "decide":
        requests = inbox.requests_to_decide(request.membership)
    if "q" in values:
        requests = requests.filter(
            Q(target__icontains=values["q"]) | Q(requester_label__icontains=values["q"])
        )
    for name in ("state", "rule"):
        if name in values:
            requests = requests.filter(**{name: values[name]})
    pending_first = Case(
        When(state=State.WAITING, then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    requests = requests.select_related("team", "connection").order_by(
        *(REQUESTS.order_by(request, "-pk") if REQUESTS.sort(request) else (pending_first, "-pk"))
    )
    if request.GET.get("format") == "csv":
        return REQUESTS.csv_response(requests.iterator(), "approvals.csv")
    page = Page(page_number(request), page_size(request), requests.count())
    rows = requests[(page.number - 1) * page.size : page.number * page.size]
    empty = Empty(
        title=gettext_lazy("No requests"),
        text=gettext_lazy("Requests for approval appear here. Another team member must decide on them."),
        icon="clipboard-check",
    )
    context = {
        "table": REQUESTS.bind(request, rows, page=page, empty=empty),
        "filters": filters,
        "drafts": [(title(draft), _request_url(request, draft)) for draft in _list_drafts(request)],
    }
    return render(request, "ui/list.html" if request.htmx else "approvals/list.html", context)


def _list_drafts(request: TeamRequest) -> QuerySet[ApprovalRequest]:
    """The requests that the user prepared and did not submit, newest first."""
    drafts = ApprovalRequest.objects.for_team(request.team).filter(
        state=State.DRAFT, requested_by=request.membership.user, token=None
    )
    return drafts.select_related("team", "connection").order_by("-pk")


# -- one request -------------------------------------------------------------------------------------------------------


def _get_request(request: CloudRequest, pk: int) -> ApprovalRequest:
    """Returns the request with that id on the page's connection, if the user can see it. Raises Http404."""
    approval = (
        ApprovalRequest.objects.for_team(request.team)
        .filter(pk=pk, connection=request.connection)
        .select_related("team", "connection", "requested_by", "token", "decided_by", "job")
        .first()
    )
    if approval is None:
        raise Http404
    if approval.requested_by_id == request.membership.user.pk:
        return approval
    if approval.state == State.DRAFT:
        raise PermissionDenied(_("Only the user who started this request can view it."))
    if inbox.visible_requests(request.membership).filter(pk=pk).exists() or inbox.is_in_scope(
        request.gateway, approval
    ):
        return approval
    raise Http404


@require_safe
def detail(request: CloudRequest, pk: int) -> HttpResponseBase:
    """The requested calls, the present state of their subject, and the decision. With `?seen=`, only checks whether the state
    has changed since."""
    approval = _get_request(request, pk)
    if request.htmx and "seen" in request.GET:
        response = HttpResponse(status=204)
        if request.GET["seen"] != approval.shown_state:
            response["HX-Redirect"] = request.path
        return response
    if request.htmx and request.htmx.target == "items-results":
        return render(request, "ui/results.html", _list_job_items(request, approval))
    return _page(request, approval, ReasonForm())


def _page(
    request: CloudRequest, approval: ApprovalRequest, form: ReasonForm, status: int = 200
) -> HttpResponse:
    is_altered = False
    try:
        subject = None if approval.covers_job else read_subject(approval, request.gateway)
        obstacle = actions.find_obstacle(approval, request.gateway)
    except RequestAltered:
        actions.close_altered_request(approval)
        approval.refresh_from_db()
        subject, obstacle, is_altered = None, "", True
    is_own = approval.requested_by_id == request.membership.user.pk
    context: dict[str, Any] = {
        "approval": approval,
        "title": title(approval),
        "subject": subject,
        "details": _details(approval),
        "own": is_own,
        "may_withdraw": is_own and approval.is_waiting,
        "obstacle": obstacle if not is_own else "",
        "may_decide": approval.is_waiting and not is_altered and not obstacle,
        "form": form,
        "polls": approval.state in (State.WAITING, State.APPROVED) and not approval.is_overdue,
    }
    if approval.covers_job:
        context |= _list_job_items(request, approval)
    rule = approval.declared_rule
    description = rule.description_of(approval.operation) if rule is not None else None
    items = description.items if description is not None else None
    context["note"] = description.note if description is not None else ""
    if items is not None and subject is not None:
        # The table has outcomes only if there are some.
        columns = [*items.table.columns, OUTCOME] if approval.outcomes.exists() else items.table.columns
        context["items"] = replace(items.table, columns=columns).bind(request, subject.rows)
        context["items_template"] = items.template
    template = "approvals/request.html" if approval.state == State.DRAFT else "approvals/detail.html"
    return render(request, template, context, status=status)


def _list_job_items(request: CloudRequest, approval: ApprovalRequest) -> dict[str, Any]:
    """The context with the job that needs the approval and its items; empty if the user cannot see the job."""
    job = visible_jobs(request.gateway).filter(pk=approval.job_id or 0).first()
    if job is None or not approval.covers_job:
        return {}
    return {"job": job, "job_title": job_title(job), **items_context(request, job)}


def title(approval: ApprovalRequest) -> str:
    """The title of a request."""
    if not approval.target:
        return approval.rule_label
    return _("%(what)s: %(target)s") % {"what": approval.rule_label, "target": approval.target}


def _details(approval: ApprovalRequest) -> list[DetailItem]:
    details = [
        DetailItem(_("Requested by"), approval.requester_label),
        DetailItem(_("API token"), approval.token.name if approval.token else ""),
        DetailItem(_("Requested"), approval.asked_at, kind="time"),
        DetailItem(
            _("Expires"), approval.expires_at if approval.state == State.WAITING else None, kind="time"
        ),
        DetailItem(_("Reason"), approval.reason, wide=True),
        DetailItem(_("Decided by"), approval.decider_label),
        DetailItem(_("Decided"), approval.decided_at, kind="time"),
        DetailItem(_("Ended"), approval.finished_at, kind="time"),
        DetailItem(_("Decision note"), approval.decision, wide=True),
    ]
    return [item for item in details if item.value not in (None, "")]


# -- requesting ------------------------------------------------------------------------------------------------------------


@require_POST
def submit_request(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Submit a draft with its reason."""
    approval = _get_request(request, pk)
    if approval.requested_by_id != request.membership.user.pk:
        raise PermissionDenied(_("Only the user who started this request can submit it."))
    form = ReasonForm(request.POST)
    if approval.state == State.DRAFT and not form.is_valid():
        return _page(request, approval, form, status=FORM_REFUSED)
    if approval.state == State.DRAFT:
        approval = submit_draft(request, approval, form.cleaned_data["reason"])
    return redirect(connection_url(request, "approvals:detail", approval.pk))


@require_POST
def withdraw(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Withdraw an own request."""
    approval = _get_request(request, pk)
    try:
        actions.withdraw(approval, request.gateway)
        messages.success(request, _("Request withdrawn. Nothing was changed."))
    except NotPending as error:
        messages.info(request, str(error))
    return redirect(connection_url(request, "approvals:detail", approval.pk))


# -- deciding ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def approve(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Approve a request."""
    approval = _get_request(request, pk)
    _check_may_decide(request, approval)
    return _approve(request, approval)


@requires_reauthentication
def _approve(request: CloudRequest, approval: ApprovalRequest) -> HttpResponseBase:
    form = ApproveForm(request.POST if request.method == "POST" else None, initial={"seen": approval.digest})
    if form.is_valid():
        values = form.cleaned_data
        return _run_decision(
            request,
            approval,
            lambda: actions.approve(approval, request.gateway, seen=values["seen"], reason=values["reason"]),
            _("Request approved. The job has started.")
            if approval.covers_job
            else _("Request approved. The calls are being sent."),
        )
    return _decision_page(
        request,
        approval,
        form,
        title=_("Approve “%(what)s”?") % {"what": title(approval)},
        text=(
            _("The job starts now, with the permissions of %(person)s.")
            if approval.covers_job
            else _("The calls on this page are sent now, with the permissions of %(person)s.")
        )
        % {"person": approval.requester_label},
        submit=_("Approve request"),
        danger=True,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def reject(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Reject a request, with a reason."""
    approval = _get_request(request, pk)
    _check_may_decide(request, approval)
    return _reject(request, approval)


@requires_reauthentication
def _reject(request: CloudRequest, approval: ApprovalRequest) -> HttpResponseBase:
    form = RejectForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _run_decision(
            request,
            approval,
            lambda: actions.reject(approval, request.gateway, reason=form.cleaned_data["reason"]),
            _("Request rejected. Nothing was changed."),
        )
    return _decision_page(
        request,
        approval,
        form,
        title=_("Reject “%(what)s”?") % {"what": title(approval)},
        text="",
        submit=_("Reject request"),
        danger=False,
    )


def _check_may_decide(request: CloudRequest, approval: ApprovalRequest) -> None:
    """Raises PermissionDenied for users who cannot decide, before they must confirm their identity."""
    try:
        reason = actions.find_obstacle(approval, request.gateway)
    except RequestAltered:
        actions.close_altered_request(approval)
        raise
    if reason:
        raise PermissionDenied(reason)


def _run_decision(
    request: CloudRequest, approval: ApprovalRequest, decide: Any, message: str
) -> HttpResponse:
    try:
        decide()
        messages.success(request, message)
    except RequestAltered as altered:
        actions.close_altered_request(approval)
        messages.error(request, str(altered))
    except OtherRequestShown as error:
        messages.error(request, str(error))
    except NotPending as error:
        messages.info(request, str(error))
    return redirect(connection_url(request, "approvals:detail", approval.pk))


def _decision_page(request: CloudRequest, approval: ApprovalRequest, form: Any, **words: Any) -> HttpResponse:
    page = connection_url(request, "approvals:detail", approval.pk)
    context = {
        "form": form,
        "cancel": page,
        "crumbs": [(_("Approvals"), connection_url(request, "approvals:list")), (title(approval), page)],
        **words,
    }
    return render(request, "ui/form_page.html", context, status=FORM_REFUSED if form.is_bound else 200)
