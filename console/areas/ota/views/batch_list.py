"""The list of update batches."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api
from console.areas.ota.forms.filters import BatchFilter
from console.areas.ota.tables import build_batch_table
from console.connections.http import CloudRequest
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty

MAX_PACKAGES = 4
"""The list shows the batches of this many packages: the platform lists the batches of one package a call."""
MAX_CHOICES = 100
"""The filter offers this many packages: the largest page of ListOTAFirmware."""


@require_safe
def batch_list(request: CloudRequest) -> HttpResponse:
    """Show batches, newest first: those of the newest packages that match the filters, or all those of one package. The page
    says what it does not show. Up to 6 calls."""
    filters = BatchFilter(request, api.list_product_choices(request.gateway))
    package_page = api.list_packages(
        request.gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        size=MAX_CHOICES,
    )
    filters.set_package_choices(package_page.packages)
    number, size = page_number(request), page_size(request)
    package_id, note = filters.values.get("package", ""), ""
    if package_id:
        batch_page = api.list_batches(request.gateway, package_id, page=number, size=size)
        batches: Sequence[api.Batch] = batch_page.batches
    else:
        newest = package_page.packages[:MAX_PACKAGES]
        batch_page = api.list_batches_of_packages(request.gateway, newest)
        batches = batch_page.batches[(number - 1) * size : number * size]
        note = _describe_coverage(batch_page, len(newest) if package_page.total > len(newest) else None)
    empty = Empty(
        _("No batches yet"),
        _("Use a batch to update devices to a package. Open a package to create a batch."),
        icon="cloud-upload",
        url=connection_url(request, "ota:packages"),
        action=_("View packages"),
    )
    table = build_batch_table({package.id: package.name for package in package_page.packages})
    total = batch_page.total if package_id else len(batch_page.batches)
    context = {
        "filters": filters,
        "note": note,
        "table": table.bind(request, batches, page=Page(number, size, total), empty=empty),
    }
    return render(request, "areas/ota/batches.html", context)


def _describe_coverage(batch_page: api.BatchPage, package_count: int | None) -> str:
    """Return which batches the list leaves out and how to see them; "" if it shows all. `package_count`: the number of packages
    that it covers, None if it covers all."""
    notes = []
    if package_count is not None:
        text = gettext("This list shows the batches of the newest %(count)d packages only.")
        notes.append(text % {"count": package_count})
    if batch_page.total > len(batch_page.batches):
        text = gettext("It shows up to %(limit)d batches of each package.")
        notes.append(text % {"limit": api.MAX_BATCHES})
    if notes:
        notes.append(gettext("To see other batches, filter by product, version or package."))
    return " ".join(notes)
