"""The device counts of groups with those of their subgroups, and the status of the devices of a group."""

from __future__ import annotations

import re

import pytest

from console.accounts.models import CustomRole, Membership
from console.accounts.scope import AccessScope
from console.areas.groups import api
from console.areas.groups import counts as tree_counts
from console.pages.tags import Tag


@pytest.fixture
def members(tree, product, org, emulator):
    """Puts two devices into the middle group, three into the leaf, none into the top. Returns the tree."""
    gateway = org.gateway()
    api.add_devices(gateway, tree["middle"], product, ["lamp-1", "lamp-2"])
    api.add_devices(gateway, tree["leaf"], product, ["lamp-3", "lamp-4", "lamp-5"])
    return tree


def read_totals(browser, org, group_id: str) -> str:
    """Return the text of what the overview of a group fetches after it has opened."""
    page = browser.get(org.url(f"groups/{group_id}/"))
    address = re.search(r'hx-get="([^"]+/totals/[^"]*)"', page.content.decode())
    assert address
    return page_text(browser.get(address[1]))


def page_text(response) -> str:
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def limit(org, role: str, **parts) -> None:
    """Limit the access scope of the member with this role."""
    stored = AccessScope(**{name: frozenset(values) for name, values in parts.items()}).to_json()
    Membership.objects.filter(team=org.team, user=org.members[role]).update(access_scope=stored)


def test_the_overview_counts_the_devices_of_all_groups_below(members, org, sign_in):
    text = read_totals(sign_in("viewer"), org, members["top"])
    assert "Devices 5 0 direct, 5 in subgroups" in text
    assert "is counted in each of them" in text
    text = read_totals(sign_in("viewer"), org, members["middle"])
    assert "Devices 5 2 direct, 3 in subgroups" in text


@pytest.mark.parametrize("level", ["top", "middle", "leaf"])
def test_the_overview_of_a_group_opens_in_four_calls_and_then_fetches_counts_and_tags(
    level, members, org, sign_in, calls
):
    browser = sign_in("viewer")
    calls.clear()
    text = page_text(browser.get(org.url(f"groups/{members[level]}/")))
    assert len(calls) <= 4, calls
    assert ("Counting subgroups…" in text) == (level != "leaf")
    api.set_tag(org.gateway(), members[level], Tag("floor", "second"))
    assert "second" in read_totals(browser, org, members[level])


def test_the_devices_of_each_subgroup_are_filled_into_its_row(members, org, sign_in):
    browser = sign_in("viewer")
    element = f'id="count-{members["middle"]}"'
    assert element in browser.get(org.url(f"groups/{members['top']}/")).content.decode()
    html = browser.get(org.url(f"groups/{members['top']}/totals/?level=1")).content.decode()
    assert f'{element} hx-swap-oob="true">5<' in html


def test_a_group_without_subgroups_shows_one_number(members, org, sign_in):
    text = page_text(sign_in("viewer").get(org.url(f"groups/{members['leaf']}/")))
    assert "Devices 3 Online" in text
    assert "direct" not in text


def test_a_tree_with_too_many_groups_shows_the_direct_count_and_says_so(members, org, sign_in, monkeypatch):
    monkeypatch.setattr(tree_counts, "MAX_COUNTED_ON_PAGE", 1)
    text = read_totals(sign_in("viewer"), org, members["top"])
    assert "Devices 0 Without subgroups" in text
    assert "more than 1 groups below" in text


def test_a_subgroup_that_cannot_be_read_makes_the_count_direct(members, org, sign_in, emulator):
    gateway = org.gateway()
    emulator.faults.add("QueryDeviceGroupInfo", kind="malformed", times=9)
    counts = tree_counts.count_trees(gateway, [members["middle"]], level=2)
    assert counts[members["middle"]].direct is None
    assert page_text(sign_in("viewer").get(org.url(f"groups/{members['middle']}/children/?level=3")))


