"""A running console, as `make demo` starts it, and users who sign in with a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import CHROMIUM
from tests.console_process import Quickstart
from tests.journeys.browser_user import PASSWORD, BrowserUser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a console with a small sample fleet and a fast emulator."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    home = tmp_path_factory.mktemp("journeys") / "home"
    with Quickstart(home, "--devices", "400", "--pace", "fast", FLEETDESK_ADMIN_PASSWORD=PASSWORD) as running:
        yield running.start()[0]


@pytest.fixture
def open_browser_as(browser: Browser, console: str) -> Iterator[Callable[[str], BrowserUser]]:
    """Signs a user in: `open_browser_as("viewer@demo.example")`."""
    users: list[BrowserUser] = []

    def make(email: str = "admin@demo.example") -> BrowserUser:
        users.append(BrowserUser(browser, console, email))
        return users[-1]

    yield make
    for user in users:
        # pytest shows this for a failed test: the last page.
        print(user.page.url, user.page.locator("main").inner_text()[:3000])  # noqa: T201
        user.context.close()
