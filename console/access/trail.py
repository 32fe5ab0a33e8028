"""The audit page: what was done, by whom, and how it ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import BadRequest
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access.forms import AuditFilter
from console.access.http import TeamRequest
from console.access.models import AuditQuerySet, AuditRecord
from console.access.permissions import requires
from console.access.roles import Area, Level
from console.ui.paging import TokenPage, page_size, page_token
from console.ui.pieces import Fact
from console.ui.tables import Column, Empty, Table


def record_url(request: HttpRequest, record: AuditRecord) -> str:
    """The page of one record, in the request's team."""
    return reverse("access:audit-record", args=[request.team.slug, record.pk])  # type: ignore[attr-defined]


TABLE: Table[AuditRecord] = Table(
    id="audit",
    caption=_("Audit trail"),
    columns=[
        Column("at", _("Time"), kind="when", link=record_url, primary=True),
        Column("actor_label", _("Person")),
        Column("operation", _("Operation"), kind="code"),
        Column("target", _("Target")),
        Column("outcome", _("Outcome"), kind="status", status="audit"),
        Column("connection", _("Connection"), narrow=False),
        Column("code", _("Code"), kind="code", hidden=True),
        Column("message", _("Message"), hidden=True),
        Column("request_id", _("Request ID"), kind="code", hidden=True),
        Column("ip", _("Address"), hidden=True),
        Column("user_agent", _("Browser"), hidden=True),
        Column("job", _("Job"), kind="number", hidden=True),
    ],
    export=True,
)
EMPTY = Empty(
    _("Nothing recorded"),
    _("Changes made here or by jobs, sign-ins and revealed secrets appear here."),
    "history",
)
NO_MATCH = Empty(_("No record matches"), _("Change or clear the filters."), "filter-off")


@require_safe
@requires(Area.AUDIT, Level.READ)
def audit(request: TeamRequest) -> HttpResponseBase:
    """The trail, newest first, filtered by the address; `?format=csv` downloads all that matches."""
    filters = AuditFilter(request)
    records = filtered(AuditRecord.objects.for_team(request.team), filters)
    if request.GET.get("format") == "csv":
        return TABLE.csv_response(records.iterator(chunk_size=1000), f"audit-{request.team.slug}.csv")
    size = page_size(request)
    token = page_token(request)
    rows = list(after(records, token)[: size + 1])
    following = token_of(rows[size - 1]) if len(rows) > size else None
    rows = rows[:size]
    page = TokenPage(size=size, shown=len(rows), token=token, next=following)
    table = TABLE.bind(request, rows, page=page, empty=NO_MATCH if filters.values else EMPTY)
    return render(request, "access/audit.html", {"table": table, "filters": filters})


@require_safe
@requires(Area.AUDIT, Level.READ)
def record(request: TeamRequest, pk: int) -> HttpResponseBase:
    """One record of the team's trail."""
    found = get_object_or_404(AuditRecord.objects.for_team(request.team), pk=pk)
    facts = [
        Fact(_("Time"), found.at, kind="when"),
        Fact(_("Ended"), found.closed_at, kind="when"),
        Fact(_("Person"), found.actor_label),
        Fact(_("Target"), found.target, copy=True),
        Fact(_("Connection"), found.connection),
        Fact(_("Job"), found.job),
        Fact(_("Code"), found.code, kind="code", copy=True),
        Fact(_("Message"), found.message),
        Fact(_("Request ID"), found.request_id, kind="code", copy=True),
        Fact(_("Address"), found.ip),
        Fact(_("Browser"), found.user_agent),
    ]
    context = {"record": found, "facts": [fact for fact in facts if fact.value not in (None, "")]}
    return render(request, "access/audit_record.html", context | {"parameters": _read(found)})


def _read(found: AuditRecord) -> list[tuple[str, str]]:
    """The parameters as text: lists in one line each, structures as JSON."""

    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return [
        (name, ", ".join(map(text, value)) if isinstance(value, list) else text(value))
        for name, value in found.parameters.items()
    ]


def filtered(records: AuditQuerySet, filters: AuditFilter) -> AuditQuerySet:
    """The records that the filters leave."""
    values = filters.values
    if "q" in values:
        records = records.filter(target__icontains=values["q"])
    if "person" in values:
        records = records.filter(actor_label__icontains=values["person"])
    if "operation" in values:
        records = records.filter(operation__istartswith=values["operation"])
    if "outcome" in values:
        records = records.filter(outcome=values["outcome"])
    if filters.start:
        records = records.filter(at__gte=filters.start)
    if filters.end:
        records = records.filter(at__lt=filters.end)
    return records


def token_of(last: AuditRecord) -> str:
    """Where the page after `last` begins: pages are found by time and id, so page 1,000 costs what page 1 does."""
    return f"{last.at.astimezone(UTC).isoformat()}_{last.pk}"


def after(records: AuditQuerySet, token: str) -> AuditQuerySet:
    """The records older than the one of the token; all for "". Raises BadRequest for what is no token."""
    if not token:
        return records
    moment, _separator, number = token.rpartition("_")
    try:
        at, pk = datetime.fromisoformat(moment), int(number)
    except ValueError as error:
        raise BadRequest("no such page") from error
    if at.tzinfo is None or not 0 <= pk < 2**63:
        raise BadRequest("no such page")
    return records.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
