"""The first step of a registration: creates items from a file, from generated names, or from the items of an earlier job.

Nothing is sent. Everything is written in small transactions under the lease; a worker that takes over starts from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from console.areas.devices.registration import sheet
from console.areas.devices.registration.params import RegistrationParams
from console.areas.devices.registration.sheet import Findings, ParsedRow
from console.jobs import files, tables
from console.jobs.bulk import NewItem, insert_items
from console.jobs.encodings import UnknownEncoding, UnusableFile
from console.jobs.kinds import StepResult
from console.jobs.models import Chunk, Event, Item, Job, make_sentence, retryable_items
from console.jobs.tables import Layout
from console.jobs.work import Work
from console.jobs.workbooks import open_table
from console.pages import device_names

_BATCH_ROWS = 2000
MAX_CHUNK_ITEMS = 2_500  # BatchCheckDeviceNames accepts 10,000; less saves memory and shows progress
_MIN_CHUNK_ITEMS = 250
_PREFERRED_CHUNKS = 20  # preferred number of chunks: enough to show progress


def prepare(work: Work) -> StepResult:
    """Create the job's items. A draft is then ready for review; a retry starts at once."""
    _delete_earlier_items(work)
    params = RegistrationParams.read(work.job)
    if params.source == "file":
        try:
            return _from_file(work, params)
        except UnusableFile as problem:
            return _reject(work, problem)
    if params.source == "count":
        expected, parsed_rows = params.count, _generate_rows(params)
    else:
        expected, parsed_rows = retryable_items(work.job.parent_id).count(), _retry_rows(work)
    loader = _Loader(work, _choose_chunk_size(expected))
    for batch in _batches(parsed_rows):
        loader.load(batch)
    return loader.finish(start=params.source == "retry")


def _delete_earlier_items(work: Work) -> None:
    if work.was_begun_before:
        with transaction.atomic():
            work.renew_lease()
            Item.objects.filter(job=work.job).delete()
            work.job.chunks.exclude(pk=work.chunk.pk).delete()


