"""Sends a call through the gateway, and prepares the sent call for the page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element, indent, tostring  # parsing is defusedxml's

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from django.utils.safestring import SafeString

from console.connections.gateway import PermissionRefused
from console.connections.http import CloudRequest
from console.explorer import history
from console.explorer.tree import render_tree
from iot_client.catalogue import Operation
from iot_client.errors import CloudError, parse_error_fields, read_request_id
from iot_client.responses import UnreadableResponse, parse_json
from iot_client.trace import Trace

MAX_RAW_BYTES = 2_000_000
"""Of a response on its page. Thing models, the longest responses, have about 500,000."""


@dataclass
class SentCall:
    """A call that was sent, as the page shows it. `seconds`: from the click to the response, including the queue time."""

    operation: Operation
    trace: Trace
    response: dict[str, Any] | None
    error: CloudError | None
    seconds: float
    is_revealed: bool

    @property
    def request_id(self) -> str:
        """The request ID of the platform."""
        if self.error is not None:
            return self.error.request_id
        return read_request_id(self.response or {})

    @property
    def milliseconds(self) -> int:
        """Response time of the last attempt, in milliseconds."""
        return round(self.trace.seconds * 1000)

    @property
    def total_milliseconds(self) -> int:
        """Time of all attempts, the pauses between them and the queue, in milliseconds."""
        return round(self.seconds * 1000)

    @property
    def queue_milliseconds(self) -> int:
        """Time in the queue before the call was sent, in milliseconds."""
        return round(self.trace.waited_seconds * 1000)

    @property
    def has_hidden_secrets(self) -> bool:
        """Whether secrets in the response are hidden."""
        return bool(self.operation.secret_fields) and not self.is_revealed and self.response is not None

    @property
    def sent_parameters(self) -> list[tuple[str, str, str]]:
        """The parameters of the operation as they were sent: name, value, location (query or form)."""
        names = {p.base for p in self.operation.parameters.values()}
        return [
            (name, value, location)
            for location, fields in (("query", self.trace.query), ("form", self.trace.form))
            for name, value in fields.items()
            if name.partition(".")[0] in names
        ]

    @cached_property
    def raw_response(self) -> str:
        """The body of the response, indented; only its beginning if it is very long."""
        body = self.trace.body
        if len(body) > MAX_RAW_BYTES:
            return body[:MAX_RAW_BYTES].decode("utf-8", "replace") + "…"
        if body.lstrip()[:1] == b"<":
            return _indent_xml(body)
        try:
            return json.dumps(parse_json(body), indent=2, ensure_ascii=False)
        except UnreadableResponse:
            return body.decode("utf-8", "replace")

    @property
    def extension(self) -> str:
        """The file extension for the response."""
        return "xml" if self.trace.body.lstrip()[:1] == b"<" else "json"

    @cached_property
    def tree(self) -> SafeString | None:
        """The response as an HTML tree; None if it has no structure."""
        content = self.response
        if content is None and self.trace.body:
            content = parse_error_fields(self.trace.body)
        return render_tree(content) if content is not None else None


def _indent_xml(body: bytes) -> str:
    try:
        root: Element = fromstring(body)
        indent(root)
        return str(tostring(root, encoding="unicode"))
    except (SyntaxError, ValueError, LookupError, RecursionError, DefusedXmlException):
        return body.decode("utf-8", "replace")


def send_call(
    request: CloudRequest, operation: Operation, params: Mapping[str, Any], *, reveal: bool, xml: bool
) -> SentCall:
    """Send the call as the user, and add it to their history. Raises PermissionRefused."""
    trace = Trace(format="XML" if xml else "JSON")
    response, error = None, None
    start = time.perf_counter()
    recorded = (request.membership.user, request.connection, operation, params)
    try:
        response = request.gateway.call(operation.name, reveal=reveal, trace=trace, **params)
    except CloudError as raised:
        error = raised
    except PermissionRefused:
        history.record_call(*recorded, refused=True)
        raise
    sent = SentCall(operation, trace, response, error, time.perf_counter() - start, reveal)
    history.record_call(*recorded, error=error, request_id=sent.request_id, milliseconds=sent.milliseconds)
    return sent
