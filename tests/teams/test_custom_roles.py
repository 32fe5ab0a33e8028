"""Custom roles of a team: the matrix, who may create them, and that changes take effect immediately."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from console.accounts.models import ApiToken, CustomRole, Membership, User
from console.accounts.roles import BUILT_IN, Area, Level
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.connections.gateway import PermissionRefused
from console.sign_in.models import SignOnRule
from console.teams import custom_roles
from console.teams.changes import Actor
from console.teams.custom_roles import RoleDraft
from console.teams.models import Invitation
from console.teams.pages.matrix import build_matrix, list_levels, nearest_level
from iot_client.catalogue import operations
from tests.conftest import Organization

SignIn = Callable[[str], Client]
ROLES = "/acme/-/roles/"


def role_form(name: str = "Crew", **levels: int) -> dict[str, str]:
    return {"name": name, "description": ""} | {f"level_{area}": str(levels.get(area, 0)) for area in Area}


def create_role(org: Organization, slug: str = "crew", **levels: int) -> CustomRole:
    return CustomRole.objects.create(team=org.team, slug=slug, name=slug.title(), levels=levels)


def assign_role(org: Organization, member: str, slug: str) -> None:
    Membership.objects.filter(team=org.team, user=org.members[member]).update(role_slug=slug)


def get_actor(org: Organization, role: str) -> Actor:
    user = org.members[role]
    return Actor(Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin())


def levels(**named: int) -> Mapping[Area, Level]:
    return {Area(area): Level(level) for area, level in named.items()}


# -- the matrix --------------------------------------------------------------------------------------------------------


def test_every_operation_belongs_to_exactly_one_cell() -> None:
    names = [
        operation.name
        for row in build_matrix(BUILT_IN["owner"])
        for cell in row.cells
        for operation in cell.operations
    ]
    assert sorted(names) == sorted(operations())


def test_a_level_that_adds_nothing_is_not_offered() -> None:
    for row in build_matrix(BUILT_IN["viewer"]):
        assert all(cell.operations or cell.reveals or cell.text for cell in row.cells if cell.level), row.area
    assert list_levels(Area.THINGS)[-1] is Level.DELETE, "no operation of thing models returns a secret"
    assert list_levels(Area.DEVICES)[-1] is Level.SECRET
    assert list_levels(Area.MEMBERS) == (Level.NONE, Level.READ, Level.WRITE), (
        "only the built-in role of owners has a higher level"
    )


@pytest.mark.parametrize("slug", BUILT_IN)
def test_a_copy_of_a_role_has_the_same_permissions(org: Organization, slug: str) -> None:
    role = BUILT_IN[slug]
    copied = {area.value: int(nearest_level(area, role.level(area))) for area in Area}
    copy = create_role(org, **copied).role
    for operation in operations().values():
        assert copy.allows(operation) == role.allows(operation), operation.name
        if operation.secret_fields:
            assert copy.reveals(operation) == role.reveals(operation), operation.name
    assert not copy.includes(BUILT_IN["owner"])


def test_the_page_of_a_role_shows_its_operations_and_differences_from_another_role(
    org: Organization, sign_in: SignIn
) -> None:
    page = sign_in("administrator").get(ROLES + "viewer/?compare=operator").content.decode()
    assert "DeleteDevice" in page
    assert "QueryDeviceDetail" in page
    assert page.count("access-differs") == 8 - 2, (
        "an operator can only read updates and routing, like a viewer"
    )
    assert sign_in("administrator").get(ROLES + "emperor/").status_code == 404


def test_the_editor_describes_the_selected_permissions(org: Organization, sign_in: SignIn) -> None:
    read_operations = sum(op.area == "ota" and op.access == "read" for op in operations().values())
    response = sign_in("administrator").get(ROLES + "preview/", role_form(ota=1))
    text = response.content.decode()
    assert f"Can call {read_operations} of {len(operations())} API operations" in text
    assert "Can only read: Updates." in text


# -- creating and editing ---------------------------------------------------------------------------------------------


def test_a_role_is_created_edited_and_recorded_with_before_and_after(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("administrator")
    response = client.post(ROLES + "add/", role_form("Field crew", devices=2, audit=1))
    assert response["Location"] == ROLES + "field-crew/"
    role = CustomRole.objects.get()
    assert (role.slug, role.levels) == ("field-crew", {"devices": 2, "audit": 1})
    response = client.post(ROLES + "field-crew/edit/", role_form("Night crew", devices=1))
    assert response["Location"] == ROLES + "field-crew/"
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
        client.post(ROLES + "add/", role_form(name, devices=1))
    assert list(CustomRole.objects.values_list("name", "slug")) == [("Crew", "crew")]
    for name in ("Add", "Preview", "夜班", "Owner!"):
        assert client.post(ROLES + "add/", role_form(name, devices=1)).status_code == 302
    slugs = set(CustomRole.objects.values_list("slug", flat=True))
    assert slugs == {"crew", "add-2", "preview-2", "role", "owner-2"}


@pytest.mark.parametrize(
    "name",
    [
        "ＯＷＮＥＲ",
        "own\u200ber",
        "Ow\u00adner",
        "owner\ufe0f",
        "o\u2060wner",
        "所有者",
        "Ｃrew",
        "cre\u202ew",
        "Night   shift",
    ],
)
def test_a_role_cannot_look_like_another_one(org: Organization, sign_in: SignIn, name: str) -> None:
    client = sign_in("owner")
    for other in ("Crew", "Night shift"):
        client.post(ROLES + "add/", role_form(other, devices=1))
    response = client.post(ROLES + "add/", role_form(name, devices=1))
    assert response.status_code == 422
    assert "is the same as" in response.context["form"].errors["name"][0]
    response = client.post(ROLES + "crew/edit/", role_form("NIGHT\u00a0SHIFT", devices=1))
    assert response.status_code == 422
    assert client.post(ROLES + "crew/edit/", role_form("CREW", devices=1)).status_code == 302
    assert set(CustomRole.objects.values_list("name", flat=True)) == {"CREW", "Night shift"}


def test_a_short_name_that_a_grant_still_refers_to_is_not_used_again(
    org: Organization, sign_in: SignIn
) -> None:
    assign_role(org, "viewer", "crew")
    sign_in("owner").post(ROLES + "add/", role_form("Crew", devices=4))
    assert CustomRole.objects.get().slug == "crew-2"


@pytest.mark.parametrize("role", ["viewer", "operator", "release-engineer"])
def test_users_who_may_not_change_members_cannot_create_roles(
    org: Organization, sign_in: SignIn, role: str
) -> None:
    assert sign_in(role).post(ROLES + "add/", role_form(devices=1)).status_code == 403
    with pytest.raises(PermissionDenied):
        custom_roles.create_role(get_actor(org, role), RoleDraft("Crew", "", levels(devices=1)))
    assert not CustomRole.objects.exists()


def test_users_cannot_create_or_edit_a_role_with_more_permissions_than_their_own(
    org: Organization, sign_in: SignIn
) -> None:
    create_role(org, "desk", members=2, devices=1)
    create_role(org, "strong", devices=3)
    assign_role(org, "operator", "desk")
    client = sign_in("operator")
    assert client.post(ROLES + "add/", role_form(devices=2)).status_code == 422
    assert client.get(ROLES + "strong/edit/").status_code == 403
    assert client.post(ROLES + "strong/delete/", {"typed": "Strong"}).status_code == 403
    with pytest.raises(PermissionDenied):
        custom_roles.create_role(get_actor(org, "operator"), RoleDraft("Crew", "", levels(devices=2)))
    assert CustomRole.objects.count() == 2


def test_users_who_edit_their_own_role_cannot_raise_their_permissions(
    org: Organization, sign_in: SignIn
) -> None:
    desk = create_role(org, "desk", members=2, devices=1)
    assign_role(org, "operator", "desk")
    client = sign_in("operator")
    assert client.post(ROLES + "desk/edit/", role_form("Desk", members=2, devices=2)).status_code == 422
    with pytest.raises(PermissionDenied):
        custom_roles.edit_role(
            get_actor(org, "operator"), desk, RoleDraft("Desk", "", levels(members=2, devices=2))
        )
    desk.refresh_from_db()
    assert desk.levels == {"members": 2, "devices": 1}


@pytest.mark.parametrize(("area", "level"), [("members", 3), ("members", 4), ("things", 4), ("audit", 2)])
def test_a_level_that_is_not_offered_is_refused(
    org: Organization, sign_in: SignIn, area: str, level: int
) -> None:
    assert sign_in("owner").post(ROLES + "add/", role_form(**{area: level})).status_code == 422
    assert not CustomRole.objects.exists()


def test_two_users_who_edit_a_role_do_not_overwrite_each_other(org: Organization, sign_in: SignIn) -> None:
    create_role(org, devices=1)
    first, second = sign_in("owner"), sign_in("administrator")
    seen = second.get(ROLES + "crew/edit/").context["seen"]
    first.post(ROLES + "crew/edit/", role_form(devices=2))
    response = second.post(ROLES + "crew/edit/", role_form(devices=3) | {"seen": seen})
    assert response.status_code == 422
    assert "edited or deleted" in response.content.decode()
    assert CustomRole.objects.get().levels == {"devices": 2}


def test_built_in_roles_cannot_be_edited(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    for rest in ("edit/", "delete/"):
        assert client.post(f"{ROLES}viewer/{rest}", role_form("Viewer", devices=4)).status_code == 404


def test_a_role_in_use_is_not_deleted_and_its_uses_are_listed(org: Organization, sign_in: SignIn) -> None:
    role = create_role(org, devices=1)
    assign_role(org, "viewer", "crew")
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
    assert "You can delete only unused roles." in page
    assert ROLES + "crew/delete/" not in page
    response = sign_in("owner").post(ROLES + "crew/delete/", {"typed": "Crew"})
    assert response.status_code == 422
    assert "1 member, 1 invitation, 2 API tokens, 1 single sign-on rule" in response.content.decode()
    with pytest.raises(ValidationError):
        custom_roles.delete_role(get_actor(org, "owner"), role)
    assert CustomRole.objects.exists()


def test_roles_of_another_team_are_neither_shown_nor_accessible(org: Organization, sign_in: SignIn) -> None:
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={"devices": 1})
    client = sign_in("owner")
    for rest in ("", "edit/", "delete/"):
        assert client.get(f"{ROLES}theirs/{rest}").status_code == 404
    assert "Theirs" not in client.get(ROLES).content.decode()
    assert "Theirs" not in client.get(ROLES + "viewer/?compare=theirs").content.decode()
    copied_form = client.get(ROLES + "add/?from=theirs").context["form"]
    assert all(copied_form[f"level_{area}"].initial == 0 for area in Area)


# -- effects of a role -------------------------------------------------------------------------------------------------


def test_a_custom_role_applies_in_the_gateway_and_a_change_at_the_next_request(
    org: Organization, sign_in: SignIn, fleet: object
) -> None:
    role = create_role(org, products=1, devices=1)
    assign_role(org, "viewer", "crew")
    client = sign_in("viewer")
    assert client.get(org.url("products/")).status_code == 200
    assert client.get(org.url("ota/packages/")).status_code in {403, 404}
    custom_roles.edit_role(get_actor(org, "owner"), role, RoleDraft("Crew", "", levels(devices=1)))
    assert client.get(org.url("products/")).status_code == 403
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("QueryProductList", CurrentPage=1, PageSize=1)


def test_a_role_that_loses_its_level_in_members_loses_the_page_at_the_next_request(
    org: Organization, sign_in: SignIn
) -> None:
    role = create_role(org, members=2)
    assign_role(org, "operator", "crew")
    client = sign_in("operator")
    assert client.get("/acme/-/members/").status_code == 200
    custom_roles.edit_role(get_actor(org, "owner"), role, RoleDraft("Crew", "", {}))
    assert client.get("/acme/-/members/").status_code == 403
    assert User.objects.filter(email="operator@acme.test").exists()


def test_input_is_kept_when_another_role_is_copied(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("owner").get(ROLES + "add/?from=operator&name=Line+3&description=Labels").content.decode()
    assert 'value="Line 3"' in page
    assert 'value="Labels"' in page


def test_a_role_for_devices_without_products_states_what_is_missing(
    org: Organization, sign_in: SignIn
) -> None:
    hint = "require access to Products"
    preview = f"{ROLES}preview/?level_devices=2&level_products="
    assert hint in sign_in("owner").get(preview + "0").content.decode()
    assert hint not in sign_in("owner").get(preview + "1").content.decode()


def read_matrix(page: str) -> dict[str, list[str]]:
    """Return the texts of the cells of a role's matrix by area, as a screen reader has them."""
    body = page.split('class="access-table"')[1].split("</table>")[0].split("<tbody>")[1]
    rows = {}
    for row in body.split("</tr>")[:-1]:
        cells = [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.split(r"<t[hd][ >]", row)[1:]]
        rows[cells[0].removeprefix('scope="row">')] = [cell.lstrip("> ") for cell in cells[1:6]]
    return rows


