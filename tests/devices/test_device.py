"""One device: its pages, registering, renaming, enabling, disabling, deleting, its tags, groups and secret."""

from __future__ import annotations

import threading

import pytest

from console.access.models import AuditRecord
from console.cloud.errors import NotFound
from console.connections.gateway import Gateway
from console.devices import api
from console.groups import api as groups_api


def words(answer) -> str:
    return " ".join(answer.content.decode().split())


@pytest.fixture
def lamp(register, product, org) -> str:
    """The address of a device's pages."""
    register("lamp-0001", nickname="At_the_pier")
    return org.url(f"devices/{product}/lamp-0001/")


def detail(org, product, name="lamp-0001"):
    return api.device_detail(org.gateway(), product, name, fresh=True)


# -- pages -----------------------------------------------------------------------------------------------------------


def test_no_page_of_a_device_takes_more_than_four_calls(lamp, sign_in, calls):
    browser = sign_in("owner")
    for page in [
        "",
        "groups/",
        "groups/add/",
        "tags/",
        "tags/set/",
        "updates/",
        "rename/",
        "disable/",
        "delete/",
    ]:
        calls.clear()
        assert browser.get(f"{lamp}{page}").status_code == 200, page
        assert len(calls) <= 4, (page, calls)


def test_the_overview_shows_facts_and_no_secret(lamp, product, org, sign_in):
    text = words(sign_in("owner").get(lamp))
    for part in ("lamp-0001", "At_the_pier", "Harbour_Lamp", "Not activated", "cn-shanghai", product):
        assert part in text
    assert api.reveal_secret(org.gateway(), product, "lamp-0001").secret not in text


def test_a_fleets_device_shows_its_versions_and_running_updates(fleet, org, sign_in):
    from console.products import api as products_api

    key = max(products_api.choices(org.gateway()), key=lambda product: product.devices).key
    device = api.list_devices(org.gateway(), api.DeviceFilter(key, status="ONLINE")).devices[0]
    text = words(sign_in("viewer").get(org.url(f"devices/{key}/{device.name}/updates/")))
    assert "default" in text


def test_a_device_that_does_not_exist_is_a_clear_404(product, org, sign_in):
    answer = sign_in("viewer").get(org.url(f"devices/{product}/missing/"))
    assert answer.status_code == 404
    assert "iot.device.NotExistedDevice" in words(answer)


def test_a_viewer_is_offered_no_change(lamp, sign_in):
    browser = sign_in("viewer")
    text = "".join(words(browser.get(f"{lamp}{page}")) for page in ("", "groups/", "tags/", "updates/"))
    for address in (
        "/rename/",
        "/disable/",
        "/enable/",
        "/delete/",
        "/secret/",
        "/tags/set/",
        "/groups/add/",
    ):
        assert address not in text


@pytest.mark.parametrize(("kind", "status"), [("throttle", 503), ("drop", 503), ("malformed", 502)])
def test_an_error_of_the_cloud_is_a_clear_page(lamp, sign_in, emulator, kind, status):
    emulator.faults.add(
        "QueryDeviceDetail", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    answer = sign_in("viewer").get(lamp)
    assert answer.status_code == status
    assert "fd-cloud-error" in words(answer)


# -- registering -----------------------------------------------------------------------------------------------------


def test_a_device_is_registered_and_its_credentials_are_shown_once(product, org, sign_in):
    browser = sign_in("owner")
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "At_the_pier"}
    answer = browser.post(org.url("devices/new/"), form)
    secret = api.reveal_secret(org.gateway(), product, "lamp-0001").secret
    assert secret in words(answer)
    assert "no-store" in answer["Cache-Control"]
    assert detail(org, product).device.nickname == "At_the_pier"
    assert secret not in words(browser.get(org.url("devices/new/")))
    assert all(secret not in str(record.parameters) for record in AuditRecord.objects.all())


