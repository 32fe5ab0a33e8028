"""The overview page of a connection: device numbers, jobs, recent changes, newest products and packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.accounts.roles import Area, Level
from console.audit.models import AuditRecord
from console.connections.http import CloudRequest
from console.dashboard import api
from console.jobs import kinds
from console.jobs.visibility import visible_jobs
from console.ui.links import connection_url

SHOWN = 5


@dataclass(frozen=True)
class Shortcut:
    """A button for a frequent task, shown to users whose role allows the operation."""

    label: Any
    icon: str
    name: str
    operation: str
    account_wide: bool = False  # not shown to members with a limited access scope


SHORTCUTS = (
    Shortcut(_("Register devices"), "file-upload", "devices:register", "BatchRegisterDeviceWithApplyId"),
    Shortcut(_("Create product"), "packages", "products:create", "CreateProduct"),
    Shortcut(_("Create update package"), "package", "ota:create-package", "CreateOTAFirmware"),
    Shortcut(_("Create group"), "hierarchy-2", "groups:create", "CreateDeviceGroup", account_wide=True),
)


@require_safe
def home(request: CloudRequest) -> HttpResponse:
    """The overview page. Makes up to 3 parallel calls. A part that fails shows its error in its place."""
    overview = api.overview(request.gateway)
    jobs = visible_jobs(request.gateway).select_related("created_by")
    context = {
        "overview": overview,
        "fleet": _value_or_none(overview.fleet),
        "products": _value_or_none(overview.products),
        "packages": _value_or_none(overview.packages),
        "jobs": [(job, kinds.get(job.kind).title(job)) for job in jobs[:SHOWN]],
        "records": _read_records(request),
        "may_read_audit": request.membership.has_level(Area.AUDIT, Level.READ),
        "shortcuts": [
            (shortcut, connection_url(request, shortcut.name))
            for shortcut in SHORTCUTS
            if request.gateway.allows(shortcut.operation)
            and not (shortcut.account_wide and request.gateway.limited_scope is not None)
        ],
    }
    return render(request, "dashboard/home.html", context)


def _value_or_none(part: Any) -> Any:
    return None if isinstance(part, Exception) else part


def _read_records(request: CloudRequest) -> Sequence[AuditRecord]:
    """The latest changes on this connection: all of them for members who may read the audit trail, else only the user's own."""
    records = AuditRecord.objects.for_team(request.team).filter(connection=request.connection.slug)
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        records = records.filter(actor=request.membership.user)
    return list(records[:SHOWN])
