"""The errors of a call: one small family of classes.

The class of an error decides how it is handled: retried, shown at a field, shown as a page. `advice.py` decides the text
that people read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from iot_client.advice import Explanation, find_explanation
from iot_client.codes import find_meaning

MAX_CODE_LENGTH, MAX_MESSAGE_LENGTH, MAX_REQUEST_ID_LENGTH = 128, 2000, 64
"""Characters. The rest of what a server sends is cut off."""


def to_line(text: str, limit: int) -> str:
    """At most `limit` characters of a text, as one line. Spaces replace line ends, control characters and those that change the
    direction of a text."""
    text = text[:limit]
    if text.isprintable():
        return text.strip()
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def read_request_id(fields: Mapping[str, Any]) -> str:
    """The request ID in a response, as one line; "" if it has none."""
    return to_line(_read_text(fields, "RequestId"), MAX_REQUEST_ID_LENGTH)


def _read_text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value)


class CloudError(Exception):
    """A call failed. `code` and `message` are the platform's, or this client's (`Client.…`) if there was no response.

    `http_status` is None if there was no response. `retry_after`: seconds that the platform asks the client to wait.
    Code, message and request ID are single lines of limited length without control characters, whatever a server sent: they are
    logged, stored and shown. `response`: the other fields of the response. Some errors list the invalid names or rows in them.
    `retryable`: the same call can succeed later without a change. `follows_lost_response`: an earlier attempt of the same call
    was sent, and its response was lost.
    """

    retryable: ClassVar[bool] = False
    follows_lost_response = False

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        operation: str = "",
        request_id: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        response: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = to_line(code, MAX_CODE_LENGTH)
        self.message = to_line(message, MAX_MESSAGE_LENGTH)
        self.operation = operation
        self.request_id = to_line(request_id, MAX_REQUEST_ID_LENGTH)
        super().__init__(": ".join(filter(None, (operation or "call", self.code, self.message))))
        self.http_status = http_status
        self.retry_after = retry_after
        self.response: dict[str, Any] = dict(response or {})

    @property
    def is_from_platform(self) -> bool:
        """Whether the platform reported the error. Otherwise this client did, and `message` is its own."""
        return not self.code.startswith("Client.")

    @property
    def concerns_connection(self) -> bool:
        """Whether the reason is probably the AccessKey, the address or the network, so that every other call fails too."""
        return False

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the call may have been carried out. An object that "does not exist" may have been deleted by the attempt whose
        response was lost."""
        return self.follows_lost_response


class Throttled(CloudError):
    """The account makes too many calls per second. Nothing was done. The same call works a few seconds later."""

    retryable = True


class AccessDenied(CloudError):
    """The AccessKey is valid, but its owner does not have permission, or does not own the resource."""


class SignatureRefused(CloudError):
    """The platform rejected the signature: wrong AccessKey, expired token, or wrong clock."""

    @property
    def concerns_connection(self) -> bool:
        return True


class NotFound(CloudError):
    """The resource of the call does not exist."""


class AlreadyExists(CloudError):
    """A resource with this name already exists."""


class InvalidParameter(CloudError):
    """A parameter is missing or not valid. `problems`: catalogue parameter name -> sentences, if known."""

    problems: Mapping[str, Sequence[str]]

    def __init__(self, code: str, message: str = "", **details: Any) -> None:
        self.problems = details.pop("problems", None) or {}
        super().__init__(code, message, **details)

    @classmethod
    def from_problems(cls, operation: str, problems: Mapping[str, Sequence[str]]) -> InvalidParameter:
        """The error for the problems that `catalogue.validate` returned. Nothing was sent."""
        message = "; ".join(
            f"{name}: {sentence}" for name, sentences in problems.items() for sentence in sentences
        )
        return cls("Client.InvalidParameter", message, operation=operation, problems=problems)


class Conflict(CloudError):
    """The status of the resource does not allow the call: still running, already canceled, not verified, offline."""


class LimitExceeded(CloudError):
    """A limit of the platform is reached: the number of resources, or the size of a request."""


class Unavailable(CloudError):
    """There was no response, or the platform failed (5xx).

    `sent` is False if the request certainly did not reach the platform, so nothing can have changed.
    """

    retryable = True

    def __init__(self, code: str, message: str = "", *, sent: bool = True, **details: Any) -> None:
        super().__init__(code, message, **details)
        self.sent = sent

    @property
    def concerns_connection(self) -> bool:
        return not self.sent

    @property
    def is_outcome_unknown(self) -> bool:
        return self.sent or self.follows_lost_response


class BadResponse(CloudError):
    """The response is not the platform's: not JSON, not an object, empty. Often a proxy or a wrong address."""

    @property
    def concerns_connection(self) -> bool:
        return True

    @property
    def is_outcome_unknown(self) -> bool:
        return True


class ServiceError(CloudError):
    """Any other error that the platform returned."""


