"""Who decides is independent of who asks: their role is older than the request, and does not come from the requester."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from console.accounts.models import Membership, User
from console.accounts.roles import Area, Level
from console.accounts.scope import AccessScope
from console.approvals import actions, inbox
from console.approvals.models import ApprovalRequest
from console.audit.records import Origin
from console.sign_in.openid_connect.claims import Identity
from console.sign_in.openid_connect.provisioning import apply_rules
from console.teams import changes, custom_roles, invitations
from console.teams.custom_roles import RoleDraft
from console.teams.sign_on.rules import add_rule
from tests.approvals.helpers import REASON, create_token, gateway_of_token
from tests.conftest import Organization

ENTIRE_TEAM = AccessScope()
FROM_REQUESTER = "The requester invited you or gave you your role"
TOO_LATE = "You got your role or access scope after this request was made"


def act_as(org: Organization, user: User) -> changes.Actor:
    return changes.Actor(
        Membership.objects.select_related("team", "user").get(team=org.team, user=user), Origin()
    )


def find_member(org: Organization, role: str) -> Membership:
    return Membership.objects.select_related("team", "user").get(team=org.team, user=org.members[role])


def invite(org: Organization, inviter: User, name: str, role: str = "operator") -> User:
    """Invite a new member, who accepts. The member is then one of `org.members`."""
    address = f"{name}@acme.test"
    user = User.objects.create_user(address, None)
    invitation, _token = invitations.create_invitation(act_as(org, inviter), address, name, role, ENTIRE_TEAM)
    invitations.accept_invitation(invitation.digest, user, Origin())
    org.members[name] = user
    return user


def find_obstacle(org: Organization, request: ApprovalRequest, decider: str) -> str:
    """Why the member cannot decide. Checks that the list of requests to decide says the same."""
    gateway = org.gateway(decider)
    obstacle = actions.find_obstacle(request, gateway)
    assert (request in inbox.requests_to_decide(gateway.membership)) == (not obstacle)
    if obstacle:
        with pytest.raises(PermissionDenied):
            actions.approve(request, gateway, seen=request.digest)
    return obstacle


@pytest.fixture
def ask(set_rules, submit_request, product):
    """Makes the request of a member to delete the product."""
    set_rules(product=True)
    return lambda role: submit_request("DeleteProduct", [{"ProductKey": product}], role)


def test_an_administrator_cannot_approve_by_a_member_whom_they_invited(org, ask, sign_in, product):
    invite(org, org.members["administrator"], "puppet")
    request = ask("administrator")
    assert FROM_REQUESTER in find_obstacle(org, request, "puppet")
    response = sign_in("puppet").post(
        org.url(f"approvals/{request.pk}/approve/"), {"seen": request.digest, "reason": ""}
    )
    assert response.status_code == 403
    assert FROM_REQUESTER in response.content.decode()
    assert not find_obstacle(org, request, "operator")


def test_a_member_who_joined_or_was_changed_after_the_request_cannot_decide_on_it(org, ask):
    request = ask("administrator")
    invite(org, org.members["owner"], "newcomer")
    assert TOO_LATE in find_obstacle(org, request, "newcomer")
    changes.change_member(
        act_as(org, org.members["owner"]), find_member(org, "viewer"), "operator", ENTIRE_TEAM
    )
    assert TOO_LATE in find_obstacle(org, request, "viewer")


def test_a_member_whose_role_the_requester_changed_cannot_decide_until_another_member_confirms_it(org, ask):
    changes.change_member(
        act_as(org, org.members["administrator"]), find_member(org, "viewer"), "operator", ENTIRE_TEAM
    )
    request = ask("administrator")
    assert FROM_REQUESTER in find_obstacle(org, request, "viewer")
    actions.withdraw(request, org.gateway("administrator"))
    changes.change_member(
        act_as(org, org.members["owner"]), find_member(org, "viewer"), "operator", ENTIRE_TEAM
    )
    assert not find_obstacle(org, ask("administrator"), "viewer")


def test_members_whom_an_invited_member_invited_count_as_invited_by_the_first(org, ask):
    first = invite(org, org.members["administrator"], "first", "administrator")
    invite(org, first, "second")
    changes.remove_member(act_as(org, org.members["administrator"]), find_member(org, "first"))
    assert FROM_REQUESTER in find_obstacle(org, ask("administrator"), "second")


def test_members_whom_another_member_invited_can_decide_on_requests_of_an_owner(org, ask):
    changes.change_member(
        act_as(org, org.members["owner"]), find_member(org, "administrator"), "administrator", ENTIRE_TEAM
    )
    invite(org, org.members["administrator"], "colleague")
    request = ask("owner")
    assert FROM_REQUESTER in find_obstacle(org, request, "administrator")
    assert not find_obstacle(org, request, "colleague")


def test_changing_the_own_role_does_not_make_a_member_independent(org, ask):
    member = invite(org, org.members["administrator"], "puppet", "administrator")
    changes.change_member(act_as(org, member), find_member(org, "puppet"), "operator", ENTIRE_TEAM)
    assert FROM_REQUESTER in find_obstacle(org, ask("administrator"), "puppet")


def test_a_requester_who_raised_a_custom_role_cannot_approve_by_its_members(org, ask):
    administrator = org.members["administrator"]
    low, high = (dict.fromkeys([Area.PRODUCTS], level) for level in (Level.READ, Level.DELETE))
    role = custom_roles.create_role(act_as(org, org.members["owner"]), RoleDraft("Products", "", low))
    changes.change_member(
        act_as(org, org.members["owner"]), find_member(org, "viewer"), role.slug, ENTIRE_TEAM
    )
    custom_roles.edit_role(act_as(org, administrator), role, RoleDraft("Products", "", high))
    request = ask("administrator")
    assert FROM_REQUESTER in find_obstacle(org, request, "viewer")
    actions.withdraw(request, org.gateway("administrator"))
    request = ask("operator")
    assert not find_obstacle(org, request, "viewer")
    role.refresh_from_db()
    custom_roles.edit_role(
        act_as(org, org.members["owner"]), role, RoleDraft("Products", "", {**high, Area.DEVICES: Level.READ})
    )
    assert TOO_LATE in find_obstacle(org, request, "viewer")


def test_a_member_who_came_by_a_single_sign_on_rule_counts_as_invited_by_its_creator(org, ask):
    add_rule(act_as(org, org.members["owner"]), "", "corp.test", "operator", ENTIRE_TEAM)
    user = User.objects.create_user("guest@corp.test", None)
    apply_rules(user, Identity("uid", {"iss": "https://corp.test"}, user.email), Origin())
    org.members["guest"] = user
    request = ask("owner")
    assert FROM_REQUESTER in find_obstacle(org, request, "guest")
    actions.withdraw(request, org.gateway("owner"))
    assert not find_obstacle(org, ask("operator"), "guest")


def test_a_member_whom_the_creator_of_a_token_invited_cannot_decide_on_its_requests(
    org, set_rules, product, service
):
    set_rules(product=True)
    invite(org, org.members["administrator"], "puppet")
    invite(org, org.members["owner"], "colleague")
    token = create_token(org, service, "administrator", org.members["administrator"])
    gateway = gateway_of_token(org, token)
    with pytest.raises(actions.ApprovalNeeded) as raised:
        gateway.call("DeleteProduct", ProductKey=product)
    request = actions.request_approval(actions.prepare_request(raised.value), gateway, REASON)
    assert FROM_REQUESTER in find_obstacle(org, request, "puppet")
    assert not find_obstacle(org, request, "colleague")


def test_the_requester_is_told_when_no_member_can_decide(org, set_rules, prepare_request, sign_in, product):
    set_rules(product=True)
    draft = prepare_request("DeleteProduct", [{"ProductKey": product}], "owner")
    Membership.objects.exclude(user=org.members["owner"]).update(granted_by=[org.members["owner"].pk])
    response = sign_in("owner").post(
        org.url(f"approvals/{draft.pk}/ask/"), {"reason": "The trial is over"}, follow=True
    )
    assert "At present no member can decide on this request" in response.content.decode()


def test_a_role_from_before_the_request_is_enough_however_recent(org, ask):
    invite(org, org.members["owner"], "newcomer")
    request = ask("administrator")
    assert not find_obstacle(org, request, "newcomer")
    Membership.objects.update(granted_at=timezone.now() - timedelta(days=400))
    assert not find_obstacle(org, request, "operator")
