"""What the catalogue knows about an operation: plain frozen records, read from the data files beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

DEFAULT_QPS = 10
"""Calls a second assumed for the operations whose allowance the reference does not tell."""


class Access(StrEnum):
    """How much a call can do; a role holds one of these for each area."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"
    SECRET = "secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Parameter:
    """One request parameter.

    `name` is the reference's own, with `.N` where it repeats: `ProductKey`, `DeviceName.N`, `Tag.N.Key`.
    Lengths are counted by `count`: characters, characters with the wide ones (Chinese, Japanese) as two, or UTF-8 bytes.
    `per_item`: required in every element of its list that is given, although the list itself may be left out.
    `documented` is false for parameters that only the vendor's SDK knows.
    `description`: what it means, for people; an English sentence to be translated by whoever shows it.
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
    description: str = ""

    @property
    def base(self) -> str:
        """The name used in Python calls: `DeviceName.N` and `Tag.N.Key` are given as `DeviceName=[…]` and `Tag=[{…}]`."""
        return self.name.partition(".N")[0]

    @property
    def member(self) -> str:
        """`Key` for `Tag.N.Key`; empty for a plain parameter or a list of plain values."""
        return self.name.partition(".N.")[2]

    @property
    def repeated(self) -> bool:
        """Whether it is given as a list."""
        return ".N" in self.name


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule between parameters: when `parameter` has one of `values` (any value, if empty),
    one of the alternatives in `needs` must be given in full, and none of `forbids`."""

    parameter: str
    values: tuple[str, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    forbids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paging:
    """How an operation hands out a long list.

    `page`: by number. `token`: by the token of the previous answer. `page_or_token`: by number, and past the reach of
    numbers also with the token. `time`: the previous answer tells the next start time; where `newest_param` is given,
    that is the next end time instead while `Asc` is not 1.
    Paths are response paths as in `Operation.response`. `reach`: page times size may not pass it.
    From `deep_from` entries on the platform allows only `deep_qps` calls a second.
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
    reach: int | None = None
    deep_from: int | None = None
    deep_qps: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the platform.

    `qps`: calls a second allowed to an account (`qps_documented` false: an assumption).
    `one_of`: groups of alternatives; of each group at least one alternative has to be given in full.
    `result`: where in the answer the payload is, `[]` marking a list, or None when the answer's top level is all there is.
    `response`: path to type of every field of the answer, `[]` after each list. `secret_fields` are paths into it.
    `described` is false for the operations the reference names without describing.
    `description`: what it does, for people; an English sentence to be translated by whoever shows it.
    """

    name: str
    group: str
    area: str
    access: Access
    idempotent: bool
    qps: int
    parameters: Mapping[str, Parameter]
    response: Mapping[str, str]
    one_of: tuple[tuple[tuple[str, ...], ...], ...] = ()
    when: tuple[Condition, ...] = ()
    paging: Paging | None = None
    result: str | None = None
    secret_fields: tuple[str, ...] = ()
    qps_documented: bool = True
    described: bool = True
    description: str = ""

    def qps_for(self, params: Mapping[str, Any]) -> int:
        """Calls a second allowed for a call with these parameters: deep pages are allowed fewer."""
        paging = self.paging
        if paging is None or paging.deep_from is None or paging.deep_qps is None:
            return self.qps
        try:
            page = int(params.get(paging.page_param or "") or 1)
            size = int(params.get(paging.size_param) or paging.default_size or 1)
        except (TypeError, ValueError):
            return self.qps
        return paging.deep_qps if page * size >= paging.deep_from else self.qps

    def takes(self, name: str) -> bool:
        """Whether `name` (as in a Python call or as in the reference) is a parameter of this operation."""
        return name in self.parameters or any(p.base == name for p in self.parameters.values())
