"""The modules of a product: parts of the firmware that can be updated separately."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.areas.ota import api
from console.areas.ota.forms.packages import ProductChoice
from console.areas.ota.tables import MODULES
from console.connections.http import CloudRequest
from console.ui.tables import Empty


@require_safe
def module_list(request: CloudRequest) -> HttpResponse:
    """Show the modules of `?product=`, by default of the newest product. 2 calls."""
    products = api.list_product_choices(request.gateway)
    known = dict(products)
    product_key = request.GET.get("product", "")
    if product_key not in known:
        product_key = next(iter(known), "")
    modules = api.list_modules(request.gateway, product_key) if product_key else ()
    own = [module for module in modules if not module.is_default]
    allows = request.gateway.allows
    context = {
        "choice": ProductChoice({"product": product_key}, products),
        "product_key": product_key,
        "table": MODULES.bind(request, modules, empty=Empty(_("No products yet"), icon="packages")),
        "may_create": bool(product_key) and allows(api.CREATE_MODULE) and len(own) < api.MAX_MODULES,
        "may_edit": allows(api.UPDATE_MODULE),
        "may_delete": allows(api.DELETE_MODULE),
        "is_full": len(own) >= api.MAX_MODULES,
        "limit": api.MAX_MODULES,
    }
    return render(request, "areas/ota/modules.html", context)


@require_safe
def module_options(request: CloudRequest) -> HttpResponse:
    """Return the modules of `?product=` as options of a form field. 1 call."""
    product_key = request.GET.get("product", "")[:64]
    modules = api.list_modules(request.gateway, product_key) if product_key else ()
    names = [module.name for module in modules if not module.is_default]
    return render(
        request, "areas/ota/module_options.html", {"names": names, "selected": request.GET.get("module", "")}
    )
