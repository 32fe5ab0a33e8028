"""The headers of every page of the URLconf, cookies, and the settings of a deployment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from console.logs import mask_secrets
from tests.console_process import CHECKOUT
from tests.populated import PopulatedTeam, list_addresses

SignIn = Callable[[str], Client]


def read_policy(response: Any) -> dict[str, list[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {part[0]: part[1:] for part in parts if part}


class InlineCodeParser(HTMLParser):
    """Finds what a strict policy would not run: inline scripts and styles, and attributes with code."""

    def __init__(self) -> None:
        super().__init__()
        self.inline_code: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "style" or (
            tag == "script" and not attributes.get("src") and attributes.get("type") != "application/json"
        ):
            self.inline_code.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")):
                self.inline_code.append(f"{tag} {name}=")
            if (value or "").strip().lower().startswith(("javascript:", "js:")):
                self.inline_code.append(f"{tag} {name}={value}")
        for name in ("src", "href", "action", "formaction"):
            if tag in ("script", "link", "img", "form", "iframe") and re.match(
                r"(https?:)?//", attributes.get(name) or ""
            ):
                self.inline_code.append(f"{tag} {name}={attributes[name]}")


def find_header_errors(response: Any) -> list[str]:
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    wrong = [
        f"{name}: {response.get(name)}" for name, value in expected.items() if response.get(name) != value
    ]
    if response.get("Referrer-Policy") not in {"same-origin", "no-referrer"}:
        wrong.append(f"Referrer-Policy: {response.get('Referrer-Policy')}")
    if "no-store" not in response.get("Cache-Control", ""):
        wrong.append(f"Cache-Control: {response.get('Cache-Control')}")
    if "camera=()" not in response.get("Permissions-Policy", ""):
        wrong.append("Permissions-Policy")
    rules = read_policy(response) if "Content-Security-Policy" in response else {}
    for name, sources in rules.items():
        loose = {
            "'unsafe-inline'",
            "'unsafe-eval'",
            "'unsafe-hashes'",
            "*",
            "http:",
            "https:",
            "blob:",
        } & set(sources)
        if loose or (name != "img-src" and "data:" in sources):
            wrong.append(f"{name} {sources}")
    needed = {name: ["'none'"] for name in ("default-src", "base-uri", "frame-ancestors")}
    needed |= {name: ["'self'"] for name in ("script-src", "style-src", "form-action", "connect-src")}
    wrong += [f"{name} {rules.get(name)}" for name, sources in needed.items() if rules.get(name) != sources]
    if response.get("Content-Type", "").startswith("text/html") and not response.streaming:
        parser = InlineCodeParser()
        parser.feed(response.content.decode())
        wrong += parser.inline_code
    return wrong


def test_every_response_has_the_headers_and_no_page_has_code_in_it(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    errors: dict[str, list[str]] = {}
    for name in list_addresses():
        # A separate client for each request: some pages sign the user out.
        for role in ("owner", "viewer", ""):
            for method in ("get", "post"):
                response = getattr(sign_in(role), method)(populated.url(name))
                wrong = find_header_errors(response)
                if wrong:
                    errors[f"{method} {name} as {role or 'nobody'}: {response.status_code}"] = wrong
    assert errors == {}


@pytest.mark.parametrize("path", ["/no/such/page/", "/accounts/login/?next=//evil.test", "/healthz"])
def test_responses_to_visitors_have_the_headers(db: None, path: str) -> None:
    if path == "/healthz":
        assert Client().get(path)["Cache-Control"]
        return
    assert find_header_errors(Client().get(path)) == []


def test_an_internal_error_page_has_the_headers_and_reveals_nothing(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.areas.products import api

    def broken(*args: Any, **kwargs: Any) -> HttpResponse:
        raise RuntimeError("an internal secret")

    monkeypatch.setattr(api, "list_products", broken)
    client = sign_in("owner")
    client.raise_request_exception = False
    response = client.get(populated.url("products:list"))
    assert response.status_code == 500
    assert find_header_errors(response) == []
    text = response.content.decode()
    assert not re.search(r"internal secret|RuntimeError|Traceback|/console/|\.py", text)


# -- the settings of a deployment --------------------------------------------------------------------------------------

PRODUCTION = {
    "SECRET_KEY": "k3" * 30 + "Zx9-_",
    "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "ALLOWED_HOSTS": "fleet.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://fleet.example.com",
    "TRUSTED_PROXIES": "127.0.0.1",
    "DJANGO_SETTINGS_MODULE": "console.settings",
    "PATH": os.environ["PATH"],
}


def in_production(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**PRODUCTION, "FLEETDESK_HOME": str(tmp_path)}
    return subprocess.run(
        [sys.executable, *command], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of a deployment with an empty database."""
    home = tmp_path_factory.mktemp("deployment")
    in_production(home, "manage.py", "migrate", "--verbosity", "0")
    return home


