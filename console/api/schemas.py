"""What the endpoints' parts share: times, pages, and where in a list a page is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, PlainSerializer

from console.api.problems import not_valid

Item = TypeVar("Item")
MOST = 50
"""Things on a page at most: what the platform gives in one answer."""

Moment = Annotated[datetime, PlainSerializer(lambda moment: moment.astimezone(UTC), return_type=datetime)]
"""A moment; told in UTC."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(_("There is no such moment.")) from None


Given = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment that somebody says, brought to UTC: near the ends of the calendar another zone may have no such day."""


class Body(Schema):
    """What is sent: a field that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Listing(Schema):
    """Which part of a list."""

    limit: int = Field(MOST, ge=1, le=MOST, description="How many a page has at most.")
    page_token: str = Field(
        "", max_length=2000, description="The `next_page_token` of the page before; its limit goes on."
    )


class Page(Schema, Generic[Item]):
    """Part of a list."""

    items: list[Item]
    total: int | None = Field(None, description="How many there are in all, where that is known.")
    next_page_token: str | None = Field(None, description="Asks for the page after this; null on the last.")


@dataclass(frozen=True)
class Place:
    """Where a page is: its number from 1, its size, and the platform's own token for what numbers do not reach."""

    number: int
    size: int
    rest: str = ""

    @classmethod
    def of(cls, listing: Listing) -> Place:
        """The place that a request names. Raises Problem."""
        if not listing.page_token:
            return cls(1, listing.limit)
        number, _dot, more = listing.page_token.partition(".")
        size, _dot, rest = more.partition(".")
        if not (
            number.isdecimal() and size.isdecimal() and 1 <= int(size) <= MOST and 1 <= int(number) < 10**7
        ):
            raise not_valid([("page_token", _("This is no token of a page of this list."))])
        return cls(int(number), int(size), rest)

    def page(self, items: Iterable[Item], total: int, *, rest: str = "") -> Page[Item]:
        """The page at this place of a list of `total`."""
        more = self.number * self.size < total
        following = f"{self.number + 1}.{self.size}" + (f".{rest}" if rest else "")
        return Page(items=list(items), total=total, next_page_token=following if more else None)
