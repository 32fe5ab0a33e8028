"""The overview page of a connection: its devices now and over time, what needs attention, jobs and recent changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.accounts.roles import Area, Level
from console.areas.ota.failures import OPERATIONS as FAILING_BATCHES
from console.connections.http import CloudRequest
from console.dashboard import api, attention
from console.dashboard.changes import find_changes
from console.device_counts.counts import DeviceCounts
from console.device_counts.history import Kind, chart_response, fleet_key, record_if_due
from console.jobs.listing import job_title
from console.jobs.models import Job, JobQuerySet
from console.jobs.visibility import visible_jobs
from console.ui.links import connection_url
from console.ui.pieces import MenuItem
from iot_client.errors import CloudError

_JOBS_SHOWN = 5


@dataclass(frozen=True)
class Shortcut:
    """An entry of the menu *Create*, shown to users whose role allows the operation."""

    label: Any
    icon: str
    name: str
    operation: str
    account_wide: bool = False  # not shown to members with a limited access scope


SHORTCUTS = (
    Shortcut(_("Register devices"), "file-upload", "devices:register", "BatchRegisterDeviceWithApplyId"),
    Shortcut(_("Create product"), "packages", "products:create", "CreateProduct"),
    Shortcut(_("Create package"), "package", "ota:create-package", "CreateOTAFirmware"),
    Shortcut(_("Create group"), "hierarchy-2", "groups:create", "CreateDeviceGroup", account_wide=True),
)


@dataclass(frozen=True)
class Segment:
    """A part of the bar of devices. `left` and `width` are in thousandths; `url` is the list of these devices."""

    slug: str
    label: Any
    count: int
    share: int  # percent
    left: float
    width: float
    url: str


@require_safe
def home(request: CloudRequest) -> HttpResponse:
    """The overview page. Makes up to 3 parallel calls. A part that fails shows its error in its place."""
    overview = api.overview(request.gateway)
    devices = overview.devices if isinstance(overview.devices, DeviceCounts) else None
    if devices is not None and request.gateway.limited_scope is None:
        record_if_due(request.connection, Kind.FLEET, fleet_key(request.connection), devices)
    jobs = visible_jobs(request.gateway)
    packages = (
        [] if overview.packages is None or isinstance(overview.packages, CloudError) else overview.packages
    )
    notices = attention.find_notices(request, jobs, packages)
    context = {
        "overview": overview,
        "devices": devices,
        "segments": _build_segments(request, devices) if devices else [],
        "product_count": overview.products if isinstance(overview.products, int) else None,
        "notices": notices[: attention.SHOWN],
        "checks_batches": attention.may_find_batches(request.gateway),
        "more_notices": max(0, len(notices) - attention.SHOWN),
        "jobs": [
            (job, job_title(job), attention.job_page(request, job))
            for job in _find_jobs(jobs.select_related("created_by"))
        ],
        "changes": find_changes(request, jobs),
        "may_read_audit": request.membership.has_level(Area.AUDIT, Level.READ),
        "shortcuts": [
            MenuItem(shortcut.label, connection_url(request, shortcut.name), shortcut.icon)
            for shortcut in SHORTCUTS
            if request.gateway.allows(shortcut.operation)
            and not (shortcut.account_wide and request.gateway.limited_scope is not None)
        ],
    }
    return render(request, "dashboard/home.html", context)


@require_safe
def failing_batches(request: CloudRequest) -> HttpResponse:
    """Return the running batches with failed devices, for the list of what needs attention, which has other entries with
    `?others=1`. Up to 17 calls."""
    for operation in FAILING_BATCHES:
        request.gateway.require(operation)
    notices: list[attention.Notice] | None
    try:
        notices = attention.find_batches(request, visible_jobs(request.gateway))
    except CloudError:
        notices = None
    context = {"notices": notices, "is_unknown": notices is None, "has_others": "others" in request.GET}
    return render(request, "dashboard/_batches.html", context)


@require_safe
def device_history(request: CloudRequest) -> JsonResponse:
    """Return the recorded device counts as JSON, for the chart: of the connection, or, for members with a limited access scope,
    of the products in it. No call."""
    request.gateway.require(api.STATISTICS)
    guard = request.gateway.limited_scope
    if guard is None:
        return chart_response(request, request.connection, Kind.FLEET, [fleet_key(request.connection)])
    keys = guard.products if api.is_countable(request.gateway) else ()
    return chart_response(request, request.connection, Kind.PRODUCT, keys)


def _build_segments(request: CloudRequest, devices: DeviceCounts) -> list[Segment]:
    parts = (
        ("online", _("Online"), devices.online, "ONLINE"),
        ("offline", _("Offline"), devices.offline, "OFFLINE"),
        ("not-activated", _("Not activated"), devices.not_activated, "UNACTIVE"),
    )
    whole = sum(count for _slug, _label, count, _status in parts) or 1
    segments, left = [], 0.0
    for slug, label, count, status in parts:
        width = 1000 * count / whole
        share = round(100 * count / whole)
        segments.append(Segment(slug, label, count, share, left, width, _devices_url(request, status)))
        left += width
    return segments


def _devices_url(request: CloudRequest, status: str) -> str:
    """Return the URL of the list of devices with a status; of all devices, if the member can search only one product at a time."""
    url, guard = connection_url(request, "devices:list"), request.gateway.limited_scope
    if guard is None:
        return f"{url}?{urlencode({'status': status})}"
    if len(guard.products) == 1:
        return f"{url}?{urlencode({'status': status, 'product': guard.products[0]})}"
    return url


def _find_jobs(jobs: JobQuerySet) -> list[Job]:
    """The newest running jobs, and the newest other ones if there are few."""
    running = list(jobs.active()[:_JOBS_SHOWN])
    others = jobs.exclude(state__in=Job.ACTIVE)
    return [*running, *others[: _JOBS_SHOWN - len(running)]]
