"""Every address of the URLconf × every role × every method, and every operation × every role through the gateway.

A new address or operation without an expectation fails here: decide which roles may use it, and add it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from console.access.models import AuditRecord, CustomRole
from console.access.roles import BUILT_IN, Level
from console.connections.gateway import PermissionRefused
from console.jobs.models import Job
from iot_client.catalogue import Access, operations
from tests.populated import PopulatedTeam, copied_fleet, list_addresses, populated, seeded_fleet

__all__ = ["copied_fleet", "populated", "seeded_fleet"]  # fixtures

SignIn = Callable[[str], Client]
EVERYBODY = frozenset(BUILT_IN)
FLEET = frozenset({"operator", "administrator", "owner"})
RELEASES = frozenset({"release-engineer", "administrator", "owner"})
ADMINS = frozenset({"administrator", "owner"})
OWNERS = frozenset({"owner"})
NOBODY: frozenset[str] = frozenset()  # the address does not support the method: 405


@dataclass(frozen=True)
class AllowedRoles:
    """The roles that may get and post an address. Other members get 403. A method that nobody may use gets 405."""

    get: frozenset[str] = NOBODY
    post: frozenset[str] = NOBODY


PAGE = AllowedRoles(get=EVERYBODY)
FLEET_FORM, FLEET_ACT = AllowedRoles(FLEET, FLEET), AllowedRoles(post=FLEET)
RELEASE_FORM, RELEASE_ACT = AllowedRoles(RELEASES, RELEASES), AllowedRoles(post=RELEASES)
ADMIN_PAGE, ADMIN_FORM, ADMIN_ACT = (
    AllowedRoles(get=ADMINS),
    AllowedRoles(ADMINS, ADMINS),
    AllowedRoles(post=ADMINS),
)
OWNER_PAGE, OWNER_FORM, OWNER_ACT = (
    AllowedRoles(get=OWNERS),
    AllowedRoles(OWNERS, OWNERS),
    AllowedRoles(post=OWNERS),
)

# Addresses of a team: only for its members.
MEMBERS_ONLY: dict[str, AllowedRoles] = {
    "access:team": PAGE,
    "access:switcher": PAGE,
    "access:members": ADMIN_PAGE,
    "access:invite": ADMIN_FORM,
    "access:invitation-renew": ADMIN_FORM,
    "access:invitation-withdraw": ADMIN_FORM,
    "access:member": ADMIN_PAGE,
    "access:member-edit": ADMIN_FORM,
    "access:member-remove": ADMIN_FORM,
    "access:member-transfer": OWNER_FORM,
    "access:roles": ADMIN_PAGE,
    "access:role": ADMIN_PAGE,
    "access:role-preview": ADMIN_PAGE,
    "access:role-add": ADMIN_FORM,
    "access:role-edit": ADMIN_FORM,
    "access:role-delete": ADMIN_FORM,
    "access:settings": OWNER_FORM,
    "access:team-delete": OWNER_FORM,
    "access:sign-on": OWNER_PAGE,
    "access:sign-on-add": OWNER_FORM,
    "access:sign-on-try": OWNER_FORM,
    "access:sign-on-edit": OWNER_FORM,
    "access:sign-on-move": OWNER_ACT,
    "access:sign-on-delete": OWNER_FORM,
    "access:tokens": ADMIN_PAGE,
    "access:add-token": ADMIN_FORM,
    "access:add-own-token": AllowedRoles(EVERYBODY, EVERYBODY),
    "access:revoke-token": ADMIN_FORM,
    "access:audit": ADMIN_PAGE,
    "access:audit-reads": ADMIN_PAGE,
    "access:audit-record": ADMIN_PAGE,
    "connections:list": ADMIN_PAGE,
    "connections:add": ADMIN_FORM,
    "connections:edit": ADMIN_FORM,
    "connections:test": ADMIN_ACT,
    "connections:delete": ADMIN_FORM,
    "dashboard:home": PAGE,
    "products:list": PAGE,
    "products:create": FLEET_FORM,
    "products:publish-many": FLEET_ACT,
    "products:unpublish-many": FLEET_ACT,
    "products:detail": PAGE,
    "products:devices": PAGE,
    "products:tags": PAGE,
    "products:set-tag": FLEET_FORM,
    "products:remove-tag": FLEET_FORM,
    "products:edit": FLEET_FORM,
    "products:publish": FLEET_FORM,
    "products:unpublish": FLEET_FORM,
    "products:delete": FLEET_FORM,
    "products:secret": ADMIN_ACT,
    "devices:list": PAGE,
    "devices:search": PAGE,
    "devices:create": FLEET_FORM,
    "devices:many": FLEET_ACT,
    "devices:detail": PAGE,
    "devices:groups": PAGE,
    "devices:add-group": FLEET_FORM,
    "devices:remove-group": FLEET_FORM,
    "devices:tags": PAGE,
    "devices:set-tag": FLEET_FORM,
    "devices:remove-tag": FLEET_FORM,
    "devices:updates": PAGE,
    "devices:rename": FLEET_FORM,
    "devices:enable": FLEET_ACT,
    "devices:disable": FLEET_FORM,
    "devices:delete": FLEET_FORM,
    "devices:secret": ADMIN_ACT,
    "groups:list": PAGE,
    "groups:create": FLEET_FORM,
    "groups:detail": PAGE,
    "groups:children": PAGE,
    "groups:edit": FLEET_FORM,
    "groups:delete": FLEET_FORM,
    "groups:devices": PAGE,
    "groups:add-devices": FLEET_FORM,
    "groups:find-devices": FLEET_ACT,
    "groups:remove-devices": FLEET_ACT,
    "groups:tags": PAGE,
    "groups:set-tag": FLEET_FORM,
    "groups:remove-tag": FLEET_FORM,
    "ota:packages": PAGE,
    "ota:create-package": RELEASE_FORM,
    "ota:package": PAGE,
    "ota:delete-package": RELEASE_FORM,
    "ota:create-batch": RELEASE_FORM,
    "ota:create-dynamic-batch": RELEASE_FORM,
    "ota:verify": RELEASE_FORM,
    "ota:group-options": PAGE,
    "ota:modules": PAGE,
    "ota:module-options": PAGE,
    "ota:create-module": RELEASE_FORM,
    "ota:edit-module": RELEASE_FORM,
    "ota:delete-module": RELEASE_FORM,
    "ota:batches": PAGE,
    "ota:batch": PAGE,
    "ota:batch-live": PAGE,
    "ota:batch-counts": PAGE,
    "ota:batch-history": PAGE,
    "ota:monitor-batch": RELEASE_ACT,
    "ota:cancel-batch": RELEASE_FORM,
    "ota:stop-batch": RELEASE_FORM,
    "ota:cancel-devices": RELEASE_ACT,
    "ota:confirm-tasks": RELEASE_ACT,
    # The request in these addresses belongs to the operator, who may withdraw it. Others decide.
    "approvals:list": PAGE,
    "approvals:detail": PAGE,
    "approvals:ask": AllowedRoles(post=frozenset({"operator"})),
    "approvals:withdraw": AllowedRoles(post=frozenset({"operator"})),
    "approvals:approve": ADMIN_FORM,
    "approvals:refuse": ADMIN_FORM,
    "explorer:list": PAGE,
    "explorer:history": PAGE,
    "explorer:suggest": PAGE,
    # Everybody may open and post the form. The gateway checks the permission of each operation.
    "explorer:operation": AllowedRoles(EVERYBODY, EVERYBODY),
    "jobs:list": PAGE,
    "jobs:tray": PAGE,
    "jobs:register": FLEET_FORM,
    "jobs:detail": PAGE,
    "jobs:live": PAGE,
    "jobs:start": FLEET_ACT,
    "jobs:columns": FLEET_ACT,
    "jobs:discard": FLEET_ACT,
    "jobs:cancel": FLEET_FORM,
    "jobs:retry": FLEET_ACT,
    "jobs:secrets": ADMIN_ACT,
    "jobs:samples": PAGE,
    "jobs:result": PAGE,
    "jobs:result-with-secrets": ADMIN_PAGE,
    "jobs:findings": PAGE,
    "jobs:invalid-rows": PAGE,
}

# Addresses without a team. Statuses of: GET without sign-in, GET signed in, empty POST without sign-in, empty POST signed in.
FOR_ALL: dict[str, tuple[int, int, int, int]] = {
    "access:home": (302, 302, 302, 405),
    "access:profile": (302, 200, 302, 200),
    "access:own-tokens": (302, 200, 302, 405),
    "access:revoke-own-token": (302, 200, 302, 302),
    "api-reference": (302, 200, 302, 405),
    "access:new-team": (302, 403, 302, 403),  # only for team owners
    "access:invitation-link": (302, 302, 405, 405),  # redirects to the page below, whatever the token is
    "access:invitation": (404, 404, 404, 404),  # no link was opened
    "access:security": (302, 200, 302, 405),
    "access:end-session": (302, 405, 302, 404),
    "access:end-other-sessions": (302, 405, 302, 302),
    "set_language": (405, 405, 302, 302),  # anybody may post
    "account_login": (200, 302, 200, 302),
    "account_logout": (302, 200, 302, 302),
    "account_inactive": (200, 200, 405, 405),
    "account_signup": (200, 302, 200, 302),
    "account_reauthenticate": (302, 200, 302, 200),
    "account_change_password": (302, 200, 302, 200),
    "account_set_password": (302, 302, 302, 302),
    "account_reset_password": (200, 200, 200, 200),
    "account_reset_password_done": (200, 200, 405, 405),
    "account_reset_password_from_key": (200, 200, 200, 200),
    "account_reset_password_from_key_done": (200, 200, 405, 405),
    # Single sign-on exists only if a provider is configured. It starts with a POST.
    "sign_on": (405, 405, 404, 404),
    "sign_on_confirm": (302, 404, 302, 405),
    "sign_on_callback": (404, 404, 405, 405),
    "socialaccount_login_cancelled": (200, 200, 405, 405),
    "mfa_authenticate": (302, 302, 302, 302),  # after the password
    "mfa_login_webauthn": (302, 302, 302, 302),
    "mfa_index": (302, 302, 302, 302),
    "mfa_list_webauthn": (302, 302, 302, 302),
    "mfa_activate_totp": (302, 200, 302, 200),
    "mfa_deactivate_totp": (302, 404, 302, 404),  # no app is set up
    "mfa_view_recovery_codes": (302, 404, 302, 405),
    "mfa_generate_recovery_codes": (302, 200, 302, 200),
    "mfa_add_webauthn": (302, 200, 302, 200),
    "mfa_edit_webauthn": (302, 404, 302, 404),
    "mfa_remove_webauthn": (302, 404, 302, 404),
    "mfa_reauthenticate": (302, 302, 302, 302),  # redirects to the password
    "mfa_reauthenticate_webauthn": (302, 302, 302, 302),
    "account_email": (302, 302, 302, 302),
    "account_email_verification_sent": (302, 302, 302, 302),
    # The style guide exists only if it is enabled.
    "ui:style": (404, 404, 404, 404),
    "ui:style-chart": (404, 404, 404, 404),
    "ui:style-form": (404, 404, 404, 404),
    "ui:style-confirm": (404, 404, 404, 404),
    "ui:style-tray": (404, 404, 404, 404),
    "ui:style-switcher": (404, 404, 404, 404),
}


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
    for role in BUILT_IN:
        status = sign_in(role).get(url).status_code
        if may.get == NOBODY:
            assert status == 405, f"GET {url} as {role}"
        else:
            assert status in ({200, 302} if role in may.get else {403}), f"GET {url} as {role}: {status}"
    assert populated.upstream.writes == [], "a read changed something"
    # Roles without permission post first: a permitted post may delete the object of the address.
    for role in sorted(BUILT_IN, key=lambda role: role in may.post):
        if role in may.post:
            break
        status = sign_in(role).post(url).status_code
        assert status == (405 if may.post == NOBODY else 403), f"POST {url} as {role}: {status}"
    assert populated.upstream.writes == [], "a refused request reached the platform"
    for number, role in enumerate(sorted(may.post)):
        status = sign_in(role).post(url).status_code
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
    theirs = Job.objects.create(
        team=populated.org.other_team,
        connection=populated.org.other_connection,
        kind="devices.register",
        state="queued",
    )
    client = sign_in("owner")
    wrong: list[str] = []
    for name in (
        name for name in MEMBERS_ONLY if name.startswith("jobs:") and "job" in list_addresses()[name]
    ):
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
    populated: PopulatedTeam, area: str, level: Level
) -> None:
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
