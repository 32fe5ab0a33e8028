"""Positions in a list: by page number with a total, or by the platform's "next" tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest

from console.ui.links import query_url

SIZES = (10, 25, 50)


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

    `shown` is the number of rows on this page, `token` the token of this page ("" for the first), `next` the token of the
    next page (None at the end), `total` the length if it is known.
    """

    size: int
    shown: int
    token: str
    next: str | None
    total: int | None = None

    @property
    def is_part(self) -> bool:
        """Whether there are other pages."""
        return bool(self.token or self.next)

    def url(self, request: HttpRequest, token: str | None) -> str:
        """The URL of another page of the requested list; None for the first page. A page number in the URL of this page does not
        stay."""
        return query_url(request, drop=("page",), token=token)


def page_token(request: HttpRequest) -> str:
    """`?token=`, "" for the first page."""
    return request.GET.get("token", "")[:2048]
