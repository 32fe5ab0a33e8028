"""The pages of the audit trail: records, read counts, and a single record."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.accounts.http import TeamRequest
from console.accounts.models import User
from console.accounts.permissions import requires
from console.accounts.roles import Area, Level
from console.audit.entries import Entry, read_entries
from console.audit.filters import AuditFilter, ReadsFilter
from console.audit.jsonl import build_jsonl_download
from console.audit.models import AuditRecord, ReadCount
from console.audit.search import list_actors, list_operations, search_records
from console.audit.sentences import describe_operation
from console.sign_in.user_agents import describe_device
from console.ui.csv import Download
from console.ui.format import join_words, time_element
from console.ui.paging import Page, TokenPage, page_number, page_size, page_token
from console.ui.pieces import DetailItem, MenuItem, Tab
from console.ui.tables import BoundTable, Column, Empty, Table


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
    columns=[
        PARAMETERS.columns[0],
        Column("before", _("Before"), labeled=True),
        Column("after", _("After"), labeled=True),
    ],
)


def _of_record(key: str, label: Promise, **options: Any) -> Column[Entry]:
    """Create a column of entries that shows a field of the record."""
    return Column(key, label, value=lambda entry: getattr(entry.record, key), **options)


ENTRIES: Table[Entry] = Table(
    id="audit",
    caption=_("Audit trail"),
    columns=[
        Column("sentence", _("Action"), template="teams/_audit_action.html", primary=True),
        _of_record("actor_label", _("User")),
        Column("at", _("Time"), kind="exact_time", sort=True),
        Column("outcome", _("Outcome"), kind="status", status="audit"),
        _of_record("connection", _("Connection"), narrow=False),
        _of_record("target", _("Target"), hidden=True),
        _of_record("token", _("API token"), hidden=True),
        _of_record("message", _("Message"), hidden=True),
        _of_record("ip", _("IP address"), hidden=True),
        _of_record("user_agent", _("Browser"), hidden=True),
        _of_record("job", _("Job"), kind="number", hidden=True),
    ],
    export=True,
    lines=True,
    default_sort="-at",
)
"""Sorted by time alone: each index of the records ends with it, so a page among a million records is read in either direction of
the time without sorting them, whatever the filters. Users and operations are found by their filters."""
# The newest actions of one user.
USER_ENTRIES: Table[Entry] = Table(
    id="user-actions",
    caption=_("Recent actions"),
    columns=[
        column for column in ENTRIES.columns if column.key in {"at", "sentence", "outcome", "connection"}
    ],
)
# The records as the CSV export has them, with the codes of operations.
RECORDS: Table[AuditRecord] = Table(
    id="audit-records",
    caption=_("Audit trail"),
    columns=[
        Column("at", _("Time")),
        Column("actor_label", _("User")),
        Column("operation", _("Operation")),
        Column("target", _("Target")),
        Column("outcome", _("Outcome")),
        Column("connection", _("Connection")),
        Column("token", _("API token")),
        Column("code", _("Code")),
        Column("message", _("Message")),
        Column("request_id", _("Request ID")),
        Column("ip", _("IP address")),
        Column("user_agent", _("Browser")),
        Column("job", _("Job")),
    ],
)
_RECENT_ACTIONS = 10
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


def list_recent_actions(request: TeamRequest, user: User) -> BoundTable[Entry] | None:
    """Return the user's newest actions in the team as a table; None for members who may not read the audit trail."""
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        return None
    records = AuditRecord.objects.for_team(request.team).filter(actor_label=user.label)
    entries, _next = read_entries(records, "", _RECENT_ACTIONS)
    empty = Empty(
        _("No actions yet"), _("Changes, exports and sign-ins of this user appear here."), "history"
    )
    return USER_ENTRIES.bind(request, entries, empty=empty)


def _build_tabs(request: TeamRequest, current: str) -> list[Tab]:
    pages = [("teams:audit", _("Records")), ("teams:audit-reads", _("Reads"))]
    return [Tab(label, reverse(name, args=[request.team.slug]), name == current) for name, label in pages]


