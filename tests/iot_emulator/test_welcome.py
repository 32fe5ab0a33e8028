"""The page that the emulator shows to a browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from iot_emulator import Emulator, create_app
from iot_emulator.welcome.sdks import SDKS
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, signed_fields

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def http_client(emulator: Emulator, host: str = "http://emulator.test:8601") -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url=host)


class PageParser(HTMLParser):
    """Collects the text, the elements and the attributes of a page."""

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
    response = http_client(emulator).get("/", headers=BROWSER)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = PageParser(response.text)
    for sdk in SDKS:
        assert sdk.code("http://emulator.test:8601") in page.text
    assert "http://emulator.test:8601" in page.text
    assert KEY_SECRET not in response.text


def test_the_page_uses_the_base_url_of_the_options(tmp_path: Path) -> None:
    app = create_app(tmp_path / "e.sqlite3", keys={"a": "b"}, base_url="https://iot.example.com/")
    page = PageParser(http_client(app).get("/", headers=BROWSER).text)
    assert 'endpoint="iot.example.com",' in page.text
    assert 'protocol="https",' in page.text
    app.close()


def test_the_page_has_no_scripts_and_allows_none(emulator: Emulator) -> None:
    response = http_client(emulator).get("/", headers=BROWSER)
    page = PageParser(response.text)
    assert "script" not in page.tags
    assert "style" not in page.tags
    assert not [name for name in page.attributes if name == "style" or name.startswith("on")]
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', response.text)
    style = http_client(emulator).get(sheet)
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_an_invalid_host_header_is_not_shown(emulator: Emulator) -> None:
    response = http_client(emulator).get("/", headers={**BROWSER, "Host": '"><b>x'})
    assert "<b>x" not in response.text
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_api_call_that_accepts_html_gets_an_api_response(emulator: Emulator, method: str) -> None:
    response = http_client(emulator).request(
        method, "/", params=signed_fields(method=method), headers=BROWSER
    )
    assert response.json()["Success"] is True


def test_a_request_that_does_not_accept_html_gets_an_api_error(emulator: Emulator) -> None:
    response = http_client(emulator).get("/", headers={"Accept": "*/*"})
    assert response.status_code >= 400
    assert "html" not in response.headers["content-type"]


def test_a_head_request_has_no_body(emulator: Emulator) -> None:
    response = http_client(emulator).head("/", headers=BROWSER)
    assert (response.status_code, response.content) == (200, b"")


def test_the_documentation_has_the_same_programs() -> None:
    document = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
    for sdk in SDKS:
        assert f"```{sdk.language}\n{sdk.code()}```" in document, sdk.name
        assert sdk.install in document


def test_the_page_does_not_contain_keys(emulator: Emulator) -> None:
    assert KEY_ID not in http_client(emulator).get("/", headers=BROWSER).text
