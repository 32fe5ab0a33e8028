"""The tables of jobs and of the items of a job."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import Item, Job
from console.jobs.outcomes import explain
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.tables import Column, Table


def job_title(job: Job) -> str:
    return kinds.get(job.kind).title(job)


def _link(request: HttpRequest, job: Job) -> str:
    return connection_url(request, "jobs:detail", job.pk)


_DONE = F("succeeded") + F("failed")
JOBS: Table[Job] = Table(
    id="jobs",
    caption=_("Jobs"),
    columns=[
        Column("title", _("Job"), value=job_title, link=_link, primary=True),
        Column("kind", _("Type"), value=lambda job: kinds.get(job.kind).label, hidden=True, sort=True),
        Column("state", _("Status"), kind="status", status="job", sort=True),
        Column("done", _("Progress"), template="jobs/_progress.html", csv=lambda job: job.done, sort=_DONE),
        Column("total", _("Items"), kind="number", hidden=True, sort=True),
        Column("failed", _("Failed"), kind="number", hidden=True, sort=True),
        Column(
            "person",
            _("User"),
            value=lambda job: str(job.started_by or job.created_by or "–"),
            sort=Coalesce("started_by__email", "created_by__email"),
        ),
        Column("created_at", _("Created"), kind="time", sort=True),
        Column("finished_at", _("Finished"), kind="time", hidden=True, sort=True),
    ],
    export=True,
    default_sort="-created_at",
)


def _reason(item: Item) -> str:
    return explain(item.outcome, item.reason, item.data, kinds.get(item.job.kind))


def item_columns(kind: Kind[Any]) -> list[Column[Item]]:
    """Return the columns that name the items of a kind."""
    if kind.items is None:
        return []
    items = kind.items
    key: Column[Item] = Column("key", items.key.label, value=lambda item: item.key or "–", primary=True)
    position: Column[Item] = Column("number", items.number.label, value=lambda item: number(item.number))
    return [key, position, *([Column("label", items.label.label)] if items.label else [])]


def build_item_table(kind: Kind[Any]) -> Table[Item]:
    """Return the table of a job's items with their outcomes."""
    return Table(
        id="items",
        caption=_("Items"),
        columns=[
            *item_columns(kind),
            Column("outcome", _("Status"), kind="status", status=kind.status_kind),
            Column("reason", _("Reason"), value=_reason),
        ],
    )
