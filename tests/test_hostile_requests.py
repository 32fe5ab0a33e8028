"""No request makes the console fail, whatever its address, its headers and its form contain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.expectations import FOR_ALL, MEMBERS_ONLY
from tests.page_forms import PAGES, find_forms, rollback, send_request
from tests.populated import PopulatedTeam, list_addresses

SignIn = Callable[[str], Client]
PARAMETERS = """
    page size token q sort product status field part key value group called level parent package find module device
    running total SUCCEEDED name tags person operation outcome since until version refresh kind state rule code language
""".split()  # noqa: SIM905 - easier to read
NUMBERED = {"pk", "job"}
# The last text is a page token of the audit trail, with a time before the year 1 in UTC.
TEXTS = ["\x00", "9" * 30, "x" * 5000, "-\u00b2\r\nX: y", "0001-01-01T00:00:00+23:59_1"]
# As encoded in an address.
NAMES = ["a%00b", "..%2f..%ED%A0%80", "x" * 300, "a@b:c.d'%22%0d%0a"]


@pytest.mark.parametrize("text", TEXTS)
def test_no_parameter_of_an_address_breaks_a_page(
    populated: PopulatedTeam, sign_in: SignIn, text: str
) -> None:
    client = sign_in("owner")
    query = urlencode(dict.fromkeys(PARAMETERS, text))
    wrong = []
    for name in (name for name, may in MEMBERS_ONLY.items() if may.get):
        for headers in ({}, {"HX-Request": "true"}):
            response = client.get(f"{populated.url(name)}?{query}", headers=headers)
            if response.status_code >= 500:
                wrong.append(f"{name}: {response.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", ["viewer", "owner"])
@pytest.mark.parametrize("named", NAMES)
def test_no_name_in_an_address_breaks_a_page(
    populated: PopulatedTeam, sign_in: SignIn, named: str, role: str
) -> None:
    client = sign_in(role)
    wrong = []
    for name in (name for name in MEMBERS_ONLY if name.partition(":")[0] not in {"teams", "connections"}):
        parts = list_addresses()[name] - {"team", "connection"} - NUMBERED
        things = (
            populated.things[""]
            | populated.things.get(name.partition(":")[0], {})
            | populated.things.get(name, {})
        )
        url = populated.url(name)
        for part in parts:
            url = url.replace(f"/{things[part]}/", f"/{named}/")
        for method in (client.get, client.post, client.head) if parts else ():
            response = method(url)
            if response.status_code >= 500:
                wrong.append(f"{url}: {response.status_code}")
    assert wrong == []


# Of a field: the ends of the calendar, deeply nested JSON, what Unicode calls digits, and a text longer than any limit.
VALUES = [
    "\x00",
    "9" * 30,
    "0001-01-01 00:00",
    "9999-12-31 23:59",
    '{"a":' * 3000,
    "\u0663\u00b2",
    "x" * 200_000,
]


@pytest.mark.parametrize("namespace", sorted({name.partition(":")[0] for name in PAGES}))
def test_no_value_of_a_form_breaks_a_page(populated: PopulatedTeam, sign_in: SignIn, namespace: str) -> None:
    client = sign_in("owner")
    wrong = []
    for form in [form for form in find_forms(populated, client, namespace) if form.method == "post"]:
        for value in VALUES:
            with rollback():
                response = send_request(client, "post", form.action, dict.fromkeys(form.values, value))
            if response.status_code >= 500:
                wrong.append(f"{form.action} {value[:20]!r}: {response.status_code}")
    assert wrong == []


FORGED = {
    "HX-Request": "true",
    "HX-Boosted": "true",
    "HX-Current-URL": "https://evil.test/globex/plant/",
    "HX-Target": "body",
    "HX-Trigger": "everything",
    "HX-Trigger-Name": "reveal",
    "HX-Prompt": "yes",
    "HX-History-Restore-Request": "true",
    "X-Requested-With": "XMLHttpRequest",
    "X-HTTP-Method-Override": "DELETE",
    "X-Poll": "1",
}


def test_forged_htmx_headers_give_no_access_to_others(populated: PopulatedTeam, sign_in: SignIn) -> None:
    """The CSRF token, the sign-in and the membership are still required."""
    outsider, visitor = sign_in("outsider"), sign_in("")
    without_token = Client(enforce_csrf_checks=True)
    without_token.force_login(populated.org.members["owner"])
    wrong = []
    for name, may in MEMBERS_ONLY.items():
        url = populated.url(name)
        if may.post and without_token.post(url, headers=FORGED).status_code != 403:
            wrong.append(f"{url} without the token of its page")
        for method in ("get", "post"):
            if getattr(outsider, method)(url, headers=FORGED).status_code != 404:
                wrong.append(f"{method} {url} as an outsider")
            if getattr(visitor, method)(url, headers=FORGED).status_code != 401:
                wrong.append(f"{method} {url} without sign-in")
    assert wrong == []
    assert populated.upstream.writes == []


@pytest.mark.parametrize("reauthenticated", [True, False])
def test_forged_htmx_headers_give_no_permission(
    populated: PopulatedTeam, sign_in: SignIn, settings: Any, reauthenticated: bool
) -> None:
    """Permissions are the same with these headers, and the confirmed password is still required."""
    if not reauthenticated:
        settings.REAUTHENTICATION_MINUTES = 0
    viewer, owner = sign_in("viewer"), sign_in("owner")
    wrong = []
    for name, may in MEMBERS_ONLY.items():
        url = populated.url(name)
        for method, allowed in (("get", may.get), ("post", may.post)):
            plain, forged = (getattr(viewer, method)(url, headers=headers) for headers in ({}, FORGED))
            if "viewer" not in allowed and forged.status_code not in (403, 404, 405):
                wrong.append(f"{method} {url} as a viewer: {forged.status_code}")
            if plain.status_code in (403, 404, 405) and forged.status_code != plain.status_code:
                wrong.append(f"{method} {url} as a viewer: {plain.status_code} but {forged.status_code}")
        response = owner.get(url, headers=FORGED)
        if "evil.test" in f"{response.content if not response.streaming else ''}{dict(response.items())}":
            wrong.append(f"{url} redirects to the forged address")
    assert wrong == []
    assert populated.upstream.writes == []


def test_no_address_accepts_a_post_without_the_token_of_its_page(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    """Addresses without a team are included: sign-in, password, factors, sessions, tokens, language."""
    accepted = []
    for role in ("", "owner"):
        client = Client(enforce_csrf_checks=True)
        client.cookies = sign_in(role).cookies
        for name in {**MEMBERS_ONLY, **FOR_ALL}:
            response = client.post(
                populated.url(name), {"language": "zh-hans", "login": "a@b.test", "password": "x"}
            )
            to_sign_in = response.status_code == 302 and response["Location"].startswith("/accounts/login/")
            refused = response.status_code in (403, 404, 405)
            if not (refused or (role == "" and to_sign_in)):
                accepted.append(f"{name} as {role or 'a visitor'}: {response.status_code}")
    assert accepted == []
    assert populated.upstream.writes == []


BODIES = [
    ("multipart/form-data", b"a"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" * 2000),
    ("application/x-www-form-urlencoded; charset=utf-16", b"a=b"),
    ("application/x-www-form-urlencoded", b"a=&" * 5000),
    ("application/x-www-form-urlencoded", b"a=" + b"b" * 3_000_000),
]


def test_an_unreadable_body_breaks_no_page(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.handler.enforce_csrf_checks = True
    client.get("/account/profile/")  # sets the cookie without which no body is read
    client.raise_request_exception = False
    wrong = []
    for url in (
        "/nowhere/",
        "/accounts/login/",
        populated.url("products:create"),
        populated.url("jobs:detail"),
    ):
        for content_type, body in BODIES:
            response = client.generic("POST", url, body, content_type=content_type)
            if not 400 <= response.status_code < 500:
                wrong.append(f"{url} {content_type} {body[:9]!r}: {response.status_code}")
    assert wrong == []
