"""The parameters and the response of each operation of IoT Platform, as data: one JSON file per group, facts only.

The client, the gateway (authorization), the emulator (validation and responses) and the forms read these facts.
"""

from console.cloud.catalogue.check import validate
from console.cloud.catalogue.load import UnknownOperation, operation, operations, public_names
from console.cloud.catalogue.model import (
    Access,
    Condition,
    LimitedUse,
    ObjectKind,
    Operation,
    Paging,
    Parameter,
)
from console.cloud.catalogue.wire import flatten, nest

__all__ = [
    "Access",
    "Condition",
    "LimitedUse",
    "ObjectKind",
    "Operation",
    "Paging",
    "Parameter",
    "UnknownOperation",
    "flatten",
    "nest",
    "operation",
    "operations",
    "public_names",
    "validate",
]
