"""Lists that refresh themselves, in a browser: filter, page and selection stay as the user left them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Request

from tests.journeys.browser_user import BrowserUser

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def return_to_tab(me: BrowserUser) -> list[str]:
    """Return to the tab of the page, which refreshes its lists at once. Returns the queries of the requests for rows."""
    sent: list[str] = []

    def record(request: Request) -> None:
        sent.append(request.url)

    me.page.on("request", record)
    me.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    me.page.wait_for_load_state("networkidle")
    me.page.remove_listener("request", record)
    path = urlsplit(me.page.url).path
    return [urlsplit(url).query for url in sent if urlsplit(url).path == path]


def check_refresh(me: BrowserUser, list_id: str, status: str) -> None:
    """Filter a list, or open its second page, let it refresh, and select a row."""
    results = me.page.locator(f"#{list_id}-results")
    for change in ("page", "filter"):
        if change == "page":
            results.get_by_role("link", name="Page 2", exact=True).click()
            me.page.wait_for_url("**page=2**")
        else:
            me.page.locator(f"[data-filters={list_id}] select[name=status]").select_option(status)
            me.page.wait_for_url(f"**status={status}**")
        names = results.locator("tbody tr a").all_inner_texts()
        assert return_to_tab(me) == [urlsplit(me.page.url).query]
        assert results.locator("tbody tr a").all_inner_texts() == names
        assert results.count() == 1
    results.locator("tbody input[name=selected]").first.check()
    assert return_to_tab(me) == []
    assert results.locator("tbody input[name=selected]").first.is_checked()


def test_a_list_of_devices_refreshes_with_its_filter_page_and_selection(open_browser_as):
    me = open_browser_as()
    me.open("products/")
    href = me.page.get_by_role("link", name="Street_Light_SL200", exact=True).get_attribute("href")
    me.open(f"devices/?size=10&product={href.rstrip('/').split('/')[-1]}")
    me.page.get_by_label("Auto-refresh").check()
    check_refresh(me, "devices", "ONLINE")


def test_the_devices_of_a_batch_refresh_with_their_filter_page_and_selection(open_browser_as):
    me = open_browser_as()
    me.open("ota/batches/")
    me.page.wait_for_load_state("networkidle")  # the batches of older packages follow
    batches = (
        me.page.locator("tbody tr")
        .filter(has_text="In progress")
        .locator("a")
        .evaluate_all("links => links.map(link => link.href).filter(url => url.includes('/batches/'))")
    )
    for url in batches:
        me.page.goto(f"{url}?size=10")
        if me.page.locator("#ota-tasks-results").get_by_role("link", name="Page 2", exact=True).count():
            check_refresh(me, "ota-tasks", "QUEUED")
            return
    pytest.fail("no running batch has two pages of devices")
