"""The first page of a registration: the product and the source of the device names."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from console.connections.http import CloudRequest
from console.jobs import actions, api
from console.jobs.forms import CountForm, FileForm, ProductForm
from console.jobs.http import REGISTER, require_job_rights
from console.ui.format import size
from console.ui.links import connection_url, query_url
from console.ui.pieces import Tab
from console.ui.uploads import accepts_file
from iot_client.errors import CloudError, NotFound


def _too_large(request: HttpRequest) -> HttpResponse:
    message = _("The file is larger than %(limit)s. Split it and upload the parts separately.") % {
        "limit": size(settings.JOBS_UPLOAD_BYTES)
    }
    response = render(request, "jobs/too_large.html", {"message": message}, status=413)
    response["Connection"] = "close"  # do not read the rest of the body
    return response


@accepts_file(settings.JOBS_UPLOAD_BYTES, lambda request: require_job_rights(request, REGISTER), _too_large)
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: CloudRequest) -> HttpResponseBase:
    """Show the form with a product and a file or a number of devices; create the draft from it."""
    require_job_rights(request, REGISTER)
    form_class = CountForm if request.GET.get("by") == "count" else FileForm
    products, error = _products(request)
    if request.method != "POST":
        form = form_class(products, initial={"product": request.GET.get("product", "")})
        return _page(request, form, error)
    form = form_class(products, request.POST, request.FILES)
    if form.is_valid():
        return _create_draft(request, form, {product.key: product for product in products})
    return _page(request, form, error, status=422)


def _create_draft(request: CloudRequest, form: ProductForm, products: dict[str, api.Product]) -> HttpResponse:
    product = products[form.cleaned_data["product"]]
    params: dict[str, Any] = {"product_key": product.key, "product_name": product.name}
    file = form.cleaned_data.get("file")
    if file is None:
        params |= {
            "source": "count",
            "count": form.cleaned_data["count"],
            "prefix": form.cleaned_data["name_prefix"],
        }
        job = actions.create_draft(request.gateway, REGISTER, params)
    else:
        params |= {"source": "file", "filename": (file.name or "")[:120]}
        job = actions.create_draft(request.gateway, REGISTER, params, file.chunks(256 * 1024))
    return redirect(connection_url(request, "jobs:detail", job.pk))


def _products(request: CloudRequest) -> tuple[list[api.Product], CloudError | None]:
    """Return the products to choose from, including the product of the request if it exists, and the error of reading them."""
    key = request.POST.get("product") or request.GET.get("product") or ""
    try:
        products = list(api.list_products(request.gateway))
        if key and all(product.key != key for product in products):
            products.append(api.get_product(request.gateway, key))
    except NotFound:
        pass
    except CloudError as error:
        return [], error
    return products, None


def _page(
    request: CloudRequest,
    form: ProductForm | None,
    error: CloudError | None = None,
    status: int = 200,
    message: str = "",
) -> HttpResponse:
    by_count = request.GET.get("by") == "count"
    tabs = [
        Tab(_("From a file"), query_url(request, by=None), not by_count),
        Tab(_("Generated names"), query_url(request, by="count"), by_count),
    ]
    context = {"form": form, "error": error, "tabs": tabs, "by_count": by_count, "message": message}
    return render(request, "jobs/register.html", context, status=status)
