"""The statements of QueryDeviceBySQL: what they can search for, and their limits.

The rules are those of the operation: LIKE finds prefixes of at least 4 characters without certain characters; a statement has
at most 400 characters and five conditions; a page has up to 50 rows, and pages reach the first 10,000 rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

PAGE_SIZE = 50
MAX_ROWS = 10_000
MIN_PREFIX_LENGTH = 4
_NOT_IN_PREFIX = frozenset("\\/&+-!():~{}*?")
# The characters of a name, nickname, key or ID. None of them can end the quoted text of a statement.
_SELECT, _WHERE = "SELECT", "FROM device WHERE"
_SAFE = re.compile(r"[\w.:@-]{1,64}")
UNSEARCHABLE = _("Device names contain only English letters, digits and - _ . : @. Check the search text.")


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of a statement. `field` is "name" or "nickname"; an empty value adds no condition.

    `exact`: search for the full text even if a prefix search is possible. `within`: a condition that comes first.
    """

    product_key: str = ""
    text: str = ""
    field: str = "name"
    status: str = ""
    exact: bool = False
    within: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether the statement only finds devices with exactly this text."""
        return self.exact or not is_prefix(self.text)

    def clause(self) -> str:
        """Return the conditions joined by AND. Raises ValueError for a value that no device can have."""
        conditions = [self.within] if self.within else []
        if self.product_key:
            conditions.append(f'product_key = "{_check_value(self.product_key)}"')
        if self.text:
            field = "nickname" if self.field == "nickname" else "name"
            text = _check_value(self.text)
            conditions.append(f'{field} = "{text}"' if self.is_exact else f'{field} LIKE "{text}%"')
        if self.status:
            conditions.append(f'status = "{_check_value(self.status)}"')
        return " AND ".join(conditions)

    def rows(self, offset: int, count: int) -> str:
        """Return the statement for `count` rows from `offset`, oldest device first."""
        return f"{_SELECT} * {_WHERE} {self.clause()} ORDER BY gmt_create LIMIT {offset},{count}"

    def count_statement(self) -> str:
        """Return the statement that counts the rows."""
        return f"{_SELECT} count(*) {_WHERE} {self.clause()}"


def exact_statement(text: str, within: str = "") -> str:
    """Return the statement for devices with exactly this name or IotId, in any product. `within`: one more condition."""
    text = _check_value(text)
    condition = f"{within} AND " if within else ""
    where = f'{condition}name = "{text}" OR {condition}iot_id = "{text}"'
    return f"{_SELECT} * {_WHERE} {where} ORDER BY gmt_create LIMIT 0,{PAGE_SIZE}"


def is_searchable(text: str) -> bool:
    """Return whether a device can have this text as name, nickname, key or ID."""
    return _SAFE.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Return whether the platform can search for this text as a prefix."""
    return len(text) >= MIN_PREFIX_LENGTH and not _NOT_IN_PREFIX & set(text)


def _check_value(text: str) -> str:
    if not is_searchable(text):
        raise ValueError(f"not a value to search for: {text!r}")
    return text
