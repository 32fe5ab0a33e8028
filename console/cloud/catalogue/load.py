"""Reads the data files into records. The format is told in docs/catalogue.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from console.cloud.catalogue.model import DEFAULT_QPS, Access, Condition, Operation, Paging, Parameter

DATA = Path(__file__).parent
TEXTS = DATA / "text"


class UnknownOperation(KeyError):
    """The catalogue has no operation of that name."""

    def __str__(self) -> str:
        return f"the platform has no operation {self.args[0]!r}"


@cache
def operations() -> Mapping[str, Operation]:
    """All operations by name, group by group. Read once in a process."""
    found: dict[str, Operation] = {}
    common: dict[str, str] = _read(TEXTS / "common.json")["parameters"]
    for path in sorted(DATA.glob("*.json")):
        data = _read(path)
        texts = _read(TEXTS / path.name)
        shared = common | texts["parameters"]
        for record in data["operations"]:
            text = texts["operations"][record["name"]]
            words = shared | text.get("parameters", {})
            found[record["name"]] = _operation(
                record, data["group"], data["area"], text["description"], words
            )
    return MappingProxyType(found)


def operation(name: str) -> Operation:
    """The operation of that name; raises `UnknownOperation`."""
    try:
        return operations()[name]
    except KeyError:
        raise UnknownOperation(name) from None


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _operation(
    record: dict[str, Any], group: str, area: str, description: str, words: Mapping[str, str]
) -> Operation:
    """`words`: what the parameters mean, by name; a name that is not among them is a mistake in the texts."""
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
            {p["name"]: _parameter(p, words[p["name"]]) for p in record["parameters"]}
        ),
        response=MappingProxyType(record["response"]),
        one_of=tuple(tuple(tuple(names) for names in group) for group in record.get("one_of", ())),
        when=tuple(_condition(c) for c in record.get("when", ())),
        paging=Paging(**paging) if paging else None,
        result=record["result"],
        secret_fields=tuple(record.get("secret_fields", ())),
    )


def _parameter(record: dict[str, Any], description: str) -> Parameter:
    required = record["required"]
    facts = record | {
        "required": bool(required),
        "documented": required is not None,
        "description": description,
    }
    if "values" in facts:
        facts["values"] = tuple(facts["values"])
    return Parameter(**facts)


def _condition(record: dict[str, Any]) -> Condition:
    return Condition(
        parameter=record["parameter"],
        values=tuple(record.get("values", ())),
        needs=tuple(tuple(names) for names in record.get("needs", ())),
        forbids=tuple(record.get("forbids", ())),
    )
