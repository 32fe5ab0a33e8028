"""Making batches: static ones with a summary before they are sent, dynamic ones, and verifying a package."""

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

from console.cloud.errors import CloudError
from console.connections.approval import needs_approval
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.groups import api as groups_api
from console.ota import api, jobs
from console.ota.batch_forms import DynamicForm, StaticForm, VerifyForm
from console.ota.views.shared import status_of
from console.ui.links import curl
from console.ui.uploads import takes_file

GROUPS_OFFERED = 50
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
class Reach:
    """How many devices a batch is aimed at: `count` of `all_devices`; `most`: it may be fewer."""

    count: int
    all_devices: int | None
    most: bool


@takes_file(api.MAX_LIST_BYTES, lambda request: request.gateway.require(api.CREATE_STATIC))
@require_http_methods(["GET", "HEAD", "POST"])
def static_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Three steps at one address: the form, its summary (sent with `step=summary`), the sending (`step=send`).

    Nothing is kept between the steps: each carries all of it, and is checked again. Up to 4 calls and an upload each.
    """
    request.gateway.require(api.CREATE_STATIC)
    package = api.get_package(request.gateway, package_id)
    if not package.ready or not package.product_key:
        return render(request, "ota/not_ready.html", {"package": package}, status=409)
    step = request.POST.get("step", "form") if request.method == "POST" else "form"
    data = request.POST if request.method == "POST" else None
    form = StaticForm(package, data, request.FILES or None)
    token = request.POST.get("token", "") or new_token()
    if step in ("summary", "send") and form.is_valid():
        if step == "summary":
            return _summary(request, package, form, token)
        return _send_static(request, package, form, token)
    if step == "back":  # from the summary: the form as it was, not complaining
        form = StaticForm(package, initial=_as_initial(request, form))
    form.offer_groups(_groups(request))
    context = {"package": package, "form": form, "token": token}
    return render(
        request, "ota/create_batch.html", context, status=status_of(form) if step != "back" else 200
    )


def _as_initial(request: CloudRequest, form: forms.Form) -> dict[str, Any]:
    """What was sent, as a fresh form's values. A box that was not ticked was not sent."""
    initial: dict[str, Any] = {}
    for name, field in form.fields.items():
        if isinstance(field, forms.BooleanField):
            initial[name] = name in request.POST
        elif name in request.POST:
            initial[name] = request.POST[name]
    return initial


def _summary(request: CloudRequest, package: api.Package, form: StaticForm, token: str) -> HttpResponse:
    aim = form.aim()
    reach, group_name = _reach(request, package, aim)
    return render(
        request,
        "ota/batch_summary.html",
        {
            "package": package,
            "form": form,
            "aim": aim,
            "reach": reach,
            "group_name": group_name,
            "strategy": form.strategy(),
            "carried": _carried(request, form),
            "token": token,
            "needs_approval": needs_approval(
                request.gateway, api.CREATE_STATIC, _reaching(package, aim), listed_names=aim.names
            ),
        },
    )


def _reaching(package: api.Package, aim: api.Aim) -> dict[str, Any]:
    """The parameters of a batch that tell how many devices it reaches."""
    return {
        "ProductKey": package.product_key,
        "TargetSelection": aim.selection,
        "GrayPercent": aim.percent or None,
    }


def _carried(request: CloudRequest, form: StaticForm) -> list[tuple[str, str]]:
    """All that the form was sent with, as hidden fields; the names as one text."""
    carried = []
    for name in form.fields:
        if name in ("list_file", "names") or name not in request.POST:
            continue
        carried.append((name, request.POST[name]))
    carried.append(
        ("names", "\n".join(form.cleaned_data.get("all_names", form.cleaned_data.get("names", ()))))
    )
    if request.POST.get("group_name"):
        carried.append(("group_name", request.POST["group_name"]))
    return carried


def _reach(request: CloudRequest, package: api.Package, aim: api.Aim) -> tuple[Reach, str]:
    """How many devices the batch is aimed at, and the group's name. Up to 3 calls."""
    if aim.selection == "SPECIFIC":
        return Reach(len(aim.names), None, most=True), ""
    if aim.selection == "GROUP":
        group = groups_api.get_group(request.gateway, aim.group_id)
        return Reach(group.devices, None, most=True), group.name
    everything = api.count_devices(request.gateway, package.product_key)
    if aim.selection == "GRAY":
        part = int((Decimal(aim.percent) * everything / 100).to_integral_value(ROUND_FLOOR))
        return Reach(max(1, part) if everything else 0, everything, most=True), ""
    return Reach(everything, everything, most=True), ""


