"""The pages that create static and dynamic batches, each in three steps at one address: the form, the review (`?review=`, the token
of the form), the request (`step=send`).

A valid form leads to its review by a redirect, and `?edit=` leads back to the form. Between them the values are kept, so that both can
be loaded again. The request submits all values again, which are checked again. A review of many devices asks for the name of the
package, and the request without that name shows the review again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.groups import api as groups_api
from console.areas.ota import api, batches
from console.areas.ota.details import build_review_details
from console.areas.ota.forms.batches import DynamicBatchForm, StaticBatchForm, StrategyForm
from console.areas.ota.views.kept_form import keep_values, read_values
from console.areas.ota.views.submission import (
    MAX_LOOKED_UP,
    create_once,
    form_status,
    refuse_unknown_devices,
)
from console.connections.approval import needs_approval
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.connections.submissions import new_token
from console.ui.forms import FORM_REFUSED, ConfirmForm
from console.ui.uploads import accepts_file
from iot_client.errors import CloudError

MAX_GROUP_CHOICES = 50
MIN_TYPED = 100
"""From this number of devices on, the review asks for the name of the package."""
FormType = TypeVar("FormType", bound=StrategyForm)


@dataclass(frozen=True)
class TargetSize:
    """How many devices a batch updates at most when it starts. `is_exact`: it is no more than the number of names. `all_devices`:
    the devices of the product, if they were counted. `later`: how many of them it may add later at most."""

    count: int
    is_exact: bool = False
    all_devices: int | None = None
    group_name: str = ""
    later: int = 0

    @property
    def is_large(self) -> bool:
        """Whether the review asks for the name of the package."""
        return max(self.count, self.later) >= MIN_TYPED


@dataclass(frozen=True)
class _Kind(Generic[FormType]):
    """What differs between static and dynamic batches. `build_parameters`: the parameters that determine how many devices a batch
    updates, for the approval rule; `list_names`: the device names that it sends in a file or in the call."""

    operation: str
    form: type[FormType]
    template: str
    read_size: Callable[[Gateway, api.Package, FormType], TargetSize]
    build_parameters: Callable[[api.Package, FormType], dict[str, Any]]
    list_names: Callable[[FormType], tuple[str, ...]]
    create: Callable[[Gateway, api.Package, FormType], batches.NewBatch]


@accepts_file(api.MAX_LIST_BYTES, lambda request: request.gateway.require(api.CREATE_STATIC))
@require_http_methods(["GET", "HEAD", "POST"])
def create_static_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Create a static batch. Each step takes up to 4 calls and an upload."""
    return _show_step(request, package_id, _STATIC)


