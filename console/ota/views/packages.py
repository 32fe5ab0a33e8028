"""Update packages: the list, one package, making one of an uploaded file, deleting."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.cloud.errors import CloudError
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ota import api
from console.ota.forms import PackageFilter, PackageForm, suffix_of
from console.ota.views.shared import Rights, product_choices, status_of
from console.ota.views.tables import JOBS, PACKAGES
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem, MenuItem
from console.ui.tables import Empty
from console.ui.uploads import takes_file

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
    """Packages, by product and version if asked. 2 calls."""
    filters = PackageFilter(request, product_choices(request))
    number, size = page_number(request), page_size(request)
    found = api.list_packages(
        request.gateway,
        product_key=filters.values.get("product", ""),
        version=filters.values.get("version", ""),
        page=number,
        size=size,
    )
    rights = Rights.of(request)
    empty = Empty(
        _("No update packages yet"),
        _("A package is a file with a version; batches bring it to devices."),
        icon="package",
        url=curl(request, "ota:create-package") if rights.create else "",
        action=_("New package"),
    )
    table = PACKAGES.bind(request, found.packages, page=Page(number, size, found.total), empty=empty)
    return render(request, "ota/packages.html", {"filters": filters, "table": table, "rights": rights})


@require_safe
def package(request: CloudRequest, package_id: str) -> HttpResponse:
    """A package and its batches. 2 calls."""
    number, size = page_number(request), page_size(request)
    found, jobs = api.get_package_with_jobs(request.gateway, package_id, page=number, size=size)
    rights = Rights.of(request)
    empty = Empty(_("No batches yet"), _("A batch brings this package to devices."), icon="cloud-upload")
    return render(
        request,
        "ota/package.html",
        {
            "package": found,
            "facts": _facts(found),
            "menu": _menu(request, found, rights),
            "rights": rights,
            "table": JOBS.bind(request, jobs.jobs, page=Page(number, size, jobs.total), empty=empty),
        },
    )


def _facts(package: api.Package) -> list[DetailItem]:
    facts = [
        DetailItem(_("Package ID"), package.id, "code", copy=True),
        DetailItem(_("Version"), package.version, "code"),
        DetailItem(_("Module"), package.module),
        DetailItem(
            _("Kind"),
            _("Delta from %(version)s") % {"version": package.source_version} if package.delta else _("Full"),
        ),
        DetailItem(_("Size"), package.size, "bytes"),
        DetailItem(package.sign_method or _("Checksum"), package.sign, "code", copy=True),
        DetailItem(_("Description"), package.description),
        DetailItem(_("Created"), package.created, "when"),
        DetailItem(_("Changed"), package.modified, "when"),
    ]
    if not package.delta and package.source_version:
        facts.insert(4, DetailItem(_("For devices on version"), package.source_version, "code"))
    return facts


def _menu(request: CloudRequest, package: api.Package, rights: Rights) -> list[MenuItem]:
    menu = []
    if rights.dynamic and package.ready:
        menu.append(
            MenuItem(_("Dynamic batch"), curl(request, "ota:create-dynamic", package.id), "refresh-dot")
        )
    if rights.delete:
        url = curl(request, "ota:delete-package", package.id)
        menu.append(MenuItem(_("Delete"), url, "trash", danger=True, dialog=True))
    return menu


@takes_file(api.MAX_PACKAGE_BYTES, lambda request: request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE))
@require_http_methods(["GET", "HEAD", "POST"])
def create_package(request: CloudRequest) -> HttpResponseBase:
    """Take a file, bring it to the store, make a package of it; once for each form. 2 calls and the upload."""
    request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE)
    token = request.POST.get("token", "") or new_token()
    error: CloudError | None = None
    sent = request.method == "POST"
    products = product_choices(request)
    initial = {"product": request.GET.get("product", "")}
    form = PackageForm(
        request.POST if sent else None, request.FILES if sent else None, initial=initial, products=products
    )
    if sent and form.is_valid():
        wanted, file = form.wanted(), form.cleaned_data["file"]
        try:
            made = submit_once(
                request,
                token,
                lambda: api.create_package(request.gateway, wanted, file, suffix_of(file.name)),
            )
        except AlreadySubmitted as earlier:
            return _sent_before(request, earlier.result)
        except CloudError as raised:
            error = _at_fields(form, raised)
            if is_outcome_unknown(raised):
                token = new_token()
        else:
            messages.success(request, gettext("The package %(name)s was created.") % {"name": wanted.name})
            return redirect(curl(request, "ota:package", made))
    chosen = (request.POST if sent else request.GET).get("product", "")
    if chosen in dict(products) and not error:
        form.offer_modules(module.name for module in api.list_modules(request.gateway, chosen))
    return render(
        request,
        "ota/create_package.html",
        {"form": form, "error": error, "token": token, "products": products},
        status=status_of(form),
    )


def _at_fields(form: PackageForm, error: CloudError) -> CloudError | None:
    """Where a refusal of a new package belongs: what is taken already, at its field."""
    code = error.code.rpartition(".")[2]
    taken = {
        "AlreadyExistedFirmwareName": (
            "name",
            gettext("A package of this name already exists. Choose another name."),
        ),
        "AlreadyExistedFirmwareVersion": (
            "version",
            gettext("The product has a package of this version already. Choose another version."),
        ),
    }
    if code in taken:
        form.add_error(*taken[code])
        return None
    return cloud_errors_to_form(form, error, _FIELDS)


def _sent_before(request: CloudRequest, made: str) -> HttpResponseBase:
    if made:
        messages.info(request, gettext("This form was sent already: here is the package that it made."))
        return redirect(curl(request, "ota:package", made))
    messages.warning(
        request,
        gettext(
            "This form was sent already and has not been answered yet. Look for the package here in a moment."
        ),
    )
    return redirect(curl(request, "ota:packages"))


@require_http_methods(["GET", "HEAD", "POST"])
def delete_package(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Delete a package once its name is typed. Up to 2 calls."""
    request.gateway.require(api.DELETE_PACKAGE)
    found = api.get_package(request.gateway, package_id)
    form = ConfirmForm(
        found.name, request.POST if request.method == "POST" else None, label=gettext("Name of the package")
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.delete_package(request.gateway, package_id, name=found.name)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("The package %(name)s was deleted.") % {"name": found.name})
            return redirect(curl(request, "ota:packages"))
    consequences = [
        gettext("Its file is deleted, and no further batch can be made of it."),
        gettext("The records of its batches can no longer be reached from here."),
        gettext("Devices that run this version keep it."),
        gettext("A package with a batch that is planned or running cannot be deleted."),
    ]
    context = {"package": found, "form": form, "error": error, "consequences": consequences}
    return render(request, "ota/delete_package.html", context, status=status_of(form))
