"""Sending a call through the gateway, and what is shown of it."""

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

from console.cloud.catalogue import Operation
from console.cloud.errors import CloudError, parse_error_fields
from console.cloud.responses import UnreadableResponse, parse_json
from console.cloud.trace import Trace
from console.connections.gateway import PermissionRefused
from console.connections.http import CloudRequest
from console.explorer import history
from console.explorer.tree import tree


@dataclass
class Sent:
    """A call that was made, as the page shows it. `seconds`: from the click to the answer, waiting for a turn included."""

    operation: Operation
    trace: Trace
    answer: dict[str, Any] | None
    error: CloudError | None
    seconds: float
    revealed: bool

    @property
    def request_id(self) -> str:
        """The platform's id of the request."""
        if self.error is not None:
            return self.error.request_id
        return str((self.answer or {}).get("RequestId", ""))

    @property
    def milliseconds(self) -> int:
        """What the platform took."""
        return round(self.trace.seconds * 1000)

    @property
    def waited(self) -> int:
        """Milliseconds that the call waited for its turn."""
        return round(self.trace.waited_seconds * 1000)

    @property
    def masked(self) -> bool:
        """Whether secrets of the answer are hidden."""
        return bool(self.operation.secret_fields) and not self.revealed and self.answer is not None

    @property
    def own_fields(self) -> list[tuple[str, str, str]]:
        """The operation's parameters as they travelled: name, value, place."""
        names = {p.base for p in self.operation.parameters.values()}
        return [
            (name, value, place)
            for place, fields in (("query", self.trace.query), ("form", self.trace.form))
            for name, value in fields.items()
            if name.partition(".")[0] in names
        ]

    @cached_property
    def raw(self) -> str:
        """The answer's body, indented."""
        body = self.trace.body
        if body.lstrip()[:1] == b"<":
            return _indented_xml(body)
        try:
            return json.dumps(parse_json(body), indent=2, ensure_ascii=False)
        except UnreadableResponse:
            return body.decode("utf-8", "replace")

    @property
    def extension(self) -> str:
        """What kind of file the answer makes."""
        return "xml" if self.trace.body.lstrip()[:1] == b"<" else "json"

    @cached_property
    def tree(self) -> SafeString | None:
        """The answer as a tree; None when it has no shape."""
        found = self.answer
        if found is None and self.trace.body:
            found = parse_error_fields(self.trace.body)
        return tree(found) if found is not None else None


def _indented_xml(body: bytes) -> str:
    try:
        root: Element = fromstring(body)
    except (SyntaxError, ValueError, LookupError, DefusedXmlException):
        return body.decode("utf-8", "replace")
    indent(root)
    return str(tostring(root, encoding="unicode"))


def send(
    request: CloudRequest, operation: Operation, params: Mapping[str, Any], *, reveal: bool, xml: bool
) -> Sent:
    """Make the call as the person, and write it into their history. Raises PermissionRefused."""
    trace = Trace(format="XML" if xml else "JSON")
    answer, error = None, None
    started = time.perf_counter()
    who = (request.membership.user, request.connection, operation, params)
    try:
        answer = request.gateway.call(operation.name, reveal=reveal, trace=trace, **params)
    except CloudError as raised:
        error = raised
    except PermissionRefused:
        history.keep(*who, refused=True)
        raise
    sent = Sent(operation, trace, answer, error, time.perf_counter() - started, reveal)
    history.keep(*who, error=error, request_id=sent.request_id, milliseconds=sent.milliseconds)
    return sent
