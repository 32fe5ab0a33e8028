"""Asking, deciding, withdrawing, expiring: who may, once, in time, and on what was shown."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from console.access.models import ApiToken, AuditRecord, Membership, User
from console.approvals import actions, inbox, tasks
from console.approvals.models import Altered, ApprovalCall, ApprovalRequest
from console.connections.approval import ApprovalNeeded
from console.connections.gateway import Gateway
from console.jobs.models import Job
from tests.approvals.conftest import REASON, exists

State = ApprovalRequest.State


def state(request: ApprovalRequest) -> str:
    request.refresh_from_db()
    return request.state


def records(operation: str) -> list[str]:
    return list(AuditRecord.objects.filter(operation=operation).values_list("outcome", flat=True))


def test_a_request_waits_as_long_as_the_team_says_and_is_recorded(org, of_product):
    assert state(of_product) == State.WAITING
    wait = of_product.expires_at - of_product.asked_at
    assert wait == timedelta(hours=org.team.approval_hours)
    (record,) = AuditRecord.objects.filter(operation="approval.request")
    assert (record.outcome, record.actor) == ("done", org.members["operator"])
    assert record.parameters["reason"] == REASON
    assert record.parameters["digest"] == of_product.digest


def test_what_was_asked_is_not_readable_in_the_database(of_product, product):
    with connection.cursor() as cursor:
        cursor.execute("SELECT calls FROM approvals_approvalrequest")
        ((stored,),) = cursor.fetchall()
    assert product not in stored
    assert of_product.planned[0].params == {"ProductKey": product}


@pytest.mark.parametrize("role", ["operator", "owner", "administrator"])
def test_nobody_approves_what_they_asked_for_themselves_not_even_an_owner(org, rules, asked, product, role):
    rules(product=True)
    request = asked("DeleteProduct", [{"ProductKey": product}], role)
    gateway = org.gateway(role)
    assert actions.hindrance(request, gateway)
    with pytest.raises(PermissionDenied):
        actions.approve(request, gateway, seen=request.digest)
    with pytest.raises(PermissionDenied):
        actions.refuse(request, gateway, reason="no")
    assert state(request) == State.WAITING
    assert records("approval.approve") == ["refused"]


def token_of(org, user: User, role: str, maker: User) -> ApiToken:
    return ApiToken.objects.create(
        team=org.team,
        user=user,
        name="ci",
        digest=f"{user.pk}-{maker.pk}",
        hint="fd_x",
        role_slug=role,
        created_by=maker,
        expires_at=timezone.now() + timedelta(days=1),
    )


def acting(org, token: ApiToken) -> Gateway:
    membership = Membership.objects.get(team=org.team, user=token.user).limit_to_token(token)
    return Gateway(actor=token.user, membership=membership, connection=org.connection)


@pytest.fixture
def service(org) -> User:
    """An account made for a token of the team."""
    user = User.objects.create_user("x@service.invalid", None, name="ci", is_service=True)
    Membership.objects.create(team=org.team, user=user, role_slug="administrator")
    return user


def test_no_program_decides_whoever_made_its_token(org, of_product, service):
    owner, operator = org.members["owner"], org.members["operator"]
    for token in (
        token_of(org, owner, "owner", owner),
        token_of(org, operator, "operator", operator),
        token_of(org, service, "administrator", owner),
    ):
        with pytest.raises(PermissionDenied):
            actions.approve(of_product, acting(org, token), seen=of_product.digest)
    assert state(of_product) == State.WAITING


def test_who_made_the_token_that_asked_does_not_decide_and_another_does(org, rules, product, service):
    rules(product=True)
    gateway = acting(org, token_of(org, service, "administrator", org.members["owner"]))
    with pytest.raises(ApprovalNeeded) as raised:
        gateway.call("DeleteProduct", ProductKey=product)
    request = actions.ask(actions.prepare(raised.value), gateway, REASON)
    with pytest.raises(PermissionDenied):
        actions.approve(request, org.gateway("owner"), seen=request.digest)
    assert list(inbox.waiting_for(org.gateway("owner").membership)) == []
    assert list(inbox.waiting_for(org.gateway("administrator").membership)) == [request]
    actions.approve(request, org.gateway("administrator"), seen=request.digest)
    assert state(request) == State.APPROVED


@pytest.mark.parametrize("role", ["viewer", "release-engineer"])
def test_who_may_not_do_it_may_not_approve_it(org, of_product, role):
    with pytest.raises(PermissionDenied):
        actions.approve(of_product, org.gateway(role), seen=of_product.digest)
    assert state(of_product) == State.WAITING


@pytest.mark.parametrize("access_scope", [{"products": ["a1other"]}, {"groups": ["nowhere"]}])
def test_who_does_not_reach_it_may_not_approve_it(org, of_product, access_scope):
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope=access_scope)
    with pytest.raises(PermissionDenied):
        actions.approve(of_product, org.gateway("administrator"), seen=of_product.digest)
    assert of_product not in inbox.visible(org.gateway("administrator").membership)
    assert state(of_product) == State.WAITING


def test_who_reaches_just_that_product_may(org, of_product, product):
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope={"products": [product]})
    gateway = org.gateway("administrator")
    assert list(inbox.waiting_for(gateway.membership)) == [of_product]
    actions.approve(of_product, gateway, seen=of_product.digest)
    assert state(of_product) == State.APPROVED


def test_an_approval_counts_once_however_often_it_is_sent(org, of_product):
    actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)
    for role in ("owner", "administrator"):
        with pytest.raises(actions.TooLate):
            actions.approve(of_product, org.gateway(role), seen=of_product.digest)
    with pytest.raises(actions.TooLate):
        actions.refuse(of_product, org.gateway("administrator"), reason="no")
    with pytest.raises(actions.TooLate):
        actions.withdraw(of_product, org.gateway("operator"))
    assert Job.objects.filter(kind="approvals.execute").count() == 1
    assert ApprovalCall.objects.count() == 1


def test_a_refused_request_is_over(org, of_product, product):
    actions.refuse(of_product, org.gateway("owner"), reason="Not this month")
    assert state(of_product) == State.REFUSED
    assert of_product.decision == "Not this month"
    with pytest.raises(actions.TooLate):
        actions.approve(of_product, org.gateway("administrator"), seen=of_product.digest)
    assert exists(org, product)


def test_a_withdrawn_request_is_over_and_only_its_person_withdraws_it(org, of_product):
    with pytest.raises(PermissionDenied):
        actions.withdraw(of_product, org.gateway("owner"))
    actions.withdraw(of_product, org.gateway("operator"))
    with pytest.raises(actions.TooLate):
        actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)
    assert state(of_product) == State.WITHDRAWN


def test_nobody_decides_when_the_time_is_over_also_before_it_is_swept(org, of_product):
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    of_product.refresh_from_db()
    assert of_product.shown_state == State.EXPIRED
    assert list(inbox.waiting_for(org.gateway("owner").membership)) == []
    with pytest.raises(actions.TooLate):
        actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)
    tasks.tidy()
    tasks.tidy()
    assert state(of_product) == State.EXPIRED
    assert records("approval.expire") == ["done"]


def test_calls_that_were_altered_in_the_database_are_not_done(org, of_product, product):
    other = json.dumps([{"operation": "DeleteProduct", "params": {"ProductKey": "a1another"}}])
    ApprovalRequest.objects.update(calls=other)
    of_product.refresh_from_db()
    with pytest.raises(Altered):
        actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)
    assert state(of_product) == State.WAITING
    assert Job.objects.count() == 0


def test_only_what_was_shown_is_approved(org, of_product):
    with pytest.raises(Altered):
        actions.approve(of_product, org.gateway("owner"), seen="0" * 64)
    assert state(of_product) == State.WAITING


def test_the_same_asked_again_leads_to_the_one_that_waits(org, rules, of_product, prepared, product):
    assert prepared("DeleteProduct", [{"ProductKey": product}]) == of_product
    # Another person, who may then decide on it.
    assert prepared("DeleteProduct", [{"ProductKey": product}], "owner") == of_product


def test_two_drafts_of_the_same_end_in_one_request(org, rules, prepared, product):
    rules(product=True)
    drafts = {
        role: prepared("DeleteProduct", [{"ProductKey": product}], role) for role in ("operator", "owner")
    }
    assert len({draft.pk for draft in drafts.values()}) == 2
    first = actions.ask(drafts["operator"], org.gateway("operator"), REASON)
    assert actions.ask(drafts["owner"], org.gateway("owner"), REASON) == first
    assert ApprovalRequest.objects.count() == 1


def test_nobody_asks_for_somebody_elses_draft_and_none_sees_it(org, rules, prepared, product):
    rules(product=True)
    draft = prepared("DeleteProduct", [{"ProductKey": product}])
    with pytest.raises(PermissionDenied):
        actions.ask(draft, org.gateway("owner"), REASON)
    assert list(inbox.visible(org.gateway("owner").membership)) == []


def test_a_draft_that_nobody_asked_for_is_swept_after_a_day(rules, prepared, product):
    rules(product=True)
    draft = prepared("DeleteProduct", [{"ProductKey": product}])
    tasks.tidy()
    assert state(draft) == State.DRAFT
    ApprovalRequest.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.tidy()
    assert not ApprovalRequest.objects.exists()


def test_a_rule_that_is_switched_off_while_a_request_waits_changes_nothing_for_it(
    org, rules, of_product, product, drain
):
    rules()
    assert exists(org, product)
    job = actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)
    drain(job)
    assert not exists(org, product)
