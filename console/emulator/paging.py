"""Pages, as nearly every listing operation has them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from console.emulator.call import Call
from console.emulator.errors import ServiceError, page_error


@dataclass(frozen=True, slots=True)
class Page:
    """What was asked for: page `number` from 1, `size` entries each."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.number - 1) * self.size

    def count(self, total: int) -> int:
        """How many pages `total` entries fill."""
        return -(-total // self.size)


def page_of(
    call: Call, *, number: str = "CurrentPage", default_size: int = 10, reach: int | None = None
) -> Page:
    """The page a request names; the catalogue has already checked the numbers' own ranges.

    Raises `iot.common.InvalidPageParams` when number times size passes `reach`.
    """
    page = Page(call.params.get(number, 1), call.params.get("PageSize", default_size))
    if page.number < 1 or page.size < 1 or (reach is not None and page.number * page.size > reach):
        raise page_error()
    return page


def make_token(last_id: int) -> str:
    """The token that continues after the entry with this id."""
    return base64.urlsafe_b64encode(b"next:%d" % last_id).decode()


def read_token(token: str) -> int:
    """The id after which to continue; raises `iot.device.PageTokenIsIllegal` for what is not a token of ours."""
    try:
        label, _, last_id = base64.urlsafe_b64decode(token.encode()).partition(b":")
        if label == b"next":
            return int(last_id)
    except (ValueError, binascii.Error):
        pass
    raise ServiceError("iot.device.PageTokenIsIllegal", "The page token is not valid.")
