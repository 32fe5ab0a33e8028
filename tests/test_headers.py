"""What every page tells the browser, made from the URLconf; cookies; and the settings of a deployment."""

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
from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]


def policy(answer: Any) -> dict[str, list[str]]:
    parts = (part.split() for part in answer["Content-Security-Policy"].split(";"))
    return {part[0]: part[1:] for part in parts if part}


class Inline(HTMLParser):
    """What of a page a strict policy would not run: scripts and styles in it, attributes that are code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (
            tag == "script" and not given.get("src") and given.get("type") != "application/json"
        ):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")):
                self.found.append(f"{tag} {name}=")
            if (value or "").strip().lower().startswith(("javascript:", "js:")):
                self.found.append(f"{tag} {name}={value}")
        for name in ("src", "href", "action", "formaction"):
            if tag in ("script", "link", "img", "form", "iframe") and re.match(
                r"(https?:)?//", given.get(name) or ""
            ):
                self.found.append(f"{tag} {name}={given[name]}")


def wrong_with(answer: Any) -> list[str]:
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    wrong = [f"{name}: {answer.get(name)}" for name, value in expected.items() if answer.get(name) != value]
    if answer.get("Referrer-Policy") not in {"same-origin", "no-referrer"}:
        wrong.append(f"Referrer-Policy: {answer.get('Referrer-Policy')}")
    if "no-store" not in answer.get("Cache-Control", ""):
        wrong.append(f"Cache-Control: {answer.get('Cache-Control')}")
    if "camera=()" not in answer.get("Permissions-Policy", ""):
        wrong.append("Permissions-Policy")
    rules = policy(answer) if "Content-Security-Policy" in answer else {}
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
    if answer.get("Content-Type", "").startswith("text/html") and not answer.streaming:
        page = Inline()
        page.feed(answer.content.decode())
        wrong += page.found
    return wrong


def test_every_answer_has_the_headers_and_no_page_has_code_in_it(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    found: dict[str, list[str]] = {}
    for name in addresses():
        # A browser of its own for each: some pages sign out, or begin to.
        for role in ("owner", "viewer", ""):
            for method in ("get", "post"):
                answer = getattr(sign_in(role), method)(populated.url(name))
                wrong = wrong_with(answer)
                if wrong:
                    found[f"{method} {name} as {role or 'nobody'}: {answer.status_code}"] = wrong
    assert found == {}


@pytest.mark.parametrize("path", ["/no/such/page/", "/accounts/login/?next=//evil.test", "/healthz"])
def test_errors_and_strangers_get_them_too(db: None, path: str) -> None:
    if path == "/healthz":
        assert Client().get(path)["Cache-Control"]
        return
    assert wrong_with(Client().get(path)) == []


def test_a_page_that_breaks_has_them_too_and_tells_nothing(
    populated: PopulatedTeam, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.products import api

    def broken(*args: Any, **kwargs: Any) -> HttpResponse:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(api, "list_products", broken)
    client = sign_in("owner")
    client.raise_request_exception = False
    answer = client.get(populated.url("products:list"))
    assert answer.status_code == 500
    assert wrong_with(answer) == []
    text = answer.content.decode()
    assert not re.search(r"secret of the inside|RuntimeError|Traceback|/console/|\.py", text)


# -- the settings of a deployment --------------------------------------------------------------------------------------

PRODUCTION = {
    "SECRET_KEY": "k3" * 30 + "Zx9-_",
    "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "ALLOWED_HOSTS": "fleet.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://fleet.example.com",
    "BEHIND_PROXY": "true",
    "DJANGO_SETTINGS_MODULE": "console.settings",
    "PATH": os.environ["PATH"],
}


def in_production(tmp_path: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**PRODUCTION, "FLEETDESK_HOME": str(tmp_path), **more}
    return subprocess.run(
        [sys.executable, *command], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_deployment_check_finds_nothing(tmp_path: Path) -> None:
    ended = in_production(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "INFO")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "no issues" in ended.stdout + ended.stderr
    assert [check for check in settings.SILENCED_SYSTEM_CHECKS if check.startswith(("security", "csp"))] == []


_ASKED = """
import django; django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
plain = client.get("/accounts/login/", headers={"host": "fleet.example.com"})
print("plain", plain.status_code, plain.get("Location"))
page = client.get("/accounts/login/", headers={"host": "fleet.example.com", "x-forwarded-proto": "https"})
print("hsts", page.get("Strict-Transport-Security"))
for cookie in page.cookies.values(): print(cookie.OutputString())
print("host", client.get("/accounts/login/", headers={"host": "evil.test", "x-forwarded-proto": "https"}).status_code)
from django.conf import settings
print(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY,
      settings.SESSION_COOKIE_SAMESITE, settings.SESSION_COOKIE_DOMAIN, settings.SESSION_COOKIE_PATH)
"""


@pytest.mark.processes
def test_a_console_in_production_is_for_its_host_over_https(tmp_path: Path) -> None:
    in_production(tmp_path, "manage.py", "migrate", "--verbosity", "0")
    in_production(tmp_path, "manage.py", "collectstatic", "--noinput", "--verbosity", "0")
    told = in_production(tmp_path, "-c", _ASKED)
    assert "plain 301 https://fleet.example.com/accounts/login/" in told.stdout, told.stderr
    assert "host 400" in told.stdout
    assert "hsts max-age=31536000; includeSubDomains; preload" in told.stdout
    cookie = next(line for line in told.stdout.splitlines() if line.startswith("__Host-fleetdesk_csrf="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert "__Host-fleetdesk_session True True Lax None /" in told.stdout


# -- logs --------------------------------------------------------------------------------------------------------------


def test_links_that_let_somebody_in_are_in_no_log(populated: PopulatedTeam) -> None:
    links = [name for name, takes in addresses().items() if "team" not in takes and takes & {"key", "token"}]
    assert "account_reset_password_from_key" in links
    for name in links:
        path = populated.url(name, key="thekeyofthelink", token="thekeyofthelink")
        assert "thekeyofthelink" in path
        assert "thekeyofthelink" not in mask_secrets(f'"GET {path} HTTP/1.1" 200'), name


def test_no_request_writes_a_line_of_its_own_into_the_logs(
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
def test_gunicorns_access_log_holds_neither_keys_nor_queries(tmp_path: Path) -> None:
    from tests.jobs.processes import free_port

    port = free_port()
    in_production(tmp_path, "manage.py", "migrate", "--verbosity", "0")
    log = tmp_path / "log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{port}"),
                *("--access-logfile", "-"),
            ],
            cwd=CHECKOUT,
            env={**PRODUCTION, "FLEETDESK_HOME": str(tmp_path)},
            stdout=written,
            stderr=written,
        )
    try:
        ask(port, "/accounts/password/reset/key/1-thekeyofthelink/?code=thecodeofsignon")
    finally:
        server.terminate()
        server.wait(20)
    text = log.read_text()
    assert "/accounts/password/reset/key/" in text, text
    assert "thekeyofthelink" not in text
    assert "thecodeofsignon" not in text


def ask(port: int, path: str) -> None:
    import time

    import httpx

    for _ in range(200):
        try:
            referer = {
                "Referer": f"http://x{path}",
                "Host": "fleet.example.com",
                "X-Forwarded-Proto": "https",
            }
            httpx.get(f"http://127.0.0.1:{port}{path}", headers=referer, trust_env=False, timeout=20)
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not answer")
