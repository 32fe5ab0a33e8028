"""The pages of registrations: the product and the source of the device names, and the actions on a draft and its result."""

from __future__ import annotations

from itertools import islice

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from console.areas.devices.registration import actions
from console.areas.devices.registration.downloads import find_registration
from console.areas.devices.registration.forms import ColumnsForm, CountForm, FileForm, ProductForm
from console.areas.devices.registration.params import REGISTER_KIND, SECRETS_KIND, RegistrationParams
from console.areas.products import api as products_api
from console.areas.products.api import Product
from console.connections.http import CloudRequest
from console.jobs import actions as job_actions
from console.jobs.http import require_job_rights
from console.jobs.models import Job
from console.jobs.page import list_stages
from console.ui.format import number, size
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url, query_url
from console.ui.pieces import Tab
from console.ui.uploads import accepts_file
from iot_client.errors import CloudError, NotFound

_MAX_PRODUCTS = 600


def _too_large(request: HttpRequest) -> HttpResponse:
    message = _("The file is larger than %(limit)s. Split it and upload the parts separately.") % {
        "limit": size(settings.JOBS_UPLOAD_BYTES)
    }
    response = render(request, "areas/devices/registration/too_large.html", {"message": message}, status=413)
    response["Connection"] = "close"  # do not read the rest of the body
    return response


@accepts_file(
    settings.JOBS_UPLOAD_BYTES, lambda request: require_job_rights(request, REGISTER_KIND), _too_large
)
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: CloudRequest) -> HttpResponseBase:
    """Show the form with a product and a file or a number of devices; create the draft from it."""
    require_job_rights(request, REGISTER_KIND)
    form_class = CountForm if request.GET.get("by") == "count" else FileForm
    products, error = _list_products(request)
    if request.method != "POST":
        form = form_class(products, initial={"product": request.GET.get("product", "")})
        return _render_form(request, form, error)
    form = form_class(products, request.POST, request.FILES)
    if form.is_valid():
        job = _create_draft(request, form, {product.key: product for product in products})
        return _redirect_to(request, job)
    return _render_form(request, form, error, status=FORM_REFUSED)


def _create_draft(request: CloudRequest, form: ProductForm, products: dict[str, Product]) -> Job:
    product = products[form.cleaned_data["product"]]
    file = form.cleaned_data.get("file")
    if file is not None:
        content = file.chunks(256 * 1024)
        return actions.register_from_file(
            request.gateway, product.key, product.name, content, file.name or ""
        )
    count, prefix = form.cleaned_data["count"], form.cleaned_data["name_prefix"]
    return actions.register_generated_names(request.gateway, product.key, product.name, count, prefix)


def _list_products(request: CloudRequest) -> tuple[list[Product], CloudError | None]:
    """Return the newest products to choose from, with the product of the request if it exists, and the error of reading them."""
    key = request.POST.get("product") or request.GET.get("product") or ""
    try:
        products = list(islice(products_api.iterate_products(request.gateway), _MAX_PRODUCTS))
        if key and all(product.key != key for product in products):
            products.append(products_api.get_product(request.gateway, key).product)
    except NotFound:
        pass
    except CloudError as error:
        return [], error
    return products, None


def _render_form(
    request: CloudRequest, form: ProductForm, error: CloudError | None, status: int = 200
) -> HttpResponse:
    by_count = request.GET.get("by") == "count"
    tabs = [
        Tab(_("From a file"), query_url(request, by=None), not by_count),
        Tab(_("Generated names"), query_url(request, by="count"), by_count),
    ]
    first = _("Generate names") if by_count else _("Upload")
    stages = list_stages(first, "first")
    context = {"form": form, "error": error, "tabs": tabs, "by_count": by_count, "stages": stages}
    return render(request, "areas/devices/registration/new.html", context, status=status)


@require_POST
def start(request: CloudRequest, job: int) -> HttpResponse:
    """Start a draft: its valid rows are sent, the others are skipped."""
    record = find_registration(request, job)
    require_job_rights(request, REGISTER_KIND)
    set_tags = RegistrationParams.read(record).tagged and request.POST.get("tags") == "on"
    if job_actions.start(record, request.gateway, set_tags=set_tags):
        text = ngettext("Registering %(count)s device.", "Registering %(count)s devices.", record.total)
        messages.success(request, text % {"count": number(record.total)})
    elif record.is_draft:
        messages.error(
            request, _("This job cannot be started because it has no valid rows. Upload another file.")
        )
    return _redirect_to(request, record)


@require_POST
def columns(request: CloudRequest, job: int) -> HttpResponse:
    """Read a draft's file again with the columns that the user chose."""
    record = find_registration(request, job)
    require_job_rights(request, REGISTER_KIND)
    params = RegistrationParams.read(record)
    form = ColumnsForm(params.headings, request.POST, initial={"separator": params.separator})
    if not form.is_valid():
        messages.error(request, _("Select the column with the device names."))
    elif not job_actions.reread_file(record, **form.read_columns()):
        messages.error(request, _("The file cannot be read again. Upload it once more."))
    return _redirect_to(request, record)


@require_POST
def secrets(request: CloudRequest, job: int) -> HttpResponse:
    """Start a job that collects the DeviceSecrets of registered devices."""
    record = find_registration(request, job)
    require_job_rights(request, SECRETS_KIND)
    if not record.is_finished:
        messages.info(
            request, _("There are no secrets to collect yet. Wait until the registration has finished.")
        )
        return _redirect_to(request, record)
    return _redirect_to(request, actions.collect_secrets(record, request.gateway))


def _redirect_to(request: CloudRequest, job: Job) -> HttpResponse:
    return redirect(connection_url(request, "jobs:detail", job.pk))
