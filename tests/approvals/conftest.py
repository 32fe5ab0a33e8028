"""Fixtures for approval requests: rules of the team, products, devices and requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from console.accounts.models import Membership, User
from console.approvals import actions
from console.approvals.models import ApprovalRequest
from console.connections.approval import ApprovalNeeded
from tests.approvals.helpers import REASON
from tests.conftest import Organization


@pytest.fixture(autouse=True)
def _no_wake_messages(no_wake_messages: None) -> None:
    """The tests run the steps themselves."""


@pytest.fixture
def product(meter_product: str) -> str:
    """The key of a product without devices."""
    return meter_product


@pytest.fixture
def devices(org: Organization, product: str) -> list[str]:
    """Twelve devices of the product."""
    names = [f"meter-{n:02d}" for n in range(12)]
    for name in names:
        org.gateway().call("RegisterDevice", ProductKey=product, DeviceName=name)
    return names


@pytest.fixture
def prepare_request(org: Organization) -> Callable[..., ApprovalRequest]:
    """Creates a draft request of a role's member for writes that a rule covers; `many` as in Gateway.call_each."""

    def make(operation: str, many: Sequence[dict[str, Any]], role: str = "operator") -> ApprovalRequest:
        gateway = org.gateway(role)
        with pytest.raises(ApprovalNeeded) as raised:
            gateway.call_each(operation, many)
        return actions.prepare_request(raised.value)

    return make


@pytest.fixture
def submit_request(
    org: Organization, prepare_request: Callable[..., ApprovalRequest]
) -> Callable[..., ApprovalRequest]:
    """Creates a pending request."""

    def make(operation: str, many: Sequence[dict[str, Any]], role: str = "operator") -> ApprovalRequest:
        return actions.request_approval(prepare_request(operation, many, role), org.gateway(role), REASON)

    return make


@pytest.fixture
def product_request(
    submit_request: Callable[..., ApprovalRequest], set_rules: Callable[..., None], product: str
) -> ApprovalRequest:
    """The operator's pending request to delete the product."""
    set_rules(product=True)
    return submit_request("DeleteProduct", [{"ProductKey": product}])


@pytest.fixture
def service(org) -> User:
    """A service account for a token of the team."""
    user = User.objects.create_user("x@service.invalid", None, name="ci", is_service=True)
    Membership.objects.create(team=org.team, user=user, role_slug="administrator")
    return user