def test_the_deployment_check_finds_nothing(tmp_path: Path) -> None:
    result = in_production(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "INFO")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "no issues" in result.stdout + result.stderr
    assert [check for check in settings.SILENCED_SYSTEM_CHECKS if check.startswith(("security", "csp"))] == []


_PROBE = """
import django; django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
plain = client.get("/accounts/login/", headers={"host": "fleet.example.com"})
print("plain", plain.status_code, plain.get("Location"))
page = client.get("/accounts/login/", secure=True, headers={"host": "fleet.example.com"})
print("hsts", page.get("Strict-Transport-Security"))
for cookie in page.cookies.values(): print(cookie.OutputString())
print("host", client.get("/accounts/login/", secure=True, headers={"host": "evil.test"}).status_code)
from django.conf import settings
from django.templatetags.static import static
script = client.get(static("ui/lists.js"), secure=True, headers={"host": "fleet.example.com", "accept-encoding": "gzip"})
print("script", script["Cache-Control"], script["Content-Encoding"])
print(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY,
      settings.SESSION_COOKIE_SAMESITE, settings.SESSION_COOKIE_DOMAIN, settings.SESSION_COOKIE_PATH)
"""


@pytest.mark.processes
def test_a_console_in_production_is_for_its_host_over_https(migrated_home: Path) -> None:
    in_production(migrated_home, "manage.py", "collectstatic", "--noinput", "--verbosity", "0")
    output = in_production(migrated_home, "-c", _PROBE)
    assert "plain 301 https://fleet.example.com/accounts/login/" in output.stdout, output.stderr
    assert "host 400" in output.stdout
    assert "hsts max-age=31536000; includeSubDomains; preload" in output.stdout
    cookie = next(line for line in output.stdout.splitlines() if line.startswith("__Host-fleetdesk_csrf="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert "script max-age=315360000, public, immutable gzip" in output.stdout
    assert "__Host-fleetdesk_session True True Lax None /" in output.stdout


# -- logs --------------------------------------------------------------------------------------------------------------


def test_one_time_links_are_in_no_log(populated: PopulatedTeam) -> None:
    links = [
        name for name, takes in list_addresses().items() if "team" not in takes and takes & {"key", "token"}
    ]
    assert "account_reset_password_from_key" in links
    for name in links:
        path = populated.url(name, key="thekeyofthelink", token="thekeyofthelink")
        assert "thekeyofthelink" in path
        assert "thekeyofthelink" not in mask_secrets(f'"GET {path} HTTP/1.1" 200'), name


def test_no_request_can_forge_a_log_line(
    populated: PopulatedTeam, sign_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "%0d%0a2026-01-01%20INFO%20all%20is%20well"
    sign_in("owner").get(f"/acme/nothing{forged}/?q={forged}")
    Client(enforce_csrf_checks=True).post(f"/accounts/login/?next={forged}", {"login": "a\r\nall is well"})
    Client().get("/", headers={"Host": "elsewhere.test", "User-Agent": "a\r\nall is well"})
    assert len(caplog.records) >= 3
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "\n" in line or "\r" in line] == []


@pytest.mark.processes
def test_gunicorns_access_log_contains_neither_keys_nor_queries(migrated_home: Path, tmp_path: Path) -> None:
    from tests.jobs.processes import free_port

    port = free_port()
    log = tmp_path / "log"
    with log.open("w") as log_file:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}"),
                *("--access-logfile", "-"),
            ],
            cwd=CHECKOUT,
            env={**PRODUCTION, "FLEETDESK_HOME": str(migrated_home)},
            stdout=log_file,
            stderr=log_file,
        )
    try:
        status = request_page(port, "/accounts/password/reset/key/1-thekeyofthelink/?code=thecodeofsignon")
    finally:
        server.terminate()
        server.wait(60)
    text = log.read_text()
    assert status == 200, "the scheme that a trusted proxy reports is believed"
    assert "/accounts/password/reset/key/" in text, text
    assert "thekeyofthelink" not in text
    assert "thecodeofsignon" not in text


def request_page(port: int, path: str) -> int:
    import time

    import httpx

    for _ in range(200):
        try:
            referer = {
                "Referer": f"http://x{path}",
                "Host": "fleet.example.com",
                "X-Forwarded-Proto": "https",
            }
            response = httpx.get(
                f"http://127.0.0.1:{port}{path}", headers=referer, trust_env=False, timeout=20
            )
            return response.status_code
        except httpx.ConnectError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not respond")
