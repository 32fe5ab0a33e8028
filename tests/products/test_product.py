"""One product: its pages, creating, editing, publishing, deleting, its tags and its secret."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages

from console.access.models import AuditRecord
from console.cloud.errors import NotFound
from console.devices import api as devices_api
from console.products import api

FORM = {
    "product_name": "Harbour_Lamp",
    "description": "Along the quay",
    "node_type": "0",
    "thing_model": "on",
    "net_type": "CELLULAR",
    "data_format": "1",
    "validate_type": "1",
    "auth_type": "secret",
}


def said(answer) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


# -- pages -----------------------------------------------------------------------------------------------------------


def test_no_page_of_a_product_takes_more_than_four_calls(product, org, sign_in, calls):
    browser = sign_in("owner")
    for page in ["", "devices/", "tags/", "edit/", "publish/", "unpublish/", "delete/", "tags/set/"]:
        calls.clear()
        assert browser.get(org.url(f"products/{product}/{page}")).status_code == 200, page
        assert len(calls) <= 4, (page, calls)


def test_the_overview_shows_facts_counts_and_tags(product, org, sign_in):
    devices_api.register_device(org.gateway(), product, name="lamp-0001")
    api.set_tag(org.gateway(), product, api.Tag("quay", "north"))
    text = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    for part in (product, "Harbour_Lamp", "Developing", "Alink JSON", "quay", "north"):
        assert part in text
    assert "Never connected" in text


def test_the_overview_stands_when_only_counts_or_tags_cannot_be_read(product, org, sign_in, emulator):
    emulator.faults.add("ListProductTags", kind="malformed", times=9)
    answer = sign_in("viewer").get(org.url(f"products/{product}/"))
    assert answer.status_code == 200
    assert "Harbour_Lamp" in answer.content.decode()
    assert "fd-cloud-error" in answer.content.decode()


def test_a_product_that_does_not_exist_is_a_clear_404(emulator, org, sign_in):
    answer = sign_in("viewer").get(org.url("products/a1missing000/"))
    assert answer.status_code == 404
    assert "iot.prod.NotExistedProduct" in answer.content.decode()


def test_a_viewer_is_offered_no_change(product, org, sign_in):
    text = sign_in("viewer").get(org.url(f"products/{product}/")).content.decode()
    text += sign_in("viewer").get(org.url(f"products/{product}/tags/")).content.decode()
    for address in ("/edit/", "/publish/", "/delete/", "/secret/", "/tags/set/"):
        assert address not in text


# -- creating --------------------------------------------------------------------------------------------------------


def test_a_product_is_created_as_the_form_says(emulator, org, sign_in):
    answer = sign_in("operator").post(org.url("products/new/"), FORM)
    assert answer.status_code == 302
    made = api.product_detail(org.gateway(), answer["Location"].split("/")[-2])
    assert (made.product.name, made.product.description) == ("Harbour_Lamp", "Along the quay")
    assert (made.thing_model, made.net_type, made.validate_type, made.published) == (True, "6", "1", False)


def test_fields_that_do_not_apply_are_not_there_and_not_sent(emulator, org, sign_in):
    browser = sign_in("operator")
    draft = {"shape": "1", "shown": "thing_model behind_gateway", "product_name": "Half_typed"}

    def fields(**chosen: str) -> set[str]:
        answer = browser.get(org.url("products/new/"), draft | chosen)
        assert "Half_typed" in answer.content.decode()
        return set(answer.context["form"].fields)

    plain = fields(node_type="0")
    assert not {"data_format", "net_type", "protocol_type", "category_key", "behind_gateway"} & plain
    behind = fields(node_type="0", thing_model="on", behind_gateway="on")
    assert "protocol_type" in behind
    assert "net_type" not in behind
    lora = fields(node_type="1", thing_model="on", net_type="LORA")
    assert "join_permission_id" in lora
    assert not {"behind_gateway", "protocol_type"} & lora
    browser.post(org.url("products/new/"), {**FORM, "thing_model": "", "category_key": "Lighting"})
    assert not api.product_detail(org.gateway(), api.list_products(org.gateway()).products[0].key).thing_model


def test_a_lora_product_can_only_have_device_secrets(emulator, org, sign_in):
    answer = sign_in("operator").get(
        org.url("products/new/?shape=1&shown=thing_model&thing_model=on&net_type=LORA")
    )
    assert [value for value, _label in answer.context["form"].fields["auth_type"].choices] == ["secret"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("product_name", "abc", "4"),
        ("product_name", "七个汉字就是十四字符可以但十六个汉字太长了", "30"),
        ("product_name", "has space", "only letters, digits and underscores"),
        ("product_name", "", "required"),
        ("description", "x" * 101, "100"),
        ("node_type", "7", "valid choice"),
    ],
)
def test_the_platforms_limits_are_said_at_the_field_before_anything_is_sent(
    emulator, org, sign_in, calls, field, value, words
):
    answer = sign_in("operator").post(org.url("products/new/"), {**FORM, field: value})
    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors[field])
    assert calls == []
    assert "Along the quay" in answer.content.decode() or field == "description"


def test_a_name_that_exists_is_said_at_the_name(product, org, sign_in):
    answer = sign_in("operator").post(org.url("products/new/"), FORM)
    assert answer.status_code == 422
    assert "already exists" in str(answer.context["form"].errors["product_name"])
    assert len(api.list_products(org.gateway()).products) == 1


@pytest.mark.parametrize("kind", ["throttle", "error", "malformed", "drop"])
def test_an_error_of_the_cloud_keeps_what_was_typed(emulator, org, sign_in, kind):
    emulator.faults.add(
        "CreateProduct", kind=kind, times=50, **({"delay": 0.0} if kind == "throttle" else {})
    )
    answer = sign_in("operator").post(org.url("products/new/"), FORM)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "fd-cloud-error" in text
    assert 'value="Harbour_Lamp"' in text


# -- editing, publishing -----------------------------------------------------------------------------------------------


def test_name_and_description_can_be_changed_and_the_description_emptied(product, org, sign_in):
    browser = sign_in("operator")
    browser.post(org.url(f"products/{product}/edit/"), {"product_name": "Quay_Lamp", "description": "New"})
    browser.post(org.url(f"products/{product}/edit/"), {"product_name": "Quay_Lamp", "description": ""})
    found = api.product_detail(org.gateway(), product, fresh=True).product
    assert (found.name, found.description) == ("Quay_Lamp", "")


def test_an_edit_that_breaks_a_limit_is_said_at_the_field(product, org, sign_in):
    answer = sign_in("operator").post(
        org.url(f"products/{product}/edit/"), {"product_name": "a-b", "description": ""}
    )
    assert answer.status_code == 422
    assert answer.context["form"].errors["product_name"]


def test_publishing_and_taking_it_back_twice_is_the_same_as_once(product, org, sign_in):
    browser = sign_in("operator")
    for page, published in (("publish", True), ("publish", True), ("unpublish", False), ("unpublish", False)):
        assert browser.post(org.url(f"products/{product}/{page}/")).status_code == 302
        assert api.product_detail(org.gateway(), product, fresh=True).published is published


def test_htmx_is_sent_on_after_a_change(product, org, sign_in):
    answer = sign_in("operator").post(org.url(f"products/{product}/publish/"), headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == org.url(f"products/{product}/")


# -- deleting --------------------------------------------------------------------------------------------------------


def test_deleting_asks_for_the_name(product, org, sign_in):
    browser = sign_in("operator")
    wrong = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbour"})
    assert wrong.status_code == 422
    assert api.product_detail(org.gateway(), product, fresh=True)
    right = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbour_Lamp"})
    assert right.status_code == 302
    with pytest.raises(NotFound):
        api.product_detail(org.gateway(), product, fresh=True)


def test_deleting_twice_says_that_it_is_gone(product, org, sign_in):
    browser = sign_in("operator")
    browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbour_Lamp"})
    again = browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbour_Lamp"}, follow=True)
    assert again.status_code == 200
    assert "no longer exists" in again.content.decode()


def test_a_product_with_devices_or_published_is_not_deleted_and_the_way_out_is_shown(product, org, sign_in):
    devices_api.register_device(org.gateway(), product, name="lamp-0001")
    api.publish(org.gateway(), product)
    browser = sign_in("operator")
    for answer in (
        browser.get(org.url(f"products/{product}/delete/")),
        browser.post(org.url(f"products/{product}/delete/"), {"typed": "Harbour_Lamp"}),
    ):
        text = answer.content.decode()
        assert "still has one device" in text
        assert "Unpublish it first" in text
        assert f"devices/?product={product}" in text
        assert f"products/{product}/unpublish/" in text
    assert api.product_detail(org.gateway(), product, fresh=True)


# -- tags, secret ----------------------------------------------------------------------------------------------------


def test_tags_are_added_changed_and_removed(product, org, sign_in):
    browser = sign_in("operator")
    assert said(
        browser.post(org.url(f"products/{product}/tags/set/"), {"tag_key": "quay", "tag_value": "north"})
    ) == ["Tag added."]
    browser.post(org.url(f"products/{product}/tags/set/"), {"tag_key": "quay", "tag_value": "south"})
    assert api.list_tags(org.gateway(), product, fresh=True) == [api.Tag("quay", "south")]
    browser.post(org.url(f"products/{product}/tags/remove/?key=quay"))
    assert api.list_tags(org.gateway(), product, fresh=True) == []
    assert browser.post(org.url(f"products/{product}/tags/remove/?key=quay")).status_code == 302


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [("with space", "v", "tag_key"), ("k" * 31, "v", "tag_key"), ("k", "a b", "tag_value")],
)
def test_a_tags_limits_are_said_at_the_field(product, org, sign_in, key, value, field):
    answer = sign_in("operator").post(
        org.url(f"products/{product}/tags/set/"), {"tag_key": key, "tag_value": value}
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_the_secret_is_shown_only_on_request_and_that_is_recorded(product, org, sign_in):
    browser = sign_in("owner")
    answer = browser.post(org.url(f"products/{product}/secret/"))
    secret = answer.context["secret"]
    assert len(secret) >= 16
    assert "no-store" in answer["Cache-Control"]
    assert AuditRecord.objects.get(operation="QueryProduct").target == product
    for page in ("", "tags/", "devices/"):
        assert secret not in browser.get(org.url(f"products/{product}/{page}")).content.decode()


def test_a_secret_is_not_revealed_to_those_below_the_level_and_the_try_is_recorded(product, org, sign_in):
    answer = sign_in("operator").post(org.url(f"products/{product}/secret/"))
    assert answer.status_code == 403
    assert AuditRecord.objects.get(operation="QueryProduct").outcome == AuditRecord.Outcome.REFUSED
