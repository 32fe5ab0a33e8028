"""The settings of a team, creating another team, and deleting a team."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client

from console.accounts.models import ApprovalSetting, Membership, Team, User
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.teams import team_settings
from console.teams.changes import Actor
from console.teams.models import Invitation
from tests.conftest import Organization

SignIn = Callable[[str], Client]
SETTINGS = "/acme/-/settings/"
FIELDS = {
    "name": "Acme Energy",
    "audit_keep_days": "0",
    "approve_update_batch": "",
    "approve_device_deletion": "",
    "approval_hours": "24",
}
INITIAL_FIELDS = {f"initial-{name}": value for name, value in FIELDS.items()}


def get_actor(org: Organization, role: str) -> Actor:
    user = org.members[role]
    return Actor(Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin())


def save_settings(client: Client, **changes: str) -> Any:
    return client.post(SETTINGS, FIELDS | INITIAL_FIELDS | changes)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_an_owner_changes_settings_and_the_record_states_the_previous_values(
    org: Organization, sign_in: SignIn
) -> None:
    response = save_settings(
        sign_in("owner"), audit_keep_days="400", approve_product_deletion="on", approve_update_batch="50"
    )
    assert response["Location"] == SETTINGS
    team = Team.objects.get(pk=org.team.pk)
    assert team.audit_keep_days == 400
    assert team.approval_limits == {"product_deletion": None, "update_batch": 50}
    record = AuditRecord.objects.get(operation="team.settings")
    assert record.parameters == {
        "audit_keep_days": 400,
        "approve_product_deletion": True,
        "approve_update_batch": 50,
    }
    assert record.before == {
        "audit_keep_days": 0,
        "approve_product_deletion": False,
        "approve_update_batch": None,
    }


def test_two_owners_who_change_different_settings_do_not_overwrite_each_other(
    org: Organization, sign_in: SignIn
) -> None:
    first, second = sign_in("owner"), sign_in("owner")
    page = second.get(SETTINGS).content.decode()
    seen = dict(re.findall(r'<input type="hidden" name="(initial-[a-z_]+)"(?: value="([^"]*)")?', page))
    save_settings(first, audit_keep_days="400")
    second.post(SETTINGS, FIELDS | seen | {"approval_hours": "48"})
    team = Team.objects.get(pk=org.team.pk)
    assert (team.audit_keep_days, team.approval_hours) == (400, 48)


def test_a_rule_is_switched_off_and_settings_of_unknown_rules_stay(
    org: Organization, sign_in: SignIn, set_rules: Callable[..., None]
) -> None:
    ApprovalSetting.objects.create(team=org.team, rule="removed_area", limit=3)
    set_rules(product=True, batch=0, deletion=5)
    seen = {
        "initial-approve_product_deletion": "True",
        "initial-approve_update_batch": "0",
        "initial-approve_device_deletion": "5",
    }
    page = sign_in("owner").get(SETTINGS).content.decode()
    assert 'name="approve_product_deletion"' in page
    assert "removed_area" not in page
    save_settings(sign_in("owner"), **seen, approve_device_deletion="0")
    team = Team.objects.get(pk=org.team.pk)
    assert team.approval_limits == {"device_deletion": 0, "removed_area": 3}
    record = AuditRecord.objects.get(operation="team.settings")
    assert record.before == {
        "approve_product_deletion": True,
        "approve_update_batch": 0,
        "approve_device_deletion": 5,
    }
    assert record.parameters == {
        "approve_product_deletion": False,
        "approve_update_batch": None,
        "approve_device_deletion": 0,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("audit_keep_days", "-1"),
        ("audit_keep_days", "99999"),
        ("approve_update_batch", "-1"),
        ("approve_device_deletion", "9999999999"),
        ("approval_hours", "0"),
        ("approval_hours", "721"),
    ],
)
def test_an_invalid_value_is_refused_at_its_field(
    org: Organization, sign_in: SignIn, field: str, value: str
) -> None:
    response = save_settings(sign_in("owner"), **{field: value})
    assert response.status_code == 422
    assert field in response.context["form"].errors


def test_the_numbers_state_their_range(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("owner").get(SETTINGS).content.decode()
    for name, limits in (("audit_keep_days", "0 to 36,500"), ("approval_hours", "1 to 720")):
        assert re.search(rf'id="id_{name}_limit">{limits}<', page)


@pytest.mark.parametrize("role", ["viewer", "operator", "release-engineer", "administrator"])
def test_only_owners_change_settings(org: Organization, sign_in: SignIn, role: str) -> None:
    assert save_settings(sign_in(role), name="Mine").status_code == 403
    with pytest.raises(PermissionDenied):
        team_settings.change_settings(get_actor(org, role), {"name": "Mine"})
    with pytest.raises(PermissionDenied):
        team_settings.delete_team(get_actor(org, role))
    assert Team.objects.get(pk=org.team.pk).name == "Acme Energy"


def test_only_an_owner_with_a_second_factor_can_require_one(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    response = save_settings(client, second_factor_required="on")
    assert response.status_code == 422
    assert "You do not have a second factor." in response.content.decode()
    assert "Set up a second factor" in response.content.decode()
    Authenticator.objects.create(
        user=org.members["owner"], type=Authenticator.Type.TOTP, data={"secret": "x"}
    )
    assert save_settings(client, second_factor_required="on").status_code == 302
    assert Team.objects.get(pk=org.team.pk).second_factor_required


def test_a_team_cannot_switch_off_the_second_factor_that_the_installation_requires(
    org: Organization, sign_in: SignIn, settings: Any
) -> None:
    client = sign_in("owner")
    Authenticator.objects.create(
        user=org.members["owner"], type=Authenticator.Type.TOTP, data={"secret": "x"}
    )
    settings.REQUIRE_SECOND_FACTOR = True
    field = client.get(SETTINGS).context["form"]["second_factor_required"]
    assert field.field.disabled
    assert field.value() is True
    assert save_settings(client, name="Acme Power", second_factor_required="").status_code == 302
    assert client.get("/acme/-/members/").status_code == 200
    Authenticator.objects.all().delete()
    assert client.get("/acme/-/members/").status_code == 302
    team = Team.objects.get(pk=org.team.pk)
    assert (team.name, team.second_factor_required) == ("Acme Power", False), "the team's own setting is kept"


# -- creating a team ---------------------------------------------------------------------------------------------------


def test_a_team_owner_creates_another_team_and_owns_it(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    assert "/teams/new/" in client.get("/acme/-/switcher/").content.decode()
    assert client.post("/teams/new/", {"name": "Acme Water", "slug": "water"})["Location"] == "/water/"
    membership = Membership.objects.get(team__slug="water")
    assert (membership.user, membership.role_slug) == (org.members["owner"], "owner")
    assert client.get("/water/-/settings/").status_code == 200
    assert AuditRecord.objects.get(operation="team.create").team == membership.team
    assert sign_in("administrator").get("/water/-/members/").status_code == 404


@pytest.mark.parametrize("slug", ["globex", "GLOBEX", "accounts", "invitations"])
def test_a_used_and_a_reserved_short_name_get_the_same_error(
    org: Organization, sign_in: SignIn, slug: str
) -> None:
    response = sign_in("owner").post("/teams/new/", {"name": "Mine", "slug": slug})
    assert response.status_code == 422
    assert list(response.context["form"].errors.values()) == [
        ["This short name is not available. Choose another one."]
    ]
    assert Team.objects.count() == 2


@pytest.mark.parametrize("slug", ["-x", "_x", "My Team!", "\u6c34\u52a1"])
def test_a_malformed_short_name_is_told_from_one_that_is_not_available(
    org: Organization, sign_in: SignIn, slug: str
) -> None:
    response = sign_in("owner").post("/teams/new/", {"name": "Mine", "slug": slug})
    (errors,) = response.context["form"].errors.values()
    assert all(error.startswith("Use only the letters a to z") for error in errors)


def test_a_team_needs_a_short_name(org: Organization, sign_in: SignIn) -> None:
    response = sign_in("owner").post("/teams/new/", {"name": "Mine", "slug": ""})
    assert response.context["form"].errors == {"slug": ["This field is required."]}


def test_users_without_an_own_team_cannot_create_one(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert client.get("/teams/new/").status_code == 403
    assert client.post("/teams/new/", {"name": "Mine", "slug": "mine"}).status_code == 403
    assert "/teams/new/" not in client.get("/acme/-/switcher/").content.decode()
    assert Team.objects.count() == 2


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_a_team_with_a_connection_is_not_deleted(org: Organization, sign_in: SignIn) -> None:
    response = sign_in("owner").post(SETTINGS + "delete/", {"typed": "Acme Energy"})
    assert response.status_code == 422
    assert "has connections" in response.content.decode()
    assert Team.objects.filter(pk=org.team.pk).exists()


def test_a_team_without_connections_is_deleted_once_its_name_is_entered_and_its_records_are_kept(
    org: Organization, sign_in: SignIn
) -> None:
    org.connection.delete()
    Invitation.objects.create(team=org.team, email="n@acme.test", role_slug="viewer", digest="d")
    service = User.objects.create_user("t@service.invalid", None, name="T", is_service=True)
    Membership.objects.create(team=org.team, user=service, role_slug="viewer")
    client = sign_in("owner")
    assert client.post(SETTINGS + "delete/", {"typed": "acme"}).status_code == 422
    assert client.post(SETTINGS + "delete/", {"typed": "Acme Energy"})["Location"] == "/"
    assert not Team.objects.filter(slug="acme").exists()
    assert client.get("/acme/").status_code == 404
    assert User.objects.filter(email="viewer@acme.test").exists(), "accounts are kept"
    assert not User.objects.filter(is_service=True).exists(), "except those of the team's tokens"
    record = AuditRecord.objects.get(operation="team.delete")
    assert (record.outcome, record.target, record.actor_label) == ("done", "Acme Energy", "owner@acme.test")
    call_command("audit", "verify")


def test_bootstrap_gives_a_member_with_limited_scope_access_to_the_entire_team(org: Organization) -> None:
    Membership.objects.filter(user=org.members["viewer"]).update(access_scope={"products": ["a"]})
    call_command("bootstrap", "--email", "viewer@acme.test", "--team", "Acme Energy", "--slug", "acme")
    membership = Membership.objects.get(user=org.members["viewer"])
    assert (membership.role_slug, membership.access_scope) == ("owner", {})


def test_the_largest_number_of_the_database_is_not_shown_as_a_limit(
    org: Organization, sign_in: Callable[[str], Client]
) -> None:
    assert "2,147,483,647" not in sign_in("owner").get("/acme/-/settings/").content.decode()
