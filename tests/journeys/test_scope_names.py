"""The access scope of a member in a browser: products by their names."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_the_page_of_a_member_shows_the_products_of_the_scope_by_name(open_browser_as):
    me = open_browser_as()
    me.open("products/?q=Street")
    name = me.page.locator("#products-results td.fd-primary").first.inner_text()
    key = me.page.locator("#products-results tbody input[name=selected]").first.get_attribute("value")
    me.page.goto(f"{me.base}/demo/-/members/")
    member = me.page.get_by_role("link", name="Demo Viewer").get_attribute("href")
    saved = "Role and access scope of Demo Viewer saved."
    edit = f"{me.base}{member}edit/"
    me.page.goto(edit)
    me.page.check("[name=scope][value=part]")
    me.page.locator("#id_products").fill(key)
    me.page.locator("#content form [type=submit]").last.click()
    me.wait_for_text(saved)
    try:
        me.page.goto(f"{me.base}{member}")
        expect(me.page.locator("[data-key-names] li")).to_have_text(f"{name} {key}")
    finally:
        me.page.goto(edit)
        me.page.check("[name=scope][value=all]")
        me.page.locator("#content form [type=submit]").last.click()
        me.wait_for_text(saved)
