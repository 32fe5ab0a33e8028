"""How a handler refuses a request: the platform has two kinds of refusal, and they look different on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """The service understood the request and refused it: HTTP 200, `Success: false`, `Code`, `ErrorMessage`.

    `fields` are more top-level fields of the answer, such as the lists that say which names were refused.
    """

    def __init__(self, code: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


class GatewayError(Exception):
    """The gateway refused the request before the service saw it: a 4xx or 5xx with `Code`, `Message`, `HostId`.

    `retry_after` is in milliseconds and travels as the `x-acs-retry-after` header.
    """

    def __init__(self, code: str, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after


class Dropped(ConnectionError):
    """A fault ordered this connection to be closed without an answer. Never rendered."""


def invalid(message: str, code: str = "iot.common.InvalidFormattedParameter") -> ServiceError:
    """A parameter that has a bad format or value; `code` when the platform has one of its own for it."""
    return ServiceError(code, message)


def page_error(message: str = "The page number or page size is out of range.") -> ServiceError:
    """Bad `CurrentPage`, `PageSize` or page token, in any paging operation."""
    return ServiceError("iot.common.InvalidPageParams", message)
