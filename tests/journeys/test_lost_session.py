"""A session that ends while a user fills in a form: after signing in again in another tab, the form is sent."""

from __future__ import annotations

import pytest

from tests.journeys.browser_user import PASSWORD, BrowserUser

pytestmark = [pytest.mark.browser, pytest.mark.processes]
EMAIL = "admin@demo.example"


def lose_session(me: BrowserUser) -> None:
    """Remove the cookie of the session, as its end does."""
    me.context.clear_cookies(name="fleetdesk_session")


def sign_in_in_new_tab(me: BrowserUser, email: str = EMAIL) -> None:
    """Follow the link of the message about the lost session, sign in in the new tab, and close it."""
    with me.context.expect_page() as waiting:
        me.page.get_by_role("link", name="Open sign-in in a new tab").click()
    tab = waiting.value
    tab.fill("[name=login]", email)
    tab.fill("[name=password]", PASSWORD)
    tab.keyboard.press("Enter")
    tab.wait_for_url(lambda url: "/accounts/login" not in url)
    tab.close()


def messages(me: BrowserUser) -> list[str]:
    return me.page.locator(".fd-toast-text").all_inner_texts()


def test_a_form_with_a_file_is_sent_after_signing_in_again(open_browser_as):
    me = open_browser_as(new_session=True)
    me.open("devices/registrations/new/")
    me.page.locator("select[name=product]").select_option(index=1)
    file = {"name": "lost.csv", "mimeType": "text/csv", "buffer": b"DeviceName\nlost-session-1\n"}
    me.page.locator("input[type=file]").set_input_files([file])
    lose_session(me)
    me.click("Check file")
    me.wait_for_text("You are signed out. Your input is kept.")
    sign_in_in_new_tab(me)
    me.click("Check file")
    me.wait_for_text("lost.csv")
    me.page.wait_for_url("**/jobs/*/")
    assert "Your role does not allow this." not in messages(me)


def test_a_dialog_is_sent_after_signing_in_again(open_browser_as):
    me = open_browser_as(new_session=True)
    me.open("groups/")
    me.click("Create group", role="link")
    me.page.locator("dialog [name=name]").fill("lost_session_group")
    lose_session(me)
    me.page.locator("dialog [type=submit]").click()
    me.wait_for_text("You are signed out. Your input is kept.")
    sign_in_in_new_tab(me)
    assert me.page.locator("dialog [name=name]").input_value() == "lost_session_group"
    me.page.locator("dialog [type=submit]").click()
    me.page.wait_for_url("**/groups/*/")
    me.wait_for_text("lost_session_group")
    assert all("signed out" not in text for text in messages(me))


def test_the_message_goes_away_when_another_tab_signs_in(open_browser_as):
    me = open_browser_as(new_session=True)
    me.open("groups/new/")
    lose_session(me)
    me.page.locator("main form [type=submit]").last.click()
    me.wait_for_text("You are signed out. Your input is kept.")
    sign_in_in_new_tab(me)
    me.page.locator(".fd-toast", has_text="You are signed out.").wait_for(state="detached")


def test_another_user_does_not_send_the_form(open_browser_as):
    me = open_browser_as(new_session=True)
    me.open("groups/new/")
    me.page.locator("main [name=name]").fill("of_another_user")
    lose_session(me)
    me.page.locator("main form [type=submit]").last.click()
    me.wait_for_text("You are signed out. Your input is kept.")
    sign_in_in_new_tab(me, "operator@demo.example")
    me.page.locator("main form [type=submit]").last.click()
    me.wait_for_text("Another user has signed in with this browser.")
    assert me.page.locator("main [name=name]").input_value() == "of_another_user"


def test_a_page_that_refreshes_itself_stops_after_the_session_ended_and_goes_on_later(open_browser_as):
    me = open_browser_as(new_session=True)
    me.open("devices/")
    requests: list[str] = []
    me.page.on(
        "request", lambda request: requests.append(request.url) if "x-poll" in request.headers else None
    )
    me.page.evaluate(
        """() => {
            document.getElementById('content').insertAdjacentHTML('beforeend',
                '<div data-poll hx-get="/demo/sandbox/jobs/tray/" hx-trigger="every 200ms" hx-swap="none"></div>');
            htmx.process(document.getElementById('content'));
        }"""
    )
    me.page.wait_for_timeout(1000)
    assert len(requests) >= 2
    lose_session(me)
    me.wait_for_text("You are signed out. Your input is kept.")
    requests.clear()
    me.page.wait_for_timeout(1500)
    assert requests == []
    sign_in_in_new_tab(me)
    me.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    me.page.locator(".fd-toast", has_text="You are signed out.").wait_for(state="detached")
    assert requests
