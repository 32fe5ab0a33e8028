"""What all pages that create a batch share: each form creates one batch, and a batch needs a package that is ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext

from console.areas.ota import api, batches
from console.areas.products import api as products_api
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ui.format import number
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from iot_client.errors import CloudError

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
MAX_LOOKED_UP = 1_000
"""The most device names that are looked up before a batch is created: 10 calls, of 5 per second."""
_SHOWN_NAMES = 20
ShowForm = Callable[[CloudError | None, str], HttpResponse]
"""Returns the form page with an error, or none, and the token of the form."""


def form_status(form: forms.Form) -> int:
    """Return the status of the page of a form."""
    return FORM_REFUSED if form.errors else 200


def refuse_unknown_devices(
    request: CloudRequest, package: api.Package, form: forms.Form, names: Sequence[str]
) -> bool:
    """Add an error to the field `names` if the product does not have some of the first MAX_LOOKED_UP names. Returns whether it
    does not.

    Names that cannot be looked up are left to the platform. A member whose access scope consists of groups looks up none: that
    would take further calls for each name.
    """
    scope = request.gateway.limited_scope
    if scope is not None and not scope.admits_product(package.product_key):
        return False
    if not request.gateway.allows("BatchQueryDeviceDetail"):
        return False
    names = names[:MAX_LOOKED_UP]
    try:
        existing = products_api.find_devices(request.gateway, package.product_key, names)
    except CloudError:
        return False
    unknown = [name for name in names if name not in existing]
    if not unknown:
        return False
    shown = ", ".join(unknown[:_SHOWN_NAMES]) + (", …" if len(unknown) > _SHOWN_NAMES else "")
    text = ngettext(
        "The product has no device with this name: %(names)s. Correct or remove it.",
        "The product has no devices with these %(count)s names: %(names)s. Correct or remove them.",
        len(unknown),
    )
    form.add_error("names", text % {"names": shown, "count": number(len(unknown))})
    return True


def create_once(
    request: CloudRequest,
    package: api.Package,
    form: forms.Form,
    token: str,
    create: Callable[[], batches.NewBatch],
    show_form: ShowForm,
) -> HttpResponseBase:
    """Create the batch once for each token, and go to its page. On an error, return the form page."""
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
