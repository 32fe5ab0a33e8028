"""Builds the contexts of a job's pages, so that views and templates stay small."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import Count, Min, Q
from django.utils.translation import gettext

from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.delays import DELAY_TEXTS
from console.jobs.forms import ItemFilters
from console.jobs.listing import build_item_table, estimate_time_left, job_title
from console.jobs.models import Chunk, Item, Job, retryable_items
from console.jobs.outcomes import explain
from console.jobs.visibility import visible_jobs
from console.teams.pages.audit import audit_menu_items
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from iot_client.errors import CloudError, classify

_SHOWN_EVENTS = 30
_SHOWN_FAILURES = 10
_TONES = {"info": "wait", "warning": "warn", "error": "bad"}
_BAR_TONES = {Job.State.SUCCEEDED: "good", Job.State.PARTIAL: "warn", Job.State.FAILED: "bad"}
_TONE_ORDER = ("bad", "warn")  # the outcomes that need attention are first
_ICONS = {"info": "info-circle", "warning": "alert-triangle", "error": "alert-circle"}


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
        "events": _list_events(job),
        "outcomes": _outcomes(job, kind),
        "failures": _list_failures(job, kind) if job.is_finished and job.failed else [],
        "stages": list_stages(kind.pages.first_stage(job), "review" if job.is_draft else "run")
        if not job.is_finished
        else [],
        "steps": _steps(job, kind) if job.is_active else [],
        "has_results": kind.items is not None and job.total > 0,
        "bar_tone": _BAR_TONES.get(Job.State(job.state), ""),
        "time_left": estimate_time_left(job),
        "delay": _delay(job) if job.is_active else None,
        "trail": audit_menu_items(request, job=job.pk),
        "digest": f"{job.state}-{job.done}-{job.failed}-{job.skipped}",
        **kind.pages.context(request, job),
    }


def _list_events(job: Job) -> list[dict[str, Any]]:
    """Return the newest events: time, text, tone and icon."""
    events = [
        {"time": event.at, "text": event.text, "tone": _TONES[event.level], "icon": _ICONS[event.level]}
        for event in job.events.all()[:_SHOWN_EVENTS]
    ]
    if events and job.state == Job.State.SUCCEEDED:  # the newest event is the end of the job
        events[0] |= {"tone": "good", "icon": "circle-check"}
    return events


def list_stages(first: kinds.Text, current: Literal["first", "review", "run"]) -> list[dict[str, Any]]:
    """Return the stages of a job that a user reviews before it starts, with the current one; [] if `first` has no name."""
    stages = {"first": first, "review": gettext("Review"), "run": gettext("Run")} if first else {}
    at = list(stages).index(current) if stages else 0
    return [
        {"label": label, "is_done": number < at, "is_current": number == at}
        for number, label in enumerate(stages.values())
    ]


def _outcomes(job: Job, kind: kinds.Kind[Any]) -> list[dict[str, Any]]:
    """Return the number of items by outcome, those that need attention first, with label, tone and icon."""
    counts = {state: n for state, n in job.counts.items() if n and state != Item.Outcome.PENDING}
    if kind.items is not None and job.skipped:
        counts[Item.Outcome.SKIPPED] = job.skipped
    if not kind.status_kind:
        return []
    statuses = [(state, n, status(kind.status_kind, state)) for state, n in counts.items()]
    statuses.sort(key=lambda item: _TONE_ORDER.index(item[2].tone) if item[2].tone in _TONE_ORDER else 9)
    return [
        {"state": state, "count": n, "label": look.label, "tone": look.tone, "icon": look.icon}
        for state, n, look in statuses
    ]


def _list_failures(job: Job, kind: kinds.Kind[Any]) -> list[dict[str, Any]]:
    """Return why items failed, by outcome and reason, the most frequent first: number, outcome, label, tone, icon and text."""
    if kind.items is None:
        return []
    outcomes = {*Item.UNSUCCESSFUL, Item.Outcome.PARTIAL} - {Item.Outcome.CANCELED}
    failed = Item.objects.filter(job=job, outcome__in=outcomes).order_by()
    groups = failed.values("outcome", "reason", "data__code").annotate(n=Count("pk"), example=Min("pk"))
    largest = list(groups.order_by("-n", "example")[:_SHOWN_FAILURES])
    examples = Item.objects.in_bulk([group["example"] for group in largest])
    failures = []
    for group in largest:
        item, look = examples[group["example"]], status(kind.status_kind, group["outcome"])
        text = explain(item.outcome, item.reason, item.data, kind)
        failures.append({"count": group["n"], "state": item.outcome, "look": look, "text": text})
    return failures


def _steps(job: Job, kind: kinds.Kind[Any]) -> list[dict[str, Any]]:
    """Return the current steps: label, number of chunks, and whether they only wait for a worker."""
    active = job.chunks.filter(state=Chunk.State.ACTIVE).order_by()
    waiting = Q(lease="", data={})
    working = dict(active.exclude(waiting).values_list("step").annotate(Count("pk")))
    steps: list[dict[str, Any]] = [
        {"label": step.label, "count": working[name]} for name, step in kind.steps.items() if name in working
    ]
    if count := active.filter(waiting).count():
        steps.append({"label": gettext("Waiting for a worker"), "count": count, "is_waiting": True})
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
    """Return the context of the table of the job's items, with the filters of the URL. Those of a draft have no outcomes yet."""
    kind = kinds.get(job.kind)
    filters = ItemFilters(request, kind, with_outcomes=not job.is_draft)
    items = Item.objects.filter(job=job).select_related("job").order_by("number")
    values = filters.values
    if "q" in values:
        items = items.filter(key__icontains=values["q"])
    if "outcome" in values:
        items = items.filter(outcome=values["outcome"])
    total = items.count() if values else job.total + job.skipped
    page = Page(page_number(request), page_size(request), total)
    shown = items[(page.number - 1) * page.size : page.number * page.size]
    table = build_item_table(kind, with_outcomes=not job.is_draft)
    return {"table": table.bind(request, shown, page=page), "filters": filters}
