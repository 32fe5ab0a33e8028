"""The page that verifies a package on a few devices."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from console.areas.ota import api, batches
from console.areas.ota.forms.batches import VerifyForm
from console.areas.ota.views.submission import create_once, form_status, refuse_unknown_devices
from console.connections.http import CloudRequest
from console.connections.submissions import new_token
from iot_client.errors import CloudError


@require_http_methods(["GET", "HEAD", "POST"])
def verify_package(request: CloudRequest, package_id: str) -> HttpResponseBase:
    """Verify a package on up to 10 devices. Up to 3 calls."""
    request.gateway.require(api.CREATE_VERIFY)
    package = api.get_package(request.gateway, package_id)
    form = VerifyForm(request.POST if request.method == "POST" else None)
    token = request.POST.get("token", "") or new_token()

    def show_form(error: CloudError | None, token: str) -> HttpResponse:
        may_find = request.gateway.allows("QueryDevice")
        context = {"package": package, "form": form, "token": token, "error": error, "may_find": may_find}
        return render(request, "areas/ota/verify.html", context, status=form_status(form))

    if request.method != "POST" or not form.is_valid():
        return show_form(None, token)
    if refuse_unknown_devices(request, package, form, form.cleaned_data["names"]):
        return show_form(None, token)

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

    return create_once(request, package, form, token, create, show_form)
