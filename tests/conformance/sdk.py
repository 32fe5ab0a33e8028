"""The official SDK, called by the platform's own names; and what its models know of an answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions
from Tea.exceptions import TeaException

from console.cloud.catalogue import operation

SCHEMES = ("ACS3", "v2")
RENAMED = {
    "BatchGetDeviceDriver": "BatchGetEdgeInstanceDeviceDriver",
    "QueryDeviceByDriver": "QueryEdgeInstanceDeviceByDriver",
}
"""The SDK calls these by other names, which the reference does not know; the platform takes both."""


@cache
def methods() -> Mapping[str, str]:
    """The name of the method of each operation that the SDK has; not derivable from the operation's name alone."""
    source = Path(inspect.getfile(Client)).read_text(encoding="utf-8")
    found = [
        (method[1], action[1])
        for part in source.split("\n    def ")
        if (method := re.match(r"(\w+with_options)\(", part))
        and (action := re.search(r"action='(\w+)'", part))
    ]
    return {action: method for method, action in found}


def request_of(name: str, params: Mapping[str, Any]) -> Any:
    """The SDK's request model of an operation with these parameters; fails for one that the model does not know."""
    request = getattr(models, f"{RENAMED.get(name, name)}Request")().from_map(dict(params))
    unknown = set(params) - set(request.to_map())
    assert not unknown, f"the SDK's request of {name} has no {sorted(unknown)}"
    return request


@dataclass(frozen=True)
class Sdk:
    """One client of the SDK. `call` gives the model of an answer, also of a refusal by the service; those by the gateway
    are raised as TeaException."""

    client: Client

    @classmethod
    def of(cls, address: str, key_id: str, secret: str, scheme: str) -> Sdk:
        """`scheme`: one of SCHEMES. `address`: host:port of a server without TLS."""
        config = Config(
            access_key_id=key_id,
            access_key_secret=secret,
            protocol="http",
            endpoint=address,
            signature_algorithm="v2" if scheme == "v2" else None,
        )
        return cls(Client(config))

    def call(self, name: str, params: Mapping[str, Any]) -> Any:
        method = getattr(self.client, methods()[RENAMED.get(name, name)])
        return method(request_of(name, params), RuntimeOptions()).body

    def refused(self, name: str, params: Mapping[str, Any]) -> str:
        """The code with which a call is refused, by the gateway or by the service."""
        try:
            body = self.call(name, params)
        except TeaException as error:
            return str(error.code)
        assert body.success is False, f"{name} was not refused"
        return str(body.code)


def response_model(name: str) -> Any:
    """An empty model of an operation's answer."""
    return getattr(models, f"{RENAMED.get(name, name)}ResponseBody")()


@cache
def known_to_sdk(name: str) -> frozenset[str]:
    """The response paths of the catalogue that the SDK's model keeps: those that survive a trip through it."""
    return frozenset(paths(response_model(name).from_map(_sample(operation(name).response)).to_map()))


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The paths of an answer that are set, `[]` after each list; of a list, those that any element has."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from paths(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, f"{path}[]")
    elif value is not None:
        yield path


def leaves(response: Mapping[str, str]) -> set[str]:
    """The paths of a response tree at which a value stands."""
    return {path for path in response if not any(other.startswith(f"{path}.") for other in response)}


_SAMPLES = {"Integer": 1, "Long": 1, "Boolean": True}


def _sample(response: Mapping[str, str]) -> dict[str, Any]:
    """An answer with one element in every list and something in every field."""
    answer: dict[str, Any] = {}
    for path in sorted(leaves(response)):
        node = answer
        *above, last = path.split(".")
        for part in above:
            below: Any = node.setdefault(part.removesuffix("[]"), [{}] if part.endswith("[]") else {})
            node = below[0] if isinstance(below, list) else below
        value = _SAMPLES.get(response[path], "x")
        node[last.removesuffix("[]")] = [value] if last.endswith("[]") else value
    return answer