def test_each_counted_group_takes_two_calls_and_no_more_groups_than_allowed_are_counted(tree, org, calls):
    gateway = org.gateway()
    ids = [api.create_group(gateway, name=f"Site_{number}", parent=tree["top"]).id for number in range(6)]
    calls.clear()
    counts = tree_counts.count_trees(org.gateway(), [tree["top"]], level=1, most=9)
    assert counts[tree["top"]].below is not None
    assert (calls.count("QueryDeviceGroupInfo"), calls.count("QueryDeviceGroupList")) == (9, 8)
    calls.clear()
    counts = tree_counts.count_trees(org.gateway(), ids, level=2, most=4)
    assert list(counts) == ids[:4]
    assert calls.count("QueryDeviceGroupInfo") <= 4
    calls.clear()
    counts = tree_counts.count_trees(org.gateway(), [tree["top"]], level=1, most=5)
    assert counts[tree["top"]].below is None
    assert calls.count("QueryDeviceGroupInfo") <= 5


def test_an_opened_branch_comes_with_its_counts(members, org, sign_in):
    text = page_text(sign_in("viewer").get(org.url(f"groups/{members['top']}/children/?level=2")))
    assert "Site_Harbor 5 devices" in text


def test_the_counts_of_the_tree_come_in_one_response_after_the_page(members, org, sign_in, calls):
    browser = sign_in("viewer")
    calls.clear()
    page = browser.get(org.url("groups/")).content.decode()
    assert calls == ["QueryDeviceGroupList"]
    address = re.search(r'hx-get="([^"]+/counts/[^"]*)"', page)
    assert address
    counts = browser.get(address[1].replace("&amp;", "&")).content.decode()
    element = f'id="count-{members["top"]}"'
    assert element in page
    assert f'{element} hx-swap-oob="true">5 devices<' in counts


def test_a_limited_member_counts_only_groups_in_the_access_scope_without_reads_of_their_parents(
    members, org, sign_in, calls
):
    api.create_group(org.gateway(), name="Region_Secret")
    limit(org, "viewer", groups=[members["top"]])
    browser = sign_in("viewer")
    calls.clear()
    text = page_text(browser.get(org.url("groups/counts/")))
    assert text == "5 devices"
    assert "QuerySuperDeviceGroup" not in calls
    limit(org, "viewer", groups=[members["leaf"]])
    assert page_text(sign_in("viewer").get(org.url("groups/counts/"))) == "3 devices"
    assert sign_in("viewer").get(org.url(f"groups/{members['top']}/")).status_code in (403, 404)


# -- the status of devices -----------------------------------------------------------------------------------------------


def test_the_devices_of_a_group_have_a_status_from_one_more_call(members, org, sign_in, calls):
    browser = sign_in("viewer")
    calls.clear()
    text = page_text(browser.get(org.url(f"groups/{members['leaf']}/devices/")))
    assert text.count("Not activated") == 3
    assert calls.count("BatchGetDeviceState") == 1


def test_devices_are_listed_without_a_status_if_it_cannot_be_read(members, org, sign_in, emulator):
    emulator.faults.add("BatchGetDeviceState", kind="malformed", times=9)
    text = page_text(sign_in("viewer").get(org.url(f"groups/{members['leaf']}/devices/")))
    assert "lamp-3" in text
    assert "Not activated" not in text


def test_a_role_that_may_not_read_devices_sees_no_status(members, org, sign_in, calls):
    levels = {"groups": 1}
    CustomRole.objects.create(team=org.team, slug="groups-only", name="Groups only", levels=levels)
    Membership.objects.filter(team=org.team, user=org.members["viewer"]).update(role_slug="groups-only")
    browser = sign_in("viewer")
    calls.clear()
    text = page_text(browser.get(org.url(f"groups/{members['leaf']}/devices/")))
    assert "lamp-3" in text
    assert "BatchGetDeviceState" not in calls


def test_a_limited_member_sees_the_status_without_a_read_for_each_device(members, org, sign_in, calls):
    limit(org, "viewer", groups=[members["top"]])
    browser = sign_in("viewer")
    calls.clear()
    text = page_text(browser.get(org.url(f"groups/{members['leaf']}/devices/")))
    assert text.count("Not activated") == 3
    assert calls.count("BatchGetDeviceState") == 1
    assert not {"QueryDeviceInfo", "QueryDeviceGroupByDevice"} & set(calls)
