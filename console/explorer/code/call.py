"""A call as the writers of code see it, and what the official SDKs have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.cloud.catalogue import Operation, Parameter, flatten

VERSION = "2018-01-20"
KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105

# Operations and parameters that SDKs' typed requests lack; such a call is written with the SDK's general request.
# Held against the Python SDK by a test; the others are as complete as the Node.js one, which was looked through.
NO_REQUEST = frozenset({"BatchGetDeviceDriver", "QueryDeviceByDriver"})
_IN_NONE = {"GetThingTopo": frozenset({"NextToken"})}
_MQTT5 = frozenset({"ContentType", "MessageExpiryInterval", "PayloadFormatIndicator", "Retained"})
_ONLY_IN_PYTHON = {
    "BatchPub": _MQTT5 | {"CorrelationData", "ResponseTopicTemplateName", "TopicTemplateName", "UserProp"},
    "Pub": _MQTT5 | {"TopicAlias"},
    "RRpc": frozenset({"ContentType"}),
    "ListOTAUnfinishedTaskByDevice": frozenset({"TaskStatusList"}),
    "CreateSubscribeRelation": frozenset({"SubscribeFlags"}),
    "UpdateSubscribeRelation": frozenset({"SubscribeFlags"}),
    "QueryConsumerGroupList": frozenset({"SubBizCode", "Type"}),
    "CreateProductTopic": frozenset({"Codec", "EnableProxySubscribe"}),
    "UpdateProductTopic": frozenset({"Codec", "EnableProxySubscribe"}),
    "SetDeviceProperty": frozenset({"Qos"}),
    "SetDevicesProperty": frozenset({"Qos"}),
    "InvokeThingService": frozenset({"Qos"}),
    "InvokeThingsService": frozenset({"Qos"}),
}


@dataclass(frozen=True)
class CodeCall:
    """A call to be written as code. `host` is `host[:port]`; `token`: the keys are temporary ones, with a token.

    `params` as in a Python call of the catalogue: texts, int, bool, lists, lists of dicts.
    """

    operation: Operation
    params: Mapping[str, Any]
    region: str
    host: str
    scheme: str = "https"
    token: bool = False

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name

    def typed(self, *, python: bool = False) -> bool:
        """Whether the SDK's own request class takes all of it."""
        lacking = _IN_NONE.get(self.name, frozenset())
        if not python:
            lacking |= _ONLY_IN_PYTHON.get(self.name, frozenset())
        return self.name not in NO_REQUEST and not lacking & self.params.keys()

    def fields(self) -> tuple[dict[str, str], dict[str, str]]:
        """The parameters as they travel: (query, form)."""
        return flatten(self.operation, self.params)

    def given(self) -> Iterator[tuple[str, Parameter, Any]]:
        """Each parameter that is given, in the catalogue's order: its name in calls, one of its records, its value."""
        seen = set()
        for parameter in self.operation.parameters.values():
            base = parameter.base
            if base in self.params and base not in seen:
                seen.add(base)
                yield base, parameter, self.params[base]

    def member(self, base: str, name: str) -> Parameter:
        """The record of a member of a list of structures."""
        return self.operation.parameters[f"{base}.N.{name}"]


def usable(operation: Operation, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters whose values are of their types: a half-typed number has no place in code."""
    found: dict[str, Any] = {}
    for parameter in operation.parameters.values():
        value = params.get(parameter.base)
        if value is None:
            continue
        if isinstance(value, list):
            found[parameter.base] = [
                {n: v for n, v in item.items() if _fits(operation.parameters[f"{parameter.base}.N.{n}"], v)}
                if isinstance(item, dict)
                else item
                for item in value
            ]
        elif _fits(parameter, value):
            found[parameter.base] = value
    return found


def _fits(parameter: Parameter, value: object) -> bool:
    if parameter.type in {"Integer", "Long"}:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool) if parameter.type == "Boolean" else True


def camel(name: str) -> str:
    """A parameter or operation as the SDKs for Java, Node.js and PHP call it: ProductKey → productKey, SQL → SQL."""
    return name if name.isupper() else name[:1].lower() + name[1:]


def snake(name: str) -> str:
    """A parameter or operation as the Python SDK calls it: RRpc → r_rpc, FileMd5 → file_md_5."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", camel(name)).lower()


def quoted(value: str, escapes: Mapping[str, str], other: Callable[[str], str], quote: str = '"') -> str:
    """A text as a literal: `escapes` for what they name, `other` for what does not print (or only seems to)."""
    return quote + "".join(escapes.get(c) or (c if c.isprintable() else other(c)) for c in value) + quote


def utf16(char: str) -> str:
    r"""`\uXXXX`, as a surrogate pair where it has to be."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def utf32(char: str) -> str:
    r"""`\uXXXX` or `\UXXXXXXXX`."""
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


BACKSLASHED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
