"""Registering devices by the thousand, and collecting their secrets.

A list becomes rows in chunks. Each chunk is handed in as a form (ApplyId), checked by the platform, rid of the names that
it refuses, checked again, and registered. The form's id is committed before anything is made, so whatever happens to a
worker, the platform can be asked what became of the form: nothing is sent twice, and a device that a dead worker had made
is known to be ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.cloud.errors import (
    AccessDenied,
    BadAnswer,
    CloudError,
    Conflict,
    NotFound,
    SignatureRefused,
    Throttled,
    Unavailable,
)
from console.devices import batches, sheet
from console.devices.batches import Status
from console.devices.loading import prepare
from console.jobs import trouble
from console.jobs.kinds import Kind, Next, Step
from console.jobs.models import Chunk, Event, Job, Row, Secret
from console.jobs.work import Work, give_pending, settle
from console.ui.format import number

_ROUNDS = 5  # forms of a chunk that may fail without naming any device
_EXISTING_CALLS = 20  # BatchQueryDeviceDetail in one step: 5 a second are allowed
_TAGS_A_STEP = 100  # SaveDeviceProp in one step: 50 a second are allowed
_PAGES_A_STEP = 20  # QueryPageByApplyId in one step: 50 a second are allowed
_NAMES_A_QUERY = 1000
_MOST_POLLS = 370  # of a form that is being made: about an hour


def _key(work: Work) -> str:
    return str(work.job.params["product_key"])


def _target(work: Work, rows: int) -> str:
    return f"{work.job.params.get('product_name') or _key(work)}: {rows:,} devices"


def _pause(work: Work) -> tuple[float, dict[str, Any]]:
    """Seconds until the platform is asked again: half a second at first, ten in the end."""
    polls = work.data.get("polls", 0)
    return min(0.5 * 1.5**polls, 10.0), {"polls": polls + 1}


# -- checking names --------------------------------------------------------------------------------------------------


def check(work: Work) -> Next:
    """Hand in the chunk's names as a new form. A form that is never registered makes nothing."""
    devices = list(work.pending().values_list("name", "nickname"))
    if not devices:
        return _end(work)
    checked = batches.check_names(work.gateway, _key(work), devices, _target(work, len(devices)))
    ours = {*checked.wrong, *checked.taken} & {name for name, _nickname in devices} or set(
        checked.wrong_nicknames
    ) & {nickname for _name, nickname in devices}
    if checked.apply_id is not None and not (checked.taken and ours):
        return Next("checked", {"apply_id": checked.apply_id, "polls": 0})
    if not ours:  # the same would be said of them for ever
        return settle(work, Row.State.FAILED, _NO_REASON)
    if checked.taken and not (checked.wrong or checked.wrong_nicknames):
        # The form would fail for these; a new one without them saves waiting for that.
        return Next("sort", {"refused": checked.taken, "apply_id": None})

    def write(job: Job) -> None:
        _give(work, checked.wrong, Row.State.INVALID)
        for names in _by_query(checked.wrong_nicknames):
            reason = gettext_noop("The platform does not accept this nickname.")
            work.pending().order_by().filter(nickname__in=names).update(
                state=Row.State.INVALID, reason=reason
            )

    return Next("sort", {"refused": checked.taken, "apply_id": None}, write=write)


def checked(work: Work) -> Next:
    """Wait for the platform to check the form."""
    form = batches.ask(work.gateway, _key(work), work.data["apply_id"])
    if form.status is Status.CHECK:
        wait, data = _pause(work)
        return Next(wait=wait, data=data)
    if form.status is Status.CHECK_SUCCESS:
        return Next("register", {"polls": 0})
    if form.status is Status.CHECK_FAILED:
        return _refused(work, form.refused)
    return Next("made", {"polls": 0})  # it is being made: only a bell of long ago can come here


