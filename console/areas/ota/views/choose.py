"""The choice of the package of a new batch."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api
from console.areas.ota.forms.filters import PackageFilter
from console.areas.ota.tables import READY_PACKAGES
from console.connections.http import CloudRequest
from console.ui.links import connection_url
from console.ui.tables import Empty

MAX_PACKAGES = 100
"""The largest page of ListOTAFirmware. The platform cannot filter by verification, so the page reads the newest packages and
shows those that are ready."""


@require_safe
def choose_package(request: CloudRequest) -> HttpResponse:
    """Show the packages that batches can be created from. 2 calls."""
    request.gateway.require(api.CREATE_STATIC)
    filters = PackageFilter(request, api.list_product_choices(request.gateway))
    page = api.list_packages(
        request.gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        size=MAX_PACKAGES,
    )
    ready = [package for package in page.packages if package.is_ready and package.product_key]
    empty = Empty(
        _("No verified packages"),
        _("Create a package, or verify one on a few devices. Then create a batch."),
        icon="package",
        url=connection_url(request, "ota:packages"),
        action=_("View packages"),
    )
    note = ""
    if page.total > len(page.packages):
        note = gettext(
            "This list shows the newest %(count)d of %(total)d packages. To see others, filter by product or version."
        ) % {"count": len(page.packages), "total": page.total}
    context = {
        "filters": filters,
        "note": note,
        "may_create_dynamic": request.gateway.allows(api.CREATE_DYNAMIC),
        "table": READY_PACKAGES.bind(request, [] if filters.problem else ready, empty=empty),
    }
    return render(request, "areas/ota/choose_package.html", context)