def _send_static(
    request: CloudRequest, package: api.Package, form: StaticForm, token: str
) -> HttpResponseBase:
    aim, data = form.aim(), form.cleaned_data
    if len(aim.names) > api.MAX_NAMES_A_CALL:
        request.gateway.require(api.UPLOAD_LIST)

    def make() -> str:
        return api.create_static_job(
            request.gateway,
            package,
            aim,
            form.strategy(),
            start=data["start"],
            finish=data["finish"],
        )

    def again(error: CloudError | None, token: str) -> HttpResponse:
        form.offer_groups(_groups(request))
        # An uploaded list cannot be put back into a file field: its names are shown instead.
        shown = request.POST.copy()
        shown["names"] = "\n".join(aim.names)
        form.data = shown
        context = {"package": package, "form": form, "token": token, "error": error}
        return render(request, "ota/create_batch.html", context, status=status_of(form))

    return _send(request, package, form, token, make, again)


def _send(
    request: CloudRequest,
    package: api.Package,
    form: forms.Form,
    token: str,
    make: Callable[[], str],
    again: Callable[[CloudError | None, str], HttpResponse],
) -> HttpResponseBase:
    """Make the batch once and follow it; `again` shows the form with what went wrong, and a token to send it with."""
    try:
        job_id = submit_once(request, token, make)
    except AlreadySubmitted as earlier:
        if earlier.result:
            messages.info(request, gettext("This form was sent already: here is the batch that it made."))
            return redirect(curl(request, "ota:job", earlier.result))
        messages.warning(
            request,
            gettext(
                "This form was sent already and has not been answered yet. Look for the batch here in a moment."
            ),
        )
        return redirect(curl(request, "ota:package", package.id))
    except CloudError as raised:
        error = cloud_errors_to_form(form, raised, _FIELDS)
        return again(error, new_token() if is_outcome_unknown(raised) else token)
    jobs.watch(request.gateway, job_id, product_key=package.product_key)
    messages.success(request, gettext("The batch was created."))
    return redirect(curl(request, "ota:job", job_id))


@require_safe
def group_options(request: CloudRequest) -> HttpResponse:
    """Groups whose name has `?find=` in it, as options of the batch form's field: a part of its page. 1 call."""
    found = groups_api.list_groups(
        request.gateway, name=request.GET.get("find", "").strip()[:30], size=GROUPS_OFFERED
    )
    context = {"groups": found.groups, "more": found.total > len(found.groups)}
    return render(request, "ota/group_options.html", context)


def _groups(request: CloudRequest) -> list[tuple[str, str]]:
    found = groups_api.list_groups(request.gateway, size=GROUPS_OFFERED)
    return [(group.id, group.name) for group in found.groups]


@require_http_methods(["GET", "HEAD", "POST"])
def dynamic_batch(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """A batch that keeps taking devices. Up to 2 calls."""
    request.gateway.require(api.CREATE_DYNAMIC)
    package = api.get_package(request.gateway, package_id)
    if not package.ready or not package.product_key:
        return render(request, "ota/not_ready.html", {"package": package}, status=409)
    form = DynamicForm(package, request.POST if request.method == "POST" else None)

    def page(error: CloudError | None, token: str) -> HttpResponse:
        held = needs_approval(request.gateway, api.CREATE_DYNAMIC, {"ProductKey": package.product_key})
        context = {"package": package, "form": form, "token": token, "error": error, "needs_approval": held}
        return render(request, "ota/create_dynamic.html", context, status=status_of(form))

    if request.method != "POST" or not form.is_valid():
        return page(None, request.POST.get("token", "") or new_token())

    def make() -> str:
        data = form.cleaned_data
        return api.create_dynamic_job(
            request.gateway,
            package,
            data["source_versions"],
            form.strategy(),
            newcomers_only=data["newcomers_only"] == "1",
        )

    return _send(request, package, form, request.POST.get("token", "") or new_token(), make, page)


@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Try a package on up to 10 devices. Up to 2 calls."""
    request.gateway.require(api.CREATE_VERIFY)
    package = api.get_package(request.gateway, package_id)
    form = VerifyForm(request.POST if request.method == "POST" else None)

    def page(error: CloudError | None, token: str) -> HttpResponse:
        context = {"package": package, "form": form, "token": token, "error": error}
        return render(request, "ota/verify.html", context, status=status_of(form))

    if request.method != "POST" or not form.is_valid():
        return page(None, request.POST.get("token", "") or new_token())

    def make() -> str:
        data = form.cleaned_data
        return api.create_verify_job(
            request.gateway,
            package,
            data["names"],
            timeout=data["timeout"],
            need_push=data["need_push"],
            need_confirm=data["need_confirm"],
        )

    return _send(request, package, form, request.POST.get("token", "") or new_token(), make, page)
