"""The members of a team: who may change them and how, and that a team always has an owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from console.accounts.models import CustomRole, Membership, User
from console.accounts.scope import AccessScope
from console.audit.models import AuditRecord
from console.audit.records import Origin
from console.teams import changes
from console.teams.tokens.lifecycle import TokenDraft, create_personal_token
from tests.conftest import PASSWORD, Organization

SignIn = Callable[[str], Client]
ENTIRE_TEAM = AccessScope()


def get_member(org: Organization, role: str) -> Membership:
    return Membership.objects.get(team=org.team, user=org.members[role])


def member_url(org: Organization, role: str, rest: str = "") -> str:
    return f"/acme/-/members/{get_member(org, role).pk}/{rest}"


def create_service_membership(org: Organization) -> Membership:
    """Create the membership of an API token of the team."""
    user = User.objects.create_user("token@service.invalid", None, name="Factory", is_service=True)
    return Membership.objects.create(team=org.team, user=user, role_slug="viewer")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_contains_all_members_and_nobody_else(org: Organization, sign_in: SignIn) -> None:
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


def test_the_list_is_sorted_by_address(org: Organization, sign_in: SignIn) -> None:
    for sort, backwards in (("email", False), ("-email", True)):
        table = sign_in("owner").get("/acme/-/members/", {"sort": sort}).context["table"]
        addresses = [member.user.email for member in table.rows]
        assert addresses == sorted(addresses, reverse=backwards)


def test_the_menu_of_a_member_has_the_actions_of_their_page(org: Organization, sign_in: SignIn) -> None:
    menu = sign_in("owner").get(member_url(org, "operator", "menu/")).content.decode()
    for rest in ("edit/", "transfer/", "remove/"):
        assert member_url(org, "operator", rest) in menu
    own = sign_in("administrator").get(member_url(org, "administrator", "menu/")).content.decode()
    assert "Leave team" in own
    assert "transfer/" not in own


def test_the_list_shows_the_access_scope_of_each_member(org: Organization, sign_in: SignIn) -> None:
    access_scope = AccessScope(frozenset([org.connection.pk]), frozenset("ab"), frozenset(["g"]))
    Membership.objects.filter(pk=get_member(org, "viewer").pk).update(access_scope=access_scope.to_json())
    text = sign_in("owner").get("/acme/-/members/").content.decode()
    assert "Sandbox, 2 products, 1 group" in text


def test_the_list_needs_no_more_queries_for_thirty_members_than_for_five(
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


def test_the_account_of_a_token_is_never_shown_as_a_member(org: Organization, sign_in: SignIn) -> None:
    membership = create_service_membership(org)
    client = sign_in("owner")
    assert "Factory" not in client.get("/acme/-/members/").content.decode()
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{membership.pk}/{rest}").status_code == 404
    with pytest.raises(ValidationError, match="no longer a member"):
        changes.change_member(
            changes.Actor(get_member(org, "owner"), Origin()), membership, "owner", ENTIRE_TEAM
        )


# -- role and access scope------------------------------------------------------------------------------------------------


def test_an_owner_changes_a_role_and_it_applies_at_the_next_request(
    org: Organization, sign_in: SignIn
) -> None:
    administrator = sign_in("administrator")
    assert administrator.get("/acme/-/audit/").status_code == 200
    fields = {"role": "viewer", "scope": "all"}
    response = sign_in("owner").post(member_url(org, "administrator", "edit/"), fields)
    assert response["Location"] == "/acme/-/members/"
    assert administrator.get("/acme/-/audit/").status_code == 403
    record = AuditRecord.objects.get(operation="team.change_role")
    assert (record.outcome, record.parameters, record.before) == (
        "done",
        {"role": "viewer"},
        {"role": "administrator"},
    )


def test_an_access_scope_is_selected_and_recorded_with_the_previous_one(
    org: Organization, sign_in: SignIn
) -> None:
    fields = {
        "role": "operator",
        "scope": "part",
        "connections": [org.connection.pk],
        "products": "a1Bc, a2Bc\na1Bc",
        "groups": "g-1",
    }
    sign_in("administrator").post(member_url(org, "operator", "edit/"), fields)
    stored_scope = {"connections": [org.connection.pk], "products": ["a1Bc", "a2Bc"], "groups": ["g-1"]}
    assert get_member(org, "operator").access_scope == stored_scope
    record = AuditRecord.objects.get(operation="team.change_role")
    assert record.parameters == {"role": "operator", **stored_scope}
    assert record.before == {"role": "operator"}


def test_an_empty_access_scope_is_refused_and_not_read_as_the_entire_team(
    org: Organization, sign_in: SignIn
) -> None:
    response = sign_in("owner").post(member_url(org, "viewer", "edit/"), {"role": "viewer", "scope": "part"})
    assert response.status_code == 422
    assert "at least one" in response.content.decode()


def test_only_selected_connections_needs_a_selection(org: Organization, sign_in: SignIn) -> None:
    fields = {"role": "viewer", "scope": "part", "connection_choice": "some", "products": "a1Bc"}
    response = sign_in("owner").post(member_url(org, "viewer", "edit/"), fields)
    assert response.context["form"].errors == {"connections": ["Select at least one connection."]}
    assert get_member(org, "viewer").access_scope == {}


def test_all_connections_is_a_choice_of_its_own(org: Organization, sign_in: SignIn) -> None:
    owner, address = sign_in("owner"), member_url(org, "viewer", "edit/")
    fields = {"role": "viewer", "scope": "part", "products": "a1Bc", "connections": [org.connection.pk]}
    owner.post(address, {**fields, "connection_choice": "some"})
    assert get_member(org, "viewer").access_scope["connections"] == [org.connection.pk]
    assert owner.get(address).context["form"]["connection_choice"].value() == "some"
    owner.post(address, {**fields, "connection_choice": "all"})
    assert get_member(org, "viewer").access_scope == {"products": ["a1Bc"]}
    assert owner.get(address).context["form"]["connection_choice"].value() == "all"


def test_an_owner_always_has_the_entire_team(org: Organization, sign_in: SignIn) -> None:
    fields = {"role": "owner", "scope": "part", "products": "a1"}
    assert sign_in("owner").post(member_url(org, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(ValidationError, match="entire team"):
        changes.change_member(
            changes.Actor(get_member(org, "owner"), Origin()),
            get_member(org, "viewer"),
            "owner",
            AccessScope(products=frozenset("a")),
        )


@pytest.mark.parametrize("key", ["a b/c", "<script>", "x" * 65, "…"])
def test_an_invalid_key_is_refused_at_its_field_and_the_input_is_kept(
    org: Organization, sign_in: SignIn, key: str
) -> None:
    fields = {"role": "viewer", "scope": "part", "products": f"good {key}"}
    response = sign_in("owner").post(member_url(org, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert "good" in response.context["form"]["products"].value()


def test_a_connection_of_another_team_cannot_be_selected(org: Organization, sign_in: SignIn) -> None:
    fields = {"role": "viewer", "scope": "part", "connections": [org.other_connection.pk]}
    response = sign_in("owner").post(member_url(org, "viewer", "edit/"), fields)
    assert response.status_code == 422
    assert org.other_connection.name not in response.content.decode()


def test_a_deleted_connection_stays_in_the_access_scope_until_a_user_removes_it(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=get_member(org, "viewer").pk).update(access_scope={"connections": [9999]})
    client = sign_in("owner")
    assert "Deleted connection" in client.get(member_url(org, "viewer", "edit/")).content.decode()
    fields = {"role": "operator", "scope": "part", "connections": [9999]}
    assert client.post(member_url(org, "viewer", "edit/"), fields).status_code == 302
    assert get_member(org, "viewer").access_scope == {"connections": [9999]}


def test_an_administrator_with_limited_scope_has_no_access_to_members_roles_and_settings(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=get_member(org, "administrator").pk).update(access_scope={"products": ["a"]})
    client = sign_in("administrator")
    for address in ("members/", "members/invite/", "roles/", "roles/add/", "settings/"):
        assert client.get(f"/acme/-/{address}").status_code == 403


def test_an_unknown_role_is_refused(org: Organization, sign_in: SignIn) -> None:
    CustomRole.objects.create(team=org.other_team, slug="theirs", name="Theirs", levels={})
    for role in ("emperor", "theirs"):
        fields = {"role": role, "scope": "all"}
        assert sign_in("owner").post(member_url(org, "viewer", "edit/"), fields).status_code == 422
    assert get_member(org, "viewer").role_slug == "viewer"


def test_an_administrator_cannot_assign_owners(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    for role in ("viewer", "administrator"):
        fields = {"role": "owner", "scope": "all"}
        assert client.post(member_url(org, role, "edit/"), fields).status_code == 422
    assert Membership.objects.filter(team=org.team, role_slug="owner").count() == 1


def test_an_administrator_cannot_change_or_remove_an_owner(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("administrator")
    assert (
        client.post(member_url(org, "owner", "edit/"), {"role": "viewer", "scope": "all"}).status_code == 403
    )
    assert client.post(member_url(org, "owner", "remove/")).status_code == 403
    assert get_member(org, "owner").role_slug == "owner"


def test_users_assign_and_change_only_roles_that_their_own_role_includes(
    org: Organization, sign_in: SignIn
) -> None:
    levels = {"members": 2, "devices": 1}
    CustomRole.objects.create(team=org.team, slug="desk", name="Desk", levels=levels)
    CustomRole.objects.create(team=org.team, slug="reader", name="Reader", levels={"devices": 1})
    Membership.objects.filter(pk=get_member(org, "operator").pk).update(role_slug="desk")
    Membership.objects.filter(pk=get_member(org, "viewer").pk).update(role_slug="reader")
    client = sign_in("operator")
    assert client.get(member_url(org, "release-engineer", "edit/")).status_code == 403
    offered = client.get(member_url(org, "viewer", "edit/")).context["form"].fields["role"].choices
    assert {slug for slug, _label in offered} == {"desk", "reader"}
    fields = {"role": "viewer", "scope": "all"}
    assert client.post(member_url(org, "viewer", "edit/"), fields).status_code == 422
    with pytest.raises(PermissionDenied):
        changes.change_member(
            changes.Actor(get_member(org, "operator"), Origin()),
            get_member(org, "viewer"),
            "viewer",
            ENTIRE_TEAM,
        )


def test_changing_a_member_requires_a_recent_sign_in(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 86_400
    session.save()
    for rest in ("edit/", "remove/", "transfer/"):
        response = client.post(member_url(org, "viewer", rest), {"role": "operator", "scope": "all"})
        assert response["Location"].startswith("/accounts/reauthenticate/")
    assert get_member(org, "viewer").role_slug == "viewer"


# -- simultaneous changes---------------------------------------------------------------------------------------------------


def test_permissions_are_checked_again_when_the_change_is_made(
    org: Organization,
) -> None:
    owner, second, third = (get_member(org, role) for role in ("owner", "administrator", "operator"))
    Membership.objects.filter(pk__in=[second.pk, third.pk]).update(role_slug="owner")
    as_owner, as_second = (
        changes.Actor(Membership.objects.select_related("team", "user").get(pk=m.pk), Origin())
        for m in (owner, second)
    )
    changes.remove_member(as_owner, second)
    for change in (
        lambda: changes.remove_member(as_second, owner),
        lambda: changes.change_member(as_second, owner, "viewer", ENTIRE_TEAM),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert get_member(org, "owner").role_slug == "owner"


def test_an_administrator_cannot_lower_a_member_who_has_just_become_owner(org: Organization) -> None:
    actor, seen = changes.Actor(get_member(org, "administrator"), Origin()), get_member(org, "viewer")
    Membership.objects.filter(pk=seen.pk).update(role_slug="owner")
    with pytest.raises(PermissionDenied):
        changes.change_member(actor, seen, "operator", ENTIRE_TEAM)
    with pytest.raises(PermissionDenied):
        changes.remove_member(actor, seen)
    assert get_member(org, "viewer").role_slug == "owner"
    refused = AuditRecord.objects.for_team(org.team).filter(outcome="refused")
    assert set(refused.values_list("operation", flat=True)) == {"team.change_role", "team.remove_member"}


def test_changing_a_member_who_has_just_left_is_an_error(org: Organization) -> None:
    actor, seen = changes.Actor(get_member(org, "owner"), Origin()), get_member(org, "viewer")
    Membership.objects.filter(pk=seen.pk).delete()
    for change in (
        lambda: changes.change_member(actor, seen, "operator", ENTIRE_TEAM),
        lambda: changes.remove_member(actor, seen),
        lambda: changes.transfer_ownership(actor, seen),
    ):
        with pytest.raises(ValidationError, match="no longer a member"):
            change()


# -- leaving, and owners -----------------------------------------------------------------------------------------------


def test_a_removed_member_has_no_access_at_the_next_request(org: Organization, sign_in: SignIn) -> None:
    removed = sign_in("administrator")
    sign_in("owner").post(member_url(org, "administrator", "remove/"))
    assert removed.get("/acme/-/members/").status_code == 404
    assert User.objects.filter(email="administrator@acme.test").exists()
    record = AuditRecord.objects.get(operation="team.remove_member")
    assert (record.target, record.before) == ("administrator@acme.test", {"role": "administrator"})


def test_the_last_owner_can_be_neither_lowered_nor_removed(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    lowered = client.post(member_url(org, "owner", "edit/"), {"role": "viewer", "scope": "all"})
    left = client.post(member_url(org, "owner", "remove/"))
    assert (lowered.status_code, left.status_code) == (422, 422)
    assert "You are the only owner" in left.content.decode()
    assert get_member(org, "owner").role_slug == "owner"


def test_the_last_owner_is_warned_before_they_try_to_leave(org: Organization, sign_in: SignIn) -> None:
    text = sign_in("owner").get(member_url(org, "owner", "remove/")).content.decode()
    assert "You are the only owner" in text
    assert 'id="dialog-form"' not in text
    assert 'id="dialog-form"' in sign_in("viewer").get(member_url(org, "viewer", "remove/")).content.decode()


def test_every_profile_contains_a_link_to_leave_each_team(org: Organization, sign_in: SignIn) -> None:
    assert member_url(org, "viewer", "remove/") in sign_in("viewer").get("/account/profile/").content.decode()


def test_an_owner_may_leave_when_there_is_another_owner(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(member_url(org, "administrator", "edit/"), {"role": "owner", "scope": "all"})
    assert client.post(member_url(org, "owner", "remove/"))["Location"] == "/"
    assert client.get("/acme/-/members/").status_code == 404


def test_a_deactivated_owner_does_not_count_as_another_owner(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    client.post(member_url(org, "administrator", "edit/"), {"role": "owner", "scope": "all"})
    User.objects.filter(email="administrator@acme.test").update(is_active=False)
    assert client.post(member_url(org, "owner", "remove/")).status_code == 422


def test_every_member_may_leave(org: Organization, sign_in: SignIn) -> None:
    assert sign_in("viewer").post(member_url(org, "viewer", "remove/"))["Location"] == "/"
    assert not Membership.objects.filter(team=org.team, user=org.members["viewer"]).exists()


def test_ownership_is_transferred_in_one_step_once_the_team_name_is_entered(
    org: Organization, sign_in: SignIn
) -> None:
    Membership.objects.filter(pk=get_member(org, "operator").pk).update(access_scope={"products": ["a"]})
    client = sign_in("owner")
    assert client.post(member_url(org, "operator", "transfer/"), {"typed": "Acme"}).status_code == 422
    assert client.post(member_url(org, "operator", "transfer/"), {"typed": "Acme Energy"}).status_code == 302
    assert (get_member(org, "operator").role_slug, get_member(org, "operator").access_scope) == ("owner", {})
    assert get_member(org, "owner").role_slug == "administrator"
    repeated = client.post(member_url(org, "operator", "transfer/"), {"typed": "Acme Energy"})
    assert repeated.status_code == 403, "the former owner is no longer owner"
    record = AuditRecord.objects.get(operation="team.transfer", outcome="done")
    assert (record.parameters, record.before) == ({"role": "owner"}, {"role": "operator", "products": ["a"]})


@pytest.mark.parametrize("role", ["administrator", "viewer"])
def test_only_an_owner_can_transfer_ownership(org: Organization, sign_in: SignIn, role: str) -> None:
    client = sign_in(role)
    assert client.post(member_url(org, "viewer", "transfer/"), {"typed": "Acme Energy"}).status_code == 403
    with pytest.raises(PermissionDenied):
        changes.transfer_ownership(
            changes.Actor(get_member(org, role), Origin()), get_member(org, "operator")
        )
    assert get_member(org, "owner").role_slug == "owner"


def test_ownership_cannot_be_transferred_to_oneself_or_a_deactivated_account(org: Organization) -> None:
    actor = changes.Actor(get_member(org, "owner"), Origin())
    with pytest.raises(ValidationError, match="already"):
        changes.transfer_ownership(actor, get_member(org, "owner"))
    User.objects.filter(email="viewer@acme.test").update(is_active=False)
    with pytest.raises(ValidationError, match="deactivated"):
        changes.transfer_ownership(actor, get_member(org, "viewer"))
    assert get_member(org, "owner").role_slug == "owner"


# -- other teams -------------------------------------------------------------------------------------------------------


def test_a_member_of_another_team_is_not_accessible_through_the_own_team(
    org: Organization, sign_in: SignIn
) -> None:
    other = Membership.objects.get(team=org.other_team)
    client = sign_in("owner")
    for rest in ("", "edit/", "remove/", "transfer/"):
        assert client.get(f"/acme/-/members/{other.pk}/{rest}").status_code == 404
        posted = client.post(f"/acme/-/members/{other.pk}/{rest}", {"role": "viewer", "typed": "Acme Energy"})
        assert posted.status_code in {404, 405}
    assert Membership.objects.get(pk=other.pk).role_slug == "owner"


def test_the_password_is_never_recorded(org: Organization, sign_in: SignIn) -> None:
    Client().post("/accounts/login/", {"login": "owner@acme.test", "password": PASSWORD})
    rows: Any = [str(vars(record)) for record in AuditRecord.objects.all()]
    assert rows
    assert PASSWORD not in "".join(rows)


# -- the page of a member ----------------------------------------------------------------------------------------------


def test_a_members_page_shows_their_ten_newest_actions_as_sentences(
    org: Organization, sign_in: SignIn
) -> None:
    for n in range(12):
        AuditRecord.objects.create(
            team=org.team,
            operation="DisableThing",
            target=f"lamp-{n}",
            actor_label="operator@acme.test",
            outcome="done",
        )
    AuditRecord.objects.create(
        team=org.other_team, operation="DeleteProduct", actor_label="operator@acme.test"
    )
    page = sign_in("owner").get(member_url(org, "operator")).content.decode()
    assert "Disabled device lamp-11" in page
    assert page.count("Disabled device") == 10
    assert "product" not in page.split("Recent actions")[1].split("</table>")[0]


def test_a_members_actions_are_shown_only_to_those_who_may_read_the_audit_trail(
    org: Organization, sign_in: SignIn
) -> None:
    role = CustomRole.objects.create(team=org.team, slug="clerk", name="Clerk", levels={"members": 2})
    Membership.objects.filter(pk=get_member(org, "viewer").pk).update(role_slug=role.slug)
    page = sign_in("viewer").get(member_url(org, "operator"))
    assert page.status_code == 200
    assert "Recent actions" not in page.content.decode()


def test_a_members_page_lists_their_tokens_of_this_team(org: Organization, sign_in: SignIn) -> None:
    actor = changes.Actor(get_member(org, "operator"), Origin())
    create_personal_token(actor, TokenDraft("nightly report", "viewer", ENTIRE_TEAM, 30))
    client = sign_in("owner")
    assert "nightly report" in client.get(member_url(org, "operator")).content.decode()
    assert "Personal API tokens" not in client.get(member_url(org, "viewer")).content.decode()


def test_sessions_are_shown_on_ones_own_page_only(org: Organization, sign_in: SignIn) -> None:
    client = sign_in("owner")
    assert "This session" in client.get(member_url(org, "owner")).content.decode()
    sign_in("operator")
    assert "Active sessions" not in client.get(member_url(org, "operator")).content.decode()


def test_only_editing_is_a_button_and_removal_is_last_in_the_menu(org: Organization, sign_in: SignIn) -> None:
    page = sign_in("owner").get(member_url(org, "operator")).content.decode()
    head = page.split('class="fd-page-actions"')[1].split("</header>")[0]
    menu = head.split('id="actions-menu"')[1]
    assert "Edit role and scope" in head.split('id="actions-menu"')[0]
    assert [text in menu for text in ("Audit trail", "Transfer ownership…", "Remove member…")] == [True] * 3
    assert menu.index("Remove member") > menu.index("Transfer ownership")
    assert head.count("btn-outline-danger") == 0


def test_the_list_and_the_page_say_whether_a_member_has_a_second_factor(
    org: Organization, sign_in: SignIn
) -> None:
    client = sign_in("owner")
    missing = client.get("/acme/-/members/").content.decode().count("Not set up")
    assert "Not set up" in client.get(member_url(org, "operator")).content.decode()
    Authenticator.objects.create(user=org.members["operator"], type=Authenticator.Type.TOTP, data={})
    assert client.get("/acme/-/members/").content.decode().count("Not set up") == missing - 1
    assert "Not set up" not in client.get(member_url(org, "operator")).content.decode()
