"""The kinds of jobs of the area: registering many devices, and collecting their secrets."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.devices.registration import page, secrets, steps
from console.areas.devices.registration.loading import prepare
from console.areas.devices.registration.outcomes import explain_outcome
from console.areas.devices.registration.params import (
    REGISTER_KIND,
    SECRETS_KIND,
    RegistrationParams,
    SecretsParams,
)
from console.jobs.kinds import Heading, Items, Kind, Pages, StartPage, Step
from console.jobs.models import Job
from console.ui.format import number


def _registration_title(job: Job) -> str:
    params = RegistrationParams.read(job)
    name = params.product_name or params.product_key
    if not job.total:
        return gettext("Register devices in %(product)s") % {"product": name}
    return ngettext(
        "Register %(count)s device in %(product)s", "Register %(count)s devices in %(product)s", job.total
    ) % {"count": number(job.total), "product": name}


REGISTER = Kind(
    slug=REGISTER_KIND,
    label=_("Device registration"),
    icon="cpu",
    params=RegistrationParams,
    title=_registration_title,
    operations=("BatchCheckDeviceNames", "BatchRegisterDeviceWithApplyId"),
    scope_key=lambda params: params.product_key,
    steps={
        "prepare": Step(prepare, _("Reading the device list")),
        "submit": Step(steps.submit_names, _("Submitting names")),
        "await_check": Step(steps.await_check, _("Waiting for the name check")),
        "sort": Step(steps.sort_rejected_names, _("Finding existing names")),
        "register": Step(steps.request_registration, _("Requesting registration"), sent="maybe"),
        "await_devices": Step(steps.await_devices, _("Waiting for registration"), sent="yes"),
        "recover": Step(steps.recover_devices, _("Checking results"), sent="yes"),
        "tags": Step(steps.set_tags, _("Setting tags"), sent="yes"),
    },
    cancel_text=_(
        "Remaining rows are not sent. The platform finishes registrations that have already started."
    ),
    items=Items(
        key=Heading("device_name", _("Device name")),
        label=Heading("nickname", _("Nickname")),
        number=Heading("row", _("Row")),
        explain=explain_outcome,
        link=page.find_device_page,
    ),
    retry_params=RegistrationParams.for_retry,
    status_kind="registered_device",
    pages=Pages(
        details="areas/devices/registration/_details.html",
        actions="areas/devices/registration/_actions.html",
        menu="areas/devices/registration/_menu.html",
        draft="areas/devices/registration/_draft.html",
        first_stage=page.name_first_stage,
        context=page.build_context,
    ),
    start_page=StartPage("devices:register", _("Register devices")),
)


def _tally_secrets(job: Job) -> None:
    job.succeeded = job.counts.get("collected", 0)


def _secrets_title(job: Job) -> str:
    if job.parent_id is None:
        return gettext("Collect device secrets")
    return gettext("Collect device secrets of job %(job)s") % {"job": job.parent_id}


SECRETS = Kind(
    slug=SECRETS_KIND,
    label=_("DeviceSecret collection"),
    icon="key",
    params=SecretsParams,
    title=_secrets_title,
    reveals=("QueryPageByApplyId",),
    scope_key=lambda params: params.product_key,
    cancel_text=_("The job stops reading secrets. Nothing changes on the platform."),
    status_kind="",
    tally=_tally_secrets,
    steps={
        "prepare": Step(secrets.create_chunks, _("Finding the devices")),
        "collect": Step(secrets.collect_secrets, _("Reading secrets")),
    },
    pages=Pages(
        details="areas/devices/registration/_secrets_details.html",
        actions="areas/devices/registration/_secrets_actions.html",
    ),
)
