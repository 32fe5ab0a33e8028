"""Tags of products, devices and groups: what all of them have in common."""

from __future__ import annotations

import pytest

from console.areas.devices import api as devices_api
from console.areas.groups import api as groups_api
from console.areas.products import api as products_api
from console.pages.tags import Tag


@pytest.fixture(params=["product", "device", "group"])
def tagged(request, lamp_product, org):
    """The URL of an object with the tag site=harbor, and a function that reads its tags as a dict."""
    gateway, tag = org.gateway(), Tag("site", "harbor")
    if request.param == "product":
        products_api.set_tag(gateway, lamp_product, tag)
        url, read = (
            f"products/{lamp_product}/",
            lambda: products_api.list_tags(gateway, lamp_product, fresh=True),
        )
    elif request.param == "device":
        devices_api.set_tag(gateway, lamp_product, "lamp-1", tag)
        url = f"devices/{lamp_product}/lamp-1/"
        read = lambda: devices_api.list_tags(gateway, lamp_product, "lamp-1", fresh=True)  # noqa: E731
    else:
        group = groups_api.create_group(gateway, name="Region_North").id
        groups_api.set_tag(gateway, group, tag)
        url, read = f"groups/{group}/", lambda: groups_api.list_tags(gateway, group)
    return org.url(url), lambda: {found.key: found.value for found in read()}


def test_a_key_that_exists_is_reported_and_its_value_kept(tagged, sign_in):
    url, read = tagged
    response = sign_in("operator").post(f"{url}tags/set/", {"tag_key": " site ", "tag_value": "airport"})
    assert response.status_code == 422
    assert "This key exists" in str(response.context["form"].errors["tag_key"])
    text = response.content.decode()
    assert "Replace the value “harbor”" in text
    assert 'value="airport"' in text
    assert read() == {"site": "harbor"}


def test_the_value_of_a_key_that_exists_is_replaced_when_the_user_says_so(tagged, sign_in):
    url, read = tagged
    data = {"tag_key": "site", "tag_value": "airport", "replace": "on"}
    assert sign_in("operator").post(f"{url}tags/set/", data).status_code == 302
    assert read() == {"site": "airport"}


def test_other_keys_are_added_and_edited_without_a_question(tagged, sign_in):
    url, read = tagged
    browser = sign_in("operator")
    assert "replace" not in browser.get(f"{url}tags/set/").context["form"].fields
    assert browser.post(f"{url}tags/set/", {"tag_key": "hall", "tag_value": "one"}).status_code == 302
    assert browser.post(f"{url}tags/set/?key=site", {"tag_value": "airport"}).status_code == 302
    assert read() == {"site": "airport", "hall": "one"}


def test_the_overview_has_a_card_with_the_tags(tagged, sign_in):
    url, _read = tagged
    page = sign_in("operator").get(url)
    card = page.context.get("totals_url") or url  # a group's page loads its card
    text = " ".join(sign_in("operator").get(card).content.decode().split())
    for part in ("1 of 100 tags", "harbor", f'href="{url}tags/set/"', "Add tag"):
        assert part in text
    text = sign_in("viewer").get(card).content.decode()
    assert "harbor" in text
    assert "Add tag" not in text
