"""Walking through a paged operation, in each of the four ways the platform pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from console.cloud.answers import dig
from console.cloud.catalogue import Operation, Paging
from console.cloud.errors import LimitExceeded

Fetch = Callable[..., dict[str, Any]]


def iterate(op: Operation, fetch: Fetch, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The answers of `fetch(**params)`, page after page. Raises ValueError at once when the operation does not page.

    Starts at the page, token or time among `params`, if any. Without a page size the largest allowed is asked for.
    """
    if op.paging is None:
        raise ValueError(f"{op.name} does not page")
    asked = dict(params)
    if asked.get(op.paging.size_param) is None and op.paging.max_size:
        asked[op.paging.size_param] = op.paging.max_size
    if op.paging.style in ("page", "page_or_token"):
        return _by_number(op, op.paging, fetch, asked)
    return _by_token(op.paging, fetch, asked)


def _by_number(
    op: Operation, paging: Paging, fetch: Fetch, params: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    page_param = str(paging.page_param)
    number = int(params.get(page_param) or 1)
    before: list[Any] | None = None
    while True:
        params[page_param] = number
        answer = fetch(**params)
        items: list[Any] = dig(answer, paging.items_path)
        if before is not None and items == before:
            return  # an answer that ignores the page number would otherwise never end
        before = items
        yield answer
        size = _whole(params.get(paging.size_param)) or paging.default_size or len(items)
        if not items or not _more_by_number(paging, answer, number, size, len(items)):
            return
        number += 1
        if paging.reach is not None and number * size > paging.reach:
            raise LimitExceeded(
                "Client.PagingLimit",
                f"pages end at {paging.reach} entries, and there are more",
                operation=op.name,
            )
        if paging.token_param is not None and paging.token_path is not None:
            # The number is sent beside the token: the platform limits their product even where a token is given.
            params[paging.token_param] = dig(answer, paging.token_path) or None


def _more_by_number(paging: Paging, answer: Mapping[str, Any], number: int, size: int, count: int) -> bool:
    total = _whole(dig(answer, paging.total_path)) if paging.total_path else None
    if total is not None:
        return number * size < total
    pages = _whole(dig(answer, paging.pages_path)) if paging.pages_path else None
    if pages is not None:
        return number < pages
    return count >= size


def _by_token(paging: Paging, fetch: Fetch, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    token_param = str(paging.token_param)
    if paging.newest_param is not None and str(params.get("Asc") or 0) != "1":
        token_param = paging.newest_param  # newest first: the next page ends where this one began
    while True:
        answer = fetch(**params)
        yield answer
        following = dig(answer, paging.token_path)
        more = dig(answer, paging.more_path) if paging.more_path else bool(following)
        if more in (None, False, "false") or following in (None, "") or following == params.get(token_param):
            return
        params[token_param] = following


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
