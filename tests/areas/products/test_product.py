"""One product: pages, creation, editing, publication, deletion, tags, secret."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages

from console.areas.devices import api as devices_api
from console.areas.products import api
from console.audit.models import AuditRecord
from console.pages.tags import Tag
from iot_client.errors import NotFound

FORM = {
    "product_name": "Harbor_Lamp",
    "description": "Along the quay",
    "node_type": "0",
    "thing_model": "on",
    "net_type": "CELLULAR",
    "data_format": "1",
    "validate_type": "1",
    "auth_type": "secret",
}


def message_texts(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


# -- pages -----------------------------------------------------------------------------------------------------------


def test_no_page_of_a_product_takes_more_than_four_calls(product, org, sign_in, calls):
    browser = sign_in("owner")
    for page in ["", "menu/", "tags/", "edit/", "publish/", "unpublish/", "delete/", "tags/set/"]:
        calls.clear()
        assert browser.get(org.url(f"products/{product}/{page}")).status_code == 200, page
        assert len(calls) <= 4, (page, calls)


def test_categories_are_found_by_name_or_key_in_one_call(emulator, org, sign_in, calls):
    browser = sign_in("operator")
    text = browser.get(org.url("products/categories/"), {"category_key": "light"}).content.decode()
    assert 'data-match="Lighting"' in text
    assert calls == ["ListThingTemplates"]
    assert org.url("products/categories/") in browser.get(org.url("products/new/")).content.decode()
    text = browser.get(org.url("products/categories/"), {"category_key": "zzz"}).content.decode()
    assert "No category name" in text


def test_the_name_of_a_product_is_checked_before_anything_is_sent(emulator, org, sign_in, calls):
    response = sign_in("operator").post(org.url("products/new/"), {**FORM, "product_name": "a b"})
    assert response.status_code == 422
    assert 'data-max="30"' in response.content.decode()
    assert "CreateProduct" not in calls


def test_the_overview_shows_details_counts_and_tags(product, org, sign_in):
    devices_api.register_device(org.gateway(), product, name="lamp-0001")
    api.set_tag(org.gateway(), product, api.Tag("quay", "north"))
    text = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    for part in (product, "Harbor_Lamp", "Developing", "Alink JSON", "quay", "north"):
        assert part in text
    assert "Not activated" in text


def test_the_figures_of_the_overview_add_up(product, org, sign_in):
    for number in range(3):
        devices_api.register_device(org.gateway(), product, name=f"lamp-{number}")
    page = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    figures = re.findall(r'class="fd-stat-value">(\d+)<', page)
    labels = re.findall(r'class="stretched-link"[^>]*>([^<]+)</a>', page)
    assert labels == ["Devices", "Online", "Offline", "Not activated"]
    assert int(figures[0]) == sum(map(int, figures[1:])) == 3


def test_the_overview_is_shown_when_counts_or_tags_cannot_be_read(product, org, sign_in, emulator):
    emulator.faults.add("ListProductTags", kind="malformed", times=9)
    response = sign_in("viewer").get(org.url(f"products/{product}/"))
    assert response.status_code == 200
    assert "Harbor_Lamp" in response.content.decode()
    assert "fd-cloud-error" in response.content.decode()


def test_a_product_that_does_not_exist_is_404(emulator, org, sign_in):
    response = sign_in("viewer").get(org.url("products/a1missing000/"))
    assert response.status_code == 404
    assert "iot.prod.NotExistedProduct" in response.content.decode()


def test_a_viewer_is_offered_no_change(product, org, sign_in):
    text = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    text += sign_in("viewer").get(org.url(f"products/{product}/tags/")).content.decode()
    for address in ("/edit/", "/publish/", "/delete/", "/secret/", "/tags/set/"):
        assert address not in text


# -- creation --------------------------------------------------------------------------------------------------------


def test_a_product_is_created_with_the_values_of_the_form(emulator, org, sign_in):
    response = sign_in("operator").post(org.url("products/new/"), FORM)
    assert response.status_code == 302
    detail = api.get_product(org.gateway(), response["Location"].split("/")[-2])
    assert (detail.product.name, detail.product.description) == ("Harbor_Lamp", "Along the quay")
    assert (detail.thing_model, detail.net_type, detail.validate_type, detail.is_published) == (
        True,
        "6",
        "1",
        False,
    )


def test_fields_that_do_not_apply_are_neither_shown_nor_sent(emulator, org, sign_in):
    browser = sign_in("operator")
    draft = {"refresh": "1", "field_names": "thing_model behind_gateway", "product_name": "Half_typed"}

    def field_names(**choices: str) -> set[str]:
        response = browser.get(org.url("products/new/"), draft | choices)
        assert "Half_typed" in response.content.decode()
        return set(response.context["form"].fields)

    plain = field_names(node_type="0")
    assert not {"data_format", "net_type", "protocol_type", "category_key", "behind_gateway"} & plain
    behind = field_names(node_type="0", thing_model="on", behind_gateway="on")
    assert "protocol_type" in behind
    assert "net_type" not in behind
    lora = field_names(node_type="1", thing_model="on", net_type="LORA")
    assert "join_permission_id" in lora
    assert not {"behind_gateway", "protocol_type"} & lora
    browser.post(org.url("products/new/"), {**FORM, "thing_model": "", "category_key": "Lighting"})
    assert not api.get_product(org.gateway(), api.list_products(org.gateway()).products[0].key).thing_model


def test_a_lora_product_can_only_have_device_secrets(emulator, org, sign_in):
    response = sign_in("operator").get(
        org.url("products/new/?refresh=1&field_names=thing_model&thing_model=on&net_type=LORA")
    )
    assert [value for value, _label in response.context["form"].fields["auth_type"].choices] == ["secret"]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("product_name", "abc", "4"),
        ("product_name", "七个汉字就是十四字符可以但十六个汉字太长了", "30"),
        ("product_name", "has space", "only letters, digits and underscores"),
        ("product_name", "", "required"),
        ("description", "x" * 101, "100"),
        ("node_type", "7", "valid choice"),
    ],
)
def test_an_invalid_field_is_reported_before_anything_is_sent(
    emulator, org, sign_in, calls, field, value, text
):
    response = sign_in("operator").post(org.url("products/new/"), {**FORM, field: value})
    assert response.status_code == 422
    assert text in str(response.context["form"].errors[field])
    assert calls == []
    assert "Along the quay" in response.content.decode() or field == "description"


def test_a_name_in_use_is_reported_at_the_name_field(product, org, sign_in):
    response = sign_in("operator").post(org.url("products/new/"), FORM)
    assert response.status_code == 422
    assert "already has a product with this name" in str(response.context["form"].errors["product_name"])
    assert len(api.list_products(org.gateway()).products) == 1


@pytest.mark.parametrize("kind", ["throttle", "error", "malformed", "drop"])
def test_a_cloud_error_keeps_the_input(emulator, org, sign_in, kind):
    emulator.faults.add(
        "CreateProduct", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    response = sign_in("operator").post(org.url("products/new/"), FORM)
    assert response.status_code == 422
    text = response.content.decode()
    assert "fd-cloud-error" in text
    assert 'value="Harbor_Lamp"' in text


# -- editing, publication ----------------------------------------------------------------------------------------------


def test_name_and_description_can_be_changed_and_the_description_removed(product, org, sign_in):
    browser = sign_in("operator")
    browser.post(org.url(f"products/{product}/edit/"), {"product_name": "Quay_Lamp", "description": "New"})
    browser.post(org.url(f"products/{product}/edit/"), {"product_name": "Quay_Lamp", "description": ""})
    product_now = api.get_product(org.gateway(), product, fresh=True).product
    assert (product_now.name, product_now.description) == ("Quay_Lamp", "")


def test_an_invalid_edit_is_reported_at_the_field(product, org, sign_in):
    response = sign_in("operator").post(
        org.url(f"products/{product}/edit/"), {"product_name": "a-b", "description": ""}
    )
    assert response.status_code == 422
    assert response.context["form"].errors["product_name"]


def test_publishing_or_unpublishing_twice_has_the_same_result_as_once(product, org, sign_in):
    browser = sign_in("operator")
    for page, published in (("publish", True), ("publish", True), ("unpublish", False), ("unpublish", False)):
        assert browser.post(org.url(f"products/{product}/{page}/")).status_code == 302
        assert api.get_product(org.gateway(), product, fresh=True).is_published is published


def test_an_htmx_request_is_redirected_after_a_change(product, org, sign_in):
    response = sign_in("operator").post(
        org.url(f"products/{product}/publish/"), headers={"HX-Request": "true"}
    )
    assert response.status_code == 204
    assert response["HX-Redirect"] == org.url(f"products/{product}/")


# -- deletion --------------------------------------------------------------------------------------------------------


def test_deletion_asks_for_the_name(product, org, sign_in):
    browser = sign_in("operator")
    wrong = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbor"})
    assert wrong.status_code == 422
    assert api.get_product(org.gateway(), product, fresh=True)
    right = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbor_Lamp"})
    assert right.status_code == 302
    with pytest.raises(NotFound):
        api.get_product(org.gateway(), product, fresh=True)


def test_a_second_deletion_says_that_the_product_no_longer_exists(product, org, sign_in):
    browser = sign_in("operator")
    browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbor_Lamp"})
    second = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbor_Lamp"}, follow=True)
    assert second.status_code == 200
    assert "no longer exists" in second.content.decode()


def test_a_published_product_with_devices_is_not_deleted_and_the_page_says_what_to_do(product, org, sign_in):
    devices_api.register_device(org.gateway(), product, name="lamp-0001")
    api.publish_product(org.gateway(), product)
    browser = sign_in("operator")
    for response in (
        browser.get(org.url(f"products/{product}/delete/")),
        browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbor_Lamp"}),
    ):
        text = response.content.decode()
        assert "The product has 1 device" in text
        assert "Unpublish it first" in text
        assert f"devices/?product={product}" in text
        assert f"products/{product}/unpublish/" in text
    assert api.get_product(org.gateway(), product, fresh=True)


# -- tags, secret ----------------------------------------------------------------------------------------------------


def test_tags_are_added_edited_and_removed(product, org, sign_in):
    browser = sign_in("operator")
    assert message_texts(
        browser.post(org.url(f"products/{product}/tags/set/"), {"tag_key": "quay", "tag_value": "north"})
    ) == ["Tag quay saved."]
    browser.post(org.url(f"products/{product}/tags/set/?key=quay"), {"tag_value": "south"})
    assert api.list_tags(org.gateway(), product, fresh=True) == [Tag("quay", "south")]
    form = browser.get(org.url(f"products/{product}/tags/set/?key=quay")).context["form"]
    assert (form.initial["tag_value"], form.fields["tag_key"].disabled) == ("south", True)
    browser.post(
        org.url(f"products/{product}/tags/set/?key=quay"), {"tag_key": "renamed", "tag_value": "west"}
    )
    assert api.list_tags(org.gateway(), product, fresh=True) == [Tag("quay", "west")]
    browser.post(org.url(f"products/{product}/tags/remove/?key=quay"))
    assert api.list_tags(org.gateway(), product, fresh=True) == []
    assert browser.post(org.url(f"products/{product}/tags/remove/?key=quay")).status_code == 302


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [("with space", "v", "tag_key"), ("k" * 31, "v", "tag_key"), ("k", "a b", "tag_value")],
)
def test_an_invalid_tag_is_reported_at_the_field(product, org, sign_in, key, value, field):
    response = sign_in("operator").post(
        org.url(f"products/{product}/tags/set/"), {"tag_key": key, "tag_value": value}
    )
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]


def test_the_secret_is_shown_only_on_request_and_the_request_is_recorded(product, org, sign_in):
    browser = sign_in("owner")
    response = browser.post(org.url(f"products/{product}/secret/"))
    secret = response.context["secret"]
    assert len(secret) >= 16
    assert "no-store" in response["Cache-Control"]
    assert AuditRecord.objects.get(operation="QueryProduct").target == product
    for page in ("", "tags/", "menu/"):
        assert secret not in browser.get(org.url(f"products/{product}/{page}")).content.decode()


def test_a_role_without_the_secret_level_cannot_reveal_a_secret_and_the_attempt_is_recorded(
    product, org, sign_in
):
    response = sign_in("operator").post(org.url(f"products/{product}/secret/"))
    assert response.status_code == 403
    assert AuditRecord.objects.get(operation="QueryProduct").outcome == AuditRecord.Outcome.REFUSED
