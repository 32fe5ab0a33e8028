"""Schemas that endpoints share: timestamps, pages, and the position of a page in a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, PlainSerializer

from console.api.problems import validation_problem

Item = TypeVar("Item")
MAX_PAGE_SIZE = 50
"""The largest page: as many items as the platform returns in one response."""

Timestamp = Annotated[datetime, PlainSerializer(lambda value: value.astimezone(UTC), return_type=datetime)]
"""A time in a response, in UTC."""


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(_("This date does not exist in UTC.")) from None


def _refuse_number(value: object) -> object:
    """Refuse what pydantic would read as seconds since 1970: the document promises a date and time."""
    if isinstance(value, int | float) or (isinstance(value, str) and ":" not in value):
        raise ValueError(_("Enter a date and time with a time zone."))
    return value


TimestampInput = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_refuse_number), AfterValidator(_to_utc)
]
"""A time in a request, converted to UTC: at either end of the calendar another time zone may lack the day."""


class RequestBody(Schema):
    """The base of request bodies in JSON: unknown fields are errors, and so are values of another type, for example 0 for false."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PageQuery(Schema):
    """Selects a page of a list."""

    limit: int = Field(
        MAX_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description=gettext_noop("Maximum number of items per page.")
    )
    page_token: str = Field(
        "",
        max_length=2000,
        pattern="^[!-~]*$",
        description=gettext_noop(
            "The `next_page_token` of the previous page. The `limit` of the first page applies."
        ),
    )


class Page(Schema, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    total: int | None = Field(None, description="Total number of items; null if unknown.")
    next_page_token: str | None = Field(None, description="Token of the next page; null on the last page.")


@dataclass(frozen=True)
class PagePosition:
    """The position of a page: its number from 1, its size, and the platform's own token for pages beyond the numbered ones."""

    number: int
    size: int
    platform_token: str = ""

    @classmethod
    def from_query(cls, query: PageQuery) -> PagePosition:
        """Return the position that a request asks for. Raises Problem."""
        if not query.page_token:
            return cls(1, query.limit)
        number, _dot, rest = query.page_token.partition(".")
        size, _dot, platform_token = rest.partition(".")
        if not (
            number.isdecimal()
            and size.isdecimal()
            and 1 <= int(size) <= MAX_PAGE_SIZE
            and 1 <= int(number) < 10**7
        ):
            raise validation_problem([("page_token", _("This is not a page token of this list."))])
        return cls(int(number), int(size), platform_token)

    def build_page(self, items: Iterable[Item], total: int, *, platform_token: str = "") -> Page[Item]:
        """Return the page at this position of a list with `total` items."""
        has_next = self.number * self.size < total
        next_token = f"{self.number + 1}.{self.size}" + (f".{platform_token}" if platform_token else "")
        return Page(items=list(items), total=total, next_page_token=next_token if has_next else None)
