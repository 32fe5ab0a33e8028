"""Single sign-on with a real browser and provider: all redirects pass the content security policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import CHROMIUM
from tests.console_process import Quickstart
from tests.identity_provider import CLIENT_SECRET, IdentityProvider
from tests.journeys.browser_user import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.processes]


@pytest.fixture(scope="module")
def organization() -> Iterator[IdentityProvider]:
    """An identity provider."""
    provider = IdentityProvider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture(scope="module")
def console(organization: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console that uses the identity provider."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    variables = {
        "INSECURE_HTTP": "true",
        "OIDC_ISSUER": organization.address,
        "OIDC_CLIENT_ID": "fleetdesk",
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_NAME": "Corp Login",
        "SIGN_ON_DOMAINS": "corp.test:demo",
    }
    home = tmp_path_factory.mktemp("sign-on") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        running = Quickstart(home, "--devices", "20", "--pace", "fast", FLEETDESK_ADMIN_PASSWORD=PASSWORD)
    with running:
        yield running.start()[0]


def sign_in_through_provider(browser: Browser, console: str, sub: str) -> Page:
    """Opens the console in a new browser and signs in at the provider."""
    page = browser.new_context().new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{console}/demo/sandbox/products/")
    page.get_by_role("button", name="Sign in with Corp Login").click()
    page.fill("[name=sub]", sub)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{console}/**")
    return page


def test_an_owner_admits_and_removes_a_group_by_a_rule(browser, console, organization, open_browser_as):
    organization.add_user("ada", groups=["fleet-ops"])
    owner = open_browser_as()
    owner.page.goto(f"{console}/demo/-/sign-on/add/")
    owner.page.get_by_label("Claim from the identity provider").check()
    owner.page.fill("[name=claim]", "groups")
    owner.page.fill("[name=value]", "fleet-ops")
    owner.page.get_by_label("Operator").check()
    owner.click("Add rule")
    owner.wait_for_text("groups: fleet-ops")

    ada = sign_in_through_provider(browser, console, "ada")
    ada.wait_for_url(f"{console}/demo/sandbox/products/")  # the requested page
    assert ada.get_by_role("link", name="Products").first.is_visible()

    owner.page.goto(f"{console}/demo/-/sign-on/")
    owner.page.get_by_role("link", name="Delete groups fleet-ops").click()
    owner.click("Delete")
    owner.wait_for_text("No rules yet")
    again = sign_in_through_provider(browser, console, "ada")
    assert again.get_by_role("heading", name="No access to a team").is_visible()
    assert owner.console_errors == []
