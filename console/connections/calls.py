"""A call to the gateway, and checks of its parameters and of the response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iot_client.catalogue import Operation
from iot_client.errors import BadResponse
from iot_client.responses import find_mismatch


@dataclass(frozen=True)
class Call:
    """One read for `Gateway.gather`: the operation and its parameters."""

    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)


def check_response(definition: Operation, response: dict[str, Any]) -> dict[str, Any]:
    """Returns the response. Raises BadResponse if its structure does not match the catalogue. The message contains no values of
    the response, because they may be secret."""
    path = find_mismatch(definition, response)
    if path is not None:
        raise BadResponse(
            "Client.BadResponse",
            f"{path} is missing or has the wrong type",
            operation=definition.name,
            request_id=str(response.get("RequestId") or "")[:64],
        )
    return response


def drop_missing(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that are None."""
    return {name: value for name, value in params.items() if value is not None}


def find_target(definition: Operation, params: Mapping[str, Any]) -> str:
    """The target of a call for the audit trail, from the parameters that the catalogue names (`Operation.target`); "" for none."""
    return next((str(params[name]) for name in definition.target if params.get(name)), "")