def test_those_below_the_level_register_without_seeing_the_secret(product, org, sign_in):
    answer = sign_in("operator").post(
        org.url("devices/new/"), {"product_key": product, "device_name": "lamp-0001"}
    )
    assert "lamp-0001 is registered" in words(answer)
    assert api.reveal_secret(org.gateway(), product, "lamp-0001").secret not in words(answer)
    assert "does not show secrets" in words(answer)


def test_without_a_name_the_platform_makes_one_up(product, org, sign_in):
    answer = sign_in("operator").post(org.url("devices/new/"), {"product_key": product})
    (device,) = api.list_devices(org.gateway(), api.DeviceFilter(product), fresh=True).devices
    assert f"{device.name} is registered" in words(answer)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("device_name", "abc", "4"),
        ("device_name", "has space", "English letters"),
        ("device_name", "x" * 33, "32"),
        ("nickname", "abc", "4"),
        ("nickname", "has space", "letters, digits and underscores"),
        ("product_key", "", "required"),
    ],
)
def test_the_platforms_limits_are_said_at_the_field_before_anything_is_sent(
    product, org, sign_in, calls, field, value, said
):
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "At_the_pier", field: value}
    answer = sign_in("operator").post(org.url("devices/new/"), form)
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert "RegisterDevice" not in calls


def test_a_name_that_exists_is_said_at_the_name_and_nothing_is_lost(lamp, product, org, sign_in):
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "Another_one"}
    answer = sign_in("operator").post(org.url("devices/new/"), form)
    assert answer.status_code == 422
    assert "already has a device of that name" in str(answer.context["form"].errors["device_name"])
    assert "Another_one" in words(answer)
    assert detail(org, product).device.nickname == "At_the_pier"


@pytest.mark.parametrize("kind", ["throttle", "malformed", "drop"])
def test_an_error_of_the_cloud_keeps_what_was_typed(product, org, sign_in, emulator, kind):
    emulator.faults.add(
        "RegisterDevice", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    answer = sign_in("operator").post(
        org.url("devices/new/"), {"product_key": product, "device_name": "lamp-0001"}
    )
    assert answer.status_code == 422
    assert "fd-cloud-error" in words(answer)
    assert 'value="lamp-0001"' in words(answer)


# -- nickname, state ---------------------------------------------------------------------------------------------------


def test_a_device_is_renamed_and_its_nickname_taken_away(lamp, product, org, sign_in):
    browser = sign_in("operator")
    assert browser.post(f"{lamp}rename/", {"nickname": "码头路灯"}).status_code == 302
    assert detail(org, product).device.nickname == "码头路灯"
    browser.post(f"{lamp}rename/", {"nickname": ""})
    assert detail(org, product).device.nickname == ""
    refused = browser.post(f"{lamp}rename/", {"nickname": "码" * 17})
    assert refused.status_code == 422
    assert refused.context["form"].errors["nickname"]


def test_a_device_is_disabled_and_enabled_and_twice_is_the_same_as_once(lamp, product, org, sign_in):
    browser = sign_in("operator")
    for page, status in (
        ("disable", "DISABLE"),
        ("disable", "DISABLE"),
        ("enable", "UNACTIVE"),
        ("enable", "UNACTIVE"),
    ):
        assert browser.post(f"{lamp}{page}/").status_code == 302
        assert detail(org, product).device.status == status


def test_deleting_asks_for_the_name_and_twice_says_that_it_is_gone(lamp, product, org, sign_in):
    browser = sign_in("operator")
    assert browser.post(f"{lamp}delete/", {"typed": "lamp-000"}).status_code == 422
    assert detail(org, product)
    first = browser.post(f"{lamp}delete/", {"typed": "lamp-0001"}, follow=True)
    assert "lamp-0001 is deleted" in words(first)
    with pytest.raises(NotFound):
        detail(org, product)
    again = browser.post(f"{lamp}delete/", {"typed": "lamp-0001"}, follow=True)
    assert "no longer exists" in words(again)


def test_a_delete_that_the_cloud_refuses_says_why_and_keeps_what_was_typed(lamp, sign_in, emulator):
    emulator.faults.add(
        "DeleteDevice", kind="error", times=9, status=200, code="iot.device.DeleteDeviceFailed"
    )
    answer = sign_in("operator").post(f"{lamp}delete/", {"typed": "lamp-0001"})
    assert answer.status_code == 422
    assert "iot.device.DeleteDeviceFailed" in words(answer)


# -- tags, groups, secret ----------------------------------------------------------------------------------------------


def test_tags_are_added_changed_and_removed(lamp, product, org, sign_in):
    browser = sign_in("operator")

    def tags() -> list[api.Tag]:
        return api.device_with_tags(org.gateway(), product, "lamp-0001", fresh=True)[1]

    browser.post(f"{lamp}tags/set/", {"tag_key": "where is it", "tag_value": '码头 "7"'})
    assert tags() == [api.Tag("where is it", '码头 "7"')]
    browser.post(f"{lamp}tags/set/", {"tag_key": "where is it", "tag_value": "Pier 8"})
    assert tags() == [api.Tag("where is it", "Pier 8")]
    browser.post(f"{lamp}tags/remove/?key=where+is+it")
    browser.post(f"{lamp}tags/remove/?key=where+is+it")
    assert tags() == []


def test_a_tag_without_key_or_value_is_said_at_the_field(lamp, sign_in):
    answer = sign_in("operator").post(f"{lamp}tags/set/", {"tag_key": "", "tag_value": ""})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"tag_key", "tag_value"}