def _connection_slugs(request: TeamRequest) -> list[str]:
    return list(request.team.connections.values_list("slug", flat=True))


@require_safe
@requires(Area.AUDIT, Level.READ)
def audit(request: TeamRequest) -> HttpResponseBase:
    """List the records by time, newest first by default, those of a job as one entry, filtered by the query. `?format=csv` or `jsonl`
    downloads all matching records."""
    filters = AuditFilter(request)
    records = search_records(request.team, filters.query)
    is_oldest_first = ENTRIES.sort(request) == "at"
    if is_oldest_first:
        records = records.reverse()
    file_format = request.GET.get("format")
    if file_format == "csv":
        lines = RECORDS.csv_lines(records.iterator(chunk_size=1000))
        return Download(lines, f"audit-{request.team.slug}.csv", operation="audit.export")
    if file_format == "jsonl":
        return build_jsonl_download(request.team, records)
    size = page_size(request)
    token, first_row = page_token(request)
    entries, next_token = read_entries(
        records, token, size, by_job="job" not in filters.values, oldest_first=is_oldest_first
    )
    page = TokenPage(size, len(entries), first_row, next_token)
    table = ENTRIES.bind(request, entries, page=page, empty=NO_MATCHES if filters.values else NO_RECORDS)
    context = {
        "table": table,
        "filters": filters,
        "tabs": _build_tabs(request, "teams:audit"),
        "operations": [(code, describe_operation(code)) for code in list_operations(request.team)],
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
    connection_exists = request.team.connections.filter(slug=audit_record.connection).exists()
    summary = [
        DetailItem(_("Outcome"), audit_record.outcome, kind="status", status="audit"),
        DetailItem(_("User"), audit_record.actor_label),
        DetailItem(_("Time"), _exact_time(audit_record.at)),
        DetailItem(_("From"), join_words(part for part in _describe_origin(audit_record) if part)),
    ]
    details = [
        DetailItem(_("Message"), audit_record.message, wide=True),
        DetailItem(_("Operation"), audit_record.operation, kind="code"),
        DetailItem(_("Target"), audit_record.target, kind="code", copy=True),
        DetailItem(_("Connection"), audit_record.connection),
        DetailItem(_("Job"), audit_record.job),
        DetailItem(_("Code"), audit_record.code, kind="code", copy=True),
        DetailItem(_("Request ID"), audit_record.request_id, kind="code", copy=True),
        DetailItem(_("Ended"), _exact_time(audit_record.closed_at)),
        DetailItem(_("Integrity"), _describe_chain_entries(audit_record)),
        DetailItem(_("Browser"), audit_record.user_agent, wide=True),
    ]
    context = {
        "record": audit_record,
        # Whether the connection still exists, so that its pages can be linked.
        "connection_exists": connection_exists,
        "summary": [item for item in summary if item.value not in (None, "")],
        "details": [item for item in details if item.value not in (None, "")],
        "table": (PARAMETERS if audit_record.before is None else PARAMETERS_WITH_BEFORE).bind(
            request, _parameter_rows(audit_record)
        ),
    }
    return render(request, "teams/audit_record.html", context)


def _exact_time(moment: datetime | None) -> SafeString | str:
    """Return a moment with seconds and the name of the user's time zone; "" for None."""
    if moment is None:
        return ""
    return format_html("{} {}", time_element(moment, seconds=True), localtime(moment).tzname() or "")


def _describe_origin(record: AuditRecord) -> list[str]:
    """Return where an action came from: the address, the kind of browser, the API token; "" for what is unknown."""
    token = gettext("API token %(token)s") % {"token": record.token} if record.token else ""
    device = describe_device(record.user_agent) if record.user_agent and not record.token else ""
    job = gettext("Job %(job)s") % {"job": record.job} if record.job else ""
    return [record.ip or "", device, token, job]


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
