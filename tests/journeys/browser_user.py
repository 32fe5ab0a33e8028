"""A user of the running console with a real browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, TimeoutError

PASSWORD = "a password for journeys"


class BrowserUser:
    """A signed-in user with a browser. `console_errors`: the messages of the browser's console; none are expected.

    `cookies`: those of an earlier browser of the user, whose session is used if it has not ended. The console accepts 30 sign-ins
    a minute.
    """

    def __init__(self, browser: Browser, console: str, email: str, cookies: Sequence[Any] = ()) -> None:
        self.base = console
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.console_errors: list[str] = []
        self.page.on("console", self._record_message)
        self.context.add_cookies(list(cookies))
        self.page.goto(f"{console}/accounts/login/")  # leads to the console if the session has not ended
        if "/accounts/login" in self.page.url:
            self._sign_in(email)
        self.cookies = self.context.cookies()

    def _sign_in(self, email: str) -> None:
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        try:
            self.page.wait_for_url(lambda url: "/accounts/login" not in url)
        except TimeoutError as error:
            raise AssertionError(f"not signed in: {self.page.inner_text('body')[:2000]}") from error

    def _record_message(self, message) -> None:
        # Chromium logs the status 422 of a form with errors.
        if message.type in {"error", "warning"} and "422" not in message.text:
            self.console_errors.append(message.text)

    def open(self, path: str):
        """Opens a page of the demo connection and returns the response."""
        return self.page.goto(f"{self.base}/demo/sandbox/{path}")

    def find_product_key(self) -> str:
        """Return the key of the sample product with meters."""
        self.open("products/?q=Smart")
        return (self.page.locator("tbody a").first.get_attribute("href") or "").rstrip("/").rpartition("/")[2]

    def wait_for_text(self, text: str, timeout: float = 15_000) -> None:
        """Waits until the text is visible."""
        self.page.get_by_text(text).filter(visible=True).first.wait_for(timeout=timeout)

    def click(self, name: str, role: str = "button") -> None:
        """Clicks the first element with this role and name."""
        self.page.get_by_role(role, name=name).first.click()

    def download(self, path_pattern: str) -> str:
        """Clicks the link to the file and returns its content."""
        with self.page.expect_download() as waiting:
            self.page.locator(f'a[href*="{path_pattern}"]').first.click()
        return Path(waiting.value.path()).read_text(encoding="utf-8-sig")


def list_links(page: Page, address: str, pattern: str) -> list[str]:
    """The paths that a page links to and that match the pattern, in order."""
    page.goto(address)
    found = page.eval_on_selector_all("main a", "all => all.map(a => a.getAttribute('href') || '')")
    return list(dict.fromkeys(href for href in found if re.fullmatch(pattern, href)))
