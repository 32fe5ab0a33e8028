"""Secrets in answers: the values at the catalogue's secret paths, replaced by dots for all who did not ask to see them."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element, tostring  # parsing is defusedxml's

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from console.access.audit import MASK
from console.cloud.answers import Unreadable, parse_json
from console.cloud.catalogue import Operation
from console.cloud.trace import Trace


def masked(described: Operation, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without its secrets; the answer itself is not changed."""
    for path in described.secret_fields:
        answer = _mask_path(answer, path.split("."))
    return answer


def mask_trace(described: Operation, trace: Trace) -> None:
    """Take the secrets out of the answer that a trace holds. One that cannot be read is withheld: it may hold a secret."""
    if not described.secret_fields or not trace.body:
        return
    # A refusal may come in either form, whatever was asked for; an answer that is not as asked for cannot be read.
    refusal = not 200 <= (trace.status or 0) < 300
    xml = trace.body.lstrip()[:1] == b"<" if refusal else trace.format == "XML"
    try:
        trace.body = (_masked_xml if xml else _masked_json)(described, trace.body)
    except (Unreadable, SyntaxError, ValueError, LookupError, DefusedXmlException):
        trace.body, trace.withheld = b"", True


def _masked_json(described: Operation, body: bytes) -> bytes:
    return json.dumps(masked(described, parse_json(body)), ensure_ascii=False).encode()


def _masked_xml(described: Operation, body: bytes) -> bytes:
    root: Element = fromstring(body)
    for path in described.secret_fields:
        for element in root.findall("/".join(part.removesuffix("[]") for part in path.split("."))):
            for inner in list(element):
                element.remove(inner)
            element.text = MASK if element.text else element.text
    return str(tostring(root, encoding="unicode")).encode()


def _mask_path(node: Any, path: list[str]) -> Any:
    if not path:
        return MASK if node else node
    name, rest = path[0].removesuffix("[]"), path[1:]
    if not isinstance(node, dict) or name not in node:
        return node
    below = node[name]
    if isinstance(below, list):
        masked_below: Any = [_mask_path(item, rest) for item in below]
    else:
        masked_below = _mask_path(below, rest)
    return {**node, name: masked_below}
