"""The first step of a registration: making rows of a file, of a number of random names, or of the rows of an earlier job.

Nothing is sent. Everything is written in small transactions under the lease; a worker that takes over begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from console.devices import sheet
from console.devices.sheet import Findings, Line
from console.jobs import files, tables
from console.jobs.bulk import NewRow, insert_rows
from console.jobs.encodings import Unusable
from console.jobs.kinds import Next
from console.jobs.models import Chunk, Event, Job, Row, said, unfinished
from console.jobs.work import Work

_BATCH = 2000
MOST_A_CHUNK = (
    2_500  # 10,000 may go in one BatchCheckDeviceNames; less keeps memory flat, and progress to be seen
)
_LEAST_A_CHUNK = 250
_CHUNKS = 20  # wanted: enough of them that progress is seen


def prepare(work: Work) -> Next:
    """Make the job's rows. A draft is then ready for a person to look at; a further run begins at once."""
    _begin_anew(work)
    source = work.job.params["source"]
    if source == "file":
        try:
            return _from_file(work)
        except Unusable as problem:
            return _rejected(work, problem)
    loader = _Loader(work, _size(_expected(work)))
    lines = _random(work) if source == "count" else _again(work)
    for batch in _batches(lines):
        loader.load(batch)
    return loader.finished({}, start=source == "again")


def _begin_anew(work: Work) -> None:
    if work.begun_before:
        with transaction.atomic():
            work.hold()
            Row.objects.filter(job=work.job).delete()
            work.job.chunks.exclude(pk=work.chunk.pk).delete()


def _size(rows: int) -> int:
    return max(_LEAST_A_CHUNK, min(MOST_A_CHUNK, -(-rows // _CHUNKS)))


def _expected(work: Work) -> int:
    if work.job.params["source"] == "count":
        return int(work.job.params["count"])
    return unfinished(work.job.parent_id).count()


def _random(work: Work) -> Iterator[Line]:
    prefix = str(work.job.params.get("prefix", ""))
    for at in range(1, int(work.job.params["count"]) + 1):
        yield Line(at, sheet.random_name(prefix))


def _again(work: Work) -> Iterator[Line]:
    """The rows of the earlier job that did not come to be, and those of which it never learned whether they did."""
    chunks = Chunk.objects.filter(job=work.job.parent_id).values_list("pk", "data__apply_id")
    forms = {pk: int(apply_id) for pk, apply_id in chunks if apply_id}
    rows = unfinished(work.job.parent_id).order_by("number")
    fields = ("number", "name", "nickname", "extra", "state", "chunk")
    for at, name, nickname, extra, state, chunk in rows.values_list(*fields).iterator(chunk_size=_BATCH):
        form = forms.get(chunk, 0) if state == Row.State.UNKNOWN else 0
        yield Line(at, name, nickname, (extra or {}).get("tags", {}), form=form)


def _from_file(work: Work) -> Next:
    params = work.job.params

    def open_file() -> BinaryIO:
        return files.open_file(work.job)

    layout = tables.survey(
        open_file,
        sheet.KNOWN,
        sheet.NAME,
        sheet.is_name,
        params.get("chosen"),
        params.get("headless"),
        settings.JOBS_MAX_ROWS,
    )
    found = sheet.lines(tables.records(open_file, layout), layout, with_tags=True)
    loader: _Loader | None = None
    blank = 0

    def counted() -> Iterator[Line]:
        nonlocal blank
        for line in found:
            if line is None:
                blank += 1
            else:
                yield line

    for batch in _batches(counted()):
        if loader is None:
            wide = 2 if layout.encoding.startswith("utf-16") else 1
            length = sum(sum(map(len, line.cells)) + len(line.cells) + 1 for line in batch) * wide
            loader = _Loader(work, _size(params["size"] * len(batch) // max(length, 1)))
        loader.load(batch)
        if loader.rows > settings.JOBS_MAX_ROWS:
            raise tables.too_many(settings.JOBS_MAX_ROWS)
    if loader is None:
        raise Unusable(gettext_noop("There is a header, but no device under it."))
    return loader.finished({"layout": layout.as_dict(), "blank": blank})


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _Loader:
    """Writes lines as rows, batch by batch; good ones go into chunks that wait for the start."""

    def __init__(self, work: Work, chunk_size: int) -> None:
        self.work = work
        self.rows = self.good = 0
        self._chunk_size = chunk_size
        self._chunk: Chunk | None = None
        self._room = self._form = 0
        self._tagged = False
        self._findings = Findings()

    def load(self, batch: Sequence[Line]) -> None:
        """Write some lines. Raises LeaseLost."""
        with transaction.atomic():
            self.work.hold()
            sheet.mark_duplicates(batch, self._first_line_of)
            insert_rows([self._row(line) for line in batch])
        self.rows += len(batch)

    def _first_line_of(self, names: list[str]) -> dict[str, int]:
        if not self.rows:
            return {}
        earlier = Row.objects.filter(job=self.work.job, name__in=names, state=Row.State.PENDING).order_by()
        return dict(earlier.values_list("name").annotate(first=Min("number")))

    def _row(self, line: Line) -> NewRow:
        row = NewRow(self.work.job.pk, line.number, sheet.clean(line.name), sheet.clean(line.nickname))
        if line.findings:
            self._findings.add(line)
            row.state = Row.State.SKIPPED.value
            row.extra = sheet.original(line)
            return row
        self.good += 1
        if line.tags:
            row.extra = {"tags": {sheet.clean(key): sheet.clean(value) for key, value in line.tags.items()}}
            self._tagged = True
        row.chunk = self._room_for_one(line.form).pk
        return row

    def _room_for_one(self, form: int) -> Chunk:
        """The chunk of the next row. Rows that were sent as one form stay together: they go on where they were left."""
        full = self._room <= 0 and not form
        if self._chunk is None or full or form != self._form:
            at = 1 if self._chunk is None else self._chunk.number + 1
            self._chunk = Chunk.objects.create(
                job=self.work.job,
                number=at,
                step="made" if form else "check",
                data={"apply_id": form, "resumed": True} if form else {},
                state=Chunk.State.HELD,
            )
            self._room, self._form = self._chunk_size, form
        self._room -= 1
        return self._chunk

    def finished(self, params: dict[str, Any], start: bool = False) -> Next:
        """The end of the step: the draft is ready, or the further run begins."""

        def write(job: Job) -> None:
            job.total, job.skipped = self.good, self.rows - self.good
            job.params = {
                **job.params,
                **params,
                "findings": self._findings.as_dict(),
                "tagged": self._tagged,
            }
            if start:
                job.chunks.filter(state=Chunk.State.HELD).update(state=Chunk.State.ACTIVE, next_at=Now())
            else:
                job.state = Job.State.READY

        return Next(done=True, write=write)


def _rejected(work: Work, problem: Unusable) -> Next:
    def write(job: Job) -> None:
        Row.objects.filter(job=job).delete()
        job.chunks.exclude(pk=work.chunk.pk).delete()
        job.state = Job.State.REJECTED
        job.error = problem.sentence
        job.params = {**job.params, "first_line": problem.columns}
        Event.objects.create(
            job=job, level=Event.Level.ERROR, sentence=said(gettext_noop("The file cannot be used."))
        )

    return Next(done=True, write=write)
