"""The kinds of jobs. Each area declares its kinds in its jobs.py; `settings.JOB_KINDS` lists those that belong to no area.

A kind is data: its steps by name, and texts. This package does not import them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from console.jobs.models import Chunk, Item, Job
from console.jobs.params import JobParams
from console.ui.areas import all_areas

if TYPE_CHECKING:
    from console.connections.gateway import Gateway
    from console.connections.http import CloudRequest
    from console.jobs.work import Work

Text = str | Promise
P = TypeVar("P", bound=JobParams)
SENDING = "sending"
"""The key of a chunk's data that is true while its calls are sent, and afterwards if the worker did not report their outcome."""


@dataclass(frozen=True)
class StepResult:
    """The result of a step, and the next step. The engine commits all of it or nothing.

    `step`: the name of the next step; "" repeats the same step. `data` is merged into the chunk's data (None removes a key).
    `wait`: seconds until the next step. `done`: the chunk has ended. `delay_reason`: why it waits, a key of delays.DELAY_TEXTS.
    `write(job)` changes items and the (locked) job in the same transaction; without it only the chunk changes.
    `counts` replaces the chunk's counts, for kinds that have no items.
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
    if the step began before; "marked" if the step said so in the chunk's data (SENDING). A canceled job ends at once where
    nothing was sent. A step with `starts_draft` starts a draft whose items exist. It does nothing for a job that is not ready any
    more.
    """

    run: Callable[[Work], StepResult]
    label: Text
    sent: Literal["no", "maybe", "marked", "yes"] = "no"
    starts_draft: bool = False

    def may_have_sent(self, chunk: Chunk) -> bool:
        """Return whether something may have been sent for this chunk whose outcome is not known yet."""
        if self.sent == "marked":
            return bool(chunk.data.get(SENDING))
        return self.sent == "yes" or (self.sent == "maybe" and chunk.attempts > 1)


@dataclass(frozen=True)
class Heading:
    """What a field of an item is called: its `name` in files, its `label` on pages."""

    name: str
    label: Text


def explain_outcome(outcome: str, data: Mapping[str, Any]) -> str:
    """Return why an item of any kind has its outcome; "" where the outcome says enough."""
    return str(_MEANINGS.get(outcome, ""))


_MEANINGS: dict[str, Text] = {
    Item.Outcome.UNKNOWN: _("The item was sent, but no response confirmed its outcome."),
    Item.Outcome.CANCELED: _("Not sent because the job stopped first."),
}


@dataclass(frozen=True)
class Items:
    """The items of a kind: what their key, their label (None: they have no label) and their number are called. With `shows_labels`,
    tables show the label of an item in place of its key, which is a hidden column.

    `explain(outcome, data)` returns why an item has its outcome, in the reader's language. `link(request, item)` returns the
    address of the page of an item; "" if it has none.
    """

    key: Heading
    label: Heading | None = None
    number: Heading = Heading("number", _("No."))
    shows_labels: bool = False
    explain: Callable[[str, Mapping[str, Any]], str] = explain_outcome
    link: Callable[[Any, Item], str] | None = None


@dataclass(frozen=True)
class Pages:
    """The parts of a job's pages that only its kind can show. Each template gets `context(request, job)` and `params`.

    `details`: the details of a started job; `actions`: buttons; `menu`: entries of the menu with further actions; `draft`: a draft
    that is ready or rejected. `first_stage(job)` names what a user did before the review; "" if the job was not reviewed.
    """

    details: str = ""
    actions: str = ""
    menu: str = ""
    draft: str = ""
    first_stage: Callable[[Job], Text] = lambda job: ""
    context: Callable[[CloudRequest, Job], dict[str, Any]] = lambda request, job: {}


@dataclass(frozen=True)
class StartPage:
    """The page on which users start jobs of a kind: its URL name, and the label of its button."""

    url_name: str
    label: Text


@dataclass(frozen=True)
class Kind(Generic[P]):
    """A kind of job, with parameters of the type `params`.

    Rights: the user who starts a job needs `operations` and, with secrets shown, `reveals`; every step checks them again. The
    user who cancels or retries a job also needs `control_operations`: a job that only reads may need more rights to be
    controlled. `job_operations(job)` are operations that only this one job calls.

    Texts: `title(job)` is the title of a job. `cancel_text` explains what happens to started work when a job is canceled.

    Visibility (console/jobs/visibility.py): `scope_key(params)` returns the key of the object by which access scopes include a
    job, "" if it concerns none or several; `operation_param` is the parameter that holds the operation it calls.

    Items: `items` describes them; None for a kind without items. `retry_params(params)` returns the parameters of a job that
    retries its failed items; None if they cannot be retried. `reviews_retry`: whether a user reviews this job before it starts.

    Counts: `tally(job)` sets the job's numbers from `job.counts`, the sum of its chunks' counts. `status_kind` is the kind of status
    (console/ui/statuses.py) by which they are counted; "" if the page shows no counts. `estimates_time`: whether pages estimate the
    remaining time; not for a job that only watches. `on_end(job)` is called in the transaction in which the job ends, with any
    outcome.

    `check_start(gateway, job)` is called in the transaction in which a draft starts, on a page or by the HTTP API. It makes no
    call to the cloud. It raises what forbids the start, for example ApprovalNeeded.
    """

    slug: str
    label: Text
    icon: str
    params: type[P]
    steps: Mapping[str, Step]
    title: Callable[[Job], str]
    operations: tuple[str, ...] = ()
    reveals: tuple[str, ...] = ()
    control_operations: tuple[str, ...] = ()
    job_operations: Callable[[Job], tuple[str, ...]] = lambda job: ()
    scope_key: Callable[[P], str] = lambda params: ""
    operation_param: str = ""
    cancel_text: Text = ""
    on_end: Callable[[Job], None] = lambda job: None
    check_start: Callable[[Gateway, Job], None] = lambda gateway, job: None
    items: Items | None = None
    retry_params: Callable[[P], P] | None = None
    reviews_retry: bool = False
    status_kind: str = "item"
    estimates_time: bool = True
    tally: Callable[[Job], None] = field(default=lambda job: tally_items(job))
    pages: Pages = Pages()
    start_page: StartPage | None = None

    def is_allowed(self, gateway: Gateway) -> bool:
        """Return whether the gateway's actor may run this kind of job."""
        return all(map(gateway.allows, self.operations)) and all(map(gateway.reveals, self.reveals))


def tally_items(job: Job) -> None:
    """Set the numbers of a job that has items, which are counted by outcome."""
    job.succeeded = sum(job.counts.get(outcome, 0) for outcome in Item.SUCCESSFUL)
    job.failed = sum(job.counts.get(outcome, 0) for outcome in Item.UNSUCCESSFUL)


@cache
def all_kinds() -> Mapping[str, Kind[Any]]:
    """Return every kind by name."""
    of_areas = (kind for area in all_areas() for kind in area.job_kinds)
    return {kind.slug: kind for kind in (*of_areas, *map(import_string, settings.JOB_KINDS))}


def get(slug: str) -> Kind[Any]:
    """Return the kind of this name. Raises KeyError."""
    return all_kinds()[slug]