def _refused(work: Work, refused: Mapping[str, str]) -> Next:
    """A form failed: sort the names that it failed for. It may fail some times without naming any of ours."""
    pending = set(work.pending().order_by().values_list("name", flat=True))
    ours = {name: words for name, words in refused.items() if name in pending}
    rounds = work.data.get("rounds", 0) + 1
    if not ours and rounds > _ROUNDS:
        return _end(work, lambda job: give_pending(work, Row.State.FAILED, _NO_REASON))
    return Next("sort", {"refused": ours, "apply_id": None, "rounds": rounds, "polls": 0})


_NO_REASON = gettext_noop("The platform refused the devices without naming a reason.")


def sort(work: Work) -> Next:
    """Find out which of the refused names exist already; the rest of the chunk is then handed in anew.

    A form may be refused as a whole for the sake of a few names. So the other refused ones get another chance as long as
    some are found that exist; what is refused though none of them exists is not valid.
    """
    refused: dict[str, str] = dict(work.data.get("refused") or {})
    some = list(refused)[: _EXISTING_CALLS * batches.MOST_DETAILS]
    exists: set[str] = set()
    for names in _by_query(some, batches.MOST_DETAILS):
        exists |= batches.existing(work.gateway, _key(work), names)
    left = {name: words for name, words in refused.items() if name not in set(some)}
    absent = dict(work.data.get("absent") or {}) | {n: refused[n] for n in some if n not in exists}
    found = work.data.get("found", 0) + len(exists)

    def write(job: Job) -> None:
        _give(work, dict.fromkeys(exists, ""), Row.State.EXISTS)
        if not left and not found:
            _give(work, absent, Row.State.INVALID)

    if left:
        return Next("sort", {"refused": left, "absent": absent, "found": found}, write=write)
    return Next("check", {"refused": None, "absent": None, "found": None}, write=write)


def _give(work: Work, names: Mapping[str, str], state: Row.State) -> None:
    """Give rows of the chunk, by name, an outcome with what the platform said."""
    by_words: defaultdict[str, list[str]] = defaultdict(list)
    for name, words in names.items():
        by_words[words].append(name)
    for words, alike in by_words.items():
        for some in _by_query(alike):
            work.pending().order_by().filter(name__in=some).update(state=state, reason=words[:300])


def _by_query(names: Iterable[str], size: int = _NAMES_A_QUERY) -> Iterable[list[str]]:
    listed = list(names)
    return (listed[at : at + size] for at in range(0, len(listed), size))


# -- making devices --------------------------------------------------------------------------------------------------


def register(work: Work) -> Next:
    """Have the form's devices made. If this was tried before, the platform is asked first whether it went in."""
    apply_id = work.data["apply_id"]
    if (
        work.begun_before
        and batches.ask(work.gateway, _key(work), apply_id).status is not Status.CHECK_SUCCESS
    ):
        return Next("made")
    if work.canceled:
        return work.cut()
    work.hold()  # who slept meanwhile must not send: another worker may have told that nothing was sent
    try:
        batches.register(work.gateway, _key(work), apply_id, _target(work, work.pending().count()))
    except _NO_REFUSAL:
        raise
    except CloudError as error:
        # Perhaps because it is in already, or because another one is in the works: the form's status tells.
        return _not_now(work, error)
    return Next("made", {"polls": 0}, wait=0.3)


# What says nothing of this form: the engine waits, or stops the job.
_NO_REFUSAL = (Throttled, Unavailable, BadAnswer, AccessDenied, SignatureRefused)


def _not_now(work: Work, error: CloudError) -> Next:
    if batches.ask(work.gateway, _key(work), work.data["apply_id"]).status is not Status.CHECK_SUCCESS:
        return Next("made")
    if isinstance(error, Conflict):
        return trouble.later(work, "busy", error, 2.0)
    return trouble.failed(work, False, error)


