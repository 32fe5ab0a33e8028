"""The steps of a job that registers many devices.

The items of the job are split into chunks. Each chunk is submitted as an application (ApplyId), checked by the platform, freed
from rejected names, checked again, and registered. The ApplyId is committed before any device is created. Whatever happens to
a worker, the platform can be asked for the status of the application: nothing is sent twice, and a device that a stopped worker
registered is known to belong to the job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from console.areas.devices.registration import applications
from console.areas.devices.registration.applications import Status
from console.areas.devices.registration.params import RegistrationParams
from console.areas.products import api as products_api
from console.jobs import delays
from console.jobs.kinds import StepResult
from console.jobs.models import Event, Item, Job
from console.jobs.work import Work, end_chunk, set_pending_outcome
from iot_client.errors import (
    AccessDenied,
    BadResponse,
    CloudError,
    Conflict,
    NotFound,
    SignatureRefused,
    Throttled,
    Unavailable,
)

_MAX_ROUNDS = 5  # applications of a chunk that may fail without naming a device
_MAX_EXISTING_CALLS = 20  # BatchQueryDeviceDetail calls in one step: the limit is 5 per second
_TAGS_PER_STEP = 100  # SaveDeviceProp calls in one step: the limit is 50 per second
_PAGES_PER_STEP = 20  # QueryPageByApplyId calls in one step: the limit is 50 per second
_NAMES_PER_QUERY = 1000
_MAX_POLLS = 370  # of an application that is being registered: about an hour


def _product_key(work: Work) -> str:
    return RegistrationParams.read(work.job).product_key


def _audit_target(work: Work, devices: int) -> str:
    params = RegistrationParams.read(work.job)
    return f"{params.product_name or params.product_key}: {devices:,} devices"


def _next_poll(work: Work) -> tuple[float, dict[str, Any]]:
    """Return the seconds until the next poll, from 0.5 to 10, and the data with the number of polls."""
    polls = work.data.get("polls", 0)
    return min(0.5 * 1.5**polls, 10.0), {"polls": polls + 1}


# -- checking names --------------------------------------------------------------------------------------------------


def submit_names(work: Work) -> StepResult:
    """Submit the chunk's names as a new application. An application that is never registered creates no devices."""
    devices = list(work.pending_items().values_list("key", "label"))
    if not devices:
        return _finish_registration(work)
    name_check = applications.submit_names(
        work.gateway, _product_key(work), devices, _audit_target(work, len(devices))
    )
    own_names = {*name_check.invalid_names, *name_check.existing_names} & {
        name for name, _nickname in devices
    } or set(name_check.invalid_nicknames) & {nickname for _name, nickname in devices}
    if name_check.apply_id is not None and not (name_check.existing_names and own_names):
        return StepResult("await_check", {"apply_id": name_check.apply_id, "polls": 0})
    if not own_names:  # the platform would give the same response forever
        return end_chunk(work, Item.Outcome.FAILED, _NO_REASON)
    if name_check.existing_names and not (name_check.invalid_names or name_check.invalid_nicknames):
        # The application would fail because of these names; a new one without them avoids that wait.
        return StepResult("sort", {"rejected": name_check.existing_names, "apply_id": None})

    def write(job: Job) -> None:
        _set_outcomes(work, name_check.invalid_names, Item.Outcome.INVALID)
        for names in _split_names(name_check.invalid_nicknames):
            reason = gettext_noop("The platform does not accept this nickname.")
            work.pending_items().order_by().filter(label__in=names).update(
                outcome=Item.Outcome.INVALID, reason=reason
            )

    return StepResult("sort", {"rejected": name_check.existing_names, "apply_id": None}, write=write)


def await_check(work: Work) -> StepResult:
    """Wait until the platform has checked the application."""
    application = applications.get_application(work.gateway, _product_key(work), work.data["apply_id"])
    if application.status is Status.CHECK:
        wait, data = _next_poll(work)
        return StepResult(wait=wait, data=data)
    if application.status is Status.CHECK_SUCCESS:
        return StepResult("register", {"polls": 0})
    if application.status is Status.CHECK_FAILED:
        return _sort_rejected(work, application.rejected)
    # It is being registered: only an old wake message can lead here.
    return StepResult("await_devices", {"polls": 0})


