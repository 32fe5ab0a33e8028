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
from console.access.narrowing import Narrowing
from tests.conftest import PASSWORD, Cast

SignIn = Callable[[str], Client]
ALL = Narrowing()


def member(cast: Cast, role: str) -> Membership:
    return Membership.objects.get(team=cast.team, user=cast.members[role])


def page(cast: Cast, role: str, rest: str = "") -> str:
    return f"/acme/-/members/{member(cast, role).pk}/{rest}"


def service(cast: Cast) -> Membership:
    """The membership behind an API token of the team."""
    user = User.objects.create_user("token@service.invalid", None, name="Factory", is_service=True)
    return Membership.objects.create(team=cast.team, user=user, role_slug="viewer")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_names_everybody_in_the_team_and_nobody_else(cast: Cast, sign_in: SignIn) -> None:
    text = sign_in("administrator").get("/acme/-/members/").content.decode()
    assert all(user.email in text for user in cast.members.values())
    assert cast.outsider.email not in text


def test_the_list_is_searched_by_name_and_address_and_filtered_by_role(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    for query in ("q=release-eng", "q=Release%20Eng", "role=release-engineer"):
        text = client.get(f"/acme/-/members/?{query}").content.decode()
        assert "release-engineer@acme.test" in text
        assert "viewer@acme.test" not in text


def test_the_list_says_how_far_each_reaches(cast: Cast, sign_in: SignIn) -> None:
    narrowing = Narrowing(frozenset([cast.connection.pk]), frozenset("ab"), frozenset(["g"]))
    Membership.objects.filter(pk=member(cast, "viewer").pk).update(narrowing=narrowing.kept())
    text = sign_in("owner").get("/acme/-/members/").content.decode()
    assert "Sandbox, 2 products, 1 group" in text


def test_the_list_asks_the_database_as_often_for_thirty_members_as_for_five(
    cast: Cast, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    CustomRole.objects.create(team=cast.team, slug="crew", name="Crew", levels={"devices": 1})
    for number in range(30):
        user = User.objects.create_user(f"p{number}@acme.test", None, name=f"Person {number}")
        Membership.objects.create(team=cast.team, user=user, role_slug="crew")
    client = sign_in("owner")
    client.get("/acme/-/members/")
    with django_assert_max_num_queries(25):
        assert client.get("/acme/-/members/").status_code == 200


def test_an_account_made_for_a_token_is_no_member_to_anybody(cast: Cast, sign_in: SignIn) -> None:
    found = service(cast)
    client = sign_in("owner")
    assert "Factory" not in client.get("/acme/-/members/").content.decode()
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{found.pk}/{rest}").status_code == 404
    with pytest.raises(ValidationError, match="no longer a member"):
        teams.change_member(teams.Actor(member(cast, "owner"), Origin()), found, "owner", ALL)


# -- role and reach ----------------------------------------------------------------------------------------------------


def test_an_owner_changes_a_role_and_it_counts_at_the_next_request(cast: Cast, sign_in: SignIn) -> None:
    lowered = sign_in("administrator")
    assert lowered.get("/acme/-/audit/").status_code == 200
    fields = {"role": "viewer", "reach": "all"}
    response = sign_in("owner").post(page(cast, "administrator", "edit/"), fields)
    assert response["Location"] == "/acme/-/members/"
    assert lowered.get("/acme/-/audit/").status_code == 403
    record = AuditRecord.objects.get(operation="team.change_role")
    assert (record.outcome, record.parameters, record.before) == (
        "done",
        {"role": "viewer"},
        {"role": "administrator"},
    )


def test_a_reach_is_chosen_and_recorded_with_what_it_was(cast: Cast, sign_in: SignIn) -> None:
    fields = {
        "role": "operator",
        "reach": "part",
        "connections": [cast.connection.pk],
        "products": "a1Bc, a2Bc\na1Bc",
        "groups": "g-1",
    }
    sign_in("administrator").post(page(cast, "operator", "edit/"), fields)
    kept = {"connections": [cast.connection.pk], "products": ["a1Bc", "a2Bc"], "groups": ["g-1"]}
    assert member(cast, "operator").narrowing == kept
    record = AuditRecord.objects.get(operation="team.change_role")
    assert record.parameters == {"role": "operator", **kept}
    assert record.before == {"role": "operator"}


def test_a_reach_of_nothing_is_refused_and_not_taken_for_everything(cast: Cast, sign_in: SignIn) -> None:
    response = sign_in("owner").post(page(cast, "viewer", "edit/"), {"role": "viewer", "reach": "part"})
    assert response.status_code == 422
    assert "at least one" in response.content.decode()


def test_an_owner_is_never_narrowed(cast: Cast, sign_in: SignIn) -> None:
    fields = {"role": "owner", "reach": "part", "products": "a1"}
    assert sign_in("owner").post(page(cast, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(ValidationError, match="whole team"):
        teams.change_member(
            teams.Actor(member(cast, "owner"), Origin()),
            member(cast, "viewer"),
            "owner",
            Narrowing(products=frozenset("a")),
        )


@pytest.mark.parametrize("key", ["a b/c", "<script>", "x" * 65, "…"])
def test_what_is_no_key_is_refused_at_its_field_and_kept_to_be_corrected(
    cast: Cast, sign_in: SignIn, key: str
) -> None:
    fields = {"role": "viewer", "reach": "part", "products": f"good {key}"}
    response = sign_in("owner").post(page(cast, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert "good" in response.context["form"]["products"].value()


def test_a_connection_of_another_team_cannot_be_named(cast: Cast, sign_in: SignIn) -> None:
    fields = {"role": "viewer", "reach": "part", "connections": [cast.other_connection.pk]}
    response = sign_in("owner").post(page(cast, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert cast.other_connection.name not in response.content.decode()


def test_a_deleted_connection_stays_in_the_reach_until_somebody_takes_it_out(
    cast: Cast, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(cast, "viewer").pk).update(narrowing={"connections": [9999]})
    client = sign_in("owner")
    assert "was deleted" in client.get(page(cast, "viewer", "edit/")).content.decode()
    fields = {"role": "operator", "reach": "part", "connections": [9999]}
    assert client.post(page(cast, "viewer", "edit/"), fields).status_code == 302
    assert member(cast, "viewer").narrowing == {"connections": [9999]}


def test_a_narrowed_administrator_has_no_part_in_members_roles_and_settings(
    cast: Cast, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(cast, "administrator").pk).update(narrowing={"products": ["a"]})
    client = sign_in("administrator")
    for address in ("members/", "members/invite/", "roles/", "roles/add/", "settings/"):
        assert client.get(f"/acme/-/{address}").status_code == 403


def test_an_unknown_role_is_refused(cast: Cast, sign_in: SignIn) -> None:
    CustomRole.objects.create(team=cast.other_team, slug="theirs", name="Theirs", levels={})
    for role in ("emperor", "theirs"):
        fields = {"role": role, "reach": "all"}
        assert sign_in("owner").post(page(cast, "viewer", "edit/"), fields).status_code == 422
    assert member(cast, "viewer").role_slug == "viewer"


def test_an_administrator_makes_no_owner(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    for role in ("viewer", "administrator"):
        fields = {"role": "owner", "reach": "all"}
        assert client.post(page(cast, role, "edit/"), fields).status_code == 422
    assert Membership.objects.filter(team=cast.team, role_slug="owner").count() == 1


def test_an_administrator_touches_no_owner(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert client.post(page(cast, "owner", "edit/"), {"role": "viewer", "reach": "all"}).status_code == 403
    assert client.post(page(cast, "owner", "remove/")).status_code == 403
    assert member(cast, "owner").role_slug == "owner"


def test_who_may_change_members_gives_and_changes_only_what_their_own_role_includes(
    cast: Cast, sign_in: SignIn
) -> None:
    levels = {"members": 2, "devices": 1}
    CustomRole.objects.create(team=cast.team, slug="desk", name="Desk", levels=levels)
    CustomRole.objects.create(team=cast.team, slug="looker", name="Looker", levels={"devices": 1})
    Membership.objects.filter(pk=member(cast, "operator").pk).update(role_slug="desk")
    Membership.objects.filter(pk=member(cast, "viewer").pk).update(role_slug="looker")
    client = sign_in("operator")
    assert client.get(page(cast, "release-engineer", "edit/")).status_code == 403
    offered = client.get(page(cast, "viewer", "edit/")).context["form"].fields["role"].choices
    assert {slug for slug, _label in offered} == {"desk", "looker"}
    fields = {"role": "viewer", "reach": "all"}
    assert client.post(page(cast, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(PermissionDenied):
        teams.change_member(
            teams.Actor(member(cast, "operator"), Origin()), member(cast, "viewer"), "viewer", ALL
        )


def test_changing_somebody_asks_who_it_is_when_the_sign_in_is_long_ago(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 86_400
    session.save()
    for rest in ("edit/", "remove/", "transfer/"):
        asked = client.post(page(cast, "viewer", rest), {"role": "operator", "reach": "all"})
        assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert member(cast, "viewer").role_slug == "viewer"


# -- two at once -------------------------------------------------------------------------------------------------------


def test_what_was_allowed_when_the_page_was_asked_for_is_checked_again_when_it_is_done(cast: Cast) -> None:
    owner, second, third = (member(cast, role) for role in ("owner", "administrator", "operator"))
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
    assert member(cast, "owner").role_slug == "owner"


def test_an_administrator_does_not_lower_somebody_who_has_just_become_owner(cast: Cast) -> None:
    actor, seen = teams.Actor(member(cast, "administrator"), Origin()), member(cast, "viewer")
    Membership.objects.filter(pk=seen.pk).update(role_slug="owner")
    with pytest.raises(PermissionDenied):
        teams.change_member(actor, seen, "operator", ALL)
    with pytest.raises(PermissionDenied):
        teams.remove_member(actor, seen)
    assert member(cast, "viewer").role_slug == "owner"
    refused = AuditRecord.objects.for_team(cast.team).filter(outcome="refused")
    assert set(refused.values_list("operation", flat=True)) == {"team.change_role", "team.remove_member"}


def test_changing_somebody_who_has_just_left_says_so(cast: Cast) -> None:
    actor, seen = teams.Actor(member(cast, "owner"), Origin()), member(cast, "viewer")
    Membership.objects.filter(pk=seen.pk).delete()
    for act in (
        lambda: teams.change_member(actor, seen, "operator", ALL),
        lambda: teams.remove_member(actor, seen),
        lambda: teams.transfer_ownership(actor, seen),
    ):
        with pytest.raises(ValidationError, match="no longer a member"):
            act()


# -- leaving, and owners -----------------------------------------------------------------------------------------------


def test_a_removed_member_finds_nothing_at_the_next_request(cast: Cast, sign_in: SignIn) -> None:
    removed = sign_in("administrator")
    sign_in("owner").post(page(cast, "administrator", "remove/"))
    assert removed.get("/acme/-/members/").status_code == 404
    assert User.objects.filter(email="administrator@acme.test").exists()
    record = AuditRecord.objects.get(operation="team.remove_member")
    assert (record.target, record.before) == ("administrator@acme.test", {"role": "administrator"})


def test_the_last_owner_can_be_neither_lowered_nor_removed(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    lowered = client.post(page(cast, "owner", "edit/"), {"role": "viewer", "reach": "all"})
    left = client.post(page(cast, "owner", "remove/"))
    assert (lowered.status_code, left.status_code) == (422, 422)
    assert "You are the only owner" in left.content.decode()
    assert member(cast, "owner").role_slug == "owner"


def test_the_last_owner_is_told_before_they_try_to_leave(cast: Cast, sign_in: SignIn) -> None:
    text = sign_in("owner").get(page(cast, "owner", "remove/")).content.decode()
    assert "You are the only owner" in text
    assert ">Leave<" not in text


def test_everybody_finds_the_way_out_of_a_team_in_their_profile(cast: Cast, sign_in: SignIn) -> None:
    assert page(cast, "viewer", "remove/") in sign_in("viewer").get("/account/profile/").content.decode()


def test_an_owner_may_leave_when_there_is_another(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(cast, "administrator", "edit/"), {"role": "owner", "reach": "all"})
    assert client.post(page(cast, "owner", "remove/"))["Location"] == "/"
    assert client.get("/acme/-/members/").status_code == 404


def test_a_deactivated_owner_does_not_count_as_the_other_one(cast: Cast, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(page(cast, "administrator", "edit/"), {"role": "owner", "reach": "all"})
    User.objects.filter(email="administrator@acme.test").update(is_active=False)
    assert client.post(page(cast, "owner", "remove/")).status_code == 422


def test_anybody_may_leave(cast: Cast, sign_in: SignIn) -> None:
    assert sign_in("viewer").post(page(cast, "viewer", "remove/"))["Location"] == "/"
    assert not Membership.objects.filter(team=cast.team, user=cast.members["viewer"]).exists()


def test_ownership_is_handed_over_in_one_step_once_the_teams_name_is_typed(
    cast: Cast, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=member(cast, "operator").pk).update(narrowing={"products": ["a"]})
    client = sign_in("owner")
    assert client.post(page(cast, "operator", "transfer/"), {"typed": "Acme"}).status_code == 422
    assert client.post(page(cast, "operator", "transfer/"), {"typed": "Acme Energy"}).status_code == 302
    assert (member(cast, "operator").role_slug, member(cast, "operator").narrowing) == ("owner", {})
    assert member(cast, "owner").role_slug == "administrator"
    again = client.post(page(cast, "operator", "transfer/"), {"typed": "Acme Energy"})
    assert again.status_code == 403, "who handed it over is no owner any more"
    record = AuditRecord.objects.get(operation="team.transfer", outcome="done")
    assert (record.parameters, record.before) == ({"role": "owner"}, {"role": "operator", "products": ["a"]})


@pytest.mark.parametrize("role", ["administrator", "viewer"])
def test_who_is_no_owner_hands_nothing_over(cast: Cast, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    assert client.post(page(cast, "viewer", "transfer/"), {"typed": "Acme Energy"}).status_code == 403
    with pytest.raises(PermissionDenied):
        teams.transfer_ownership(teams.Actor(member(cast, role), Origin()), member(cast, "operator"))
    assert member(cast, "owner").role_slug == "owner"


def test_ownership_goes_neither_to_oneself_nor_to_a_closed_account(cast: Cast) -> None:
    actor = teams.Actor(member(cast, "owner"), Origin())
    with pytest.raises(ValidationError, match="already"):
        teams.transfer_ownership(actor, member(cast, "owner"))
    User.objects.filter(email="viewer@acme.test").update(is_active=False)
    with pytest.raises(ValidationError, match="closed"):
        teams.transfer_ownership(actor, member(cast, "viewer"))
    assert member(cast, "owner").role_slug == "owner"


# -- other teams -------------------------------------------------------------------------------------------------------


def test_a_member_of_another_team_is_not_reached_through_the_own_one(cast: Cast, sign_in: SignIn) -> None:
    other = Membership.objects.get(team=cast.other_team)
    client = sign_in("owner")
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{other.pk}/{rest}").status_code == 404
        posted = client.post(f"/acme/-/members/{other.pk}/{rest}", {"role": "viewer", "typed": "Acme Energy"})
        assert posted.status_code in {404, 405}
    assert Membership.objects.get(pk=other.pk).role_slug == "owner"


def test_the_password_never_shows_in_the_trail(cast: Cast, sign_in: SignIn) -> None:
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    rows: Any = [str(vars(record)) for record in AuditRecord.objects.all()]
    assert rows
    assert PASSWORD not in "".join(rows)
