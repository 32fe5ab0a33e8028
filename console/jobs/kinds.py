"""The kinds of work there are: an explicit table, `settings.JOB_KINDS`, of name → where its `Kind` stands.

A kind is data: its steps by name. Rooms declare theirs in their jobs.py; this room knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from console.jobs.models import Job, Row

if TYPE_CHECKING:
    from console.connections.gateway import Gateway
    from console.jobs.work import Work

Text = str | Promise


@dataclass(frozen=True)
class Next:
    """What a step learned and what comes next. The engine commits all of it at once, or nothing.

    `step`: the name of the next step, "" for the same again. `data` is merged into the chunk's data (None removes a key).
    `wait`: seconds until then. `done`: the chunk is at its end.
    `write(job)` changes rows and the (locked) job in the same transaction; without it only the chunk changes.
    `counts` replaces the chunk's counts, for kinds whose work is not rows.
    """

    step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    wait: float = 0.0
    done: bool = False
    write: Callable[[Job], None] | None = None
    counts: Mapping[str, int] | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Step:
    """One step: `run` makes one call, or a bounded few, and says what comes next.

    `sent` tells whether something was sent by then whose outcome must still be learned: "no"; "maybe", when the step was
    begun before and its end is not known; "yes". A job that is canceled is cut where nothing was sent.
    """

    run: Callable[[Work], Next]
    label: Text
    sent: Literal["no", "maybe", "yes"] = "no"


@dataclass(frozen=True)
class Rule:
    """A rule that lines of a file must keep: the column it speaks of, and what it says to who broke it."""

    column: Text
    text: Text


@dataclass(frozen=True)
class Kind:
    """A kind of job. `operations` (and, with secrets shown, `reveals`) must be allowed to whoever starts it, and are asked
    for again at every step. Who stops or repeats one by hand must be allowed `steering` besides: it may take more than
    the reads that a job makes; `making(job)` are operations that only this very job calls. `title(job)` names a job of this
    kind. `stopping` says what becomes of what was begun when it is stopped. `ended(job)` is called in the transaction in
    which the job ends, however it does.

    What a job is about decides who sees it (console/jobs/visibility.py): `product` is the key of its params that holds a
    ProductKey, "" where a job is about more than one product; `operation` the key that holds the operation it makes.

    `tally(job, counts)` sets the job's numbers from the sum of its chunks' counts.
    `outcomes` is the kind of status (console/ui/statuses.py) that the counts are by; "" when they are not shown.
    `rules` and `columns` name what its files are checked for, and what their columns are. `about` is a template with the
    kind's own facts about `job`.
    """

    slug: str
    label: Text
    icon: str
    steps: Mapping[str, Step]
    title: Callable[[Job], str]
    operations: tuple[str, ...] = ()
    reveals: tuple[str, ...] = ()
    steering: tuple[str, ...] = ()
    making: Callable[[Job], tuple[str, ...]] = lambda job: ()
    product: str = "product_key"
    operation: str = ""
    stopping: Text = ""
    ended: Callable[[Job], None] = lambda job: None
    rows: bool = True
    outcomes: str = "row"
    tally: Callable[[Job, Mapping[str, int]], None] = field(
        default=lambda job, counts: tally_rows(job, counts)
    )
    rules: Mapping[str, Rule] = field(default_factory=dict)
    columns: Mapping[str, Text] = field(default_factory=dict)
    about: str = ""

    def allowed(self, gateway: Gateway) -> bool:
        """Whether the gateway's actor may run this kind of job."""
        return all(map(gateway.allows, self.operations)) and all(map(gateway.reveals, self.reveals))


def tally_rows(job: Job, counts: Mapping[str, int]) -> None:
    """The numbers of a job whose work is rows: `counts` is rows by state."""
    job.counts = {state: n for state, n in counts.items() if n}
    job.succeeded = sum(counts.get(state, 0) for state in Row.GOOD)
    job.failed = sum(counts.get(state, 0) for state in Row.BAD)


@cache
def table() -> Mapping[str, Kind]:
    """Every kind by name."""
    return {slug: import_string(path) for slug, path in settings.JOB_KINDS.items()}


def get(slug: str) -> Kind:
    """The kind of that name; raises KeyError."""
    return table()[slug]
