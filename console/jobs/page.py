"""Builds the contexts of a job's pages, so that views and templates stay small."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.delays import DELAY_TEXTS
from console.jobs.encodings import ENCODING_NAMES
from console.jobs.forms import ColumnsForm, RowFilters
from console.jobs.http import REGISTER, SECRETS
from console.jobs.listing import PREVIEW, ROWS, job_title
from console.jobs.models import Chunk, Job, Row, Secret, retryable_rows
from console.jobs.outcomes import finding_note
from console.jobs.visibility import visible_jobs
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from console.ui.tables import Table
from iot_client.errors import CloudError, classify

_SHOWN_EVENTS = 30
_TONES = {"info": "", "warning": "warn", "error": "bad"}
_ICONS = {"info": "point", "warning": "alert-triangle", "error": "alert-circle"}
_WAITING = ""
_TAGS_PER_SECOND = 40  # SaveDeviceProp: the limit is 50 per second, most of it for background work


def job_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the context that every page of a job needs."""
    kind = kinds.get(job.kind)
    may = actions.may_control(job, request.gateway)
    has_retryable_rows = (
        any(map(job.counts.get, Row.RETRYABLE))
        and job.is_finished
        and kind.has_rows
        and retryable_rows(job.pk).exists()
    )
    created = job.counts.get(Row.State.CREATED, 0) if job.kind == REGISTER else 0
    secrets = None
    if created and kinds.get(SECRETS).is_allowed(request.gateway):
        stored = Secret.objects.filter(job=job, expires_at__gt=timezone.now())
        first = stored.order_by("expires_at").first()
        secrets = {"count": stored.count() if first else 0, "expires": first.expires_at if first else None}
    return {
        "job": job,
        "kind": kind,
        "title": job_title(job),
        "person": job.started_by or job.created_by,
        "may": may,
        "may_retry": has_retryable_rows and may,
        "has_invalid_rows": bool(job.skipped or (job.failed and kind.has_rows)),
        "secrets": secrets if job.is_finished else None,
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
    }


def _outcomes(job: Job, kind: kinds.Kind) -> list[dict[str, Any]]:
    """Return the number of rows by outcome, with label, tone and icon."""
    counts = {state: n for state, n in job.counts.items() if n and state != Row.State.PENDING}
    if kind.has_rows and job.skipped:
        counts[Row.State.SKIPPED] = job.skipped
    if not kind.status_kind:
        return []
    statuses = [(state, n, status(kind.status_kind, state)) for state, n in counts.items()]
    return [
        {"state": state, "count": n, "label": look.label, "tone": look.tone, "icon": look.icon}
        for state, n, look in statuses
    ]


def _steps(job: Job, kind: kinds.Kind) -> list[dict[str, Any]]:
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


def rows_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the context of the table of the job's rows, with the filters of the URL."""
    filters = RowFilters(request)
    rows = Row.objects.filter(job=job).select_related("job").order_by("number")
    values = filters.values
    if "q" in values:
        rows = rows.filter(name__icontains=values["q"])
    if "outcome" in values:
        rows = rows.filter(state=values["outcome"])
    total = rows.count() if values else job.total + job.skipped
    page = Page(page_number(request), page_size(request), total)
    shown = rows[(page.number - 1) * page.size : page.number * page.size]
    return {"table": ROWS.bind(request, shown, page=page), "filters": filters}


def draft_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the context with the findings in a draft's file."""
    kind = kinds.get(job.kind)
    params = job.params
    layout = params.get("layout") or {}
    headings = params.get("first_row") or layout.get("header") or []
    rules = []
    for rule, found in params.get("findings", {}).items():
        rule_text = kind.rules.get(rule)
        rules.append(
            {
                "column": rule_text.column if rule_text else "",
                "text": rule_text.text if rule_text else rule,
                "count": found["count"],
                "examples": [
                    {"row": row, "value": value, "note": finding_note(rule, value, other)}
                    for row, value, other in found["examples"]
                ],
            }
        )
    meanings = {index: kind.columns.get(key, key) for key, index in layout.get("columns", {}).items()}
    tag_keys = {index: key for key, index in layout.get("tags", {}).items()}
    columns = [
        {"heading": heading, "meaning": meanings.get(index), "tag": tag_keys.get(index)}
        for index, heading in enumerate(layout.get("header") or [])
    ]
    valid_rows = Row.objects.filter(job=job, state=Row.State.PENDING).order_by("number")
    return {
        "rules": sorted(rules, key=lambda rule: -rule["count"]),
        "columns": columns,
        "layout": layout,
        "encoding": _encoding(layout),
        "preview": _preview(job).bind(request, valid_rows[:5]),
        "columns_form": ColumnsForm(headings, initial=_column_choices(layout))
        if headings and job.parts.exists()
        else None,
        "tag_seconds": job.total / _TAGS_PER_SECOND,
        "row_count": job.total + job.skipped,
    }


def _preview(job: Job) -> Table[Row]:
    columns = [column for column in PREVIEW.columns if column.key != "tags" or job.params.get("tagged")]
    return replace(PREVIEW, columns=columns)


def _column_choices(layout: dict[str, Any]) -> dict[str, Any]:
    return dict(layout.get("columns", {}))


def _encoding(layout: dict[str, Any]) -> str:
    return ENCODING_NAMES.get(layout.get("encoding", ""), "")
