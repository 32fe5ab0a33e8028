"""Real pages: a Chromium without a window, pages whose messages are recorded, and checks of their accessibility."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

# The headless shell, an edition of Chromium without its windows, takes an eighth less CPU for a page.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)
WIDE, NARROW = (1440, 900), (390, 844)


# One browser per file: while Playwright's event loop runs, Django treats this thread as asynchronous.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. The test is skipped if none is installed."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


class RecordedPages:
    """Opens pages of a server, each as a separate user with these cookies, and records the errors that they log.

    `expected`: the messages that are not recorded.
    """

    def __init__(
        self, browser: Browser, address: str, expected: str, cookies: dict[str, str] | None = None
    ) -> None:
        self.errors: list[str] = []
        self._browser = browser
        self._address = address
        self._expected = expected
        self._cookies = [
            {"name": name, "value": value, "url": address} for name, value in (cookies or {}).items()
        ]
        self._pages: list[tuple[Page, set[Request]]] = []

    def __call__(self, path: str, size: tuple[int, int] = WIDE) -> Page:
        """Open a page and wait until it has loaded what it loads by itself."""
        context = self._browser.new_context(viewport={"width": size[0], "height": size[1]})
        context.add_cookies(self._cookies)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._record_message)
        pending: set[Request] = set()
        page.on("request", lambda request: pending.add(request))
        page.on("requestfinished", lambda request: pending.discard(request))
        page.on("requestfailed", lambda request: pending.discard(request))
        self._pages.append((page, pending))
        page.goto(self._address + path)
        _wait_for_requests(page, pending)
        return page

    def close(self) -> None:
        """Close all pages. A request that this would cut off is logged as an error, so it waits for their requests."""
        for page, pending in self._pages:
            _wait_for_requests(page, pending)
            page.goto("about:blank")
            page.context.close()

    def _record_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not re.search(self._expected, message.text):
            self.errors.append(message.text)


def _wait_for_requests(page: Page, pending: set[Request]) -> None:
    page.wait_for_timeout(20)
    for _ in range(500):
        if not pending:
            return
        page.wait_for_timeout(20)
    raise TimeoutError(f"{page.url} still waits for {[request.url for request in pending]}")


AXE = Axe().axe_script
RULES = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
CONTRAST = {"type": "rule", "values": ["color-contrast"]}
# The page's script sets the theme when the preference of the browser changes.
RUN_AXE = """async ([theme, rules]) => {
    while (document.documentElement.dataset.bsTheme !== theme) await new Promise(done => setTimeout(done, 5));
    const options = {runOnly: rules, resultTypes: ["violations"], preload: false};
    return (await axe.run(options)).violations;
}"""


# Sizes of text and heights of controls (static/ui/tokens.css), in CSS pixels.
FONT_SIZES = {12, 13, 14, 16, 20, 26}
CONTROL_HEIGHTS = {28, 34, 40}
LIST_SIZES = """() => {
    const visible = [...document.body.querySelectorAll("*")].filter(one => one.checkVisibility());
    const hasText = one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const control = ".btn, .fd-filter:not(.form-check), input.form-control:not([type=file]), select.form-select:not([multiple])";
    const controls = visible.filter(one => one.matches(control) && !one.parentElement.closest(".fd-filter"));
    const name = one => one.tagName.toLowerCase() + (one.className ? "." + [...one.classList].join(".") : "");
    return {
        text: visible.filter(hasText).map(one => [parseFloat(getComputedStyle(one).fontSize), name(one)]),
        controls: controls.map(one => [one.offsetHeight, name(one)]),
    };
}"""


class Inspector:
    """Checks pages at both sizes and in both themes: no violation of axe's rules, no overflow, no message in the console.

    And no size of text and no height of a control but those of the design.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.findings: list[str] = []
        self._where = ""
        # Without motion, no color is measured during a transition.
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.on("console", self._record_message)
        page.on("pageerror", lambda error: self.findings.append(f"{self._where}: {error}"))

    def _record_message(self, message: ConsoleMessage) -> None:
        # Chromium logs every 4xx response; error pages are opened on purpose.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.findings.append(f"{self._where}: {message.text}")

    def visit(self, url: str) -> None:
        """Open a page and check it."""
        self._where = url
        self.page.goto(url)
        self.check()

    def check(
        self, state: str = "", sizes: Sequence[tuple[int, int]] = (NARROW, WIDE), *, all_themes: bool = False
    ) -> None:
        """Check the page as it is now: the first size in the light theme, the next one in the dark theme.

        `state`: its state, for the report. `all_themes`: check contrast in the other theme too, at each size. Colors do not
        depend on the size, so that is needed only where components are shown that no other page shows.
        """
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        themes = ["light", "dark"]
        for width, height in sizes:
            self._where = f"{self.page.url} {state} at {width}"
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.evaluate("scrollTo(0, 0)")  # nothing is below the sticky header
            if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.findings.append(f"{self._where}: wider than the screen")
            self._check_sizes()
            self._run_axe(themes[0], RULES)
            if all_themes or len(sizes) == 1:
                self._run_axe(themes[1], CONTRAST)
            themes.reverse()

    def _check_sizes(self) -> None:
        sizes = self.page.evaluate(LIST_SIZES)
        for kind, allowed in (("text", FONT_SIZES), ("controls", CONTROL_HEIGHTS)):
            others = {f"{size}px {name}" for size, name in sizes[kind] if size not in allowed}
            if others:
                self.findings.append(f"{self._where}: sizes of {kind}: {', '.join(sorted(others)[:5])}")

    def _run_axe(self, theme: Any, rules: dict[str, Any]) -> None:
        self.page.emulate_media(color_scheme=theme)
        for violation in self.page.evaluate(RUN_AXE, [theme, rules]):
            nodes = "; ".join(" ".join(node["target"]) for node in violation["nodes"][:3])
            why = " ".join(violation["nodes"][0].get("failureSummary", "").split())
            self.findings.append(f"{self._where} ({theme}): {violation['id']}: {nodes}: {why}")
