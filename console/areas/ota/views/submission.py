"""What all pages that create a batch share: each form creates one batch, and a batch needs a package that is ready."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext

from console.areas.ota import api, batches
from console.connections.errors import cloud_errors_to_form
from console.connections.http import CloudRequest
from console.connections.submissions import AlreadySubmitted, is_outcome_unknown, new_token, submit_once
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
        error = cloud_errors_to_form(form, raised, _FIELDS)
        return show_form(error, new_token() if is_outcome_unknown(raised) else token)
    messages.success(request, gettext("Batch created."))
    return redirect(connection_url(request, "ota:batch", batch_id))
