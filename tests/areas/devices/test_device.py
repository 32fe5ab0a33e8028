"""One device: its pages, registration, nickname, enabling, disabling, deletion, tags, groups and secret."""

from __future__ import annotations

import re
import threading

import pytest
from django.core.cache import cache

from console.areas.devices import api, lists
from console.areas.devices.records import DeviceFilter
from console.areas.groups import api as groups_api
from console.audit.models import AuditRecord
from console.connections.sending import Sender
from iot_client.errors import NotFound


def page_text(response) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def lamp(register, product, org) -> str:
    """The URL of a device's pages."""
    register("lamp-0001", nickname="At_the_pier")
    return org.url(f"devices/{product}/lamp-0001/")


def detail(org, product, name="lamp-0001"):
    return api.get_device(org.gateway(), product, name, fresh=True)


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


def test_the_overview_shows_details_and_no_secret(lamp, product, org, sign_in):
    text = page_text(sign_in("owner").get(lamp))
    for part in ("lamp-0001", "At_the_pier", "Harbor_Lamp", "Not activated", "cn-shanghai", product):
        assert part in text
    assert api.reveal_secret(org.gateway(), product, "lamp-0001").secret not in text


def test_the_state_of_a_device_is_below_its_title_on_every_page_and_takes_no_call(fleet, org, sign_in, calls):
    from console.areas.products import api as products_api

    key = max(products_api.list_newest_products(org.gateway()), key=lambda product: product.devices).key
    device = lists.list_devices(org.gateway(), DeviceFilter(key, status="ONLINE")).devices[0]
    found = detail(org, key, device.name)
    browser = sign_in("operator")
    for page, count in (("", 2), ("groups/", 2), ("tags/", 2), ("updates/", 3)):
        cache.clear()
        calls.clear()
        text = page_text(browser.get(org.url(f"devices/{key}/{device.name}/{page}")))
        assert len(calls) == count, page
        head = text[text.index("<h1") : text.index('id="tabs"')]
        for part in ("Online", "Online since", found.product_name, found.firmware, found.ip):
            assert part in head, (page, part)
        assert "Edit nickname" in head
        assert "Disable device" in head


def test_a_device_that_never_connected_shows_no_empty_facts_below_its_title(lamp, sign_in):
    text = page_text(sign_in("viewer").get(lamp))
    head = text[text.index("<h1") : text.index('id="tabs"')]
    assert "Not activated" in head
    assert "Last online" not in head
    assert "Firmware" not in head


def test_the_overview_is_shown_when_the_tags_cannot_be_read(lamp, sign_in, emulator):
    emulator.faults.add("QueryDeviceProp", kind="malformed", times=9)
    text = page_text(sign_in("viewer").get(lamp))
    assert "Credentials" in text
    assert "fd-cloud-error" in text


def test_a_device_shows_its_versions_and_running_updates(fleet, org, sign_in):
    from console.areas.products import api as products_api

    key = max(products_api.list_newest_products(org.gateway()), key=lambda product: product.devices).key
    device = lists.list_devices(org.gateway(), DeviceFilter(key, status="ONLINE")).devices[0]
    text = page_text(sign_in("viewer").get(org.url(f"devices/{key}/{device.name}/updates/")))
    assert "default" in text


def test_a_device_that_does_not_exist_is_a_clear_404(product, org, sign_in):
    response = sign_in("viewer").get(org.url(f"devices/{product}/missing/"))
    assert response.status_code == 404
    assert "iot.device.NotExistedDevice" in page_text(response)


def test_a_viewer_is_offered_no_change(lamp, sign_in):
    browser = sign_in("viewer")
    text = "".join(page_text(browser.get(f"{lamp}{page}")) for page in ("", "groups/", "tags/", "updates/"))
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
def test_a_platform_error_has_a_clear_page(lamp, sign_in, emulator, kind, status):
    emulator.faults.add(
        "QueryDeviceDetail", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    response = sign_in("viewer").get(lamp)
    assert response.status_code == status
    assert "fd-cloud-error" in page_text(response)


# -- registering -----------------------------------------------------------------------------------------------------


def test_a_device_is_registered_and_its_credentials_are_shown_once(product, org, sign_in):
    browser = sign_in("owner")
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "At_the_pier"}
    response = browser.post(org.url("devices/new/"), form)
    secret = api.reveal_secret(org.gateway(), product, "lamp-0001").secret
    assert secret in page_text(response)
    assert "no-store" in response["Cache-Control"]
    assert detail(org, product).device.nickname == "At_the_pier"
    assert secret not in page_text(browser.get(org.url("devices/new/")))
    assert all(secret not in str(record.parameters) for record in AuditRecord.objects.all())


