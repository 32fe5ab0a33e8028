"""The life of a token: created, used, limited, expired or revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from console.accounts.models import ApiToken, CustomRole, Membership, Team, User
from console.accounts.roles import BUILT_IN
from console.accounts.scope import AccessScope
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.teams import changes
from console.teams.tokens import keys
from console.teams.tokens.lifecycle import (
    TokenDraft,
    create_personal_token,
    create_team_token,
    list_token_roles,
    revoke_token,
)
from tests.api_programs import CreateProgram, find_actor
from tests.conftest import Organization

WANTED = TokenDraft("nightly", "viewer", AccessScope(), 90)


def status(program) -> int:
    return program.get("token").status_code


def test_the_form_and_checksum_of_a_key_show_whether_it_is_valid() -> None:
    key = keys.new_key()
    assert keys.is_well_formed(key)
    changed = key[:10] + ("a" if key[10] != "a" else "b") + key[11:]
    for wrong in (changed, key[:-1], key + "0", key.removeprefix("fd_"), "", "fd_", key + "\n", key.upper()):
        assert not keys.is_well_formed(wrong)
    assert len({keys.new_key() for _ in range(100)}) == 100


def test_only_the_digest_of_a_token_is_stored(org: Organization, create_program: CreateProgram) -> None:
    created = create_program().credentials
    stored = ApiToken.objects.values().get(pk=created.token.pk)
    assert created.key not in str(stored)
    assert created.key.startswith(stored["hint"])
    assert len(stored["hint"]) < 12


def test_a_token_cannot_have_more_permissions_than_its_creator_and_is_never_owner(org: Organization) -> None:
    for slug in BUILT_IN:
        actor = find_actor(org.team, org.members[slug])
        given = {role.slug for role in list_token_roles(actor.membership)}
        assert "owner" not in given
        assert all(actor.membership.role.includes(BUILT_IN[role]) for role in given)
        for refused in {*BUILT_IN, "nothing"} - given:
            with pytest.raises(PermissionDenied):
                create_personal_token(actor, TokenDraft("x", refused, AccessScope(), 1))
    assert not ApiToken.objects.exists()
    assert AuditRecord.objects.filter(operation="token.make", outcome="refused").count() >= len(BUILT_IN)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_is_valid_for_a_year_at_most(org: Organization, days: int) -> None:
    with pytest.raises(ValidationError):
        create_personal_token(
            find_actor(org.team, org.members["owner"]), TokenDraft("x", "viewer", AccessScope(), days)
        )


def test_only_users_who_may_edit_members_create_team_tokens(org: Organization) -> None:
    for slug in ("viewer", "operator", "release-engineer"):
        with pytest.raises(PermissionDenied):
            create_team_token(find_actor(org.team, org.members[slug]), WANTED)
    assert not User.objects.filter(is_service=True).exists()


def test_two_valid_tokens_cannot_have_the_same_name(org: Organization) -> None:
    actor = find_actor(org.team, org.members["owner"])
    first = create_personal_token(actor, WANTED)
    create_team_token(actor, WANTED)  # another list
    for make in (create_personal_token, create_team_token):
        with pytest.raises(ValidationError):
            make(actor, WANTED)
    revoke_token(first.token, actor.membership.user, Origin())
    create_personal_token(actor, WANTED)


def test_a_token_works_until_it_expires_or_is_revoked(
    org: Organization, create_program: CreateProgram
) -> None:
    first, second = create_program(days=1, name="a"), create_program(name="b")
    assert (status(first), status(second)) == (200, 200)
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1), tick=True):
        assert (status(first), status(second)) == (401, 200)
    revoke_token(second.credentials.token, org.members["owner"], Origin())
    assert status(second) == 401


def test_unknown_expired_and_revoked_tokens_get_the_same_response(
    org: Organization, create_program: CreateProgram
) -> None:
    revoked, expired = create_program(name="a"), create_program(name="b")
    revoke_token(revoked.credentials.token, org.members["owner"], Origin())
    ApiToken.objects.filter(pk=expired.credentials.token.pk).update(expires_at=timezone.now())
    unknown = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {keys.new_key()}"})
    nothing = Client().get("/api/v1/token")
    responses = [revoked.get("token"), expired.get("token"), unknown, nothing]
    assert {response.status_code for response in responses} == {401}
    assert len({response.content for response in responses}) == 1
    assert all(response["WWW-Authenticate"].startswith("Bearer") for response in responses)


def test_a_browsers_session_gives_no_access(org: Organization, sign_in) -> None:
    client = sign_in("owner")
    assert client.get("/api/v1/token").status_code == 401
    assert client.post("/api/v1/sandbox/groups", "{}", content_type="application/json").status_code == 401


def test_a_user_who_loses_a_role_loses_it_for_their_tokens_too(
    org: Organization, create_program: CreateProgram
) -> None:
    personal = create_program("administrator", "administrator")
    assert personal.get("token").json()["permissions"]["members"] == "write"
    Membership.objects.filter(user=org.members["administrator"]).update(role_slug="viewer")
    assert personal.get("token").json()["permissions"]["devices"] == "read"
    assert personal.get("audit").status_code == 403


def test_a_token_with_a_deleted_role_has_no_permissions(
    org: Organization, create_program: CreateProgram
) -> None:
    own = CustomRole.objects.create(team=org.team, slug="night", name="Night", levels={"devices": 1})
    personal = create_program("owner", "night")
    assert personal.get("token").json()["permissions"]["devices"] == "read"
    own.delete()
    assert set(personal.get("token").json()["permissions"].values()) == {"none"}


def test_the_tokens_of_a_deactivated_or_removed_member_are_invalid(
    org: Organization, create_program: CreateProgram
) -> None:
    personal = create_program("operator", "viewer")
    member = Membership.objects.get(user=org.members["operator"])
    User.objects.filter(pk=member.user_id).update(is_active=False)
    assert status(personal) == 401
    User.objects.filter(pk=member.user_id).update(is_active=True)
    changes.remove_member(find_actor(org.team, org.members["owner"]), member)
    assert status(personal) == 401
    Membership.objects.create(team=org.team, user=org.members["operator"], role_slug="operator")
    assert status(personal) == 401, "old tokens stay invalid when a user joins again"


@pytest.mark.parametrize("requiring", ["team", "installation"])
def test_a_token_of_a_user_without_the_required_second_factor_is_invalid(
    org: Organization, create_program: CreateProgram, settings: Any, requiring: str
) -> None:
    personal, team_program = create_program(), create_program(team_token=True, name="team_program")
    if requiring == "team":
        Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    settings.REQUIRE_SECOND_FACTOR = requiring == "installation"
    assert (status(personal), status(team_program)) == (401, 200)


def test_a_team_token_stays_valid_after_its_creator_leaves_and_ends_with_its_account(
    org: Organization, create_program: CreateProgram
) -> None:
    team_program = create_program("administrator", "operator", team_token=True, name="robot")
    info = team_program.get("token").json()
    assert (info["acts_for"], info["role"]) == ("robot", "operator")
    Membership.objects.filter(user=org.members["administrator"]).delete()
    assert status(team_program) == 200
    account = team_program.credentials.token.user
    assert account.is_service
    assert not account.has_usable_password()
    revoke_token(team_program.credentials.token, org.members["owner"], Origin())
    account.refresh_from_db()
    assert not account.is_active
    assert not account.memberships.exists()


def test_only_its_user_and_users_who_may_edit_members_can_revoke_a_token(
    org: Organization, create_program: CreateProgram
) -> None:
    personal = create_program("operator", "viewer")
    for other in (org.members["viewer"], org.outsider):
        with pytest.raises(PermissionDenied):
            revoke_token(personal.credentials.token, other, Origin())
    assert status(personal) == 200
    revoke_token(personal.credentials.token, org.members["administrator"], Origin())
    assert status(personal) == 401


def test_creating_using_and_revoking_a_token_are_audited_without_the_key(
    org: Organization, create_program: CreateProgram
) -> None:
    personal = create_program(name="nightly")
    for address in ("10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.2"):
        ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        ApiToken.objects.filter(last_used_ip=None).update(last_used_at=None)
        Client(REMOTE_ADDR=address).get(
            "/api/v1/token", headers={"Authorization": f"Bearer {personal.credentials.key}"}
        )
    revoke_token(personal.credentials.token, org.members["owner"], Origin())
    status(personal)
    status(personal)
    records = AuditRecord.objects.filter(operation__startswith="token.").order_by("id")
    assert [(record.operation, record.ip) for record in records] == [
        ("token.make", "10.0.0.1"),
        ("token.use", "10.0.0.2"),
        ("token.use", "10.0.0.3"),
        ("token.revoke", None),
        ("token.refused", "127.0.0.1"),
    ]
    assert personal.credentials.key not in str(list(AuditRecord.objects.values()))


def test_the_last_use_of_a_token_is_stored_once_a_minute(
    org: Organization, create_program: CreateProgram
) -> None:
    personal = create_program()
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        status(personal)
        clock.shift(30)
        status(personal)
        assert ApiToken.objects.get().last_used_at == now
        clock.shift(31)
        status(personal)
        assert ApiToken.objects.get().last_used_at == now + timedelta(seconds=61)
