"""A record of an edit contains the values before and after it, and no change of another user is overwritten unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from console.accounts.models import Membership
from console.audit.masking import MASK
from console.audit.models import AuditRecord
from console.connections.models import Connection
from tests.conftest import KEY_ID, Organization

SignIn = Callable[[str], Client]


def last_record(operation: str) -> AuditRecord:
    return AuditRecord.objects.filter(operation=operation).latest("pk")


@pytest.fixture
def product(emulator: Any, org: Organization) -> str:
    response = org.gateway().call("CreateProduct", ProductName="Quay_Lamp", NodeType=0, Description="Old")
    return str(response["Data"]["ProductKey"])


@pytest.fixture
def device(product: str, org: Organization) -> str:
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="lamp-1", Nickname="First")
    return f"devices/{product}/lamp-1/"


@pytest.fixture
def group(emulator: Any, org: Organization) -> str:
    response = org.gateway().call("CreateDeviceGroup", GroupName="Harbor", GroupDesc="Old")
    return str(response["Data"]["GroupId"])


# -- before and after --------------------------------------------------------------------------------------------------


def test_a_product_edit_records_the_previous_name_and_description(
    product: str, org: Organization, sign_in: SignIn
) -> None:
    sign_in("operator").post(
        org.url(f"products/{product}/edit/"), {"product_name": "Pier_Lamp", "description": ""}
    )
    record = last_record("UpdateProduct")
    assert record.before == {"ProductName": "Quay_Lamp", "Description": "Old"}
    assert record.parameters == {"ProductKey": product, "ProductName": "Pier_Lamp", "Description": ""}


def test_a_product_tag_edit_records_the_previous_value(
    product: str, org: Organization, sign_in: SignIn
) -> None:
    browser, url = sign_in("operator"), org.url(f"products/{product}/tags/")
    browser.post(f"{url}set/", {"tag_key": "site", "tag_value": "north"})
    assert last_record("CreateProductTags").before == {"ProductTag": []}
    browser.post(f"{url}set/", {"tag_key": "site", "tag_value": "south", "replace": "on"})
    assert last_record("UpdateProductTags").before == {
        "ProductTag": [{"TagKey": "site", "TagValue": "north"}]
    }
    browser.post(f"{url}remove/?key=site")
    assert last_record("DeleteProductTags").before == {
        "ProductTag": [{"TagKey": "site", "TagValue": "south"}]
    }


def test_a_device_edit_records_the_previous_nickname_and_tag(
    device: str, org: Organization, sign_in: SignIn
) -> None:
    browser = sign_in("operator")
    browser.post(org.url(f"{device}rename/"), {"nickname": "Second"})
    record = last_record("BatchUpdateDeviceNickname")
    assert record.before is not None
    assert [info["Nickname"] for info in record.before["DeviceNicknameInfo"]] == ["First"]
    assert [info["Nickname"] for info in record.parameters["DeviceNicknameInfo"]] == ["Second"]
    for value in ("north", "south"):
        browser.post(org.url(f"{device}tags/set/"), {"tag_key": "site", "tag_value": value, "replace": "on"})
    assert json.loads((last_record("SaveDeviceProp").before or {})["Props"]) == {"site": "north"}
    browser.post(org.url(f"{device}tags/remove/?key=site"))
    assert json.loads((last_record("DeleteDeviceProp").before or {})["Props"]) == {"site": "south"}


def test_a_group_edit_records_the_previous_description_and_tags(
    group: str, org: Organization, sign_in: SignIn
) -> None:
    browser = sign_in("operator")
    browser.post(org.url(f"groups/{group}/edit/"), {"description": "New"})
    assert last_record("UpdateDeviceGroup").before == {"GroupDesc": "Old"}
    for value in ("north", "south"):
        browser.post(
            org.url(f"groups/{group}/tags/set/"), {"tag_key": "site", "tag_value": value, "replace": "on"}
        )
    tags = json.loads((last_record("SetDeviceGroupTags").before or {})["TagString"])
    assert tags == [{"tagKey": "site", "tagValue": "north"}]


def test_a_connection_edit_records_its_fields_but_only_the_fact_that_a_secret_changed(
    emulator: Any, org: Organization, sign_in: SignIn
) -> None:
    form = {
        "name": "Plant 2",
        "region": "cn-shanghai",
        "endpoint": "http://emulator.test",
        "access_key_id": KEY_ID,
        "access_key_secret": "another-secret",
        "skip_test": "on",
    }
    sign_in("owner").post("/acme/-/connections/sandbox/edit/", form)
    assert Connection.objects.get(pk=org.connection.pk).name == "Plant 2"
    record = last_record("connection.edit")
    assert record.before is not None
    assert (record.before["name"], record.parameters["name"]) == ("Sandbox", "Plant 2")
    assert record.parameters["changed"] == ["access_key_secret", "name"]
    assert "secret" not in json.dumps(record.before)


def test_a_users_new_name_is_recorded_in_each_of_their_teams(org: Organization, sign_in: SignIn) -> None:
    viewer = org.members["viewer"]
    Membership.objects.create(team=org.other_team, user=viewer, role_slug="viewer")
    form = {"name": "Wei", "time_zone": "UTC", "language": "en", "theme": "auto"}
    assert sign_in("viewer").post("/account/profile/", form).status_code == 302
    records = AuditRecord.objects.filter(operation="profile.edit")
    assert {record.team_id for record in records} == {org.team.pk, org.other_team.pk}
    assert {(str(record.before), str(record.parameters)) for record in records} == {
        ("{'name': 'Viewer'}", "{'name': 'Wei'}")
    }
    sign_in("viewer").post("/account/profile/", {**form, "time_zone": "Asia/Shanghai"})
    assert records.count() == 2


def test_values_before_an_edit_are_masked_like_its_parameters(org: Organization) -> None:
    from console.audit.records import Origin, record_action

    with record_action(
        operation="x",
        actor=None,
        team=org.team,
        origin=Origin(),
        parameters={"AuthKey": "new"},
        before={"AuthKey": "old", "Description": "d"},
    ):
        pass
    assert last_record("x").before == {"AuthKey": MASK, "Description": "d"}


def test_the_page_of_an_edit_marks_only_changed_values(org: Organization, sign_in: SignIn) -> None:
    record = AuditRecord.objects.create(
        team=org.team,
        operation="UpdateProduct",
        actor_label="x",
        parameters={"ProductName": "Same", "Description": "<new>", "ProductKey": "a1"},
        before={"ProductName": "Same", "Description": "old"},
    )
    response = sign_in("administrator").get(f"/acme/-/audit/{record.pk}/")
    assert [(v.name, v.before, v.after, v.is_changed) for v in response.context["table"].rows] == [
        ("Description", "old", "<new>", True),
        ("ProductKey", "", "a1", False),
        ("ProductName", "Same", "Same", False),
    ]
    text = response.content.decode()
    assert "&lt;new&gt;" in text
    assert text.count(">changed<") == 1


# -- simultaneous edits ------------------------------------------------------------------------------------------------


def read_seen_value(page: str) -> str:
    """Return the hidden value in which the form states what it was created from."""
    return unescape(page.split('name="seen" value="')[1].split('"')[0])


@pytest.mark.parametrize("kind", ["product", "group"])
def test_a_change_by_another_user_is_reported_once_and_then_replaced(
    kind: str, org: Organization, sign_in: SignIn, request: pytest.FixtureRequest
) -> None:
    key = request.getfixturevalue(kind)
    url = org.url(f"{kind}s/{key}/edit/")
    operation, field = (
        ("UpdateProduct", "Description") if kind == "product" else ("UpdateDeviceGroup", "GroupDesc")
    )
    form = {"product_name": "Quay_Lamp"} if kind == "product" else {}
    browser, other = sign_in("operator"), sign_in("owner")
    seen = read_seen_value(browser.get(url).content.decode())
    assert other.post(url, {**form, "description": "Theirs"}).status_code == 302

    refused = browser.post(url, {**form, "description": "Mine", "seen": seen})
    page = unescape(refused.content.decode())
    assert refused.status_code == 422
    assert "from “Old” to “Theirs”" in page
    assert "Mine" in page
    assert last_record(operation).parameters[field] == "Theirs"

    repeated = browser.post(url, {**form, "description": "Mine", "seen": read_seen_value(page)})
    assert repeated.status_code == 302
    assert (last_record(operation).before or {})[field] == "Theirs"
    assert last_record(operation).parameters[field] == "Mine"


def test_two_identical_edits_do_not_conflict(product: str, org: Organization, sign_in: SignIn) -> None:
    url = org.url(f"products/{product}/edit/")
    seen = read_seen_value(sign_in("operator").get(url).content.decode())
    form = {"product_name": "Quay_Lamp", "description": "The same"}
    assert sign_in("owner").post(url, form).status_code == 302
    assert sign_in("operator").post(url, {**form, "seen": seen}).status_code == 302


@pytest.mark.parametrize("seen", ["", "nonsense", "[]", '{"description": 7}', "1" * 5000])
def test_an_invalid_seen_value_of_a_form_is_no_error(
    product: str, org: Organization, sign_in: SignIn, seen: str
) -> None:
    form = {"product_name": "Quay_Lamp", "description": "New", "seen": seen}
    response = sign_in("operator").post(org.url(f"products/{product}/edit/"), form)
    assert response.status_code in (302, 422)


# -- links to the records of an object -------------------------------------------------------------------------------


def test_the_page_of_an_object_links_its_records_for_users_who_may_read_the_audit_trail(
    device: str, product: str, group: str, org: Organization, sign_in: SignIn
) -> None:
    member = Membership.objects.get(team=org.team, user=org.members["viewer"])
    pages = {
        org.url(f"products/{product}/"): f"target={product}",
        org.url(device): f"target={product}%2Flamp-1",
        org.url(f"groups/{group}/"): f"target={group}",
        f"/acme/-/members/{member.pk}/": "person=viewer%40acme.test",
    }
    for page, query in pages.items():
        assert f"/acme/-/audit/?{query}" in sign_in("administrator").get(page).content.decode()
        hidden = sign_in("operator").get(page)
        assert "/acme/-/audit/?" not in hidden.content.decode()


def test_devices_of_the_same_name_in_two_products_have_separate_records(
    device: str, product: str, org: Organization, sign_in: SignIn
) -> None:
    other = str(org.gateway().call("CreateProduct", ProductName="Pier_Lamp", NodeType=0)["ProductKey"])
    org.gateway().call("RegisterDevice", ProductKey=other, DeviceName="lamp-1")
    browser = sign_in("administrator")
    for key in (product, other):
        browser.post(org.url(f"devices/{key}/lamp-1/rename/"), {"nickname": "Second"})
        browser.post(org.url(f"devices/{key}/lamp-1/tags/set/"), {"tag_key": "site", "tag_value": "pier"})
    browser.post(org.url(f"devices/{other}/lamp-1/disable/"))
    page = browser.get("/acme/-/audit/", {"target": f"{other}/lamp-1"})
    assert sorted(entry.sentence for entry in page.context["table"].rows) == [
        f"Changed the nickname of device lamp-1 ({other})",
        f"Disabled device lamp-1 ({other})",
        f"Registered device lamp-1 ({other})",
        f"Set tags of device lamp-1 ({other})",
    ]
