"""A call to write as code, and helpers that several languages use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iot_client.catalogue import Operation, Parameter, flatten

VERSION = "2018-01-20"
KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105

# Operations and parameters that the typed requests of the SDKs lack. Such a call is written with the SDK's generic request.
# A test compares this with the Python SDK. The other SDKs are as complete as the one for Node.js, which was checked by hand.
WITHOUT_TYPED_REQUEST = frozenset({"BatchGetDeviceDriver", "QueryDeviceByDriver"})
_IN_NO_SDK = {"GetThingTopo": frozenset({"NextToken"})}
_MQTT5 = frozenset({"ContentType", "MessageExpiryInterval", "PayloadFormatIndicator", "Retained"})
_IN_PYTHON_SDK_ONLY = {
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
    """A call to write as code. `host`: `host[:port]`. `has_token`: the keys are temporary and need a security token.

    `params` as in a Python call of the catalogue: str, int, bool, lists, lists of dicts.
    """

    operation: Operation
    params: Mapping[str, Any]
    region: str
    host: str
    scheme: str = "https"
    has_token: bool = False

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.operation.name

    def is_supported_by_sdk(self, *, python: bool = False) -> bool:
        """Whether the request class of the SDK has all parameters of the call."""
        missing = _IN_NO_SDK.get(self.name, frozenset())
        if not python:
            missing |= _IN_PYTHON_SDK_ONLY.get(self.name, frozenset())
        return self.name not in WITHOUT_TYPED_REQUEST and not missing & self.params.keys()

    def fields(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the parameters as they are sent: (query, form)."""
        return flatten(self.operation, self.params)

    def given_parameters(self) -> Iterator[tuple[str, Parameter, Any]]:
        """Yield each parameter with a value, in the catalogue's order: base name, (first) parameter, value."""
        bases = set()
        for parameter in self.operation.parameters.values():
            base = parameter.base
            if base in self.params and base not in bases:
                bases.add(base)
                yield base, parameter, self.params[base]

    def member(self, base: str, name: str) -> Parameter:
        """Return the parameter of a member of a list of structures."""
        return self.operation.parameters[f"{base}.N.{name}"]


def drop_invalid_params(operation: Operation, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters whose values have the right type: an incomplete number cannot be written as code."""
    valid: dict[str, Any] = {}
    for parameter in operation.parameters.values():
        value = params.get(parameter.base)
        if value is None:
            continue
        if isinstance(value, list):
            valid[parameter.base] = [
                {
                    n: v
                    for n, v in item.items()
                    if _has_type(operation.parameters[f"{parameter.base}.N.{n}"], v)
                }
                if isinstance(item, dict)
                else item
                for item in value
            ]
        elif _has_type(parameter, value):
            valid[parameter.base] = value
    return valid


def _has_type(parameter: Parameter, value: object) -> bool:
    if parameter.type in {"Integer", "Long"}:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool) if parameter.type == "Boolean" else True


def camel_case(name: str) -> str:
    """Return a name as the SDKs for Java, Node.js and PHP write it: ProductKey → productKey, SQL → SQL."""
    return name if name.isupper() else name[:1].lower() + name[1:]


def snake_case(name: str) -> str:
    """Return a name as the Python SDK writes it: RRpc → r_rpc, FileMd5 → file_md_5."""
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", camel_case(name)).lower()


def quote_literal(
    value: str, escapes: Mapping[str, str], other: Callable[[str], str], quote: str = '"'
) -> str:
    """Return a text as a literal: `escapes` by character, `other` for all other characters that are not printable."""
    return quote + "".join(escapes.get(c) or (c if c.isprintable() else other(c)) for c in value) + quote


def escape_utf16(char: str) -> str:
    r"""Return `\uXXXX`, as a surrogate pair if necessary."""
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def escape_utf32(char: str) -> str:
    r"""Return `\uXXXX` or `\UXXXXXXXX`."""
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


BACKSLASH_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
