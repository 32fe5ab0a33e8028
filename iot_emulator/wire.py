"""HTTP: reads requests and their parameters, and writes responses as JSON or XML."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from iot_client.catalogue import Operation
from iot_emulator.errors import GatewayError, ServiceError

Environ = dict[str, Any]
MAX_BODY = 32 * 1024 * 1024
_MAX_DIGITS = 19  # of a 64-bit number; Python refuses to parse very long numbers
_LINE_ENDS = {"\r": "&#13;"}  # an XML parser reads a plain carriage return as a line feed
_REPLACEMENT = "\ufffd"  # for the characters that XML cannot contain
_ILLEGAL_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(slots=True)
class Request:
    """An HTTP request to the API. `query` and `form` are decoded; header names are lowercase."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes
    host: str

    @property
    def params(self) -> dict[str, str]:
        """The parameters in query and form; both are allowed at the same time."""
        return {**self.query, **self.form} if self.form else self.query


@dataclass(slots=True)
class Response:
    """An HTTP response: status, content type, body, and headers except Content-Type and Content-Length."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def read_request(environ: Environ) -> Request:
    """Read the whole request. Raises GatewayError for a body that is too large."""
    body = read_body(environ)
    headers = {
        key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type:
        headers["content-type"] = content_type
    length = environ.get("CONTENT_LENGTH", "")
    if length:
        headers["content-length"] = length
    form: dict[str, str] = {}
    if body and content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    host = environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}"
    return Request(
        method=environ.get("REQUEST_METHOD", "GET"),
        path=environ.get("PATH_INFO", "/") or "/",
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        form=form,
        headers=headers,
        body=body,
        host=host,
    )


def read_body(environ: Environ, limit: int = MAX_BODY) -> bytes:
    """Return the body of a request; also a chunked body if the server marks the end of its input."""
    stream = environ.get("wsgi.input")
    if stream is None:
        return b""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit():
        size = int(length)
        if size > limit:
            raise GatewayError(
                "RequestEntityTooLarge", f"The request body is larger than {limit} bytes.", 413
            )
        return bytes(stream.read(size)) if size else b""
    if environ.get("wsgi.input_terminated") or "HTTP_TRANSFER_ENCODING" in environ:
        body = bytes(stream.read(limit + 1))
        if len(body) > limit:
            raise GatewayError(
                "RequestEntityTooLarge", f"The request body is larger than {limit} bytes.", 413
            )
        return body
    return b""


def read_parameters(operation: Operation, wire: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of an operation with the catalogue's types and lists; others are ignored.

    Lists are in the order of their numeric index, gaps are allowed. An empty number or boolean counts as not sent; an
    empty text is kept, because it can be meant to remove a text. Raises GatewayError `InvalidParameter` for an invalid
    number or boolean.
    """
    singles, lists = _shape(operation)
    typed: dict[str, Any] = {}
    collected: dict[str, dict[int, Any]] = {}
    for key, value in wire.items():
        kind = singles.get(key)
        if kind is not None:
            if value != "" or kind == "String":
                typed[key] = _convert(key, value, kind)
            continue
        base, _, rest = key.partition(".")
        fields = lists.get(base)
        if fields is None or not rest:
            continue
        index, _, field = rest.partition(".")
        kind = fields.get(field)
        if kind is None or not index.isascii() or not index.isdigit() or len(index) > _MAX_DIGITS:
            continue
        if field:
            struct = collected.setdefault(base, {}).setdefault(int(index), {})
            if value != "" or kind == "String":
                struct[field] = _convert(key, value, kind)
        else:
            collected.setdefault(base, {})[int(index)] = _convert(key, value, kind)
    for base, items in collected.items():
        typed[base] = [items[index] for index in sorted(items)]
    return typed


_SHAPES: dict[str, tuple[dict[str, str], dict[str, dict[str, str]]]] = {}