def _sort_rejected(work: Work, rejected: Mapping[str, str]) -> StepResult:
    """Sort the names for which an application failed. It may fail a few times without naming a device of this chunk."""
    pending = set(work.pending_items().order_by().values_list("key", flat=True))
    own_names = {name: message for name, message in rejected.items() if name in pending}
    rounds = work.data.get("rounds", 0) + 1
    if not own_names and rounds > _MAX_ROUNDS:
        return _finish_registration(
            work, lambda job: set_pending_outcome(work, Item.Outcome.FAILED, _NO_REASON)
        )
    return StepResult("sort", {"rejected": own_names, "apply_id": None, "rounds": rounds, "polls": 0})


_NO_REASON = gettext_noop("The platform rejected the devices without giving a reason.")


def sort_rejected_names(work: Work) -> StepResult:
    """Find out which rejected names already exist; then the rest of the chunk is submitted again.

    The platform may reject a whole application because of a few names. Other rejected names are therefore submitted again as
    long as some existing names are found. Names that are rejected although none of them exists are invalid.
    """
    rejected: dict[str, str] = dict(work.data.get("rejected") or {})
    batch = list(rejected)[: _MAX_EXISTING_CALLS * products_api.MAX_DETAILS]
    exists = products_api.find_devices(work.gateway, _product_key(work), batch)
    remaining = {name: message for name, message in rejected.items() if name not in set(batch)}
    absent = dict(work.data.get("absent") or {}) | {n: rejected[n] for n in batch if n not in exists}
    existing = work.data.get("existing", 0) + len(exists)

    def write(job: Job) -> None:
        _set_outcomes(work, dict.fromkeys(exists, ""), Item.Outcome.UNCHANGED)
        if not remaining and not existing:
            _set_outcomes(work, absent, Item.Outcome.INVALID)

    if remaining:
        return StepResult(
            "sort", {"rejected": remaining, "absent": absent, "existing": existing}, write=write
        )
    return StepResult("submit", {"rejected": None, "absent": None, "existing": None}, write=write)


def _set_outcomes(work: Work, names: Mapping[str, str], outcome: Item.Outcome) -> None:
    """Give items of the chunk, by name, an outcome with the platform's message as reason."""
    names_by_message: defaultdict[str, list[str]] = defaultdict(list)
    for name, message in names.items():
        names_by_message[message].append(name)
    for message, same_message in names_by_message.items():
        for batch in _split_names(same_message):
            work.pending_items().order_by().filter(key__in=batch).update(
                outcome=outcome, reason=message[:300]
            )


def _split_names(names: Iterable[str], size: int = _NAMES_PER_QUERY) -> Iterable[list[str]]:
    all_names = list(names)
    return (all_names[start : start + size] for start in range(0, len(all_names), size))


# -- registering devices ---------------------------------------------------------------------------------------------


def request_registration(work: Work) -> StepResult:
    """Request the registration of the application. If this step began before, first check whether the request was accepted."""
    apply_id = work.data["apply_id"]
    if (
        work.was_begun_before
        and applications.get_application(work.gateway, _product_key(work), apply_id).status
        is not Status.CHECK_SUCCESS
    ):
        return StepResult("await_devices")
    if work.is_canceled:
        return work.end_unsent()
    work.renew_lease()  # a worker that lost its lease must not send: another one may have recorded that nothing was sent
    try:
        applications.register(
            work.gateway, _product_key(work), apply_id, _audit_target(work, work.pending_items().count())
        )
    except _UNRELATED_ERRORS:
        raise
    except CloudError as error:
        # It may be accepted already, or another one may be running: the status of the application shows it.
        return _handle_refusal(work, error)
    return StepResult("await_devices", {"polls": 0}, wait=0.3)


# Errors that say nothing about this application: the engine waits or stops the job.
_UNRELATED_ERRORS = (Throttled, Unavailable, BadResponse, AccessDenied, SignatureRefused)


def _handle_refusal(work: Work, error: CloudError) -> StepResult:
    if (
        applications.get_application(work.gateway, _product_key(work), work.data["apply_id"]).status
        is not Status.CHECK_SUCCESS
    ):
        return StepResult("await_devices")
    if isinstance(error, Conflict):
        return delays.retry_later(work, "busy", error, 2.0)
    return delays.fail_chunk(work, False, error)


def await_devices(work: Work) -> StepResult:
    """Wait until the platform has registered the devices."""
    apply_id = work.data["apply_id"]
    try:
        application = applications.get_application(work.gateway, _product_key(work), apply_id)
    except NotFound:
        if not work.data.get("resumed"):
            raise
        # The platform no longer knows the application: submit the names again.
        return StepResult("submit", {"apply_id": None, "resumed": None})
    if application.status is Status.CREATE_SUCCESS:

        def write(job: Job) -> None:
            _set_created(work, work.pending_items().order_by())

        return _finish_registration(work, write, apply_id)
    if application.status is Status.CREATE_FAILED:
        return StepResult("recover", {"rejected": application.rejected, "page": 1})
    if application.status is Status.CHECK_SUCCESS:
        return StepResult("register")  # the request was not accepted after all
    if application.status is Status.CHECK_FAILED:
        return _sort_rejected(work, application.rejected)
    if work.data.get("polls", 0) >= _MAX_POLLS:
        return end_chunk(
            work,
            Item.Outcome.UNKNOWN,
            gettext_noop("The platform did not report a result within an hour."),
        )
    wait, data = _next_poll(work)
    return StepResult(wait=wait, data=data)


