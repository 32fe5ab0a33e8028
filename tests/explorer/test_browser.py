"""The explorer in a real browser: keyboard, both themes, both widths, and what scripts do."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from playwright.sync_api import expect

from console.areas.products import api as products_api
from tests.browser import Inspector, RecordedPages

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(live_server, browser, fleet, org, sign_in):
    """Opens a page of the connection as an owner. At the end, the browser must not have logged errors."""
    cookies = {settings.SESSION_COOKIE_NAME: sign_in("owner").cookies[settings.SESSION_COOKIE_NAME].value}
    pages = RecordedPages(browser, live_server.url + org.url(), "422", cookies)
    yield pages
    pages.close()
    assert pages.errors == []


PAGES = [
    "explorer/",
    "explorer/?q=nothingislikethis",
    "explorer/CreateOTAStaticUpgradeJob/?Tag.1.Key=a&SrcVersion.1=1.0.0",
    "explorer/DeleteDevice/",
    "explorer/SaveDeviceProp/",
    "explorer/history/",
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_accessibility_violations_and_no_horizontal_overflow(open_page, path):
    inspector = Inspector(open_page(path))
    inspector.check()
    assert not inspector.findings, "\n".join(inspector.findings)


def test_a_response_has_no_accessibility_violations_and_no_horizontal_overflow(open_page):
    page = open_page("explorer/QueryProductList/?CurrentPage=1&PageSize=5")
    page.click("#ex-send")
    page.wait_for_selector("#ex-sent")
    page.click("summary:has-text('Request as sent')")
    inspector = Inspector(page)
    inspector.check()
    assert not inspector.findings, "\n".join(inspector.findings)


def test_an_operation_is_found_opened_and_sent_by_keyboard_alone(open_page):
    page = open_page("explorer/")
    assert page.evaluate("document.activeElement.id") == "ex-q"
    page.keyboard.type("querydevicedet")
    expect(page.locator(".ex-operations a").first).to_contain_text("QueryDeviceDetail")
    page.keyboard.press("ArrowDown")
    assert "QueryDeviceDetail" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "ex-q"
    page.keyboard.press("Enter")
    page.wait_for_url("**/explorer/QueryDeviceDetail/")
    page.focus("[name=IotId]")
    page.keyboard.type("nothing")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#ex-sent")
    expect(page.locator("#ex-sent-title")).to_be_focused()
    assert page.input_value("[name=IotId]") == "nothing"


def test_products_and_devices_are_suggested_while_typing(open_page):
    page = open_page("explorer/QueryDeviceDetail/")
    page.focus("[name=ProductKey]")
    page.wait_for_selector("datalist option", state="attached")
    options = "element => [...element.list.options].map(option => option.value)"
    keys = page.eval_on_selector("[name=ProductKey]", options)
    assert len(keys) == 6
    page.fill("[name=ProductKey]", keys[3])
    page.focus("[name=DeviceName]")
    expect(page.locator("datalist[data-for=id_DeviceName] option")).not_to_have_count(0)


def test_json_is_checked_and_indented_without_changing_its_numbers(open_page):
    page = open_page("explorer/SaveDeviceProp/")
    page.fill("[name=Props]", '{"big": 12345678901234567890,')
    assert "Invalid JSON" in page.inner_text(".ex-json-status")
    assert not page.is_visible("[data-ex-indent]")
    page.fill("[name=Props]", '{"big":12345678901234567890,"t":"a, {b}","e":[],"n":[1,{"x":null}]}')
    assert page.inner_text(".ex-json-status") == "Valid JSON"
    page.click("[data-ex-indent]")
    assert page.input_value("[name=Props]") == (
        '{\n  "big": 12345678901234567890,\n  "t": "a, {b}",\n  "e": [],\n  "n": [\n    1,\n    {\n      "x": null\n    }\n  ]\n}'
    )


def test_rows_keep_their_input_and_enter_does_not_add_a_row(open_page):
    page = open_page("explorer/BatchAddDeviceGroupRelations/")
    page.fill("[name=GroupId]", "kept")
    page.fill("[name='Device.1.DeviceName']", "one")
    page.click("button[name=add_row]")
    page.wait_for_selector("[name='Device.2.DeviceName']")
    assert page.evaluate("document.activeElement.name").startswith("Device.2.")
    assert page.input_value("[name=GroupId]") == "kept"
    page.fill("[name='Device.2.DeviceName']", "two")
    page.click("button[name=remove_row][value='Device.1']")
    expect(page.locator(".ex-row")).to_have_count(1)
    assert page.input_value("[name='Device.1.DeviceName']") == "two"
    page.focus("[name=GroupId]")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-invalid=true]")
    expect(page.locator(".ex-row")).to_have_count(1)


def test_the_code_follows_the_form_and_the_response_stays(open_page):
    page = open_page("explorer/QueryProductList/?CurrentPage=1&PageSize=7")
    page.click("#ex-send")
    page.wait_for_selector("#ex-sent")
    page.click(".ex-languages button:has-text('Python')")
    expect(page.locator("#ex-code pre")).to_contain_text("page_size=7")
    page.fill("[name=PageSize]", "9")
    page.focus("[name=CurrentPage]")
    expect(page.locator("#ex-code pre")).to_contain_text("page_size=9")
    assert page.is_visible("#ex-sent")
    page.click("#ex-send")
    expect(page.locator("#ex-code pre")).to_contain_text("page_size=9")


def test_a_change_while_the_code_of_another_language_is_loading_is_not_lost(open_page):
    page = open_page("explorer/QueryProductList/?CurrentPage=1&PageSize=7")

    def delay(route):
        page.wait_for_timeout(600)
        route.continue_()

    page.route("**/explorer/QueryProductList/", delay, times=1)
    page.click(".ex-languages button:has-text('Java')")
    page.fill("[name=PageSize]", "9")
    page.focus("[name=CurrentPage]")
    expect(page.locator("#ex-code pre")).to_contain_text("setPageSize(9)")
    expect(page.locator(".ex-languages [aria-pressed=true]")).to_have_text("Java")


def test_a_delete_request_requires_typing_its_name(open_page, org):
    products = products_api.list_products(org.gateway()).products
    page = open_page(f"explorer/DeleteProduct/?ProductKey={products[0].key}")
    assert page.is_disabled("#ex-send")
    page.focus("[name=ProductKey]")
    page.keyboard.press("Enter")
    page.fill("[name=typed]", "DeleteProducts")
    assert page.is_disabled("#ex-send")
    page.fill("[name=typed]", "DeleteProduct")
    page.click("#ex-send")
    page.wait_for_selector("#ex-sent")
    assert page.is_disabled("#ex-send")


def test_the_response_can_be_downloaded_and_expanded(open_page):
    page = open_page("explorer/ListThingTemplates/")
    page.click("#ex-send")
    page.wait_for_selector("#ex-sent")
    if page.locator("[data-more]").count():
        before = page.locator(".ex-node").count()
        page.click("[data-more]")
        assert page.locator(".ex-node").count() > before
    page.click("summary:has-text('Raw JSON')")
    with page.expect_download() as download:
        page.click("[data-ex-download]")
    assert download.value.suggested_filename == "ListThingTemplates.json"


def test_pages_link_to_their_call_in_the_explorer(open_page, org):
    product = products_api.list_products(org.gateway()).products[0]
    page = open_page(f"products/{product.key}/")
    page.click("[popovertarget=actions-menu]")
    page.click("text=View API call")
    page.wait_for_url(re.compile(r"/explorer/QueryProduct/\?ProductKey="))
    assert page.input_value("[name=ProductKey]") == product.key
    page.click("#ex-send")
    expect(page.locator("#ex-sent")).to_contain_text(product.name)