def made(work: Work) -> Next:
    """Wait for the platform to make the devices."""
    apply_id = work.data["apply_id"]
    try:
        form = batches.ask(work.gateway, _key(work), apply_id)
    except NotFound:
        if not work.data.get("resumed"):
            raise
        return Next(
            "check", {"apply_id": None, "resumed": None}
        )  # forgotten since: the names are handed in anew
    if form.status is Status.CREATE_SUCCESS:

        def write(job: Job) -> None:
            work.pending().order_by().update(state=Row.State.CREATED)

        return _end(work, write, apply_id)
    if form.status is Status.CREATE_FAILED:
        return Next("recover", {"refused": form.refused, "page": 1})
    if form.status is Status.CHECK_SUCCESS:
        return Next("register")  # it did not go in after all
    if form.status is Status.CHECK_FAILED:
        return _refused(work, form.refused)
    if work.data.get("polls", 0) >= _MOST_POLLS:
        return settle(
            work,
            Row.State.UNKNOWN,
            gettext_noop("The platform did not say within an hour what became of it."),
        )
    wait, data = _pause(work)
    return Next(wait=wait, data=data)


def recover(work: Work) -> Next:
    """A form failed: what it made all the same is ours, and the rest is sorted and handed in anew."""
    page = work.data.get("page", 1)
    names: list[str] = []
    last = False
    for _turn in range(_PAGES_A_STEP):
        devices, total = batches.made(work.gateway, work.data["apply_id"], page)
        names += [device.name for device in devices]
        page += 1
        last = not devices or (page - 1) * 50 >= total
        if last:
            break

    def write(job: Job) -> None:
        _give(work, dict.fromkeys(names, ""), Row.State.CREATED)

    if not last:
        return Next(data={"page": page}, write=write)
    own = {"applies": [*work.data.get("applies", []), work.data["apply_id"]]} if names else {}
    others = {n: words for n, words in (work.data.get("refused") or {}).items() if n not in set(names)}
    following = _refused(work, others)

    def write_both(job: Job) -> None:
        write(job)
        if following.write is not None:
            following.write(job)

    return replace(following, data={**following.data, **own, "page": None}, write=write_both)


def _end(work: Work, write: Any = None, apply_id: int | None = None) -> Next:
    applies = [*work.data.get("applies", []), *([apply_id] if apply_id else [])]
    data = {"applies": applies, "apply_id": None, "polls": None, "rounds": None, "resumed": None}
    if work.job.params.get("tags"):
        return Next("tags", {**data, "tagged": 0}, write=write)
    return Next(done=True, data=data, write=write)


def tags(work: Work) -> Next:
    """Set the tags of the devices made, a call for each: setting one twice does no harm."""
    if work.canceled:
        return Next(done=True, write=lambda job: _say_once(work, job, _TAGS_CUT))
    found = list(
        Row.objects.filter(chunk=work.chunk, state=Row.State.CREATED, number__gt=work.data["tagged"])
        .order_by("number")
        .values_list("number", "pk", "name", "extra")[:_TAGS_A_STEP]
    )
    failed: dict[int, str] = {}
    for _number, pk, name, extra in found:
        wanted = (extra or {}).get("tags")
        if wanted:
            try:
                batches.set_tags(work.gateway, _key(work), name, wanted)
            except CloudError as error:
                if error.retryable or isinstance(error, BadAnswer):
                    raise
                failed[pk] = trouble.reason_of(error)

    def write(job: Job) -> None:
        for pk, reason in failed.items():
            text = gettext_noop("Created, but its tags were refused.")
            Row.objects.filter(pk=pk).update(reason=f"{text} {reason}"[:300])
        _say_once(work, job, _TAGS_REFUSED)

    over = len(found) < _TAGS_A_STEP
    data = {"tagged": found[-1][0] if found else None}
    return Next(done=over, data=data if not over else {"tagged": None}, write=write if failed else None)


_TAGS_REFUSED = gettext_noop("Some tags were refused; the rows say which.")
_TAGS_CUT = gettext_noop("Stopped before all tags were set.")


def _say_once(work: Work, job: Job, text: str) -> None:
    if not job.events.filter(sentence__text=text).exists():
        work.note(text, Event.Level.WARNING)


