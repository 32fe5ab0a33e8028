"""The latest changes on a connection, one entry for all changes of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from console.accounts.roles import Area, Level
from console.audit.entries import Entry, read_entries
from console.audit.models import AuditRecord
from console.audit.search import filter_kind
from console.audit.sentences import RecordKind
from console.connections.http import CloudRequest
from console.dashboard.attention import job_page
from console.jobs.models import Job, JobQuerySet

_SHOWN = 6


@dataclass(frozen=True)
class Change:
    """A change, or all changes of a job: a sentence, and a page about it ("" for none). `status`: an outcome of the audit trail."""

    text: str
    url: str
    status: str
    at: datetime
    actor: str


def find_changes(request: CloudRequest, jobs: JobQuerySet) -> list[Change]:
    """Return the latest changes on this connection: all of them for members who may read the audit trail, else only the user's
    own. `jobs`: those that the member may see."""
    records = AuditRecord.objects.for_team(request.team).filter(connection=request.connection.slug)
    may_read_all = request.membership.has_level(Area.AUDIT, Level.READ)
    if not may_read_all:
        records = records.filter(actor=request.membership.user)
    changes = filter_kind(records, request.team, RecordKind.CHANGE).exclude(operation="connection.test")
    entries, _next_page = read_entries(changes, "", _SHOWN)
    visible = jobs.in_bulk([entry.record.job for entry in entries if entry.record.job])

    def find_page(entry: Entry) -> str:
        job: Job | None = visible.get(entry.record.job or 0)
        if job is not None:
            return job_page(request, job)
        return (
            reverse("teams:audit-record", args=[request.team.slug, entry.record.pk]) if may_read_all else ""
        )

    return [
        Change(entry.sentence, find_page(entry), entry.outcome, entry.at, entry.record.actor_label)
        for entry in entries
    ]
