"""The confirmation of the identity in a real browser: what was typed is saved after it, without a second click."""

from __future__ import annotations

import pytest
from django.conf import settings
from playwright.sync_api import expect

from console.accounts.models import CustomRole
from tests.browser import RecordedPages
from tests.conftest import PASSWORD
from tests.sign_in.helpers import client_signed_in_before

pytestmark = pytest.mark.browser


@pytest.fixture
def open_page(live_server, browser, org):
    """Opens pages as an owner who signed in an hour ago. At the end, the browser must not have logged errors."""
    client = client_signed_in_before(org.members["owner"])
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
    pages = RecordedPages(browser, live_server.url, "422", cookies)
    yield pages
    pages.close()
    assert pages.errors == []


def test_a_form_is_saved_after_the_confirmation_as_it_was_filled_in(open_page, org):
    page = open_page("/acme/-/roles/add/?from=operator")
    page.fill("[name=name]", "Night shift")
    page.check("input[name=level_groups][value='1']", force=True)
    page.click("main [type=submit]:has-text('Create role')")
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/-/roles/night-shift/")
    expect(page.locator("h1")).to_contain_text("Night shift")
    assert CustomRole.objects.get().levels["groups"] == 1


def test_a_form_with_an_error_is_shown_with_it_after_the_confirmation(open_page):
    page = open_page("/acme/-/settings/")
    page.fill("[name=audit_keep_days]", "-5")
    page.click("main form [type=submit]")
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=audit_keep_days][aria-invalid=true]")
    assert page.input_value("[name=audit_keep_days]") == "-5"
    assert "resume" not in page.url
