"""What the gateway holds back until a second person agrees, however it is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from console.access.models import AuditRecord
from console.access.roles import Area
from console.cloud.catalogue import Access, operations
from console.connections.approval import (
    CREATE_DYNAMIC,
    CREATE_STATIC,
    CREATE_VERIFY,
    RULES,
    Approval,
    ApprovalNeeded,
    NotAsApproved,
    Planned,
    Rule,
)
from console.connections.gateway import PermissionRefused
from console.connections.models import Connection, RecentDeletion
from tests.approvals.conftest import exists, there


def test_a_team_without_rules_asks_nobody(org, product, devices):
    answers = org.gateway().each(
        "DeleteDevice", [{"ProductKey": product, "DeviceName": name} for name in devices]
    )
    assert all(isinstance(answer, dict) for answer in answers)
    org.gateway().call("DeleteProduct", ProductKey=product)
    assert not exists(org, product)


@pytest.mark.parametrize("role", ["operator", "administrator", "owner"])
def test_deleting_a_product_is_held_back_from_everybody_and_nothing_is_sent(org, rules, product, role):
    rules(product=True)
    before = AuditRecord.objects.count()
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway(role).call("DeleteProduct", ProductKey=product)
    assert raised.value.rule is Rule.PRODUCT
    assert AuditRecord.objects.count() == before
    assert exists(org, product)


def test_a_role_that_may_not_do_it_is_refused_and_not_led_to_a_request(org, rules, product):
    rules(product=True)
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("DeleteProduct", ProductKey=product)


def test_every_operation_that_destroys_is_decided_on():
    """A new one must be put here, and into RULES if the team's rules should cover it."""
    one_at_a_time = {
        "BatchClearEdgeInstanceDeviceConfig",
        "ClearEdgeInstanceDriverConfigs",
        "DeleteClientIds",
        "DeleteConsumerGroup",
        "DeleteDataSourceItem",
        "DeleteDeviceDistributeJob",
        "DeleteDeviceFile",
        "DeleteDeviceGroup",
        "DeleteEdgeInstance",
        "DeleteOTAFirmware",
        "DeleteOTAModule",
        "DeleteProductTopic",
        "DeleteRule",
        "DeleteRuleAction",
        "DeleteSubscribeRelation",
        "DeleteThingModel",
        "ResetConsumerGroupPosition",
        "ResetThing",
    }
    destroying = {found.name for found in operations().values() if found.access is Access.DESTROY}
    assert destroying - set(RULES) == one_at_a_time
    making = {name for name in operations() if name.startswith("CreateOTA") and name.endswith("Job")}
    assert making == {name for name, rule in RULES.items() if rule is Rule.BATCH}
    assert {operations()[name].area for name in RULES} <= {area.value for area in Area}


# -- deletions -------------------------------------------------------------------------------------------------------


def named(product: str, names: list[str]) -> list[dict[str, str]]:
    return [{"ProductKey": product, "DeviceName": name} for name in names]


def test_more_devices_at_once_than_the_limit_wait_and_as_many_as_the_limit_do_not(
    org, rules, product, devices
):
    rules(deletion=5)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().each("DeleteDevice", named(product, devices[:6]))
    assert raised.value.devices == 6
    assert there(org, product) == devices
    org.gateway().each("DeleteDevice", named(product, devices[:5]))
    assert there(org, product) == devices[5:]


def test_many_small_deletions_one_after_another_are_a_large_one(org, rules, product, devices):
    rules(deletion=3)
    for name in devices[:3]:
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[3])
    assert [call.params["DeviceName"] for call in raised.value.calls] == [devices[3]]
    assert there(org, product) == devices[3:]
    # Another person's count is their own.
    org.gateway("administrator").call("DeleteDevice", ProductKey=product, DeviceName=devices[4])
    # Ten minutes later it is a new deletion.
    RecentDeletion.objects.update(at=timezone.now() - timedelta(minutes=11))
    org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[3])
    assert there(org, product) == devices[5:]


def test_a_second_connection_to_the_same_account_is_no_way_round(org, rules, product, devices):
    rules(deletion=3)
    org.gateway().each("DeleteDevice", named(product, devices[:3]))
    first = org.connection
    other = Connection.objects.create(
        team=org.team,
        slug="again",
        name="Again",
        endpoint=first.endpoint,
        access_key_id=first.access_key_id,
        access_key_secret=first.access_key_secret,
    )
    with pytest.raises(ApprovalNeeded):
        replace(org, connection=other).gateway().each("DeleteDevice", named(product, devices[3:4]))
    assert there(org, product) == devices[3:]