def test_a_device_is_put_into_a_group_by_its_name_and_taken_out(lamp, product, org, sign_in):
    group = groups_api.create_group(org.gateway(), name="Quay_North")
    browser = sign_in("operator")
    assert "Quay_North" in words(browser.get(f"{lamp}groups/add/"))
    for _twice in range(2):
        assert browser.post(f"{lamp}groups/add/", {"group_name": "Quay_North"}).status_code == 302
    listed = api.device_with_groups(org.gateway(), product, "lamp-0001", fresh=True)[1]
    assert [found.name for found in listed] == ["Quay_North"]
    for _twice in range(2):
        assert browser.post(f"{lamp}groups/remove/?group={group.id}").status_code == 302
    assert api.device_with_groups(org.gateway(), product, "lamp-0001", fresh=True)[1] == []


def test_a_group_that_does_not_exist_is_said_at_the_field(lamp, org, sign_in):
    groups_api.create_group(org.gateway(), name="Quay_North")
    answer = sign_in("operator").post(f"{lamp}groups/add/", {"group_name": "Quay"})
    assert answer.status_code == 422
    assert "Quay_North" in str(answer.context["form"].errors["group_name"])


def test_the_secret_is_shown_only_on_request_and_that_is_recorded(lamp, sign_in):
    answer = sign_in("owner").post(f"{lamp}secret/")
    assert len(answer.context["made"].secret) == 32
    assert "no-store" in answer["Cache-Control"]
    record = AuditRecord.objects.get(operation="QueryDeviceInfo")
    assert (record.target, record.outcome) == ("lamp-0001", AuditRecord.Outcome.DONE)
    assert sign_in("operator").post(f"{lamp}secret/").status_code == 403


# -- several -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(register, product) -> list[str]:
    """The keys of three devices."""
    register("lamp-0001", "lamp-0002", "lamp-0003")
    return [f"{product}/lamp-000{n}" for n in (1, 2, 3)]


def statuses(org, product) -> list[str]:
    devices = api.list_devices(org.gateway(), api.DeviceFilter(product), fresh=True).devices
    return [device.status for device in reversed(devices)]


