"""Devices of a group: adding them by name, finding them to tick, taking them out."""

from __future__ import annotations

import pytest

from console.groups import api


def members(org, group):
    return {device.name for device in api.list_devices(org.gateway(), group).devices}


def add(browser, org, group, product, names="", picked=()):
    return browser.post(
        org.url(f"groups/{group}/devices/add/"),
        {"product": product, "pasted": names, "picked": list(picked)},
    )


def test_devices_ticked_and_pasted_are_added_each_once(tree, product, org, sign_in):
    answer = add(
        sign_in("operator"), org, tree["leaf"], product, "lamp-2, lamp-3\nlamp-3", ["lamp-1", "lamp-2"]
    )
    assert answer.status_code == 200
    assert members(org, tree["leaf"]) == {"lamp-1", "lamp-2", "lamp-3"}
    assert answer.context["result"].outcomes == (
        ("lamp-1", "added"),
        ("lamp-2", "added"),
        ("lamp-3", "added"),
    )


def test_names_that_the_product_has_not_are_told_and_the_others_added(tree, product, org, sign_in):
    answer = add(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-77")
    assert dict(answer.context["result"].outcomes) == {"lamp-1": "added", "lamp-77": "unknown"}
    assert members(org, tree["leaf"]) == {"lamp-1"}


def test_adding_twice_says_that_they_are_there_already(tree, product, org, sign_in):
    for expected in ("added", "already"):
        answer = add(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-2")
        assert set(dict(answer.context["result"].outcomes).values()) == {expected}


def test_a_device_in_ten_groups_is_told(tree, product, org, sign_in):
    gateway = org.gateway()
    for number in range(10):
        group = api.create_group(gateway, name=f"Group_{number}")
        api.add_devices(gateway, group.id, product, ["lamp-1"])
    answer = add(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    assert dict(answer.context["result"].outcomes) == {"lamp-1": "full"}


def test_where_the_counts_do_not_tell_which_was_which_the_page_says_so(tree, product, org, sign_in):
    add(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    answer = add(sign_in("operator"), org, tree["leaf"], product, "lamp-1 lamp-2")
    assert answer.context["result"].mixed
    assert "but not which" in answer.content.decode()


def test_two_hundred_names_go_in_at_most_four_calls_and_one_more_is_refused(
    tree, product, org, sign_in, calls
):
    calls.clear()
    names = [f"lamp-{number}" for number in range(1, 201)]
    assert add(sign_in("operator"), org, tree["leaf"], product, "\n".join(names)).status_code == 200
    assert len(calls) <= 4
    answer = add(sign_in("operator"), org, tree["leaf"], product, "\n".join([*names, "lamp-201"]))
    assert answer.status_code == 422
    assert "201" in answer.context["form"].errors["pasted"][0]


@pytest.mark.parametrize("names", ["", "a b", "with/slash", "x" * 33])
def test_names_that_no_device_can_have_are_told_before_sending(names, tree, product, org, sign_in, calls):
    answer = add(sign_in("operator"), org, tree["leaf"], product, names)
    assert answer.status_code == 422
    assert answer.context["form"].errors["pasted"]
    assert "BatchAddDeviceGroupRelations" not in calls


def test_a_failure_of_the_cloud_keeps_names_and_product(tree, product, emulator, org, sign_in):
    emulator.faults.add("BatchAddDeviceGroupRelations", kind="error", times=99)
    answer = add(sign_in("operator"), org, tree["leaf"], product, "lamp-1", ["lamp-2"])
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "lamp-1" in text
    assert 'value="lamp-2" checked' in text
    assert f'value="{product}" selected' in text


def test_the_search_offers_devices_and_keeps_those_ticked(tree, product, org, sign_in):
    asked = {
        "product": product,
        "q": "lamp-4",
        "picked": ["lamp-1", *(f"lamp-{n:027}" for n in range(100, 290))],
    }
    answer = sign_in("operator").post(org.url(f"groups/{tree['leaf']}/devices/find/"), asked)
    text = answer.content.decode()
    assert 'value="lamp-1" checked' in text
    assert 'value="lamp-4"' in text
    assert "lamp-5" not in text


def test_a_search_for_what_no_device_can_be_called_says_so(tree, product, org, sign_in):
    asked = {"product": product, "q": '"x'}
    answer = sign_in("operator").post(org.url(f"groups/{tree['leaf']}/devices/find/"), asked)
    assert answer.status_code == 200


def test_ticked_devices_are_taken_out_after_asking(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add(browser, org, leaf, product, "lamp-1 lamp-2 lamp-3")
    ticked = [f"{product}/lamp-1", f"{product}/lamp-2"]
    asked = browser.post(org.url(f"groups/{leaf}/devices/remove/"), {"selected": ticked})
    assert "Take 2 devices out" in asked.content.decode()
    assert len(members(org, leaf)) == 3
    done = browser.post(org.url(f"groups/{leaf}/devices/remove/"), {"selected": ticked, "confirmed": "1"})
    assert done.status_code == 302
    assert members(org, leaf) == {"lamp-3"}


def test_taking_out_twice_is_no_error(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add(browser, org, leaf, product, "lamp-1")
    for _ in range(2):
        sent = {"selected": [f"{product}/lamp-1"], "confirmed": "1"}
        assert browser.post(org.url(f"groups/{leaf}/devices/remove/"), sent).status_code == 302
    assert members(org, leaf) == set()


def test_all_matching_means_the_whole_group_up_to_what_one_call_takes(tree, product, org, sign_in):
    browser, leaf = sign_in("operator"), tree["leaf"]
    add(browser, org, leaf, product, "lamp-1 lamp-2 lamp-3")
    answer = browser.post(org.url(f"groups/{leaf}/devices/remove/"), {"selected": [], "all_matching": "1"})
    assert sorted(answer.context["keys"]) == [f"{product}/lamp-{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("role", ["viewer", "release-engineer"])
def test_who_may_only_read_groups_changes_no_membership(role, tree, product, org, sign_in):
    add(sign_in("operator"), org, tree["leaf"], product, "lamp-1")
    assert add(sign_in(role), org, tree["leaf"], product, "lamp-2").status_code == 403
    sent = {"selected": [f"{product}/lamp-1"], "confirmed": "1"}
    assert sign_in(role).post(org.url(f"groups/{tree['leaf']}/devices/remove/"), sent).status_code == 403
    assert members(org, tree["leaf"]) == {"lamp-1"}
