"""No answer leads to another host, whatever the request says; made from the URLconf."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from django.test import Client

from tests.conftest import PASSWORD, Organization
from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
ELSEWHERE = [
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
LEADING = (
    "Location",
    "HX-Redirect",
    "HX-Location",
    "HX-Push-Url",
    "HX-Replace-Url",
    "X-Sign-In",
    "Refresh",
    "Link",
)


def leaves(target: str) -> bool:
    """Whether a browser would go to another host, or run something: it drops tabs and takes backslashes for slashes."""
    read = re.sub(r"[\t\r\n]", "", target).strip("".join(map(chr, range(33)))).replace("\\", "/")
    parts = urlsplit(urljoin("http://testserver/here/", read))
    return parts.scheme not in {"http", "https"} or parts.netloc not in {"testserver", ""}


def led_away(answer: Any) -> list[str]:
    return [f"{name}: {answer[name]}" for name in LEADING if name in answer and leaves(answer[name])]


@pytest.mark.parametrize("elsewhere", ["//evil.test/", "/\\evil.test/"])
def test_no_address_leads_elsewhere(populated: PopulatedTeam, sign_in: SignIn, elsewhere: str) -> None:
    named = dict.fromkeys(NAMES, elsewhere)
    said = elsewhere.strip().replace("\t", "").replace("\x01", "")
    headers = {"Referer": said, "HX-Current-URL": said, "Origin": said}
    wrong = []
    for name in addresses():
        url = populated.url(name)
        for role, more in (("owner", {}), ("owner", {"HX-Request": "true"}), ("", {})):
            # A browser of its own for each: some pages sign out.
            read = sign_in(role).get(url, named, headers={**headers, **more})
            posted = sign_in(role).post(f"{url}?{urlencode(named)}", named, headers={**headers, **more})
            for method, answer in (("get", read), ("post", posted)):
                wrong += [f"{method} {name} as {role or 'nobody'}: {found}" for found in led_away(answer)]
    assert wrong == []


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_who_signs_in_goes_to_a_page_of_the_console(org: Organization, elsewhere: str) -> None:
    for query in ("", f"?{urlencode({'next': elsewhere})}"):
        answer = Client().post(
            f"/accounts/login/{query}", {"login": "viewer@acme.test", "password": PASSWORD, "next": elsewhere}
        )
        assert answer.status_code == 302
        assert led_away(answer) == []


def test_where_somebody_was_going_is_kept_when_it_is_ours(org: Organization) -> None:
    answer = Client().post(
        "/accounts/login/?next=/acme/sandbox/products/", {"login": "viewer@acme.test", "password": PASSWORD}
    )
    assert answer["Location"] == "/acme/sandbox/products/"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_the_choice_of_a_language_leads_back_to_the_console(org: Organization, elsewhere: str) -> None:
    said = elsewhere.strip().replace("\t", "").replace("\x01", "")
    for data in ({"language": "en", "next": elsewhere}, {"language": "en"}):
        assert led_away(Client().post("/i18n/language/", data, headers={"Referer": said})) == []


@pytest.mark.parametrize(
    "header", ["Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "Forwarded"]
)
def test_no_page_and_no_mail_names_a_host_that_the_request_made_up(
    org: Organization, mailoutbox: list[Any], header: str
) -> None:
    said = "host=evil.test" if header == "Forwarded" else "evil.test"
    client = Client(headers={header: said})
    page = client.get("/accounts/login/")
    assert page.status_code == (400 if header == "Host" else 200)
    assert b"evil.test" not in page.content
    client.post("/accounts/password/reset/", {"email": "viewer@acme.test"})
    assert len(mailoutbox) == (0 if header == "Host" else 1)
    assert all("evil.test" not in str(mail.message()) for mail in mailoutbox)
