"""The audit trail: its records, the hash chain that protects them, how long they are kept, and the counts of reads."""

from console.access.audit.masking import MASK, clean_text, mask_parameters, may_record
from console.access.audit.records import Origin, close_record, open_record, record_action, write_record

__all__ = [
    "MASK",
    "Origin",
    "clean_text",
    "close_record",
    "mask_parameters",
    "may_record",
    "open_record",
    "record_action",
    "write_record",
]
