"""Positions in a list: by page number with a total, or by the platform's "next" tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest

from console.ui.links import query_url

SIZES = (10, 25, 50)
POSITION = ("page", "size", "token")
"""The parameters of a list's URL that say which rows are shown, not which match."""


def page_number(request: HttpRequest) -> int:
    """`?page=`, at least 1; 1 for any text that is not a number."""
    text = request.GET.get("page", "")
    return max(1, min(int(text), 10_000_000)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def page_size(request: HttpRequest, default: int = 25) -> int:
    """`?size=` (rows per page) if it is one of SIZES, else `default`."""
    text = request.GET.get("size", "")
    return next((size for size in SIZES if str(size) == text), default)


@dataclass(frozen=True)
class Page:
    """A numbered page of a list of known length.

    `number` counts from 1; `size` is rows per page; `last` is the highest page that the platform
    returns, if it has a limit.
    """

    number: int
    size: int
    total: int
    last: int | None = None

    @property
    def pages(self) -> int:
        """The number of pages that can be requested."""
        count = max(1, -(-self.total // self.size))
        return count if self.last is None else min(count, self.last)

    @property
    def numbered_rows(self) -> int:
        """The number of rows on the pages that can be requested."""
        return min(self.total, self.pages * self.size)

    @property
    def shown(self) -> int:
        """The number of rows on this page."""
        return max(0, self.last_row - self.first_row + 1) if self.total else 0

    @property
    def is_part(self) -> bool:
        """Whether there are other pages."""
        return self.pages > 1

    @property
    def first_row(self) -> int:
        """The number of the first row on this page, from 1; 0 for an empty list."""
        return min((self.number - 1) * self.size + 1, self.total)

    @property
    def last_row(self) -> int:
        """The number of the last row on this page."""
        return min(self.number * self.size, self.total)

    @property
    def previous(self) -> int | None:
        """The previous page number, or None."""
        return min(self.number - 1, self.pages) if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The next page number, or None."""
        return self.number + 1 if self.number < self.pages else None

    @property
    def numbers(self) -> Iterator[int | None]:
        """The page numbers to link to: first, last and neighbors; None for a gap."""
        near = {1, self.pages, *range(self.number - 1, self.number + 2)}
        before = 0
        for number in sorted(n for n in near if 1 <= n <= self.pages):
            if number - before == 2:
                yield number - 1
            elif number - before > 2:
                yield None
            yield number
            before = number

    def url(self, request: HttpRequest, number: int) -> str:
        """The URL of another page of the requested list."""
        return query_url(request, drop=("token",), page=number)


@dataclass(frozen=True)
class TokenPage:
    """A page of a list that the platform pages by "next" tokens (`?token=`).

    `shown` is the number of rows on this page, `first_row` the number of its first row, from 1; `next` is the token of the next page
    (None at the end), `total` the number of all rows if it is known.
    """

    size: int
    shown: int
    first_row: int
    next: str | None
    total: int | None = None

    @property
    def is_part(self) -> bool:
        """Whether there are other pages."""
        return self.first_row > 1 or bool(self.next)

    @property
    def last_row(self) -> int:
        """The number of the last row on this page."""
        return self.first_row + self.shown - 1

    def url(self, request: HttpRequest, token: str | None) -> str:
        """The URL of another page of the requested list: the next one, or the first one for None. A page number in the URL of this
        page does not stay."""
        text = None if token is None else f"{self.last_row + 1}.{token}"
        return query_url(request, drop=("page",), token=text)


def page_token(request: HttpRequest) -> tuple[str, int]:
    """`?token=`, made by `TokenPage.url`: the token, and the number of the first row of its page. "" and 1 for the first page.

    A text that `TokenPage.url` did not make is returned as it is, and refused by those who made the tokens.
    """
    text = request.GET.get("token", "")[:2048]
    row, _dot, token = text.partition(".")
    if not token or not (row.isascii() and row.isdigit()):
        return text, 1
    return token, max(1, int(row[:9]))
