"""What each operation of IoT Platform takes and returns, as data: one JSON file a group, facts only.

The client sends by it, the gateway authorises by it, the emulator validates and answers by it, forms are built from it.
"""

from console.cloud.catalogue.check import validate
from console.cloud.catalogue.load import UnknownOperation, operation, operations
from console.cloud.catalogue.model import Access, Condition, Operation, Paging, Parameter
from console.cloud.catalogue.wire import flatten, nest

__all__ = [
    "Access",
    "Condition",
    "Operation",
    "Paging",
    "Parameter",
    "UnknownOperation",
    "flatten",
    "nest",
    "operation",
    "operations",
    "validate",
]
