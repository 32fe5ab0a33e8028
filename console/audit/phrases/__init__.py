"""The words of sentences about audit records, by operation: those of the platform, a module for each area of the catalogue, and the
console's own actions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from console.audit.phrases import (
    console_actions,
    devices,
    edge,
    groups,
    messaging,
    ota,
    products,
    routing,
    things,
)
from console.audit.phrases.words import Phrase

__all__ = ["PHRASES", "Phrase"]

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        **products.PHRASES,
        **devices.PHRASES,
        **groups.PHRASES,
        **things.PHRASES,
        **ota.PHRASES,
        **messaging.PHRASES,
        **routing.PHRASES,
        **edge.PHRASES,
        **console_actions.PHRASES,
    }
)
