"""What is within reach of a membership that is limited to some products and device groups, judged for each call.

A device is within reach when its product is listed, or when it is in a listed group or one below it; a group, when it or
one above it is listed; whatever belongs to a product, when the product is listed. Where several access_scopes apply (a
token's, and its person's) all must admit. What the parameters do not tell is asked of the cloud: what cannot change (whose
product a package is, which group is above which) is kept for minutes, which groups a device is in as long as any read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from django.utils.translation import gettext as _

from console.access.scope import AccessScope, describe_scope
from console.cloud.answers import dig
from console.cloud.catalogue import Operation
from console.cloud.errors import CloudError, NotFound
from console.connections.scope import names, sql
from console.connections.scope.names import Named, Sort

MOST_DEVICES = 50
"""Devices of one call whose groups are asked for: QueryDeviceGroupByDevice is allowed 50 times a second."""
MOST_CATEGORIES = 20
"""Products whose topic categories are looked through for one id."""
_LEVELS = 3  # of groups
_OWN_INSTANCE = ("IotInstanceId", "SourceInstanceId")

Asked = tuple[str, Mapping[str, Any]]
"""An operation and its parameters."""


class Facts(Protocol):
    """What is known of the platform's things and does not change, by sort and id."""

    def known(self, sort: str, value: str) -> Any: ...

    def learn(self, sort: str, value: str, fact: Any) -> None: ...


