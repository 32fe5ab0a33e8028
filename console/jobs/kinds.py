"""The kinds of jobs. Each area declares its kinds in its jobs.py; `settings.JOB_KINDS` lists those that belong to no area.

A kind is data: its steps by name, and texts. This package does not import them.
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
from console.ui.areas import all_areas

if TYPE_CHECKING:
    from console.connections.gateway import Gateway
    from console.jobs.work import Work

Text = str | Promise


@dataclass(frozen=True)
class StepResult:
    """The result of a step, and the next step. The engine commits all of it or nothing.

    `step`: the name of the next step; "" repeats the same step. `data` is merged into the chunk's data (None removes a key).
    `wait`: seconds until the next step. `done`: the chunk has ended. `delay_reason`: why it waits, a key of delays.DELAY_TEXTS.
    `write(job)` changes rows and the (locked) job in the same transaction; without it only the chunk changes.
    `counts` replaces the chunk's counts, for kinds that have no rows.
    """

    step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    wait: float = 0.0
    done: bool = False
    write: Callable[[Job], None] | None = None
    counts: Mapping[str, int] | None = None
    delay_reason: str = ""


@dataclass(frozen=True)
class Step:
    """One step: `run` makes one call, or a limited number of calls, and returns the next step.

    `sent` states whether, at the start of the step, something was sent whose outcome is not known yet: "no"; "yes"; "maybe"
    if the step began before and its end is not known. A canceled job ends at once where nothing was sent.
    """

    run: Callable[[Work], StepResult]
    label: Text
    sent: Literal["no", "maybe", "yes"] = "no"


@dataclass(frozen=True)
class Rule:
    """A rule for the rows of a file: the label of the column it applies to, and the error text."""

    column: Text
    text: Text


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Rights: the user who starts a job needs `operations` and, with secrets shown, `reveals`; every step checks them again. The
    user who cancels or retries a job also needs `control_operations`: a job that only reads may need more rights to be
    controlled. `job_operations(job)` are operations that only this one job calls.

    Texts: `title(job)` is the title of a job. `cancel_text` explains what happens to started work when a job is canceled.
    `details_template` shows details of `job`. `rules` and `columns` describe the checks and the columns of its files.

    Visibility (console/jobs/visibility.py): `product_param` is the key of the job's params that holds a ProductKey, "" if a job
    has more than one product; `operation_param` is the key that holds the name of the operation it calls.

    Counts: `tally(job, counts)` sets the job's numbers from the sum of its chunks' counts. `status_kind` is the kind of status
    (console/ui/statuses.py) by which they are counted; "" if the page shows no counts. `has_rows` is False for kinds
    without rows. `on_end(job)` is called in the transaction in which the job ends, with any outcome.
    """

    slug: str
    label: Text
    icon: str
    steps: Mapping[str, Step]
    title: Callable[[Job], str]
    operations: tuple[str, ...] = ()
    reveals: tuple[str, ...] = ()
    control_operations: tuple[str, ...] = ()
    job_operations: Callable[[Job], tuple[str, ...]] = lambda job: ()
    product_param: str = "product_key"
    operation_param: str = ""
    cancel_text: Text = ""
    on_end: Callable[[Job], None] = lambda job: None
    has_rows: bool = True
    status_kind: str = "row"
    tally: Callable[[Job, Mapping[str, int]], None] = field(
        default=lambda job, counts: tally_rows(job, counts)
    )
    rules: Mapping[str, Rule] = field(default_factory=dict)
    columns: Mapping[str, Text] = field(default_factory=dict)
    details_template: str = ""

    def is_allowed(self, gateway: Gateway) -> bool:
        """Return whether the gateway's actor may run this kind of job."""
        return all(map(gateway.allows, self.operations)) and all(map(gateway.reveals, self.reveals))


def tally_rows(job: Job, counts: Mapping[str, int]) -> None:
    """Set the numbers of a job that has rows. `counts`: number of rows by state."""
    job.counts = {state: n for state, n in counts.items() if n}
    job.succeeded = sum(counts.get(state, 0) for state in Row.SUCCESSFUL)
    job.failed = sum(counts.get(state, 0) for state in Row.UNSUCCESSFUL)


@cache
def all_kinds() -> Mapping[str, Kind]:
    """Return every kind by name."""
    of_areas = (kind for area in all_areas() for kind in area.job_kinds)
    return {kind.slug: kind for kind in (*of_areas, *map(import_string, settings.JOB_KINDS))}


def get(slug: str) -> Kind:
    """Return the kind of this name. Raises KeyError."""
    return all_kinds()[slug]
