"""The list of update batches, and the progress of the batches in it.

The platform lists the batches of one package a call. The list therefore shows the batches of the newest packages, and those that
the console monitors now whatever their package. The page opens with those of the first packages, and fetches the whole list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api, jobs, progress
from console.areas.ota.forms.filters import BatchFilter
from console.areas.ota.progress import ListedBatch
from console.areas.ota.records import Batch, Package
from console.areas.ota.tables import BATCHES
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.jobs.visibility import visible_jobs
from console.ui.format import join_sentences
from console.ui.links import connection_url, query_url
from console.ui.paging import Page, page_number, page_size
from console.ui.tables import Empty

FIRST_PACKAGES = 2
"""The page opens with the batches of this many packages, so that it takes 4 calls."""
MAX_PACKAGES = 8
"""The list shows the batches of this many packages. ListOTAJobByFirmware allows 10 calls per second."""
MAX_MONITORED = 4
"""The most batches of other packages that are added because the console monitors them, by 1 call each."""
MAX_CHOICES = 100
"""The filter offers this many packages: the largest page of ListOTAFirmware."""


@dataclass(frozen=True)
class _Part:
    """The batches on a page of the list, the number of all that match, and what the list leaves out. `is_complete`: whether no
    batches are still to be fetched."""

    rows: Sequence[ListedBatch]
    total: int
    note: str = ""
    is_complete: bool = True


@require_safe
def batch_list(request: CloudRequest) -> HttpResponse:
    """Show the batches that match the filters, newest first. The page says what it does not show. 4 calls; with `?all=1`, or for a
    page after the first one, up to 14."""
    filters, part = _read_list(request, is_all="all" in request.GET or page_number(request) > 1)
    may_create = request.gateway.allows(api.CREATE_STATIC)
    create_url = connection_url(request, "ota:choose-package") if may_create else ""
    empty = Empty(
        _("No batches yet"),
        _("Create a batch to update devices with a package."),
        icon="cloud-upload",
        url=create_url or connection_url(request, "ota:packages"),
        action=_("Create batch") if may_create else _("View packages"),
    )
    rows = progress.add_recorded(request.connection, part.rows)
    if not part.is_complete:  # the whole list fetches the progress
        rows = [replace(row, fetch_from=None) for row in rows]
    page = Page(page_number(request), page_size(request), part.total)
    context = {
        "filters": filters,
        "note": part.note,
        "create_url": create_url,
        "table": BATCHES.bind(request, rows, page=page if part.is_complete else None, empty=empty),
        "progress_query": request.GET.urlencode(),
        "all_url": "" if part.is_complete else query_url(request, all=1),
    }
    return render(request, "areas/ota/batches.html", context)


@require_safe
def batch_progress(request: CloudRequest) -> HttpResponse:
    """Count some of the batches on a page of the list that monitoring did not record. The query is that of the list, and `skip`,
    the number of batches that were counted before. Up to 20 calls, and those of the list if its responses are no longer cached."""
    _filters, part = _read_list(request, is_all=True)
    skip = request.GET.get("skip", "")
    counted = int(skip) if skip.isascii() and skip.isdigit() and len(skip) < 5 else 0
    query = request.GET.copy()
    query.pop("skip", None)
    context = {
        "rows": progress.add_counted(request.gateway, part.rows, skip=counted),
        "progress_query": query.urlencode(),
    }
    return render(request, "areas/ota/rows_progress.html", context)


def _read_list(request: CloudRequest, *, is_all: bool) -> tuple[BatchFilter, _Part]:
    """Read the filters and the list. Without `is_all`, the list has the batches of FIRST_PACKAGES packages, in 4 calls."""
    products = dict(api.list_product_choices(request.gateway))
    filters = BatchFilter(request, products.items())
    package_page = api.list_packages(
        request.gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        size=MAX_CHOICES,
    )
    filters.set_package_choices(package_page.packages)
    if filters.problem:
        return filters, _Part([], 0)
    packages = {package.id: package for package in package_page.packages}
    number, size = page_number(request), page_size(request)
    package_id, status = filters.values.get("package", ""), filters.values.get("status", "")
    if package_id and not status:
        one = api.list_batches(request.gateway, package_id, page=number, size=size)
        return filters, _Part(_name_rows(one.batches, packages), one.total)
    chosen = [packages[package_id]] if package_id else package_page.packages[:MAX_PACKAGES]
    is_complete = is_all or len(chosen) <= FIRST_PACKAGES
    batch_page = api.list_batches_of_packages(
        request.gateway, chosen if is_complete else chosen[:FIRST_PACKAGES]
    )
    rows = _name_rows(batch_page.batches, packages)
    if not is_complete:
        matching = [row for row in rows if status in ("", row.batch.status)]
        return filters, _Part(matching[:size], len(matching), is_complete=False)
    if not package_id and package_page.total > len(chosen):
        rows += _read_monitored(request.gateway, filters, rows)
        rows.sort(key=_created, reverse=True)
    matching = [row for row in rows if status in ("", row.batch.status)]
    note = _describe_coverage(batch_page, len(chosen), 1 if package_id else package_page.total)
    return filters, _Part(matching[(number - 1) * size : number * size], len(matching), note)


def _created(row: ListedBatch) -> float:
    return row.batch.created.timestamp() if row.batch.created else 0.0


def _name_rows(batches: Sequence[Batch], packages: Mapping[str, Package]) -> list[ListedBatch]:
    rows = []
    for batch in batches:
        package = packages.get(batch.package_id)
        names = (package.name, package.version, package.product_name) if package else ("", "", "")
        rows.append(ListedBatch(batch, names[0], names[1], names[2] or batch.product_key))
    return rows


def _read_monitored(gateway: Gateway, filters: BatchFilter, rows: Sequence[ListedBatch]) -> list[ListedBatch]:
    """Return the newest batches that the console monitors now, that match product and version, and that are not in `rows`."""
    listed = {row.batch.id for row in rows}
    running = visible_jobs(gateway).filter(kind=jobs.KIND, finished_at__isnull=True).order_by("-pk")
    if filters.values.get("product"):
        running = running.filter(scope_key=filters.values["product"])
    subjects = running.exclude(subject__in=listed).values_list("subject", flat=True)[:MAX_MONITORED]
    details = api.find_batches(gateway, list(subjects))
    return [
        ListedBatch(detail.batch, detail.package_name, detail.version, detail.batch.product_key)
        for detail in details
        if filters.values.get("version", detail.version) == detail.version
    ]


def _describe_coverage(batch_page: api.BatchPage, package_count: int, package_total: int) -> str:
    """Return which batches the list leaves out and how to see them; "" if it shows all. `package_count`: the number of packages
    that it covers, of `package_total`."""
    notes = []
    if package_total > package_count:
        text = gettext(
            "This list shows the batches of the newest %(count)d of %(total)d packages, and the batches that are monitored."
        )
        notes.append(text % {"count": package_count, "total": package_total})
    if batch_page.total > len(batch_page.batches):
        text = ngettext(
            "It shows the newest %(limit)d batch of each package.",
            "It shows the newest %(limit)d batches of each package.",
            api.MAX_BATCHES,
        )
        notes.append(text % {"limit": api.MAX_BATCHES})
    if notes:
        notes.append(gettext("To see other batches, filter by product, package or version."))
    return join_sentences(notes)
