"""The parts of a job's pages that only registrations have: the findings in a draft, and the actions on a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices.registration.forms import ColumnsForm
from console.areas.devices.registration.outcomes import describe_second_value
from console.areas.devices.registration.params import REGISTER_KIND, SECRETS_KIND, RegistrationParams
from console.areas.devices.registration.secrets import CREATED
from console.areas.devices.registration.sheet import COLUMNS, DOUBTS, RULES, Rule
from console.connections.http import CloudRequest
from console.jobs import kinds
from console.jobs.encodings import ENCODING_NAMES
from console.jobs.listing import item_columns
from console.jobs.models import Item, Job, Secret
from console.jobs.tables import tag_key
from console.jobs.visibility import visible_jobs
from console.ui.links import connection_url
from console.ui.tables import Column, Table

_TAGS_PER_SECOND = 40  # SaveDeviceProp: the limit is 50 per second, most of it for background work


def name_first_stage(job: Job) -> str:
    """Return what a user did before the review of a registration; "" for a retry, which has no review."""
    source = RegistrationParams.read(job).source
    return {"file": gettext("Upload"), "count": gettext("Generate names"), "retry": ""}[source]


def find_device_page(request: HttpRequest, item: Item) -> str:
    """Return the address of the page of a registered device; "" if the platform has no device with this name."""
    if item.outcome not in (*CREATED, Item.Outcome.UNCHANGED):
        return ""
    return connection_url(request, "devices:detail", item.job.params["product_key"], item.key)


def build_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return the additional context of the pages of a registration."""
    if job.state in (Job.State.READY, Job.State.REJECTED):
        return _build_draft_context(request, job)
    return {
        "has_invalid_rows": bool(job.skipped or job.failed),
        "secrets": _find_secrets(request, job) if job.is_finished else None,
    }


def _find_secrets(request: CloudRequest, job: Job) -> dict[str, Any] | None:
    """Return the number of stored secrets and when the first of them expires; None if the user may not see secrets."""
    if not any(map(job.counts.get, CREATED)) or not kinds.get(SECRETS_KIND).is_allowed(request.gateway):
        return None
    if not job.chunks.filter(data__has_key="apply_ids").exists():  # it only set tags
        return None
    stored = Secret.objects.filter(job=job, expires_at__gt=timezone.now())
    first = stored.order_by("expires_at").first()
    return {"count": stored.count() if first else 0, "expires": first.expires_at if first else None}


def _build_draft_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    params = RegistrationParams.read(job)
    layout = params.file_layout
    can_choose = bool(params.headings or params.has_unknown_encoding) and job.parts.exists()
    initial: dict[str, Any] = {
        **(layout.columns if layout else {}),
        "encoding": params.encoding,
        "separator": params.separator,
    }
    is_workbook = bool(layout.sheet) if layout else job.file_name.lower().endswith(".xlsx")
    valid = Item.objects.filter(job=job, outcome=Item.Outcome.PENDING).order_by("number")
    return {
        "same_file": _find_same_file(request, job),
        "rules": _list_rules(RULES, params.findings),
        "doubts": _list_rules(DOUBTS, params.doubts),
        "columns": _list_columns(params),
        "layout": layout,
        "encoding": ENCODING_NAMES.get(layout.encoding, "") if layout else "",
        "preview": _build_preview(params).bind(request, valid[:5]),
        "columns_form": ColumnsForm(params.headings, initial=initial, is_workbook=is_workbook)
        if can_choose
        else None,
        "tag_seconds": job.total / _TAGS_PER_SECOND,
        "row_count": job.total + job.skipped,
        "error_count": sum(finding["count"] for finding in params.findings.values()),
    }


def _find_same_file(request: CloudRequest, job: Job) -> Job | None:
    """Return the latest job that registered the devices of the same file, in any product; None if the user sees none."""
    if not job.file_digest:
        return None
    same = visible_jobs(request.gateway).filter(kind=REGISTER_KIND, file_digest=job.file_digest)
    return same.exclude(pk=job.pk).filter(started_at__isnull=False).order_by("-pk").first()


def _list_rules(texts: Mapping[str, Rule], findings: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rules of some findings, the most frequent first, with the number of rows and examples."""
    rules = [
        {
            "column": texts[rule].column if rule in texts else "",
            "text": texts[rule].text if rule in texts else rule,
            "count": finding["count"],
            "examples": [
                {"row": row, "value": value, "note": describe_second_value(rule, value, other)}
                for row, value, other in finding["examples"]
            ],
        }
        for rule, finding in findings.items()
    ]
    return sorted(rules, key=lambda rule: -rule["count"])


def _list_columns(params: RegistrationParams) -> list[dict[str, Any]]:
    """Return the columns of the file: their heading, and as what they are read or why they are ignored."""
    layout = params.file_layout
    if layout is None:
        return []
    meanings = {index: COLUMNS.get(key, key) for key, index in layout.columns.items()}
    tags = {index: key for key, index in layout.tags.items()}
    return [
        {
            "heading": heading,
            "meaning": meanings.get(index),
            "tag": tags.get(index),
            "is_repeated_tag": tag_key(heading) in layout.tags,
        }
        for index, heading in enumerate(layout.header)
    ]


def _build_preview(params: RegistrationParams) -> Table[Item]:
    columns = item_columns(kinds.get(REGISTER_KIND))
    if params.tagged:
        columns.append(Column("tags", _("Tags"), template="areas/devices/registration/_tags.html"))
    return Table(id="preview", caption=_("Preview"), columns=columns)
