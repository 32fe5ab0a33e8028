"""Fixtures for approval requests: rules of the team, products, devices and requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.accounts.models import ApiToken, Membership, User
from console.approvals import actions
from console.approvals.models import ApprovalRequest
from console.connections.approval import ApprovalNeeded
from console.connections.gateway import Gateway
from tests.conftest import Organization
from tests.jobs.conftest import _no_wake_messages, network, run_job

__all__ = ["_no_wake_messages", "network", "run_job"]  # fixtures

REASON = "The trial is over"


@pytest.fixture
def product(org: Organization, emulator: Any) -> str:
    """The key of a product without devices."""
    return org.gateway().call("CreateProduct", ProductName="Meters", NodeType=0)["Data"]["ProductKey"]


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


def list_device_names(org: Organization, product: str) -> list[str]:
    """The names of the product's devices, sorted."""
    response = org.gateway().call("QueryDevice", fresh=True, ProductKey=product, PageSize=50)
    return sorted(device["DeviceName"] for device in response["Data"]["DeviceInfo"])


def product_exists(org: Organization, product: str) -> bool:
    """Whether the product exists."""
    response = org.gateway().call("QueryProductList", fresh=True, CurrentPage=1, PageSize=200)
    return product in [item["ProductKey"] for item in response["Data"]["List"]["ProductInfo"]]


def create_token(org, user: User, role: str, creator: User) -> ApiToken:
    return ApiToken.objects.create(
        team=org.team,
        user=user,
        name="ci",
        digest=f"{user.pk}-{creator.pk}",
        hint="fd_x",
        role_slug=role,
        created_by=creator,
        expires_at=timezone.now() + timedelta(days=1),
    )


def gateway_of_token(org, token: ApiToken) -> Gateway:
    membership = Membership.objects.get(team=org.team, user=token.user).limit_to_token(token)
    return Gateway(actor=token.user, membership=membership, connection=org.connection)


@pytest.fixture
def service(org) -> User:
    """A service account for a token of the team."""
    user = User.objects.create_user("x@service.invalid", None, name="ci", is_service=True)
    Membership.objects.create(team=org.team, user=user, role_slug="administrator")
    return user
