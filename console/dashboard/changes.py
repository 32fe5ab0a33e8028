"""The latest changes on a connection, one entry for all changes of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext

from console.accounts.roles import Area, Level
from console.audit.models import AuditQuerySet, AuditRecord
from console.connections.http import CloudRequest
from console.dashboard.attention import job_page
from console.jobs.listing import job_title
from console.jobs.models import Job, JobQuerySet

SHOWN = 6
_PAGE = 50  # records read at once
# Recorded, but they change nothing on the connection.
_NO_CHANGE = Q(operation__endswith=".export") | Q(operation="connection.test")


@dataclass(frozen=True)
class Change:
    """A change, or all changes of a job. `status` is a status of the kind `kind`; `target` is "" for a job."""

    text: str | Promise
    target: str
    url: str
    kind: str
    status: str
    at: datetime
    actor: str


def find_changes(request: CloudRequest, jobs: JobQuerySet) -> list[Change]:
    """Return the latest changes on this connection: all of them for members who may read the audit trail, else only the user's
    own. `jobs`: those that the member may see."""
    records = AuditRecord.objects.for_team(request.team).filter(connection=request.connection.slug)
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        records = records.filter(actor=request.membership.user)
    newest = _find_newest(records.exclude(_NO_CHANGE).defer("parameters", "before"))
    visible = jobs.in_bulk([record.job for record in newest if record.job])
    return [_describe(request, record, visible.get(record.job or 0)) for record in newest]


def _find_newest(records: AuditQuerySet) -> list[AuditRecord]:
    """Return the newest record of each job, and those without a job, newest first. A job may have thousands of records."""
    newest: dict[str, AuditRecord] = {}
    for _round in range(SHOWN):  # each reads past the jobs that are known
        known = [record.job for record in newest.values() if record.job]
        page = list(records.exclude(job__in=known)[:_PAGE])
        for record in page:
            newest.setdefault(f"job {record.job}" if record.job else f"record {record.pk}", record)
        if len(newest) >= SHOWN or len(page) < _PAGE:
            break
    return list(newest.values())[:SHOWN]


def _describe(request: CloudRequest, record: AuditRecord, job: Job | None) -> Change:
    if job is not None:
        return Change(
            job_title(job), "", job_page(request, job), "job", job.state, record.at, record.actor_label
        )
    text = gettext("Job %(number)s") % {"number": record.job} if record.job else record.operation_label
    target = "" if record.job else record.target
    return Change(text, target, "", "audit", record.outcome, record.at, record.actor_label)
