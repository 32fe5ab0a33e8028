"""The pages that create batches: static batches with a review page, dynamic batches, and verification of a package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from console.areas.groups import api as groups_api
from console.areas.ota import api, batches
from console.areas.ota.forms.batches import DynamicBatchForm, StaticBatchForm, VerifyForm
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from console.ui.uploads import accepts_file
from iot_client.errors import CloudError

MAX_GROUP_CHOICES = 50
_FIELDS = {
    "SrcVersion": "source_versions",
    "TargetDeviceName": "names",
    "DnListFileUrl": "list_file",
    "GrayPercent": "percent",
    "GroupId": "group",
    "ScheduleTime": "start",
    "ScheduleFinishTime": "finish",
    "MaximumPerMinute": "rate",
    "TimeoutInMinutes": "timeout",
    "OverwriteMode": "overwrite",
    "MultiModuleMode": "multi_module",
    "DownloadProtocol": "protocol",
    "Tag": "tags",
}


@dataclass(frozen=True)
class TargetSize:
    """The maximum number of devices that a batch updates, and the number of devices of the product if it was read."""

    count: int
    all_devices: int | None


@accepts_file(api.MAX_LIST_BYTES, lambda request: request.gateway.require(api.CREATE_STATIC))
@require_http_methods(["GET", "HEAD", "POST"])
def create_static_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Create a static batch, in three steps at one address: the form, the review (`step=summary`), the request (`step=send`).

    Nothing is stored between the steps: each step submits all values, which are checked again. Each step takes up to 4
    calls and an upload.
    """
    request.gateway.require(api.CREATE_STATIC)
    package = api.get_package(request.gateway, package_id)
    if not package.is_ready or not package.product_key:
        return render(request, "areas/ota/not_ready.html", {"package": package}, status=409)
    step = request.POST.get("step", "form") if request.method == "POST" else "form"
    data = request.POST if request.method == "POST" else None
    form = StaticBatchForm(package, data, request.FILES or None)
    token = request.POST.get("token", "") or new_token()
    if step in ("summary", "send") and form.is_valid():
        if step == "summary":
            return _render_review(request, package, form, token)
        return _submit_static(request, package, form, token)
    if step == "back":  # from the review: the form with its values, without errors
        form = StaticBatchForm(package, initial=_read_values(request, form))
    form.set_group_choices(_read_group_choices(request))
    context = {"package": package, "form": form, "token": token}
    return render(request, "areas/ota/create_batch.html", context, status=_form_status(form))


def _form_status(form: forms.Form) -> int:
    return FORM_REFUSED if form.errors else 200


def _read_values(request: CloudRequest, form: forms.Form) -> dict[str, Any]:
    """Return the submitted values as initial values of a new form. A browser does not submit an unchecked box."""
    initial: dict[str, Any] = {}
    for name, field in form.fields.items():
        if isinstance(field, forms.BooleanField):
            initial[name] = name in request.POST
        elif name in request.POST:
            initial[name] = request.POST[name]
    return initial


def _render_review(
    request: CloudRequest, package: api.Package, form: StaticBatchForm, token: str
) -> HttpResponse:
    batch_target = form.build_target()
    size, group_name = _read_target_size(request, package, batch_target)
    return render(
        request,
        "areas/ota/batch_summary.html",
        {
            "package": package,
            "form": form,
            "batch_target": batch_target,
            "size": size,
            "group_name": group_name,
            "strategy": form.build_strategy(),
            "hidden_fields": _list_hidden_fields(request, form),
            "token": token,
            "needs_approval": needs_approval(
                request.gateway,
                api.CREATE_STATIC,
                _build_size_parameters(package, batch_target),
                listed_names=batch_target.names,
            ),
        },
    )


def _build_size_parameters(package: api.Package, batch_target: api.BatchTarget) -> dict[str, Any]:
    """Return the parameters that determine how many devices the batch updates, for the approval rule."""
    return {
        "ProductKey": package.product_key,
        "TargetSelection": batch_target.selection,
        "GrayPercent": batch_target.percent or None,
    }


def _list_hidden_fields(request: CloudRequest, form: StaticBatchForm) -> list[tuple[str, str]]:
    """Return all submitted values as (name, value) of hidden fields. Device names are one text."""
    fields = []
    for name in form.fields:
        if name in ("list_file", "names") or name not in request.POST:
            continue
        fields.append((name, request.POST[name]))
    fields.append(("names", "\n".join(form.cleaned_data["all_names"])))
    if request.POST.get("group_name"):
        fields.append(("group_name", request.POST["group_name"]))
    return fields


