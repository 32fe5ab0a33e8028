"""A running console, as `make demo` starts it, and users who sign in with a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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


@pytest.fixture(scope="session")
def cookies_by_email() -> dict[str, list[Any]]:
    """The cookies of users who have signed in, by their email addresses."""
    return {}


@pytest.fixture
def open_browser_as(
    browser: Browser, console: str, cookies_by_email: dict[str, list[Any]]
) -> Iterator[Callable[[str], BrowserUser]]:
    """Opens a browser in which a user is signed in: `open_browser_as("viewer@demo.example")`. A second browser of the same user has
    a session of its own, and so has one with `new_session`."""
    users: list[BrowserUser] = []
    emails: set[str] = set()

    def make(email: str = "admin@demo.example", *, new_session: bool = False) -> BrowserUser:
        cookies = () if new_session or email in emails else cookies_by_email.get(email, ())
        user = BrowserUser(browser, console, email, cookies)
        if email not in emails:
            cookies_by_email[email] = user.cookies
        emails.add(email)
        users.append(user)
        return user

    yield make
    for user in users:
        # pytest shows this for a failed test: the last page.
        print(user.page.url, user.page.locator("main").inner_text()[:3000])  # noqa: T201
        user.context.close()
