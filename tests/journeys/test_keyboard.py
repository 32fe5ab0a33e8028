"""The console without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def await_focus(page: Page, selector: str) -> None:
    """What opens takes the focus a moment later."""
    page.locator(f":is({selector}):focus").wait_for()


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until something of that kind has the focus, and see that the focus can be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page, selector):
            ring = "e => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' && s.outlineWidth !== '0px' }"
            assert page.evaluate(f"({ring})(document.activeElement)"), f"{selector} shows no focus"
            return
    raise AssertionError(f"Tab does not come to {selector} within {most} steps at {page.url}")


def test_signing_in_needs_no_mouse(browser: Browser, console: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console}/accounts/login/")
    if not focused(page, "[name=login]"):
        tab_to(page, "[name=login]")
    page.keyboard.type("viewer@demo.example")
    tab_to(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/demo/sandbox/"))
    context.close()


def test_the_first_stop_skips_the_navigation(person):
    me = person()
    me.go("products/")
    me.page.keyboard.press("Tab")
    assert focused(me.page, ".fd-skip")
    me.page.keyboard.press("Enter")
    assert focused(me.page, "main")
    me.page.keyboard.press("Tab")
    assert me.page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_slash_searches_and_a_found_device_is_opened_with_enter(person):
    me = person()
    me.go("products/")
    me.page.keyboard.press("/")
    assert focused(me.page, "#global-search")
    me.page.keyboard.type("DDS720")
    me.page.keyboard.press("Enter")
    me.page.wait_for_url(re.compile(r"/devices/search/"))
    tab_to(me.page, "#devices-results tbody a")
    name = me.page.evaluate("document.activeElement.textContent")
    me.page.keyboard.press("Enter")
    me.page.wait_for_url(re.compile(rf"/devices/\w+/{name}/"))


def test_a_menu_opens_with_enter_moves_with_arrows_and_gives_the_focus_back(person):
    me = person()
    me.go("devices/search/?q=DDS720")
    me.page.locator("#devices-results tbody a").first.press("Enter")
    me.page.locator("[popovertarget=device-menu]").wait_for()
    tab_to(me.page, "[popovertarget=device-menu]")
    me.page.keyboard.press("Enter")
    await_focus(me.page, "#device-menu .fd-menu-item")
    me.page.keyboard.press("ArrowUp")  # from the first to the last
    assert "Delete" in me.page.evaluate("document.activeElement.textContent")
    me.page.keyboard.press("Escape")
    assert focused(me.page, "[popovertarget=device-menu]")

    me.page.keyboard.press("Enter")
    await_focus(me.page, "#device-menu .fd-menu-item")
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
    assert focused(me.page, "[popovertarget=device-menu]")


def test_a_dialog_opened_by_a_button_gives_the_focus_back_to_it(person):
    me = person()
    me.go("groups/")
    tab_to(me.page, "main a[href$='/groups/new/']")
    me.page.keyboard.press("Enter")
    await_focus(me.page, "dialog input")
    me.page.keyboard.press("Escape")
    assert focused(me.page, "main a[href$='/groups/new/']")


def test_rows_are_ticked_with_space_and_the_bar_of_actions_is_reached(person):
    me = person()
    me.go("products/")
    tab_to(me.page, "tbody input[name=selected]")
    me.page.keyboard.press("Space")
    tab_to(me.page, "tbody input[name=selected]")
    me.page.keyboard.press("Space")
    me.see("2 selected")
    for _ in range(40):  # back to the bar above the rows
        me.page.keyboard.press("Shift+Tab")
        if focused(me.page, "[data-bulk] button"):
            break
    assert focused(me.page, "[data-bulk] button")
    assert me.complaints == []
