"""The pages of the audit trail: records, read counts, and a single record."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from console.accounts.http import TeamRequest
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.audit.filters import AuditFilter, ReadsFilter
from console.audit.jsonl import build_jsonl_download
from console.audit.models import AuditRecord, ReadCount
from console.audit.operation_labels import operation_label
from console.audit.search import list_actors, list_operations, read_page, search_records
from console.ui.csv import Download
from console.ui.format import join_words
from console.ui.paging import Page, TokenPage, page_number, page_size, page_token
from console.ui.pieces import DetailItem, MenuItem, Tab
from console.ui.tables import Column, Empty, Table


@dataclass(frozen=True)
class ParameterRow:
    """A parameter of a record as the page shows it: the values before and after the action, as text.

    `has_before`: whether the value before the action is known.
    """

    name: str
    before: str
    after: str
    has_before: bool

    @property
    def is_changed(self) -> bool:
        """Whether an edit changed the value. Changes of masked values are not detected."""
        return self.has_before and self.before != self.after


PARAMETERS: Table[ParameterRow] = Table(
    id="values",
    caption=_("Parameters"),
    columns=[
        Column("name", _("Parameter"), template="teams/_value_name.html", primary=True),
        Column("after", _("Value")),
    ],
)
PARAMETERS_WITH_BEFORE: Table[ParameterRow] = replace(
    PARAMETERS,
    columns=[PARAMETERS.columns[0], Column("before", _("Before")), Column("after", _("After"))],
)


def record_url(request: HttpRequest, record: AuditRecord) -> str:
    """Return the URL of a record's page, in the request's team."""
    return reverse("teams:audit-record", args=[request.team.slug, record.pk])  # type: ignore[attr-defined]


RECORDS: Table[AuditRecord] = Table(
    id="audit",
    caption=_("Audit trail"),
    columns=[
        Column("at", _("Time"), kind="exact_time", link=record_url, primary=True, sort=True),
        Column("actor_label", _("User")),
        Column(
            "operation",
            _("Operation"),
            value=lambda record: record.operation_label,
            csv=lambda record: record.operation,
        ),
        Column("target", _("Target")),
        Column("outcome", _("Outcome"), kind="status", status="audit"),
        Column("connection", _("Connection"), narrow=False),
        Column("token", _("API token"), hidden=True),
        Column("code", _("Code"), kind="code", hidden=True),
        Column("message", _("Message"), hidden=True),
        Column("request_id", _("Request ID"), kind="code", hidden=True),
        Column("ip", _("IP address"), hidden=True),
        Column("user_agent", _("Browser"), hidden=True),
        Column("job", _("Job"), kind="number", hidden=True),
    ],
    export=True,
    lines=True,
    default_sort="-at",
)
"""Sorted by time alone: each index of the records ends with it, so a page among a million records is read in either direction of
the time without sorting them, whatever the filters. Users and operations are found by their filters."""
NO_RECORDS = Empty(
    _("No records yet"),
    _("Changes by users and jobs, sign-ins and revealed secrets appear here."),
    "history",
)
READ_COUNTS: Table[ReadCount] = Table(
    id="reads",
    caption=_("Reads"),
    columns=[
        Column("day", _("Day"), value=lambda row: row.day.isoformat(), primary=True, sort=True),
        Column("actor_label", _("User"), sort=True),
        Column("operation", _("Operation"), kind="operation", sort=True),
        Column("connection", _("Connection"), sort=True),
        Column("count", _("Number of reads"), kind="number", sort=True),
    ],
    export=True,
    default_sort="-day",
)
READ_COUNTS_ORDER = ("-day", "actor_label", "operation", "connection")
NO_READS = Empty(_("No reads yet"), _("Read operations of users and programs are counted by day."), "eye")
NO_READ_MATCHES = Empty(_("No matching reads"), _("Remove a filter, or change the search."), "filter-off")
NO_MATCHES = Empty(_("No matching records"), _("Remove a filter, or change the search."), "filter-off")


def audit_menu_items(request: TeamRequest, **filters: object) -> list[MenuItem]:
    """Return the menu item that leads to the audit page with these filters; [] for users who may not read the audit trail."""
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        return []
    url = f"{reverse('teams:audit', args=[request.team.slug])}?{urlencode(filters)}"
    return [MenuItem(_("Audit trail"), url, "history")]


def _build_tabs(request: TeamRequest, current: str) -> list[Tab]:
    pages = [("teams:audit", _("Records")), ("teams:audit-reads", _("Reads"))]
    return [Tab(label, reverse(name, args=[request.team.slug]), name == current) for name, label in pages]


def _connection_slugs(request: TeamRequest) -> list[str]:
    return list(request.team.connections.values_list("slug", flat=True))


@require_safe
@requires(Area.AUDIT, Level.READ)
def audit(request: TeamRequest) -> HttpResponseBase:
    """List the records by time, newest first by default, filtered by the query; `?format=csv` or `jsonl` downloads all matching records."""
    filters = AuditFilter(request)
    records = search_records(request.team, filters.query)
    is_oldest_first = RECORDS.sort(request) == "at"
    if is_oldest_first:
        records = records.reverse()
    file_format = request.GET.get("format")
    if file_format == "csv":
        lines = RECORDS.csv_lines(records.iterator(chunk_size=1000))
        return Download(lines, f"audit-{request.team.slug}.csv", operation="audit.export")
    if file_format == "jsonl":
        return build_jsonl_download(request.team, records)
    size, token = page_size(request), page_token(request)
    rows, next_token = read_page(records, token, size, oldest_first=is_oldest_first)
    page = TokenPage(size=size, shown=len(rows), token=token, next=next_token)
    table = RECORDS.bind(request, rows, page=page, empty=NO_MATCHES if filters.values else NO_RECORDS)
    context = {
        "table": table,
        "filters": filters,
        "tabs": _build_tabs(request, "teams:audit"),
        "operations": [(code, operation_label(code)) for code in list_operations(request.team)],
        "actors": list_actors(request.team),
        "connections": _connection_slugs(request),
    }
    return render(request, "teams/audit.html", context)


@require_safe
@requires(Area.AUDIT, Level.READ)
def reads(request: TeamRequest) -> HttpResponseBase:
    """List the read counts by day; `?format=csv` downloads all matching rows."""
    filters = ReadsFilter(request)
    counts = ReadCount.objects.filter(team=request.team, **filters.lookups).order_by(
        *READ_COUNTS.order_by(request, *READ_COUNTS_ORDER)
    )
    if request.GET.get("format") == "csv":
        lines = READ_COUNTS.csv_lines(counts.iterator(chunk_size=1000))
        return Download(lines, f"reads-{request.team.slug}.csv", operation="audit.export_reads")
    number, size = page_number(request), page_size(request)
    rows = counts[(number - 1) * size : number * size]
    page = Page(number, size, counts.count())
    table = READ_COUNTS.bind(request, rows, page=page, empty=NO_READ_MATCHES if filters.values else NO_READS)
    context = {
        "table": table,
        "filters": filters,
        "tabs": _build_tabs(request, "teams:audit-reads"),
        "connections": _connection_slugs(request),
    }
    return render(request, "teams/audit_reads.html", context)


@require_safe
@requires(Area.AUDIT, Level.READ)
def record(request: TeamRequest, pk: int) -> HttpResponseBase:
    """Show a record of the team."""
    audit_record = get_object_or_404(AuditRecord.objects.for_team(request.team), pk=pk)
    details = [
        DetailItem(_("Time"), audit_record.at, kind="time"),
        DetailItem(_("End time"), audit_record.closed_at, kind="time"),
        DetailItem(_("Operation"), audit_record.operation, kind="code"),
        DetailItem(_("User"), audit_record.actor_label),
        DetailItem(_("API token"), audit_record.token),
        DetailItem(_("Target"), audit_record.target, copy=True),
        DetailItem(_("Connection"), audit_record.connection),
        DetailItem(_("Job"), audit_record.job),
        DetailItem(_("Code"), audit_record.code, kind="code", copy=True),
        DetailItem(_("Message"), audit_record.message),
        DetailItem(_("Request ID"), audit_record.request_id, kind="code", copy=True),
        DetailItem(_("IP address"), audit_record.ip),
        DetailItem(_("Browser"), audit_record.user_agent),
        DetailItem(_("Integrity"), _describe_chain_entries(audit_record)),
    ]
    context = {
        "record": audit_record,
        # Whether the connection still exists, so that its pages can be linked.
        "connection_exists": request.team.connections.filter(slug=audit_record.connection).exists(),
        "details": [item for item in details if item.value not in (None, "")],
        "table": (PARAMETERS if audit_record.before is None else PARAMETERS_WITH_BEFORE).bind(
            request, _parameter_rows(audit_record)
        ),
    }
    return render(request, "teams/audit_record.html", context)


def _describe_chain_entries(record: AuditRecord) -> str:
    """Return the numbers of the record's entries in the team's hash chain as text; "" if it has none."""
    numbers = [number for number in (record.opened_number, record.closed_number) if number]
    if not numbers:
        return ""
    text = ngettext("Hash chain entry %(numbers)s", "Hash chain entries %(numbers)s", len(numbers))
    return text % {"numbers": join_words(map(str, numbers))}


def _parameter_rows(record: AuditRecord) -> list[ParameterRow]:
    """Return the parameters by name, with their values before the action if they are known."""
    before, after = record.before or {}, record.parameters
    return [
        ParameterRow(
            name,
            _format_value(before.get(name, "")),
            _format_value(after.get(name, "")),
            has_before=name in before,
        )
        for name in sorted({*after, *before})  # PostgreSQL stores the names in a different order
    ]


def _format_value(value: Any) -> str:
    """Return a value as text: a list in one line, a flat structure as names and values, a nested one as JSON."""
    if isinstance(value, list):
        return ", ".join(map(_format_value, value))
    if isinstance(value, dict) and not any(isinstance(part, dict | list) for part in value.values()):
        return " · ".join(f"{name}: {_format_value(part)}" for name, part in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
