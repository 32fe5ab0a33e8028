"""The pages of one update package, and its creation from an uploaded file."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.ota import api
from console.areas.ota.forms.packages import PackageForm, find_file_suffix
from console.areas.ota.pages import PACKAGE
from console.areas.ota.progress import ListedBatch, add_recorded
from console.areas.ota.tables import BATCHES_OF_PACKAGE
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.paging import Page, page_number, page_size
from console.ui.pieces import DetailItem
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
def package_detail(request: CloudRequest, package_id: str) -> HttpResponse:
    """Show a package and its batches. 2 calls."""
    number, size = page_number(request), page_size(request)
    package, batch_page = api.get_package_with_batches(request.gateway, package_id, page=number, size=size)
    page, allows = Page(number, size, batch_page.total), request.gateway.allows
    has_product = bool(package.product_key)
    product = package.product_name or package.product_key
    batches = [ListedBatch(batch, package.name, package.version, product) for batch in batch_page.batches]
    verification = next((row.batch for row in batches if row.batch.is_verification), None)
    query = request.GET.copy()
    query["package"] = package_id
    may_create_batch = allows(api.CREATE_STATIC) and package.is_ready and has_product
    empty = Empty(
        _("No batches yet"),
        _("Create a batch to update devices with this package."),
        icon="cloud-upload",
        url=connection_url(request, "ota:create-batch", package_id) if may_create_batch else "",
        action=_("Create batch"),
    )
    return PACKAGE.render(
        request,
        package,
        "package",
        "areas/ota/package.html",
        details=_build_details(package),
        table=BATCHES_OF_PACKAGE.bind(
            request, add_recorded(request.connection, batches), page=page, empty=empty
        ),
        progress_query=query.urlencode(),
        verification=verification,
        may_verify=allows(api.CREATE_VERIFY) and package.is_verifiable and has_product,
        may_create_batch=may_create_batch,
        may_create_dynamic=allows(api.CREATE_DYNAMIC) and package.is_ready and has_product,
    )


def _build_details(package: api.Package) -> list[DetailItem]:
    items = [
        DetailItem(_("Package ID"), package.id, "code", copy=True),
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
        items.insert(3, DetailItem(_("Source version"), package.source_version, "code"))
    return items


@accepts_file(api.MAX_PACKAGE_BYTES, lambda request: request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE))
@require_http_methods(["GET", "HEAD", "POST"])
def create_package(request: CloudRequest) -> HttpResponseBase:
    """Upload a file to the platform's store and create a package from it, once per form. 2 calls and the upload.

    With `?check=`, the form with the first bytes of the file is only checked: status 204, or the form with its errors.
    """
    request.gateway.require(api.UPLOAD, api.CREATE_PACKAGE)
    token = request.POST.get("token", "") or new_token()
    error: CloudError | None = None
    is_submitted = request.method == "POST"
    products = api.list_product_choices(request.gateway)
    initial = {"product": request.GET.get("product", "")}
    form = PackageForm(
        request.POST if is_submitted else None,
        request.FILES if is_submitted else None,
        initial=initial,
        products=products,
    )
    if is_submitted and form.is_valid():
        if "check" in request.GET:
            return HttpResponse(status=204)
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
        status=FORM_REFUSED if form.errors else 200,
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
