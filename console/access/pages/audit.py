"""The audit page: what was done, by whom, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access.audit.filters import AuditFilter, ReadsFilter
from console.access.audit.lines import download
from console.access.audit.searching import operations, part, people, search
from console.access.http import TeamRequest
from console.access.models import AuditRecord, ReadCount
from console.access.permissions import requires
from console.access.roles import Area, Level
from console.ui.csv import Download
from console.ui.format import in_a_row
from console.ui.paging import Page, TokenPage, page_number, page_size, page_token
from console.ui.pieces import DetailItem, MenuItem, Tab
from console.ui.tables import Column, Empty, Table


@dataclass(frozen=True)
class Value:
    """One parameter of a record as the page shows it: what was there and what was written, as text.

    `edited`: whether it is known what was there.
    """

    name: str
    before: str
    after: str
    edited: bool

    @property
    def changed(self) -> bool:
        """Whether an edit changed it; of what is masked it cannot be told."""
        return self.edited and self.before != self.after


VALUES: Table[Value] = Table(
    id="values",
    caption=_("Parameters"),
    columns=[
        Column("name", _("Parameter"), template="access/_value_name.html", primary=True),
        Column("after", _("Value")),
    ],
)
EDITED: Table[Value] = replace(
    VALUES, columns=[VALUES.columns[0], Column("before", _("Before")), Column("after", _("After"))]
)


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
        Column("token", _("API token"), hidden=True),
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
READS: Table[ReadCount] = Table(
    id="reads",
    caption=_("Reads"),
    columns=[
        Column("day", _("Day"), value=lambda row: row.day.isoformat(), primary=True),
        Column("actor_label", _("Person")),
        Column("operation", _("Operation"), kind="code"),
        Column("connection", _("Connection")),
        Column("count", _("Reads"), kind="number"),
    ],
    export=True,
)
READS_ORDER = ("-day", "actor_label", "operation", "connection")
NO_READS = Empty(
    _("Nothing read yet"), _("What people and programs read from the cloud is counted by day."), "eye"
)
NO_READ_MATCHES = Empty(_("No count matches"), _("Change or clear the filters."), "filter-off")
NO_MATCH = Empty(_("No record matches"), _("Change or clear the filters."), "filter-off")


def trail_items(request: TeamRequest, **wanted: object) -> list[MenuItem]:
    """The line of a page's menu that leads to the records of what it shows, by filters of the audit page.

    None for those who may not read the trail.
    """
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        return []
    url = f"{reverse('access:audit', args=[request.team.slug])}?{urlencode(wanted)}"
    return [MenuItem(_("Audit trail"), url, "history")]


def _tabs(request: TeamRequest, here: str) -> list[Tab]:
    named = [("access:audit", _("Records")), ("access:audit-reads", _("Reads"))]
    return [Tab(label, reverse(name, args=[request.team.slug]), name == here) for name, label in named]


def _connections(request: TeamRequest) -> list[str]:
    return list(request.team.connections.values_list("slug", flat=True))


@require_safe
@requires(Area.AUDIT, Level.READ)
def audit(request: TeamRequest) -> HttpResponseBase:
    """The trail, newest first, filtered by the address; `?format=csv` or `jsonl` downloads all that matches."""
    filters = AuditFilter(request)
    records = search(request.team, filters.wanted)
    form = request.GET.get("format")
    if form == "csv":
        lines = TABLE.csv_lines(records.iterator(chunk_size=1000))
        return Download(lines, f"audit-{request.team.slug}.csv", act="audit.export")
    if form == "jsonl":
        return download(request.team, records)
    size, token = page_size(request), page_token(request)
    rows, following = part(records, token, size)
    page = TokenPage(size=size, shown=len(rows), token=token, next=following)
    table = TABLE.bind(request, rows, page=page, empty=NO_MATCH if filters.values else EMPTY)
    context = {
        "table": table,
        "filters": filters,
        "tabs": _tabs(request, "access:audit"),
        "operations": operations(request.team),
        "people": people(request.team),
        "connections": _connections(request),
    }
    return render(request, "access/audit.html", context)


@require_safe
@requires(Area.AUDIT, Level.READ)
def reads(request: TeamRequest) -> HttpResponseBase:
    """How often who read what from the cloud, by day; `?format=csv` downloads all that matches."""
    filters = ReadsFilter(request)
    found = ReadCount.objects.filter(team=request.team, **filters.lookups).order_by(*READS_ORDER)
    if request.GET.get("format") == "csv":
        name = f"reads-{request.team.slug}.csv"
        return READS.csv_response(found.iterator(chunk_size=1000), name)
    number, size = page_number(request), page_size(request)
    rows = found[(number - 1) * size : number * size]
    page = Page(number, size, found.count())
    table = READS.bind(request, rows, page=page, empty=NO_READ_MATCHES if filters.values else NO_READS)
    context = {
        "table": table,
        "filters": filters,
        "tabs": _tabs(request, "access:audit-reads"),
        "connections": _connections(request),
    }
    return render(request, "access/audit_reads.html", context)


@require_safe
@requires(Area.AUDIT, Level.READ)
def record(request: TeamRequest, pk: int) -> HttpResponseBase:
    """One record of the team's trail."""
    found = get_object_or_404(AuditRecord.objects.for_team(request.team), pk=pk)
    facts = [
        DetailItem(_("Time"), found.at, kind="when"),
        DetailItem(_("Ended"), found.closed_at, kind="when"),
        DetailItem(_("Person"), found.actor_label),
        DetailItem(_("API token"), found.token),
        DetailItem(_("Target"), found.target, copy=True),
        DetailItem(_("Connection"), found.connection),
        DetailItem(_("Job"), found.job),
        DetailItem(_("Code"), found.code, kind="code", copy=True),
        DetailItem(_("Message"), found.message),
        DetailItem(_("Request ID"), found.request_id, kind="code", copy=True),
        DetailItem(_("Address"), found.ip),
        DetailItem(_("Browser"), found.user_agent),
        DetailItem(_("Seals"), _numbers(found)),
    ]
    context = {
        "record": found,
        # Whether what it was done on is still there, to be looked at.
        "reached": request.team.connections.filter(slug=found.connection).exists(),
        "facts": [fact for fact in facts if fact.value not in (None, "")],
        "table": (VALUES if found.before is None else EDITED).bind(request, _values(found)),
    }
    return render(request, "access/audit_record.html", context)


def _numbers(found: AuditRecord) -> str:
    """Which links of the team's chain the record is."""
    numbers = [number for number in (found.opened_number, found.closed_number) if number]
    return (
        gettext("Links %(numbers)s of the chain") % {"numbers": in_a_row(map(str, numbers))}
        if numbers
        else ""
    )


def _values(found: AuditRecord) -> list[Value]:
    """The parameters by name, and what an edit found in their place."""
    before = found.before or {}
    names = sorted({*found.parameters, *before})  # PostgreSQL keeps an order of its own
    return [
        Value(name, _said(before.get(name, "")), _said(found.parameters.get(name, "")), edited=name in before)
        for name in names
    ]


def _said(value: Any) -> str:
    """A value as text: lists in one line, a structure as its names and values, one that holds others as JSON."""
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, dict) and not any(isinstance(part, dict | list) for part in value.values()):
        return " · ".join(f"{name}: {_said(part)}" for name, part in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
