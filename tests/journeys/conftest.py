"""A running console, as `make demo` starts it, and people who sign in to it with a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.console_process import Quickstart

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
PASSWORD = "a password for journeys"


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console with a small sample fleet whose slow things are fast."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    home = tmp_path_factory.mktemp("journeys") / "home"
    with Quickstart(home, "--devices", "400", "--pace", "fast", "--admin-password", PASSWORD) as running:
        yield running.start()[0]


# For one file only: while Playwright's event loop lives, Django takes this thread for an asynchronous one.
@pytest.fixture(scope="module")
def browser(console: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


class Person:
    """Somebody at a browser. `complaints` are what the browser's console said: there should be nothing."""

    def __init__(self, browser: Browser, console: str, email: str) -> None:
        self.base = console
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.goto(f"{console}/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)

    def _hear(self, message) -> None:
        # A form with mistakes answers 422, which Chromium notes.
        if message.type in {"error", "warning"} and "422" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str):
        """Open a page of the demo connection; the response."""
        return self.page.goto(f"{self.base}/demo/sandbox/{path}")

    def see(self, text: str, timeout: float = 15_000) -> None:
        """Wait until the text stands on the page."""
        self.page.get_by_text(text).filter(visible=True).first.wait_for(timeout=timeout)

    def click(self, name: str, role: str = "button") -> None:
        """Press what has that name."""
        self.page.get_by_role(role, name=name).first.click()

    def download(self, path_pattern: str) -> str:
        """Press the link to that file and read what comes."""
        with self.page.expect_download() as waiting:
            self.page.locator(f'a[href*="{path_pattern}"]').first.click()
        return Path(waiting.value.path()).read_text(encoding="utf-8-sig")


@pytest.fixture
def person(browser: Browser, console: str) -> Iterator[Callable[[str], Person]]:
    """Signs somebody in: `person("viewer@demo.example")`."""
    people: list[Person] = []

    def make(email: str = "admin@demo.example") -> Person:
        people.append(Person(browser, console, email))
        return people[-1]

    yield make
    for one in people:
        # Shown by pytest for a journey that failed: where it ended.
        print(one.page.url, one.page.locator("main").inner_text()[:3000])  # noqa: T201
        one.context.close()
