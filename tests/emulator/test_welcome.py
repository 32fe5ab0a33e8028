"""The page that the emulator shows to a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from console.emulator import Emulator, create_app
from console.emulator.welcome.sdks import SDKS
from tests.emulator.conftest import KEY_ID, KEY_SECRET
from tests.emulator.test_core import signed

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def http(emulator: Emulator, host: str = "http://emulator.test:8601") -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url=host)


class Text(HTMLParser):
    """A page's text, and its elements."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data


def test_a_browser_gets_a_page_with_every_sdk_and_the_address_it_used(emulator: Emulator) -> None:
    answer = http(emulator).get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Text(answer.text)
    for sdk in SDKS:
        assert sdk.code("http://emulator.test:8601") in page.text
    assert "http://emulator.test:8601" in page.text
    assert KEY_SECRET not in answer.text


def test_the_address_is_the_one_it_was_told(tmp_path: Path) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={"a": "b"}, base_url="https://iot.example.com/")
    page = Text(http(app).get("/", headers=BROWSER).text)
    assert 'endpoint="iot.example.com",' in page.text
    assert 'protocol="https",' in page.text
    app.close()


def test_it_has_no_scripts_and_allows_none(emulator: Emulator) -> None:
    answer = http(emulator).get("/", headers=BROWSER)
    page = Text(answer.text)
    assert "script" not in page.tags
    assert "style" not in page.tags
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', answer.text)
    style = http(emulator).get(sheet)
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_a_strange_host_is_not_repeated(emulator: Emulator) -> None:
    answer = http(emulator).get("/", headers={**BROWSER, "Host": '"><b>x'})
    assert "<b>x" not in answer.text
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_is_a_call_whatever_it_accepts(emulator: Emulator, method: str) -> None:
    answer = http(emulator).request(method, "/", params=signed(method=method), headers=BROWSER)
    assert answer.json()["Success"] is True


def test_who_asks_for_no_html_gets_the_api_s_refusal(emulator: Emulator) -> None:
    answer = http(emulator).get("/", headers={"Accept": "*/*"})
    assert answer.status_code >= 400
    assert "html" not in answer.headers["content-type"]


def test_head_has_no_body(emulator: Emulator) -> None:
    answer = http(emulator).head("/", headers=BROWSER)
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_document_has_the_same_programs() -> None:
    document = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
    for sdk in SDKS:
        assert f"```{sdk.language}\n{sdk.code()}```" in document, sdk.name
        assert sdk.install in document


def test_keys_are_not_told(emulator: Emulator) -> None:
    assert KEY_ID not in http(emulator).get("/", headers=BROWSER).text
