"""Devices of a group: adding by name, removal."""

from __future__ import annotations

import pytest

from console.areas.groups import api
from console.jobs.models import Item, Job
from tests.responses import page_text


def list_member_names(org, group):
    return {device.name for device in api.list_devices(org.gateway(), group).devices}


def add_devices(browser, org, group, product, names="", selected=()):
    return browser.post(
        org.url(f"groups/{group}/devices/add/"),
        {"product": product, "pasted": names, "device": list(selected)},
    )


def test_groups_are_found_by_a_part_of_the_name_in_one_call(tree, org, sign_in, calls):
    browser = sign_in("viewer")
    page = browser.get(org.url("groups/find/"), {"group_name": "harbor"})
    assert 'data-match="Site_Harbor"' in page.content.decode()
    assert len(calls) == 1
    assert "Region_North" in browser.get(org.url("groups/find/")).content.decode()
    assert (
        "No group name contains"
        in browser.get(org.url("groups/find/"), {"group_name": "x9"}).content.decode()
    )


def test_selected_and_pasted_devices_are_each_added_once(tree, product, org, sign_in):
    response = add_devices(
        sign_in("operator"), org, tree["leaf"], product, "lamp-2, lamp-3\nlamp-3", ["lamp-1", "lamp-2"]
    )
    assert response.status_code == 200
    assert list_member_names(org, tree["leaf"]) == {"lamp-1", "lamp-2", "lamp-3"}
    assert response.context["result"].outcomes == (
        ("lamp-1", "added"),
        ("lamp-2", "added"),
        ("lamp-3", "added"),
    )


def test_unknown_names_are_reported_and_the_other_devices_added(tree, product, org, sign_in):
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-77")
    assert dict(response.context["result"].outcomes) == {"lamp-1": "added", "lamp-77": "unknown"}
    assert list_member_names(org, tree["leaf"]) == {"lamp-1"}


def test_adding_twice_reports_the_devices_as_already_in_the_group(tree, product, org, sign_in):
    for expected in ("added", "already"):
        response = add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-2")
        assert set(dict(response.context["result"].outcomes).values()) == {expected}


def test_a_device_in_ten_groups_is_reported(tree, product, org, sign_in):
    gateway = org.gateway()
    for number in range(10):
        group = api.create_group(gateway, name=f"Group_{number}")
        api.add_devices(gateway, group.id, product, ["lamp-1"])
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    assert dict(response.context["result"].outcomes) == {"lamp-1": "full"}


def test_ambiguous_counts_are_explained_on_the_page(tree, product, org, sign_in):
    add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-2")
    assert response.context["result"].is_ambiguous
    assert "not their names" in response.content.decode()


def test_two_hundred_names_take_at_most_four_calls(tree, product, org, sign_in, calls):
    calls.clear()
    names = [f"lamp-{number}" for number in range(1, 201)]
    assert add_devices(sign_in("operator"), org, tree["leaf"], product, "\n".join(names)).status_code == 200
    assert len(calls) <= 4


def test_more_names_than_one_call_takes_are_added_by_a_job(
    tree, product, org, sign_in, run_job, no_wake_messages
):
    for number in range(6, 231):
        org.gateway().call("RegisterDevice", ProductKey=product, DeviceName=f"lamp-{number}")
    names = [*(f"lamp-{number}" for number in range(1, 231)), "lamp-777"]
    browser = sign_in("operator")
    response = add_devices(browser, org, tree["leaf"], product, "DeviceName\n" + "\n".join(names))
    job = Job.objects.get()
    assert response.url == org.url(f"jobs/{job.pk}/")
    group_page = org.url(f"groups/{tree['leaf']}/devices/")
    group_link = f'<a href="{group_page}">Hall_1</a>'
    review = browser.get(response.url).content.decode()
    assert "Add 231 devices to the group?" in review
    assert group_link in review
    assert list_member_names(org, tree["leaf"]) == set()
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    job = run_job(job)
    assert (job.succeeded, job.failed) == (230, 1)
    assert group_link in browser.get(response.url).content.decode()
    assert Item.objects.get(key=f"{product}/lamp-777").outcome == "failed"
    assert api.get_group(org.gateway(), tree["leaf"], fresh=True).devices == 230


