"""Every address of the URLconf × every role × every method, and every operation × every role through the gateway.

A new address or operation without an expectation fails here: decide which roles may use it, and add it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from console.accounts.models import CustomRole
from console.accounts.roles import BUILT_IN, Level
from console.audit.models import AuditRecord
from console.connections.gateway import Gateway, PermissionRefused
from iot_client.catalogue import Access, operations
from tests.expectations import FOR_ALL, MEMBERS_ONLY
from tests.populated import PopulatedTeam, list_addresses
from tests.registrations import create_registration
from tests.roles import NOBODY

SignIn = Callable[[str], Client]


def test_every_address_has_an_expectation() -> None:
    assert set(list_addresses()) == set(MEMBERS_ONLY) | set(FOR_ALL)


def test_addresses_of_a_team_are_for_its_members() -> None:
    assert {name for name, parameters in list_addresses().items() if "team" in parameters} == set(
        MEMBERS_ONLY
    )


PROCESSED = frozenset(
    {200, 204, 302, 400, 409, 422}
)  # the request was processed: an empty form is refused as invalid


@pytest.mark.parametrize("name", MEMBERS_ONLY)
def test_each_role_gets_what_it_may_and_no_more(populated: PopulatedTeam, sign_in: SignIn, name: str) -> None:
    url, may = populated.url(name), MEMBERS_ONLY[name]
    members = {role: sign_in(role) for role in BUILT_IN}
    for role, member in members.items():
        status = member.get(url).status_code
        if may.get == NOBODY:
            assert status == 405, f"GET {url} as {role}"
        else:
            assert status in ({200, 302} if role in may.get else {403}), f"GET {url} as {role}: {status}"
    assert populated.upstream.writes == [], "a read changed something"
    # Roles without permission post first: a permitted post may delete the object of the address.
    for role in sorted(BUILT_IN, key=lambda role: role in may.post):
        if role in may.post:
            break
        status = members[role].post(url).status_code
        assert status == (405 if may.post == NOBODY else 403), f"POST {url} as {role}: {status}"
    assert populated.upstream.writes == [], "a refused request reached the platform"
    for number, role in enumerate(sorted(may.post)):
        status = members[role].post(url).status_code
        deleted = {404} if number else set()  # the first post may have deleted the object of the address
        assert status in PROCESSED | deleted, f"POST {url} as {role}: {status}"


def test_outsiders_find_nothing_and_visitors_are_redirected_to_sign_in(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    outsider, visitor = sign_in("outsider"), sign_in("")
    wrong: list[str] = []
    for name in MEMBERS_ONLY:
        url = populated.url(name)
        for method in ("get", "post"):
            as_outsider = getattr(outsider, method)(url)
            as_visitor = getattr(visitor, method)(url)
            as_htmx = getattr(visitor, method)(url, headers={"HX-Request": "true"})
            to_sign_in = as_visitor.get("Location", "").startswith("/accounts/login/?next=")
            if (as_outsider.status_code, as_visitor.status_code, to_sign_in, as_htmx.status_code) != (
                404,
                302,
                True,
                401,
            ):
                wrong.append(
                    f"{method} {url}: {as_outsider.status_code} {as_visitor.status_code} {as_htmx.status_code}"
                )
    assert wrong == []
    assert populated.upstream.writes == []


def test_the_connection_of_another_team_is_not_found_in_the_own_team(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    wrong: list[str] = []
    for name in (name for name, parameters in list_addresses().items() if "connection" in parameters):
        url = populated.url(name, connection=populated.org.other_connection.slug)
        if (client.get(url).status_code, client.post(url).status_code) != (404, 404):
            wrong.append(url)
    assert wrong == []


def test_a_job_of_another_connection_is_not_found(populated: PopulatedTeam, sign_in: SignIn) -> None:
    theirs = create_registration(populated.org.other_connection)
    client = sign_in("owner")
    wrong: list[str] = []
    for name in (name for name in MEMBERS_ONLY if "job" in list_addresses()[name]):
        url, may = populated.url(name, job=theirs.pk), MEMBERS_ONLY[name]
        expected = (404 if may.get else 405, 404 if may.post else 405)
        if (client.get(url).status_code, client.post(url).status_code) != expected:
            wrong.append(url)
    assert wrong == []


def test_a_post_without_the_token_of_its_page_is_refused(populated: PopulatedTeam) -> None:
    client, visitor = Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)
    client.force_login(populated.org.members["owner"])
    wrong: list[str] = []
    for url in map(populated.url, list_addresses()):
        for method in ("post", "put", "patch", "delete"):
            forged = getattr(client, method)(url)
            as_visitor = getattr(visitor, method)(url)
            to_sign_in = as_visitor.status_code == 302 and as_visitor["Location"].startswith(
                "/accounts/login/?"
            )
            if forged.status_code != 403 or not (to_sign_in or as_visitor.status_code == 403):
                wrong.append(f"{method} {url}: {forged.status_code} {as_visitor.status_code}")
    assert wrong == []
    assert populated.upstream.writes == []


def test_no_other_method_is_allowed(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    wrong = [
        f"{method} {populated.url(name)}"
        for name in MEMBERS_ONLY
        for method in ("put", "patch", "delete")
        if getattr(client, method)(populated.url(name)).status_code != 405
    ]
    assert wrong == []
    assert populated.upstream.writes == []


def test_an_address_that_accepts_only_post_shows_a_page_when_it_is_opened(
    populated: PopulatedTeam, sign_in: SignIn
) -> None:
    browser = sign_in("owner")
    for name, may in MEMBERS_ONLY.items():
        if may.get == NOBODY:
            response = browser.get(populated.url(name))
            assert (response.status_code, response["Allow"]) == (405, "POST"), name
            assert '<div class="fd-error">' in response.content.decode(), name


def test_head_is_allowed_wherever_get_is(populated: PopulatedTeam, sign_in: SignIn) -> None:
    client = sign_in("owner")
    wrong = []
    for name, may in MEMBERS_ONLY.items():
        status = client.head(populated.url(name)).status_code
        if status not in ({405} if may.get == NOBODY else {200, 302, 403}):
            wrong.append(f"HEAD {populated.url(name)}: {status}")
    assert wrong == []
    assert populated.upstream.writes == []


@pytest.mark.parametrize("name", FOR_ALL)
def test_addresses_without_a_team_are_open_to_the_expected_users(
    populated: PopulatedTeam, sign_in: SignIn, name: str
) -> None:
    url, expected = populated.url(name), FOR_ALL[name]
    requests = [("", "get"), ("viewer", "get"), ("", "post"), ("viewer", "post")]
    for (role, method), status in zip(requests, expected, strict=True):
        response = getattr(sign_in(role), method)(url)
        assert response.status_code == status, f"{method} {url} as {role or 'a visitor'}"
        assert not re.match(r"https?:|//", response.get("Location", "")), f"{method} {url}"


# -- operations ------------------------------------------------------------------------------------------------------

ORDER = [Access.READ, Access.WRITE, Access.DELETE, Access.SECRET]
FULL = dict.fromkeys(
    ("products", "devices", "groups", "things", "ota", "messaging", "routing", "edge"), Access.SECRET
)
# Written out, not derived from the roles, so that the roles can be compared with it.
HIGHEST: dict[str, dict[str, Access]] = {
    "viewer": dict.fromkeys(FULL, Access.READ),
    "operator": dict.fromkeys(FULL, Access.DELETE) | {"ota": Access.READ, "routing": Access.READ},
    "release-engineer": dict.fromkeys(FULL, Access.READ) | {"ota": Access.DELETE},
    "administrator": FULL,
    "owner": FULL,
}


@pytest.mark.parametrize("role", BUILT_IN)
def test_each_role_may_call_what_it_should_and_a_refused_call_never_reaches_the_platform(
    populated: PopulatedTeam, role: str
) -> None:
    gateway = populated.org.gateway(role)
    refused = 0
    for catalogued in operations().values():
        expected = ORDER.index(catalogued.access) <= ORDER.index(HIGHEST[role][catalogued.area])
        assert gateway.allows(catalogued.name) == expected, catalogued.name
        if not expected:
            refused += 1
            with pytest.raises(PermissionRefused):
                gateway.call(catalogued.name)
        may_reveal = HIGHEST[role][catalogued.area] is Access.SECRET
        assert gateway.reveals(catalogued.name) == may_reveal, catalogued.name
        if not may_reveal and catalogued.secret_fields:
            with pytest.raises(PermissionRefused):
                gateway.call(catalogued.name, reveal=True)
    assert gateway.call_count == 0
    assert populated.upstream.writes == []
    recorded = AuditRecord.objects.filter(
        actor=populated.org.members[role], outcome=AuditRecord.Outcome.REFUSED
    )
    assert recorded.count() >= refused


def test_every_role_has_an_expectation() -> None:
    assert set(HIGHEST) == set(BUILT_IN)
    assert {catalogued.area for catalogued in operations().values()} <= set(FULL)


# Custom roles: one for each cell of the matrix, with this level in this area and none in the others.
CELLS = [(area, level) for area in FULL for level in Level]


@pytest.mark.parametrize(("area", "level"), CELLS)
def test_a_custom_role_with_one_permission_may_call_only_its_operations(
    populated: PopulatedTeam, area: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Thousands of refusals in the audit trail would take most of the time; tests/audit checks them.
    monkeypatch.setattr(Gateway, "record_refusal", lambda *arguments: None)
    CustomRole.objects.create(team=populated.org.team, slug="cell", name="Cell", levels={area: int(level)})
    populated.org.team.memberships.filter(user=populated.org.members["operator"]).update(role_slug="cell")
    gateway = populated.org.gateway("operator")
    for catalogued in operations().values():
        here = catalogued.area == area
        expected = here and ORDER.index(catalogued.access) < level
        assert gateway.allows(catalogued.name) == expected, catalogued.name
        may_reveal = here and level == len(ORDER)
        assert gateway.reveals(catalogued.name) == may_reveal, catalogued.name
        if not expected:
            with pytest.raises(PermissionRefused):
                gateway.call(catalogued.name)
        elif catalogued.secret_fields and not may_reveal:
            with pytest.raises(PermissionRefused):
                gateway.call(catalogued.name, reveal=True)
    assert gateway.call_count == 0
    assert populated.upstream.writes == []
