"""Pages of requests: the list, one request, and what can be done with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access.http import TeamRequest
from console.access.reauthentication import requires_reauthentication
from console.approvals import actions, inbox, telling
from console.approvals.forms import ApproveForm, AskForm, RefuseForm, RequestFilters
from console.approvals.models import Altered, ApprovalRequest
from console.approvals.subject import Line, Subject, subject_of
from console.connections.approval import Rule
from console.connections.http import CloudRequest
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
from console.ui.tables import BoundTable, Column, Empty, Table

State = ApprovalRequest.State


# -- the list ----------------------------------------------------------------------------------------------------------


def _link(request: HttpRequest, found: ApprovalRequest) -> str:
    return reverse("approvals:detail", args=[found.team.slug, found.connection.slug, found.pk])


REQUESTS: Table[ApprovalRequest] = Table(
    id="approvals",
    caption=gettext_lazy("Requests"),
    columns=[
        Column("rule", gettext_lazy("What"), value=lambda row: row.rule_label, link=_link, primary=True),
        Column("target", gettext_lazy("Target")),
        Column("shown_state", gettext_lazy("State"), kind="status", status="approval"),
        Column("devices", gettext_lazy("Devices"), kind="number"),
        Column("requester_label", gettext_lazy("Asked by")),
        Column("at", gettext_lazy("Asked"), kind="ago"),
        Column("expires_at", gettext_lazy("Expires"), kind="when", hidden=True),
        Column("decider_label", gettext_lazy("Decided by"), hidden=True),
        Column("connection", gettext_lazy("Connection"), value=lambda row: row.connection.name, narrow=False),
    ],
    export=True,
)


DEVICES: Table[Line] = Table(
    id="approval-devices",
    caption=gettext_lazy("Devices"),
    columns=[
        Column("name", gettext_lazy("Device"), template="approvals/_device.html", primary=True),
        Column("nickname", gettext_lazy("Nickname")),
        Column("product_key", gettext_lazy("Product key"), kind="code"),
        Column("now", gettext_lazy("State now"), template="approvals/_now.html"),
        Column("outcome", gettext_lazy("Outcome"), template="approvals/_outcome.html"),
    ],
)


@require_safe
def requests(request: TeamRequest) -> HttpResponseBase:
    """The team's requests that the person may see, those that wait first."""
    filters = RequestFilters(request)
    wanted = filters.values
    found = inbox.visible(request.membership)
    if wanted.get("mine") == "asked":
        found = found.filter(requested_by=request.membership.user)
    elif wanted.get("mine") == "decide":
        found = inbox.waiting_for(request.membership)
    if "q" in wanted:
        found = found.filter(Q(target__icontains=wanted["q"]) | Q(requester_label__icontains=wanted["q"]))
    for name in ("state", "rule"):
        if name in wanted:
            found = found.filter(**{name: wanted[name]})
    first = Case(When(state=State.WAITING, then=Value(0)), default=Value(1), output_field=IntegerField())
    found = found.select_related("team", "connection").order_by(first, "-pk")
    if request.GET.get("format") == "csv":
        return REQUESTS.csv_response(found.iterator(), "approvals.csv")
    place = Page(page_number(request), page_size(request), found.count())
    shown = found[(place.number - 1) * place.size : place.number * place.size]
    empty = Empty(
        title=gettext_lazy("No requests"),
        text=gettext_lazy(
            "What the team wants a second person to agree to waits here until somebody decides."
        ),
        icon="checks",
    )
    context = {"table": REQUESTS.bind(request, shown, page=place, empty=empty), "filters": filters}
    return render(request, "ui/list.html" if request.htmx else "approvals/list.html", context)


# -- one request -------------------------------------------------------------------------------------------------------


def _found(request: CloudRequest, pk: int) -> ApprovalRequest:
    """The request of that number on the page's connection, if the person may see it. Raises Http404."""
    found = (
        ApprovalRequest.objects.for_team(request.team)
        .filter(pk=pk, connection=request.connection)
        .select_related("team", "connection", "requested_by", "token", "decided_by", "job")
        .first()
    )
    if found is None:
        raise Http404
    if found.requested_by_id == request.membership.user.pk:
        return found
    if found.state == State.DRAFT:
        raise PermissionDenied(_("Only who began this request can see it."))
    if inbox.visible(request.membership).filter(pk=pk).exists() or inbox.reaches(request.gateway, found):
        return found
    raise Http404


@require_safe
def detail(request: CloudRequest, pk: int) -> HttpResponseBase:
    """What is asked for, exactly, in what state it is now, and who decided what. With `?seen=` a part that only asks whether
    the state is still that."""
    found = _found(request, pk)
    if request.htmx and "seen" in request.GET:
        response = HttpResponse(status=204)
        if request.GET["seen"] != found.shown_state:
            response["HX-Redirect"] = request.path
        return response
    return _page(request, found, AskForm())


def _page(request: CloudRequest, found: ApprovalRequest, form: AskForm, status: int = 200) -> HttpResponse:
    try:
        subject = subject_of(found, request.gateway)
        hindrance = actions.hindrance(found, request.gateway)
    except Altered:
        actions.found_altered(found)
        found.refresh_from_db()
        subject, hindrance = None, ""
    own = found.requested_by_id == request.membership.user.pk
    outcomes = list(found.outcomes.all())
    context = {
        "approval": found,
        "title": title(found),
        "subject": subject,
        "facts": _facts(found),
        "own": own,
        "may_withdraw": own and found.waits,
        "hindrance": hindrance if not own else "",
        "may_decide": found.waits and subject is not None and not hindrance,
        "form": form,
        "moves": found.state in (State.WAITING, State.APPROVED) and not found.late,
        "devices": _devices(request, found, subject, bool(outcomes)),
    }
    template = "approvals/ask.html" if found.state == State.DRAFT else "approvals/detail.html"
    return render(request, template, context, status=status)


