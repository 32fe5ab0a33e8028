"""Reads the platform's responses: JSON and XML into the same Python shape."""

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

from iot_client.catalogue import Operation, operation
from iot_client.errors import BadResponse


class UnreadableResponse(ValueError):
    """The body is not a response of the platform. The text says why."""


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Lone surrogates in its texts are replaced, so that they can be encoded.

    Raises UnreadableResponse for anything else, such as a list or a body with a byte order mark.
    """
    if not body.strip():
        raise UnreadableResponse("the response is empty")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableResponse("the response starts with a byte order mark")
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableResponse("the response is not JSON") from None
    if not isinstance(loaded, dict):
        raise UnreadableResponse("the response is not a JSON object")
    if body.count(b"[") + body.count(b"{") > _MAX_DEPTH and _is_too_deep(loaded):
        raise UnreadableResponse(_TOO_DEEP)
    cleaned: dict[str, Any] = _replace_surrogates(loaded) if _SURROGATE_ESCAPE.search(body) else loaded
    return cleaned


_MAX_DEPTH = 100
"""Levels of objects and lists. Responses have less than ten; code that walks a tree level by level fails at about a thousand."""
_TOO_DEEP = "the response is nested too deeply"


def _is_too_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        entries = (node.values() if isinstance(node, dict) else node for node in level)
        level = [entry for some in entries for entry in some if isinstance(entry, dict | list)]
        if not level:
            return False
    return True


# A device can report a lone surrogate (half a character), which cannot be encoded. The page that lists it must still work.
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def _replace_surrogates(value: Any) -> Any:
    """The value with lone surrogates replaced by U+FFFD. JSON can contain them, UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_replace_surrogates(name): _replace_surrogates(inner) for name, inner in value.items()}
    return [_replace_surrogates(inner) for inner in value] if isinstance(value, list) else value


def parse_xml(op: Operation, body: bytes) -> dict[str, Any]:
    """An XML response in the shape of its JSON form. The catalogue's response tree says what is a list, number or boolean.

    A list stays a list, also with one entry or none. Only of a list whose entries are in an element of its own
    (`Operation.elements`) does XML say whether it is empty or missing; other missing lists are empty ones. Fields that the
    catalogue does not have are text or nested fields.
    Raises UnreadableResponse if the body is not XML, or XML with entities, which no response has.
    """
    if not body.strip():
        raise UnreadableResponse("the response is empty")
    try:
        root: Element = fromstring(body)
        response = _read_struct(root, _build_tree(op.name))
    except (SyntaxError, ValueError, LookupError, DefusedXmlException):
        raise UnreadableResponse("the response is not XML") from None
    except RecursionError:
        raise UnreadableResponse(_TOO_DEEP) from None
    if _is_too_deep(response):
        raise UnreadableResponse(_TOO_DEEP)
    return response


def read_path(response: Mapping[str, Any], path: str | None) -> Any:
    """The value at a response path of the catalogue, such as `Data.DeviceInfo[]`.

    None if it is missing. A path that ends with a list always gives a list. The path None is the whole response.
    A path cannot lead through a list.
    """
    node: Any = response
    for part in path.split(".") if path else ():
        node = node.get(part.removesuffix("[]")) if isinstance(node, Mapping) else None
    if path and path.endswith("[]"):
        return node if isinstance(node, list) else []
    return node


def read_name(item: Mapping[str, Any], field: str) -> str:
    """The identifier of an entry of a response, such as its ProductKey. Raises BadResponse if it is missing, because the entry
    cannot be opened or distinguished without it."""
    name = item.get(field)
    if name in (None, "") or isinstance(name, dict | list):
        raise BadResponse("Client.BadResponse", f"an entry has no {field}")
    return str(name)


def find_mismatch(op: Operation, response: Mapping[str, Any]) -> str | None:
    """The path of the first part of a response that does not match the catalogue's response tree. None if all match.

    The response must have RequestId or Success, and its payload, unless the list is empty. Structs must be structs, lists be
    lists with no more entries than the platform returns (`Operation.most_entries`), numbers be numbers (also as text). A value
    may be null, but not an entry of a list. Fields may be missing, and unknown fields may be present.
    """
    if "RequestId" not in response and "Success" not in response:
        return "RequestId"
    payload = (op.result or "").partition(".")[0].removesuffix("[]")
    if payload and response.get(payload) is None:
        total = read_path(response, op.paging.total_path) if op.paging and op.paging.total_path else None
        is_empty_list = str(op.result).endswith("[]") and (op.paging is None or str(total) == "0")
        if not is_empty_list:
            return payload
    return next(_find_mismatches(response, _build_tree(op.name), ""), None)


def _find_mismatches(value: Any, node: _Node, path: str) -> Iterator[str]:
    if value is None:
        return
    if node.is_list:
        if not isinstance(value, list) or len(value) > node.most_entries:
            yield path
            return
        element = _Node(node.type, children=node.children)
        for item in value:
            if item is None:
                yield f"{path}[]"
            yield from _find_mismatches(item, element, f"{path}[]")
    elif node.children:
        if not isinstance(value, Mapping):
            yield path
            return
        for name, child in node.children.items():
            yield from _find_mismatches(value.get(name), child, f"{path}.{name}".removeprefix("."))
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
    most_entries: int = 0
    is_element: bool = False  # a list that XML writes as an element around its entries
    children: dict[str, _Node] = field(default_factory=dict)


@lru_cache(maxsize=256)
def _build_tree(name: str) -> _Node:
    root, op = _Node(), operation(name)
    for path, kind in op.response.items():
        node = root
        for part in path.split("."):
            node = node.children.setdefault(part.removesuffix("[]"), _Node())
            node.is_list = node.is_list or part.endswith("[]")
        node.type, node.is_element, node.most_entries = kind, path in op.elements, op.most_entries(path)
    return root


def _read_struct(element: Element, node: _Node) -> dict[str, Any]:
    repeated = (name for name, child in node.children.items() if child.is_list and not child.is_element)
    struct: dict[str, Any] = {name: [] for name in repeated}
    for child in element:
        child_node = node.children.get(child.tag)
        if child_node is not None and child_node.is_element:
            struct.setdefault(child.tag, []).extend(_read_value(entry, child_node) for entry in child)
            continue
        value = _read_value(child, child_node or _Node("String"))
        if child_node is not None and child_node.is_list:
            struct[child.tag].append(value)
        elif child_node is None and child.tag in struct:
            earlier = struct[child.tag]
            struct[child.tag] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            struct[child.tag] = value
    return struct


def _read_value(element: Element, node: _Node) -> Any:
    if node.children or len(element):
        return _read_struct(element, node)
    content = element.text or ""
    if node.type == "Integer":
        try:
            return int(content)
        except ValueError:
            return content or None
    if node.type == "Boolean":
        return content.strip().lower() == "true" if content.strip() else None
    return {} if node.type == "Struct" and not content.strip() else content
