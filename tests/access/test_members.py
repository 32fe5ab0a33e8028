"""Who belongs to a team, who may change that and how far, and that a team always has an owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from console.access import teams
from console.access.audit import Origin
from console.access.models import AuditRecord, CustomRole, Membership, User
from console.access.scope import AccessScope
from tests.conftest import PASSWORD, Organization

SignIn = Callable[[str], Client]
ALL = AccessScope()


def member(org: Organization, role: str) -> Membership:
    return Membership.objects.get(team=org.team, user=org.members[role])


def page(org: Organization, role: str, rest: str = "") -> str:
    return f"/acme/-/members/{member(org, role).pk}/{rest}"


def service(org: Organization) -> Membership:
    """The membership behind an API token of the team."""
    user = User.objects.create_user("token@service.invalid", None, name="Factory", is_service=True)
    return Membership.objects.create(team=org.team, user=user, role_slug="viewer")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_names_everybody_in_the_team_and_nobody_else(org: Organization, sign_in: SignIn) -> None:
    text = sign_in("administrator").get("/acme/-/members/").content.decode()
    assert all(user.email in text for user in org.members.values())
    assert org.outsider.email not in text


def test_the_list_is_searched_by_name_and_address_and_filtered_by_role(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    for query in ("q=release-eng", "q=Release%20Eng", "role=release-engineer"):
        text = client.get(f"/acme/-/members/?{query}").content.decode()
        assert "release-engineer@acme.test" in text
        assert "viewer@acme.test" not in text


def test_the_list_says_how_far_each_reaches(org: Organization, sign_in: SignIn) -> None:
    access_scope = AccessScope(frozenset([org.connection.pk]), frozenset("ab"), frozenset(["g"]))
    Membership.objects.filter(pk=member(org, "viewer").pk).update(access_scope=access_scope.kept())
    text = sign_in("owner").get("/acme/-/members/").content.decode()
    assert "Sandbox, 2 products, 1 group" in text


def test_the_list_asks_the_database_as_often_for_thirty_members_as_for_five(
    org: Organization, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    CustomRole.objects.create(team=org.team, slug="crew", name="Crew", levels={"devices": 1})
    for number in range(30):
        user = User.objects.create_user(f"p{number}@acme.test", None, name=f"Person {number}")
        Membership.objects.create(team=org.team, user=user, role_slug="crew")
    client = sign_in("owner")
    client.get("/acme/-/members/")
    with django_assert_max_num_queries(25):
        assert client.get("/acme/-/members/").status_code == 200


def test_an_account_made_for_a_token_is_no_member_to_anybody(org: Organization, sign_in: SignIn) -> None:
    found = service(org)
    client = sign_in("owner")
    assert "Factory" not in client.get("/acme/-/members/").content.decode()
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{found.pk}/{rest}").status_code == 404
    with pytest.raises(ValidationError, match="no longer a member"):
        teams.change_member(teams.Actor(member(org, "owner"), Origin()), found, "owner", ALL)


# -- role and reach ----------------------------------------------------------------------------------------------------


def test_an_owner_changes_a_role_and_it_counts_at_the_next_request(
    org: Organization, sign_in: SignIn
) -> None:
    lowered = sign_in("administrator")
    assert lowered.get("/acme/-/audit/").status_code == 200
    fields = {"role": "viewer", "scope": "all"}
    response = sign_in("owner").post(page(org, "administrator", "edit/"), fields)
    assert response["Location"] == "/acme/-/members/"
    assert lowered.get("/acme/-/audit/").status_code == 403
    record = AuditRecord.objects.get(operation="team.change_role")
    assert (record.outcome, record.parameters, record.before) == (
        "done",
        {"role": "viewer"},
        {"role": "administrator"},
    )


def test_a_reach_is_chosen_and_recorded_with_what_it_was(org: Organization, sign_in: SignIn) -> None:
    fields = {
        "role": "operator",
        "scope": "part",
        "connections": [org.connection.pk],
        "products": "a1Bc, a2Bc\na1Bc",
        "groups": "g-1",
    }
    sign_in("administrator").post(page(org, "operator", "edit/"), fields)
    kept = {"connections": [org.connection.pk], "products": ["a1Bc", "a2Bc"], "groups": ["g-1"]}
    assert member(org, "operator").access_scope == kept
    record = AuditRecord.objects.get(operation="team.change_role")
    assert record.parameters == {"role": "operator", **kept}
    assert record.before == {"role": "operator"}


def test_a_reach_of_nothing_is_refused_and_not_taken_for_everything(
    org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("owner").post(page(org, "viewer", "edit/"), {"role": "viewer", "scope": "part"})
    assert response.status_code == 422
    assert "at least one" in response.content.decode()


def test_an_owner_is_never_narrowed(org: Organization, sign_in: SignIn) -> None:
    fields = {"role": "owner", "scope": "part", "products": "a1"}
    assert sign_in("owner").post(page(org, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(ValidationError, match="whole team"):
        teams.change_member(
            teams.Actor(member(org, "owner"), Origin()),
            member(org, "viewer"),
            "owner",
            AccessScope(products=frozenset("a")),
        )


@pytest.mark.parametrize("key", ["a b/c", "<script>", "x" * 65, "…"])
def test_what_is_no_key_is_refused_at_its_field_and_kept_to_be_corrected(
    org: Organization, sign_in: SignIn, key: str
) -> None:
    fields = {"role": "viewer", "scope": "part", "products": f"good {key}"}
    response = sign_in("owner").post(page(org, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert "good" in response.context["form"]["products"].value()


def test_a_connection_of_another_team_cannot_be_named(org: Organization, sign_in: SignIn) -> None:
    fields = {"role": "viewer", "scope": "part", "connections": [org.other_connection.pk]}
    response = sign_in("owner").post(page(org, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert org.other_connection.name not in response.content.decode()


def test_a_deleted_connection_stays_in_the_reach_until_somebody_takes_it_out(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(org, "viewer").pk).update(access_scope={"connections": [9999]})
    client = sign_in("owner")
    assert "was deleted" in client.get(page(org, "viewer", "edit/")).content.decode()
    fields = {"role": "operator", "scope": "part", "connections": [9999]}
    assert client.post(page(org, "viewer", "edit/"), fields).status_code == 302
    assert member(org, "viewer").access_scope == {"connections": [9999]}


def test_a_narrowed_administrator_has_no_part_in_members_roles_and_settings(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(org, "administrator").pk).update(access_scope={"products": ["a"]})
    client = sign_in("administrator")
    for address in ("members/", "members/invite/", "roles/", "roles/add/", "settings/"):
        assert client.get(f"/acme/-/{address}").status_code == 403


def test_an_unknown_role_is_refused(org: Organization, sign_in: SignIn) -> None:
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={})
    for role in ("emperor", "theirs"):
        fields = {"role": role, "scope": "all"}
        assert sign_in("owner").post(page(org, "viewer", "edit/"), fields).status_code == 422
    assert member(org, "viewer").role_slug == "viewer"


def test_an_administrator_makes_no_owner(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    for role in ("viewer", "administrator"):
        fields = {"role": "owner", "scope": "all"}
        assert client.post(page(org, role, "edit/"), fields).status_code == 422
    assert Membership.objects.filter(team=org.team, role_slug="owner").count() == 1


def test_an_administrator_touches_no_owner(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert client.post(page(org, "owner", "edit/"), {"role": "viewer", "scope": "all"}).status_code == 403
    assert client.post(page(org, "owner", "remove/")).status_code == 403
    assert member(org, "owner").role_slug == "owner"


def test_who_may_change_members_gives_and_changes_only_what_their_own_role_includes(
    org: Organization, sign_in: SignIn
) -> None:
    levels = {"members": 2, "devices": 1}
    CustomRole.objects.create(team=org.team, slug="desk", name="Desk", levels=levels)
    CustomRole.objects.create(team=org.team, slug="looker", name="Looker", levels={"devices": 1})
    Membership.objects.filter(pk=member(org, "operator").pk).update(role_slug="desk")
    Membership.objects.filter(pk=member(org, "viewer").pk).update(role_slug="looker")
    client = sign_in("operator")
    assert client.get(page(org, "release-engineer", "edit/")).status_code == 403
    offered = client.get(page(org, "viewer", "edit/")).context["form"].fields["role"].choices
    assert {slug for slug, _label in offered} == {"desk", "looker"}
    fields = {"role": "viewer", "scope": "all"}
    assert client.post(page(org, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(PermissionDenied):
        teams.change_member(
            teams.Actor(member(org, "operator"), Origin()), member(org, "viewer"), "viewer", ALL
        )


def test_changing_somebody_asks_who_it_is_when_the_sign_in_is_long_ago(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 86_400
    session.save()
    for rest in ("edit/", "remove/", "transfer/"):
        asked = client.post(page(org, "viewer", rest), {"role": "operator", "scope": "all"})
        assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert member(org, "viewer").role_slug == "viewer"


# -- two at once -------------------------------------------------------------------------------------------------------


def test_what_was_allowed_when_the_page_was_asked_for_is_checked_again_when_it_is_done(
    org: Organization,
) -> None:
    owner, second, third = (member(org, role) for role in ("owner", "administrator", "operator"))
    Membership.objects.filter(pk__in=[second.pk, third.pk]).update(role_slug="owner")
    as_owner, as_second = (
        teams.Actor(Membership.objects.select_related("team", "user").get(pk=m.pk), Origin())
        for m in (owner, second)
    )
    teams.remove_member(as_owner, second)
    for act in (
        lambda: teams.remove_member(as_second, owner),
        lambda: teams.change_member(as_second, owner, "viewer", ALL),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert member(org, "owner").role_slug == "owner"


def test_an_administrator_does_not_lower_somebody_who_has_just_become_owner(org: Organization) -> None:
    actor, seen = teams.Actor(member(org, "administrator"), Origin()), member(org, "viewer")
    Membership.objects.filter(pk=seen.pk).update(role_slug="owner")
    with pytest.raises(PermissionDenied):
        teams.change_member(actor, seen, "operator", ALL)
    with pytest.raises(PermissionDenied):
        teams.remove_member(actor, seen)
    assert member(org, "viewer").role_slug == "owner"
    refused = AuditRecord.objects.for_team(org.team).filter(outcome="refused")
    assert set(refused.values_list("operation", flat=True)) == {"team.change_role", "team.remove_member"}


def test_changing_somebody_who_has_just_left_says_so(org: Organization) -> None:
    actor, seen = teams.Actor(member(org, "owner"), Origin()), member(org, "viewer")
    Membership.objects.filter(pk=seen.pk).delete()
    for act in (
        lambda: teams.change_member(actor, seen, "operator", ALL),
        lambda: teams.remove_member(actor, seen),
        lambda: teams.transfer_ownership(actor, seen),
    ):
        with pytest.raises(ValidationError, match="no longer a member"):
            act()


# -- leaving, and owners -----------------------------------------------------------------------------------------------


def test_a_removed_member_finds_nothing_at_the_next_request(org: Organization, sign_in: SignIn) -> None:
    removed = sign_in("administrator")
    sign_in("owner").post(page(org, "administrator", "remove/"))
    assert removed.get("/acme/-/members/").status_code == 404
    assert User.objects.filter(email="administrator@acme.test").exists()
    record = AuditRecord.objects.get(operation="team.remove_member")
    assert (record.target, record.before) == ("administrator@acme.test", {"role": "administrator"})


def test_the_last_owner_can_be_neither_lowered_nor_removed(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    lowered = client.post(page(org, "owner", "edit/"), {"role": "viewer", "scope": "all"})
    left = client.post(page(org, "owner", "remove/"))
    assert (lowered.status_code, left.status_code) == (422, 422)
    assert "You are the only owner" in left.content.decode()
    assert member(org, "owner").role_slug == "owner"


def test_the_last_owner_is_told_before_they_try_to_leave(org: Organization, sign_in: SignIn) -> None:
    text = sign_in("owner").get(page(org, "owner", "remove/")).content.decode()
    assert "You are the only owner" in text
    assert ">Leave<" not in text


def test_everybody_finds_the_way_out_of_a_team_in_their_profile(org: Organization, sign_in: SignIn) -> None:
    assert page(org, "viewer", "remove/") in sign_in("viewer").get("/account/profile/").content.decode()


def test_an_owner_may_leave_when_there_is_another(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(org, "administrator", "edit/"), {"role": "owner", "scope": "all"})
    assert client.post(page(org, "owner", "remove/"))["Location"] == "/"
    assert client.get("/acme/-/members/").status_code == 404


def test_a_deactivated_owner_does_not_count_as_the_other_one(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(org, "administrator", "edit/"), {"role": "owner", "scope": "all"})
    User.objects.filter(email="administrator@acme.test").update(is_active=False)
    assert client.post(page(org, "owner", "remove/")).status_code == 422


def test_anybody_may_leave(org: Organization, sign_in: SignIn) -> None:
    assert sign_in("viewer").post(page(org, "viewer", "remove/"))["Location"] == "/"
    assert not Membership.objects.filter(team=org.team, user=org.members["viewer"]).exists()


def test_ownership_is_handed_over_in_one_step_once_the_teams_name_is_typed(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(org, "operator").pk).update(access_scope={"products": ["a"]})
    client = sign_in("owner")
    assert client.post(page(org, "operator", "transfer/"), {"typed": "Acme"}).status_code == 422
    assert client.post(page(org, "operator", "transfer/"), {"typed": "Acme Energy"}).status_code == 302
    assert (member(org, "operator").role_slug, member(org, "operator").access_scope) == ("owner", {})
    assert member(org, "owner").role_slug == "administrator"
    again = client.post(page(org, "operator", "transfer/"), {"typed": "Acme Energy"})
    assert again.status_code == 403, "who handed it over is no owner any more"
    record = AuditRecord.objects.get(operation="team.transfer", outcome="done")
    assert (record.parameters, record.before) == ({"role": "owner"}, {"role": "operator", "products": ["a"]})


@pytest.mark.parametrize("role", ["administrator", "viewer"])
def test_who_is_no_owner_hands_nothing_over(org: Organization, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    assert client.post(page(org, "viewer", "transfer/"), {"typed": "Acme Energy"}).status_code == 403
    with pytest.raises(PermissionDenied):
        teams.transfer_ownership(teams.Actor(member(org, role), Origin()), member(org, "operator"))
    assert member(org, "owner").role_slug == "owner"


def test_ownership_goes_neither_to_oneself_nor_to_a_closed_account(org: Organization) -> None:
    actor = teams.Actor(member(org, "owner"), Origin())
    with pytest.raises(ValidationError, match="already"):
        teams.transfer_ownership(actor, member(org, "owner"))
    User.objects.filter(email="viewer@acme.test").update(is_active=False)
    with pytest.raises(ValidationError, match="closed"):
        teams.transfer_ownership(actor, member(org, "viewer"))
    assert member(org, "owner").role_slug == "owner"


# -- other teams -------------------------------------------------------------------------------------------------------


def test_a_member_of_another_team_is_not_reached_through_the_own_one(
    org: Organization, sign_in: SignIn
) -> None:
    other = Membership.objects.get(team=org.other_team)
    client = sign_in("owner")
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{other.pk}/{rest}").status_code == 404
        posted = client.post(f"/acme/-/members/{other.pk}/{rest}", {"role": "viewer", "typed": "Acme Energy"})
        assert posted.status_code in {404, 405}
    assert Membership.objects.get(pk=other.pk).role_slug == "owner"


def test_the_password_never_shows_in_the_trail(org: Organization, sign_in: SignIn) -> None:
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    rows: Any = [str(vars(record)) for record in AuditRecord.objects.all()]
    assert rows
    assert PASSWORD not in "".join(rows)