def _shape(operation: Operation) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return types of an operation's single parameters by name, and of its lists by base name and field ("": no field)."""
    known = _SHAPES.get(operation.name)
    if known is not None:
        return known
    singles: dict[str, str] = {}
    lists: dict[str, dict[str, str]] = {}
    for parameter in operation.parameters.values():
        base, mark, field = parameter.name.partition(".N")
        kind = "String" if parameter.type == "RepeatList" else parameter.type
        if mark:
            lists.setdefault(base, {})[field.lstrip(".")] = kind
        elif parameter.type == "RepeatList":
            lists.setdefault(base, {})[""] = kind
        else:
            singles[base] = kind
    _SHAPES[operation.name] = (singles, lists)
    return singles, lists


def _convert(name: str, value: str, kind: str) -> Any:
    if kind in ("Integer", "Long"):
        digits = value[1:] if value[:1] in "+-" else value
        limit = 2**31 if kind == "Integer" else 2**63
        short = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
        if short and -limit <= int(value) < limit:
            return int(value)
    elif kind == "Boolean":
        lowered = value.lower()
        if lowered in ("true", "false"):
            return lowered == "true"
    elif kind in ("Float", "Double"):
        try:
            return float(value)
        except ValueError:
            pass
    else:
        return value
    raise GatewayError("InvalidParameter", f"The value of {name} must be of the type {kind}.", 400)


def new_request_id() -> str:
    """Return an ID such as `5573D217-8E3E-47AD-9331-2083B88E64B2`."""
    return str(uuid.uuid4()).upper()


def render_success(
    name: str, operation: Operation, fields: Mapping[str, Any], as_json: bool, request_id: str
) -> Response:
    """Return the response of a successful call of an operation under a name."""
    content = {"RequestId": request_id, "Success": True, **fields}
    return _encode(f"{name}Response", content, as_json, 200, elements=operation.elements)


def render_service_error(operation: str, error: ServiceError, as_json: bool, request_id: str) -> Response:
    """Return the response for an error of the service, with HTTP 200."""
    fields = {
        "RequestId": request_id,
        "Success": False,
        "Code": error.code,
        "ErrorMessage": error.message,
        **error.fields,
    }
    return _encode(f"{operation}Response", fields, as_json, 200)


def render_gateway_error(error: GatewayError, host: str, as_json: bool, request_id: str) -> Response:
    """Return the response for an error of the gateway."""
    fields = {"RequestId": request_id, "HostId": host, "Code": error.code, "Message": error.message}
    extra: tuple[tuple[str, str], ...] = ()
    if error.retry_after is not None:
        extra = (("x-acs-retry-after", str(error.retry_after)),)
    return _encode("Error", fields, as_json, error.status, extra)


def _encode(
    root: str,
    fields: Mapping[str, Any],
    as_json: bool,
    status: int,
    extra: tuple[tuple[str, str], ...] = (),
    elements: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    headers = (("x-acs-request-id", str(fields["RequestId"])), *extra)
    if as_json:
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return Response(status, "application/json;charset=utf-8", body, headers)
    parts = ['<?xml version="1.0" encoding="UTF-8"?>']
    parts.extend(_xml(root, fields, "", elements))
    return Response(status, "text/xml;charset=utf-8", "".join(parts).encode("utf-8", "replace"), headers)


def _xml(name: str, value: Any, path: str, elements: Mapping[str, str]) -> Iterable[str]:
    """Write an element. `path`: its place in the response, as in the catalogue. `elements`: see `Operation.elements`.

    Other lists are repeated elements, so an empty one is not visible.
    """
    if isinstance(value, Mapping):
        yield f"<{name}>"
        for key, item in value.items():
            yield from _xml(str(key), item, f"{path}.{key}" if path else str(key), elements)
        yield f"</{name}>"
    elif isinstance(value, list | tuple):
        element = elements.get(f"{path}[]")
        if element:
            yield f"<{name}>"
        for item in value:
            yield from _xml(element or name, item, f"{path}[]", elements)
        if element:
            yield f"</{name}>"
    elif value is None:
        return
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"<{name}>{escape(_ILLEGAL_XML.sub(_REPLACEMENT, text), _LINE_ENDS)}</{name}>"