def test_a_member_without_the_secret_level_registers_without_seeing_the_secret(product, org, sign_in):
    response = sign_in("operator").post(
        org.url("devices/new/"), {"product_key": product, "device_name": "lamp-0001"}
    )
    assert "lamp-0001 is registered" in page_text(response)
    assert api.reveal_secret(org.gateway(), product, "lamp-0001").secret not in page_text(response)
    assert "cannot view secrets" in page_text(response)


def test_without_a_name_the_platform_generates_one(product, org, sign_in):
    response = sign_in("operator").post(org.url("devices/new/"), {"product_key": product})
    (device,) = lists.list_devices(org.gateway(), DeviceFilter(product), fresh=True).devices
    assert f"{device.name} is registered" in page_text(response)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("device_name", "abc", "4"),
        ("device_name", "has space", "English letters"),
        ("device_name", "x" * 33, "32"),
        ("nickname", "abc", "4"),
        ("nickname", "has space", "letters, digits and underscores"),
        ("product_key", "", "required"),
    ],
)
def test_limits_of_the_platform_are_checked_at_the_field_before_anything_is_sent(
    product, org, sign_in, calls, field, value, message
):
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "At_the_pier", field: value}
    response = sign_in("operator").post(org.url("devices/new/"), form)
    assert response.status_code == 422
    assert message in str(response.context["form"].errors[field])
    assert "RegisterDevice" not in calls


def test_an_existing_name_is_reported_at_the_field_and_the_input_is_kept(lamp, product, org, sign_in):
    form = {"product_key": product, "device_name": "lamp-0001", "nickname": "Another_one"}
    response = sign_in("operator").post(org.url("devices/new/"), form)
    assert response.status_code == 422
    assert "already has a device with this name" in str(response.context["form"].errors["device_name"])
    assert "Another_one" in page_text(response)
    assert detail(org, product).device.nickname == "At_the_pier"


@pytest.mark.parametrize("kind", ["throttle", "malformed", "drop"])
def test_a_platform_error_keeps_the_input(product, org, sign_in, emulator, kind):
    emulator.faults.add(
        "RegisterDevice", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    response = sign_in("operator").post(
        org.url("devices/new/"), {"product_key": product, "device_name": "lamp-0001"}
    )
    assert response.status_code == 422
    assert "fd-cloud-error" in page_text(response)
    assert 'value="lamp-0001"' in page_text(response)


# -- nickname, state ---------------------------------------------------------------------------------------------------


def test_the_nickname_of_a_device_can_be_changed_and_removed(lamp, product, org, sign_in):
    browser = sign_in("operator")
    assert browser.post(f"{lamp}rename/", {"nickname": "码头路灯"}).status_code == 302
    assert detail(org, product).device.nickname == "码头路灯"
    browser.post(f"{lamp}rename/", {"nickname": ""})
    assert detail(org, product).device.nickname == ""
    refused = browser.post(f"{lamp}rename/", {"nickname": "码" * 17})
    assert refused.status_code == 422
    assert refused.context["form"].errors["nickname"]


def test_the_counter_of_a_nickname_counts_as_the_platform_does(lamp, org, sign_in):
    browser = sign_in("operator")
    browser.post(f"{lamp}rename/", {"nickname": "\u7801\u5934\u8def\u706f"})
    counter = re.search(
        r'data-counter="id_nickname"[^>]*>(.*?)</span>', page_text(browser.get(f"{lamp}rename/"))
    )
    assert counter
    assert counter[1].strip() == "8/32"


def test_disabling_and_enabling_a_device_twice_is_harmless(lamp, product, org, sign_in):
    browser = sign_in("operator")
    for page, status in (
        ("disable", "DISABLE"),
        ("disable", "DISABLE"),
        ("enable", "UNACTIVE"),
        ("enable", "UNACTIVE"),
    ):
        assert browser.post(f"{lamp}{page}/").status_code == 302
        assert detail(org, product).device.status == status


def test_deleting_a_device_requires_its_name_and_a_second_time_reports_that_it_does_not_exist(
    lamp, product, org, sign_in
):
    browser = sign_in("operator")
    assert browser.post(f"{lamp}delete/", {"typed": "lamp-000"}).status_code == 422
    assert detail(org, product)
    response = browser.post(f"{lamp}delete/", {"typed": "lamp-0001"}, follow=True)
    assert "lamp-0001 is deleted" in page_text(response)
    with pytest.raises(NotFound):
        detail(org, product)
    repeated = browser.post(f"{lamp}delete/", {"typed": "lamp-0001"}, follow=True)
    assert "no longer exists" in page_text(repeated)


def test_the_page_of_a_deleted_device_leads_to_the_record_of_its_deletion(lamp, product, org, sign_in):
    sign_in("operator").post(f"{lamp}delete/", {"typed": "lamp-0001"})
    record = AuditRecord.objects.get(operation="DeleteDevice")
    link = f'href="/acme/-/audit/{record.pk}/"'
    for page in ("", "tags/", "updates/"):
        response = sign_in("administrator").get(f"{lamp}{page}")
        assert response.status_code == 404
        assert link in response.content.decode()
    assert link not in sign_in("operator").get(lamp).content.decode()
    never = sign_in("administrator").get(lamp.replace("lamp-0001", "lamp-9999"))
    assert "View deletion" not in never.content.decode()


def test_a_rejected_deletion_shows_the_reason(lamp, sign_in, emulator):
    emulator.faults.add(
        "DeleteDevice", kind="error", times=9, status=200, code="iot.device.DeleteDeviceFailed"
    )
    response = sign_in("operator").post(f"{lamp}delete/", {"typed": "lamp-0001"})
    assert response.status_code == 422
    assert "iot.device.DeleteDeviceFailed" in page_text(response)


# -- tags, groups, secret ----------------------------------------------------------------------------------------------


def test_tags_are_added_changed_and_removed(lamp, product, org, sign_in):
    browser = sign_in("operator")

    def tags() -> list[api.Tag]:
        return api.get_device_with_tags(org.gateway(), product, "lamp-0001", fresh=True)[1]

    browser.post(f"{lamp}tags/set/", {"tag_key": "where is it", "tag_value": '码头 "7"'})
    assert tags() == [api.Tag("where is it", '码头 "7"')]
    browser.post(f"{lamp}tags/set/?key=where+is+it", {"tag_value": "Pier 8"})
    assert tags() == [api.Tag("where is it", "Pier 8")]
    browser.post(f"{lamp}tags/remove/?key=where+is+it")
    browser.post(f"{lamp}tags/remove/?key=where+is+it")
    assert tags() == []


def test_a_tag_without_key_or_value_is_reported_at_the_field(lamp, sign_in):
    response = sign_in("operator").post(f"{lamp}tags/set/", {"tag_key": "", "tag_value": ""})
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"tag_key", "tag_value"}


