"""Reads the data files into records. docs/catalogue.md describes the format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from iot_client.catalogue.model import (
    DEFAULT_MAX_LISTED,
    DEFAULT_QPS,
    Access,
    Condition,
    LimitedUse,
    ObjectKind,
    Operation,
    Paging,
    Parameter,
)

DATA = Path(__file__).parent
TEXTS = DATA / "text"
PARAMETERS = DATA / "facts" / "parameters.json"


class UnknownOperation(KeyError):
    """The catalogue has no operation with this name."""

    def __str__(self) -> str:
        return f"The platform has no operation {self.args[0]!r}."


@cache
def operations() -> Mapping[str, Operation]:
    """All operations by name, group by group. Read once per process."""
    operations_by_name: dict[str, Operation] = {}
    common: dict[str, str] = _read(TEXTS / "common.json")["parameters"]
    facts: dict[str, Any] = _read(PARAMETERS)["parameters"]
    for path in sorted(DATA.glob("*.json")):
        data = _read(path)
        texts = _read(TEXTS / path.name)
        shared = common | texts["parameters"]
        for record in data["operations"]:
            text = texts["operations"][record["name"]]
            descriptions = shared | text.get("parameters", {})
            operations_by_name[record["name"]] = _build_operation(
                record, data["group"], data["area"], text["description"], descriptions, facts
            )
    return MappingProxyType(operations_by_name)


def operation(name: str) -> Operation:
    """The operation with this name. Raises `UnknownOperation` if there is none."""
    try:
        return operations()[name]
    except KeyError:
        raise UnknownOperation(name) from None


@cache
def public_names() -> frozenset[str]:
    """The names of parameters, and of fields in lists, whose values may be recorded: none of that name is sensitive."""
    parameters = [p for definition in operations().values() for p in definition.parameters.values()]
    sensitive = {p.member or p.base for p in parameters if p.sensitive}
    return frozenset(name for p in parameters for name in (p.base, p.member) if name) - sensitive


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _build_operation(
    record: dict[str, Any],
    group: str,
    area: str,
    description: str,
    descriptions: Mapping[str, str],
    facts: Mapping[str, Mapping[str, Any]],
) -> Operation:
    """`descriptions` and `facts` by parameter name. A parameter that has none is a mistake in the data (KeyError)."""
    qps = record["qps"]
    paging = record.get("paging")
    return Operation(
        name=record["name"],
        group=group,
        area=area,
        access=Access(record["access"]),
        idempotent=record["idempotent"],
        qps=DEFAULT_QPS if qps is None else qps,
        qps_documented=qps is not None,
        described=record.get("described", True),
        description=description,
        parameters=MappingProxyType(
            {
                p["name"]: _build_parameter(facts[p["name"]] | p, descriptions[p["name"]])
                for p in record["parameters"]
            }
        ),
        response=MappingProxyType(record["response"]),
        elements=MappingProxyType(record.get("elements", {})),
        max_listed=record.get("max_listed", DEFAULT_MAX_LISTED),
        one_of=tuple(tuple(tuple(names) for names in group) for group in record.get("one_of", ())),
        when=tuple(_build_condition(c) for c in record.get("when", ())),
        paging=Paging(**paging) if paging else None,
        result=record["result"],
        secret_fields=tuple(record.get("secret_fields", ())),
        target=tuple(record["target"]),
        limited=LimitedUse(record["limited"]),
    )


def _build_parameter(record: dict[str, Any], description: str) -> Parameter:
    required = record["required"]
    facts = record | {
        "required": bool(required),
        "documented": required is not None,
        "names": ObjectKind(record["names"]) if record["names"] else None,
        "description": description,
    }
    if "values" in facts:
        facts["values"] = tuple(facts["values"])
    return Parameter(**facts)


def _build_condition(record: dict[str, Any]) -> Condition:
    return Condition(
        parameter=record["parameter"],
        values=tuple(record.get("values", ())),
        needs=tuple(tuple(names) for names in record.get("needs", ())),
        forbids=tuple(record.get("forbids", ())),
    )
