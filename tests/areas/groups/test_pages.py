"""Every page of groups: content, number of calls, access."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from console.accounts.scope import AccessScope

PAGES = [
    "",
    "{top}/",
    "{top}/devices/",
    "{top}/tags/",
    "{leaf}/",
    "{leaf}/devices/",
    "{leaf}/tags/",
    "{top}/children/",
]
FORMS = [
    "new/", "{top}/new/", "{leaf}/edit/", "{leaf}/delete/", "{leaf}/devices/add/", "{leaf}/tags/set/",
    "{leaf}/tags/remove/?key=site",
]  # fmt: skip


# Pages with the counts of subgroups (test_counts.py), and those with tags or the status of devices besides the group.
MOST_CALLS = {"{top}/": 8, "{leaf}/": 5, "{top}/devices/": 5, "{leaf}/devices/": 5}


def test_no_page_takes_more_calls_than_needed(tree, org, sign_in, calls):
    browser = sign_in("owner")
    for page in PAGES + FORMS:
        calls.clear()
        cache.clear()
        response = browser.get(org.url(f"groups/{page.format(**tree)}"))
        assert response.status_code == 200, page
        assert len(calls) <= MOST_CALLS.get(page, 4), (page, calls)


def test_a_viewer_reads_everything_and_is_offered_no_change(tree, org, sign_in):
    browser = sign_in("viewer")
    for page in PAGES:
        response = browser.get(org.url(f"groups/{page.format(**tree)}"))
        assert response.status_code == 200, page
        for address in (
            "/groups/new/",
            "/edit/",
            "/delete/",
            "/devices/add/",
            "/tags/set/",
            "/devices/bulk/remove/",
        ):
            assert address not in response.content.decode(), (page, address)


def test_a_viewer_gets_no_form_and_cannot_submit_one(tree, org, sign_in, calls):
    browser = sign_in("viewer")
    before = len(calls)
    for page in FORMS:
        assert browser.get(org.url(f"groups/{page.format(**tree)}")).status_code == 403, page
    for page in (
        "new/",
        "{leaf}/edit/",
        "{leaf}/delete/",
        "{leaf}/devices/add/",
        "{leaf}/devices/bulk/remove/",
        "{leaf}/tags/set/",
    ):
        assert (
            browser.post(org.url(f"groups/{page.format(**tree)}"), {"typed": "Hall_1"}).status_code == 403
        ), page
    assert len(calls) == before


def test_another_team_gets_404_everywhere(tree, org, sign_in):
    browser = sign_in("outsider")
    for page in PAGES + FORMS:
        for method in (browser.get, browser.post):
            assert method(org.url(f"groups/{page.format(**tree)}")).status_code == 404, page


def test_the_list_shows_only_top_level_groups(tree, org, sign_in):
    text = sign_in("viewer").get(org.url("groups/")).content.decode()
    assert "Region_North" in text
    assert "Site_Harbor" not in text


def test_an_opened_node_loads_its_subgroups(tree, org, sign_in):
    text = sign_in("viewer").get(org.url(f"groups/{tree['top']}/children/?level=2")).content.decode()
    assert "Site_Harbor" in text
    assert "<details" in text
    deepest = sign_in("viewer").get(org.url(f"groups/{tree['middle']}/children/?level=3")).content.decode()
    assert "Hall_1" in deepest
    assert "<details" not in deepest


def test_a_node_without_subgroups_says_so(tree, org, sign_in):
    text = sign_in("viewer").get(org.url(f"groups/{tree['leaf']}/children/?level=3")).content.decode()
    assert "No subgroups" in text


def test_a_search_finds_groups_on_every_level_by_part_of_the_name(tree, org, sign_in):
    text = sign_in("viewer").get(org.url("groups/?q=harb")).content.decode()
    assert "Site_Harbor" in text
    assert "Region_North" not in text


def test_an_empty_list_explains_groups_and_offers_to_create_one(emulator, org, sign_in):
    text = sign_in("operator").get(org.url("groups/")).content.decode()
    assert "No groups yet" in text
    assert "/groups/new/" in text


def test_a_group_shows_its_parent_groups(tree, org, sign_in):
    text = sign_in("viewer").get(org.url(f"groups/{tree['leaf']}/")).content.decode()
    assert text.index("Region_North") < text.index("Site_Harbor") < text.index("<h1")


def test_a_group_of_the_third_level_offers_no_subgroup(tree, org, sign_in):
    assert "Create subgroup" in sign_in("owner").get(org.url(f"groups/{tree['middle']}/")).content.decode()
    assert "Create subgroup" not in sign_in("owner").get(org.url(f"groups/{tree['leaf']}/")).content.decode()


def test_a_group_that_does_not_exist_is_404(tree, org, sign_in):
    assert sign_in("owner").get(org.url("groups/NoSuchGroup/")).status_code == 404


@pytest.mark.parametrize("kind", ["throttle", "error", "drop", "malformed"])
def test_a_cloud_error_is_a_page_with_an_explanation(kind, tree, emulator, org, sign_in):
    browser = sign_in("viewer")
    for page in ("", "{top}/", "{top}/devices/", "{top}/tags/"):
        cache.clear()
        operation = "QueryDeviceGroupInfo" if page else "QueryDeviceGroupList"
        emulator.faults.add(operation, kind=kind, times=99, delay=0)
        response = browser.get(org.url(f"groups/{page.format(**tree)}"))
        assert response.status_code in (502, 503), page
        assert operation in response.content.decode()
        emulator.faults.clear()


def test_a_member_limited_to_products_does_not_see_that_no_groups_exist(tree, org, sign_in):
    kept = AccessScope(products=frozenset(["a1Some"])).to_json()
    org.team.memberships.filter(user=org.members["viewer"]).update(access_scope=kept)
    page = sign_in("viewer").get(org.url("groups/")).content.decode()
    assert "No groups in your access scope" in page
    assert "No groups yet" not in page