def test_a_device_is_added_to_a_group_by_its_name_and_removed(lamp, product, org, sign_in):
    group = groups_api.create_group(org.gateway(), name="Quay_North")
    browser = sign_in("operator")
    assert "Quay_North" in page_text(browser.get("/acme/sandbox/groups/find/?group_name=quay_n"))
    for _twice in range(2):
        assert browser.post(f"{lamp}groups/add/", {"group_name": "Quay_North"}).status_code == 302
    listed = api.get_device_with_groups(org.gateway(), product, "lamp-0001", fresh=True)[1]
    assert [found.name for found in listed] == ["Quay_North"]
    for _twice in range(2):
        assert browser.post(f"{lamp}groups/remove/?group={group.id}").status_code == 302
    assert api.get_device_with_groups(org.gateway(), product, "lamp-0001", fresh=True)[1] == []


def test_the_question_names_the_group_as_the_platform_does_whatever_the_link_says(lamp, org, sign_in):
    group = groups_api.create_group(org.gateway(), name="Quay_North")
    browser = sign_in("operator")
    browser.post(f"{lamp}groups/add/", {"group_name": "Quay_North"})
    question = page_text(browser.get(f"{lamp}groups/remove/?group={group.id}&group_name=Old_Group"))
    assert "Remove lamp-0001 from Quay_North?" in question


def test_an_unknown_group_is_reported_at_the_field(lamp, org, sign_in):
    groups_api.create_group(org.gateway(), name="Quay_North")
    response = sign_in("operator").post(f"{lamp}groups/add/", {"group_name": "Quay"})
    assert response.status_code == 422
    assert "Quay_North" in str(response.context["form"].errors["group_name"])


def test_the_secret_is_shown_only_on_request_and_audited(lamp, product, sign_in):
    response = sign_in("owner").post(f"{lamp}secret/")
    assert len(response.context["credentials"].secret) == 32
    assert "no-store" in response["Cache-Control"]
    record = AuditRecord.objects.get(operation="QueryDeviceInfo")
    assert (record.target, record.outcome) == (f"{product}/lamp-0001", AuditRecord.Outcome.DONE)
    assert sign_in("operator").post(f"{lamp}secret/").status_code == 403


# -- several -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def devices(register, product) -> list[str]:
    """The keys of the devices."""
    register("lamp-0001", "lamp-0002", "lamp-0003")
    return [f"{product}/lamp-000{n}" for n in (1, 2, 3)]


def statuses(org, product) -> list[str]:
    devices = lists.list_devices(org.gateway(), DeviceFilter(product), fresh=True).devices
    return [device.status for device in reversed(devices)]


