"""Checks for each call whether the objects that it names are in the access scope of a membership.

The access scope lists products and device groups. A device is in it if its product is listed, or if it is in a listed group
or a subgroup of one. A group is in it if the group or one of its parents is listed. Everything that belongs to a product is
in it if the product is listed. If several access scopes apply (of a token, and of its user), all must admit. What the
parameters do not say is read from the cloud. Facts that cannot change (the product of a package, the parent of a group) are
cached for minutes; the groups of a device are cached as long as any read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from django.utils.translation import gettext as _

from console.accounts.scope import AccessScope, describe_scope
from console.connections.scope import names, sql
from console.connections.scope.names import NamedObject
from iot_client.catalogue import LimitedUse, ObjectKind, Operation
from iot_client.errors import CloudError, NotFound
from iot_client.responses import read_path

MAX_DEVICES = 50
"""The most devices in one call whose groups are read: QueryDeviceGroupByDevice allows 50 calls per second."""
MAX_PRODUCTS_FOR_CATEGORY = 20
"""The most products whose topic categories are searched for one id."""
_GROUP_LEVELS = 3
_INSTANCE_PARAMETERS = ("IotInstanceId", "SourceInstanceId")

ReadCall = tuple[str, Mapping[str, Any]]
"""An operation and its parameters."""


class FactStore(Protocol):
    """Cached facts about objects of the platform that do not change, by kind and id."""

    def get(self, kind: str, value: str) -> Any: ...

    def store(self, kind: str, value: str, fact: Any) -> None: ...


class NotInScope(Exception):
    """The call names something outside the access scope, or this cannot be checked. `text` is the message for the user."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ScopeGuard:
    """Checks calls against access scopes. `read` runs several reads in parallel, without permission checks and unfiltered, and
    returns an error in the place of a read that failed."""

    def __init__(
        self,
        access_scopes: Sequence[AccessScope],
        instance_id: str,
        read: Callable[[Sequence[ReadCall]], list[dict[str, Any] | CloudError]],
        facts: FactStore,
    ) -> None:
        self.limited_scopes = tuple(
            access_scope for access_scope in access_scopes if access_scope.limits_devices
        )
        self.instance_id = instance_id
        self.read = read
        self.facts = facts
        self._groups: dict[
            tuple[str, str], list[str]
        ] = {}  # by (ProductKey, DeviceName), for one request or job step
        self._listed: set[NamedObject] = set()  # for one request or job step

    def forget_groups(self) -> None:
        """Drop the cached groups of devices, after a write."""
        self._groups, self._listed = {}, set()

    def admit_listed(self, objects: Iterable[NamedObject]) -> None:
        """Admit groups and devices that the platform has just listed as parts of a group in the access scope. They need no further
        reads."""
        self._listed.update(named for named in objects if named.value)

    # -- the access scope ----------------------------------------------------------------------------------------

    @property
    def is_limited(self) -> bool:
        """Whether the access scope is limited to some products or groups."""
        return bool(self.limited_scopes)

    @property
    def products(self) -> tuple[str, ...]:
        """The ProductKeys of the products that are fully in the access scope, sorted."""
        return tuple(
            sorted(frozenset.intersection(*(access_scope.products for access_scope in self.limited_scopes)))
        )

    @property
    def has_groups(self) -> bool:
        """Whether an access scope lists groups."""
        return any(access_scope.groups for access_scope in self.limited_scopes)

    def root_groups(self) -> list[str]:
        """The listed groups that are in the access scope, sorted."""
        listed = sorted(frozenset.union(*(access_scope.groups for access_scope in self.limited_scopes)))
        return [group for group in listed if self.admits_group(group)]

    @property
    def summary(self) -> str:
        """The limits as a text for users, such as "2 products, 1 group"."""
        return "; ".join(
            dict.fromkeys(
                describe_scope(replace(access_scope, connections=frozenset()), {})
                for access_scope in self.limited_scopes
            )
        )

    # -- calls -------------------------------------------------------------------------------------------------------

    def may_admit(self, definition: Operation) -> bool:
        """Whether some call of the operation can be in the access scope. Makes no call."""
        if not self.is_limited or definition.limited in (LimitedUse.OPEN, LimitedUse.COMPOSED):
            return True
        if definition.limited is LimitedUse.NEVER:
            return False
        required = names.required_kinds(definition)
        return (ObjectKind.PRODUCT not in required or bool(self.products)) and (
            ObjectKind.GROUP not in required or self.has_groups
        )

    def check(self, definition: Operation, params: Mapping[str, Any]) -> None:
        """Raises NotInScope unless everything that the call names is in the access scope; CloudError if this cannot be read."""
        for name in _INSTANCE_PARAMETERS:
            if params.get(name) not in (None, "", self.instance_id):
                raise NotInScope(_("Your access is limited to the instance of this connection."))
        if not self.is_limited or definition.limited is LimitedUse.OPEN:
            return
        objects = names.find_objects(definition, params)
        if not objects and definition.limited is LimitedUse.COMPOSED:
            return  # composed from the objects in the access scope
        self.load_groups(objects)
        if not objects or not self.may_admit(definition) or not all(map(self.admits, objects)):
            raise NotInScope(self.refusal_text)

    def prepare(self, definition: Operation, many: Sequence[Mapping[str, Any]]) -> None:
        """Read in advance, in parallel, the objects that `check` needs for each of several calls. Raises NotInScope for too
        many devices."""
        if self.is_limited:
            self.load_groups([named for params in many for named in names.find_objects(definition, params)])

    @property
    def refusal_text(self) -> str:
        """The message for an object outside the access scope. It is the same for an object that does not exist."""
        return _(
            "Your access is limited to %(limits)s. The requested object is outside this scope or does not exist."
        ) % {"limits": self.summary}

    def admits(self, named: NamedObject) -> bool:
        """Whether an object is in the access scope. Raises CloudError if this cannot be read."""
        if named.kind is ObjectKind.PRODUCT:
            return self.admits_product(named.value)
        if named.kind is ObjectKind.DEVICE:
            return self.admits_device(named.product, named.value)
        if named.kind is ObjectKind.GROUP:
            return self.admits_group(named.value)
        if named.kind is ObjectKind.SQL:
            return self._admits_statement(named.value)
        if named.kind is ObjectKind.TOPIC_CLASS:
            return self._admits_category(named.value)
        if named.kind is ObjectKind.TASK:
            return self.admits_product(self.facts.get(ObjectKind.TASK, named.value) or "")
        if named.kind is ObjectKind.IOT_ID:
            product, _slash, name = self._find_owner(named).partition("/")
            return self.admits_device(product, name)
        if named.kind in (ObjectKind.PACKAGE, ObjectKind.BATCH, ObjectKind.APPLICATION):
            return self.admits_product(self._find_owner(named))
        return False

    def admits_product(self, key: str) -> bool:
        """Whether a whole product is in the access scope. Makes no call."""
        return all(key in access_scope.products for access_scope in self.limited_scopes)

    def admits_device(self, product: str, name: str) -> bool:
        """Whether a device is in the access scope. Makes up to one call for its groups, and two calls for each of these."""
        return NamedObject(ObjectKind.DEVICE, name, product) in self._listed or all(
            product in access_scope.products
            or (
                bool(access_scope.groups and product and name)
                and any(self._is_in_listed(group, access_scope) for group in self._groups_of(product, name))
            )
            for access_scope in self.limited_scopes
        )

    def admits_group(self, group: str) -> bool:
        """Whether a group is in the access scope. Makes up to two calls for its parents, whose responses are cached."""
        return NamedObject(ObjectKind.GROUP, group) in self._listed or all(
            self._is_in_listed(group, access_scope) for access_scope in self.limited_scopes
        )

    # -- reading from the cloud --------------------------------------------------------------------------------------------

    def read_one(self, name: str, **params: Any) -> dict[str, Any]:
        """Run one read. Raises CloudError."""
        (response,) = self.read([(name, params)])
        if isinstance(response, CloudError):
            raise response
        return response

    def read_all(self, reads: Sequence[ReadCall]) -> list[dict[str, Any]]:
        """Run several reads in parallel. Skips objects that do not exist. Raises the first other error."""
        responses = []
        for response in self.read(reads) if reads else ():
            if isinstance(response, NotFound):
                continue
            if isinstance(response, CloudError):
                raise response
            responses.append(response)
        return responses

    def _is_in_listed(self, group: str, access_scope: AccessScope) -> bool:
        """Whether the access scope lists the group or one of its parents."""
        for _level in range(_GROUP_LEVELS):
            if not group or not access_scope.groups:
                return False
            if group in access_scope.groups:
                return True
            group = self._find_parent(group)
        return False

    def _find_parent(self, group: str) -> str:
        """The parent group, "" for none. It is cached, because the platform cannot move groups."""
        parent = self.facts.get("parent", group)
        if parent is None:
            responses = self.read_all([("QuerySuperDeviceGroup", {"GroupId": group})])
            infos = read_path(responses[0], "Data.GroupInfo[]") if responses else []
            parent = str(infos[0].get("GroupId") or "") if infos else ""
            if responses:
                self.facts.store("parent", group, parent)
        return str(parent)

    def _groups_of(self, product: str, name: str) -> list[str]:
        self._read_groups([(product, name)])
        return self._groups[product, name]

    def _read_groups(self, devices: Iterable[tuple[str, str]]) -> None:
        """Read the groups of devices in parallel, unless they are already known."""
        new = sorted({device for device in devices if device not in self._groups})
        reads = [
            ("QueryDeviceGroupByDevice", {"ProductKey": product, "DeviceName": name}) for product, name in new
        ]
        for device, response in zip(new, self.read(reads) if reads else (), strict=True):
            if isinstance(response, NotFound):
                self._groups[device] = []
            elif isinstance(response, CloudError):
                raise response
            else:
                groups = read_path(response, "GroupInfos.GroupInfo[]")
                self._groups[device] = [str(group.get("GroupId") or "") for group in groups]

    def load_groups(self, objects: Iterable[NamedObject]) -> None:
        """Read in parallel the groups of all devices whose product is not listed. Raises NotInScope for too many devices."""
        devices = {
            (named.product, named.value)
            for named in objects
            if named.kind is ObjectKind.DEVICE
            and named.product
            and named.value
            and named not in self._listed
            and not self.admits_product(named.product)
        }
        if not self.has_groups or not devices:
            return
        if len(devices) > MAX_DEVICES:
            raise NotInScope(
                _("Your access is limited to %(limits)s. Select at most %(most)d devices at a time.")
                % {"limits": self.summary, "most": MAX_DEVICES}
            )
        self._read_groups(devices)

    def _find_owner(self, named: NamedObject) -> str:
        """The ProductKey of a package, batch or application; `ProductKey/DeviceName` of an IotId; "" if the object does not
        exist."""
        kind = str(named.kind)
        owner = self.facts.get(kind, named.value)
        if owner is None:
            owner = self._read_owner(named)
            if owner:
                self.facts.store(kind, named.value, owner)
        return str(owner)

    def _read_owner(self, named: NamedObject) -> str:
        if named.kind is ObjectKind.APPLICATION:
            # The product of an application is known only from its registered devices.
            responses = self.read_all(
                [("QueryPageByApplyId", {"ApplyId": named.value, "CurrentPage": 1, "PageSize": 1})]
            )
            devices = read_path(responses[0], "ApplyDeviceList.ApplyDeviceInfo[]") if responses else []
            device = (
                self._find_owner(NamedObject(ObjectKind.IOT_ID, str(devices[0].get("IotId") or "")))
                if devices
                else ""
            )
            return device.partition("/")[0]
        name, parameter, data = _OWNER_READS[str(named.kind)]
        responses = self.read_all([(name, {parameter: named.value})])
        if not responses:
            return ""
        fields = responses[0].get(data) or {}
        product = str(fields.get("ProductKey") or "")
        return f"{product}/{fields.get('DeviceName') or ''}" if named.kind is ObjectKind.IOT_ID else product

    def _admits_category(self, topic_id: str) -> bool:
        """Whether a topic category belongs to a product in the access scope: the one in whose list the member saw it, else one of
        the first products whose lists have it."""
        product = self.facts.get(ObjectKind.TOPIC_CLASS, topic_id)
        if product:
            return self.admits_product(str(product))
        reads = [
            ("QueryProductTopic", {"ProductKey": key}) for key in self.products[:MAX_PRODUCTS_FOR_CATEGORY]
        ]
        return any(
            str(category.get("Id")) == topic_id
            for response in self.read_all(reads)
            for category in read_path(response, "Data.ProductTopicInfo[]")
        )

    def _admits_statement(self, text: str) -> bool:
        """Whether each alternative of a statement is limited to the access scope, and the statement names no other group."""
        statement = sql.parse_statement(text)
        return (
            statement is not None
            and all(map(self.admits_group, sorted(statement.groups)))
            and all(
                term.products & access_scope.products
                or any(self._is_in_listed(group, access_scope) for group in sorted(term.groups))
                for term in statement.terms
                for access_scope in self.limited_scopes
            )
        )


_OWNER_READS: Mapping[str, tuple[str, str, str]] = {
    ObjectKind.IOT_ID: ("QueryDeviceInfo", "IotId", "Data"),
    ObjectKind.PACKAGE: ("QueryOTAFirmware", "FirmwareId", "FirmwareInfo"),
    ObjectKind.BATCH: ("QueryOTAJob", "JobId", "Data"),
}