def _choose_chunk_size(rows: int) -> int:
    return max(_MIN_CHUNK_ITEMS, min(MAX_CHUNK_ITEMS, -(-rows // _PREFERRED_CHUNKS)))


def _generate_rows(params: RegistrationParams) -> Iterator[ParsedRow]:
    for number in range(1, params.count + 1):
        yield ParsedRow(number, sheet.generate_name(params.prefix))


def _retry_rows(work: Work) -> Iterator[ParsedRow]:
    """Yield the items of the earlier job that failed, were not sent, lack their tags, or have an unknown outcome."""
    chunks = Chunk.objects.filter(job=work.job.parent_id).values_list("pk", "data__apply_id")
    apply_ids = {pk: int(apply_id) for pk, apply_id in chunks if apply_id}
    items = retryable_items(work.job.parent_id).order_by("number")
    fields = ("number", "key", "label", "data", "outcome", "chunk")
    for number, name, nickname, data, outcome, chunk in items.values_list(*fields).iterator(
        chunk_size=_BATCH_ROWS
    ):
        apply_id = apply_ids.get(chunk, 0) if outcome == Item.Outcome.UNKNOWN else 0
        is_created = outcome == Item.Outcome.PARTIAL
        tags = (data or {}).get("tags", {})
        yield ParsedRow(number, name, nickname, tags, apply_id=apply_id, is_created=is_created)


def _from_file(work: Work, params: RegistrationParams) -> StepResult:
    def open_file() -> BinaryIO:
        return files.open_file(work.job)

    with open_table(open_file, settings.JOBS_MAX_ROWS) as (open_text, sheet_name):
        return _from_table(work, params, open_text, sheet_name)


def _from_table(
    work: Work, params: RegistrationParams, open_file: tables.Opener, sheet_name: str
) -> StepResult:
    layout = tables.detect_layout(
        open_file,
        sheet.KNOWN_COLUMNS,
        sheet.NAME,
        device_names.is_valid_name,
        params.chosen,
        params.headless,
        settings.JOBS_MAX_ROWS,
        "" if sheet_name else params.encoding,
        "," if sheet_name else params.separator,
    )
    layout = replace(layout, sheet=sheet_name)
    parsed_rows = sheet.parse_rows(tables.read_records(open_file, layout), layout, with_tags=True)
    loader: _Loader | None = None
    blank = 0

    def non_empty_rows() -> Iterator[ParsedRow]:
        nonlocal blank
        for parsed in parsed_rows:
            if parsed is None:
                blank += 1
            else:
                yield parsed

    for batch in _batches(non_empty_rows()):
        if loader is None:
            bytes_per_character = 2 if layout.encoding.startswith("utf-16") else 1
            length = (
                sum(sum(map(len, parsed.cells)) + len(parsed.cells) + 1 for parsed in batch)
                * bytes_per_character
            )
            loader = _Loader(work, _choose_chunk_size(work.job.file_size * len(batch) // max(length, 1)))
        loader.load(batch)
        if loader.row_count > settings.JOBS_MAX_ROWS:
            raise tables.too_many_rows(settings.JOBS_MAX_ROWS)
    if loader is None:
        raise UnusableFile(gettext_noop("The file has a header but no devices."))
    return loader.finish(layout, blank)


def _batches(rows: Iterable[ParsedRow]) -> Iterator[list[ParsedRow]]:
    batch: list[ParsedRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


class _Loader:
    """Writes parsed rows to the database as items, batch by batch. Valid ones go into chunks that wait for the start."""

    def __init__(self, work: Work, chunk_size: int) -> None:
        self.work = work
        self.row_count = self.valid_count = 0
        self._chunk_size = chunk_size
        self._product_key = RegistrationParams.read(work.job).product_key
        self._chunk: Chunk | None = None
        self._free_rows = self._apply_id = 0
        self._tagged = False
        self._findings, self._doubts = Findings(), Findings()

    def load(self, batch: Sequence[ParsedRow]) -> None:
        """Write some rows. Raises LeaseLost."""
        with transaction.atomic():
            self.work.renew_lease()
            sheet.mark_duplicates(batch, self._find_first_rows)
            insert_items([self._build_item(parsed) for parsed in batch])
        self.row_count += len(batch)

    def _find_first_rows(self, names: list[str]) -> dict[str, int]:
        if not self.row_count:
            return {}
        earlier = Item.objects.filter(job=self.work.job, key__in=names, outcome=Item.Outcome.PENDING)
        return dict(earlier.order_by().values_list("key").annotate(first=Min("number")))

    def _build_item(self, parsed: ParsedRow) -> NewItem:
        item = NewItem(
            self.work.job.pk, parsed.number, sheet.clean_text(parsed.name), sheet.clean_text(parsed.nickname)
        )
        if parsed.findings:
            self._findings.add(parsed.number, parsed.findings)
            item.outcome = Item.Outcome.SKIPPED.value
            item.data = sheet.original_values(parsed)
            return item
        self.valid_count += 1
        if device_names.is_doubtful(parsed.name):
            self._doubts.add(parsed.number, [("name_changed", parsed.name, "")])
        if parsed.product_key not in ("", self._product_key):
            self._doubts.add(parsed.number, [("other_product", sheet.clean_text(parsed.product_key), "")])
        if parsed.tags:
            item.data = {
                "tags": {sheet.clean_text(key): sheet.clean_text(value) for key, value in parsed.tags.items()}
            }
            self._tagged = True
        if parsed.is_created:
            item.outcome = Item.Outcome.PARTIAL.value
        item.chunk = self._chunk_for(parsed.apply_id).pk
        return item

    def _chunk_for(self, apply_id: int) -> Chunk:
        """Return the chunk of the next item. Items that were sent in one application stay together and continue where they stopped."""
        is_full = self._free_rows <= 0 and not apply_id
        if self._chunk is None or is_full or apply_id != self._apply_id:
            number = 1 if self._chunk is None else self._chunk.number + 1
            self._chunk = Chunk.objects.create(
                job=self.work.job,
                number=number,
                step="await_devices" if apply_id else "submit",
                data={"apply_id": apply_id, "resumed": True} if apply_id else {},
                state=Chunk.State.HELD,
            )
            self._free_rows, self._apply_id = self._chunk_size, apply_id
        self._free_rows -= 1
        return self._chunk

    def finish(self, layout: Layout | None = None, blank: int = 0, *, start: bool = False) -> StepResult:
        """Return the result that ends the step: the draft is ready, or the retry starts."""

        def write(job: Job) -> None:
            job.total, job.skipped = self.valid_count, self.row_count - self.valid_count
            params = RegistrationParams.read(job)
            job.params = replace(
                params,
                layout=layout.as_dict() if layout else None,
                blank=blank,
                findings=self._findings.as_dict(),
                doubts=self._doubts.as_dict(),
                tagged=self._tagged,
                set_tags=params.set_tags if start else self._tagged,
            ).as_json()
            if start:
                job.chunks.filter(state=Chunk.State.HELD).update(state=Chunk.State.ACTIVE, next_at=Now())
            elif self.valid_count:
                job.state = Job.State.READY
            else:
                job.state = Job.State.REJECTED
                job.error = make_sentence(gettext_noop("All rows have errors."))

        return StepResult(done=True, write=write)


def _reject(work: Work, problem: UnusableFile) -> StepResult:
    def write(job: Job) -> None:
        Item.objects.filter(job=job).delete()
        job.chunks.exclude(pk=work.chunk.pk).delete()
        job.state = Job.State.REJECTED
        job.error = problem.sentence
        job.params = replace(
            RegistrationParams.read(job),
            first_row=problem.columns or [],
            layout=None,
            has_unknown_encoding=isinstance(problem, UnknownEncoding),
        ).as_json()
        Event.objects.create(
            job=job, level=Event.Level.ERROR, sentence=make_sentence(gettext_noop("The file cannot be used."))
        )

    return StepResult(done=True, write=write)
