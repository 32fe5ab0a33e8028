"""The audit trail: its records, the chain that seals them, how long they are kept, and the counts of reads."""

from console.access.audit.masking import MASK, SAFE_PARAMETERS, shown, storable
from console.access.audit.records import Origin, close_record, open_record, recorded, write_record

__all__ = [
    "MASK",
    "SAFE_PARAMETERS",
    "Origin",
    "close_record",
    "open_record",
    "recorded",
    "shown",
    "storable",
    "write_record",
]
