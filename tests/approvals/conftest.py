"""Requests in a test: the rules of the team, the people, and a worker that comes when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from console.approvals import actions
from console.approvals.models import ApprovalRequest
from console.connections.approval import ApprovalNeeded
from tests.conftest import Organization
from tests.jobs.conftest import _no_bells, _no_pauses, drain, wire

__all__ = ["_no_bells", "_no_pauses", "drain", "wire"]  # fixtures

REASON = "The trial is over"


@pytest.fixture
def rules(org: Organization) -> Callable[..., None]:
    """Sets what the team asks a second person for."""

    def set_rules(product: bool = False, batch: int | None = None, deletion: int | None = None) -> None:
        org.team.approve_product_deletion = product
        org.team.approve_batch_over, org.team.approve_deletion_over = batch, deletion
        org.team.save()

    return set_rules


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
def prepared(org: Organization) -> Callable[..., ApprovalRequest]:
    """A draft of a request for writes that a rule covers, by the member of a role; `many` as of Gateway.each."""

    def make(operation: str, many: Sequence[dict[str, Any]], role: str = "operator") -> ApprovalRequest:
        gateway = org.gateway(role)
        with pytest.raises(ApprovalNeeded) as raised:
            gateway.each(operation, many)
        return actions.prepare(raised.value)

    return make


@pytest.fixture
def asked(org: Organization, prepared: Callable[..., ApprovalRequest]) -> Callable[..., ApprovalRequest]:
    """A request that waits."""

    def make(operation: str, many: Sequence[dict[str, Any]], role: str = "operator") -> ApprovalRequest:
        return actions.ask(prepared(operation, many, role), org.gateway(role), REASON)

    return make


@pytest.fixture
def of_product(
    asked: Callable[..., ApprovalRequest], rules: Callable[..., None], product: str
) -> ApprovalRequest:
    """The operator's request to delete the product, which waits."""
    rules(product=True)
    return asked("DeleteProduct", [{"ProductKey": product}])


def there(org: Organization, product: str) -> list[str]:
    """The names of the product's devices that are still there, in order."""
    answer = org.gateway().call("QueryDevice", fresh=True, ProductKey=product, PageSize=50)
    return sorted(device["DeviceName"] for device in answer["Data"]["DeviceInfo"])


def exists(org: Organization, product: str) -> bool:
    """Whether the product is still there."""
    listed = org.gateway().call("QueryProductList", fresh=True, CurrentPage=1, PageSize=200)
    return product in [found["ProductKey"] for found in listed["Data"]["List"]["ProductInfo"]]