def test_a_role_is_shown_as_a_table_of_areas_and_levels_without_controls(
    org: Organization, sign_in: SignIn
) -> None:
    page = sign_in("administrator").get(ROLES + "operator/").content.decode()
    matrix = read_matrix(page)
    assert matrix["Products"] == ["No", "Yes", "Yes", "Yes", "No"]
    assert matrix["Updates"] == ["No", "Yes", "No", "No", "Not available"]
    assert matrix["Connections"][0] == "Yes"
    assert 'class="access-level' not in page


def test_a_comparison_says_in_words_what_each_role_has(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    more = read_matrix(client.get(ROLES + "viewer/?compare=operator").content.decode())
    assert more["Products"] == ["No", "Yes", "Only Operator", "Only Operator", "No"]
    less = read_matrix(client.get(ROLES + "operator/?compare=viewer").content.decode())
    assert less["Products"] == ["No", "Yes", "Yes, unlike Viewer", "Yes, unlike Viewer", "No"]


def test_the_comparison_needs_a_button_only_without_scripts(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("administrator").get(ROLES + "operator/").content.decode()
    assert re.search(r"<noscript><button[^>]*>Compare</button></noscript>", page)
    assert 'hx-trigger="submit, change"' in page


def test_the_numbers_of_the_role_form_add_up_and_are_explained(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("owner").get(ROLES + "add/?from=owner").content.decode()
    area = page.split('name="level_products"', 1)[1].split("</fieldset>")[0]
    added = [int(number) for number in re.findall(r"<small>\s*\+(\d+)", area)]
    assert sum(added) == sum(op.area == "products" for op in operations().values())
    assert "number of API operations that the level adds" in page
