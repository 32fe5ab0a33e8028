"""A call to the gateway, and checks of its parameters and of the response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iot_client.catalogue import Access, Operation, operation, validate
from iot_client.errors import BadResponse, InvalidParameter, read_request_id
from iot_client.responses import find_mismatch
from iot_client.trace import Trace


@dataclass(frozen=True)
class Call:
    """A call that an actor wants to make: the operation, its parameters, and how it is made and recorded.

    `target`: the target for the audit trail. `reveal`: the response keeps its secrets. `fresh`: skip the read cache. `trace`:
    filled with the request and the response; it also skips the cache. `listed_names`: the names in the file at DnListFileUrl, if
    the caller wrote that file. `before`: the values before an edit, by parameter, for the audit trail.
    """

    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    reveal: bool = False
    fresh: bool = False
    trace: Trace | None = None
    listed_names: tuple[str, ...] = ()
    before: Mapping[str, Any] | None = None

    @property
    def definition(self) -> Operation:
        """The operation in the catalogue. Raises UnknownOperation."""
        return operation(self.operation)

    @property
    def is_recorded(self) -> bool:
        """Whether the audit trail gets a record of the call: of a write, or of a reveal. Other reads are only counted."""
        return self.definition.access is not Access.READ or self.reveal


def find_parameter_error(call: Call) -> InvalidParameter | None:
    """The error of a call whose parameters violate the catalogue; None if they are valid."""
    problems = validate(call.definition, call.params)
    return InvalidParameter.from_problems(call.operation, problems) if problems else None


def check_response(definition: Operation, response: dict[str, Any]) -> dict[str, Any]:
    """Returns the response. Raises BadResponse if its structure does not match the catalogue. The message contains no values of
    the response, because they may be secret."""
    path = find_mismatch(definition, response)
    if path is not None:
        raise BadResponse(
            "Client.BadResponse",
            f"{path} is missing, has the wrong type or too many entries",
            operation=definition.name,
            request_id=read_request_id(response),
        )
    return response


def drop_missing(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that are None."""
    return {name: value for name, value in params.items() if value is not None}
