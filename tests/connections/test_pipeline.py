"""The steps of a call: one call and many calls pass the same ones, in the same order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from console.accounts.encryption import Undecryptable
from console.accounts.models import Membership
from console.accounts.scope import AccessScope
from console.audit.masking import MASK
from console.audit.models import AuditRecord
from console.connections.approval import ApprovalNeeded
from console.connections.gateway import Gateway, OutOfScope, PermissionRefused
from console.connections.sending import Sender
from console.sign_in.reauthentication import ReauthenticationNeeded
from iot_client.errors import CloudError, InvalidParameter, NotFound
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork

pytestmark = pytest.mark.django_db
Outcome = AuditRecord.Outcome
Run = Callable[..., Any]


def run_one(gateway: Gateway, name: str, params: dict[str, Any], **options: Any) -> Any:
    return gateway.call(name, **options, **params)


def run_many(gateway: Gateway, name: str, params: dict[str, Any], **options: Any) -> Any:
    """Make the same call twice at once, and raise the error of the first."""
    first, _second = gateway.call_each(name, [params, params], **options)
    if isinstance(first, CloudError):
        raise first
    return first


@pytest.fixture(params=[run_one, run_many], ids=["one", "many"])
def run(request: pytest.FixtureRequest) -> Run:
    """Makes calls: one by `call`, or two by `call_each`."""
    function: Run = request.param
    return function


@pytest.fixture
def products(network: RecordedNetwork, org: Organization) -> list[str]:
    """Two products with the device meter-1 each. The operator's access scope includes only the first."""
    gateway = org.gateway()
    keys = []
    for name in ("Meters", "Pumps"):
        keys.append(str(gateway.call("CreateProduct", ProductName=name, NodeType=0)["ProductKey"]))
        gateway.call("RegisterDevice", ProductKey=keys[-1], DeviceName="meter-1")
    limits = AccessScope(products=frozenset(keys[:1])).to_json()
    Membership.objects.filter(team=org.team, user=org.members["operator"]).update(access_scope=limits)
    AuditRecord.objects.all().delete()
    network.calls.clear()
    return keys


def device(product: str, name: str = "meter-1") -> dict[str, Any]:
    return {"ProductKey": product, "DeviceName": name}


def expect_one_refusal(network: RecordedNetwork, operation: str) -> None:
    """Nothing was sent, and the audit trail has one record, of the refusal."""
    assert network.calls == []
    record = AuditRecord.objects.get()
    assert (record.operation, record.outcome) == (operation, Outcome.REFUSED)
    assert record.target == f"{record.parameters['ProductKey']}/meter-1"[:255]


# -- the order of the checks -------------------------------------------------------------------------------------------


