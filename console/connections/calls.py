"""Calls as the gateway takes them, and what their parameters and answers have to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.cloud.answers import misfit
from console.cloud.catalogue import Operation
from console.cloud.errors import BadAnswer


@dataclass(frozen=True)
class Call:
    """One read for `Gateway.gather`: the operation and its parameters."""

    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)


def fitting(described: Operation, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; raises BadAnswer when it has not the shape that pages read. What is in it is not told: it may be secret."""
    wrong = misfit(described, answer)
    if wrong is not None:
        raise BadAnswer(
            "Client.BadAnswer",
            f"{wrong} is missing or not of its kind",
            operation=described.name,
            request_id=str(answer.get("RequestId") or "")[:64],
        )
    return answer


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that have a value."""
    return {name: value for name, value in params.items() if value is not None}


def named_by(params: Mapping[str, Any]) -> str:
    """What a call is about, from its parameters, for the audit trail."""
    for name in (
        "DeviceName",
        "ProductName",
        "GroupName",
        "FirmwareName",
        "IotId",
        "JobId",
        "FirmwareId",
        "GroupId",
        "ProductKey",
    ):
        value = params.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
