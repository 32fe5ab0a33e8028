"""The pages of update packages: list, detail, creation from an uploaded file, deletion."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.ota import api
from console.areas.ota.forms.filters import PackageFilter
from console.areas.ota.forms.packages import PackageForm, find_file_suffix
from console.areas.ota.views.shared import Rights, form_status, product_choices
from console.areas.ota.views.tables import BATCHES, PACKAGES
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ui.forms import ConfirmForm
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem, MenuItem
from console.ui.tables import Empty
from console.ui.uploads import accepts_file
from iot_client.errors import CloudError

_FIELDS = {
    "FirmwareName": "name",
    "DestVersion": "version",
    "FirmwareVersion": "version",
    "SrcVersion": "source_version",
    "FirmwareDesc": "description",
    "ProductKey": "product",
    "ModuleName": "module",
    "FileSuffix": "file",
    "FirmwareSize": "file",
}


@require_safe
def package_list(request: CloudRequest) -> HttpResponse:
    """Show packages, filtered by product and version. 2 calls."""
    filters = PackageFilter(request, product_choices(request))
    number, size = page_number(request), page_size(request)
    package_page = api.list_packages(
        request.gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        page=number,
        size=size,
    )
    rights = Rights.from_request(request)
    empty = Empty(
        _("No packages yet"),
        _("A package is a firmware file with a version. Use batches to update devices to it."),
        icon="package",
        url=connection_url(request, "ota:create-package") if rights.create else "",
        action=_("Create package"),
    )
    table = PACKAGES.bind(
        request, package_page.packages, page=Page(number, size, package_page.total), empty=empty
    )
    return render(request, "areas/ota/packages.html", {"filters": filters, "table": table, "rights": rights})


@require_safe
def package_detail(request: CloudRequest, package_id: str) -> HttpResponse:
    """Show a package and its batches. 2 calls."""
    number, size = page_number(request), page_size(request)
    package, batch_page = api.get_package_with_batches(request.gateway, package_id, page=number, size=size)
    rights = Rights.from_request(request)
    empty = Empty(
        _("No batches yet"), _("Use a batch to update devices to this package."), icon="cloud-upload"
    )
    return render(
        request,
        "areas/ota/package.html",
        {
            "package": package,
            "details": _build_details(package),
            "menu": _build_menu(request, package, rights),
            "rights": rights,
            "table": BATCHES.bind(
                request, batch_page.batches, page=Page(number, size, batch_page.total), empty=empty
            ),
        },
    )


def _build_details(package: api.Package) -> list[DetailItem]:
    items = [
        DetailItem(_("Package ID"), package.id, "code", copy=True),
        DetailItem(_("Version"), package.version, "code"),
        DetailItem(_("Module"), package.module),
        DetailItem(
            _("Type"),
            _("Delta from %(version)s") % {"version": package.source_version} if package.delta else _("Full"),
        ),
        DetailItem(_("Size"), package.size, "bytes"),
        DetailItem(package.sign_method or _("Checksum"), package.sign, "code", copy=True),
        DetailItem(_("Description"), package.description),
        DetailItem(_("Created"), package.created, "time"),
        DetailItem(_("Modified"), package.modified, "time"),
    ]
    if not package.delta and package.source_version:
        items.insert(4, DetailItem(_("Source version"), package.source_version, "code"))
    return items


def _build_menu(request: CloudRequest, package: api.Package, rights: Rights) -> list[MenuItem]:
    menu = []
    if rights.dynamic and package.is_ready:
        menu.append(
            MenuItem(
                _("Create dynamic batch"),
                connection_url(request, "ota:create-dynamic-batch", package.id),
                "refresh-dot",
            )
        )
    if rights.delete:
        url = connection_url(request, "ota:delete-package", package.id)
        menu.append(MenuItem(_("Delete…"), url, "trash", danger=True, dialog=True))
    return menu


@accepts_file(api.MAX_PACKAGE_BYTES, lambda request: request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE))
@require_http_methods(["GET", "HEAD", "POST"])
def create_package(request: CloudRequest) -> HttpResponseBase:
    """Upload a file to the platform's store and create a package from it, once per form. 2 calls and the upload."""
    request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE)
    token = request.POST.get("token", "") or new_token()
    error: CloudError | None = None
    is_submitted = request.method == "POST"
    products = product_choices(request)
    initial = {"product": request.GET.get("product", "")}
    form = PackageForm(
        request.POST if is_submitted else None,
        request.FILES if is_submitted else None,
        initial=initial,
        products=products,
    )
    if is_submitted and form.is_valid():
        new_package, file = form.build_package(), form.cleaned_data["file"]
        try:
            package_id = submit_once(
                request,
                token,
                lambda: api.create_package(request.gateway, new_package, file, find_file_suffix(file.name)),
            )
        except AlreadySubmitted as earlier:
            return _redirect_repeated(request, earlier.result)
        except CloudError as raised:
            error = _move_error_to_field(form, raised)
            if is_outcome_unknown(raised):
                token = new_token()
        else:
            messages.success(request, gettext("Package %(name)s created.") % {"name": new_package.name})
            return redirect(connection_url(request, "ota:package", package_id))
    product_key = (request.POST if is_submitted else request.GET).get("product", "")
    if product_key in dict(products) and not error:
        form.set_module_choices(module.name for module in api.list_modules(request.gateway, product_key))
    return render(
        request,
        "areas/ota/create_package.html",
        {"form": form, "error": error, "token": token, "products": products},
        status=form_status(form),
    )


def _move_error_to_field(form: PackageForm, error: CloudError) -> CloudError | None:
    """Add an error about a name or version in use to its field and return None; return other errors."""
    code = error.code.rpartition(".")[2]
    field_errors = {
        "AlreadyExistedFirmwareName": (
            "name",
            gettext("A package with this name already exists. Enter another name."),
        ),
        "AlreadyExistedFirmwareVersion": (
            "version",
            gettext("The product already has a package with this version. Enter another version."),
        ),
    }
    if code in field_errors:
        form.add_error(*field_errors[code])
        return None
    return cloud_errors_to_form(form, error, _FIELDS)


def _redirect_repeated(request: CloudRequest, package_id: str) -> HttpResponseBase:
    if package_id:
        messages.info(
            request, gettext("You already submitted this form. This is the package that it created.")
        )
        return redirect(connection_url(request, "ota:package", package_id))
    messages.warning(
        request,
        gettext(
            "You already submitted this form, and no response was received yet. Check for the package here in a moment."
        ),
    )
    return redirect(connection_url(request, "ota:packages"))


@require_http_methods(["GET", "HEAD", "POST"])
def delete_package(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Delete a package after the user enters its name. Up to 2 calls."""
    request.gateway.require(api.DELETE_PACKAGE)
    package = api.get_package(request.gateway, package_id)
    form = ConfirmForm(
        package.name, request.POST if request.method == "POST" else None, label=gettext("Package name")
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.delete_package(request.gateway, package_id, name=package.name)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("Package %(name)s deleted.") % {"name": package.name})
            return redirect(connection_url(request, "ota:packages"))
    consequences = [
        gettext("The file is deleted. You can no longer create batches from this package."),
        gettext("You can no longer view its batches here."),
        gettext("Devices on this version keep it."),
        gettext("You cannot delete a package while one of its batches is planned or in progress."),
    ]
    context = {"package": package, "form": form, "error": error, "consequences": consequences}
    return render(request, "areas/ota/delete_package.html", context, status=form_status(form))
