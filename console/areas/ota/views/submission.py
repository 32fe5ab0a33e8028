"""What all pages that create a batch share: each form creates one batch, and a batch needs a package that is ready."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext

from console.areas.groups import api as groups_api
from console.areas.ota import api, batches
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
from console.ui.forms import FORM_REFUSED
from console.ui.links import connection_url
from iot_client.errors import CloudError, NotFound

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
MAX_CHECKED_NAMES = 500
_NAMES_SHOWN = 10
ShowForm = Callable[[CloudError | None, str], HttpResponse]
"""Returns the form page with an error, or none, and the token of the form."""


def form_status(form: forms.Form) -> int:
    """Return the status of the page of a form."""
    return FORM_REFUSED if form.errors else 200


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
        error: CloudError | None = None
        if not _report_unknown_names(request, package, form, raised):
            error = cloud_errors_to_form(form, raised, _FIELDS)
        return show_form(error, new_token() if is_outcome_unknown(raised) else token)
    messages.success(request, gettext("Batch created."))
    return redirect(connection_url(request, "ota:batch", batch_id))


def _report_unknown_names(
    request: CloudRequest, package: api.Package, form: forms.Form, refusal: CloudError
) -> bool:
    """Report at the field which of the device names do not exist, if the platform refused the batch because of one. It does not
    say which one. Returns whether there are any. 1 call for each 100 names, up to MAX_CHECKED_NAMES."""
    data = form.cleaned_data
    names: tuple[str, ...] = data.get("all_names", data.get("names", ()))
    is_by_name = data.get("target", "SPECIFIC") == "SPECIFIC"
    if not isinstance(refusal, NotFound) or not is_by_name or not 0 < len(names) <= MAX_CHECKED_NAMES:
        return False
    try:
        existing = groups_api.find_existing_names(request.gateway, package.product_key, names)
    except (CloudError, PermissionDenied):
        return False
    unknown = [name for name in names if name not in existing]
    if unknown:
        text = ngettext(
            "%(product)s has no device with this name: %(names)s. Check the spelling.",
            "%(product)s has no devices with these names: %(names)s. Check the spelling.",
            len(unknown),
        )
        shown = ", ".join(unknown[:_NAMES_SHOWN]) + (" …" if len(unknown) > _NAMES_SHOWN else "")
        form.add_error(
            "names", text % {"product": package.product_name or package.product_key, "names": shown}
        )
    return bool(unknown)