def _devices(
    request: CloudRequest, found: ApprovalRequest, subject: Subject | None, outcomes: bool
) -> BoundTable[Line] | None:
    """The table of what is deleted, where it is devices; outcomes only once there are some."""
    if subject is None or found.rule != Rule.DELETION:
        return None
    columns = [column for column in DEVICES.columns if column.key != "outcome" or outcomes]
    return replace(DEVICES, columns=columns).bind(request, subject.lines)


def title(found: ApprovalRequest) -> str:
    """What a request is called."""
    if not found.target:
        return found.rule_label
    return _("%(what)s: %(target)s") % {"what": found.rule_label, "target": found.target}


def _facts(found: ApprovalRequest) -> list[DetailItem]:
    facts = [
        DetailItem(_("Asked by"), found.requester_label),
        DetailItem(_("With the API token"), found.token.name if found.token else ""),
        DetailItem(_("Asked"), found.asked_at, kind="when"),
        DetailItem(_("Expires"), found.expires_at if found.state == State.WAITING else None, kind="when"),
        DetailItem(_("Reason"), found.reason, wide=True),
        DetailItem(_("Decided by"), found.decider_label),
        DetailItem(_("Decided"), found.decided_at, kind="when"),
        DetailItem(_("Ended"), found.finished_at, kind="when"),
        DetailItem(_("What they said"), found.decision, wide=True),
    ]
    return [fact for fact in facts if fact.value not in (None, "")]


# -- asking ------------------------------------------------------------------------------------------------------------


@require_POST
def ask(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Ask a second person, and say why."""
    found = _found(request, pk)
    if found.requested_by_id != request.membership.user.pk:
        raise PermissionDenied(_("Only who began this request can ask for it."))
    form = AskForm(request.POST)
    if found.state == State.DRAFT and not form.is_valid():
        return _page(request, found, form, status=422)
    if found.state == State.DRAFT and form.is_valid():
        try:
            found = actions.ask(found, request.gateway, form.cleaned_data["reason"])
            telling.announce(found, request)
            messages.success(request, _("The request waits for a second person."))
        except Altered:
            actions.found_altered(found)
        except actions.TooLate:
            pass  # it was asked for a moment ago: its page says how it stands
    return redirect(curl(request, "approvals:detail", found.pk))


@require_POST
def withdraw(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Take an own request back."""
    found = _found(request, pk)
    try:
        actions.withdraw(found, request.gateway)
        messages.success(request, _("The request is withdrawn. Nothing was done."))
    except actions.TooLate as late:
        messages.info(request, str(late))
    return redirect(curl(request, "approvals:detail", found.pk))


# -- deciding ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def approve(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Say yes."""
    found = _found(request, pk)
    _demand(request, found)
    return _approve(request, found)


@requires_reauthentication
def _approve(request: CloudRequest, found: ApprovalRequest) -> HttpResponseBase:
    form = ApproveForm(request.POST if request.method == "POST" else None, initial={"seen": found.digest})
    if form.is_valid():
        values = form.cleaned_data
        return _decided(
            request,
            found,
            lambda: actions.approve(found, request.gateway, seen=values["seen"], reason=values["reason"]),
            _("Approved. It is being done."),
        )
    return _form(
        request,
        found,
        form,
        title=_("Approve “%(what)s”?") % {"what": title(found)},
        text=_("Exactly what the page shows is done at once, with the rights of %(person)s.")
        % {"person": found.requester_label},
        submit=_("Approve"),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def refuse(request: CloudRequest, pk: int) -> HttpResponseBase:
    """Say no, and why."""
    found = _found(request, pk)
    _demand(request, found)
    return _refuse(request, found)


@requires_reauthentication
def _refuse(request: CloudRequest, found: ApprovalRequest) -> HttpResponseBase:
    form = RefuseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _decided(
            request,
            found,
            lambda: actions.refuse(found, request.gateway, reason=form.cleaned_data["reason"]),
            _("Refused. Nothing is done."),
        )
    return _form(
        request,
        found,
        form,
        title=_("Refuse “%(what)s”?") % {"what": title(found)},
        text="",
        submit=_("Refuse"),
        danger=False,
    )


def _demand(request: CloudRequest, found: ApprovalRequest) -> None:
    """Refuse who may not decide, before they are asked to confirm that it is they. Raises PermissionDenied."""
    try:
        reason = actions.hindrance(found, request.gateway)
    except Altered:
        actions.found_altered(found)
        raise
    if reason:
        raise PermissionDenied(reason)


def _decided(request: CloudRequest, found: ApprovalRequest, decide: Any, said: str) -> HttpResponse:
    try:
        decide()
        messages.success(request, said)
    except Altered as altered:
        actions.found_altered(found)
        messages.error(request, str(altered))
    except actions.TooLate as late:
        messages.info(request, str(late))
    return redirect(curl(request, "approvals:detail", found.pk))


def _form(request: CloudRequest, found: ApprovalRequest, form: Any, **words: Any) -> HttpResponse:
    page = curl(request, "approvals:detail", found.pk)
    context = {
        "form": form,
        "cancel": page,
        "crumbs": [(_("Approvals"), curl(request, "approvals:list")), (title(found), page)],
        **words,
    }
    return render(request, "ui/form_page.html", context, status=422 if form.is_bound else 200)