def test_a_job_says_which_devices_are_in_ten_groups_already(
    tree, product, org, sign_in, run_job, no_wake_messages, monkeypatch
):
    gateway = org.gateway()
    for number in range(10):
        group = api.create_group(gateway, name=f"Group_{number}")
        api.add_devices(gateway, group.id, product, ["lamp-1"])
    monkeypatch.setattr(api, "MAX_DEVICES_PER_CALL", 2)
    browser = sign_in("operator")
    add_devices(browser, org, tree["leaf"], product, "lamp-1 lamp-2 lamp-3")
    job = Job.objects.get()
    browser.post(org.url(f"bulk/{job.pk}/start/"))
    job = run_job(job)
    assert (job.succeeded, job.failed) == (2, 1)
    page = page_text(browser.get(org.url(f"jobs/{job.pk}/")))
    assert "The device is already in the maximum number of groups." in page
    assert list_member_names(org, tree["leaf"]) == {"lamp-2", "lamp-3"}


def test_too_many_names_are_refused_with_their_number_and_the_product_is_kept(
    tree, product, org, sign_in, calls
):
    names = "\n".join(f"lamp-{number:05}" for number in range(20_000))
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, names)
    assert response.status_code == 422
    assert "You entered 20,000 names. The limit is 10,000." in response.context["form"].errors["pasted"]
    assert 'hx-trigger="change, load"' in response.content.decode(), (
        "the devices of the chosen product are shown again"
    )


def test_the_button_to_add_by_name_is_not_an_action_on_the_devices_of_the_group(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add_devices(browser, org, leaf, product, "lamp-1")
    page = browser.get(org.url(f"groups/{leaf}/devices/")).content.decode()
    assert "bulk/remove/" in page
    assert "bulk/add/" not in page


@pytest.mark.parametrize("names", ["", "a b", "with/slash", "x" * 33])
def test_invalid_names_are_reported_before_anything_is_sent(names, tree, product, org, sign_in, calls):
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, names)
    assert response.status_code == 422
    assert response.context["form"].errors["pasted"]
    assert "BatchAddDeviceGroupRelations" not in calls


def test_a_cloud_error_keeps_names_and_product(tree, product, emulator, org, sign_in):
    emulator.faults.add("BatchAddDeviceGroupRelations", kind="error", times=99)
    response = add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1", ["lamp-2"])
    text = response.content.decode()
    assert response.status_code == 422
    assert "lamp-1" in text
    assert 'value="lamp-2" checked' in text
    assert f'value="{product}" selected' in text


def test_selected_devices_are_removed_after_a_question(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add_devices(browser, org, leaf, product, "lamp-1 lamp-2 lamp-3")
    keys = [f"{product}/lamp-1", f"{product}/lamp-2"]
    question = browser.post(org.url(f"groups/{leaf}/devices/bulk/remove/"), {"selected": keys})
    assert "Remove 2 devices from the group?" in question.content.decode()
    assert len(list_member_names(org, leaf)) == 3
    result = browser.post(
        org.url(f"groups/{leaf}/devices/bulk/remove/"), {"selected": keys, "confirmed": "1"}
    )
    assert (result.context["succeeded"], result.context["failed"]) == (2, 0)
    assert list_member_names(org, leaf) == {"lamp-3"}


def test_removing_devices_twice_is_not_an_error(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add_devices(browser, org, leaf, product, "lamp-1")
    for _ in range(2):
        data = {"selected": [f"{product}/lamp-1"], "confirmed": "1"}
        assert browser.post(org.url(f"groups/{leaf}/devices/bulk/remove/"), data).context["failed"] == 0
    assert list_member_names(org, leaf) == set()


def test_all_matching_means_all_devices_that_the_group_has_when_the_user_asks(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add_devices(browser, org, leaf, product, "lamp-1 lamp-2 lamp-3")
    response = browser.post(
        org.url(f"groups/{leaf}/devices/bulk/remove/"), {"selected": [], "all_matching": "1"}
    )
    assert sorted(response.context["keys"]) == [f"{product}/lamp-{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("role", ["viewer", "release-engineer"])
def test_a_role_that_may_only_read_groups_cannot_add_or_remove_devices(role, tree, product, org, sign_in):
    add_devices(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    assert add_devices(sign_in(role), org, tree["leaf"], product, "lamp-2").status_code == 403
    data = {"selected": [f"{product}/lamp-1"], "confirmed": "1"}
    assert sign_in(role).post(org.url(f"groups/{tree['leaf']}/devices/bulk/remove/"), data).status_code == 403
    assert list_member_names(org, tree["leaf"]) == {"lamp-1"}
