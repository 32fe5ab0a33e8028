"""Requesting, deciding, withdrawing, expiring: who may, once, in time, and only for the shown calls."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from console.accounts.models import Membership
from console.approvals import actions, inbox, tasks
from console.approvals.models import (
    ApprovalCall,
    ApprovalRequest,
    NotPending,
    OtherRequestShown,
    RequestAltered,
)
from console.audit.models import AuditRecord
from console.connections.approval import ApprovalNeeded
from console.jobs.models import Job
from tests.approvals.helpers import REASON, create_token, gateway_of_token, product_exists

State = ApprovalRequest.State


def read_state(request: ApprovalRequest) -> str:
    request.refresh_from_db()
    return request.state


def read_outcomes(operation: str) -> list[str]:
    return list(AuditRecord.objects.filter(operation=operation).values_list("outcome", flat=True))


def test_a_request_expires_after_the_team_setting_and_is_recorded(org, product_request):
    assert read_state(product_request) == State.WAITING
    wait = product_request.expires_at - product_request.asked_at
    assert wait == timedelta(hours=org.team.approval_hours)
    (record,) = AuditRecord.objects.filter(operation="approval.request")
    assert (record.outcome, record.actor) == ("done", org.members["operator"])
    assert record.parameters["reason"] == REASON
    assert record.parameters["digest"] == product_request.digest


def test_the_calls_of_a_request_are_encrypted_in_the_database(product_request, product):
    with connection.cursor() as cursor:
        cursor.execute("SELECT calls FROM approvals_approvalrequest")
        ((stored,),) = cursor.fetchall()
    assert product not in stored
    assert product_request.planned_calls[0].params == {"ProductKey": product}


@pytest.mark.parametrize("role", ["operator", "owner", "administrator"])
def test_nobody_can_approve_their_own_request_not_even_an_owner(
    org, set_rules, submit_request, product, role
):
    set_rules(product=True)
    request = submit_request("DeleteProduct", [{"ProductKey": product}], role)
    gateway = org.gateway(role)
    assert actions.find_obstacle(request, gateway)
    with pytest.raises(PermissionDenied):
        actions.approve(request, gateway, seen=request.digest)
    with pytest.raises(PermissionDenied):
        actions.reject(request, gateway, reason="no")
    assert read_state(request) == State.WAITING
    assert read_outcomes("approval.approve") == ["refused"]


def test_no_api_token_can_decide(org, product_request, service):
    owner, operator = org.members["owner"], org.members["operator"]
    for token in (
        create_token(org, owner, "owner", owner),
        create_token(org, operator, "operator", operator),
        create_token(org, service, "administrator", owner),
    ):
        with pytest.raises(PermissionDenied):
            actions.approve(product_request, gateway_of_token(org, token), seen=product_request.digest)
    assert read_state(product_request) == State.WAITING


def test_the_creator_of_the_requesting_token_cannot_decide_and_another_member_can(
    org, set_rules, product, service
):
    set_rules(product=True)
    gateway = gateway_of_token(org, create_token(org, service, "administrator", org.members["owner"]))
    with pytest.raises(ApprovalNeeded) as raised:
        gateway.call("DeleteProduct", ProductKey=product)
    request = actions.request_approval(actions.prepare_request(raised.value), gateway, REASON)
    with pytest.raises(PermissionDenied):
        actions.approve(request, org.gateway("owner"), seen=request.digest)
    assert list(inbox.requests_to_decide(org.gateway("owner").membership)) == []
    assert list(inbox.requests_to_decide(org.gateway("administrator").membership)) == [request]
    actions.approve(request, org.gateway("administrator"), seen=request.digest)
    assert read_state(request) == State.APPROVED


@pytest.mark.parametrize("role", ["viewer", "release-engineer"])
def test_a_role_that_cannot_make_the_call_cannot_approve_it(org, product_request, role):
    with pytest.raises(PermissionDenied):
        actions.approve(product_request, org.gateway(role), seen=product_request.digest)
    assert read_state(product_request) == State.WAITING


@pytest.mark.parametrize("access_scope", [{"products": ["a1other"]}, {"groups": ["nowhere"]}])
def test_a_member_without_the_product_in_scope_cannot_approve(org, product_request, access_scope):
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope=access_scope)
    with pytest.raises(PermissionDenied):
        actions.approve(product_request, org.gateway("administrator"), seen=product_request.digest)
    assert product_request not in inbox.visible_requests(org.gateway("administrator").membership)
    assert read_state(product_request) == State.WAITING


def test_a_member_with_only_that_product_in_scope_can_approve(org, product_request, product):
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope={"products": [product]})
    gateway = org.gateway("administrator")
    assert list(inbox.requests_to_decide(gateway.membership)) == [product_request]
    actions.approve(product_request, gateway, seen=product_request.digest)
    assert read_state(product_request) == State.APPROVED


def test_an_approval_takes_effect_once_however_often_it_is_sent(org, product_request):
    actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)
    for role in ("owner", "administrator"):
        with pytest.raises(NotPending):
            actions.approve(product_request, org.gateway(role), seen=product_request.digest)
    with pytest.raises(NotPending):
        actions.reject(product_request, org.gateway("administrator"), reason="no")
    with pytest.raises(NotPending):
        actions.withdraw(product_request, org.gateway("operator"))
    assert Job.objects.filter(kind="approvals.execute").count() == 1
    assert ApprovalCall.objects.count() == 1


def test_a_refused_request_is_closed(org, product_request, product):
    actions.reject(product_request, org.gateway("owner"), reason="Not this month")
    assert read_state(product_request) == State.REFUSED
    assert product_request.decision == "Not this month"
    with pytest.raises(NotPending):
        actions.approve(product_request, org.gateway("administrator"), seen=product_request.digest)
    assert product_exists(org, product)


def test_only_the_requester_can_withdraw_and_a_withdrawn_request_is_closed(org, product_request):
    with pytest.raises(PermissionDenied):
        actions.withdraw(product_request, org.gateway("owner"))
    actions.withdraw(product_request, org.gateway("operator"))
    with pytest.raises(NotPending):
        actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)
    assert read_state(product_request) == State.WITHDRAWN


def test_nobody_can_decide_on_an_expired_request_even_before_it_is_closed(org, product_request):
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    product_request.refresh_from_db()
    assert product_request.shown_state == State.EXPIRED
    assert list(inbox.requests_to_decide(org.gateway("owner").membership)) == []
    with pytest.raises(NotPending):
        actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)
    tasks.clean_up()
    tasks.clean_up()
    assert read_state(product_request) == State.EXPIRED
    assert read_outcomes("approval.expire") == ["done"]


def test_calls_that_were_modified_in_the_database_are_not_sent(org, product_request, product):
    other = json.dumps([{"operation": "DeleteProduct", "params": {"ProductKey": "a1another"}}])
    ApprovalRequest.objects.update(calls=other)
    product_request.refresh_from_db()
    with pytest.raises(RequestAltered):
        actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)
    assert read_state(product_request) == State.WAITING
    assert Job.objects.count() == 0


def test_only_the_shown_calls_can_be_approved(org, product_request):
    with pytest.raises(OtherRequestShown):
        actions.approve(product_request, org.gateway("owner"), seen="0" * 64)
    assert read_state(product_request) == State.WAITING


def test_a_decision_for_another_version_is_refused_and_the_request_stays_pending(
    org, sign_in, product_request
):
    url = org.url(f"approvals/{product_request.pk}/approve/")
    response = sign_in("owner").post(url, {"seen": "0" * 64, "reason": ""}, follow=True)
    assert "Your decision was for another version of this request" in response.content.decode()
    assert read_state(product_request) == State.WAITING
    assert read_outcomes("approval.approve") == ["refused"]
    assert read_outcomes("approval.altered") == []
    sign_in("administrator").post(url, {"seen": product_request.digest, "reason": ""})
    assert read_state(product_request) == State.APPROVED


def test_an_identical_request_leads_to_the_pending_one(
    org, set_rules, product_request, prepare_request, product
):
    assert prepare_request("DeleteProduct", [{"ProductKey": product}]) == product_request
    # Another member, who may then decide on it.
    assert prepare_request("DeleteProduct", [{"ProductKey": product}], "owner") == product_request


def test_two_identical_drafts_become_one_request(org, set_rules, prepare_request, product):
    set_rules(product=True)
    drafts = {
        role: prepare_request("DeleteProduct", [{"ProductKey": product}], role)
        for role in ("operator", "owner")
    }
    assert len({draft.pk for draft in drafts.values()}) == 2
    first = actions.request_approval(drafts["operator"], org.gateway("operator"), REASON)
    assert actions.request_approval(drafts["owner"], org.gateway("owner"), REASON) == first
    assert ApprovalRequest.objects.count() == 1


def test_nobody_else_can_submit_or_see_a_draft(org, set_rules, prepare_request, product):
    set_rules(product=True)
    draft = prepare_request("DeleteProduct", [{"ProductKey": product}])
    with pytest.raises(PermissionDenied):
        actions.request_approval(draft, org.gateway("owner"), REASON)
    assert list(inbox.visible_requests(org.gateway("owner").membership)) == []


def test_an_unsubmitted_draft_is_deleted_after_a_day(set_rules, prepare_request, product):
    set_rules(product=True)
    draft = prepare_request("DeleteProduct", [{"ProductKey": product}])
    tasks.clean_up()
    assert read_state(draft) == State.DRAFT
    ApprovalRequest.objects.update(created_at=timezone.now() - timedelta(days=2))
    tasks.clean_up()
    assert not ApprovalRequest.objects.exists()


def test_switching_a_rule_off_does_not_change_pending_requests(
    org, set_rules, product_request, product, run_job
):
    set_rules()
    assert product_exists(org, product)
    job = actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)
    run_job(job)
    assert not product_exists(org, product)
