"""What the page of a job shows: worked out here, so that views and templates stay small."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from console.cloud.errors import CloudError, classify
from console.connections.http import CloudRequest
from console.jobs import actions, kinds
from console.jobs.encodings import NAMES
from console.jobs.forms import ColumnsForm, RowFilters
from console.jobs.http import REGISTER, SECRETS
from console.jobs.listing import PREVIEW, ROWS, title
from console.jobs.models import Chunk, Job, Row, Secret, unfinished
from console.jobs.outcomes import noted
from console.jobs.trouble import TROUBLES
from console.jobs.visibility import jobs_of
from console.ui.paging import Page, page_number, page_size
from console.ui.statuses import status
from console.ui.tables import Table

_SHOWN_EVENTS = 30
_TONES = {"info": "", "warning": "warn", "error": "bad"}
_ICONS = {"info": "point", "warning": "alert-triangle", "error": "alert-circle"}
_WAITING = ""
_TAGS_A_SECOND = 40  # SaveDeviceProp: 50 a second are allowed, background work takes most of it


def context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """What every page of a job shows."""
    kind = kinds.get(job.kind)
    may = actions.may(job, request.gateway)
    again = any(map(job.counts.get, Row.AGAIN)) and job.is_over and kind.rows and unfinished(job.pk).exists()
    created = job.counts.get(Row.State.CREATED, 0) if job.kind == REGISTER else 0
    secrets = None
    if created and kinds.get(SECRETS).allowed(request.gateway):
        kept = Secret.objects.filter(job=job, expires_at__gt=timezone.now())
        first = kept.order_by("expires_at").first()
        secrets = {"kept": kept.count() if first else 0, "expires": first.expires_at if first else None}
    return {
        "job": job,
        "kind": kind,
        "title": title(job),
        "person": job.started_by or job.created_by,
        "may": may,
        "again": again and may,
        "bad": bool(job.skipped or (job.failed and kind.rows)),
        "secrets": secrets if job.is_over else None,
        "children": [
            (child, title(child)) for child in jobs_of(request.gateway).filter(parent=job).order_by("pk")
        ],
        "parent_title": title(job.parent) if job.parent else "",
        "error": _cloud_error(job),
        "events": [
            {"when": event.at, "title": event.text, "tone": _TONES[event.level], "icon": _ICONS[event.level]}
            for event in job.events.all()[:_SHOWN_EVENTS]
        ],
        "outcomes": _outcomes(job, kind),
        "steps": _steps(job, kind) if job.is_at_work else [],
        "trouble": _trouble(job) if job.is_at_work else None,
        "now": timezone.now(),
        "digest": f"{job.state}-{job.done}-{job.failed}-{job.skipped}",
    }


def _outcomes(job: Job, kind: kinds.Kind) -> list[dict[str, Any]]:
    """How many rows came out how, for the figures of the page."""
    counts = {state: n for state, n in job.counts.items() if n and state != Row.State.PENDING}
    if kind.rows and job.skipped:
        counts[Row.State.SKIPPED] = job.skipped
    if not kind.outcomes:
        return []
    looks = [(state, n, status(kind.outcomes, state)) for state, n in counts.items()]
    return [
        {"state": state, "count": n, "label": look.label, "tone": look.tone, "icon": look.icon}
        for state, n, look in looks
    ]


def _steps(job: Job, kind: kinds.Kind) -> list[dict[str, Any]]:
    """What the parts of the job are at: label, how many parts, and whether they only wait for their turn."""
    parts = job.chunks.filter(state=Chunk.State.ACTIVE).values_list("step", "lease", "data")
    at = Counter(_WAITING if not lease and not data else step for step, lease, data in parts)
    found = [{"label": step.label, "count": at[name]} for name, step in kind.steps.items() if name in at]
    if _WAITING in at:
        found.append({"label": gettext("Waiting for a worker"), "count": at[_WAITING], "waits": True})
    return found


def _trouble(job: Job) -> dict[str, Any] | None:
    """What the job waits for, if it does."""
    chunk = job.chunks.filter(state=Chunk.State.ACTIVE).exclude(trouble="").order_by("next_at").first()
    if chunk is None:
        return None
    return {"text": TROUBLES[chunk.trouble], "next_at": chunk.next_at, **chunk.data.get("trouble", {})}


def _cloud_error(job: Job) -> CloudError | None:
    """The error of the cloud that stopped the job, as it was raised."""
    told = (job.error or {}).get("cloud")
    if not told:
        return None
    return classify(told["code"])(
        told["code"], told["message"], operation=told["operation"], request_id=told["request_id"]
    )


def rows_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """The table of its rows, filtered as the address says."""
    filters = RowFilters(request)
    rows = Row.objects.filter(job=job).select_related("job").order_by("number")
    wanted = filters.values
    if "q" in wanted:
        rows = rows.filter(name__icontains=wanted["q"])
    if "outcome" in wanted:
        rows = rows.filter(state=wanted["outcome"])
    total = rows.count() if wanted else job.total + job.skipped
    page = Page(page_number(request), page_size(request), total)
    shown = rows[(page.number - 1) * page.size : page.number * page.size]
    return {"table": ROWS.bind(request, shown, page=page), "filters": filters}


def draft_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """What was found in a draft's file."""
    kind = kinds.get(job.kind)
    params = job.params
    layout = params.get("layout") or {}
    headings = params.get("first_line") or layout.get("header") or []
    rules = []
    for rule, found in params.get("findings", {}).items():
        described = kind.rules.get(rule)
        rules.append(
            {
                "column": described.column if described else "",
                "text": described.text if described else rule,
                "count": found["count"],
                "examples": [
                    {"line": line, "value": value, "note": noted(rule, value, other)}
                    for line, value, other in found["examples"]
                ],
            }
        )
    meanings = {place: kind.columns.get(key, key) for key, place in layout.get("columns", {}).items()}
    tag_keys = {place: key for key, place in layout.get("tags", {}).items()}
    columns = [
        {"heading": heading, "meaning": meanings.get(place), "tag": tag_keys.get(place)}
        for place, heading in enumerate(layout.get("header") or [])
    ]
    good = Row.objects.filter(job=job, state=Row.State.PENDING).order_by("number")
    return {
        "rules": sorted(rules, key=lambda rule: -rule["count"]),
        "columns": columns,
        "layout": layout,
        "encoding": _encoding(layout),
        "preview": _preview(job).bind(request, good[:5]),
        "columns_form": ColumnsForm(headings, initial=_chosen(layout))
        if headings and job.parts.exists()
        else None,
        "tag_seconds": job.total / _TAGS_A_SECOND,
        "lines": job.total + job.skipped,
    }


def _preview(job: Job) -> Table[Row]:
    columns = [column for column in PREVIEW.columns if column.key != "tags" or job.params.get("tagged")]
    return replace(PREVIEW, columns=columns)


def _chosen(layout: dict[str, Any]) -> dict[str, Any]:
    return dict(layout.get("columns", {}))


def _encoding(layout: dict[str, Any]) -> str:
    return NAMES.get(layout.get("encoding", ""), "")
