"""Calling the official SDK by operation name, and the fields of its response models."""

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

from iot_client.catalogue import operation

SCHEMES = ("ACS3", "v2")
RENAMED = {
    "BatchGetDeviceDriver": "BatchGetEdgeInstanceDeviceDriver",
    "QueryDeviceByDriver": "QueryEdgeInstanceDeviceByDriver",
}
"""Operations with another name in the SDK, which is not in the reference; the platform accepts both names."""


@cache
def sdk_methods() -> Mapping[str, str]:
    """Map each operation to its SDK method, whose name does not always follow from the name of the operation."""
    source = Path(inspect.getfile(Client)).read_text(encoding="utf-8")
    found = [
        (method[1], action[1])
        for part in source.split("\n    def ")
        if (method := re.match(r"(\w+with_options)\(", part))
        and (action := re.search(r"action='(\w+)'", part))
    ]
    return {action: method for method, action in found}


def build_sdk_request(name: str, params: Mapping[str, Any]) -> Any:
    """Build the SDK's request model of an operation with these parameters; fails for parameters that the model lacks."""
    request = getattr(models, f"{RENAMED.get(name, name)}Request")().from_map(dict(params))
    unknown = set(params) - set(request.to_map())
    assert not unknown, f"the SDK request of {name} has no {sorted(unknown)}"
    return request


@dataclass(frozen=True)
class Sdk:
    """One client of the SDK. `call` returns the response model, also if the service refuses the call. If the gateway
    refuses it, `call` raises TeaException."""

    client: Client

    @classmethod
    def create(cls, address: str, key_id: str, secret: str, scheme: str) -> Sdk:
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
        method = getattr(self.client, sdk_methods()[RENAMED.get(name, name)])
        return method(build_sdk_request(name, params), RuntimeOptions()).body

    def error_code(self, name: str, params: Mapping[str, Any]) -> str:
        """Make a call that must be refused; returns the error code of the gateway or the service."""
        try:
            body = self.call(name, params)
        except TeaException as error:
            return str(error.code)
        assert body.success is False, f"{name} was not refused"
        return str(body.code)


def response_model(name: str) -> Any:
    """Create an empty response model of an operation."""
    return getattr(models, f"{RENAMED.get(name, name)}ResponseBody")()


@cache
def sdk_fields(name: str) -> frozenset[str]:
    """List the response paths of the catalogue that the SDK's response model has."""
    return frozenset(
        list_paths(response_model(name).from_map(_build_sample(operation(name).response)).to_map())
    )


def list_paths(value: Any, path: str = "") -> Iterator[str]:
    """List the paths of a response that have a value, `[]` after each list; for a list, the paths of all elements."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from list_paths(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from list_paths(item, f"{path}[]")
    elif value is not None:
        yield path


def leaf_paths(response: Mapping[str, str]) -> set[str]:
    """List the paths of a response tree that have no paths below them."""
    return {path for path in response if not any(other.startswith(f"{path}.") for other in response)}


_SAMPLES = {"Integer": 1, "Long": 1, "Boolean": True}


def _build_sample(response: Mapping[str, str]) -> dict[str, Any]:
    """Build a response with one element in every list and a value in every field."""
    response_data: dict[str, Any] = {}
    for path in sorted(leaf_paths(response)):
        node = response_data
        *parents, last = path.split(".")
        for part in parents:
            child: Any = node.setdefault(part.removesuffix("[]"), [{}] if part.endswith("[]") else {})
            node = child[0] if isinstance(child, list) else child
        value = _SAMPLES.get(response[path], "x")
        node[last.removesuffix("[]")] = [value] if last.endswith("[]") else value
    return response_data
