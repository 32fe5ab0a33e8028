"""Topics of members whose access scope is limited, of another team, and deletions that need approval."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.accounts.approval_rules import save_setting
from console.accounts.models import Membership
from console.approvals.models import ApprovalRequest
from console.areas.messaging import api
from console.audit.models import AuditRecord
from console.ui.areas import all_approval_rules


@pytest.fixture
def limit(org):
    """A function that limits the access scope of the operator."""

    def limit_access(**access_scope: list[str]) -> None:
        members = Membership.objects.filter(team=org.team, user=org.members["operator"])
        members.update(access_scope=access_scope)

    return limit_access


@pytest.fixture
def group(org, product) -> str:
    """The ID of a group with lamp-1 and lamp-2."""
    gateway = org.gateway()
    group_id = gateway.call("CreateDeviceGroup", GroupName="North")["Data"]["GroupId"]
    devices = [{"ProductKey": product, "DeviceName": f"lamp-{number}"} for number in (1, 2)]
    gateway.call("BatchAddDeviceGroupRelations", GroupId=group_id, Device=devices)
    return str(group_id)


def topic_ids(org, product) -> Iterator[str]:
    return (category.id for category in api.list_categories(org.gateway(), product))


# -- members limited to products -----------------------------------------------------------------------------------------


def test_a_member_limited_to_a_product_manages_its_topics_and_finds_no_others(
    product, other_product, org, sign_in, limit, read_names
):
    limit(products=[product])
    browser = sign_in("operator")
    chooser = browser.get(org.url("messaging/")).content.decode()
    assert product in chooser
    assert other_product not in chooser
    values = {"short_name": "alarm", "permission": "PUB"}
    assert browser.post(org.url(f"messaging/products/{product}/new/"), values).status_code == 302
    assert (
        browser.post(
            org.url(f"messaging/products/{product}/categories/get/delete/"), {"typed": "get"}
        ).status_code
        == 302
    )
    assert read_names() == ["update", "update/error", "alarm"]
    for page in ("", "new/", "categories/get/edit/", "categories/get/delete/"):
        assert browser.get(org.url(f"messaging/products/{other_product}/{page}")).status_code == 404
    assert browser.post(org.url(f"messaging/products/{other_product}/new/"), values).status_code == 403
    assert len(list(topic_ids(org, other_product))) == 3


def test_the_id_of_a_category_out_of_scope_is_refused_whatever_product_the_address_names(
    product, other_product, org, sign_in, limit
):
    limit(products=[product])
    theirs = next(topic_ids(org, other_product))
    response = sign_in("operator").post(
        org.url(f"messaging/products/{product}/topics/bulk/delete/"),
        {"selected": [f"{theirs}/update"], "confirmed": "1", "typed": "update"},
    )
    assert response.context["failed"] == 1
    assert not AuditRecord.objects.filter(operation="DeleteProductTopic").exists(), "nothing was sent"
    assert len(list(topic_ids(org, other_product))) == 3


def test_routes_that_lead_out_of_scope_are_hidden_and_cannot_be_created_or_deleted(
    product, other_product, topic, org, sign_in, limit, read_routes
):
    inside, outside = topic(2, "get"), topic(2, "get", other_product)
    api.create_routes(org.gateway(), topic(1), [inside, outside])
    api.create_routes(org.gateway(), outside.replace("get", "update"), [topic(1)])
    limit(products=[product])
    browser = sign_in("operator")
    page = browser.get(org.url("messaging/routes/"), {"topic": topic(1)})
    assert [route.target for route in page.context["targets"].rows] == [inside]
    assert page.context["sources"].rows == []
    assert other_product not in page.content.decode()
    assert browser.get(org.url("messaging/routes/"), {"topic": outside}).status_code == 403
    form = {"source": topic(1), "targets": f"{topic(3, 'get')}\n{outside}"}
    assert browser.post(org.url("messaging/routes/new/"), form).status_code == 403
    deletion = {"selected": [f"{topic(1)} {outside}"], "confirmed": "1"}
    assert browser.post(org.url("messaging/routes/bulk/delete/"), deletion).status_code == 403
    assert read_routes(topic(1))[0] == [inside, outside]


# -- members limited to groups -------------------------------------------------------------------------------------------


def test_a_member_limited_to_a_group_routes_between_its_devices(
    product, group, topic, org, sign_in, limit, read_routes
):
    api.create_routes(org.gateway(), topic(1), [topic(3, "get")])
    limit(groups=[group])
    browser = sign_in("operator")
    form = {"source": topic(1), "targets": topic(2, "get")}
    assert browser.post(org.url("messaging/routes/new/"), form).status_code == 302
    page = browser.get(org.url("messaging/routes/"), {"topic": topic(1)})
    assert [route.target for route in page.context["targets"].rows] == [topic(2, "get")]
    assert (
        browser.post(org.url("messaging/routes/new/"), {**form, "targets": topic(3, "get")}).status_code
        == 403
    )
    assert browser.get(org.url("messaging/routes/"), {"topic": topic(3, "get")}).status_code == 403
    assert read_routes(topic(1))[0] == [topic(3, "get"), topic(2, "get")]


def test_a_member_limited_to_a_group_is_offered_no_topic_categories(product, group, org, sign_in, limit):
    limit(groups=[group])
    browser = sign_in("operator")
    device = browser.get(org.url(f"devices/{product}/lamp-1/"))
    assert device.status_code == 200
    assert f"/messaging/devices/{product}/" not in device.content.decode()
    assert browser.get(org.url(f"messaging/products/{product}/")).status_code == 404


# -- another team --------------------------------------------------------------------------------------------------------


def test_the_topics_of_a_team_are_not_found_by_a_member_of_another(product, topic, org, sign_in):
    outsider = sign_in("outsider")
    for page in (f"products/{product}/", "routes/", f"routes/?topic={topic(1)}"):
        assert outsider.get(org.url(f"messaging/{page}")).status_code == 404
    for page in (f"products/{product}/categories/get/delete/", "routes/new/", "routes/bulk/delete/"):
        assert outsider.post(org.url(f"messaging/{page}"), {"typed": "get"}).status_code == 404
    assert len(list(topic_ids(org, product))) == 3


# -- approval ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def approval_rule(org) -> None:
    """Deletions of topic categories and routes need approval."""
    (rule,) = (rule for rule in all_approval_rules() if rule.slug == "topic_deletion")
    save_setting(org.team, rule, True)


def test_the_deletion_of_a_category_waits_for_approval_if_the_rule_is_on(
    product, org, sign_in, approval_rule, read_names
):
    address = org.url(f"messaging/products/{product}/categories/get/delete/")
    assert "fd-alert" in sign_in("operator").get(address).content.decode()
    response = sign_in("operator").post(address, {"typed": "get"})
    request = ApprovalRequest.objects.get()
    assert response["Location"] == org.url(f"approvals/{request.pk}/")
    assert (request.rule, request.target) == ("topic_deletion", f"/{product}/${{deviceName}}/user/get")
    page = sign_in("operator").get(response["Location"]).content.decode()
    assert "Routes from and to these topics stop working." in page
    assert "get" in read_names()


def test_the_deletion_of_routes_waits_for_approval_and_lists_the_targets(
    topic, org, sign_in, approval_rule, read_routes
):
    api.create_routes(org.gateway(), topic(1), [topic(2, "get")])
    api.create_routes(org.gateway(), topic(2), [topic(3, "get")])
    form = {"selected": [f"{topic(1)} {topic(2, 'get')}", f"{topic(2)} {topic(3, 'get')}"]}
    browser, address = sign_in("operator"), org.url("messaging/routes/bulk/delete/")
    assert "fd-alert" in browser.post(address, form).content.decode()
    response = browser.post(address, {**form, "confirmed": "1"})
    assert ApprovalRequest.objects.get().target == f"{topic(1)} (+1)"
    page = browser.get(response["Location"]).content.decode()
    for number in (1, 2):
        assert f"Messages are no longer forwarded to {topic(number + 1, 'get')}." in page
        assert read_routes(topic(number))[0] == [topic(number + 1, "get")]
