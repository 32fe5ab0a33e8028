"""The form in which an area declares its approval rules: which calls need approval by another person, how many objects they
affect, how a request describes them, and how they are sent after the approval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise

from console.ui.areas import all_approval_rules
from console.ui.pieces import DetailItem
from console.ui.tables import Table

if TYPE_CHECKING:
    from console.connections.approval import PlannedCall
    from console.connections.gateway import Gateway

Text = str | Promise


@dataclass(frozen=True)
class Limit:
    """The limit of a rule: calls that affect more objects than the team allows need approval.

    `count(gateway, calls)`: the number of objects that the calls affect, never too small; None if unknown, which needs approval.
    `unlimited`: operations whose calls have no largest number; they always need approval. `window`: the numbers of all calls of the
    team within this time are added up: two persons, tokens or connections do not add to what is allowed.
    """

    count: Callable[[Gateway, Sequence[PlannedCall]], int | None]
    unlimited: frozenset[str] = frozenset()
    window: timedelta | None = None


@dataclass(frozen=True)
class ItemList:
    """The objects of a request in which each call names one.

    `from_call`: the object as far as the call says. `read(gateway, calls)`: the objects of the first calls with their present
    state, in order; raises CloudError, PermissionRefused. `table`: shows rows whose `item` is such an object. `template`: shows
    `items`, the bound table, and `subject.rows`, under a heading.
    """

    from_call: Callable[[PlannedCall], Any]
    read: Callable[[Gateway, Sequence[PlannedCall]], Sequence[Any]]
    table: Table[Any]
    template: str


@dataclass(frozen=True)
class Description:
    """How lists, pages and audit records describe the calls of a request.

    `name_target(gateway, call)`: the target with a readable name; audit records then have the id alone. `read_details`: the
    present state of the target; raises CloudError, PermissionRefused. `list_effects`: what else the call deletes, below
    `effects_title`. `names_param`: the parameter that lists names of objects. `items`: instead of the details of one target.
    `note`: what happens to each object of several.
    """

    name_target: Callable[[Gateway, PlannedCall], str] | None = None
    read_details: Callable[[Gateway, PlannedCall], Sequence[DetailItem]] | None = None
    effects_title: Text = ""
    list_effects: Callable[[PlannedCall], Sequence[str]] | None = None
    names_param: str = ""
    items: ItemList | None = None
    note: Text = ""


@dataclass(frozen=True)
class Creation:
    """How approved calls that create an object are sent.

    `prepare(gateway, call, target)`: the parameters as they are sent now. `finish(gateway, call, response)` starts what must
    follow and returns the id of the new object; it raises BadResponse if the response has none.
    """

    prepare: Callable[[Gateway, PlannedCall, str], dict[str, Any]]
    finish: Callable[[Gateway, PlannedCall, Mapping[str, Any]], str]


@dataclass(frozen=True)
class ApprovalRule:
    """A rule that a team can switch on: calls of these operations need approval.

    `slug`: letters and underscores, stored with settings and requests. `label` and `help_text`: of the setting. `action`: what a
    request asks for. `limit`: None for a rule that covers every call. `other_descriptions`: of operations that `description` does
    not fit.
    """

    slug: str
    label: Text
    action: Text
    operations: frozenset[str]
    description: Description
    help_text: Text = ""
    limit: Limit | None = None
    creation: Creation | None = None
    other_descriptions: Mapping[str, Description] = field(default_factory=dict)

    def description_of(self, operation: str) -> Description:
        """How calls of an operation are described."""
        return self.other_descriptions.get(operation, self.description)

    @property
    def has_limit(self) -> bool:
        """Whether the setting of a team is a number."""
        return self.limit is not None


def find_rule(slug: str) -> ApprovalRule | None:
    """The rule with this slug; None if no area declares it any more."""
    return next((rule for rule in all_approval_rules() if rule.slug == slug), None)


def find_rule_of_operation(name: str) -> ApprovalRule | None:
    """The rule that covers the operation, if any."""
    return next((rule for rule in all_approval_rules() if name in rule.operations), None)


def covered_operations() -> frozenset[str]:
    """The operations that some rule covers."""
    return frozenset(name for rule in all_approval_rules() for name in rule.operations)
