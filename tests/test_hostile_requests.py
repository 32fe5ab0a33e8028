"""Whatever an address says, the console answers on its merits: no request makes it fail."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.test_urls_by_role import MEMBERS_ONLY
from tests.world import World, addresses, fleet_copied, seeded, world

__all__ = ["fleet_copied", "seeded", "world"]  # fixtures

SignIn = Callable[[str], Client]
PARAMETERS = """
    page size token q sort product status field part key value group called level parent package find module picked
    running total SUCCEEDED name person operation outcome since until version shape kind state rule code language
""".split()  # noqa: SIM905 - easier to read
NUMBERED = {"pk", "job"}
# The last is a page of the audit trail, at a moment that is before the year 1 in UTC.
TEXTS = ["\x00", "9" * 30, "x" * 5000, "-\u00b2\r\nX: y", "0001-01-01T00:00:00+23:59_1"]
# As they stand in an address.
NAMES = ["a%00b", "..%2f..%ED%A0%80", "x" * 300, "a@b:c.d'%22%0d%0a"]


@pytest.mark.parametrize("text", TEXTS)
def test_no_parameter_of_an_address_breaks_a_page(world: World, sign_in: SignIn, text: str) -> None:
    client = sign_in("owner")
    query = urlencode(dict.fromkeys(PARAMETERS, text))
    wrong = []
    for name in (name for name, may in MEMBERS_ONLY.items() if may.get):
        for headers in ({}, {"HX-Request": "true"}):
            answer = client.get(f"{world.url(name)}?{query}", headers=headers)
            if answer.status_code >= 500:
                wrong.append(f"{name}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", ["viewer", "owner"])
@pytest.mark.parametrize("named", NAMES)
def test_no_name_in_an_address_breaks_a_page(world: World, sign_in: SignIn, named: str, role: str) -> None:
    client = sign_in(role)
    wrong = []
    for name in (name for name in MEMBERS_ONLY if name.partition(":")[0] not in {"access", "connections"}):
        parts = addresses()[name] - {"team", "connection"} - NUMBERED
        things = world.things[""] | world.things.get(name.partition(":")[0], {}) | world.things.get(name, {})
        url = world.url(name)
        for part in parts:
            url = url.replace(f"/{things[part]}/", f"/{named}/")
        for method in (client.get, client.post, client.head) if parts else ():
            answer = method(url)
            if answer.status_code >= 500:
                wrong.append(f"{url}: {answer.status_code}")
    assert wrong == []
