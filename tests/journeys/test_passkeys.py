"""Passkeys with a virtual authenticator: add one, use it as second factor, alone, and to confirm identity."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.journeys.browser_user import PASSWORD, BrowserUser

pytestmark = [pytest.mark.browser, pytest.mark.processes]
EMAIL = "viewer@demo.example"


def with_authenticator(user: BrowserUser) -> BrowserUser:
    """Adds a virtual authenticator to the browser."""
    session = user.context.new_cdp_session(user.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return user


def sign_out(user: BrowserUser) -> None:
    user.page.goto(f"{user.base}/accounts/logout/")
    user.page.locator("main [type=submit]").first.click()
    user.page.wait_for_url("**/accounts/login/**")


def enter_password(user: BrowserUser) -> None:
    user.page.goto(f"{user.base}/accounts/login/")
    user.page.fill("[name=login]", EMAIL)
    user.page.fill("[name=password]", PASSWORD)
    user.page.keyboard.press("Enter")


def use_passkey(user: BrowserUser) -> None:
    user.page.locator("form[data-passkey] [type=submit]").click()


def test_a_passkey_is_a_second_factor_a_sign_in_and_a_confirmation(
    open_browser_as: Callable[[str], BrowserUser],
) -> None:
    viewer = with_authenticator(open_browser_as(EMAIL))
    viewer.page.goto(f"{viewer.base}/account/security/")
    viewer.page.get_by_role("link", name="Add").click()
    viewer.page.fill("[name=name]", "Key of the journey")
    use_passkey(viewer)
    viewer.wait_for_text("Each code lets you sign in once")
    assert viewer.page.locator(".fd-codes code").count() == 10
    viewer.page.get_by_role("link", name="Done").click()
    viewer.wait_for_text("Key of the journey")

    sign_out(viewer)
    enter_password(viewer)
    viewer.page.wait_for_url("**/accounts/second-step/")
    use_passkey(viewer)
    viewer.page.wait_for_url("**/demo/**")

    sign_out(viewer)
    use_passkey(viewer)
    viewer.page.wait_for_url("**/demo/**")

    viewer.page.goto(f"{viewer.base}/accounts/reauthenticate/passkey/?next=/account/profile/")
    use_passkey(viewer)
    # The whole URL: the pattern "**/account/profile/" also matches the `next` of the page before.
    viewer.page.wait_for_url(f"{viewer.base}/account/profile/")

    # Other tests sign in as this user with a password alone.
    viewer.page.goto(f"{viewer.base}/account/security/")
    viewer.page.get_by_role("link", name="Remove Key of the journey").click()
    viewer.page.get_by_role("button", name="Remove passkey").click()
    viewer.page.wait_for_url("**/account/security/")
    sign_out(viewer)
    use_passkey(viewer)
    viewer.wait_for_text("Wrong or already used code")
    enter_password(viewer)
    viewer.page.wait_for_url("**/demo/**")
    assert viewer.console_errors == []


def test_the_page_says_where_passkeys_do_not_work(open_browser_as: Callable[[str], BrowserUser]) -> None:
    viewer = with_authenticator(open_browser_as(EMAIL))
    # Passkeys are for names, and this is none.
    viewer.base = viewer.base.replace("localhost", "127.0.0.1")
    viewer.page.goto(f"{viewer.base}/accounts/login/")
    use_passkey(viewer)
    viewer.wait_for_text("They require HTTPS or the address “localhost”")
    assert viewer.page.get_by_role("button", name="Sign in with a passkey").is_enabled()
