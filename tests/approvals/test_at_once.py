"""Two people at the same moment, each on a connection of their own: one decides, and it is done once."""

from __future__ import annotations

import pytest

from console.approvals import actions
from console.approvals.models import ApprovalCall, ApprovalRequest
from console.connections.approval import ApprovalNeeded
from console.jobs.models import Job
from tests.approvals.conftest import REASON, there
from tests.jobs.test_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
]


def told(act):
    """Whether an act succeeded, or came too late."""

    def tried() -> bool:
        try:
            act()
        except (actions.TooLate, ApprovalNeeded):
            return False
        return True

    return tried


def test_approved_by_two_at_once_it_is_done_once(org, of_product, drain):
    gateways = [org.gateway("owner"), org.gateway("administrator")]
    found = at_once(
        *(told(lambda g=g: actions.approve(of_product, g, seen=of_product.digest)) for g in gateways)
    )
    assert sorted(found) == [False, True]
    assert ApprovalCall.objects.count() == 1
    drain(Job.objects.get())


def test_approved_and_refused_and_withdrawn_at_once_one_counts(org, of_product):
    found = at_once(
        told(lambda: actions.approve(of_product, org.gateway("owner"), seen=of_product.digest)),
        told(lambda: actions.refuse(of_product, org.gateway("administrator"), reason="no")),
        told(lambda: actions.withdraw(of_product, org.gateway("operator"))),
    )
    assert sorted(found) == [False, False, True]
    of_product.refresh_from_db()
    assert Job.objects.count() == (of_product.state == ApprovalRequest.State.APPROVED)


def test_the_same_asked_by_two_at_once_is_one_request(org, rules, prepared, product):
    rules(product=True)
    drafts = {
        role: prepared("DeleteProduct", [{"ProductKey": product}], role) for role in ("operator", "owner")
    }
    found = at_once(
        *(
            lambda role=role, draft=draft: actions.ask(draft, org.gateway(role), REASON).pk
            for role, draft in drafts.items()
        )
    )
    assert len(set(found)) == 1
    assert ApprovalRequest.objects.filter(state="waiting").count() == 1


def test_deletions_side_by_side_are_counted_one_after_another(org, rules, product, devices):
    rules(deletion=3)

    def delete(name):
        return told(lambda: org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name))

    assert sum(at_once(*map(delete, devices[:8]))) == 3
    assert len(there(org, product)) == len(devices) - 3
