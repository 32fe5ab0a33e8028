"""The parameters and the response of each operation of IoT Platform, as data: one JSON file per group, facts only.

The client, the gateway (authorization), the emulator (validation and responses) and the forms read these facts.
"""

from iot_client.catalogue.check import validate
from iot_client.catalogue.load import UnknownOperation, operation, operations, public_names
from iot_client.catalogue.model import (
    Access,
    Condition,
    LimitedUse,
    ObjectKind,
    Operation,
    Paging,
    Parameter,
    product_parameter,
)
from iot_client.catalogue.wire import flatten, nest

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
    "product_parameter",
    "public_names",
    "validate",
]
