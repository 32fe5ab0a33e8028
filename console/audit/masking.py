"""Masks the parameters of an action for its audit record: values are masked unless listed as safe, and cut when long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.accounts.approval_rules import rules_by_field
from iot_client.catalogue import public_names

_MAX_ITEMS = 20
_MAX_CHARACTERS = 400
MASK = "••••••"

# Fields of the console's own actions whose values are recorded. They are listed here and not by the parts that write them,
# because a name is public in every record: several parts write `name`, `role`, `rule` and `connections`, and one that added a
# name would decide for all. A name that is missing here is masked.
_CONSOLE_FIELDS = frozenset(
    """
    access_key_id approval approval_hours approved_by audit_keep_days changed connections days description devices digest endpoint file filters groups instance_id
    levels name products reason region requested_by role rule second_factor_required since slug to until
    """.split()  # noqa: SIM905  (a list of 30 lines would be no clearer)
)


def may_record(name: str) -> bool:
    """Whether values of a parameter may be recorded and shown: the catalogue says so, or the field is one of the console's own.

    An unknown name is treated as a secret.
    """
    return name in _CONSOLE_FIELDS or name in public_names() or name in rules_by_field()


def clean_text(text: str, max_length: int) -> str:
    """Return at most `max_length` characters of a text, without characters that a database refuses.

    PostgreSQL refuses NUL, UTF-8 half a surrogate pair.
    """
    return text[:max_length].replace("\x00", "\ufffd").encode(errors="replace").decode()


def mask_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as a record keeps them: masked unless `may_record` allows them; long lists and texts are cut, with their size."""
    return {clean_text(name, _MAX_CHARACTERS): _mask_value(name, value) for name, value in parameters.items()}


def _mask_value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask_parameters(value)
    if not may_record(name):
        return MASK
    if isinstance(value, list | tuple):
        items = [_mask_value(name, item) for item in value[:_MAX_ITEMS]]
        return [*items, f"… {len(value):,} in total"] if len(value) > _MAX_ITEMS else items
    if isinstance(value, str):
        text = clean_text(value, _MAX_CHARACTERS)
        return text if len(value) <= _MAX_CHARACTERS else f"{text}… {len(value):,} characters"
    return value
