"""The tables of jobs and of the rows of a job."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.jobs import kinds
from console.jobs.models import Job, Row
from console.jobs.outcomes import explain
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.tables import Column, Table


def job_title(job: Job) -> str:
    return kinds.get(job.kind).title(job)


def _link(request: HttpRequest, job: Job) -> str:
    return connection_url(request, "jobs:detail", job.pk)


def _reason(row: Row) -> str:
    return explain(row.state, row.reason, row.extra, kinds.get(row.job.kind))


JOBS: Table[Job] = Table(
    id="jobs",
    caption=_("Jobs"),
    columns=[
        Column("title", _("Job"), value=job_title, link=_link, primary=True),
        Column("kind", _("Type"), value=lambda job: kinds.get(job.kind).label, hidden=True),
        Column("state", _("Status"), kind="status", status="job"),
        Column("done", _("Progress"), template="jobs/_progress.html", csv=lambda job: job.done),
        Column("total", _("Rows"), kind="number", hidden=True),
        Column("failed", _("Failed"), kind="number", hidden=True),
        Column("person", _("User"), value=lambda job: str(job.started_by or job.created_by or "–")),
        Column("created_at", _("Created"), kind="relative_time"),
        Column("finished_at", _("Finished"), kind="time", hidden=True),
    ],
    export=True,
)


def _name(row: Row) -> str:
    return row.name or "–"


def _row_number(row: Row) -> str:
    return number(row.number)


ROWS: Table[Row] = Table(
    id="rows",
    caption=_("Rows"),
    columns=[
        Column("name", _("Device name"), value=_name, primary=True),
        Column("number", _("Row"), value=_row_number),
        Column("nickname", _("Nickname")),
        Column("state", _("Status"), kind="status", status="row"),
        Column("reason", _("Reason"), value=_reason),
    ],
)

PREVIEW: Table[Row] = Table(
    id="preview",
    caption=_("Preview"),
    columns=[
        Column("name", _("Device name"), primary=True),
        Column("number", _("Row"), value=_row_number),
        Column("nickname", _("Nickname")),
        Column("tags", _("Tags"), template="jobs/_tags.html"),
    ],
)