def _register_title(job: Job) -> str:
    count = job.total
    name = job.params.get("product_name") or job.params.get("product_key", "")
    if not count:
        return gettext("Register devices in %(product)s") % {"product": name}
    return ngettext(
        "Register %(count)s device in %(product)s", "Register %(count)s devices in %(product)s", count
    ) % {"count": number(count), "product": name}


REGISTER = Kind(
    slug="devices.register",
    label=_("Device registration"),
    icon="cpu",
    title=_register_title,
    operations=("BatchCheckDeviceNames", "BatchRegisterDeviceWithApplyId"),
    steps={
        "prepare": Step(prepare, _("Reading the list")),
        "check": Step(check, _("Handing in the names")),
        "checked": Step(checked, _("The platform checks the names")),
        "sort": Step(sort, _("Finding out which names exist already")),
        "register": Step(register, _("Having the devices made"), sent="maybe"),
        "made": Step(made, _("The platform makes the devices"), sent="yes"),
        "recover": Step(recover, _("Finding out what was made"), sent="yes"),
        "tags": Step(tags, _("Setting tags"), sent="yes"),
    },
    stopping=_(
        "What was not sent yet stays unsent. Devices that the platform is already making will be made."
    ),
    rules=sheet.RULES,
    columns=sheet.COLUMNS,
    about="jobs/register_about.html",
)


# -- secrets ---------------------------------------------------------------------------------------------------------


def plan(work: Work) -> Next:
    """Which forms to ask for their devices: those of the registration."""
    registration = work.job.parent

    def write(job: Job) -> None:
        forms = [
            apply_id
            for data in (registration.chunks.values_list("data", flat=True) if registration else ())
            for apply_id in data.get("applies", ())
        ]
        job.chunks.exclude(number=0).delete()
        Chunk.objects.bulk_create(
            Chunk(job=job, number=at, step="collect", data={"apply_id": apply_id, "page": 1})
            for at, apply_id in enumerate(forms, start=1)
        )
        job.total = (
            Row.objects.filter(job=registration, state=Row.State.CREATED).count()
            if registration and forms
            else 0
        )

    return Next(done=True, write=write)


def collect(work: Work) -> Next:
    """Read some pages of a form's devices with their secrets, and keep these, encrypted, until they expire."""
    page, collected = work.data["page"], work.chunk.counts.get("collected", 0)
    secrets: dict[str, str] = {}
    last = False
    for _turn in range(_PAGES_A_STEP):
        devices, total = batches.made(work.gateway, work.data["apply_id"], page, reveal=True)
        secrets |= {device.name: device.secret for device in devices if device.secret}
        page += 1
        last = not devices or (page - 1) * 50 >= total
        if last:
            break

    def write(job: Job) -> None:
        if job.parent_id is None:
            return
        expires = timezone.now() + timedelta(hours=settings.JOBS_SECRET_HOURS)
        Secret.objects.bulk_create(
            [
                Secret(job_id=job.parent_id, name=name, value=value, expires_at=expires)
                for name, value in secrets.items()
            ],
            update_conflicts=True,
            unique_fields=["job", "name"],
            update_fields=["value", "expires_at"],
        )

    return Next(done=last, data={"page": page}, write=write, counts={"collected": collected + len(secrets)})


def _tally_secrets(job: Job, counts: Mapping[str, int]) -> None:
    job.counts = dict(counts)
    job.succeeded = counts.get("collected", 0)


def _secrets_title(job: Job) -> str:
    if job.parent_id is None:
        return gettext("Collect device secrets")
    return gettext("Collect device secrets of job %(job)s") % {"job": job.parent_id}


SECRETS = Kind(
    slug="devices.secrets",
    label=_("Device secrets"),
    icon="key",
    title=_secrets_title,
    reveals=("QueryPageByApplyId",),
    stopping=_("It stops looking. Nothing on the platform changes."),
    rows=False,
    outcomes="",
    tally=_tally_secrets,
    steps={
        "prepare": Step(plan, _("Finding the devices")),
        "collect": Step(collect, _("Reading secrets")),
    },
    about="jobs/secrets_about.html",
)