def test_selected_devices_are_disabled_after_a_confirmation_and_each_result_is_shown(
    devices, product, org, sign_in
):
    browser = sign_in("operator")
    question = browser.post(org.url("devices/bulk/disable/"), {"selected": devices[:2]})
    assert "Disable 2 devices?" in page_text(question)
    assert set(statuses(org, product)) == {"UNACTIVE"}
    missing = f"{product}/missing"
    result = browser.post(
        org.url("devices/bulk/disable/"), {"selected": [*devices[:2], missing], "confirmed": "1"}
    )
    assert "2 succeeded, 1 failed" in page_text(result)
    assert statuses(org, product) == ["DISABLE", "DISABLE", "UNACTIVE"]
    browser.post(org.url("devices/bulk/enable/"), {"selected": devices, "confirmed": "1"})
    assert set(statuses(org, product)) == {"UNACTIVE"}


def test_several_devices_are_deleted_only_when_what_happens_is_typed(devices, product, org, sign_in):
    browser = sign_in("operator")
    form = {"selected": devices, "confirmed": "1"}
    assert browser.post(org.url("devices/bulk/delete/"), {**form, "typed": "3"}).status_code == 422
    assert len(statuses(org, product)) == 3
    form["typed"] = "delete 3 devices"
    result = browser.post(org.url("devices/bulk/delete/"), form)
    assert "3 succeeded" in page_text(result)
    assert statuses(org, product) == []
    repeated = browser.post(org.url("devices/bulk/delete/"), form)
    assert "0 succeeded, 3 failed" in page_text(repeated)


def test_one_device_is_deleted_only_when_its_name_is_typed(devices, org, sign_in):
    form = {"selected": devices[:1], "confirmed": "1"}
    browser = sign_in("operator")
    assert (
        browser.post(org.url("devices/bulk/delete/"), {**form, "typed": "delete 1 device"}).status_code == 422
    )
    done = browser.post(org.url("devices/bulk/delete/"), {**form, "typed": devices[0].partition("/")[2]})
    assert "1 succeeded" in page_text(done)


def test_an_action_that_cannot_start_says_so_in_an_error_note(product, org, sign_in):
    response = sign_in("operator").post(org.url("devices/bulk/disable/"), {"selected": []})
    assert response.status_code == 422
    assert response.context["title"] == "“Disable” was not started"
    assert 'role="alert"' in response.content.decode()


def test_all_matching_means_the_devices_of_the_filter(devices, product, org, sign_in):
    data = {"all_matching": "1", "query": f"product={product}"}
    browser = sign_in("operator")
    keys = browser.post(org.url("devices/bulk/disable/"), data).context["keys"]
    assert sorted(keys) == devices
    browser.post(org.url("devices/bulk/disable/"), {"selected": keys, "confirmed": "1"})
    assert set(statuses(org, product)) == {"DISABLE"}


@pytest.mark.parametrize("keys", [[], ["nonsense"], ["/"], ["a/"]])
def test_an_empty_or_invalid_selection_is_refused(product, org, sign_in, calls, keys):
    response = sign_in("operator").post(org.url("devices/bulk/delete/"), {"selected": keys, "confirmed": "1"})
    assert response.status_code == 422
    assert calls == []


def test_an_unknown_action_is_404(product, org, sign_in):
    assert sign_in("operator").post(org.url("devices/bulk/explode/"), {}).status_code == 404


def test_one_failed_call_does_not_stop_the_others(devices, product, org, sign_in, emulator):
    emulator.faults.add("DisableThing", kind="malformed", times=1)
    sign_in("operator").post(org.url("devices/bulk/disable/"), {"selected": devices, "confirmed": "1"})
    assert statuses(org, product).count("DISABLE") == 2


def test_each_of_several_devices_has_its_own_audit_record_and_calls_run_in_parallel(
    devices, product, org, sign_in, monkeypatch
):
    together = threading.Barrier(3, timeout=20)
    send = Sender.send

    def meeting(self, described, params):
        if described.name == "DisableThing":
            together.wait()  # fails the test unless three calls are made at the same time
        return send(self, described, params)

    monkeypatch.setattr(Sender, "send", meeting)
    sign_in("operator").post(org.url("devices/bulk/disable/"), {"selected": devices, "confirmed": "1"})
    records = AuditRecord.objects.filter(operation="DisableThing")
    assert sorted(record.target for record in records) == devices
    assert {record.outcome for record in records} == {AuditRecord.Outcome.DONE}


def test_an_invalid_device_is_not_sent_and_does_not_stop_the_others(devices, product, org, calls):
    errors = api.apply_action(org.gateway(), "disable", [(product, ""), (product, "lamp-0002")])
    assert [error is None for error in errors] == [False, True]
    assert calls.count("DisableThing") == 1
