"""Topic categories of products: pages, creation, editing, deletion."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages

from console.accounts.models import CustomRole
from console.areas.messaging import api
from console.audit.models import AuditRecord


def message_texts(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def read_category(org, product, short_name):
    return api.get_category(org.gateway(), product, short_name, fresh=True)


# -- pages -----------------------------------------------------------------------------------------------------------


def test_products_to_choose_from_are_searched_by_name_and_lead_to_their_topics(
    product, other_product, org, sign_in
):
    page = sign_in("viewer").get(org.url("messaging/"), {"q": "Lamp"}).content.decode()
    assert org.url(f"messaging/products/{product}/") in page
    assert other_product not in page


def test_the_topics_of_a_product_are_a_tab_of_its_page(product, org, sign_in):
    browser, address = sign_in("viewer"), org.url(f"messaging/products/{product}/")
    assert f'href="{address}"' in browser.get(org.url(f"products/{product}/")).content.decode()
    page = browser.get(address).content.decode()
    assert org.url(f"products/{product}/tags/") in page, "the other tabs of the product"
    for part in (f"/{product}/${{deviceName}}/user/update/error", "Devices publish", "Devices subscribe"):
        assert part in page
    assert "3 of 50 topic categories" in page


def test_the_topics_of_a_device_are_a_tab_of_its_page_and_lead_to_their_routes(product, topic, org, sign_in):
    browser, address = sign_in("viewer"), org.url(f"messaging/devices/{product}/lamp-1/")
    assert f'href="{address}"' in browser.get(org.url(f"devices/{product}/lamp-1/")).content.decode()
    page = browser.get(address).content.decode()
    assert topic(1, "update/error") in page
    assert f"{org.url('messaging/routes/')}?topic={topic(1, 'get').replace('/', '%2F')}" in page


def test_a_role_that_may_not_read_topics_is_offered_no_tab(product, org, sign_in):
    CustomRole.objects.create(team=org.team, slug="crew", name="Crew", levels={"products": 1, "devices": 1})
    org.team.memberships.filter(user=org.members["viewer"]).update(role_slug="crew")
    page = sign_in("viewer").get(org.url(f"products/{product}/"))
    assert page.status_code == 200
    assert "/messaging/" not in page.content.decode()


def test_no_page_takes_more_than_four_calls(product, topic, org, sign_in, calls):
    browser = sign_in("owner")
    at = f"products/{product}/"
    for page in (
        *("", at, f"{at}new/", f"{at}categories/update/error/edit/", f"{at}categories/update/error/delete/"),
        *(f"devices/{product}/lamp-1/", "routes/", f"routes/?topic={topic(1)}", "routes/new/"),
    ):
        calls.clear()
        assert browser.get(org.url(f"messaging/{page}")).status_code == 200, page
        assert len(calls) <= 4, (page, calls)


def test_a_viewer_is_offered_no_change(product, topic, org, sign_in):
    browser = sign_in("viewer")
    pages = (f"products/{product}/", f"devices/{product}/lamp-1/", f"routes/?topic={topic(1)}")
    text = "".join(browser.get(org.url(f"messaging/{page}")).content.decode() for page in pages)
    for address in ("/new/", "/edit/", "/delete/", "/bulk/"):
        assert address not in text


def test_a_product_or_category_that_does_not_exist_is_404(product, org, sign_in):
    browser = sign_in("operator")
    for page in ("products/a1missing000/", f"products/{product}/categories/never/edit/"):
        assert browser.get(org.url(f"messaging/{page}")).status_code == 404


# -- creation and editing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", ["PUB", "SUB", "ALL"])
def test_a_category_is_created_with_the_values_of_the_form(product, org, sign_in, permission):
    response = sign_in("operator").post(
        org.url(f"messaging/products/{product}/new/"),
        {"short_name": "alarm/high", "permission": permission, "description": "Upper limit"},
    )
    assert response["Location"] == org.url(f"messaging/products/{product}/")
    created = read_category(org, product, "alarm/high")
    assert created.topic == f"/{product}/${{deviceName}}/user/alarm/high"
    assert (created.permission, created.description) == (permission, "Upper limit")
    assert AuditRecord.objects.get(operation="CreateProductTopic").target == created.topic


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("short_name", "alarm-high", "Separate levels with slashes"),
        ("short_name", "alarm//high", "Separate levels with slashes"),
        ("short_name", "x" * 129, "129"),
        ("short_name", "", "required"),
        ("permission", "", "required"),
        ("permission", "READ", "valid choice"),
        ("description", "x" * 101, "1 to 100 characters (you entered 101)"),
    ],
)
def test_an_invalid_field_is_reported_before_anything_is_sent(
    product, org, sign_in, calls, field, value, text
):
    calls.clear()
    form = {"short_name": "alarm", "permission": "PUB", "description": ""}
    response = sign_in("operator").post(org.url(f"messaging/products/{product}/new/"), {**form, field: value})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert text in str(response.context["form"].errors[field])
    assert calls == []


def test_a_name_in_use_is_reported_and_the_input_is_kept(product, org, sign_in, read_names):
    response = sign_in("operator").post(
        org.url(f"messaging/products/{product}/new/"),
        {"short_name": "get", "permission": "PUB", "description": "Kept"},
    )
    assert response.status_code == 422
    text = response.content.decode()
    assert "already has a topic category with this name" in str(response.context["form"].errors["short_name"])
    assert "Kept" in text
    assert read_names() == ["update", "update/error", "get"]


def test_a_full_product_offers_no_creation_and_the_platform_explains_the_limit(
    product, org, sign_in, add_categories
):
    add_categories(api.MAX_CATEGORIES - 3)
    browser, address = sign_in("operator"), org.url(f"messaging/products/{product}/new/")
    assert address not in browser.get(org.url(f"messaging/products/{product}/")).content.decode()
    response = browser.post(address, {"short_name": "more", "permission": "PUB"})
    assert response.status_code == 422
    assert "iot.messagebroker.TopicTemplateCountExceedMax" in response.content.decode()


def test_name_permission_and_description_can_be_changed_and_the_record_states_the_previous_values(
    product, org, sign_in
):
    address = org.url(f"messaging/products/{product}/categories/update/error/edit/")
    form = sign_in("operator").get(address).context["form"]
    assert (form.initial["short_name"], form.initial["permission"]) == ("update/error", "PUB")
    changed = {"short_name": "faults", "permission": "ALL", "description": "All faults"}
    assert sign_in("operator").post(address, changed).status_code == 302
    category = read_category(org, product, "faults")
    assert (category.permission, category.description) == ("ALL", "All faults")
    record = AuditRecord.objects.get(operation="UpdateProductTopic")
    assert record.target == f"/{product}/${{deviceName}}/user/update/error"
    assert record.before["TopicShortName"] == "update/error"


def test_a_description_cannot_be_removed(product, org, sign_in):
    address = org.url(f"messaging/products/{product}/categories/get/edit/")
    values = {"short_name": "get", "permission": "SUB"}
    sign_in("operator").post(address, {**values, "description": "Requests"})
    response = sign_in("operator").post(address, {**values, "description": ""})
    assert response.status_code == 422
    assert "cannot remove a description" in str(response.context["form"].errors["description"])
    assert read_category(org, product, "get").description == "Requests"


def test_a_change_by_another_user_is_shown_once_at_its_field(product, org, sign_in):
    address = org.url(f"messaging/products/{product}/categories/get/edit/")
    seen = sign_in("operator").get(address).context["form"].initial["seen"]
    other = read_category(org, product, "get")
    api.update_category(org.gateway(), other, short_name="get", permission="ALL", description="")
    values = {"short_name": "get", "permission": "PUB", "description": "", "seen": seen}
    response = sign_in("operator").post(address, values)
    assert list(response.context["form"].errors) == ["permission"]
    values["seen"] = response.context["form"].data["seen"]
    assert sign_in("operator").post(address, values).status_code == 302


@pytest.mark.parametrize("kind", ["error", "drop", "malformed"])
def test_a_cloud_error_keeps_the_input(product, emulator, org, sign_in, kind):
    emulator.faults.add("CreateProductTopic", kind=kind, times=99)
    response = sign_in("operator").post(
        org.url(f"messaging/products/{product}/new/"),
        {"short_name": "alarm", "permission": "PUB", "description": "typed"},
    )
    assert response.status_code == 422
    text = response.content.decode()
    assert "fd-cloud-error" in text
    assert 'value="alarm"' in text
    assert "typed" in text


# -- deletion --------------------------------------------------------------------------------------------------------


def test_deletion_says_what_goes_with_the_category_and_asks_for_its_name(product, org, sign_in, read_names):
    address = org.url(f"messaging/products/{product}/categories/update/error/delete/")
    page = sign_in("operator").get(address).content.decode()
    assert "4 devices of the product are affected." in page
    assert "Routes from and to these topics stop working." in page
    assert sign_in("operator").post(address, {"typed": "update"}).status_code == 422
    assert read_names() == ["update", "update/error", "get"]
    response = sign_in("operator").post(address, {"typed": "update/error"})
    assert response["Location"] == org.url(f"messaging/products/{product}/")
    assert read_names() == ["update", "get"]
    record = AuditRecord.objects.get(operation="DeleteProductTopic")
    assert record.target == f"/{product}/${{deviceName}}/user/update/error"


def test_a_second_deletion_says_that_the_category_no_longer_exists(product, org, sign_in):
    address = org.url(f"messaging/products/{product}/categories/get/delete/")
    sign_in("operator").post(address, {"typed": "get"})
    again = sign_in("operator").post(address, {"typed": "get"})
    assert message_texts(again) == ["The topic category no longer exists."]


def test_ticked_categories_are_deleted_together_and_each_outcome_is_shown(product, org, sign_in, read_names):
    categories = api.list_categories(org.gateway(), product)
    keys = [f"{category.id}/{category.short_name}" for category in categories[:2]]
    address = org.url(f"messaging/products/{product}/topics/bulk/delete/")
    browser = sign_in("operator")
    question = browser.post(address, {"selected": [*keys, "1/gone"]})
    assert "Delete 3 topic categories?" in question.content.decode()
    assert read_names() == ["update", "update/error", "get"]
    confirmed = {"selected": [*keys, "1/gone"], "confirmed": "1"}
    assert browser.post(address, {**confirmed, "typed": "3"}).status_code == 422
    done = browser.post(address, {**confirmed, "typed": "delete 3 topic categories"}).content.decode()
    assert "2 succeeded, 1 failed" in done
    assert "iot.messagebroker.TopicTemplateIsNotFound" in done
    assert read_names() == ["get"]
    targets = AuditRecord.objects.filter(operation=api.DELETE).values_list("target", flat=True)
    assert set(targets) == {f"/{product}/${{deviceName}}/user/{name}" for name in ("update", "update/error")}


def test_a_category_is_deleted_only_under_its_own_name_and_below_its_own_product(
    product, other_product, org, sign_in, read_names
):
    category = api.get_category(org.gateway(), product, "update")
    for key, address in ((f"{category.id}/get", product), (f"{category.id}/update", other_product)):
        done = sign_in("operator").post(
            org.url(f"messaging/products/{address}/topics/bulk/delete/"),
            {"selected": [key], "confirmed": "1", "typed": key.partition("/")[2]},
        )
        assert (done.context["succeeded"], done.context["failed"]) == (0, 1)
    assert read_names() == ["update", "update/error", "get"]
    assert not AuditRecord.objects.filter(operation=api.DELETE).exists()
