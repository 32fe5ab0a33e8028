"""The progress of batches: the numbers of their tasks by status, as monitoring recorded them or as the platform counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils.functional import Promise

from console.areas.ota import api, batch_tasks, jobs
from console.areas.ota.records import Batch
from console.connections.gateway import Gateway
from console.connections.models import Connection
from console.ui.statuses import status
from iot_client.errors import CloudError

MAX_COUNTED = 5
"""The batches that are counted in one request, by 4 calls each. ListOTATaskByJob allows 10 calls per second."""
_TILES = ("FAILED", "SUCCEEDED", "IN_PROGRESS", "NOTIFIED", "QUEUED", "CONFIRM", "CANCELED")
# The order of the bar and of the chart: finished tasks, then running ones, then those that wait.
SEGMENTS = (*api.FINISHED_TASKS, "IN_PROGRESS", "NOTIFIED", "QUEUED", "CONFIRM")


@dataclass(frozen=True)
class Tile:
    """The number of tasks with one status; None while it is not counted."""

    status: str
    label: str | Promise
    count: int | None


@dataclass(frozen=True)
class Segment:
    """The part of the progress bar for one status: `left` and `width` in thousandths."""

    status: str
    label: str | Promise
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Counts:
    """The tasks of a batch: all of them, None while they are not counted, and those with each status that was counted. `at` is
    the time of the count, None for now."""

    total: int | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None

    @property
    def tiles(self) -> list[Tile]:
        """All statuses, failures first."""
        return [Tile(name, status("batch_task", name).label, self.numbers.get(name)) for name in _TILES]

    @property
    def segments(self) -> list[Segment]:
        """The statuses that at least one task has, as a bar."""
        segments, left = [], 0.0
        for name in SEGMENTS:
            count = self.numbers.get(name, 0)
            width = 1000 * count / self.total if self.total else 0.0
            if width:
                segments.append(Segment(name, status("batch_task", name).label, count, left, width))
            left += width
        return segments

    @property
    def finished_segments(self) -> list[Segment]:
        """The part of the bar that shows finished tasks."""
        return [part for part in self.segments if part.status in api.FINISHED_TASKS]

    @property
    def finished(self) -> int:
        """The number of tasks that succeeded, failed or were canceled."""
        return sum(self.numbers.get(name, 0) for name in api.FINISHED_TASKS)

    @property
    def failed(self) -> int:
        """The number of tasks that failed."""
        return self.numbers.get("FAILED", 0)

    @property
    def share(self) -> int:
        """The finished tasks as a percentage, rounded down: 100 means that all have finished."""
        return 100 * self.finished // self.total if self.total else 0


@dataclass(frozen=True)
class ListedBatch:
    """A batch in a list, with the names of what it is for: `product` is a name, or the key if the name is unknown. `counts`: None
    if they are unknown. `fetch_from`: this row fetches unknown counts of the list, those after as many batches that were counted
    before: at once if it is 0, else when asked to; None for a row that fetches none."""

    batch: Batch
    package_name: str
    version: str
    product: str
    counts: Counts | None = None
    fetch_from: int | None = None


def add_recorded(connection: Connection, rows: Sequence[ListedBatch]) -> list[ListedBatch]:
    """Return the rows with the counts that monitoring recorded. The first one without a record fetches the others. No call."""
    recorded = read_recorded(connection, [row.batch for row in rows])
    uncounted = _list_uncounted(rows, recorded)
    first = uncounted[0].batch.id if uncounted else ""
    return [
        replace(row, counts=recorded.get(row.batch.id), fetch_from=0 if row.batch.id == first else None)
        for row in rows
    ]


def add_counted(gateway: Gateway, rows: Sequence[ListedBatch], *, skip: int = 0) -> list[ListedBatch]:
    """Return the rows whose counts monitoring did not record: MAX_COUNTED of them with the counts that the platform has now, and
    the next one, which fetches more. `skip`: how many were counted before. 4 calls for each batch."""
    recorded = read_recorded(gateway.connection, [row.batch for row in rows])
    uncounted = _list_uncounted(rows, recorded)[skip:]
    counted = []
    for row in uncounted[:MAX_COUNTED]:
        try:
            counts = batch_tasks.count_tasks(gateway, row.batch.id, api.FINISHED_TASKS)
        except CloudError:
            counted.append(row)
        else:
            counted.append(replace(row, counts=Counts(counts.total, counts.counts)))
    following = uncounted[MAX_COUNTED : MAX_COUNTED + 1]
    return counted + [replace(row, fetch_from=skip + MAX_COUNTED) for row in following]


def _list_uncounted(rows: Sequence[ListedBatch], recorded: Mapping[str, Counts]) -> list[ListedBatch]:
    """The rows of batches that have started and that have no record, running ones first."""
    uncounted = [row for row in rows if row.batch.id not in recorded and row.batch.status != "PLANNED"]
    return sorted(uncounted, key=lambda row: not row.batch.is_running)


def read_recorded(connection: Connection, batches: Sequence[Batch]) -> dict[str, Counts]:
    """Return the counts of those batches whose monitoring recorded them, by batch ID. No call.

    A record is out of date, and left out, if the monitoring of a running batch has stopped, or if a batch ended after it.
    """
    by_id = {batch.id: batch for batch in batches}
    monitored = jobs.read_monitored(connection, list(by_id))
    recorded = {}
    for batch_id, sample in jobs.read_latest(connection, list(by_id)).items():
        counts = Counts(sum(sample.counts.values()), sample.counts, sample.at)
        is_current = batch_id in monitored if by_id[batch_id].is_running else counts.finished == counts.total
        if is_current:
            recorded[batch_id] = counts
    return recorded
