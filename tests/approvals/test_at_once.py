"""Simultaneous actions of several users, each with their own database connection: one takes effect, once."""

from __future__ import annotations

import pytest

from console.approvals import actions
from console.approvals.models import ApprovalCall, ApprovalRequest, NotPending
from console.connections.approval import ApprovalNeeded
from console.jobs.models import Job
from tests.approvals.helpers import REASON, list_device_names
from tests.at_once import run_at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
]


def succeeds(action):
    """A function that runs an action and returns whether it succeeded."""

    def run() -> bool:
        try:
            action()
        except (NotPending, ApprovalNeeded):
            return False
        return True

    return run


def test_two_simultaneous_approvals_run_the_calls_once(org, product_request, run_job):
    gateways = [org.gateway("owner"), org.gateway("administrator")]
    results = run_at_once(
        *(
            succeeds(lambda g=g: actions.approve(product_request, g, seen=product_request.digest))
            for g in gateways
        )
    )
    assert sorted(results) == [False, True]
    assert ApprovalCall.objects.count() == 1
    run_job(Job.objects.get())


def test_of_simultaneous_approval_refusal_and_withdrawal_one_takes_effect(org, product_request):
    results = run_at_once(
        succeeds(lambda: actions.approve(product_request, org.gateway("owner"), seen=product_request.digest)),
        succeeds(lambda: actions.reject(product_request, org.gateway("administrator"), reason="no")),
        succeeds(lambda: actions.withdraw(product_request, org.gateway("operator"))),
    )
    assert sorted(results) == [False, False, True]
    product_request.refresh_from_db()
    assert Job.objects.count() == (product_request.state == ApprovalRequest.State.APPROVED)


def test_identical_simultaneous_requests_become_one(org, set_rules, prepare_request, product):
    set_rules(product=True)
    drafts = {
        role: prepare_request("DeleteProduct", [{"ProductKey": product}], role)
        for role in ("operator", "owner")
    }
    results = run_at_once(
        *(
            lambda role=role, draft=draft: actions.request_approval(draft, org.gateway(role), REASON).pk
            for role, draft in drafts.items()
        )
    )
    assert len(set(results)) == 1
    assert ApprovalRequest.objects.filter(state="waiting").count() == 1


def test_simultaneous_deletions_are_counted_one_after_another(org, set_rules, product, devices):
    set_rules(deletion=3)

    def delete(name):
        return succeeds(lambda: org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name))

    assert sum(run_at_once(*map(delete, devices[:8]))) == 3
    assert len(list_device_names(org, product)) == len(devices) - 3
