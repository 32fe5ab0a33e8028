"""The job of a bulk action: it freezes the list of objects for review, and acts on exactly these, chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from console.approvals.job_requests import allow_calls, close_job_request, find_request
from console.connections.approval import PlannedCall, check_job, job_needs_approval
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.jobs import actions, delays
from console.jobs.kinds import SENDING, Heading, Items, Kind, Pages, Step, StepResult, explain_outcome
from console.jobs.models import Chunk, Item, Job
from console.jobs.page import items_context
from console.jobs.work import LeaseLost, Work, end_chunk
from console.pages.bulk import Bulk, BulkPages
from console.pages.bulk_params import BULK_KIND, BulkParams
from console.pages.detail import find_detail
from console.pages.freezing import ACTION_GONE, freeze, start_unreviewed, stop_without_action
from console.ui.format import number
from iot_client.errors import (
    AccessDenied,
    CloudError,
    SignatureRefused,
    Throttled,
    Unavailable,
    classify,
    explain,
)


class JobOutOfScope(PermissionDenied):
    """A member whose access scope is limited could not see the job."""

    def __init__(self, action: Bulk) -> None:
        text = gettext("Your access scope is limited. Select up to %(limit)s objects at a time.")
        super().__init__(text % {"limit": number(action.direct)})


def create_draft(
    gateway: Gateway,
    pages: BulkPages[Any],
    action: Bulk,
    ids: Mapping[str, str],
    *,
    query: QueryDict | None = None,
    keys: Sequence[str] = (),
    starts: bool = False,
) -> Job:
    """Create a job for `keys`, or for all objects that match `query`. It waits for review, or with `starts` it starts when its
    list was read. A list that must be read from the platform is read by a worker. Raises JobOutOfScope."""
    params = BulkParams(
        pages.name,
        action.slug,
        action.operation,
        dict(ids),
        query=query.urlencode() if query else "",
        keys=list(keys),
        scope_key=pages.scope_key(query or QueryDict(), keys, ids),
        starts=starts,
    )
    if not all(params.scope_key in scope_keys for scope_keys in gateway.membership.scope_keys):
        raise JobOutOfScope(action)
    expected = len(keys) or actions.INLINE_ITEMS + 1
    return actions.create_draft(gateway, BULK_KIND, params, expected_items=expected)


def check_start(gateway: Gateway, job: Job) -> None:
    """Raises ApprovalNeeded if a rule of the team covers the job: it counts all objects of the job, once. Raises PermissionDenied
    if the list was read from another account, or if the action is not declared any more."""
    if job.account != job.connection.account:
        raise PermissionDenied(
            gettext(
                "The connection was changed to another account, region or instance after the list was read. Discard the"
                " draft, and select the objects again."
            )
        )
    try:
        _pages, action = BulkParams.read(job).find_action()
    except LookupError:
        raise PermissionDenied(gettext(ACTION_GONE)) from None
    if action.plan is not None:
        check_job(gateway, job.pk, action.operation, job.total)


# -- acting ------------------------------------------------------------------------------------------------------------


def run(work: Work) -> StepResult:
    """Act on the chunk's objects that have no outcome yet.

    The chunk is marked before the calls are sent. A worker that finds the mark does not know which calls were sent: it ends the
    objects as unknown, unless the action can be repeated and the job was not canceled. The mark of another worker stays until all
    objects have an outcome.
    """
    params = BulkParams.read(work.job)
    try:
        _pages, action = params.find_action()
    except LookupError:
        return stop_without_action(work)
    is_repeated = bool(work.data.get(SENDING))
    if is_repeated and (work.is_canceled or not action.is_repeatable):
        return end_chunk(work, Item.Outcome.UNKNOWN)
    if work.is_canceled:
        return work.end_unsent()
    keys = list(work.pending_items().values_list("key", flat=True))
    if not keys:
        return StepResult(done=True)
    gateway = work.gateway
    if action.plan is not None:  # whether it needs an approval was decided when the job started
        calls = [PlannedCall(action.operation, params) for params in action.plan(keys)]
        gateway = gateway.with_approval(allow_calls(work.job, calls))
    _mark(work, is_sending=True)
    try:
        errors = action.run(gateway, keys, params.ids)
    except (CloudError, PermissionDenied):  # nothing was sent by this worker
        _mark(work, is_sending=is_repeated)
        raise
    return _build_result(work, dict(zip(keys, errors, strict=True)), is_repeated)


def _build_result(work: Work, errors: Mapping[str, CloudError | None], is_repeated: bool) -> StepResult:
    """Return the result that writes the outcomes. Calls that were not sent are repeated later; an error that all other calls would
    get stops the job. `is_repeated`: another worker may have sent the calls before."""
    outcomes = {key: _read_outcome(error) for key, error in errors.items()}
    known = {key: outcome for key, outcome in outcomes.items() if outcome is not None}
    final = next(
        (error for error in errors.values() if isinstance(error, AccessDenied | SignatureRefused)), None
    )
    unsent = next((error for key, error in errors.items() if outcomes[key] is None), None)
    following = StepResult(done=True)
    if final is not None:
        following = delays.handle_cloud_error(work, is_repeated, final)
    elif unsent is not None:
        following = delays.handle_cloud_error(work, is_repeated, unsent)

    def write(job: Job) -> None:
        _set_outcomes(work, known)
        if following.write is not None:
            following.write(job)

    return replace(following, data={**following.data, SENDING: is_repeated or None}, write=write)


def _mark(work: Work, *, is_sending: bool) -> None:
    """Store whether calls are being sent. Raises LeaseLost."""
    work.chunk.data = {**work.chunk.data, SENDING: is_sending}
    if not Chunk.objects.filter(pk=work.chunk.pk, lease=work.chunk.lease).update(data=work.chunk.data):
        raise LeaseLost


_Outcome = tuple[Item.Outcome, str, str, str]
"""The outcome of an item, and code, request ID and text of its error ("" without one)."""


def _read_outcome(error: CloudError | None) -> _Outcome | None:
    """Return the outcome of a call; None if it was certainly not sent."""
    if error is None:
        return Item.Outcome.SUCCEEDED, "", "", ""
    if isinstance(error, Throttled | Unavailable) and not error.is_outcome_unknown:
        return None
    outcome = Item.Outcome.UNKNOWN if error.is_outcome_unknown else Item.Outcome.FAILED
    return outcome, error.code, error.request_id, delays.item_reason(error)[:300]


def _set_outcomes(work: Work, outcomes: Mapping[str, _Outcome]) -> None:
    """Write the outcomes: one update for each distinct one."""
    by_outcome: dict[_Outcome, list[str]] = {}
    for key, outcome in outcomes.items():
        by_outcome.setdefault(outcome, []).append(key)
    for (result, code, request_id, reason), keys in by_outcome.items():
        items = Item.objects.filter(chunk=work.chunk, outcome=Item.Outcome.PENDING, key__in=keys)
        data = {"code": code, "request_id": request_id} if code else None
        items.update(outcome=result, data=data, reason=reason)


# -- pages -------------------------------------------------------------------------------------------------------------


def _explain(outcome: str, data: Mapping[str, Any]) -> str:
    code = str((data or {}).get("code") or "")
    # The error of a repeated call says nothing about the first one.
    if outcome == Item.Outcome.UNKNOWN or not code:
        return explain_outcome(outcome, data)
    return gettext(explain(classify(code)(code)).title)


def _title(job: Job) -> str:
    try:
        pages, action = BulkParams.read(job).find_action()
    except LookupError:
        return gettext("Bulk action")
    if not job.total or job.state in (Job.State.CHECKING, Job.State.REJECTED):
        return gettext("%(action)s · %(list)s") % {"action": action.label, "list": pages.list_label}
    return action.ask(job.total).command


def _find_place(request: CloudRequest, params: BulkParams) -> tuple[str, str] | None:
    """Return name and URL of the object whose list the action is for, such as a group; None if the list is of the connection, and
    for an object that cannot be read. 1 call."""
    try:
        list_name = params.find_action()[0].list_name
        detail = find_detail(list_name)
        obj = detail.read(request.gateway, *params.ids.values())
    except (LookupError, CloudError, PermissionDenied):
        return None
    return detail.title(obj), detail.url_of(request, obj, list_name)


def build_context(request: CloudRequest, job: Job) -> dict[str, Any]:
    """Return what the page of a job shows, and for a draft the question, the table of the objects, and the form to confirm."""
    params = BulkParams.read(job)
    place = _find_place(request, params)
    if job.state not in (Job.State.READY, Job.State.WAITING):
        return {"place": place, "request_id": find_request(job)}
    try:
        pages, action = params.find_action()
    except LookupError:
        return {}
    data = request.POST if request.method == "POST" else None
    first = Item.objects.filter(job=job).order_by("number").first()
    is_ready = job.state == Job.State.READY
    return {
        "place": place,
        "action": action,
        "question": action.ask(job.total),
        "form": action.build_form(data, pages.name_of(first.key), job.total) if first and is_ready else None,
        "needs_approval": is_ready
        and action.plan is not None
        and job_needs_approval(request.gateway, action.operation, job.total),
        "request_id": None if is_ready else find_request(job),
        **items_context(request, job),
    }


BULK = Kind(
    slug=BULK_KIND,
    label=_("Bulk action"),
    icon="list-check",
    params=BulkParams,
    title=_title,
    job_operations=lambda job: (BulkParams.read(job).operation,),
    scope_key=lambda params: params.scope_key,
    operation_param="operation",
    cancel_text=_("Objects that were not processed yet are left unchanged."),
    items=Items(
        key=Heading("key", _("Object")), label=Heading("name", _("Name")), shows_labels=True, explain=_explain
    ),
    retry_params=BulkParams.for_retry,
    reviews_retry=True,
    check_start=check_start,
    on_end=close_job_request,
    status_kind="item",
    pages=Pages(
        details="pages/bulk_details.html",
        draft="pages/bulk_draft.html",
        first_stage=lambda job: gettext("Select"),
        context=build_context,
    ),
    steps={
        "prepare": Step(freeze, _("Reading the list")),
        "start": Step(start_unreviewed, _("Starting"), starts_draft=True),
        "run": Step(run, _("Processing"), sent="marked"),
    },
)
