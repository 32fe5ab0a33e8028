"""Every list that refreshes itself keeps the filters, the page and the selection of its user.

The lists are not listed here: they are found on the pages of the URLconf. A filter or another page replaces the results of a list
and the address, and leaves the rest of the page as it was loaded. The test does the same: it takes the refreshing element of the
first load, unless the new results contain it, and sends its request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from django.test import Client

from tests.expectations import MEMBERS_ONLY
from tests.populated import PopulatedTeam
from tests.roles import NOBODY

SignIn = Callable[[str], Client]
HTMX = {"HX-Request": "true"}
VOID = frozenset({"input", "br", "hr", "img", "link", "meta", "source", "wbr"})


class Refresher(dict[str, str]):
    """The attributes of an element that fetches a list again. `list_id`: the ID of the list; `inside`: that of the results that
    contain the element, "" if none do."""

    inside = ""

    @property
    def list_id(self) -> str:
        return self["hx-target"].removeprefix("#").removesuffix("-results")


class _Page(HTMLParser):
    """Parses a page: its refreshers, and the text of the results of each list."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.refreshers: list[Refresher] = []
        self.results: dict[str, str] = {}
        self.filters: dict[str, list[tuple[str, str]]] = {}
        self._open: list[str] = []  # the IDs of the elements around this place
        self._form = self._field = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        trigger, target = attributes.get("hx-trigger", ""), attributes.get("hx-target", "")
        if (
            "hx-get" in attributes
            and target.endswith("-results")
            and ("every" in trigger or "from:body" in trigger)
        ):
            refresher = Refresher(attributes)
            refresher.inside = next((name for name in self._open if name.endswith("-results")), "")
            self.refreshers.append(refresher)
        if "data-filters" in attributes:
            self._form = attributes["data-filters"]
        if tag in {"select", "input"} and self._form and "name" in attributes:
            self._field = attributes["name"]
            if attributes.get("type") == "search":
                self.filters.setdefault(self._form, []).append((self._field, "a"))
        if tag == "option" and self._form and attributes.get("value"):
            self.filters.setdefault(self._form, []).append((self._field, attributes["value"]))
        if tag not in VOID:
            self._open.append(attributes.get("id", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = ""
        if tag not in VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for name in self._open:
            if name.endswith("-results"):
                self.results[name] = f"{self.results.get(name, '')} {' '.join(data.split())}".strip()


def list_pages(populated: PopulatedTeam, browser: Client) -> Iterator[tuple[str, _Page]]:
    """Yield the address and the content of each page of the team that has a list which refreshes itself."""
    for name, roles in MEMBERS_ONLY.items():
        if roles.get == NOBODY:
            continue
        url = populated.url(name)
        response = browser.get(url)
        if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
            page = _Page(response.content.decode())
            if page.refreshers:
                yield url, page


def queries(page: _Page, list_id: str) -> Iterator[str]:
    """Yield queries as a user makes them: another page, and each filter with its last value."""
    yield "page=2&size=10"
    for name, value in dict(page.filters.get(list_id, [])).items():
        yield f"{name}={value}"


@pytest.fixture
def pages(populated: PopulatedTeam, sign_in: SignIn) -> tuple[Client, list[tuple[str, _Page]]]:
    browser = sign_in("owner")
    return browser, list(list_pages(populated, browser))


def test_a_list_that_refreshes_itself_keeps_its_filters_and_its_page(
    pages: tuple[Client, list[tuple[str, _Page]]],
) -> None:
    browser, found = pages
    assert {refresher.list_id for _url, page in found for refresher in page.refreshers} >= {
        "devices",
        "ota-tasks",
        "items",
    }
    wrong = []
    for url, loaded in found:
        for refresher in loaded.refreshers:
            results = f"{refresher.list_id}-results"
            for query in queries(loaded, refresher.list_id):
                address = f"{url}?{query}"
                filtered = _Page(browser.get(address, headers=HTMX).content.decode())
                present = refresher
                if refresher.inside == results:
                    present = next(r for r in filtered.refreshers if r.inside == results)
                refreshed_url = urljoin(address, present["hx-get"]) if present["hx-get"] else address
                refreshed = _Page(browser.get(refreshed_url, headers=HTMX).content.decode())
                if refreshed_url != address or refreshed.results.get(results) != filtered.results.get(
                    results
                ):
                    wrong.append(f"{address}: refreshes from {refreshed_url}")
    assert wrong == []


def test_a_list_that_refreshes_itself_waits_for_the_requests_and_the_selection_of_its_user(
    pages: tuple[Client, list[tuple[str, _Page]]],
) -> None:
    _browser, found = pages
    for url, page in found:
        for refresher in page.refreshers:
            assert refresher.get("hx-sync") == f"#{refresher.list_id}-list:drop", url
            # After an action on the selected rows the list is fetched again, and nothing is selected.
            if "list-changed" not in refresher["hx-trigger"]:
                assert "data-live" in refresher, url
