"""The errors that a handler raises, of which the platform has two kinds with different HTTP responses; and the errors of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """An error of the service: HTTP 200 with `Success: false`, `Code` and `ErrorMessage`.

    `fields` are additional top-level fields of the response, such as lists of invalid names.
    """

    def __init__(self, code: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


class GatewayError(Exception):
    """An error of the API gateway, before the service: HTTP 4xx or 5xx with `Code`, `Message` and `HostId`.

    `retry_after` is in milliseconds and is sent as the header `x-acs-retry-after`.
    """

    def __init__(self, code: str, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after


class ConnectionDropped(ConnectionError):
    """An injected fault closes the connection without a response."""


class CommandError(Exception):
    """A command of the command line cannot be carried out. Its text is shown to the user."""


def invalid_parameter(message: str, code: str = "iot.common.InvalidFormattedParameter") -> ServiceError:
    """Return the error for a parameter with an invalid format or value; `code` if the platform has a special code."""
    return ServiceError(code, message)


def invalid_page(message: str = "The page number or page size is out of range.") -> ServiceError:
    """Return the error for an invalid `CurrentPage`, `PageSize` or page token."""
    return ServiceError("iot.common.InvalidPageParams", message)
