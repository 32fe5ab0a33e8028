"""The first steps of the job of a bulk action: they read the list of objects and store it, and start the job if nobody reviews it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_noop

from console.connections.approval import ApprovalNeeded
from console.jobs import actions, delays
from console.jobs.bulk import NewItem, insert_items
from console.jobs.kinds import StepResult
from console.jobs.models import Chunk, Item, Job, make_sentence, retryable_items
from console.jobs.work import Work
from console.pages.bulk import Bulk, BulkPages
from console.pages.bulk_params import BulkParams
from console.ui.forms import FilterForm
from iot_client.errors import CloudError
from iot_client.paging import Page, Position

MAX_ITEMS = 1_000_000
"""The largest number of objects in one job."""
_PAGES_PER_STEP = 20  # pages of the list that are read before the objects are stored
_KEYS_PER_PAGE = 1_000  # of the objects of an earlier job
ACTION_GONE = gettext_noop("This action is no longer available.")


def freeze(work: Work) -> StepResult:
    """Add the objects of the next pages of the list to the job. Nothing is sent.

    The objects and the position in the list are committed together: a worker that takes over, or that has to wait for the
    platform, goes on from there, and memory holds a few pages however long the list is.
    """
    params = BulkParams.read(work.job)
    try:
        pages, action = params.find_action()
    except LookupError:
        return stop_without_action(work)
    filters = pages.filters.from_query(QueryDict(params.query))
    if filters.problem:  # without the invalid filter, other objects would match
        text = gettext_noop("The filters are not valid any more. Search again. Nothing was changed.")
        return delays.stop_job(work, False, make_sentence(text))
    keys, position = _read_next_pages(_read_keys(work, params, pages, action, filters))
    added = _drop_known(work, keys)
    before: int = work.data.get("count", 0)
    count = before + len(added)
    if count > MAX_ITEMS:
        text = gettext_noop("More objects match than one job can process. Narrow the search.")
        return delays.stop_job(work, False, make_sentence(text))

    def write(job: Job) -> None:
        _insert(work, action, pages, added, before)
        job.total = count
        if position is None:
            job.state = Job.State.READY
            # The items have the keys. Lists of jobs read the parameters of each job.
            job.params = replace(params, keys=[]).as_json()

    data = {"position": position, "count": count}
    if position is None and params.starts:
        return StepResult(step="start", data=data, write=write)
    return StepResult(done=position is None, data=data, write=write)


def start_unreviewed(work: Work) -> StepResult:
    """Start the job. It stays ready if it has no objects, or if a rule of the team requires an approval, which needs a reason."""
    with suppress(ApprovalNeeded):
        actions.start(work.job, work.gateway)
    return StepResult(done=True)


def _read_next_pages(pages: Iterator[Page[list[str]]]) -> tuple[list[str], Position | None]:
    """Return the keys of the next pages, and the position after them, None at the end of the list.

    Raises CloudError if the first page cannot be read. An error at a later page ends the pages of this step: the next step begins
    with that page.
    """
    keys: list[str] = []
    position: Position | None = None
    try:
        for number_of_pages, page in enumerate(pages, start=1):
            keys += page.content
            position = page.following
            if number_of_pages == _PAGES_PER_STEP:
                return keys, position
    except CloudError:
        if position is None:
            raise
        return keys, position
    return keys, None


def _read_keys(
    work: Work, params: BulkParams, pages: BulkPages[Any], action: Bulk, filters: FilterForm
) -> Iterator[Page[list[str]]]:
    """Yield the keys of the objects page by page, from the position that the job has reached."""
    start: Position | None = work.data.get("position")
    if params.is_retry:
        return _read_retryable_keys(work.job.parent_id, start)
    if params.keys:
        return iter([Page(params.keys)])
    return pages.read_keys(action, work.gateway, filters, params.ids, start)


def _read_retryable_keys(job: int | None, start: Position | None) -> Iterator[Page[list[str]]]:
    after = start["after"] if start else 0
    while True:
        items = retryable_items(job).filter(number__gt=after).order_by("number")
        rows = list(items.values_list("number", "key")[:_KEYS_PER_PAGE])
        following = {"after": rows[-1][0]} if len(rows) == _KEYS_PER_PAGE else None
        yield Page([key for _number, key in rows], following)
        if following is None:
            return
        after = following["after"]


def _drop_known(work: Work, keys: Sequence[str]) -> list[str]:
    """Return the keys that the job does not have yet, each once: an object can move to the next page while the list is read."""
    unique = list(dict.fromkeys(keys))
    if not work.data.get("count"):
        return unique
    known = set(Item.objects.filter(job=work.job, key__in=unique).values_list("key", flat=True))
    return [key for key in unique if key not in known]


def _insert(work: Work, action: Bulk, pages: BulkPages[Any], keys: Sequence[str], before: int) -> None:
    """Insert items with the numbers after `before`, in chunks of as many as the action takes at once."""
    chunks: dict[int, int] = {
        chunk.number: chunk.pk for chunk in work.job.chunks.filter(number__gt=before // action.direct)
    }
    items = []
    for position, key in enumerate(keys, start=before):
        chunk_number = position // action.direct + 1
        if chunk_number not in chunks:
            chunk = Chunk.objects.create(
                job=work.job, number=chunk_number, step="run", state=Chunk.State.HELD
            )
            chunks[chunk_number] = chunk.pk
        name = pages.name_of(key)
        items.append(
            NewItem(
                work.job.pk,
                position + 1,
                key,
                name if name != key else "",
                chunk=chunks[chunk_number],
            )
        )
    insert_items(items)


def stop_without_action(work: Work) -> StepResult:
    """Stop a job whose action is not declared any more."""
    return delays.stop_job(work, False, make_sentence(ACTION_GONE))
