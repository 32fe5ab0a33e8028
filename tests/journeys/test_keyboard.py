"""The console without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.browser_user import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def is_focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def await_focus(page: Page, selector: str) -> None:
    """Waits until the element has the focus."""
    page.locator(f":is({selector}):focus").wait_for()


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Presses Tab until a matching element has the focus, and checks that the focus is visible."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if is_focused(page, selector):
            has_outline = "e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' && s.outlineWidth !== '0px' }"
            assert page.evaluate(f"({has_outline})(document.activeElement)"), f"{selector} shows no focus"
            return
    raise AssertionError(f"Tab does not come to {selector} within {most} steps at {page.url}")


def test_sign_in_works_by_keyboard(browser: Browser, console: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console}/accounts/login/")
    if not is_focused(page, "[name=login]"):
        tab_to(page, "[name=login]")
    page.keyboard.type("viewer@demo.example")
    tab_to(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/demo/sandbox/"))
    context.close()


def test_the_first_tab_stop_skips_the_navigation(open_browser_as):
    me = open_browser_as()
    me.open("products/")
    me.page.keyboard.press("Tab")
    assert is_focused(me.page, ".fd-skip")
    me.page.keyboard.press("Enter")
    assert is_focused(me.page, "main")
    me.page.keyboard.press("Tab")
    assert me.page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_slash_focuses_the_search_and_enter_opens_a_result(open_browser_as):
    me = open_browser_as()
    me.open("products/")
    me.page.keyboard.press("/")
    assert is_focused(me.page, "#global-search")
    me.page.keyboard.type("DDS720")
    me.page.keyboard.press("Enter")
    me.page.wait_for_url(re.compile(r"/devices/search/"))
    tab_to(me.page, "#devices-results tbody a")
    name = me.page.evaluate("document.activeElement.textContent")
    me.page.keyboard.press("Enter")
    me.page.wait_for_url(re.compile(rf"/devices/\w+/{name}/"))


def test_a_menu_works_by_keyboard_and_restores_focus(open_browser_as):
    me = open_browser_as()
    me.open("devices/search/?q=DDS720")
    me.page.locator("#devices-results tbody a").first.press("Enter")
    me.page.locator("[popovertarget=actions-menu]").wait_for()
    tab_to(me.page, "[popovertarget=actions-menu]")
    me.page.keyboard.press("Enter")
    await_focus(me.page, "#actions-menu .fd-menu-item")
    me.page.keyboard.press("ArrowUp")  # from the first to the last
    assert "Delete" in me.page.evaluate("document.activeElement.textContent")
    me.page.keyboard.press("Escape")
    assert is_focused(me.page, "[popovertarget=actions-menu]")

    me.page.keyboard.press("Enter")
    await_focus(me.page, "#actions-menu .fd-menu-item")
    me.page.keyboard.press("ArrowUp")
    me.page.keyboard.press("Enter")
    await_focus(me.page, "dialog input[type=text]")
    for _ in range(8):  # Tab stays in the dialog, or leaves the page for the browser's own bar
        me.page.keyboard.press("Tab")
        assert me.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    me.page.keyboard.press("Escape")
    assert me.page.locator("dialog[open]").count() == 0
    assert is_focused(me.page, "[popovertarget=actions-menu]")


def test_a_dialog_restores_focus_to_its_button(open_browser_as):
    me = open_browser_as()
    me.open("groups/")
    tab_to(me.page, "main a[href$='/groups/new/']")
    me.page.keyboard.press("Enter")
    await_focus(me.page, "dialog input")
    me.page.keyboard.press("Escape")
    assert is_focused(me.page, "main a[href$='/groups/new/']")


def test_rows_are_selected_by_space_and_bulk_actions_are_reachable(open_browser_as):
    me = open_browser_as()
    me.open("products/")
    tab_to(me.page, "tbody input[name=selected]")
    me.page.keyboard.press("Space")
    tab_to(me.page, "tbody input[name=selected]")
    me.page.keyboard.press("Space")
    me.wait_for_text("2 selected")
    for _ in range(40):  # back to the bar above the rows
        me.page.keyboard.press("Shift+Tab")
        if is_focused(me.page, "[data-bulk] button"):
            break
    assert is_focused(me.page, "[data-bulk] button")
    assert me.console_errors == []


def test_enter_on_a_tick_of_a_row_starts_no_action(open_browser_as):
    me = open_browser_as()
    me.open("devices/?product=" + me.find_product_key())
    me.page.locator("tbody input[name=selected]").first.focus()
    me.page.keyboard.press("Space")
    requests: list[str] = []
    me.page.on("request", lambda request: requests.append(request.url))
    me.page.keyboard.press("Enter")
    me.page.wait_for_timeout(300)
    assert requests == []
    assert not me.page.locator("dialog[open]").count()


def test_after_a_dialog_was_saved_the_focus_is_on_the_link_that_opened_it(open_browser_as):
    me = open_browser_as()
    me.open(f"messaging/products/{me.find_product_key()}/")
    link = "a[data-dialog][href$='/new/']"
    me.page.locator(link).first.focus()
    me.page.keyboard.press("Enter")
    me.page.locator("dialog[open] input[type=text]").first.wait_for()
    me.page.keyboard.type("keyboard/test")
    me.page.keyboard.press("Tab")
    me.page.keyboard.press("Space")
    me.page.keyboard.press("Enter")
    me.wait_for_text("keyboard/test")
    await_focus(me.page, link)


def test_a_category_is_chosen_from_the_matches_of_a_search(open_browser_as):
    me = open_browser_as()
    me.open("products/new/")
    me.page.locator("[name=category_key]").focus()
    me.page.keyboard.type("ligh")
    expect(me.page.locator("[data-match]")).to_have_count(1)
    me.page.keyboard.press("ArrowDown")
    await_focus(me.page, "[data-match=Lighting]")
    me.page.keyboard.press("Enter")
    me.page.locator("[name=publish_auto]").wait_for()  # a field that only a category has
    assert me.page.locator("[name=category_key]").input_value() == "Lighting"


def test_a_search_in_all_products_brings_the_filters_the_columns_and_the_export(open_browser_as):
    me = open_browser_as()
    key = me.find_product_key()
    me.open("devices/")
    me.page.get_by_label("Search devices").fill("DDS7")
    me.page.locator("#devices-exports a").wait_for()
    me.page.get_by_role("button", name="Choose columns").wait_for()
    me.page.get_by_label("Search devices").fill("")
    me.page.locator("#devices-exports a").wait_for(state="detached")
    me.page.get_by_label("Search devices").fill("DDS7")
    me.page.locator("select[name=product]").select_option(value=key)
    me.page.locator(f"#devices-exports a[href*={key}]").wait_for()
    me.page.locator("nav[aria-label=Breadcrumb] a").wait_for()
    me.page.get_by_label("Search devices").fill("")
    me.page.locator("#devices-exports a:not([href*=DDS7])").wait_for()
    me.page.locator("select[name=product]").select_option(value="")
    me.page.locator("#devices-exports a").wait_for(state="detached")
    me.page.locator("nav[aria-label=Breadcrumb]").wait_for(state="hidden")
    assert not me.console_errors
