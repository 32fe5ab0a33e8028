"""No address of the URLconf redirects to another host, whatever the request contains."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from django.test import Client

from tests.conftest import PASSWORD, Organization
from tests.populated import PopulatedTeam, list_addresses

SignIn = Callable[[str], Client]
OTHER_HOSTS = [
    "https://evil.test/",
    "//evil.test/",
    "///evil.test/",
    "/\\evil.test/",
    "\\\\evil.test/",
    "https:evil.test",
    "http:///evil.test",
    "/\t/evil.test/",
    "\x01//evil.test/",
    " //evil.test/",
    "https://testserver@evil.test/",
    "https://testserver.evil.test/",
    "javascript:alert(1)",
    "data:text/html,x",
]
NAMES = (
    "next",
    "redirect_to",
    "redirect",
    "return",
    "return_to",
    "url",
    "back",
    "continue",
    "process",
    "last_connection",
)
REDIRECT_HEADERS = (
    "Location",
    "HX-Redirect",
    "HX-Location",
    "HX-Push-Url",
    "HX-Replace-Url",
    "X-Sign-In",
    "Refresh",
    "Link",
)


def is_external(target: str) -> bool:
    """Whether a browser would open another host or run code. Browsers drop tabs and read backslashes as slashes."""
    normalized = re.sub(r"[\t\r\n]", "", target).strip("".join(map(chr, range(33)))).replace("\\", "/")
    parts = urlsplit(urljoin("http://testserver/here/", normalized))
    return parts.scheme not in {"http", "https"} or parts.netloc not in {"testserver", ""}


def find_external_redirects(response: Any) -> list[str]:
    return [
        f"{name}: {response[name]}"
        for name in REDIRECT_HEADERS
        if name in response and is_external(response[name])
    ]


@pytest.mark.parametrize("other_host", ["//evil.test/", "/\\evil.test/"])
def test_no_address_redirects_to_another_host(
    populated: PopulatedTeam, sign_in: SignIn, other_host: str
) -> None:
    named = dict.fromkeys(NAMES, other_host)
    forged = other_host.strip().replace("\t", "").replace("\x01", "")
    headers = {"Referer": forged, "HX-Current-URL": forged, "Origin": forged}
    wrong = []
    for name in list_addresses():
        url = populated.url(name)
        for role, more in (("owner", {}), ("owner", {"HX-Request": "true"}), ("", {})):
            # A separate client for each request: some pages sign the user out.
            read = sign_in(role).get(url, named, headers={**headers, **more})
            posted = sign_in(role).post(f"{url}?{urlencode(named)}", named, headers={**headers, **more})
            for method, response in (("get", read), ("post", posted)):
                wrong += [
                    f"{method} {name} as {role or 'nobody'}: {redirect}"
                    for redirect in find_external_redirects(response)
                ]
    assert wrong == []


@pytest.mark.parametrize("other_host", OTHER_HOSTS)
def test_a_user_who_signs_in_is_redirected_to_a_page_of_the_console(
    org: Organization, other_host: str
) -> None:
    for query in ("", f"?{urlencode({'next': other_host})}"):
        response = Client().post(
            f"/accounts/login/{query}",
            {"login": "viewer@acme.test", "password": PASSWORD, "next": other_host},
        )
        assert response.status_code == 302
        assert find_external_redirects(response) == []


def test_the_requested_page_opens_after_the_sign_in(org: Organization) -> None:
    response = Client().post(
        "/accounts/login/?next=/acme/sandbox/products/", {"login": "viewer@acme.test", "password": PASSWORD}
    )
    assert response["Location"] == "/acme/sandbox/products/"


@pytest.mark.parametrize("other_host", OTHER_HOSTS)
def test_changing_the_language_redirects_to_the_console(org: Organization, other_host: str) -> None:
    forged = other_host.strip().replace("\t", "").replace("\x01", "")
    for data in ({"language": "en", "next": other_host}, {"language": "en"}):
        assert (
            find_external_redirects(Client().post("/i18n/language/", data, headers={"Referer": forged})) == []
        )


@pytest.mark.parametrize(
    "header", ["Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "Forwarded"]
)
def test_no_page_and_no_email_contains_a_forged_host(
    org: Organization, mailoutbox: list[Any], header: str
) -> None:
    forged = "host=evil.test" if header == "Forwarded" else "evil.test"
    client = Client(headers={header: forged})
    page = client.get("/accounts/login/")
    assert page.status_code == (400 if header == "Host" else 200)
    assert b"evil.test" not in page.content
    client.post("/accounts/password/reset/", {"email": "viewer@acme.test"})
    assert len(mailoutbox) == (0 if header == "Host" else 1)
    assert all("evil.test" not in str(mail.message()) for mail in mailoutbox)