def test_ticked_devices_are_disabled_after_a_question_and_each_is_reported(three, product, org, sign_in):
    browser = sign_in("operator")
    asked = browser.post(org.url("devices/many/disable/"), {"selected": three[:2]})
    assert "Disable 2 devices?" in words(asked)
    assert set(statuses(org, product)) == {"UNACTIVE"}
    gone = f"{product}/missing"
    done = browser.post(org.url("devices/many/disable/"), {"selected": [*three[:2], gone], "confirmed": "1"})
    assert "2 done, 1 failed" in words(done)
    assert statuses(org, product) == ["DISABLE", "DISABLE", "UNACTIVE"]
    browser.post(org.url("devices/many/enable/"), {"selected": three, "confirmed": "1"})
    assert set(statuses(org, product)) == {"UNACTIVE"}


def test_several_are_deleted_only_when_their_number_is_typed(three, product, org, sign_in):
    browser = sign_in("operator")
    form = {"selected": three, "confirmed": "1"}
    assert browser.post(org.url("devices/many/delete/"), {**form, "typed": "2"}).status_code == 422
    assert len(statuses(org, product)) == 3
    done = browser.post(org.url("devices/many/delete/"), {**form, "typed": "3"})
    assert "3 devices done" in words(done)
    assert statuses(org, product) == []
    again = browser.post(org.url("devices/many/delete/"), {**form, "typed": "3"})
    assert "0 done, 3 failed" in words(again)


def test_all_matching_means_those_of_the_filter_up_to_fifty(three, product, org, sign_in, monkeypatch):
    browser = sign_in("operator")
    query = f"product={product}"
    browser.post(org.url("devices/many/disable/"), {"all_matching": "1", "query": query, "confirmed": "1"})
    assert set(statuses(org, product)) == {"DISABLE"}
    monkeypatch.setattr("console.devices.views.MANY", 2)
    answer = browser.post(
        org.url("devices/many/enable/"), {"all_matching": "1", "query": query, "confirmed": "1"}
    )
    assert answer.status_code == 422
    assert "1 to 2 devices at a time" in words(answer)
    assert set(statuses(org, product)) == {"DISABLE"}


@pytest.mark.parametrize("keys", [[], ["nonsense"], ["/"], ["a/"], [f"a1/{n}" for n in range(51)]])
def test_nothing_ticked_or_too_much_is_refused(product, org, sign_in, calls, keys):
    answer = sign_in("operator").post(org.url("devices/many/delete/"), {"selected": keys, "confirmed": "1"})
    assert answer.status_code == 422
    assert calls == []


def test_an_unknown_action_is_404(product, org, sign_in):
    assert sign_in("operator").post(org.url("devices/many/explode/"), {}).status_code == 404


def test_one_failing_call_does_not_stop_the_others(three, product, org, sign_in, emulator):
    emulator.faults.add("DisableThing", kind="malformed", times=1)
    sign_in("operator").post(org.url("devices/many/disable/"), {"selected": three, "confirmed": "1"})
    assert statuses(org, product).count("DISABLE") == 2


def test_each_of_several_has_its_own_record_and_a_few_are_sent_at_once(
    three, product, org, sign_in, monkeypatch
):
    together = threading.Barrier(3, timeout=20)
    send = Gateway._send

    def meeting(self, described, params):
        if described.name == "DisableThing":
            together.wait()  # breaks, and fails the test, unless three are on their way at once
        return send(self, described, params)

    monkeypatch.setattr(Gateway, "_send", meeting)
    sign_in("operator").post(org.url("devices/many/disable/"), {"selected": three, "confirmed": "1"})
    records = AuditRecord.objects.filter(operation="DisableThing")
    assert sorted(record.target for record in records) == ["lamp-0001", "lamp-0002", "lamp-0003"]
    assert {record.outcome for record in records} == {AuditRecord.Outcome.DONE}


def test_what_breaks_the_platforms_rules_is_not_sent_and_does_not_stop_the_others(three, product, org, calls):
    outcomes = api.act_on(org.gateway(), "disable", [(product, ""), (product, "lamp-0002")])
    assert [outcome.error is None for outcome in outcomes] == [False, True]
    assert calls.count("DisableThing") == 1
