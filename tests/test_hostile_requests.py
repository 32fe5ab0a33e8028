"""Whatever an address says, the console answers on its merits: no request makes it fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded
from tests.test_urls_by_role import FOR_ALL, MEMBERS_ONLY

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
PARAMETERS = """
    page size token q sort product status field part key value group called level parent package find module device
    running total SUCCEEDED name person operation outcome since until version refresh kind state rule code language
""".split()  # noqa: SIM905 - easier to read
NUMBERED = {"pk", "job"}
# The last is a page of the audit trail, at a moment that is before the year 1 in UTC.
TEXTS = ["\x00", "9" * 30, "x" * 5000, "-\u00b2\r\nX: y", "0001-01-01T00:00:00+23:59_1"]
# As they stand in an address.
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
            answer = client.get(f"{populated.url(name)}?{query}", headers=headers)
            if answer.status_code >= 500:
                wrong.append(f"{name}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", ["viewer", "owner"])
@pytest.mark.parametrize("named", NAMES)
def test_no_name_in_an_address_breaks_a_page(
    populated: PopulatedTeam, sign_in: SignIn, named: str, role: str
) -> None:
    client = sign_in(role)
    wrong = []
    for name in (name for name in MEMBERS_ONLY if name.partition(":")[0] not in {"access", "connections"}):
        parts = addresses()[name] - {"team", "connection"} - NUMBERED
        things = (
            populated.things[""]
            | populated.things.get(name.partition(":")[0], {})
            | populated.things.get(name, {})
        )
        url = populated.url(name)
        for part in parts:
            url = url.replace(f"/{things[part]}/", f"/{named}/")
        for method in (client.get, client.post, client.head) if parts else ():
            answer = method(url)
            if answer.status_code >= 500:
                wrong.append(f"{url}: {answer.status_code}")
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


@pytest.mark.parametrize("reauthenticated", [True, False])
def test_forged_htmx_headers_open_nothing(
    populated: PopulatedTeam, sign_in: SignIn, settings: Any, reauthenticated: bool
) -> None:
    """Who may do what is the same with them; what needs a token of the page, a fresh password or a sign-in still does."""
    if not reauthenticated:
        settings.REAUTHENTICATION_MINUTES = 0
    viewer, owner, outsider, stranger = (sign_in(role) for role in ("viewer", "owner", "outsider", ""))
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
            if getattr(stranger, method)(url, headers=FORGED).status_code != 401:
                wrong.append(f"{method} {url} without sign-in")
            allowed = may.get if method == "get" else may.post
            plain, forged = (getattr(viewer, method)(url, headers=headers) for headers in ({}, FORGED))
            if "viewer" not in allowed and forged.status_code not in (403, 404, 405):
                wrong.append(f"{method} {url} as a viewer: {forged.status_code}")
            if plain.status_code in (403, 404, 405) and forged.status_code != plain.status_code:
                wrong.append(f"{method} {url} as a viewer: {plain.status_code} but {forged.status_code}")
        answer = owner.get(url, headers=FORGED)
        if "evil.test" in f"{answer.content if not answer.streaming else ''}{dict(answer.items())}":
            wrong.append(f"{url} leads to where the header says")
    assert wrong == []
    assert populated.upstream.writes == []


def test_no_address_takes_a_post_without_the_token_of_its_page(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    """Also those of no team: sign-in, password, factors, sessions, tokens, language."""
    taken = []
    for role in ("", "owner"):
        client = Client(enforce_csrf_checks=True)
        client.cookies = sign_in(role).cookies
        for name in {**MEMBERS_ONLY, **FOR_ALL}:
            answer = client.post(
                populated.url(name), {"language": "zh-hans", "login": "a@b.test", "password": "x"}
            )
            to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")
            refused = answer.status_code in (403, 404, 405)
            if not (refused or (role == "" and to_sign_in)):
                taken.append(f"{name} as {role or 'a stranger'}: {answer.status_code}")
    assert taken == []
    assert populated.upstream.writes == []