def _set_created(work: Work, items: QuerySet[Item]) -> None:
    """Give pending items whose devices were created their outcome. Those with tags to set are partial until they are set."""
    if RegistrationParams.read(work.job).set_tags:
        items.filter(data__has_key="tags").update(outcome=Item.Outcome.PARTIAL)
    items.update(outcome=Item.Outcome.SUCCEEDED)


def recover_devices(work: Work) -> StepResult:
    """Find the devices that a failed application registered anyway; sort and submit the rest again."""
    page = work.data.get("page", 1)
    names: list[str] = []
    is_last_page = False
    for _page in range(_PAGES_PER_STEP):
        devices, total = applications.list_devices(work.gateway, work.data["apply_id"], page)
        names += [device.name for device in devices]
        page += 1
        is_last_page = not devices or (page - 1) * 50 >= total
        if is_last_page:
            break

    def write(job: Job) -> None:
        for batch in _split_names(names):
            _set_created(work, work.pending_items().order_by().filter(key__in=batch))

    if not is_last_page:
        return StepResult(data={"page": page}, write=write)
    apply_ids = {"apply_ids": [*work.data.get("apply_ids", []), work.data["apply_id"]]} if names else {}
    others = {n: message for n, message in (work.data.get("rejected") or {}).items() if n not in set(names)}
    result = _sort_rejected(work, others)

    def write_all(job: Job) -> None:
        write(job)
        if result.write is not None:
            result.write(job)

    return replace(result, data={**result.data, **apply_ids, "page": None}, write=write_all)


def _finish_registration(work: Work, write: Any = None, apply_id: int | None = None) -> StepResult:
    apply_ids = [*work.data.get("apply_ids", []), *([apply_id] if apply_id else [])]
    data = {"apply_ids": apply_ids or None, "apply_id": None, "polls": None, "rounds": None, "resumed": None}
    if RegistrationParams.read(work.job).set_tags:
        return StepResult("tags", {**data, "tagged": 0}, write=write)
    return StepResult(done=True, data=data, write=write)


def set_tags(work: Work) -> StepResult:
    """Set the tags of the registered devices, one call for each. Setting tags twice is harmless.

    Devices whose tags are not set, for whatever reason, stay partial. A retry of the job sets them.
    """
    created = Item.objects.filter(
        chunk=work.chunk, outcome=Item.Outcome.PARTIAL, number__gt=work.data["tagged"]
    )
    if work.is_canceled:
        is_complete = not created.exists()
        return StepResult(
            done=True, write=lambda job: None if is_complete else _add_event_once(work, job, _TAGS_CANCELED)
        )
    devices = list(created.order_by("number").values_list("number", "pk", "key", "data")[:_TAGS_PER_STEP])
    failed: dict[int, str] = {}
    for _number, pk, name, data in devices:
        try:
            applications.set_tags(work.gateway, _product_key(work), name, (data or {}).get("tags", {}))
        except CloudError as error:
            if error.retryable or isinstance(error, BadResponse):
                raise
            failed[pk] = delays.item_reason(error)

    def write(job: Job) -> None:
        tagged = [pk for _number, pk, _name, _data in devices if pk not in failed]
        Item.objects.filter(pk__in=tagged).update(outcome=Item.Outcome.SUCCEEDED)
        for pk, reason in failed.items():
            Item.objects.filter(pk=pk).update(reason=reason[:300])
        if failed:
            _add_event_once(work, job, _TAGS_REJECTED)

    is_last = len(devices) < _TAGS_PER_STEP
    return StepResult(
        done=is_last, data={"tagged": None if is_last else devices[-1][0]}, write=write if devices else None
    )


_TAGS_REJECTED = gettext_noop("The platform rejected some tags. The affected items show the reason.")
_TAGS_CANCELED = gettext_noop("Canceled before all tags were set.")


def _add_event_once(work: Work, job: Job, text: str) -> None:
    if not job.events.filter(sentence__text=text).exists():
        work.add_event(text, Event.Level.WARNING)
