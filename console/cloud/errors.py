"""One small family of errors for everything that can go wrong with a call.

Which class an error has decides what is done with it: retried, shown at a field, shown as a page. Which words people
read is decided in `advice.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from console.cloud.advice import Explanation, advice_for
from console.cloud.codes import meaning


class CloudError(Exception):
    """A call failed. `code` and `message` are the platform's, or our own (`Client.…`) when it never answered.

    `http_status` is None when there was no answer. `retry_after`: seconds the platform asked to wait.
    `answer`: the answer's other fields; some refusals say in them which names or rows they mean.
    `retryable`: the same call may succeed later without anything being changed.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        operation: str = "",
        request_id: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            f"{operation or 'call'}: {code}: {message}" if message else f"{operation or 'call'}: {code}"
        )
        self.code = code
        self.message = message
        self.operation = operation
        self.request_id = request_id
        self.http_status = http_status
        self.retry_after = retry_after
        self.answer: dict[str, Any] = dict(answer or {})


class Throttled(CloudError):
    """Too many calls a second for the account. Nothing was done; the same call works a little later."""

    retryable = True


class AccessDenied(CloudError):
    """The keys are right, but their owner may not do this, or does not own the thing."""


class SignatureRefused(CloudError):
    """The platform does not believe the request: wrong key or secret, expired token, or a clock that is off."""


class NotFound(CloudError):
    """The thing the call is about does not exist."""


class AlreadyExists(CloudError):
    """A thing of that name is already there."""


class InvalidParameter(CloudError):
    """A parameter is missing or breaks a rule. `problems`: catalogue parameter name to sentences, when known."""

    problems: Mapping[str, Sequence[str]]

    def __init__(self, code: str, message: str = "", **facts: Any) -> None:
        self.problems = facts.pop("problems", None) or {}
        super().__init__(code, message, **facts)

    @classmethod
    def from_problems(cls, operation: str, problems: Mapping[str, Sequence[str]]) -> InvalidParameter:
        """The error for what `catalogue.validate` found; nothing was sent."""
        message = "; ".join(f"{name} {problem}" for name, found in problems.items() for problem in found)
        return cls("Client.InvalidParameter", message, operation=operation, problems=problems)


class Conflict(CloudError):
    """The state of the thing forbids it now: still running, already cancelled, not verified, offline."""


class LimitExceeded(CloudError):
    """A limit of the platform on how many there may be, or how much at once."""


class Unavailable(CloudError):
    """No answer, or the platform is in trouble (5xx).

    `sent` is False when the request surely never reached the platform, so that nothing can have happened.
    """

    retryable = True

    def __init__(self, code: str, message: str = "", *, sent: bool = True, **facts: Any) -> None:
        super().__init__(code, message, **facts)
        self.sent = sent


class BadAnswer(CloudError):
    """Something answered, but not as the platform does: not JSON, not an object, empty. Often a proxy or a wrong address."""


class ServiceError(CloudError):
    """Any other refusal."""


LONGEST_MESSAGE = 2000
"""Characters kept of a platform's message."""

_CLASSES: Mapping[str, type[CloudError]] = {
    cls.__name__: cls
    for cls in (
        Throttled, AccessDenied, SignatureRefused, NotFound, AlreadyExists, InvalidParameter, Conflict, LimitExceeded,
        Unavailable, ServiceError,
    )
}  # fmt: skip
# For codes that `codes/` does not know. Read from top to bottom, the first that fits decides; the order matters
# ("NotExisted" before "Existed", "Duplicated" before "Invalid").
_RULES: tuple[tuple[re.Pattern[str], type[CloudError]], ...] = tuple(
    (re.compile(pattern, re.I), error)
    for pattern, error in (
        (r"^Throttling|RateLimit|FlowControl|TooManyRequests|\.SystemBusy$", Throttled),
        (r"^(?!iot\.).*(Signature|AccessKey|TimeStamp|SecurityToken|NonceUsed)", SignatureRefused),
        (r"Exceed|TooMany|OverLimit|CountLimit|LimitError$|Quota", LimitExceeded),
        (
            r"^Forbidden|NoPermission|PermissionDen|Unauthorized|NotAuthorized|AccessDenied|Not\w*Owner$",
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
_TROUBLE = re.compile(r"^ServiceUnavailable|^InternalError|SystemException$|SystemError$", re.I)


def classify(code: str) -> type[CloudError]:
    """The class of the error that a code stands for: as `codes/` has it, else by its words; ServiceError when it fits nowhere."""
    known = meaning(code)
    if known is not None:
        return _CLASSES[known.family]
    if _TROUBLE.search(code):
        return Unavailable
    for pattern, error in _RULES:
        if pattern.search(code):
            return error
    return ServiceError


def error_from(
    fields: Mapping[str, Any], *, operation: str, http_status: int, retry_after: float | None = None
) -> CloudError:
    """The error an answer's fields tell of, the gateway's (`Code`, `Message`) or the service's (`ErrorMessage`)."""
    code = str(fields.get("Code") or "")
    message = str(fields.get("ErrorMessage") or fields.get("Message") or "")
    # After these words a refused signature repeats the whole request, security token and all, at any length.
    message = message.partition("server string to sign is")[0].strip()[:LONGEST_MESSAGE]
    error = classify(code) if code else ServiceError
    if http_status == 429:
        error = Throttled
    elif http_status >= 500 and error is ServiceError:
        error = Unavailable
    return error(
        code or f"HTTP.{http_status}",
        message,
        operation=operation,
        request_id=str(fields.get("RequestId") or ""),
        http_status=http_status,
        retry_after=retry_after,
        answer={name: value for name, value in fields.items() if name not in ("Message", "ErrorMessage")},
    )


def error_from_body(
    body: bytes, *, operation: str, http_status: int, retry_after: float | None = None
) -> CloudError:
    """The error of an answer with a bad status: JSON or XML as the platform writes them, anything else is BadAnswer.

    A 5xx whose body is not the platform's is Unavailable all the same: proxies answer so when it is down.
    """
    fields = error_fields(body)
    if fields is not None:
        return error_from(fields, operation=operation, http_status=http_status, retry_after=retry_after)
    if http_status >= 500:
        return Unavailable(
            f"HTTP.{http_status}", operation=operation, http_status=http_status, retry_after=retry_after
        )
    if http_status == 429:
        return Throttled("HTTP.429", operation=operation, http_status=http_status, retry_after=retry_after)
    return BadAnswer("Client.BadAnswer", excerpt(body), operation=operation, http_status=http_status)


def error_fields(body: bytes) -> dict[str, Any] | None:
    """The fields of an error answer, or None when it is not one."""
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
    """The beginning of an answer that could not be read, on one line, for the error's message."""
    return " ".join(body[:200].decode("utf-8", "replace").split())


def explain(error: CloudError) -> Explanation:
    """What happened and what to do, in plain words; English, to be translated by whoever shows it."""
    family = next((cls.__name__ for cls in type(error).__mro__ if cls.__module__ == __name__), "CloudError")
    never_sent = isinstance(error, Unavailable) and not error.sent
    return advice_for(error.code, "NeverSent" if never_sent else family)