def test_a_limit_of_none_at_all_holds_back_the_first(org, rules, product, devices):
    rules(deletion=0)
    with pytest.raises(ApprovalNeeded):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[0])


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(org, product, devices):
    """What a batch of the product is asked for with; whether the package exists the platform would say, later."""
    return {"ProductKey": product, "FirmwareId": "a-package"}


@pytest.mark.parametrize(
    ("operation", "params", "reached"),
    [
        (CREATE_STATIC, {"TargetSelection": "ALL"}, 12),
        (CREATE_STATIC, {"TargetSelection": "ALL", "SrcVersion": ["1.0"]}, 12),
        (CREATE_STATIC, {"TargetSelection": "GRAY", "GrayPercent": "51"}, 7),
        (CREATE_STATIC, {"TargetSelection": "GRAY", "GrayPercent": "50"}, 6),
        (CREATE_STATIC, {"TargetSelection": "GRAY", "GrayPercent": "0.001"}, 1),
        (CREATE_STATIC, {"TargetSelection": "GROUP", "GroupId": "g", "GroupType": "LINK_PLATFORM"}, 12),
        (CREATE_STATIC, {"TargetSelection": "SPECIFIC", "TargetDeviceName": ["dev-1", "dev-2"]}, 2),
        (CREATE_STATIC, {"TargetSelection": "SPECIFIC", "TargetDeviceName.N": ["dev-1", "dev-2"]}, 2),
        (CREATE_STATIC, {"TargetSelection": "SPECIFIC", "DnListFileUrl": "https://x.aliyuncs.com/l"}, 12),
        (CREATE_VERIFY, {"TargetDeviceName": ["dev-1", "dev-2", "dev-3"]}, 3),
        (CREATE_DYNAMIC, {"SrcVersion": ["1.0"]}, 12),
    ],
)
def test_a_batch_counts_the_most_devices_it_can_reach(org, rules, package, operation, params, reached):
    rules(batch=reached - 1)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call(operation, **package, **params)
    assert raised.value.devices == reached
    rules(batch=reached)
    # A dynamic batch has no upper end: it always waits.
    expected = ApprovalNeeded if operation == CREATE_DYNAMIC else Exception
    with pytest.raises(expected) as raised:
        org.gateway().call(operation, **package, **params)
    assert isinstance(raised.value, ApprovalNeeded) == (operation == CREATE_DYNAMIC)


def test_a_batch_whose_devices_the_role_may_not_count_waits(org, rules, package):
    rules(batch=1000)
    org.team.custom_roles.create(slug="updates-only", name="Updates only", levels={"ota": 3})
    membership = org.team.memberships.get(user=org.members["viewer"])
    membership.role_slug = "updates-only"
    membership.save()
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway("viewer").call(CREATE_STATIC, TargetSelection="ALL", **package)
    assert raised.value.devices is None


# -- an approval -----------------------------------------------------------------------------------------------------


def approved(org, *calls: Planned):
    return org.gateway("operator", approval=Approval(7, "owner@acme.test", calls))


def test_an_approval_lets_a_call_through_once(org, rules, product, devices):
    rules(deletion=0)
    one = Planned("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0]})
    gateway = approved(org, one)
    gateway.call(one.operation, **one.params)
    with pytest.raises(NotAsApproved):
        gateway.call(one.operation, **one.params)
    record = AuditRecord.objects.get(operation="DeleteDevice")
    assert record.parameters["approved_by"] == "owner@acme.test"
    assert record.parameters["approval"] == 7


def test_an_approval_lets_nothing_else_through_also_what_no_rule_covers(org, product, devices):
    one = Planned("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0]})
    gateway = approved(org, one)
    for operation, params in [
        ("DeleteDevice", {"ProductKey": product, "DeviceName": devices[1]}),
        ("DisableThing", {"ProductKey": product, "DeviceName": devices[0]}),
        ("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0], "IotInstanceId": "iot-other"}),
    ]:
        with pytest.raises(NotAsApproved):
            gateway.call(operation, **params)
    with pytest.raises(NotAsApproved):
        gateway.each("DeleteDevice", named(product, devices[:2]))
    assert there(org, product) == devices


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=6), VALUES, max_size=4),
    VALUES,
    st.lists(st.text(max_size=4)),
)
def test_what_is_kept_is_what_is_sent_and_any_other_call_is_another(params, changed, listed):
    call = Planned("DeleteDevice", params, tuple(listed))
    again = Planned.of(json.loads(json.dumps(call.kept)))
    assert again.canonical == call.canonical
    sent = {name: value for name, value in params.items() if value is not None}
    if listed:
        sent.pop("DnListFileUrl", None)
    assert again.params == sent
    for name in sent:
        other = Planned("DeleteDevice", {**params, name: changed}, tuple(listed))
        same = json.dumps(changed, sort_keys=True) == json.dumps(sent[name], sort_keys=True)
        assert (other.canonical == call.canonical) == same
