"""The pages of over-the-air updates as declarations: the list of packages, a package, a module, a batch."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from console.areas.ota import actions, api
from console.areas.ota.forms.filters import PackageFilter
from console.areas.ota.records import BatchDetail, Module, Package
from console.areas.ota.tables import PACKAGES, name_batch
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.detail import Detail, TabPage
from console.pages.lists import CreateLink, ListPage, Position, Slice
from console.ui.links import connection_url
from console.ui.pieces import DetailItem
from console.ui.tables import Empty


def _read_packages(gateway: Gateway, filters: PackageFilter, position: Position) -> Slice[Package]:
    page = api.list_packages(
        gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        page=position.page,
        size=position.size,
    )
    return Slice(page.packages, page.total)


LIST: ListPage[Package, PackageFilter] = ListPage(
    title=_("Packages"),
    table=PACKAGES,
    filters=lambda request: PackageFilter(request, api.list_product_choices(request.gateway)),
    read=_read_packages,
    empty=Empty(
        _("No packages yet"),
        _("A package is a firmware file with a version. Create batches to update devices with it."),
        "package",
    ),
    operation="ListOTAFirmware",
    create=CreateLink("ota:create-package", _("Create package"), api.CREATE_PACKAGE),
)


def _build_package_summary(request: CloudRequest, package: Package) -> list[DetailItem]:
    items = [
        DetailItem(_("Status"), package.status, kind="status", status="package"),
        DetailItem(_("Version"), package.version, kind="code"),
    ]
    if package.product_key:
        url = connection_url(request, "products:detail", package.product_key)
        items.append(DetailItem(_("Product"), package.product_name or package.product_key, url=url))
    return items


PACKAGE: Detail[Package] = Detail(
    tabs=(TabPage("package", _("Package"), "ota:package"),),
    read=api.get_package,
    ids=lambda package: (package.id,),
    title=lambda package: package.name,
    list_name="ota:packages",
    list_label=_("Packages"),
    missing=_("The package no longer exists."),
    operation="QueryOTAFirmware",
    parameters=("FirmwareId",),
    actions=(actions.DELETE_PACKAGE,),
    target=lambda package: package.name,
    waiting=lambda package: package.id,
    summary=_build_package_summary,
)


def _read_module(gateway: Gateway, product_key: str, name: str, *, fresh: bool = False) -> Module:
    """Return a module. Raises NotFound, and Http404 for the default module: it cannot be edited or deleted."""
    module = api.get_module(gateway, product_key, name, fresh=fresh)
    if module.is_default:
        raise Http404
    return module


MODULE: Detail[Module] = Detail(
    tabs=(),
    place=lambda request, module: actions.build_module_list_url(request, module.product_key),
    read=_read_module,
    ids=lambda module: (module.product_key, module.name),
    title=lambda module: module.name,
    list_name="ota:modules",
    list_label=_("Modules"),
    missing=_("The module no longer exists."),
    actions=(actions.EDIT_MODULE, actions.DELETE_MODULE),
)


def _build_package_url(request: CloudRequest, detail: BatchDetail) -> str:
    return connection_url(request, "ota:package", detail.batch.package_id)


BATCH: Detail[BatchDetail] = Detail(
    tabs=(TabPage("batch", _("Batch"), "ota:batch"),),
    read=api.get_batch,
    ids=lambda detail: (detail.batch.id,),
    title=lambda detail: name_batch(detail.batch, detail.version),
    list_name="ota:batches",
    list_label=_("Batches"),
    missing=_("The batch no longer exists."),
    operation="QueryOTAJob",
    parameters=("JobId",),
    actions=(actions.MONITOR_BATCH, actions.STOP_BATCH, actions.CANCEL_BATCH),
    parents=lambda request, detail: [
        (detail.package_name or detail.batch.package_id, _build_package_url(request, detail))
    ],
    summary=lambda request, detail: [
        DetailItem(_("Status"), detail.batch.status, kind="status", status="batch"),
        DetailItem(
            _("Package"),
            detail.package_name or detail.batch.package_id,
            url=_build_package_url(request, detail),
        ),
        DetailItem(_("Batch ID"), detail.batch.id, kind="code", copy=True),
    ],
)
