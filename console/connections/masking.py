"""Masks secrets in responses: the values at the catalogue's secret paths become dots unless they were requested."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element, tostring  # defusedxml does the parsing

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from console.audit.masking import MASK
from iot_client.catalogue import Operation
from iot_client.responses import UnreadableResponse, parse_json
from iot_client.trace import Trace


def mask_response(definition: Operation, response: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of the response with its secrets masked."""
    for path in definition.secret_fields:
        response = _mask_path(response, path.split("."))
    return response


def mask_trace(definition: Operation, trace: Trace) -> None:
    """Mask the secrets in the response of a trace. A response that cannot be parsed is withheld, because it may contain a
    secret."""
    if not definition.secret_fields or not trace.body:
        return
    # An error may come as XML or JSON, whatever format was requested. Other responses must have the requested format.
    is_error = not 200 <= (trace.status or 0) < 300
    is_xml = trace.body.lstrip()[:1] == b"<" if is_error else trace.format == "XML"
    try:
        trace.body = (_mask_xml if is_xml else _mask_json)(definition, trace.body)
    except (UnreadableResponse, SyntaxError, ValueError, LookupError, RecursionError, DefusedXmlException):
        trace.body, trace.is_body_hidden = b"", True


def _mask_json(definition: Operation, body: bytes) -> bytes:
    return json.dumps(mask_response(definition, parse_json(body)), ensure_ascii=False).encode()


def _mask_xml(definition: Operation, body: bytes) -> bytes:
    root: Element = fromstring(body)
    for path in definition.secret_fields:
        for element in root.findall(definition.xml_path(path)):
            for child in list(element):
                element.remove(child)
            element.text = MASK if element.text else element.text
    return str(tostring(root, encoding="unicode")).encode()


def _mask_path(node: Any, path: list[str]) -> Any:
    if not path:
        return MASK if node else node
    name, rest = path[0].removesuffix("[]"), path[1:]
    if not isinstance(node, dict) or name not in node:
        return node
    value = node[name]
    if isinstance(value, list):
        masked: Any = [_mask_path(item, rest) for item in value]
    else:
        masked = _mask_path(value, rest)
    return {**node, name: masked}