def _read_target_size(
    request: CloudRequest, package: api.Package, batch_target: api.BatchTarget
) -> tuple[TargetSize, str]:
    """Return the number of devices of the target, and the name of the group. Up to 3 calls."""
    if batch_target.selection == "SPECIFIC":
        return TargetSize(len(batch_target.names), None), ""
    if batch_target.selection == "GROUP":
        group = groups_api.get_group(request.gateway, batch_target.group_id)
        return TargetSize(group.devices, None), group.name
    all_devices = api.count_devices(request.gateway, package.product_key)
    if batch_target.selection == "GRAY":
        share = int((Decimal(batch_target.percent) * all_devices / 100).to_integral_value(ROUND_FLOOR))
        return TargetSize(max(1, share) if all_devices else 0, all_devices), ""
    return TargetSize(all_devices, all_devices), ""


def _submit_static(
    request: CloudRequest, package: api.Package, form: StaticBatchForm, token: str
) -> HttpResponseBase:
    batch_target, data = form.build_target(), form.cleaned_data
    if len(batch_target.names) > api.MAX_NAMES_PER_CALL:
        request.gateway.require(api.UPLOAD_LIST)

    def create() -> batches.NewBatch:
        return batches.create_static_batch(
            request.gateway,
            package,
            batch_target,
            form.build_strategy(),
            start=data["start"],
            finish=data["finish"],
        )

    def show_form(error: CloudError | None, token: str) -> HttpResponse:
        form.set_group_choices(_read_group_choices(request))
        # A file field cannot be filled again: the names of an uploaded list go to the text field.
        values = request.POST.copy()
        values["names"] = "\n".join(batch_target.names)
        form.data = values
        context = {"package": package, "form": form, "token": token, "error": error}
        return render(request, "areas/ota/create_batch.html", context, status=_form_status(form))

    return _submit(request, package, form, token, create, show_form)


def _submit(
    request: CloudRequest,
    package: api.Package,
    form: forms.Form,
    token: str,
    create: Callable[[], batches.NewBatch],
    show_form: Callable[[CloudError | None, str], HttpResponse],
) -> HttpResponseBase:
    """Create the batch once. On an error, `show_form(error, token)` returns the form page."""
    try:
        batch_id = submit_once(request, token, lambda: create().id)
    except AlreadySubmitted as earlier:
        if earlier.result:
            messages.info(
                request, gettext("You already submitted this form. This is the batch that it created.")
            )
            return redirect(connection_url(request, "ota:batch", earlier.result))
        messages.warning(
            request,
            gettext(
                "You already submitted this form, and no response was received yet. Check for the batch here in a moment."
            ),
        )
        return redirect(connection_url(request, "ota:package", package.id))
    except CloudError as raised:
        error = cloud_errors_to_form(form, raised, _FIELDS)
        return show_form(error, new_token() if is_outcome_unknown(raised) else token)
    messages.success(request, gettext("Batch created."))
    return redirect(connection_url(request, "ota:batch", batch_id))


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


@require_http_methods(["GET", "HEAD", "POST"])
def create_dynamic_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Create a dynamic batch. Up to 2 calls."""
    request.gateway.require(api.CREATE_DYNAMIC)
    package = api.get_package(request.gateway, package_id)
    if not package.is_ready or not package.product_key:
        return render(request, "areas/ota/not_ready.html", {"package": package}, status=409)
    form = DynamicBatchForm(package, request.POST if request.method == "POST" else None)

    def show_form(error: CloudError | None, token: str) -> HttpResponse:
        context = {
            "package": package,
            "form": form,
            "token": token,
            "error": error,
            "needs_approval": needs_approval(
                request.gateway, api.CREATE_DYNAMIC, {"ProductKey": package.product_key}
            ),
        }
        return render(request, "areas/ota/create_dynamic.html", context, status=_form_status(form))

    if request.method != "POST" or not form.is_valid():
        return show_form(None, request.POST.get("token", "") or new_token())

    def create() -> batches.NewBatch:
        data = form.cleaned_data
        return batches.create_dynamic_batch(
            request.gateway,
            package,
            data["source_versions"],
            form.build_strategy(),
            new_devices_only=data["new_devices_only"] == "1",
        )

    return _submit(request, package, form, request.POST.get("token", "") or new_token(), create, show_form)


@require_http_methods(["GET", "HEAD", "POST"])
def verify_package(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Verify a package on up to 10 devices. Up to 2 calls."""
    request.gateway.require(api.CREATE_VERIFY)
    package = api.get_package(request.gateway, package_id)
    form = VerifyForm(request.POST if request.method == "POST" else None)

    def show_form(error: CloudError | None, token: str) -> HttpResponse:
        context = {"package": package, "form": form, "token": token, "error": error}
        return render(request, "areas/ota/verify.html", context, status=_form_status(form))

    if request.method != "POST" or not form.is_valid():
        return show_form(None, request.POST.get("token", "") or new_token())

    def create() -> batches.NewBatch:
        data = form.cleaned_data
        return batches.create_verification_batch(
            request.gateway,
            package,
            data["names"],
            timeout=data["timeout"],
            need_push=data["need_push"],
            need_confirm=data["need_confirm"],
        )

    return _submit(request, package, form, request.POST.get("token", "") or new_token(), create, show_form)
