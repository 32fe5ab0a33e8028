"""Page numbers and page tokens of list operations."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError, invalid_page


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page: `number` counts from 1, a page has `size` entries."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """The number of entries before this page."""
        return (self.number - 1) * self.size

    def count(self, total: int) -> int:
        """Return the number of pages for `total` entries."""
        return -(-total // self.size)


def read_page(
    call: Call, *, number: str = "CurrentPage", default_size: int = 10, max_entries: int | None = None
) -> Page:
    """Return the requested page; `number` is the name of the parameter with the page number.

    The catalogue has already checked the ranges of the parameters. Raises `iot.common.InvalidPageParams` if the page
    ends after entry number `max_entries`.
    """
    page = Page(call.params.get(number, 1), call.params.get("PageSize", default_size))
    if (
        page.number < 1
        or page.size < 1
        or (max_entries is not None and page.number * page.size > max_entries)
    ):
        raise invalid_page()
    return page


def encode_page_token(last_id: int) -> str:
    """Return the token of the page that starts after the entry with this ID."""
    return base64.urlsafe_b64encode(b"next:%d" % last_id).decode()


def decode_page_token(token: str) -> int:
    """Return the ID of the entry before the page. Raises `iot.device.PageTokenIsIllegal` for an invalid token."""
    try:
        label, _, last_id = base64.urlsafe_b64decode(token.encode()).partition(b":")
        if label == b"next":
            return int(last_id)
    except (ValueError, binascii.Error):
        pass
    raise ServiceError(
        "iot.device.PageTokenIsIllegal", "Invalid page token. Use the token of the previous page."
    )
