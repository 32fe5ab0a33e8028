"""Which calls the gateway stops until they are approved, wherever they come from."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from console.accounts.models import ApprovalSetting
from console.accounts.roles import Area
from console.approvals import actions
from console.areas.ota.api import CREATE_DYNAMIC, CREATE_STATIC, CREATE_VERIFY
from console.audit.models import AuditRecord
from console.connections.approval import (
    Approval,
    ApprovalNeeded,
    NotApproved,
    PlannedCall,
    needs_approval,
)
from console.connections.approval_rules import covered_operations, find_rule
from console.connections.gateway import PermissionRefused
from console.connections.models import Connection, RecentAction
from console.ui.areas import all_approval_rules
from iot_client.catalogue import Access, operations
from iot_client.errors import CloudError
from tests.approvals.helpers import create_token, gateway_of_token, list_device_names, product_exists
from tests.approvals.without_rule import WITHOUT_RULE


def test_a_team_without_rules_needs_no_approvals(org, product, devices):
    responses = org.gateway().call_each(
        "DeleteDevice", [{"ProductKey": product, "DeviceName": name} for name in devices]
    )
    assert all(isinstance(response, dict) for response in responses)
    org.gateway().call("DeleteProduct", ProductKey=product)
    assert not product_exists(org, product)


@pytest.mark.parametrize("role", ["operator", "administrator", "owner"])
def test_deleting_a_product_needs_approval_for_every_role_and_nothing_is_sent(org, set_rules, product, role):
    set_rules(product=True)
    before = AuditRecord.objects.count()
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway(role).call("DeleteProduct", ProductKey=product)
    assert raised.value.rule.slug == "product_deletion"
    assert AuditRecord.objects.count() == before
    assert product_exists(org, product)


def test_a_role_that_cannot_delete_is_refused_without_a_request(org, set_rules, product):
    set_rules(product=True)
    with pytest.raises(PermissionRefused):
        org.gateway("viewer").call("DeleteProduct", ProductKey=product)


def test_every_write_is_under_a_rule_or_decided_to_need_none():
    """Add a new operation to a rule of its area, or with the reason to `without_rule.py`."""
    writes = {found.name for found in operations().values() if found.access is not Access.READ}
    without_rule = [name for names in WITHOUT_RULE.values() for name in names.split()]
    assert len(without_rule) == len(set(without_rule))
    assert writes - covered_operations() == set(without_rule)
    creating = {name for name in operations() if name.startswith("CreateOTA") and name.endswith("Job")}
    assert creating == find_rule("update_batch").operations
    assert {operations()[name].area for name in covered_operations()} <= {area.value for area in Area}


def test_rules_have_different_slugs_and_cover_different_writes():
    slugs = [rule.slug for rule in all_approval_rules()]
    assert len(set(slugs)) == len(slugs)
    assert all(slug.isidentifier() and len(slug) <= 40 for slug in slugs)
    names = [name for rule in all_approval_rules() for name in rule.operations]
    assert len(set(names)) == len(names)
    assert all(operations()[name].access is not Access.READ for name in names)


def test_only_sentences_below_the_areas_name_operations_that_a_rule_covers():
    console = Path(settings.BASE_DIR) / "console"
    files = [
        path
        for part in ("accounts", "audit", "sign_in", "teams", "connections", "approvals")
        for path in (console / part).rglob("*.py")
    ]
    texts = {path: path.read_text() for path in files if path.parent.name not in {"scope", "phrases"}}
    named = {
        (path.name, name) for path, text in texts.items() for name in covered_operations() if name in text
    }
    assert named == set()


def test_a_setting_of_a_rule_that_no_area_declares_is_ignored(org, product):
    ApprovalSetting.objects.create(team=org.team, rule="removed_area", limit=0)
    org.gateway().call("DeleteProduct", ProductKey=product)
    assert not product_exists(org, product)


def test_a_rule_with_a_limit_but_no_stored_number_covers_every_call(org, product, devices):
    ApprovalSetting.objects.create(team=org.team, rule="device_deletion", limit=None)
    with pytest.raises(ApprovalNeeded):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[0])


def test_the_rules_of_a_team_are_read_once_and_only_for_operations_that_a_rule_covers(
    org, product, devices, set_rules, django_assert_num_queries
):
    set_rules(product=True)
    gateway = org.gateway()
    with django_assert_num_queries(0):
        assert not needs_approval(gateway, "DisableThing", {"ProductKey": product, "DeviceName": "x"})
    with django_assert_num_queries(1):
        for name in devices:
            assert not needs_approval(gateway, "DeleteDevice", {"ProductKey": product, "DeviceName": name})
        assert needs_approval(gateway, "DeleteProduct", {"ProductKey": product})


# -- deletions -------------------------------------------------------------------------------------------------------


def device_params(product: str, names: list[str]) -> list[dict[str, str]]:
    return [{"ProductKey": product, "DeviceName": name} for name in names]


def test_deleting_more_devices_than_the_limit_needs_approval_and_up_to_the_limit_does_not(
    org, set_rules, product, devices
):
    set_rules(deletion=5)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call_each("DeleteDevice", device_params(product, devices[:6]))
    assert raised.value.count == 6
    assert list_device_names(org, product) == devices
    org.gateway().call_each("DeleteDevice", device_params(product, devices[:5]))
    assert list_device_names(org, product) == devices[5:]


def test_many_small_deletions_count_as_a_large_one(org, set_rules, product, devices):
    set_rules(deletion=3)
    for name in devices[:3]:
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=name)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[3])
    assert [call.params["DeviceName"] for call in raised.value.calls] == [devices[3]]
    assert list_device_names(org, product) == devices[3:]
    # After ten minutes the count starts again.
    RecentAction.objects.update(at=timezone.now() - timedelta(minutes=11))
    org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[3])
    assert list_device_names(org, product) == devices[4:]


def test_members_and_tokens_of_a_team_share_what_is_allowed(org, set_rules, product, devices, service):
    set_rules(deletion=3)
    owner = org.members["owner"]
    gateways = [
        gateway_of_token(org, create_token(org, service, "administrator", owner)),
        gateway_of_token(org, create_token(org, org.members["operator"], "operator", owner)),
        org.gateway("administrator"),
        org.gateway("operator"),
    ]
    for gateway, name in zip(gateways, devices[:3], strict=False):
        gateway.call("DeleteDevice", ProductKey=product, DeviceName=name)
    for gateway in gateways:
        with pytest.raises(ApprovalNeeded):
            gateway.call("DeleteDevice", ProductKey=product, DeviceName=devices[3])
    assert list_device_names(org, product) == devices[3:]


def test_a_deleted_connection_does_not_start_the_count_again(org, set_rules, product, devices):
    set_rules(deletion=3)
    org.gateway().call_each("DeleteDevice", device_params(product, devices[:3]))
    first = org.connection
    first.delete()
    first.pk = None
    first.save()
    with pytest.raises(ApprovalNeeded):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[3])


def test_a_second_connection_to_the_same_account_does_not_bypass_the_limit(org, set_rules, product, devices):
    set_rules(deletion=3)
    org.gateway().call_each("DeleteDevice", device_params(product, devices[:3]))
    first = org.connection
    other = Connection.objects.create(
        team=org.team,
        slug="restored",
        name="Again",
        endpoint=first.endpoint,
        access_key_id=first.access_key_id,
        access_key_secret=first.access_key_secret,
    )
    with pytest.raises(ApprovalNeeded):
        replace(org, connection=other).gateway().call_each(
            "DeleteDevice", device_params(product, devices[3:4])
        )
    assert list_device_names(org, product) == devices[3:]


def test_with_a_limit_of_zero_the_first_deletion_needs_approval(org, set_rules, product, devices):
    set_rules(deletion=0)
    with pytest.raises(ApprovalNeeded):
        org.gateway().call("DeleteDevice", ProductKey=product, DeviceName=devices[0])


# -- distributions ---------------------------------------------------------------------------------------------------

DISTRIBUTION = {
    "SourceInstanceId": "iotx-source",
    "TargetUid": "6541",
    "TargetInstanceConfig": [{"TargetInstanceId": "iot-other"}],
}


@pytest.mark.parametrize("name", ["DeviceName", "DeviceName.N"])
def test_distributing_devices_counts_as_deleting_them(org, set_rules, product, devices, name):
    set_rules(deletion=4)
    org.gateway().call_each("DeleteDevice", device_params(product, devices[:1]))
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call(
            "CreateDeviceDistributeJob", ProductKey=product, **{name: devices[1:5]}, **DISTRIBUTION
        )
    assert (raised.value.rule.slug, raised.value.count) == ("device_deletion", 4)


def test_the_request_for_a_distribution_shows_the_devices_and_the_effect(
    org, set_rules, submit_request, sign_in, product, devices
):
    set_rules(deletion=0)
    params = {"ProductKey": product, "DeviceName": devices[:2], **DISTRIBUTION}
    request = submit_request("CreateDeviceDistributeJob", [params])
    page = sign_in("owner").get(org.url(f"approvals/{request.pk}/")).content.decode()
    assert "The devices move to another instance or account." in page
    assert f"{devices[0]}\n{devices[1]}" in page
    assert "iot-other" in page


def test_distributing_a_product_always_needs_approval(org, set_rules, product):
    params = {
        "ProductKey": product,
        "SourceInstanceId": "iotx-source",
        "TargetUid": "6541",
        "TargetInstanceId": "iot-other",
    }
    set_rules(deletion=1000)
    with pytest.raises(ApprovalNeeded):
        org.gateway().call("CreateProductDistributeJob", **params)


# -- messages and commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "params", "count"),
    [
        ("PubBroadcast", {"TopicFullName": "/broadcast/{product}/all", "MessageContent": "eA=="}, 12),
        ("BatchPub", {"DeviceName": ["a1", "b2"], "TopicShortName": "get", "MessageContent": "eA=="}, 2),
        ("SetDevicesProperty", {"DeviceName": ["a1", "b2", "c3"], "Items": "{{}}"}, 3),
        ("InvokeThingsService", {"DeviceName": ["a1", "b2"], "Identifier": "reboot", "Args": "{{}}"}, 2),
        ("InvokeThingService", {"DeviceName": "a1", "Identifier": "reboot", "Args": "{{}}"}, 1),
    ],
)
def test_messages_and_commands_count_the_devices_that_they_reach(
    org, set_rules, product, devices, operation, params, count
):
    params = {
        name: value.format(product=product) if isinstance(value, str) else value
        for name, value in params.items()
    }
    set_rules(command=count - 1)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call(operation, ProductKey=product, **params)
    assert (raised.value.rule.slug, raised.value.count) == ("device_command", count)
    set_rules(command=count)
    with suppress(CloudError):  # the platform may refuse it: the devices do not exist
        org.gateway().call(operation, ProductKey=product, **params)


# -- data routing ------------------------------------------------------------------------------------------------------


def test_stopping_data_routing_needs_approval_and_runs_after_it(
    emulator, org, set_rules, submit_request, sign_in, run_job
):
    call = org.gateway().call
    rule = call("CreateRule", Name="to_mns", DataType="JSON")["RuleId"]
    set_rules(routing=True)
    request = submit_request("DeleteRule", [{"RuleId": rule}], "administrator")
    page = sign_in("owner").get(org.url(f"approvals/{request.pk}/")).content.decode()
    assert "Data of devices may no longer reach the systems that receive it." in page
    assert str(rule) in page
    run_job(actions.approve(request, org.gateway("owner"), seen=request.digest))
    assert org.gateway().call("ListRule", CurrentPage=1)["Total"] == 0


# -- batches ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(org, product, devices):
    """Parameters of a batch of the product. The package does not exist; only the platform would notice."""
    return {"ProductKey": product, "FirmwareId": "a-package"}


@pytest.mark.parametrize(
    ("operation", "params", "count"),
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
def test_a_batch_counts_the_most_devices_that_it_can_affect(
    org, set_rules, package, operation, params, count
):
    set_rules(batch=count - 1)
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway().call(operation, **package, **params)
    assert raised.value.count == count
    set_rules(batch=count)
    # A dynamic batch has no upper limit: it always needs approval.
    expected = ApprovalNeeded if operation == CREATE_DYNAMIC else Exception
    with pytest.raises(expected) as raised:
        org.gateway().call(operation, **package, **params)
    assert isinstance(raised.value, ApprovalNeeded) == (operation == CREATE_DYNAMIC)


def test_batches_of_one_day_count_as_a_large_one(org, set_rules, product, devices):
    set_rules(batch=3)
    params = {"ProductKey": product, "FirmwareId": "a-package", "TargetSelection": "SPECIFIC"}
    with pytest.raises(CloudError):  # the package does not exist
        org.gateway().call(CREATE_STATIC, TargetDeviceName=devices[:3], **params)
    for role in ("owner", "release-engineer"):
        with pytest.raises(ApprovalNeeded):
            org.gateway(role).call(CREATE_STATIC, TargetDeviceName=devices[3:4], **params)
    RecentAction.objects.update(at=timezone.now() - timedelta(hours=25))
    with pytest.raises(CloudError):
        org.gateway().call(CREATE_STATIC, TargetDeviceName=devices[3:4], **params)


def test_a_batch_whose_devices_the_role_cannot_count_needs_approval(org, set_rules, package):
    set_rules(batch=1000)
    org.team.custom_roles.create(slug="updates-only", name="Updates only", levels={"ota": 3})
    membership = org.team.memberships.get(user=org.members["viewer"])
    membership.role_slug = "updates-only"
    membership.save()
    with pytest.raises(ApprovalNeeded) as raised:
        org.gateway("viewer").call(CREATE_STATIC, TargetSelection="ALL", **package)
    assert raised.value.count is None


# -- an approval -----------------------------------------------------------------------------------------------------


def approved_gateway(org, *calls: PlannedCall):
    return org.gateway("operator", approval=Approval(7, "owner@acme.test", calls))


def test_an_approval_allows_a_call_once(org, set_rules, product, devices):
    set_rules(deletion=0)
    one = PlannedCall("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0]})
    gateway = approved_gateway(org, one)
    gateway.call(one.operation, **one.params)
    with pytest.raises(NotApproved):
        gateway.call(one.operation, **one.params)
    record = AuditRecord.objects.get(operation="DeleteDevice")
    assert record.parameters["approved_by"] == "owner@acme.test"
    assert record.parameters["approval"] == 7


def test_an_approval_allows_no_other_call_even_without_a_rule(org, product, devices):
    one = PlannedCall("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0]})
    gateway = approved_gateway(org, one)
    for operation, params in [
        ("DeleteDevice", {"ProductKey": product, "DeviceName": devices[1]}),
        ("DisableThing", {"ProductKey": product, "DeviceName": devices[0]}),
        ("DeleteDevice", {"ProductKey": product, "DeviceName": devices[0], "IotInstanceId": "iot-other"}),
    ]:
        with pytest.raises(NotApproved):
            gateway.call(operation, **params)
    with pytest.raises(NotApproved):
        gateway.call_each("DeleteDevice", device_params(product, devices[:2]))
    assert list_device_names(org, product) == devices


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
def test_the_stored_form_equals_the_call_and_differs_from_other_calls(params, changed, listed_names):
    call = PlannedCall("DeleteDevice", params, tuple(listed_names))
    restored = PlannedCall.from_stored(json.loads(json.dumps(call.stored_form)))
    assert restored.canonical == call.canonical
    sent = {name: value for name, value in params.items() if value is not None}
    if listed_names:
        sent.pop("DnListFileUrl", None)
    assert restored.params == sent
    for name in sent:
        other = PlannedCall("DeleteDevice", {**params, name: changed}, tuple(listed_names))
        same = json.dumps(changed, sort_keys=True) == json.dumps(sent[name], sort_keys=True)
        assert (other.canonical == call.canonical) == same
