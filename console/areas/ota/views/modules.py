"""The pages of the modules of a product: parts of the firmware that can be updated separately."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.ota import api
from console.areas.ota.forms.packages import ModuleForm, NewModuleForm, ProductChoice
from console.areas.ota.views.shared import form_status, product_choices
from console.areas.ota.views.tables import MODULES
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ui.forms import ConfirmForm
from console.ui.links import connection_url
from console.ui.tables import Empty
from iot_client.errors import AlreadyExists, CloudError

_FIELDS = {"ModuleName": "name", "AliasName": "alias", "Desc": "description"}


@require_safe
def module_list(request: CloudRequest) -> HttpResponse:
    """Show the modules of `?product=`, by default of the newest product. 2 calls."""
    products = product_choices(request)
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


@require_http_methods(["GET", "HEAD", "POST"])
def create_module(request: CloudRequest, product_key: str) -> HttpResponseBase:
    """Create a module. 1 call."""
    request.gateway.require(api.CREATE_MODULE)
    form = NewModuleForm(request.POST if request.method == "POST" else None)
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            api.create_module(
                request.gateway,
                product_key,
                data["name"],
                alias=data["alias"],
                description=data["description"],
            )
        except AlreadyExists:
            form.add_error(
                "name", gettext("The product already has a module with this name. Enter another name.")
            )
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised, _FIELDS)
        else:
            messages.success(request, gettext("Module %(name)s created.") % {"name": data["name"]})
            return _redirect_to_list(request, product_key)
    context = {"form": form, "error": error, "product_key": product_key, "title": _("Create module")}
    return render(request, "areas/ota/module_form.html", context, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
def edit_module(request: CloudRequest, product_key: str, name: str) -> HttpResponseBase:
    """Edit alias and description of a module. Up to 2 calls."""
    request.gateway.require(api.UPDATE_MODULE)
    module = _get_own_module(request, product_key, name)
    form = ModuleForm(
        request.POST if request.method == "POST" else None,
        initial={"alias": module.alias, "description": module.description},
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if module.alias and not data["alias"]:
            form.add_error("alias", gettext("The platform cannot remove an alias. Enter another alias."))
        else:
            try:
                api.update_module(
                    request.gateway, product_key, name, alias=data["alias"], description=data["description"]
                )
            except CloudError as raised:
                error = cloud_errors_to_form(form, raised, _FIELDS)
            else:
                messages.success(request, gettext("Module %(name)s saved.") % {"name": name})
                return _redirect_to_list(request, product_key)
    title = gettext("Edit module %(name)s") % {"name": name}
    context = {"form": form, "error": error, "product_key": product_key, "title": title}
    return render(request, "areas/ota/module_form.html", context, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
def delete_module(request: CloudRequest, product_key: str, name: str) -> HttpResponseBase:
    """Delete a module after the user enters its name. Up to 2 calls."""
    request.gateway.require(api.DELETE_MODULE)
    _get_own_module(request, product_key, name)
    form = ConfirmForm(name, request.POST if request.method == "POST" else None, label=gettext("Module name"))
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.delete_module(request.gateway, product_key, name)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("Module %(name)s deleted.") % {"name": name})
            return _redirect_to_list(request, product_key)
    consequences = [
        gettext("You can no longer create packages for this module."),
        gettext("You cannot delete a module that has packages. Delete the packages first."),
    ]
    context = {
        "form": form,
        "error": error,
        "product_key": product_key,
        "name": name,
        "consequences": consequences,
    }
    return render(request, "areas/ota/delete_module.html", context, status=form_status(form))


def _get_own_module(request: CloudRequest, product_key: str, name: str) -> api.Module:
    """Return a module of the product. Raises Http404 when it does not exist or is the default module."""
    module = api.find_own_module(request.gateway, product_key, name)
    if module is None:
        raise Http404
    return module


def _redirect_to_list(request: CloudRequest, product_key: str) -> HttpResponseBase:
    return redirect(f"{connection_url(request, 'ota:modules')}?product={product_key}")
