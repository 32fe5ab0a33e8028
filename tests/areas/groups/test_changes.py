"""Creation, editing and deletion of groups, and their tags."""

from __future__ import annotations

import threading

import pytest
import redis
from django.db import connections

from console.areas.groups import api
from console.audit.models import AuditRecord
from console.connections import locks
from console.connections.locks import hold_lock
from iot_client.errors import NotFound


def list_group_names(org, parent=""):
    return {group.name for group in api.list_groups(org.gateway(), parent=parent).groups}


def test_a_group_is_created_at_the_top_level_and_in_another_group(tree, org, sign_in):
    browser = sign_in("operator")
    response = browser.post(org.url("groups/new/"), {"name": "Region_South", "description": "南"})
    assert response.status_code == 302
    assert "Region_South" in list_group_names(org)
    browser.post(org.url(f"groups/{tree['middle']}/new/"), {"name": "Hall_2", "description": ""})
    assert "Hall_2" in list_group_names(org, tree["middle"])


@pytest.mark.parametrize("name", ["abc", "a" * 31, "with space", "hy-phen", "slash/", ""])
def test_an_invalid_name_is_reported_at_the_field_before_anything_is_sent(
    name, emulator, org, sign_in, calls
):
    response = sign_in("operator").post(org.url("groups/new/"), {"name": name, "description": "kept"})
    assert response.status_code == 422
    assert response.context["form"].errors["name"]
    assert "kept" in response.content.decode()
    assert "CreateDeviceGroup" not in calls


def test_a_name_in_use_is_reported_at_the_name_field(tree, org, sign_in):
    response = sign_in("operator").post(
        org.url("groups/new/"), {"name": "Region_North", "description": "kept"}
    )
    assert response.status_code == 422
    assert "already exists" in response.context["form"].errors["name"][0]
    assert "kept" in response.content.decode()


def test_a_fourth_level_is_refused_with_an_explanation(tree, org, sign_in):
    response = sign_in("operator").post(org.url(f"groups/{tree['leaf']}/new/"), {"name": "Shelf_1"})
    assert response.status_code == 422
    assert "up to three levels" in response.content.decode()
    assert list_group_names(org, tree["leaf"]) == set()


def test_a_description_is_changed(tree, org, sign_in):
    response = sign_in("operator").post(org.url(f"groups/{tree['leaf']}/edit/"), {"description": "第一"})
    assert response.status_code == 302
    assert api.get_group(org.gateway(), tree["leaf"]).description == "第一"


def test_an_empty_description_is_refused_at_the_field(tree, org, sign_in):
    response = sign_in("operator").post(org.url(f"groups/{tree['top']}/edit/"), {"description": ""})
    assert response.context["form"].errors["description"]
    assert api.get_group(org.gateway(), tree["top"]).description == "All sites of the north"


def test_deletion_asks_for_the_name(tree, org, sign_in):
    url = org.url(f"groups/{tree['leaf']}/delete/")
    assert sign_in("operator").post(url, {"typed": "Hall"}).status_code == 422
    assert api.get_group(org.gateway(), tree["leaf"]).name == "Hall_1"
    response = sign_in("operator").post(url, {"typed": "Hall_1"})
    assert response.status_code == 302
    assert response["Location"].endswith(f"/groups/{tree['middle']}/")
    with pytest.raises(NotFound):
        api.get_group(org.gateway(), tree["leaf"])


def test_a_second_deletion_says_that_the_group_no_longer_exists(tree, org, sign_in):
    browser = sign_in("operator")
    url = org.url(f"groups/{tree['leaf']}/delete/")
    browser.post(url, {"typed": "Hall_1"})
    again = browser.post(url, {"typed": "Hall_1"}, follow=True)
    assert (again.status_code, again.redirect_chain[0][0]) == (200, org.url("groups/"))
    assert "The group no longer exists." in again.content.decode()


def test_a_group_with_subgroups_is_not_deleted_and_the_reason_is_shown(tree, org, sign_in):
    response = sign_in("operator").post(org.url(f"groups/{tree['top']}/delete/"), {"typed": "Region_North"})
    assert response.status_code == 422
    assert "iot.group.SubGroupNotNull" in response.content.decode()
    assert "Region_North" in list_group_names(org)


def test_the_audit_trail_records_a_change_with_the_name_of_the_group(tree, org, sign_in):
    sign_in("operator").post(org.url(f"groups/{tree['leaf']}/delete/"), {"typed": "Hall_1"})
    record = AuditRecord.objects.get(operation="DeleteDeviceGroup")
    assert (record.target, record.actor_label, record.outcome) == ("Hall_1", "operator@acme.test", "done")


def test_the_page_of_a_group_leads_to_the_records_of_all_its_changes(tree, product, org, sign_in):
    top, browser = tree["top"], sign_in("owner")
    browser.post(org.url(f"groups/{top}/edit/"), {"description": "All sites"})
    browser.post(org.url(f"groups/{top}/tags/set/"), {"tag_key": "site", "tag_value": "harbour"})
    api.add_devices(org.gateway(), top, product, ["lamp-1"])
    (link,) = (
        item.url for item in browser.get(org.url(f"groups/{top}/")).context["menu"] if "/audit/" in item.url
    )
    entries = browser.get(link).context["table"].rows
    assert {entry.record.operation for entry in entries} == {api.UPDATE, api.TAG, api.ADD}


