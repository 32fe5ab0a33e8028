"""The tables of jobs and of the items of a job."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.jobs import kinds
from console.jobs.kinds import Kind
from console.jobs.models import STALLED_AFTER, Item, Job
from console.jobs.outcomes import explain
from console.ui.format import number
from console.ui.links import connection_url
from console.ui.tables import Column, Table

_SHARE_FOR_ESTIMATE = 0.05  # the part of the items that must be done before their rate tells something


def job_title(job: Job) -> str:
    return kinds.get(job.kind).title(job)


def estimate_time_left(job: Job) -> float | None:
    """Return the seconds until a job ends at its rate so far; None if they cannot be estimated: at its start, and when nothing was
    done for a while."""
    rate = job.rate()
    if job.state != Job.State.RUNNING or not rate or not kinds.get(job.kind).estimates_time:
        return None
    if job.advanced_at is None or timezone.now() - job.advanced_at > STALLED_AFTER:
        return None
    is_early = job.done < job.total * _SHARE_FOR_ESTIMATE
    return None if is_early or job.done >= job.total else (job.total - job.done) / rate


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
        Column("finished_at", _("Ended"), kind="time", hidden=True, sort=True),
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
    hides_key = items.shows_labels and items.label is not None
    key: Column[Item] = Column(
        "key",
        items.key.label,
        value=lambda item: item.key or "–",
        link=items.link,
        primary=not hides_key,
        hidden=hides_key,
    )
    position: Column[Item] = Column("number", items.number.label, value=lambda item: number(item.number))
    if items.label is None:
        return [key, position]
    if hides_key:
        name: Column[Item] = Column(
            "label", items.label.label, value=lambda item: item.label or item.key, primary=True
        )
        return [name, position, key]
    return [key, position, Column("label", items.label.label)]


def build_item_table(kind: Kind[Any], *, with_outcomes: bool = True) -> Table[Item]:
    """Return the table of a job's items, with their outcomes unless the job has not started."""
    outcomes: list[Column[Item]] = [
        Column("outcome", _("Status"), kind="status", status=kind.status_kind),
        Column("reason", _("Reason"), value=_reason),
    ]
    return Table(
        id="items",
        caption=_("Items"),
        columns=[*item_columns(kind), *(outcomes if with_outcomes else [])],
    )
