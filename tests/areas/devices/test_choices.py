"""The devices of a product as checkboxes."""

from __future__ import annotations


def test_the_search_shows_devices_and_keeps_the_selected_ones(register, product, org, sign_in):
    register("lamp-0001", "lamp-0004", "lamp-0005")
    data = {
        "product": product,
        "q": "lamp-0004",
        "device": ["lamp-0001", *(f"lamp-{n:027}" for n in range(100, 290))],
    }
    text = sign_in("operator").post(org.url("devices/find/"), data).content.decode()
    assert 'value="lamp-0001" checked' in text
    assert 'value="lamp-0004"' in text
    assert "lamp-0005" not in text


def test_a_search_for_an_invalid_device_name_is_not_an_error(register, product, org, sign_in):
    register("lamp-0001")
    response = sign_in("operator").post(org.url("devices/find/"), {"product": product, "q": '"x'})
    assert response.status_code == 200
    assert "No device name starts with this text." in response.content.decode()


def test_a_form_to_add_devices_to_a_group_searches_with_it(product, org, sign_in):
    group = org.gateway().call("CreateDeviceGroup", GroupName="Hall_1")["Data"]["GroupId"]
    page = sign_in("operator").get(org.url(f"groups/{group}/devices/add/")).content.decode()
    assert f'hx-post="{org.url("devices/find/")}"' in page


def test_the_search_shows_the_status_of_each_device(register, product, org, sign_in):
    register("lamp-0001")
    page = sign_in("operator").post(org.url("devices/find/"), {"product": product})
    assert "Not activated" in page.content.decode()
