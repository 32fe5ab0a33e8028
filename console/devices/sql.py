"""The statements of QueryDeviceBySQL: what can be looked for, and the limits it has.

The rules are that operation's: LIKE finds beginnings of at least 4 characters, without certain signs; a statement has at most
400 characters and five conditions; it pages 50 rows at a time and no deeper than 10,000.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PAGE = 50
REACH = 10_000
PREFIX_LENGTH = 4
_NOT_IN_PREFIX = frozenset("\\/&+-!():~{}*?")
# What a name, nickname, key or id can consist of; nothing here can end the quoted text of a statement.
_SELECT, _WHERE = "SELECT", "FROM device WHERE"
_SAFE = re.compile(r"[\w.:@-]{1,64}")


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of a statement. `field` is "name" or "nickname"; an empty value leaves its condition out.

    `exact` looks for the whole text even where its beginning could be looked for. `within` is a condition that goes first.
    """

    product_key: str = ""
    text: str = ""
    field: str = "name"
    status: str = ""
    exact: bool = False
    within: str = ""

    @property
    def whole(self) -> bool:
        """Whether only a device with exactly this text is found."""
        return self.exact or not can_begin(self.text)

    def clause(self) -> str:
        """The conditions joined by AND. Raises ValueError for a value that no device can have."""
        conditions = [self.within] if self.within else []
        if self.product_key:
            conditions.append(f'product_key = "{_safe(self.product_key)}"')
        if self.text:
            field = "nickname" if self.field == "nickname" else "name"
            text = _safe(self.text)
            conditions.append(f'{field} = "{text}"' if self.whole else f'{field} LIKE "{text}%"')
        if self.status:
            conditions.append(f'status = "{_safe(self.status)}"')
        return " AND ".join(conditions)

    def rows(self, offset: int, count: int) -> str:
        """The statement for `count` rows from `offset`, the oldest device first."""
        return f"{_SELECT} * {_WHERE} {self.clause()} ORDER BY gmt_create LIMIT {offset},{count}"

    def counting(self) -> str:
        """The statement that counts the rows."""
        return f"{_SELECT} count(*) {_WHERE} {self.clause()}"


def named_or_id(text: str, within: str = "") -> str:
    """The statement for the devices of exactly this name, in any product, or of this IotId; `within` a condition, if given."""
    text = _safe(text)
    both = f"{within} AND " if within else ""
    where = f'{both}name = "{text}" OR {both}iot_id = "{text}"'
    return f"{_SELECT} * {_WHERE} {where} ORDER BY gmt_create LIMIT 0,{PAGE}"


def searchable(text: str) -> bool:
    """Whether a device could be called so."""
    return _SAFE.fullmatch(text) is not None


def can_begin(text: str) -> bool:
    """Whether the platform can look for what begins so."""
    return len(text) >= PREFIX_LENGTH and not _NOT_IN_PREFIX & set(text)


def _safe(text: str) -> str:
    if not searchable(text):
        raise ValueError(f"not a value to search for: {text!r}")
    return text