@require_http_methods(["GET", "HEAD", "POST"])
def create_dynamic_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Create a dynamic batch. Each step takes up to 3 calls."""
    return _show_step(request, package_id, _DYNAMIC)


def _show_step(request: CloudRequest, package_id: str, kind: _Kind[FormType]) -> HttpResponseBase:
    request.gateway.require(kind.operation)
    package = api.get_package(request.gateway, package_id)
    if not package.is_ready or not package.product_key:
        return render(request, "areas/ota/not_ready.html", {"package": package}, status=409)
    if request.method == "POST":
        return _submit(request, package, kind)
    token = request.GET.get("review") or request.GET.get("edit", "")
    if not token:
        return _render_form(request, package, kind, kind.form(package), new_token(), None)
    values = read_values(request, token)
    if values is None:
        messages.warning(request, gettext("The form has expired. Enter the values again."))
        return redirect(request.path)
    if "edit" in request.GET:  # the form with its values, without errors
        form = kind.form(package, initial=_read_initial(values, kind.form(package)))
        return _render_form(request, package, kind, form, token, None)
    form = kind.form(package, values)
    if not form.is_valid():  # the time of the start has passed
        return _render_form(request, package, kind, form, token, None)
    return _render_review(request, package, kind, form, token, name_columns=_read_name_columns(values))


def _submit(request: CloudRequest, package: api.Package, kind: _Kind[FormType]) -> HttpResponseBase:
    """The form (`step=summary`) or the review (`step=send`) was submitted."""
    form = kind.form(package, request.POST, request.FILES or None)
    token = request.POST.get("token", "") or new_token()

    def show_error(error: CloudError | None, token: str) -> HttpResponse:
        # A file field cannot be filled again: the names of an uploaded list go to the text field.
        form.data = _to_query(_list_values(form))
        return _render_form(request, package, kind, form, token, error)

    if not form.is_valid():
        return _render_form(request, package, kind, form, token, None)
    if request.POST.get("step") != "send":
        names = kind.list_names(form)
        if names and refuse_unknown_devices(request, package, form, names):
            return show_error(None, token)
        keep_values(request, token, [*_list_values(form), *_list_name_columns(form)])
        return redirect(f"{request.path}?{urlencode({'review': token})}")
    size = kind.read_size(request.gateway, package, form)
    if size.is_large and not _build_confirmation(package, request.POST).is_valid():
        return _render_review(request, package, kind, form, token, size)
    return create_once(
        request, package, form, token, lambda: kind.create(request.gateway, package, form), show_error
    )


def _build_confirmation(package: api.Package, data: QueryDict | None) -> ConfirmForm:
    return ConfirmForm(package.name, data, label=str(_("Package name")))


def _render_form(
    request: CloudRequest,
    package: api.Package,
    kind: _Kind[FormType],
    form: FormType,
    token: str,
    error: CloudError | None,
) -> HttpResponse:
    if isinstance(form, StaticBatchForm):
        form.set_group_choices(_read_group_choices(request))
    context = {
        "package": package,
        "form": form,
        "token": token,
        "error": error,
    }
    return render(request, kind.template, context, status=form_status(form))


def _render_review(
    request: CloudRequest,
    package: api.Package,
    kind: _Kind[FormType],
    form: FormType,
    token: str,
    size: TargetSize | None = None,
    *,
    name_columns: Sequence[tuple[str, int]] = (),
) -> HttpResponse:
    """Show the review of a valid form; with the error of the confirmation if it was submitted. `name_columns`: the columns that
    the names of a list come from, each with the number of its names."""
    size = size or kind.read_size(request.gateway, package, form)
    typed = request.POST if request.method == "POST" else None
    confirmation = _build_confirmation(package, typed) if size.is_large else None
    context = {
        "package": package,
        "form": form,
        "is_dynamic": kind is _DYNAMIC,
        "batch_target": form.build_target() if isinstance(form, StaticBatchForm) else None,
        "source_versions": form.cleaned_data.get("source_versions", ()),
        "name_columns": name_columns,
        "looked_up": MAX_LOOKED_UP,
        "size": size,
        "details": build_review_details(
            form.build_strategy(), form.cleaned_data.get("start"), form.cleaned_data.get("finish")
        ),
        "hidden_fields": _list_values(form),
        "token": token,
        "edit_url": f"{request.path}?{urlencode({'edit': token})}",
        "confirmation": confirmation,
        "needs_approval": needs_approval(
            request.gateway,
            kind.operation,
            kind.build_parameters(package, form),
            listed_names=kind.list_names(form),
        ),
    }
    is_refused = confirmation is not None and bool(confirmation.errors)
    return render(
        request, "areas/ota/batch_summary.html", context, status=FORM_REFUSED if is_refused else 200
    )


def _read_initial(values: QueryDict, form: forms.Form) -> dict[str, Any]:
    """Return submitted values as initial values of a form. A browser does not submit an unchecked box."""
    initial: dict[str, Any] = {"group_name": values.get("group_name", "")}
    for name, field in form.fields.items():
        if isinstance(field, forms.BooleanField):
            initial[name] = name in values
        elif name in values:
            initial[name] = values[name]
    return initial


def _list_values(form: StrategyForm) -> list[tuple[str, str]]:
    """Return all values of a submitted form, which can be invalid, as (name, value). Device names are one text."""
    values = [
        (name, str(form.data[name]))
        for name in (*form.fields, "group_name")
        if name not in ("list_file", "names") and name in form.data
    ]
    if "names" in form.fields:
        values.append(("names", "\n".join(form.cleaned_data["all_names"])))
    return values


def _list_name_columns(form: StrategyForm) -> list[tuple[str, str]]:
    """Return which columns of tables the names come from, as values to keep: the heading, then the number of names."""
    lists = [form.cleaned_data.get(field) for field in ("names", "list_file") if field in form.fields]
    columns = [listed for listed in lists if listed and listed.heading]
    return [
        value
        for listed in columns
        for value in (("column_heading", listed.heading), ("column_names", str(len(listed.names))))
    ]


def _read_name_columns(values: QueryDict) -> list[tuple[str, int]]:
    counts = map(int, values.getlist("column_names"))
    return list(zip(values.getlist("column_heading"), counts, strict=True))


def _to_query(values: list[tuple[str, str]]) -> QueryDict:
    return QueryDict(urlencode(values))


# -- static batches ----------------------------------------------------------------------------------------------------


def _read_static_size(gateway: Gateway, package: api.Package, form: StaticBatchForm) -> TargetSize:
    """Up to 3 calls: the statistics of the product, or the group. The platform counts no devices by version."""
    batch_target = form.build_target()
    if batch_target.selection == "SPECIFIC":
        return TargetSize(len(batch_target.names), is_exact=True)
    if batch_target.selection == "GROUP":
        group = groups_api.get_group(gateway, batch_target.group_id)
        return TargetSize(group.devices, group_name=group.name)
    all_devices = api.count_devices(gateway, package.product_key)
    count = all_devices
    if batch_target.selection == "GRAY":
        share = int((Decimal(batch_target.percent) * all_devices / 100).to_integral_value(ROUND_FLOOR))
        count = max(1, share) if all_devices else 0
    return TargetSize(count, all_devices=all_devices)


def _build_static_parameters(package: api.Package, form: StaticBatchForm) -> dict[str, Any]:
    batch_target = form.build_target()
    return {
        "ProductKey": package.product_key,
        "TargetSelection": batch_target.selection,
        "GrayPercent": batch_target.percent or None,
    }


def _create_static(gateway: Gateway, package: api.Package, form: StaticBatchForm) -> batches.NewBatch:
    batch_target = form.build_target()
    if len(batch_target.names) > api.MAX_NAMES_PER_CALL:
        gateway.require(api.UPLOAD_LIST)
    return batches.create_static_batch(
        gateway,
        package,
        batch_target,
        form.build_strategy(),
        start=form.cleaned_data["start"],
        finish=form.cleaned_data["finish"],
    )


_STATIC = _Kind(
    api.CREATE_STATIC,
    StaticBatchForm,
    "areas/ota/create_batch.html",
    read_size=_read_static_size,
    build_parameters=_build_static_parameters,
    list_names=lambda form: form.build_target().names,
    create=_create_static,
)


@require_safe
def group_options(request: CloudRequest) -> HttpResponse:
    """Return groups whose name contains `?find=`, as options of the form field. 1 call."""
    group_list = groups_api.list_groups(
        request.gateway, name=request.GET.get("find", "").strip()[:30], size=MAX_GROUP_CHOICES
    )
    context = {"groups": group_list.groups, "has_more": group_list.total > len(group_list.groups)}
    return render(request, "areas/ota/group_options.html", context)


def _read_group_choices(request: CloudRequest) -> list[tuple[str, str]]:
    group_list = groups_api.list_groups(request.gateway, size=MAX_GROUP_CHOICES)
    return [(group.id, group.name) for group in group_list.groups]


# -- dynamic batches ---------------------------------------------------------------------------------------------------


def _read_dynamic_size(gateway: Gateway, package: api.Package, form: DynamicBatchForm) -> TargetSize:
    """1 call. All devices of the product may report one of the versions later."""
    all_devices = api.count_devices(gateway, package.product_key)
    now = 0 if form.cleaned_data["new_devices_only"] else all_devices
    return TargetSize(now, all_devices=all_devices, later=all_devices)


def _create_dynamic(gateway: Gateway, package: api.Package, form: DynamicBatchForm) -> batches.NewBatch:
    return batches.create_dynamic_batch(
        gateway,
        package,
        form.cleaned_data["source_versions"],
        form.build_strategy(),
        new_devices_only=form.cleaned_data["new_devices_only"] == "1",
    )


_DYNAMIC = _Kind(
    api.CREATE_DYNAMIC,
    DynamicBatchForm,
    "areas/ota/create_dynamic.html",
    read_size=_read_dynamic_size,
    build_parameters=lambda package, form: {"ProductKey": package.product_key},
    list_names=lambda form: (),
    create=_create_dynamic,
)