class NotInScope(Exception):
    """What a call names is not within reach; `text` says so, or why it cannot be told."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ScopeGuard:
    """`read` answers several reads of the cloud at once, past permission and unfiltered, an error in its place."""

    def __init__(
        self,
        access_scopes: Sequence[AccessScope],
        instance_id: str,
        read: Callable[[Sequence[Asked]], list[dict[str, Any] | CloudError]],
        facts: Facts,
    ) -> None:
        self.fleets = tuple(access_scope for access_scope in access_scopes if access_scope.limits_devices)
        self.instance_id = instance_id
        self.read = read
        self.facts = facts
        self._groups: dict[tuple[str, str], list[str]] = {}  # of devices, for one page or step of a job

    def forget(self) -> None:
        """Something was written: what was learned of the devices' groups may be past."""
        self._groups = {}

    # -- what there is at all ----------------------------------------------------------------------------------------

    @property
    def limited(self) -> bool:
        """Whether only some products or groups are within reach."""
        return bool(self.fleets)

    @property
    def products(self) -> tuple[str, ...]:
        """The ProductKeys that are within reach as a whole, in order."""
        return tuple(sorted(frozenset.intersection(*(fleet.products for fleet in self.fleets))))

    @property
    def by_group(self) -> bool:
        """Whether devices can be within reach by their groups."""
        return any(fleet.groups for fleet in self.fleets)

    def roots(self) -> list[str]:
        """The listed groups that are within scope, in order."""
        listed = sorted(frozenset.union(*(fleet.groups for fleet in self.fleets)))
        return [group for group in listed if self.group(group)]

    @property
    def words(self) -> str:
        """The limits, for people."""
        return "; ".join(
            dict.fromkeys(
                describe_scope(replace(fleet, connections=frozenset()), {}) for fleet in self.fleets
            )
        )

    # -- calls -------------------------------------------------------------------------------------------------------

    def could(self, described: Operation) -> bool:
        """Whether some call of the operation can be within reach. No call."""
        if not self.limited or described.name in names.HARMLESS | names.COMPOSED:
            return True
        if described.group in names.BEYOND_GROUPS or not names.sorts(described):
            return False
        needs = names.needs(described)
        return (
            names.classified(described)
            and (Sort.PRODUCT not in needs or bool(self.products))
            and (Sort.GROUP not in needs or self.by_group)
        )

    def check(self, described: Operation, params: Mapping[str, Any]) -> None:
        """Raises NotInScope unless all that the call names is within scope, and CloudError when that cannot be learned."""
        for name in _OWN_INSTANCE:
            if params.get(name) not in (None, "", self.instance_id):
                raise NotInScope(_("Your access here is limited to the instance of this connection."))
        if not self.limited or described.name in names.HARMLESS:
            return
        things = names.named(described, params)
        if not things and described.name in names.COMPOSED:
            return  # answered from what is within reach
        self.learn_groups(things)
        if not things or not self.could(described) or not all(map(self.admits, things)):
            raise NotInScope(self.sentence)

    def prepare(self, described: Operation, many: Sequence[Mapping[str, Any]]) -> None:
        """Learn at once what `check` will ask for each of several calls. Raises NotInScope for too many devices."""
        if self.limited:
            self.learn_groups([thing for params in many for thing in names.named(described, params)])

    @property
    def sentence(self) -> str:
        """What is said of anything out of scope, and of what does not exist alike."""
        return _(
            "Your access here is limited to %(limits)s. What you asked for is not part of that, or does not exist."
        ) % {"limits": self.words}

    def admits(self, thing: Named) -> bool:
        """Whether one thing is within reach. Raises CloudError when that cannot be learned."""
        if thing.sort is Sort.PRODUCT:
            return self.product(thing.value)
        if thing.sort is Sort.DEVICE:
            return self.device(thing.product, thing.value)
        if thing.sort is Sort.GROUP:
            return self.group(thing.value)
        if thing.sort is Sort.SQL:
            return self._statement(thing.value)
        if thing.sort is Sort.CATEGORY:
            return self._category(thing.value)
        if thing.sort is Sort.TASK:
            return self.product(self.facts.known(Sort.TASK, thing.value) or "")
        if thing.sort is Sort.IOT_ID:
            product, _slash, name = self._fact(thing).partition("/")
            return self.device(product, name)
        if thing.sort in (Sort.PACKAGE, Sort.BATCH, Sort.FORM):
            return self.product(self._fact(thing))
        return False

    def product(self, key: str) -> bool:
        """Whether a whole product is within reach. No call."""
        return all(key in fleet.products for fleet in self.fleets)

    def device(self, product: str, name: str) -> bool:
        """Whether a device is within reach. Up to a call for its groups, and two for each of these."""
        return all(
            product in fleet.products
            or (
                bool(fleet.groups and product and name)
                and any(self._above(group, fleet) for group in self._groups_of(product, name))
            )
            for fleet in self.fleets
        )

    def group(self, group: str) -> bool:
        """Whether a group is within reach. Up to two calls for the groups above it, kept."""
        return all(self._above(group, fleet) for fleet in self.fleets)

    # -- asking the cloud --------------------------------------------------------------------------------------------

    def one(self, name: str, **params: Any) -> dict[str, Any]:
        """One read. Raises CloudError."""
        (answer,) = self.read([(name, params)])
        if isinstance(answer, CloudError):
            raise answer
        return answer

    def all_of(self, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """Several reads at once; those of what does not exist are left out. Raises the first other error."""
        answers = []
        for answer in self.read(asked) if asked else ():
            if isinstance(answer, NotFound):
                continue
            if isinstance(answer, CloudError):
                raise answer
            answers.append(answer)
        return answers

    def _above(self, group: str, fleet: AccessScope) -> bool:
        """Whether the group, or one above it, is listed."""
        for _level in range(_LEVELS):
            if not group or not fleet.groups:
                return False
            if group in fleet.groups:
                return True
            group = self._parent(group)
        return False

    def _parent(self, group: str) -> str:
        """The group above, "" for none. The platform moves no group, so it is kept."""
        known = self.facts.known("parent", group)
        if known is None:
            answers = self.all_of([("QuerySuperDeviceGroup", {"GroupId": group})])
            above = dig(answers[0], "Data.GroupInfo[]") if answers else []
            known = str(above[0].get("GroupId") or "") if above else ""
            if answers:
                self.facts.learn("parent", group, known)
        return str(known)

    def _groups_of(self, product: str, name: str) -> list[str]:
        self._ask_groups([(product, name)])
        return self._groups[product, name]

    def _ask_groups(self, devices: Iterable[tuple[str, str]]) -> None:
        """Learn the groups of those devices that were not asked for yet, at once."""
        new = sorted({device for device in devices if device not in self._groups})
        asked = [
            ("QueryDeviceGroupByDevice", {"ProductKey": product, "DeviceName": name}) for product, name in new
        ]
        for device, answer in zip(new, self.read(asked) if asked else (), strict=True):
            if isinstance(answer, NotFound):
                self._groups[device] = []
            elif isinstance(answer, CloudError):
                raise answer
            else:
                found = dig(answer, "GroupInfos.GroupInfo[]")
                self._groups[device] = [str(group.get("GroupId") or "") for group in found]

    def learn_groups(self, things: Iterable[Named]) -> None:
        """Ask at once for the groups of all devices that only these can bring within reach. Raises NotInScope for too many."""
        devices = {
            (thing.product, thing.value)
            for thing in things
            if thing.sort is Sort.DEVICE and thing.product and thing.value and not self.product(thing.product)
        }
        if not self.by_group or not devices:
            return
        if len(devices) > MOST_DEVICES:
            raise NotInScope(
                _(
                    "Your access here is limited to %(limits)s: at most %(most)d devices at a time can be held against it."
                )
                % {"limits": self.words, "most": MOST_DEVICES}
            )
        self._ask_groups(devices)

    def _fact(self, thing: Named) -> str:
        """The ProductKey that a package, batch or form belongs to, `product/name` for an IotId; "" for what does not exist."""
        known = self.facts.known(thing.sort, thing.value)
        if known is None:
            known = self._asked(thing)
            if known:
                self.facts.learn(thing.sort, thing.value, known)
        return str(known)

    def _asked(self, thing: Named) -> str:
        if thing.sort is Sort.FORM:  # nothing tells of a form's product but the devices that it made
            answers = self.all_of(
                [("QueryPageByApplyId", {"ApplyId": thing.value, "CurrentPage": 1, "PageSize": 1})]
            )
            made = dig(answers[0], "ApplyDeviceList.ApplyDeviceInfo[]") if answers else []
            whole = self._fact(Named(Sort.IOT_ID, str(made[0].get("IotId") or ""))) if made else ""
            return whole.partition("/")[0]
        name, parameter, data = _TOLD_BY[thing.sort]
        answers = self.all_of([(name, {parameter: thing.value})])
        if not answers:
            return ""
        found = answers[0].get(data) or {}
        product = str(found.get("ProductKey") or "")
        return f"{product}/{found.get('DeviceName') or ''}" if thing.sort is Sort.IOT_ID else product

    def _category(self, topic_id: str) -> bool:
        asked = [("QueryProductTopic", {"ProductKey": key}) for key in self.products[:MOST_CATEGORIES]]
        return any(
            str(category.get("Id")) == topic_id
            for answer in self.all_of(asked)
            for category in dig(answer, "Data.ProductTopicInfo[]")
        )

    def _statement(self, text: str) -> bool:
        """Whether every alternative of a statement is bounded by what is within scope, and no other group is named."""
        statement = sql.read(text)
        return (
            statement is not None
            and all(map(self.group, sorted(statement.groups)))
            and all(
                term.products & fleet.products
                or any(self._above(group, fleet) for group in sorted(term.groups))
                for term in statement.terms
                for fleet in self.fleets
            )
        )


_TOLD_BY = {
    Sort.IOT_ID: ("QueryDeviceInfo", "IotId", "Data"),
    Sort.PACKAGE: ("QueryOTAFirmware", "FirmwareId", "FirmwareInfo"),
    Sort.BATCH: ("QueryOTAJob", "JobId", "Data"),
}
