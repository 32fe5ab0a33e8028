"""A team's own roles: the matrix, who may make them, and that a change counts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from console.access import custom_roles
from console.access.audit import Origin
from console.access.custom_roles import Draft
from console.access.models import (
    ApiToken,
    AuditRecord,
    CustomRole,
    Invitation,
    Membership,
    SignOnRule,
    User,
)
from console.access.pages.matrix import matrix, nearest, offered
from console.access.roles import BUILT_IN, Area, Level
from console.access.teams import Actor
from console.cloud.catalogue import operations
from console.connections.gateway import PermissionRefused
from tests.conftest import Organization

SignIn = Callable[[str], Client]
ROLES = "/acme/-/roles/"


def form(name: str = "Crew", **levels: int) -> dict[str, str]:
    return {"name": name, "description": ""} | {f"level_{area}": str(levels.get(area, 0)) for area in Area}


def made(org: Organization, slug: str = "crew", **levels: int) -> CustomRole:
    return CustomRole.objects.create(team=org.team, slug=slug, name=slug.title(), levels=levels)


def give(org: Organization, member: str, slug: str) -> None:
    Membership.objects.filter(team=org.team, user=org.members[member]).update(role_slug=slug)


def actor(org: Organization, role: str) -> Actor:
    user = org.members[role]
    return Actor(Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin())


def levels(**named: int) -> Mapping[Area, Level]:
    return {Area(area): Level(level) for area, level in named.items()}


# -- the matrix --------------------------------------------------------------------------------------------------------


def test_every_operation_stands_behind_exactly_one_cell() -> None:
    behind = [
        operation.name
        for row in matrix(BUILT_IN["owner"])
        for cell in row.cells
        for operation in cell.operations
    ]
    assert sorted(behind) == sorted(operations())


def test_a_level_that_adds_nothing_is_not_offered() -> None:
    for row in matrix(BUILT_IN["viewer"]):
        assert all(cell.count or cell.words for cell in row.cells if cell.level), row.area
    assert offered(Area.THINGS)[-1] is Level.DESTROY, "no operation of thing models answers with a secret"
    assert offered(Area.DEVICES)[-1] is Level.SECRET
    assert offered(Area.MEMBERS) == (Level.NONE, Level.READ, Level.WRITE), "who is owner is left to owners"


@pytest.mark.parametrize("slug", BUILT_IN)
def test_a_copy_of_a_role_may_call_what_the_role_may(org: Organization, slug: str) -> None:
    role = BUILT_IN[slug]
    copied = {area.value: int(nearest(area, role.level(area))) for area in Area}
    copy = made(org, **copied).role
    for operation in operations().values():
        assert copy.allows(operation) == role.allows(operation), operation.name
        if operation.secret_fields:
            assert copy.reveals(operation) == role.reveals(operation), operation.name
    assert not copy.includes(BUILT_IN["owner"])


def test_the_page_of_a_role_shows_the_operations_behind_it_and_where_another_differs(
    org: Organization, sign_in: SignIn
) -> None:
    page = sign_in("administrator").get(ROLES + "viewer/?compare=operator").content.decode()
    assert "DeleteDevice" in page
    assert "QueryDeviceDetail" in page
    assert page.count("access-differs") == 8 - 2, (
        "an operator only reads updates and routing, as a viewer does"
    )
    assert sign_in("administrator").get(ROLES + "emperor/").status_code == 404


def test_the_editor_says_what_the_role_can_do_while_it_is_chosen(org: Organization, sign_in: SignIn) -> None:
    reads = sum(op.area == "ota" and op.access == "read" for op in operations().values())
    answer = sign_in("administrator").get(ROLES + "preview/", form(ota=1))
    text = answer.content.decode()
    assert f"May call {reads} of the {len(operations())} operations" in text
    assert "Reads only: Updates." in text


# -- making and changing -----------------------------------------------------------------------------------------------


def test_a_role_is_made_given_changed_and_recorded_with_before_and_after(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    answer = client.post(ROLES + "add/", form("Field crew", devices=2, audit=1))
    assert answer["Location"] == ROLES + "field-crew/"
    role = CustomRole.objects.get()
    assert (role.slug, role.levels) == ("field-crew", {"devices": 2, "audit": 1})
    answer = client.post(ROLES + "field-crew/edit/", form("Night crew", devices=1))
    assert answer["Location"] == ROLES + "field-crew/"
    record = AuditRecord.objects.get(operation="role.edit")
    assert record.parameters["levels"] == ["devices: read"]
    assert record.before == {
        "name": "Field crew",
        "description": "",
        "levels": ["devices: write", "audit: read"],
    }
    assert client.post(ROLES + "field-crew/delete/", {"typed": "Night crew"})["Location"] == ROLES
    assert not CustomRole.objects.exists()


def test_names_and_short_names_do_not_collide(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    for name in ("Viewer", "viewer", "Crew", "crew"):
        client.post(ROLES + "add/", form(name, devices=1))
    assert list(CustomRole.objects.values_list("name", "slug")) == [("Crew", "crew")]
    for name in ("Add", "Preview", "夜班", "Owner!"):
        assert client.post(ROLES + "add/", form(name, devices=1)).status_code == 302
    slugs = set(CustomRole.objects.values_list("slug", flat=True))
    assert slugs == {"crew", "add-2", "preview-2", "role", "owner-2"}


def test_a_short_name_that_a_grant_still_names_is_not_given_again(org: Organization, sign_in: SignIn) -> None:
    give(org, "viewer", "crew")
    sign_in("owner").post(ROLES + "add/", form("Crew", devices=4))
    assert CustomRole.objects.get().slug == "crew-2"


@pytest.mark.parametrize("role", ["viewer", "operator", "release-engineer"])
def test_who_may_not_change_members_makes_no_roles(org: Organization, sign_in: SignIn, role: str) -> None:
    assert sign_in(role).post(ROLES + "add/", form(devices=1)).status_code == 403
    with pytest.raises(PermissionDenied):
        custom_roles.create(actor(org, role), Draft("Crew", "", levels(devices=1)))
    assert not CustomRole.objects.exists()


def test_nobody_makes_or_edits_a_role_that_reaches_further_than_their_own(
    org: Organization, sign_in: SignIn
) -> None:
    made(org, "desk", members=2, devices=1)
    made(org, "strong", devices=3)
    give(org, "operator", "desk")
    client = sign_in("operator")
    assert client.post(ROLES + "add/", form(devices=2)).status_code == 422
    assert client.get(ROLES + "strong/edit/").status_code == 403
    assert client.post(ROLES + "strong/delete/", {"typed": "Strong"}).status_code == 403
    with pytest.raises(PermissionDenied):
        custom_roles.create(actor(org, "operator"), Draft("Crew", "", levels(devices=2)))
    assert CustomRole.objects.count() == 2


def test_who_edits_the_role_they_hold_cannot_raise_themselves(org: Organization, sign_in: SignIn) -> None:
    desk = made(org, "desk", members=2, devices=1)
    give(org, "operator", "desk")
    client = sign_in("operator")
    assert client.post(ROLES + "desk/edit/", form("Desk", members=2, devices=2)).status_code == 422
    with pytest.raises(PermissionDenied):
        custom_roles.edit(actor(org, "operator"), desk, Draft("Desk", "", levels(members=2, devices=2)))
    desk.refresh_from_db()
    assert desk.levels == {"members": 2, "devices": 1}


@pytest.mark.parametrize(("area", "level"), [("members", 3), ("members", 4), ("things", 4), ("audit", 2)])
def test_a_level_that_is_not_offered_is_not_taken(
    org: Organization, sign_in: SignIn, area: str, level: int
) -> None:
    assert sign_in("owner").post(ROLES + "add/", form(**{area: level})).status_code == 422
    assert not CustomRole.objects.exists()


def test_two_who_edit_one_role_do_not_undo_each_other(org: Organization, sign_in: SignIn) -> None:
    made(org, devices=1)
    first, second = sign_in("owner"), sign_in("administrator")
    seen = second.get(ROLES + "crew/edit/").context["seen"]
    first.post(ROLES + "crew/edit/", form(devices=2))
    answer = second.post(ROLES + "crew/edit/", form(devices=3) | {"seen": seen})
    assert answer.status_code == 422
    assert "changed or deleted" in answer.content.decode()
    assert CustomRole.objects.get().levels == {"devices": 2}


def test_built_in_roles_are_not_edited(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    for rest in ("edit/", "delete/"):
        assert client.post(f"{ROLES}viewer/{rest}", form("Viewer", devices=4)).status_code == 404


def test_a_role_in_use_is_not_deleted_and_what_uses_it_is_said(org: Organization, sign_in: SignIn) -> None:
    role = made(org, devices=1)
    give(org, "viewer", "crew")
    Invitation.objects.create(team=org.team, email="n@acme.test", role_slug="crew", digest="i")
    SignOnRule.objects.create(team=org.team, value="acme.test", role_slug="crew")
    for number in range(2):
        ApiToken.objects.create(
            team=org.team,
            user=org.members["operator"],
            name="T",
            role_slug="crew",
            digest=str(number),
            expires_at=timezone.now() + timedelta(days=1),
        )
    Invitation.objects.create(team=org.other_team, email="n@acme.test", role_slug="crew", digest="j")
    page = sign_in("owner").get(ROLES + "crew/").content.decode()
    assert "Only a role that nothing uses can be deleted." in page
    assert ROLES + "crew/delete/" not in page
    answer = sign_in("owner").post(ROLES + "crew/delete/", {"typed": "Crew"})
    assert answer.status_code == 422
    assert "1 member, 1 invitation, 2 API tokens, 1 sign-on rule" in answer.content.decode()
    with pytest.raises(ValidationError):
        custom_roles.delete(actor(org, "owner"), role)
    assert CustomRole.objects.exists()


def test_roles_of_another_team_are_neither_shown_nor_reached(org: Organization, sign_in: SignIn) -> None:
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={"devices": 1})
    client = sign_in("owner")
    for rest in ("", "edit/", "delete/"):
        assert client.get(f"{ROLES}theirs/{rest}").status_code == 404
    assert "Theirs" not in client.get(ROLES).content.decode()
    assert "Theirs" not in client.get(ROLES + "viewer/?compare=theirs").content.decode()
    copied = client.get(ROLES + "add/?from=theirs").context["form"]
    assert all(copied[f"level_{area}"].initial == 0 for area in Area)


# -- what a role is worth ----------------------------------------------------------------------------------------------


def test_a_custom_role_counts_in_the_gateway_and_its_change_at_the_next_request(
    org: Organization, sign_in: SignIn, fleet: object
) -> None:
    role = made(org, products=1, devices=1)
    give(org, "viewer", "crew")
    client = sign_in("viewer")
    assert client.get(org.url("products/")).status_code == 200
    assert client.get(org.url("ota/packages/")).status_code in {403, 404}
    custom_roles.edit(actor(org, "owner"), role, Draft("Crew", "", levels(devices=1)))
    assert client.get(org.url("products/")).status_code == 403
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("QueryProductList", CurrentPage=1, PageSize=1)


def test_a_role_that_lost_its_part_in_members_closes_the_page_at_the_next_request(
    org: Organization, sign_in: SignIn
) -> None:
    role = made(org, members=2)
    give(org, "operator", "crew")
    client = sign_in("operator")
    assert client.get("/acme/-/members/").status_code == 200
    custom_roles.edit(actor(org, "owner"), role, Draft("Crew", "", {}))
    assert client.get("/acme/-/members/").status_code == 403
    assert User.objects.filter(email="operator@acme.test").exists()


def test_what_was_typed_stays_when_another_role_is_copied(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("owner").get(ROLES + "add/?from=operator&name=Line+3&description=Labels").content.decode()
    assert 'value="Line 3"' in page
    assert 'value="Labels"' in page


def test_a_role_for_devices_without_products_says_what_it_lacks(org: Organization, sign_in: SignIn) -> None:
    hint = "begin with a product"
    preview = f"{ROLES}preview/?level_devices=2&level_products="
    assert hint in sign_in("owner").get(preview + "0").content.decode()
    assert hint not in sign_in("owner").get(preview + "1").content.decode()
