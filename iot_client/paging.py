"""Fetches the pages of a paged operation, in each of the four paging styles of the platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from iot_client.catalogue import Operation, Paging
from iot_client.errors import LimitExceeded
from iot_client.responses import read_path

Content = TypeVar("Content")
Fetch = Callable[..., dict[str, Any]]
Position = Mapping[str, Any]
"""The parameters that select a page: its number, token or time. They can be stored as JSON."""


@dataclass(frozen=True)
class Page(Generic[Content]):
    """A page of a list: its response, or the entries that were read from it. `following` is the position of the next page,
    None after the last one."""

    content: Content
    following: Position | None = None


def read_pages(op: Operation, fetch: Fetch, params: Mapping[str, Any]) -> Iterator[Page[dict[str, Any]]]:
    """The responses of `fetch(**params)`, page by page. Raises ValueError immediately if the operation is not paged.

    Starts at the position in `params`, if any. Without a page size, the largest allowed is used.
    """
    if op.paging is None:
        raise ValueError(f"{op.name} is not paged")
    page_params = dict(params)
    if page_params.get(op.paging.size_param) is None and op.paging.max_size:
        page_params[op.paging.size_param] = op.paging.max_size
    if op.paging.style in ("page", "page_or_token"):
        return _read_by_number(op, op.paging, fetch, page_params)
    return _read_by_token(op.paging, fetch, page_params)


def _read_by_number(
    op: Operation, paging: Paging, fetch: Fetch, params: dict[str, Any]
) -> Iterator[Page[dict[str, Any]]]:
    page_param = str(paging.page_param)
    number = int(params.get(page_param) or 1)
    size = _to_integer(params.get(paging.size_param)) or paging.default_size or 0
    previous: list[Any] | None = None
    while True:
        if paging.max_entries is not None and number * size > paging.max_entries:
            raise LimitExceeded(
                "Client.PagingLimit",
                f"the platform returns at most {paging.max_entries} entries in pages, and the list has more",
                operation=op.name,
            )
        params[page_param] = number
        response = fetch(**params)
        items: list[Any] = read_path(response, paging.items_path)
        if previous is not None and items == previous:
            return  # a response that ignores the page number would never end
        previous, size, number = items, size or len(items), number + 1
        following: dict[str, Any] | None = None
        if items and _has_next_page(paging, response, number - 1, size, len(items)):
            following = {page_param: number}
            if paging.token_param is not None and paging.token_path is not None:
                # The page number is sent together with the token: the platform limits number times size also with a token.
                following[paging.token_param] = read_path(response, paging.token_path) or None
        yield Page(response, following)
        if following is None:
            return
        params |= following


def _has_next_page(paging: Paging, response: Mapping[str, Any], number: int, size: int, count: int) -> bool:
    total = _to_integer(read_path(response, paging.total_path)) if paging.total_path else None
    if total is not None:
        return number * size < total
    pages = _to_integer(read_path(response, paging.pages_path)) if paging.pages_path else None
    if pages is not None:
        return number < pages
    return count >= size


def _read_by_token(paging: Paging, fetch: Fetch, params: dict[str, Any]) -> Iterator[Page[dict[str, Any]]]:
    token_param = str(paging.token_param)
    if paging.newest_param is not None and str(params.get("Asc") or 0) != "1":
        token_param = paging.newest_param  # newest first: the next page ends where this page starts
    while True:
        response = fetch(**params)
        next_token = read_path(response, paging.token_path)
        more = read_path(response, paging.more_path) if paging.more_path else bool(next_token)
        is_last = (
            more in (None, False, "false")
            or next_token in (None, "")
            or next_token == params.get(token_param)
        )
        yield Page(response, None if is_last else {token_param: next_token})
        if is_last:
            return
        params[token_param] = next_token


def _to_integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
