"""The form of every operation: made from the catalogue, filled in by the address, with rows to add, keeping its input."""

from __future__ import annotations

import re
from html import unescape

import pytest

from console.areas.groups import api as groups_api
from console.explorer.call_input import MULTILINE_FROM, list_parameters
from iot_client.catalogue import Access, operation, operations
from tests.explorer.forms import field_values

HOSTILE = """"><script>alert(1)</script>'{{7*7}}${x}"""


@pytest.fixture
def browser(org, sign_in):
    return sign_in("owner")


def url(org, name: str) -> str:
    return org.url(f"explorer/{name}/")


def field_names(html: str) -> set[str]:
    return set(re.findall(r'<(?:input|select|textarea)[^>]*\sname="([^"]+)"', html))


@pytest.mark.parametrize("name", operations())
def test_every_operation_has_a_form_with_every_parameter(emulator, org, browser, name):
    catalogued = operation(name)
    query = {}
    for base, parameter in list_parameters(catalogued).items():
        if parameter.member:
            query[f"{base}.1.{parameter.member}"] = "1"
        else:
            query[f"{base}.1"] = "1"
    response = browser.get(url(org, name), query)
    assert response.status_code == 200
    html = response.content.decode()
    shown = field_names(html)
    for parameter in catalogued.parameters.values():
        if not parameter.repeated:
            assert parameter.name in shown
        elif parameter.member:
            assert f"{parameter.base}.1.{parameter.member}" in shown
        elif (parameter.max_items or 0) >= MULTILINE_FROM:
            assert f"{parameter.base}.lines" in shown
        else:
            assert f"{parameter.base}.1" in shown
    assert not re.search(r'<[^>]+\sstyle=["\']', html)
    assert not re.search(r"<[^>]+\son\w+=", html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_opening_a_form_sends_nothing(populated, sign_in):
    page = sign_in("owner").get(
        populated.org.url("explorer/DeleteProduct/"), {"ProductKey": "a1", "typed": "DeleteProduct"}
    )
    assert page.status_code == 200
    assert populated.upstream.writes == []


def test_the_address_fills_in_the_form(emulator, org, browser):
    query = {
        "ProductKey": "a1b2",
        "DeviceName.1": "one",
        "DeviceName.2": HOSTILE,
        "Unknown": "x",
    }
    html = browser.get(url(org, "BatchPub"), query).content.decode()
    values = field_values(html)
    assert values["ProductKey"] == "a1b2"
    assert (values["DeviceName.1"], values["DeviceName.2"]) == ("one", HOSTILE)
    assert "Unknown" not in values
    assert "<script>alert" not in html


def test_a_list_may_be_repeated_in_the_address_or_sent_as_lines(emulator, org, browser):
    html = browser.get(url(org, "BatchPub") + "?DeviceName=a&DeviceName=b").content.decode()
    assert (field_values(html)["DeviceName.1"], field_values(html)["DeviceName.2"]) == ("a", "b")
    html = browser.get(url(org, "BatchCheckDeviceNames") + "?DeviceName=a&DeviceName=b").content.decode()
    assert field_values(html)["DeviceName.lines"] == "a\nb"


def test_the_type_of_a_parameter_determines_its_field(emulator, org, browser):
    html = browser.get(url(org, "CreateProduct")).content.decode()
    assert re.search(r'<select[^>]*name="NodeType"', html)
    assert re.search(
        r'<select[^>]*name="PublishAuto".*?<option value="" selected>.*?true.*?false', html, re.S
    )
    html = browser.get(url(org, "QueryDevice")).content.decode()
    assert re.search(
        r'<input[^>]*name="PageSize"[^>]*inputmode="numeric"|inputmode="numeric"[^>]*name="PageSize"', html
    )
    assert "1 to 50" in html
    html = browser.get(url(org, "SaveDeviceProp")).content.decode()
    assert re.search(r'<textarea[^>]*name="Props"', html)


def test_help_limits_and_rules_are_shown(emulator, org, browser):
    html = unescape(browser.get(url(org, "QueryDeviceDetail")).content.decode())
    assert "Enter IotId, or ProductKey and DeviceName." in html
    assert operation("QueryDeviceDetail").description in html
    html = unescape(browser.get(url(org, "CreateOTAStaticUpgradeJob")).content.decode())
    assert "For TargetSelection GRAY, also enter GrayPercent." in html
    assert "leave SrcVersion empty" in html
    html = unescape(browser.get(url(org, "RegisterDevice")).content.decode())
    assert "also enter DevEui, JoinEui and AppKey." in html


def test_products_and_devices_are_suggested(fleet, org, browser):
    html = browser.get(url(org, "QueryDeviceDetail")).content.decode()
    assert html.count("<datalist") == 2
    options = browser.get(org.url("explorer/suggest/products/")).content.decode()
    keys = re.findall(r'<option value="([^"]+)"', options)
    assert len(keys) == 6
    values = []
    for key in keys:
        query = {
            "field": "DeviceName.1",
            "product_field": "ProductKey",
            "ProductKey": key,
            "DeviceName.1": "",
        }
        values += re.findall(
            r'<option value="([^"]+)"',
            browser.get(org.url("explorer/suggest/devices/"), query).content.decode(),
        )
    assert len(values) >= 10
    assert browser.get(org.url("explorer/suggest/devices/")).content.decode().strip() == ""
    assert browser.get(org.url("explorer/suggest/other/")).status_code == 404


def test_there_are_no_suggestions_if_the_platform_fails(emulator, org, browser):
    emulator.faults.add("*", "malformed", times=5)
    response = browser.get(org.url("explorer/suggest/products/"))
    assert (response.status_code, response.content.decode().strip()) == (200, "")
    assert "X-Unavailable" in response.headers


def test_a_group_is_suggested_by_its_key_and_an_unknown_key_is_not(fleet, org, browser):
    group = groups_api.list_groups(org.gateway()).groups[0]
    address = org.url("explorer/suggest/groups/")
    assert group.name in browser.get(address, {"field": "q", "q": group.id}).content.decode()
    response = browser.get(address, {"field": "q", "q": "never-was-one"})
    assert response.content.decode().strip() == ""
    assert "X-Unavailable" not in response.headers


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_added_and_removed_without_losing_input(emulator, org, browser):
    typed = {"GroupId": "g", "TagString": "{bad", "Device.1.ProductKey": "a", "Device.1.DeviceName": HOSTILE}
    name = "BatchAddDeviceGroupRelations"
    html = browser.post(url(org, name), {**typed, "add_row": "Device"}).content.decode()
    values = field_values(html)
    assert values["Device.1.DeviceName"] == HOSTILE
    assert values["GroupId"] == "g"
    assert {"Device.2.ProductKey", "Device.2.DeviceName"} <= field_names(html)
    assert re.search(r'<input[^>]*name="Device.2.[^>]*autofocus', html)
    assert "is required" not in html
    more = {**typed, "Device.2.ProductKey": "b", "Device.2.DeviceName": "second", "remove_row": "Device.1"}
    values = field_values(browser.post(url(org, name), more).content.decode())
    assert values["Device.1.DeviceName"] == "second"
    assert "Device.2.DeviceName" not in values


@pytest.mark.parametrize("nonsense", ["Nothing", "GroupId", "", "Device.9"])
def test_adding_or_removing_an_invalid_row_changes_nothing(emulator, org, browser, nonsense):
    name = "BatchAddDeviceGroupRelations"
    for button in ("add_row", "remove_row"):
        response = browser.post(url(org, name), {"Device.1.DeviceName": "x", button: nonsense})
        assert response.status_code == 200
        assert field_values(response.content.decode())["Device.1.DeviceName"] == "x"


def test_a_required_list_shows_a_first_row(emulator, org, browser):
    assert "DeviceName.1" in field_names(browser.get(url(org, "BatchPub")).content.decode())


# -- errors ------------------------------------------------------------------------------------------------------------


def test_errors_are_shown_at_their_fields_and_nothing_is_sent(populated, sign_in):
    browser, org = sign_in("owner"), populated.org
    typed = {"ProductKey": "a1", "DeviceName.1": "", "DeviceName.2": "b" * 40, "DeviceName.3": "bad name!"}
    response = browser.post(
        url(org, "BatchAddDeviceGroupRelations"),
        {"GroupId": "", "Device.1.ProductKey": "", "Device.2.ProductKey": "p", "Device.2.DeviceName": ""},
    )
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert errors["GroupId"] == ["This value is required."]
    assert errors["Device.2.DeviceName"] == ["This value is required."]
    assert "Device.1.DeviceName" not in errors
    html = response.content.decode()
    assert 'aria-invalid="true"' in html
    response = browser.post(
        url(org, "SaveDeviceProp"), {"ProductKey": "a1", "DeviceName": "d", "Props": "{no json"}
    )
    assert response.context["form"].errors["Props"] == ["Enter valid JSON."]
    assert field_values(response.content.decode())["Props"] == "{no json"
    response = browser.post(url(org, "QueryDevice"), {"ProductKey": "a1", "PageSize": "many", **typed})
    assert response.context["form"].errors["PageSize"] == ["Enter an integer."]
    assert field_values(response.content.decode())["PageSize"] == "many"
    response = browser.post(url(org, "QueryDeviceDetail"), {"ProductKey": "a1"})
    assert "one of these is required" in str(response.context["form"].errors["IotId"]).lower()
    assert populated.upstream.writes == []


def test_an_error_in_a_long_list_names_its_line(emulator, org, browser):
    response = browser.post(
        url(org, "BatchCheckDeviceNames"), {"ProductKey": "a1", "DeviceName.lines": "fine\n\nbad name!\n"}
    )
    assert response.status_code in (200, 422)
    if response.status_code == 422:
        assert response.context["form"].errors["DeviceName.lines"][0].startswith("2: ")


def test_every_operation_reports_missing_parameters_before_anything_is_sent(populated, sign_in):
    """An empty form with required parameters is refused by the console and never reaches the platform."""
    browser = sign_in("owner")
    for catalogued in operations().values():
        has_required = (
            any(p.required and not p.per_item for p in catalogued.parameters.values()) or catalogued.one_of
        )
        if has_required and catalogued.access is not Access.READ:
            response = browser.post(url(populated.org, catalogued.name), {"typed": catalogued.name})
            assert response.status_code == 422, catalogued.name
            assert response.context["form"].has_errors, catalogued.name
    assert populated.upstream.writes == []


def test_an_operation_that_does_not_exist_is_not_found(emulator, org, browser):
    for name in ("NoSuchThing", "querydevice", "-"):
        assert browser.get(url(org, name)).status_code == 404
        assert browser.post(url(org, name)).status_code == 404


def test_a_required_and_an_optional_choice_look_different(emulator, org, browser):
    html = browser.get(url(org, "CreateProduct")).content.decode()
    labels = dict(re.findall(r'<label class="form-label" for="id_(\w+)">(.*?)</label>', html, re.DOTALL))
    for parameter in operation("CreateProduct").parameters.values():
        assert ("fd-optional" in labels[parameter.name]) is not parameter.required, parameter.name