def test_a_role_that_does_not_allow_the_operation_is_refused_once(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    with pytest.raises(PermissionRefused):
        run(org.gateway("viewer"), "DeleteDevice", device(products[0]))
    expect_one_refusal(network, "DeleteDevice")


def test_the_role_is_checked_before_the_parameters(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    with pytest.raises(PermissionRefused):
        run(org.gateway("viewer"), "DeleteDevice", {"DeviceName": "meter-1", "ProductKey": "x" * 500})
    expect_one_refusal(network, "DeleteDevice")


def test_the_parameters_are_checked_before_the_access_scope(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    with pytest.raises(InvalidParameter):
        run(org.gateway("operator"), "SetDeviceProperty", device(products[1]))
    assert network.calls == []
    assert not AuditRecord.objects.exists()


def test_a_call_outside_the_access_scope_is_refused_once_and_before_approval(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run, set_rules: Run
) -> None:
    set_rules(deletion=0)
    with pytest.raises(OutOfScope):
        run(org.gateway("operator"), "DeleteDevice", device(products[1]))
    expect_one_refusal(network, "DeleteDevice")


def test_one_call_outside_the_access_scope_refuses_all(
    network: RecordedNetwork, org: Organization, products: list[str]
) -> None:
    with pytest.raises(OutOfScope):
        org.gateway("operator").call_each("DisableThing", [device(products[0]), device(products[1])])
    expect_one_refusal(network, "DisableThing")
    assert AuditRecord.objects.get().parameters["ProductKey"] == products[1]


def test_the_access_scope_is_checked_before_recent_authentication(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    limits = AccessScope(products=frozenset(products[:1])).to_json()
    Membership.objects.filter(user=org.members["administrator"]).update(access_scope=limits)
    gateway = org.gateway("administrator", reauthenticated=False)
    with pytest.raises(OutOfScope):
        run(gateway, "QueryDeviceDetail", device(products[1]), reveal=True)
    expect_one_refusal(network, "QueryDeviceDetail")


def test_a_reveal_needs_recent_authentication(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    with pytest.raises(ReauthenticationNeeded):
        run(org.gateway(reauthenticated=False), "QueryDeviceDetail", device(products[0]), reveal=True)
    assert network.calls == []
    assert not AuditRecord.objects.exists()


def test_recent_authentication_is_checked_before_approval(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run, set_rules: Run
) -> None:
    set_rules(deletion=0)
    with pytest.raises(ReauthenticationNeeded):
        run(org.gateway(reauthenticated=False), "DeleteDevice", device(products[0]), reveal=True)
    assert network.calls == []


def test_a_call_that_needs_approval_is_neither_recorded_nor_sent(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run, set_rules: Run
) -> None:
    set_rules(deletion=0)
    with pytest.raises(ApprovalNeeded):
        run(org.gateway("operator"), "DeleteDevice", device(products[0]))
    assert network.calls == []
    assert not AuditRecord.objects.exists()


# -- many calls --------------------------------------------------------------------------------------------------------


def test_invalid_calls_get_an_error_in_their_place_and_the_others_are_sent(
    network: RecordedNetwork, org: Organization, products: list[str]
) -> None:
    responses = org.gateway().call_each(
        "DisableThing",
        [{"ProductKey": "x" * 500}, device(products[0]), device(products[0], "none"), device(products[1])],
    )
    assert [type(response) for response in responses] == [InvalidParameter, dict, NotFound, dict]
    assert network.calls.count("DisableThing") == 3
    records = AuditRecord.objects.order_by("pk").values_list("target", "outcome")
    assert list(records) == [
        (f"{products[0]}/meter-1", Outcome.DONE),
        (f"{products[0]}/none", Outcome.FAILED),
        (f"{products[1]}/meter-1", Outcome.DONE),
    ]


def test_each_reveal_of_many_is_recorded_and_its_secrets_are_returned(
    network: RecordedNetwork, org: Organization, products: list[str]
) -> None:
    many = [device(product) for product in products]
    revealed = org.gateway().call_each("QueryDeviceDetail", many, reveal=True)
    masked = org.gateway().call_each("QueryDeviceDetail", many)
    assert MASK not in {response["Data"]["DeviceSecret"] for response in revealed}
    assert {response["Data"]["DeviceSecret"] for response in masked} == {MASK}
    assert AuditRecord.objects.filter(operation="QueryDeviceDetail", outcome=Outcome.DONE).count() == 2


def test_lists_of_the_account_contain_only_objects_in_the_access_scope(
    network: RecordedNetwork, org: Organization, products: list[str], run: Run
) -> None:
    response = run(org.gateway("operator"), "QueryProductList", {"CurrentPage": 1, "PageSize": 10})
    assert [item["ProductKey"] for item in response["Data"]["List"]["ProductInfo"]] == products[:1]


def test_no_audit_record_stays_open_if_one_of_many_calls_fails_unexpectedly(
    network: RecordedNetwork,
    org: Organization,
    products: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send = Sender.send

    def fail_for_the_first(self: Sender, definition: Any, params: Any) -> dict[str, Any]:
        if params["ProductKey"] == products[0]:
            raise Undecryptable
        return send(self, definition, params)

    monkeypatch.setattr(Sender, "send", fail_for_the_first)
    with pytest.raises(Undecryptable):
        org.gateway().call_each("DisableThing", [device(product) for product in products])
    outcomes = AuditRecord.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == [Outcome.FAILED, Outcome.DONE]


# -- creating gateways -------------------------------------------------------------------------------------------------


def test_a_derived_gateway_reveals_no_secrets(org: Organization, products: list[str]) -> None:
    with pytest.raises(ReauthenticationNeeded):
        org.gateway().in_background().call("QueryDeviceDetail", reveal=True, **device(products[0]))


def test_only_the_gateway_module_constructs_gateways() -> None:
    console = Path(settings.BASE_DIR) / "console"
    users = {
        str(path.relative_to(console))
        for path in console.rglob("*.py")
        if re.search(r"\bGateway\(", path.read_text())
    }
    assert users == {"connections/gateway.py"}
