"""The records of the catalogue: plain frozen dataclasses, read from the data files beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

DEFAULT_QPS = 10
"""Calls per second assumed for operations whose limit the reference does not state."""
DEFAULT_MAX_LISTED = 1_000
"""Entries of a list. The reference states most limits only for what can be created; all of these are smaller."""


class ObjectKind(StrEnum):
    """The kinds of object that a parameter can identify."""

    ACCOUNT = "account"
    APPLICATION = "application"  # a batch registration request, by its ApplyId
    BATCH = "batch"
    CATEGORY = "category"
    CHANNEL = "channel"
    CLIENT_ID = "client_id"
    CONSUMER_GROUP = "consumer_group"
    DATA_SOURCE = "data_source"
    DATA_SOURCE_ITEM = "data_source_item"
    DEPLOYMENT = "deployment"
    DEVICE = "device"  # by its name; its product is the ProductKey beside it
    DEVICE_LIST = "device_list"  # several devices: as JSON, or in a file at that address
    DISTRIBUTION_JOB = "distribution_job"
    DRIVER = "driver"
    EDGE_INSTANCE = "edge_instance"
    FILE = "file"
    FUNCTION_BLOCK = "function_block"
    GROUP = "group"
    INSTANCE = "instance"
    IOT_ID = "iot_id"  # a device, by its IotId
    MODULE = "module"
    NEW_DEVICE = "new_device"  # a device that does not exist yet
    PACKAGE = "package"
    PRODUCT = "product"
    RULE = "rule"
    RULE_ACTION = "rule_action"
    SQL = "sql"  # a statement that names products and groups
    TASK = "task"
    TOPIC = "topic"  # written in full, with product and device
    TOPIC_CLASS = "topic_class"


def product_parameter(name: str) -> str:
    """The parameter with the ProductKey that belongs to a parameter with a DeviceName."""
    return f"{name.removesuffix('DeviceName')}ProductKey"


class LimitedUse(StrEnum):
    """What a member whose access scope is limited to some products or groups may do with an operation."""

    CHECKED = "checked"  # call it if all objects that the call names are in scope
    COMPOSED = "composed"  # get a response that is composed from the objects in scope
    OPEN = "open"  # call it: it names no object and returns nothing about the fleet
    NEVER = "never"  # its effect is on the whole account


class Access(StrEnum):
    """The effect of a call. A role has a level for each area that says which of these it allows."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    SECRET = "secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Parameter:
    """One request parameter.

    `name` is the name in the reference, with `.N` for a list: `ProductKey`, `DeviceName.N`, `Tag.N.Key`.
    `count` is how lengths are counted: characters, characters with wide ones (Chinese, Japanese) as two, or UTF-8 bytes.
    `per_item`: required in every element of its list, although the list itself may be omitted.
    `documented` is false for parameters that only the vendor's SDK has.
    `names`: the kind of object that a value identifies, or None.
    `beside`: the parameter that names the object to which this one belongs. The access scope checks that one only.
    `sensitive`: values are kept out of audit records and histories.
    `syntax`: the language of a text that is code.
    `description`: what the parameter means. An English sentence, to be translated by the caller that shows it.
    """

    name: str
    type: str
    required: bool
    place: Literal["query", "form"] = "query"
    documented: bool = True
    min_length: int | None = None
    max_length: int | None = None
    count: Literal["chars", "wide", "bytes"] = "chars"
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    values: tuple[str, ...] = ()
    max_items: int | None = None
    per_item: bool = False
    json: bool = False
    names: ObjectKind | None = None
    beside: str | None = None
    sensitive: bool = True
    syntax: Literal["sql", "script"] | None = None
    description: str = ""

    @property
    def base(self) -> str:
        """The name in Python calls: `DeviceName.N` and `Tag.N.Key` are passed as `DeviceName=[…]` and `Tag=[{…}]`."""
        return self.name.partition(".N")[0]

    @property
    def member(self) -> str:
        """`Key` for `Tag.N.Key`. Empty for a plain parameter or a list of plain values."""
        return self.name.partition(".N.")[2]

    @property
    def repeated(self) -> bool:
        """Whether the parameter is a list."""
        return ".N" in self.name


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule between parameters. It applies if `parameter` has one of `values` (any value, if `values` is empty).

    All parameters of one alternative in `needs` must then be set, and none of `forbids`.
    """

    parameter: str
    values: tuple[str, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    forbids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paging:
    """The paging of an operation that returns a long list.

    `page`: by page number. `token`: by the token of the previous response. `page_or_token`: by page number, and for deep
    pages also with the token. `time`: the previous response has the next start time. If `newest_param` is set and `Asc`
    is not 1, it has the next end time instead.
    Paths are response paths as in `Operation.response`. `max_entries`: the page number times the page size cannot exceed it.
    From `deep_from` entries on, the platform allows only `deep_qps` calls per second.
    """

    style: Literal["page", "token", "page_or_token", "time"]
    size_param: str
    items_path: str
    page_param: str | None = None
    token_param: str | None = None
    newest_param: str | None = None
    token_path: str | None = None
    more_path: str | None = None
    total_path: str | None = None
    pages_path: str | None = None
    max_size: int | None = None
    default_size: int | None = None
    max_entries: int | None = None
    deep_from: int | None = None
    deep_qps: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the platform.

    `qps`: calls per second allowed for an account (assumed if `qps_documented` is false).
    `one_of`: groups of alternatives. For each group, all parameters of at least one alternative must be set.
    `result`: the response path of the payload, `[]` for a list, or None if the response has no payload below its top level.
    `response`: path -> type of every field of the response, `[]` after each list. `secret_fields` are paths of it.
    `elements`: path of a list -> name of the elements of its entries in XML, for lists that are an element around their
    entries. XML writes the entries of other lists as repeated elements with the name of the list.
    `max_listed`: entries that a list of the response can have, except for the list of the pages: see `most_entries`.
    `target`: the parameters that name the target in an audit record; the first one with a value is used.
    `limited`: what a member with a limited access scope may do with the operation.
    `described` is false for operations that the reference names but does not describe.
    `description`: what the operation does. An English sentence, to be translated by the caller that shows it.
    """

    name: str
    group: str
    area: str
    access: Access
    idempotent: bool
    qps: int
    parameters: Mapping[str, Parameter]
    response: Mapping[str, str]
    elements: Mapping[str, str]
    max_listed: int
    one_of: tuple[tuple[tuple[str, ...], ...], ...] = ()
    when: tuple[Condition, ...] = ()
    paging: Paging | None = None
    result: str | None = None
    secret_fields: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    limited: LimitedUse = LimitedUse.NEVER
    qps_documented: bool = True
    described: bool = True
    description: str = ""

    def most_entries(self, path: str) -> int:
        """The most entries that the list at this path of a response can have. The list of the pages has no more than the largest page
        size; the platform may raise a smaller one that was asked for."""
        if self.paging is not None and path == self.paging.items_path:
            return self.paging.max_size or self.max_listed
        return self.max_listed

    def xml_path(self, path: str) -> str:
        """A path of the response as a path of elements in its XML form: `Data.TaskList[].Status` is Data/TaskList/Task/Status."""
        parts: list[str] = []
        above = ""
        for part in path.split("."):
            above = f"{above}.{part}".removeprefix(".")
            parts += filter(None, (part.removesuffix("[]"), self.elements.get(above)))
        return "/".join(parts)

    def find_target(self, params: Mapping[str, Any]) -> str:
        """The target of a call for an audit record; "" for none.

        A device is named with its product, as `ProductKey/DeviceName`: devices of two products may have the same name.
        """
        name = next((name for name in self.target if params.get(name)), None)
        if name is None:
            return ""
        is_device = self.parameters[name].names in (ObjectKind.DEVICE, ObjectKind.NEW_DEVICE)
        product = params.get(product_parameter(name)) if is_device else None
        return f"{product}/{params[name]}" if product else str(params[name])

    def qps_for(self, params: Mapping[str, Any]) -> int:
        """Calls per second allowed with these parameters. Deep pages have a lower limit."""
        paging = self.paging
        if paging is None or paging.deep_from is None or paging.deep_qps is None:
            return self.qps
        try:
            page = int(params.get(paging.page_param or "") or 1)
            size = int(params.get(paging.size_param) or paging.default_size or 1)
        except (TypeError, ValueError):
            return self.qps
        return paging.deep_qps if page * size >= paging.deep_from else self.qps
