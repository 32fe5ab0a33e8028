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


def test_rows_stay_selected_on_other_pages_until_the_filters_change(open_browser_as):
    me = open_browser_as()
    me.open(f"devices/of/{me.find_product_key()}/?size=10")
    rows = me.page.locator("#devices-results tbody tr")
    before = rows.nth(3).bounding_box()
    rows.nth(0).get_by_role("checkbox").check()
    assert rows.nth(3).bounding_box() == before, "the first tick moves no row"
    rows.nth(1).get_by_role("checkbox").check()
    count = me.page.locator("[data-bulk-count]")
    expect(count).to_have_text("2 selected")
    me.page.get_by_role("link", name="Page 2", exact=True).click()
    expect(count).to_have_text("2 selected, 2 of them on other pages")
    rows.nth(0).get_by_role("checkbox").check()
    expect(count).to_have_text("3 selected, 2 of them on other pages")
    sent = me.page.evaluate(
        "new FormData(document.querySelector('[data-table=devices]')).getAll('selected').length"
    )
    assert sent == 3
    me.page.get_by_role("link", name="Page 1", exact=True).click()
    expect(rows.nth(1).get_by_role("checkbox")).to_be_checked()
    expect(count).to_have_text("3 selected, 1 of them on other pages")
    me.page.locator("#filter_status").select_option("ONLINE")
    expect(me.page.locator("[data-bulk]")).to_be_hidden()


def test_after_an_action_on_rows_the_list_has_its_size_and_the_first_of_them_the_focus(open_browser_as):
    me = open_browser_as()
    me.open("products/?size=50")
    rows = me.page.locator("#products-results tbody tr")
    rows.nth(2).get_by_role("checkbox").check()
    key = rows.nth(2).get_by_role("checkbox").get_attribute("value")
    me.page.locator("[data-bulk-actions] button, .fd-bulk-actions button").first.click()
    dialog = me.page.get_by_role("dialog")
    dialog.locator("[type=submit]").click()
    back = dialog.get_by_role("link", name="Back to list")
    assert "size=50" in str(back.get_attribute("href"))
    back.click()
    expect(dialog).to_be_hidden()
    expect(me.page.locator(f"input[name=selected][value='{key}']")).to_be_focused()
    assert me.page.url.endswith("size=50")


def test_a_saved_dialog_from_the_menu_of_a_row_announces_its_message_and_keeps_the_focus_on_the_page(
    open_browser_as,
):
    me = open_browser_as()
    me.open(f"devices/of/{me.find_product_key()}/?size=10")
    name = me.page.locator("#devices-results tbody tr").nth(4).locator("td.fd-primary").inner_text()
    me.page.get_by_role("button", name=f"Actions for {name}").click()
    me.page.locator("#devices-menu").get_by_role("link", name="Edit nickname").click()
    dialog = me.page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("Renamed_by_test")
    dialog.locator("[type=submit]").click()
    expect(dialog).to_be_hidden()
    expect(me.page.locator(".fd-toast")).to_be_visible()
    said = me.page.locator(".fd-toast-text").first.inner_text()
    expect(me.page.locator("#fd-polite")).to_have_text(said)
    assert me.page.evaluate("document.activeElement !== document.body")


def test_after_a_saved_dialog_the_focus_is_on_the_link_that_opened_it_also_with_a_mouse(open_browser_as):
    me = open_browser_as()
    me.open("devices/search/?q=DDS720")
    me.page.locator("#devices-results td.fd-primary a").nth(5).click()
    opener = me.page.locator("a[data-dialog][href$='/tags/set/']").first
    opener.click()
    fields = me.page.get_by_role("dialog").locator("input:not([type=hidden])")
    fields.nth(0).fill("floor")
    fields.nth(1).fill("3")
    me.page.get_by_role("dialog").locator("[type=submit]").click()
    expect(me.page.locator(".fd-toast")).to_be_visible()
    expect(opener).to_be_focused()


@pytest.mark.parametrize("width", [390, 820, 1024, 1440])
def test_no_list_is_cut_at_a_common_width(open_browser_as, width):
    me = open_browser_as()
    me.page.set_viewport_size({"width": width, "height": 900})
    for path in (
        "products/",
        "ota/packages/",
        "ota/batches/",
        "ota/batches/new/",
        "devices/search/?q=DDS720",
    ):
        me.open(path)
        me.page.wait_for_load_state("networkidle")  # parts of a list can follow
        me.page.locator(".fd-scroll.fd-fits").first.wait_for()
        expect(me.page.locator(".fd-scroll:not(.fd-fits)"), path).to_have_count(0)
        assert me.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