@pytest.mark.parametrize("kind", ["error", "drop", "malformed"])
def test_a_cloud_error_keeps_the_input(kind, tree, emulator, org, sign_in):
    emulator.faults.add("CreateDeviceGroup", kind=kind, times=99)
    response = sign_in("operator").post(
        org.url("groups/new/"), {"name": "Region_East", "description": "typed"}
    )
    assert response.status_code == 422
    text = response.content.decode()
    assert "Region_East" in text
    assert "typed" in text
    assert "CreateDeviceGroup" in text


def test_devices_are_removed_only_by_post(tree, org, sign_in):
    assert sign_in("operator").get(org.url(f"groups/{tree['top']}/devices/bulk/remove/")).status_code == 405


# -- tags --------------------------------------------------------------------------------------------------------------


def read_tags(org, group):
    return {tag.key: tag.value for tag in api.list_tags(org.gateway(), group)}


def test_a_tag_is_added_edited_and_removed_without_changing_other_tags(tree, org, sign_in):
    browser, top = sign_in("operator"), tree["top"]
    browser.post(org.url(f"groups/{top}/tags/set/"), {"tag_key": "site", "tag_value": "harbour"})
    browser.post(org.url(f"groups/{top}/tags/set/"), {"tag_key": "season", "tag_value": "winter-1"})
    assert read_tags(org, top) == {"site": "harbour", "season": "winter-1"}
    browser.post(org.url(f"groups/{top}/tags/set/?key=site"), {"tag_key": "forged", "tag_value": "north"})
    assert read_tags(org, top) == {"site": "north", "season": "winter-1"}
    browser.post(org.url(f"groups/{top}/tags/remove/?key=site"))
    assert read_tags(org, top) == {"season": "winter-1"}


def test_removing_a_tag_twice_is_not_an_error(tree, org, sign_in):
    browser, top = sign_in("operator"), tree["top"]
    api.set_tag(org.gateway(), top, api.Tag("site", "harbour"))
    for _ in range(2):
        assert browser.post(org.url(f"groups/{top}/tags/remove/?key=site")).status_code == 302
    assert read_tags(org, top) == {}


@pytest.mark.parametrize(
    ("key", "value"), [("k", "v"), ("a_b", "v"), ("key", "with space"), ("key", ""), ("k" * 31, "v")]
)
def test_an_invalid_tag_is_reported_at_the_field(key, value, tree, org, sign_in, calls):
    response = sign_in("operator").post(
        org.url(f"groups/{tree['top']}/tags/set/"), {"tag_key": key, "tag_value": value}
    )
    assert response.status_code == 422
    assert "SetDeviceGroupTags" not in calls


def test_a_viewer_cannot_change_tags(tree, org, sign_in):
    for page in ("set/", "remove/?key=site"):
        response = sign_in("viewer").post(
            org.url(f"groups/{tree['top']}/tags/{page}"), {"tag_key": "site", "tag_value": "x"}
        )
        assert response.status_code == 403
    assert read_tags(org, tree["top"]) == {}


@pytest.mark.django_db(transaction=True)
def test_two_users_who_tag_a_group_at_once_lose_no_tag(tree, org, network):
    top = tree["top"]
    other = threading.Thread(target=_set_tag_in_thread, args=(org, top, api.Tag("hall", "one")))

    def let_another_user_tag():
        del network.before[api.TAG]
        other.start()
        other.join(0.5)  # it waits for the lock: without one, it would be done and its tag overwritten

    network.before[api.TAG] = let_another_user_tag
    api.set_tag(org.gateway("operator"), top, api.Tag("site", "harbor"))
    other.join(20)
    assert read_tags(org, top) == {"site": "harbor", "hall": "one"}


def _set_tag_in_thread(org, group_id, tag):
    try:
        api.set_tag(org.gateway("owner"), group_id, tag)
    finally:
        connections.close_all()


def test_a_tag_that_another_user_is_changing_is_not_written(tree, org, sign_in, calls, monkeypatch):
    monkeypatch.setattr(api, "_TAGS_WAIT", 0.1)
    form = {"tag_key": "site", "tag_value": "harbor"}
    with hold_lock(f"group-tags:{org.connection.account}:{tree['top']}", seconds=60):
        response = sign_in("operator").post(org.url(f"groups/{tree['top']}/tags/set/"), form)
    assert response.status_code == 422
    assert "Another user is changing this item" in response.content.decode()
    assert api.TAG not in calls


def test_tags_can_be_changed_while_redis_cannot_be_reached(tree, org, monkeypatch):
    monkeypatch.setattr(locks, "_connection", lambda: redis.Redis(port=1))
    api.set_tag(org.gateway(), tree["top"], api.Tag("site", "harbor"))
    assert read_tags(org, tree["top"]) == {"site": "harbor"}