_CLASSES: Mapping[str, type[CloudError]] = {
    cls.__name__: cls
    for cls in (
        Throttled, AccessDenied, SignatureRefused, NotFound, AlreadyExists, InvalidParameter, Conflict, LimitExceeded,
        Unavailable, ServiceError,
    )
}  # fmt: skip
# For codes that are not in `codes/`. The first pattern that matches decides, so the order matters
# ("NotExisted" before "Existed", "Duplicated" before "Invalid").
_RULES: tuple[tuple[re.Pattern[str], type[CloudError]], ...] = tuple(
    (re.compile(pattern, re.I), error)
    for pattern, error in (
        (r"^Throttling|RateLimit|FlowControl|TooManyRequests|\.SystemBusy$", Throttled),
        (r"^(?!iot\.).*(Signature|AccessKey|TimeStamp|SecurityToken|NonceUsed)", SignatureRefused),
        (r"Exceed|TooMany|OverLimit|CountLimit|LimitError$|Quota", LimitExceeded),
        (
            r"^Forbidden|NoPermission|PermissionDen|Unauthorized|NotAuthorized|AccessDenied|Not\w{0,100}Owner$",
            AccessDenied,
        ),
        (r"NotExist|NotFound|NoSuch", NotFound),
        (r"Already(Exist|Found|Created)|Existed?$|Duplicat|NotUnique", AlreadyExists),
        (
            r"InProgress|Running|Processing|Already|NotVerified|Mismatch|NotMatch|NotSupport|Unsupport|NotAllowed|Conflict",
            Conflict,
        ),
        (
            r"Invalid|Illegal|Malformed|Badly|Incorrect|Incorrent|Missing|Mandatory|Null|None|Blank|Empty|TooLong|ParamError",
            InvalidParameter,
        ),
    )
)
_PLATFORM_FAILURE = re.compile(r"^ServiceUnavailable|^InternalError|SystemException$|SystemError$", re.I)


def classify(code: str) -> type[CloudError]:
    """The error class of a code: from `codes/`, otherwise by the words in the code, otherwise ServiceError."""
    meaning = find_meaning(code)
    if meaning is not None:
        return _CLASSES[meaning.family]
    if _PLATFORM_FAILURE.search(code):
        return Unavailable
    for pattern, error in _RULES:
        if pattern.search(code):
            return error
    return ServiceError


def error_from_fields(
    fields: Mapping[str, Any], *, operation: str, http_status: int, retry_after: float | None = None
) -> CloudError:
    """The error in the fields of a response: of the gateway (`Code`, `Message`) or of the service (`ErrorMessage`)."""
    code = to_line(_read_text(fields, "Code"), MAX_CODE_LENGTH)
    message = _read_text(fields, "ErrorMessage") or _read_text(fields, "Message")
    # After these words, a rejected signature repeats the whole request at any length, with the security token.
    message = message.partition("server string to sign is")[0]
    error = classify(code) if code else ServiceError
    if http_status == 429:
        error = Throttled
    elif http_status >= 500 and error is ServiceError:
        error = Unavailable
    return error(
        code or f"HTTP.{http_status}",
        message,
        operation=operation,
        request_id=read_request_id(fields),
        http_status=http_status,
        retry_after=retry_after,
        response={name: value for name, value in fields.items() if name not in ("Message", "ErrorMessage")},
    )


def error_from_body(
    body: bytes, *, operation: str, http_status: int, retry_after: float | None = None
) -> CloudError:
    """The error of a response with an error status. The body is JSON or XML of the platform; anything else is BadResponse.

    A 5xx with another body is Unavailable: proxies respond like this when the platform is down.
    """
    fields = parse_error_fields(body)
    if fields is not None:
        return error_from_fields(
            fields, operation=operation, http_status=http_status, retry_after=retry_after
        )
    if http_status >= 500:
        return Unavailable(
            f"HTTP.{http_status}", operation=operation, http_status=http_status, retry_after=retry_after
        )
    if http_status == 429:
        return Throttled("HTTP.429", operation=operation, http_status=http_status, retry_after=retry_after)
    return BadResponse("Client.BadResponse", excerpt(body), operation=operation, http_status=http_status)


def parse_error_fields(body: bytes) -> dict[str, Any] | None:
    """The fields of an error response, or None if the body is not one."""
    start = body.lstrip()[:1]
    if start == b"<":
        try:
            root = fromstring(body.lstrip())
        except (SyntaxError, ValueError, LookupError, DefusedXmlException):
            return None
        fields = {str(child.tag): child.text or "" for child in root}
        return fields if "Code" in fields else None
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) and "Code" in loaded else None


def excerpt(body: bytes) -> str:
    """The beginning of an unreadable response, for an error message."""
    return body[:200].decode("utf-8", "replace")


def explain(error: CloudError) -> Explanation:
    """The explanation and the advice for an error. English msgids, to be translated by the caller that shows them."""
    if error.follows_lost_response:
        return find_explanation("", "ResponseLost")
    family = next((cls.__name__ for cls in type(error).__mro__ if cls.__module__ == __name__), "CloudError")
    never_sent = isinstance(error, Unavailable) and not error.sent
    return find_explanation(error.code, "NeverSent" if never_sent else family)
