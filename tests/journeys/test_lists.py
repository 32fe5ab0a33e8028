"""Lists in a browser: the menus of rows, and lists without rows."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_the_menu_of_a_row_is_that_of_its_device_and_moves_to_the_next_row(open_browser_as):
    me = open_browser_as()
    me.open(f"devices/of/{me.find_product_key()}/")
    rows = me.page.locator("#devices-results tbody tr")
    menu = me.page.locator("#devices-menu")
    for number in (0, 8):
        name = rows.nth(number).locator("td.fd-primary").inner_text()
        rows.nth(number).get_by_role("button", name=f"Actions for {name}").click()
        expect(menu.locator("a").first).to_have_attribute(
            "href", f"{rows.nth(number).locator('td.fd-primary a').get_attribute('href')}rename/"
        )
        expect(menu.locator("a").first).to_be_focused()
    menu.get_by_role("link", name="Edit nickname").click()
    expect(me.page.get_by_role("dialog")).to_be_visible()
    expect(menu).to_be_hidden()


def test_a_column_that_the_page_does_not_contain_is_fetched_and_the_menu_stays_open(open_browser_as):
    me = open_browser_as()
    me.open("products/")
    me.page.get_by_role("button", name="Choose columns").click()
    box = me.page.get_by_label("Authentication")
    box.check()
    expect(me.page.get_by_role("columnheader", name="Authentication")).to_be_visible()
    expect(me.page.get_by_label("Authentication")).to_be_focused()
    me.page.context.clear_cookies(name="columns-products")


def test_products_to_choose_from_have_no_filters_but_the_search_in_all_devices(open_browser_as):
    me = open_browser_as()
    me.open("devices/")
    expect(me.page.locator("#filter_status")).to_be_hidden()
    me.page.get_by_label("Search devices").fill("DDS7")
    expect(me.page.locator("#devices-results th[data-col=status]")).to_be_visible()
    expect(me.page.locator("#filter_status")).to_be_visible()


def test_a_list_without_rows_has_no_filters(open_browser_as):
    me = open_browser_as()
    me.open("explorer/history/")
    expect(me.page.get_by_text("No calls yet")).to_be_visible()
    expect(me.page.locator("[data-filters]")).to_be_hidden()
