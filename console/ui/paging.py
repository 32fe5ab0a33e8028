"""Where in a list the person is: by page number with a total, or by the platform's "next" tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.http import HttpRequest

SIZES = (10, 25, 50)


def page_number(request: HttpRequest) -> int:
    """`?page=`, at least 1; anything that is no number is 1."""
    text = request.GET.get("page", "")
    return max(1, min(int(text), 10_000_000)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def page_size(request: HttpRequest, default: int = 25, sizes: Sequence[int] = SIZES) -> int:
    """`?size=` when it is one of `sizes` (rows a page), else `default`."""
    text = request.GET.get("size", "")
    return next((size for size in sizes if str(size) == text), default)


@dataclass(frozen=True)
class Page:
    """A numbered page of a list whose length is known.

    `number` counts from 1; `size` is rows a page; `last` is the highest page that can be asked for when the platform
    pages no deeper.
    """

    number: int
    size: int
    total: int
    sizes: Sequence[int] = SIZES
    last: int | None = None

    @property
    def pages(self) -> int:
        """How many pages can be asked for."""
        count = max(1, -(-self.total // self.size))
        return count if self.last is None else min(count, self.last)

    @property
    def first_row(self) -> int:
        """The number of the first row shown, from 1; 0 when there is none."""
        return min((self.number - 1) * self.size + 1, self.total)

    @property
    def last_row(self) -> int:
        """The number of the last row shown."""
        return min(self.number * self.size, self.total)

    @property
    def previous(self) -> int | None:
        """The page before, if any."""
        return min(self.number - 1, self.pages) if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The page after, if any."""
        return self.number + 1 if self.number < self.pages else None

    @property
    def numbers(self) -> Iterator[int | None]:
        """The pages to link to: the ends and the neighbours; None where some are left out."""
        near = {1, self.pages, *range(self.number - 1, self.number + 2)}
        before = 0
        for number in sorted(n for n in near if 1 <= n <= self.pages):
            if number - before == 2:
                yield number - 1
            elif number - before > 2:
                yield None
            yield number
            before = number


@dataclass(frozen=True)
class TokenPage:
    """A page of a list that the platform hands out by "next" tokens (`?token=`).

    `shown` is the rows on this page, `token` the one that led here ("" for the first), `next` the one that leads on
    (None at the end), `total` the length when it is known.
    """

    size: int
    shown: int
    token: str
    next: str | None
    total: int | None = None
    sizes: Sequence[int] = SIZES


def page_token(request: HttpRequest) -> str:
    """`?token=`, "" for the first page."""
    return request.GET.get("token", "")[:2048]
