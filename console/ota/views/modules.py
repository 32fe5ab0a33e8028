"""The modules of a product: what of its firmware is updated apart from the rest."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.cloud.errors import AlreadyExists, CloudError
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.ota import api
from console.ota.forms import ModuleForm, NewModuleForm, ProductChoice
from console.ota.views.shared import product_choices, status_of
from console.ota.views.tables import MODULES
from console.ui.forms import ConfirmForm
from console.ui.links import curl
from console.ui.tables import Empty

_FIELDS = {"ModuleName": "name", "AliasName": "alias", "Desc": "description"}


@require_safe
def module_list(request: CloudRequest) -> HttpResponse:
    """The modules of `?product=`, of the newest product unless told. 2 calls."""
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
        "full": len(own) >= api.MAX_MODULES,
        "most": api.MAX_MODULES,
    }
    return render(request, "ota/modules.html", context)


@require_safe
def module_options(request: CloudRequest) -> HttpResponse:
    """The modules of `?product=` as options of the package form's field: a part of its page. 1 call."""
    product_key = request.GET.get("product", "")[:64]
    modules = api.list_modules(request.gateway, product_key) if product_key else ()
    names = [module.name for module in modules if not module.is_default]
    return render(
        request, "ota/module_options.html", {"names": names, "chosen": request.GET.get("module", "")}
    )


@require_http_methods(["GET", "HEAD", "POST"])
def create_module(request: CloudRequest, product_key: str) -> HttpResponseBase:
    """A new module. 1 call."""
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
            form.add_error("name", gettext("The product has a module of this name. Choose another name."))
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised, _FIELDS)
        else:
            messages.success(request, gettext("The module %(name)s was created.") % {"name": data["name"]})
            return _back(request, product_key)
    context = {"form": form, "error": error, "product_key": product_key, "title": _("New module")}
    return render(request, "ota/module_form.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
def edit_module(request: CloudRequest, product_key: str, name: str) -> HttpResponseBase:
    """Alias and description of a module. Up to 2 calls."""
    request.gateway.require(api.UPDATE_MODULE)
    module = _own(request, product_key, name)
    form = ModuleForm(
        request.POST if request.method == "POST" else None,
        initial={"alias": module.alias, "description": module.description},
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if module.alias and not data["alias"]:
            form.add_error("alias", gettext("An alias can be changed, but the platform cannot take it away."))
        else:
            try:
                api.update_module(
                    request.gateway, product_key, name, alias=data["alias"], description=data["description"]
                )
            except CloudError as raised:
                error = cloud_errors_to_form(form, raised, _FIELDS)
            else:
                messages.success(request, gettext("The module %(name)s was saved.") % {"name": name})
                return _back(request, product_key)
    title = gettext("Module %(name)s") % {"name": name}
    context = {"form": form, "error": error, "product_key": product_key, "title": title}
    return render(request, "ota/module_form.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
def delete_module(request: CloudRequest, product_key: str, name: str) -> HttpResponseBase:
    """Delete a module once its name is typed. Up to 2 calls."""
    request.gateway.require(api.DELETE_MODULE)
    _own(request, product_key, name)
    form = ConfirmForm(
        name, request.POST if request.method == "POST" else None, label=gettext("Name of the module")
    )
    error: CloudError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            api.delete_module(request.gateway, product_key, name)
        except CloudError as raised:
            error = cloud_errors_to_form(form, raised)
        else:
            messages.success(request, gettext("The module %(name)s was deleted.") % {"name": name})
            return _back(request, product_key)
    consequences = [
        gettext("Packages can no longer be made for it."),
        gettext("A module that has packages cannot be deleted: delete those first."),
    ]
    context = {
        "form": form,
        "error": error,
        "product_key": product_key,
        "name": name,
        "consequences": consequences,
    }
    return render(request, "ota/delete_module.html", context, status=status_of(form))


def _own(request: CloudRequest, product_key: str, name: str) -> api.Module:
    """A module that the product made itself; Http404 for one that is not there, or is the default one."""
    module = api.own_module(request.gateway, product_key, name)
    if module is None:
        raise Http404
    return module


def _back(request: CloudRequest, product_key: str) -> HttpResponseBase:
    return redirect(f"{curl(request, 'ota:modules')}?product={product_key}")
