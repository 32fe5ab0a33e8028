"""A transport that damages the responses of the platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx


def change_values(value: Any, change: Callable[[Any], Any], depth: int = 0) -> Any:
    """Return the response with `change` applied to all values below its top level."""
    if isinstance(value, dict):
        value = {name: change_values(inner, change, depth + 1) for name, inner in value.items()}
    elif isinstance(value, list):
        value = [change_values(inner, change, depth + 1) for inner in value]
    return change(value) if depth else value


def lengthen_lists(value: Any, count: int) -> Any:
    """Return the response with the first entry of each outermost list `count` times."""
    if isinstance(value, dict):
        return {name: lengthen_lists(inner, count) for name, inner in value.items()}
    return value[:1] * count if isinstance(value, list) else value


class DamagingTransport(httpx.BaseTransport):
    """Forwards calls to the platform and damages its responses."""

    def __init__(self, transport: httpx.BaseTransport, damage: Callable[[dict[str, Any]], Any]) -> None:
        self.transport, self.damage = transport, damage

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.transport.handle_request(request)
        response.read()
        return httpx.Response(
            response.status_code, content=json.dumps(self.damage(json.loads(response.content)))
        )
