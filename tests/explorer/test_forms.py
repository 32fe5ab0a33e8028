"""The form of every operation: made from the catalogue, filled by the address, growing row by row, keeping what was typed."""

from __future__ import annotations

import re
from html import unescape

import pytest

from console.cloud.catalogue import Access, operation, operations
from console.explorer.entry import LINES_FROM, lists

HOSTILE = """"><script>alert(1)</script>'{{7*7}}${x}"""


@pytest.fixture
def browser(org, sign_in):
    return sign_in("owner")


def url(org, name: str) -> str:
    return org.url(f"explorer/{name}/")


def inputs(html: str) -> set[str]:
    return set(re.findall(r'<(?:input|select|textarea)[^>]*\sname="([^"]+)"', html))


def values(html: str) -> dict[str, str]:
    """Field names and values of text inputs, textareas and selected options."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            found[name[1]] = unescape(value[1])
    for name, body in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S):
        found[name] = unescape(body)
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        found[name] = unescape(chosen[1]) if chosen else ""
    return found


@pytest.mark.parametrize("name", operations())
def test_every_operation_has_a_form_with_every_parameter(emulator, org, browser, name):
    described = operation(name)
    query = {}
    for base, parameter in lists(described).items():
        if parameter.member:
            query[f"{base}.1.{parameter.member}"] = "1"
        else:
            query[f"{base}.1"] = "1"
    answer = browser.get(url(org, name), query)
    assert answer.status_code == 200
    html = answer.content.decode()
    shown = inputs(html)
    for parameter in described.parameters.values():
        if not parameter.repeated:
            assert parameter.name in shown
        elif parameter.member:
            assert f"{parameter.base}.1.{parameter.member}" in shown
        elif (parameter.max_items or 0) >= LINES_FROM:
            assert f"{parameter.base}.lines" in shown
        else:
            assert f"{parameter.base}.1" in shown
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<[^>]+\son\w+=", html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_opening_a_form_sends_nothing(populated, sign_in):
    page = sign_in("owner").get(
        populated.org.url("explorer/DeleteProduct/"), {"ProductKey": "a1", "typed": "DeleteProduct"}
    )
    assert page.status_code == 200
    assert populated.upstream.writes == []


def test_an_address_fills_the_form_in(emulator, org, browser):
    query = {
        "ProductKey": "a1b2",
        "DeviceName.1": "one",
        "DeviceName.2": HOSTILE,
        "Unknown": "x",
    }
    html = browser.get(url(org, "BatchPub"), query).content.decode()
    found = values(html)
    assert found["ProductKey"] == "a1b2"
    assert (found["DeviceName.1"], found["DeviceName.2"]) == ("one", HOSTILE)
    assert "Unknown" not in found
    assert "<script>alert" not in html


def test_a_list_may_be_repeated_in_the_address_or_given_as_lines(emulator, org, browser):
    html = browser.get(url(org, "BatchPub") + "?DeviceName=a&DeviceName=b").content.decode()
    assert (values(html)["DeviceName.1"], values(html)["DeviceName.2"]) == ("a", "b")
    html = browser.get(url(org, "BatchCheckDeviceNames") + "?DeviceName=a&DeviceName=b").content.decode()
    assert values(html)["DeviceName.lines"] == "a\nb"


def test_the_kind_of_a_parameter_decides_its_field(emulator, org, browser):
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


def test_help_limits_and_rules_are_said(emulator, org, browser):
    html = unescape(browser.get(url(org, "QueryDeviceDetail")).content.decode())
    assert "Give IotId, or ProductKey and DeviceName." in html
    assert operation("QueryDeviceDetail").description in html
    html = unescape(browser.get(url(org, "CreateOTAStaticUpgradeJob")).content.decode())
    assert "With TargetSelection GRAY, also give GrayPercent." in html
    assert "leave out SrcVersion" in html


def test_products_and_devices_are_suggested(fleet, org, browser):
    html = browser.get(url(org, "QueryDeviceDetail")).content.decode()
    assert html.count("<datalist") == 2
    options = browser.get(org.url("explorer/suggest/products/")).content.decode()
    keys = re.findall(r'<option value="([^"]+)"', options)
    assert len(keys) == 6
    found = []
    for key in keys:
        query = {
            "field": "DeviceName.1",
            "product_field": "ProductKey",
            "ProductKey": key,
            "DeviceName.1": "",
        }
        found += re.findall(
            r'<option value="([^"]+)"',
            browser.get(org.url("explorer/suggest/devices/"), query).content.decode(),
        )
    assert len(found) >= 10
    assert browser.get(org.url("explorer/suggest/devices/")).content.decode().strip() == ""
    assert browser.get(org.url("explorer/suggest/other/")).status_code == 404


def test_suggestions_that_cannot_be_had_are_none(emulator, org, browser):
    emulator.faults.add("*", "malformed", times=5)
    answer = browser.get(org.url("explorer/suggest/products/"))
    assert (answer.status_code, answer.content.decode().strip()) == (200, "")


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_added_and_taken_out_without_losing_what_was_typed(emulator, org, browser):
    typed = {"GroupId": "g", "TagString": "{bad", "Device.1.ProductKey": "a", "Device.1.DeviceName": HOSTILE}
    name = "BatchAddDeviceGroupRelations"
    html = browser.post(url(org, name), {**typed, "grow": "Device"}).content.decode()
    found = values(html)
    assert found["Device.1.DeviceName"] == HOSTILE
    assert found["GroupId"] == "g"
    assert {"Device.2.ProductKey", "Device.2.DeviceName"} <= inputs(html)
    assert re.search(r'<input[^>]*name="Device.2.[^>]*autofocus', html)
    assert "is required" not in html
    more = {**typed, "Device.2.ProductKey": "b", "Device.2.DeviceName": "second", "drop": "Device.1"}
    found = values(browser.post(url(org, name), more).content.decode())
    assert found["Device.1.DeviceName"] == "second"
    assert "Device.2.DeviceName" not in found


@pytest.mark.parametrize("nonsense", ["Nothing", "GroupId", "", "Device.9"])
def test_a_row_that_cannot_be_added_or_taken_out_changes_nothing(emulator, org, browser, nonsense):
    name = "BatchAddDeviceGroupRelations"
    for button in ("grow", "drop"):
        answer = browser.post(url(org, name), {"Device.1.DeviceName": "x", button: nonsense})
        assert answer.status_code == 200
        assert values(answer.content.decode())["Device.1.DeviceName"] == "x"


def test_a_list_that_must_be_given_shows_a_first_row(emulator, org, browser):
    assert "DeviceName.1" in inputs(browser.get(url(org, "BatchPub")).content.decode())


# -- mistakes ----------------------------------------------------------------------------------------------------------


def test_mistakes_are_said_at_their_fields_and_nothing_is_sent(populated, sign_in):
    browser, org = sign_in("owner"), populated.org
    typed = {"ProductKey": "a1", "DeviceName.1": "", "DeviceName.2": "b" * 40, "DeviceName.3": "bad name!"}
    answer = browser.post(
        url(org, "BatchAddDeviceGroupRelations"),
        {"GroupId": "", "Device.1.ProductKey": "", "Device.2.ProductKey": "p", "Device.2.DeviceName": ""},
    )
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert errors["GroupId"] == ["This value is required."]
    assert errors["Device.2.DeviceName"] == ["This value is required."]
    assert "Device.1.DeviceName" not in errors
    html = answer.content.decode()
    assert 'aria-invalid="true"' in html
    answer = browser.post(
        url(org, "SaveDeviceProp"), {"ProductKey": "a1", "DeviceName": "d", "Props": "{no json"}
    )
    assert answer.context["form"].errors["Props"] == ["Enter valid JSON."]
    assert values(answer.content.decode())["Props"] == "{no json"
    answer = browser.post(url(org, "QueryDevice"), {"ProductKey": "a1", "PageSize": "many", **typed})
    assert answer.context["form"].errors["PageSize"] == ["Enter an integer."]
    assert values(answer.content.decode())["PageSize"] == "many"
    answer = browser.post(url(org, "QueryDeviceDetail"), {"ProductKey": "a1"})
    assert "one of these is required" in str(answer.context["form"].errors["IotId"]).lower()
    assert populated.upstream.writes == []


def test_a_mistake_in_a_long_list_names_its_line(emulator, org, browser):
    answer = browser.post(
        url(org, "BatchCheckDeviceNames"), {"ProductKey": "a1", "DeviceName.lines": "fine\n\nbad name!\n"}
    )
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        assert answer.context["form"].errors["DeviceName.lines"][0].startswith("2: ")


def test_every_operation_says_what_it_misses_before_anything_is_sent(populated, sign_in):
    """With nothing filled in, whatever needs something is refused here, and never reaches the platform."""
    browser = sign_in("owner")
    for described in operations().values():
        needs = any(p.required and not p.per_item for p in described.parameters.values()) or described.one_of
        if needs and described.access is not Access.READ:
            answer = browser.post(url(populated.org, described.name), {"typed": described.name})
            assert answer.status_code == 422, described.name
            assert answer.context["form"].wrong, described.name
    assert populated.upstream.writes == []


def test_an_operation_that_does_not_exist_is_not_found(emulator, org, browser):
    for name in ("NoSuchThing", "querydevice", "-"):
        assert browser.get(url(org, name)).status_code == 404
        assert browser.post(url(org, name)).status_code == 404
