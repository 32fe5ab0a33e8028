"""The first page of a connection: the fleet in numbers, what is at work, what happened lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access.models import AuditRecord
from console.access.roles import Area, Level
from console.connections.http import CloudRequest
from console.dashboard import api
from console.jobs import kinds
from console.jobs.visibility import jobs_of
from console.ui.links import curl

SHOWN = 5


@dataclass(frozen=True)
class Shortcut:
    """Something that people come to do: offered to those whose role allows the operation."""

    label: Any
    icon: str
    name: str
    operation: str
    top: bool = False  # for the whole account: not for those whose access is limited


SHORTCUTS = (
    Shortcut(
        _("Register devices from a file"), "file-upload", "jobs:register", "BatchRegisterDeviceWithApplyId"
    ),
    Shortcut(_("New product"), "packages", "products:create", "CreateProduct"),
    Shortcut(_("New update package"), "package", "ota:create-package", "CreateOTAFirmware"),
    Shortcut(_("New group"), "hierarchy-2", "groups:create", "CreateDeviceGroup", top=True),
)


@require_safe
def home(request: CloudRequest) -> HttpResponse:
    """The page. 3 calls at once; a part that fails says so in its place."""
    overview = api.overview(request.gateway)
    jobs = jobs_of(request.gateway).select_related("created_by")
    context = {
        "overview": overview,
        "fleet": _good(overview.fleet),
        "products": _good(overview.products),
        "packages": _good(overview.packages),
        "jobs": [(job, kinds.get(job.kind).title(job)) for job in jobs[:SHOWN]],
        "records": _records(request),
        "whole_trail": request.membership.has_level(Area.AUDIT, Level.READ),
        "shortcuts": [
            (shortcut, curl(request, shortcut.name))
            for shortcut in SHORTCUTS
            if request.gateway.allows(shortcut.operation)
            and not (shortcut.top and request.gateway.limits is not None)
        ],
    }
    return render(request, "dashboard/home.html", context)


def _good(part: Any) -> Any:
    return None if isinstance(part, Exception) else part


def _records(request: CloudRequest) -> Sequence[AuditRecord]:
    """The latest changes on this connection: everybody's for those who may read the trail, else the person's own."""
    records = AuditRecord.objects.for_team(request.team).filter(connection=request.connection.slug)
    if not request.membership.has_level(Area.AUDIT, Level.READ):
        records = records.filter(actor=request.membership.user)
    return list(records[:SHOWN])
