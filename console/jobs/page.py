"""Builds the contexts of a job's pages, so that views and templates stay small."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.delays import DELAY_TEXTS
from console.jobs.forms import ItemFilters
from console.jobs.listing import build_item_table, job_title
from console.jobs.models import Chunk, Item, Job, retryable_items
from console.jobs.visibility import visible_jobs
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from iot_client.errors import CloudError, classify

_SHOWN_EVENTS = 30
_TONES = {"info": "", "warning": "warn", "error": "bad"}
_ICONS = {"info": "point", "warning": "alert-triangle", "error": "alert-circle"}
_WAITING = ""


def job_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the context that every page of a job needs."""
    kind = kinds.get(job.kind)
    may = actions.may_control(job, request.gateway)
    may_retry = (
        may
        and job.is_finished
        and kind.retry_params is not None
        and any(map(job.counts.get, Item.RETRYABLE))
        and retryable_items(job.pk).exists()
    )
    return {
        "job": job,
        "kind": kind,
        "params": kind.params.read(job),
        "title": job_title(job),
        "person": job.started_by or job.created_by,
        "may": may,
        "may_retry": may_retry,
        "children": [
            (child, job_title(child))
            for child in visible_jobs(request.gateway).filter(parent=job).order_by("pk")
        ],
        "parent_title": job_title(job.parent) if job.parent else "",
        "error": _cloud_error(job),
        "events": [
            {"time": event.at, "title": event.text, "tone": _TONES[event.level], "icon": _ICONS[event.level]}
            for event in job.events.all()[:_SHOWN_EVENTS]
        ],
        "outcomes": _outcomes(job, kind),
        "steps": _steps(job, kind) if job.is_active else [],
        "delay": _delay(job) if job.is_active else None,
        "now": timezone.now(),
        "digest": f"{job.state}-{job.done}-{job.failed}-{job.skipped}",
        **kind.pages.context(request, job),
    }


def _outcomes(job: Job, kind: kinds.Kind[Any]) -> list[dict[str, Any]]:
    """Return the number of items by outcome, with label, tone and icon."""
    counts = {state: n for state, n in job.counts.items() if n and state != Item.Outcome.PENDING}
    if kind.items is not None and job.skipped:
        counts[Item.Outcome.SKIPPED] = job.skipped
    if not kind.status_kind:
        return []
    statuses = [(state, n, status(kind.status_kind, state)) for state, n in counts.items()]
    return [
        {"state": state, "count": n, "label": look.label, "tone": look.tone, "icon": look.icon}
        for state, n, look in statuses
    ]


def _steps(job: Job, kind: kinds.Kind[Any]) -> list[dict[str, Any]]:
    """Return the current steps: label, number of chunks, and whether they only wait for a worker."""
    parts = job.chunks.filter(state=Chunk.State.ACTIVE).values_list("step", "lease", "data")
    counts = Counter(_WAITING if not lease and not data else step for step, lease, data in parts)
    steps = [
        {"label": step.label, "count": counts[name]} for name, step in kind.steps.items() if name in counts
    ]
    if _WAITING in counts:
        steps.append(
            {"label": gettext("Waiting for a worker"), "count": counts[_WAITING], "is_waiting": True}
        )
    return steps


def _delay(job: Job) -> dict[str, Any] | None:
    """Return why the job waits and until when; None when it does not wait."""
    chunk = job.chunks.filter(state=Chunk.State.ACTIVE).exclude(delay_reason="").order_by("next_at").first()
    if chunk is None:
        return None
    return {"text": DELAY_TEXTS[chunk.delay_reason], "next_at": chunk.next_at, **chunk.data.get("delay", {})}


def _cloud_error(job: Job) -> CloudError | None:
    """Return the cloud error that stopped the job; None for none."""
    data = (job.error or {}).get("cloud")
    if not data:
        return None
    return classify(data["code"])(
        data["code"], data["message"], operation=data["operation"], request_id=data["request_id"]
    )


def items_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the context of the table of the job's items, with the filters of the URL."""
    kind = kinds.get(job.kind)
    filters = ItemFilters(request, kind)
    items = Item.objects.filter(job=job).select_related("job").order_by("number")
    values = filters.values
    if "q" in values:
        items = items.filter(key__icontains=values["q"])
    if "outcome" in values:
        items = items.filter(outcome=values["outcome"])
    total = items.count() if values else job.total + job.skipped
    page = Page(page_number(request), page_size(request), total)
    shown = items[(page.number - 1) * page.size : page.number * page.size]
    return {"table": build_item_table(kind).bind(request, shown, page=page), "filters": filters}
