"""Reading the platform's answers: JSON and XML into the same Python shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element  # only for annotations: parsing is defusedxml's

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from console.cloud.catalogue import Operation, operation
from console.cloud.errors import BadAnswer


class Unreadable(ValueError):
    """The body is not an answer of the platform; the text says why."""


def parse_json(body: bytes) -> dict[str, Any]:
    """A JSON object, its texts such that they can be written. Raises Unreadable for anything else; a byte order mark or a
    list counts as something else."""
    if not body.strip():
        raise Unreadable("the answer is empty")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("the answer starts with a byte order mark")
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None
    if not isinstance(loaded, dict):
        raise Unreadable("the answer is not a JSON object")
    whole: dict[str, Any] = _whole(loaded) if _HALF.search(body) else loaded
    return whole


# One device that reports half a character must not take the page away that lists it: nothing can write such text.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def _whole(value: Any) -> Any:
    """The value with halves of surrogate pairs, which JSON can spell and UTF-8 cannot, replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def parse_xml(op: Operation, body: bytes) -> dict[str, Any]:
    """An XML answer in the shape its JSON form has: the catalogue's response tree tells lists, numbers and booleans.

    A list stays a list with one element or none. Fields that the catalogue does not know are text, or nested as found.
    Raises Unreadable when it is not XML (or XML with entities, which no answer has).
    """
    if not body.strip():
        raise Unreadable("the answer is empty")
    try:
        root: Element = fromstring(body)
    except (SyntaxError, ValueError, LookupError, DefusedXmlException):
        raise Unreadable("the answer is not XML") from None
    return _struct(root, _tree(op.name))


def dig(answer: Mapping[str, Any], path: str | None) -> Any:
    """What is at a response path of the catalogue, such as `Data.DeviceInfo[]`.

    None when it is missing; for a path that ends with a list, always a list. The path None is the whole answer.
    Lists in the middle of a path cannot be followed.
    """
    node: Any = answer
    for part in path.split(".") if path else ():
        node = node.get(part.removesuffix("[]")) if isinstance(node, Mapping) else None
    if path and path.endswith("[]"):
        return node if isinstance(node, list) else []
    return node


def name_in(item: Mapping[str, Any], field: str) -> str:
    """What an entry of an answer is known by, such as its ProductKey. Raises BadAnswer when it has none: it could not be
    opened, nor told from others."""
    name = item.get(field)
    if name in (None, "") or isinstance(name, dict | list):
        raise BadAnswer("Client.BadAnswer", f"an entry without {field}")
    return str(name)


def misfit(op: Operation, answer: Mapping[str, Any]) -> str | None:
    """The path of the first thing in an answer that is not as the catalogue's response tree has it; None when all fits.

    It must be marked as the platform marks its answers and have its payload, but for a list of nothing; structures and lists
    have to be such, and numbers to be numbers, as text too. A value may be null (not an entry of a list), fields may be missing, and unknown ones be there.
    """
    if "RequestId" not in answer and "Success" not in answer:
        return "RequestId"
    payload = (op.result or "").partition(".")[0].removesuffix("[]")
    if payload and answer.get(payload) is None:
        total = dig(answer, op.paging.total_path) if op.paging and op.paging.total_path else None
        of_nothing = str(op.result).endswith("[]") and (op.paging is None or str(total) == "0")
        if not of_nothing:
            return payload
    return next(_misfits(answer, _tree(op.name), ""), None)


def _misfits(value: Any, node: _Node, path: str) -> Iterator[str]:
    if value is None:
        return
    if node.is_list:
        if not isinstance(value, list):
            yield path
            return
        below = _Node(node.type, children=node.children)
        for item in value:
            if item is None:
                yield f"{path}[]"
            yield from _misfits(item, below, f"{path}[]")
    elif node.children:
        if not isinstance(value, Mapping):
            yield path
            return
        for name, child in node.children.items():
            yield from _misfits(value.get(name), child, f"{path}.{name}".removeprefix("."))
    elif node.type == "Integer" and not _is_number(value):
        yield path


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip() or bool(_NUMBER.fullmatch(value.strip()))
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


_NUMBER = re.compile(r"-?[0-9]{1,20}", re.ASCII)


@dataclass(slots=True)
class _Node:
    type: str = "Struct"
    is_list: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


@lru_cache(maxsize=256)
def _tree(name: str) -> _Node:
    root = _Node()
    for path, kind in operation(name).response.items():
        node = root
        for part in path.split("."):
            node = node.children.setdefault(part.removesuffix("[]"), _Node())
            node.is_list = node.is_list or part.endswith("[]")
        node.type = kind
    return root


def _struct(element: Element, node: _Node) -> dict[str, Any]:
    found: dict[str, Any] = {name: [] for name, child in node.children.items() if child.is_list}
    for child in element:
        known = node.children.get(child.tag)
        value = _value(child, known or _Node("String"))
        if known is not None and known.is_list:
            found[child.tag].append(value)
        elif known is None and child.tag in found:
            earlier = found[child.tag]
            found[child.tag] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            found[child.tag] = value
    return found


def _value(element: Element, node: _Node) -> Any:
    if node.children or len(element):
        return _struct(element, node)
    written = element.text or ""
    if node.type == "Integer":
        try:
            return int(written)
        except ValueError:
            return written or None
    if node.type == "Boolean":
        return written.strip().lower() == "true" if written.strip() else None
    return {} if node.type == "Struct" and not written.strip() else written
