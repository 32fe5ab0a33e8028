"""A token's life: made, used, limited, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from console.access import teams
from console.access.audit import Origin
from console.access.models import ApiToken, AuditRecord, CustomRole, Membership, Team, User
from console.access.roles import BUILT_IN
from console.access.scope import AccessScope
from console.access.tokens import keys
from console.access.tokens.lifecycle import (
    TokenDraft,
    create_personal_token,
    create_team_token,
    list_token_roles,
    revoke_token,
)
from tests.api.conftest import MakeProgram, actor_of
from tests.conftest import Organization

WANTED = TokenDraft("nightly", "viewer", AccessScope(), 90)


def status(program) -> int:
    return program.get("token").status_code


def test_a_key_is_told_from_what_is_none_by_its_form_and_checksum() -> None:
    key = keys.new_key()
    assert keys.is_well_formed(key)
    changed = key[:10] + ("a" if key[10] != "a" else "b") + key[11:]
    for wrong in (changed, key[:-1], key + "0", key.removeprefix("fd_"), "", "fd_", key + "\n", key.upper()):
        assert not keys.is_well_formed(wrong)
    assert len({keys.new_key() for _ in range(100)}) == 100


def test_of_a_token_only_a_digest_is_kept(org: Organization, program: MakeProgram) -> None:
    made = program().made
    kept = ApiToken.objects.values().get(pk=made.token.pk)
    assert made.key not in str(kept)
    assert made.key.startswith(kept["hint"])
    assert len(kept["hint"]) < 12


def test_a_token_has_no_role_that_its_maker_has_not_and_is_never_owner(org: Organization) -> None:
    for slug in BUILT_IN:
        actor = actor_of(org.team, org.members[slug])
        given = {role.slug for role in list_token_roles(actor.membership)}
        assert "owner" not in given
        assert all(actor.membership.role.includes(BUILT_IN[role]) for role in given)
        for refused in {*BUILT_IN, "nothing"} - given:
            with pytest.raises(PermissionDenied):
                create_personal_token(actor, TokenDraft("x", refused, AccessScope(), 1))
    assert not ApiToken.objects.exists()
    assert AuditRecord.objects.filter(operation="token.make", outcome="refused").count() >= len(BUILT_IN)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_works_for_a_year_at_most(org: Organization, days: int) -> None:
    with pytest.raises(ValidationError):
        create_personal_token(
            actor_of(org.team, org.members["owner"]), TokenDraft("x", "viewer", AccessScope(), days)
        )


def test_only_who_may_change_members_makes_tokens_of_the_team(org: Organization) -> None:
    for slug in ("viewer", "operator", "release-engineer"):
        with pytest.raises(PermissionDenied):
            create_team_token(actor_of(org.team, org.members[slug]), WANTED)
    assert not User.objects.filter(is_service=True).exists()


def test_two_tokens_that_work_are_not_called_the_same(org: Organization) -> None:
    actor = actor_of(org.team, org.members["owner"])
    first = create_personal_token(actor, WANTED)
    create_team_token(actor, WANTED)  # another list
    for make in (create_personal_token, create_team_token):
        with pytest.raises(ValidationError):
            make(actor, WANTED)
    revoke_token(first.token, actor.membership.user, Origin())
    create_personal_token(actor, WANTED)


def test_a_token_works_until_it_expires_or_is_revoked(org: Organization, program: MakeProgram) -> None:
    first, second = program(days=1, name="a"), program(name="b")
    assert (status(first), status(second)) == (200, 200)
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1), tick=True):
        assert (status(first), status(second)) == (401, 200)
    revoke_token(second.made.token, org.members["owner"], Origin())
    assert status(second) == 401


def test_unknown_expired_and_revoked_tokens_are_answered_alike(
    org: Organization, program: MakeProgram
) -> None:
    revoked, expired = program(name="a"), program(name="b")
    revoke_token(revoked.made.token, org.members["owner"], Origin())
    ApiToken.objects.filter(pk=expired.made.token.pk).update(expires_at=timezone.now())
    unknown = Client().get("/api/v1/token", headers={"Authorization": f"Bearer {keys.new_key()}"})
    nothing = Client().get("/api/v1/token")
    answers = [revoked.get("token"), expired.get("token"), unknown, nothing]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer["WWW-Authenticate"].startswith("Bearer") for answer in answers)


def test_a_browsers_session_opens_nothing(org: Organization, sign_in) -> None:
    client = sign_in("owner")
    assert client.get("/api/v1/token").status_code == 401
    assert client.post("/api/v1/sandbox/groups", "{}", content_type="application/json").status_code == 401


def test_who_loses_their_role_takes_it_from_their_tokens(org: Organization, program: MakeProgram) -> None:
    mine = program("administrator", "administrator")
    assert mine.get("token").json()["levels"]["members"] == "write"
    Membership.objects.filter(user=org.members["administrator"]).update(role_slug="viewer")
    assert mine.get("token").json()["levels"]["devices"] == "read"
    assert mine.get("audit").status_code == 403


def test_a_token_of_a_role_that_is_gone_may_do_nothing(org: Organization, program: MakeProgram) -> None:
    own = CustomRole.objects.create(team=org.team, slug="night", name="Night", levels={"devices": 1})
    mine = program("owner", "night")
    assert mine.get("token").json()["levels"]["devices"] == "read"
    own.delete()
    assert set(mine.get("token").json()["levels"].values()) == {"none"}


def test_who_left_the_team_or_was_closed_out_takes_their_tokens_along(
    org: Organization, program: MakeProgram
) -> None:
    mine = program("operator", "viewer")
    member = Membership.objects.get(user=org.members["operator"])
    User.objects.filter(pk=member.user_id).update(is_active=False)
    assert status(mine) == 401
    User.objects.filter(pk=member.user_id).update(is_active=True)
    teams.remove_member(actor_of(org.team, org.members["owner"]), member)
    assert status(mine) == 401
    Membership.objects.create(team=org.team, user=org.members["operator"], role_slug="operator")
    assert status(mine) == 401, "who comes back does not bring old tokens with them"


def test_where_the_team_requires_a_second_factor_a_token_of_somebody_without_one_does_not_work(
    org: Organization, program: MakeProgram
) -> None:
    mine, ours = program(), program(team_token=True, name="ours")
    Team.objects.filter(pk=org.team.pk).update(second_factor_required=True)
    assert (status(mine), status(ours)) == (401, 200)


def test_a_token_of_the_team_outlives_who_made_it_and_ends_with_its_account(
    org: Organization, program: MakeProgram
) -> None:
    ours = program("administrator", "operator", team_token=True, name="robot")
    told = ours.get("token").json()
    assert (told["acts_for"], told["role"]) == ("robot", "operator")
    Membership.objects.filter(user=org.members["administrator"]).delete()
    assert status(ours) == 200
    account = ours.made.token.user
    assert account.is_service
    assert not account.has_usable_password()
    revoke_token(ours.made.token, org.members["owner"], Origin())
    account.refresh_from_db()
    assert not account.is_active
    assert not account.memberships.exists()


def test_only_its_person_and_who_may_change_members_revoke_a_token(
    org: Organization, program: MakeProgram
) -> None:
    mine = program("operator", "viewer")
    for other in (org.members["viewer"], org.outsider):
        with pytest.raises(PermissionDenied):
            revoke_token(mine.made.token, other, Origin())
    assert status(mine) == 200
    revoke_token(mine.made.token, org.members["administrator"], Origin())
    assert status(mine) == 401


def test_making_using_and_revoking_are_in_the_trail_without_the_key(
    org: Organization, program: MakeProgram
) -> None:
    mine = program(name="nightly")
    for address in ("10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.2"):
        ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        ApiToken.objects.filter(last_used_ip=None).update(last_used_at=None)
        Client(REMOTE_ADDR=address).get("/api/v1/token", headers={"Authorization": f"Bearer {mine.made.key}"})
    revoke_token(mine.made.token, org.members["owner"], Origin())
    status(mine)
    status(mine)
    trail = AuditRecord.objects.filter(operation__startswith="token.").order_by("id")
    assert [(record.operation, record.ip) for record in trail] == [
        ("token.make", "10.0.0.1"),
        ("token.use", "10.0.0.2"),
        ("token.use", "10.0.0.3"),
        ("token.revoke", None),
        ("token.refused", "127.0.0.1"),
    ]
    assert mine.made.key not in str(list(AuditRecord.objects.values()))


def test_when_a_token_was_used_is_written_once_a_minute(org: Organization, program: MakeProgram) -> None:
    mine = program()
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        status(mine)
        clock.shift(30)
        status(mine)
        assert ApiToken.objects.get().last_used_at == now
        clock.shift(31)
        status(mine)
        assert ApiToken.objects.get().last_used_at == now + timedelta(seconds=61)
