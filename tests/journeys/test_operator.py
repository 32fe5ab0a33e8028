"""The main tasks in a browser: browse, change, register ten thousand devices, update them."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.registrations import DATA

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def product_key(user, name: str) -> str:
    user.open("products/")
    href = user.page.get_by_role("link", name=name, exact=True).get_attribute("href")
    return href.rstrip("/").split("/")[-1]


def test_a_product_is_created_edited_published_unpublished_and_deleted(open_browser_as):
    me = open_browser_as()
    me.open("products/new/")
    me.page.get_by_label("Name", exact=True).fill("x")
    me.click("Create product")
    me.page.locator(".invalid-feedback").get_by_text("4 to 30").wait_for()  # at the field; the input is kept
    assert me.page.get_by_label("Name", exact=True).input_value() == "x"
    me.page.get_by_label("Name", exact=True).fill("Heat_Pump_HP1")
    me.click("Create product")
    me.page.wait_for_url(re.compile(r"/products/a1\w+/"))
    key = me.page.url.rstrip("/").split("/")[-1]
    me.open(f"products/{key}/edit/")
    me.page.get_by_label("Description").fill("Warm water for a street")
    me.click("Save")
    me.wait_for_text("Warm water for a street")
    for action, state in (("publish", "Published"), ("unpublish", "Developing")):
        me.open(f"products/{key}/{action}/")
        me.page.locator("main form button[type=submit]").last.click()
        me.page.wait_for_url(re.compile(rf"/products/{key}/$"))
        me.wait_for_text(state)
    me.open(f"products/{key}/delete/")
    me.page.locator("[data-expected]").fill("Heat_Pump_HP1")
    me.page.locator("main form button[type=submit]").last.click()
    me.page.wait_for_url(re.compile(r"/products/$"))
    assert me.page.get_by_role("link", name="Heat_Pump_HP1", exact=True).count() == 0
    assert me.console_errors == []


def test_devices_are_searched_filtered_registered_renamed_disabled_enabled_and_deleted(open_browser_as):
    me = open_browser_as()
    key = product_key(me, "Street_Light_SL200")
    me.open(f"devices/new/?product={key}")
    me.page.get_by_label("Device name").fill("journey-lamp-1")
    me.page.get_by_label("Nickname").fill("Lamp_of_the_journey")
    me.click("Register device")
    me.page.locator("main form [name=device_name]").wait_for(
        state="detached"
    )  # else leaving cancels the request
    me.open(f"devices/?product={key}&q=journey-lamp")
    me.page.get_by_role("link", name="journey-lamp-1", exact=True).click()
    me.wait_for_text("Lamp_of_the_journey")
    device = f"devices/{key}/journey-lamp-1/"
    me.open(f"{device}rename/")
    me.page.locator("input[name=nickname]").fill("Renamed_lamp")
    me.click("Save")
    me.wait_for_text("Renamed_lamp")
    me.open(f"{device}disable/")
    me.page.locator("main form button[type=submit]").last.click()
    me.page.wait_for_url(re.compile(r"journey-lamp-1/$"))
    me.wait_for_text("Disabled")
    me.click("Enable")
    me.wait_for_text("Not activated")
    me.open(f"devices/?product={key}&status=ONLINE")
    assert me.page.locator("tbody tr").count() > 0
    assert "journey-lamp-1" not in me.page.content()
    me.open(f"{device}delete/")
    me.page.locator("[data-expected]").fill("journey-lamp-1")
    me.page.locator("main form button[type=submit]").last.click()
    me.page.wait_for_url(lambda url: "journey-lamp-1/delete" not in url)
    assert me.open(device).status == 404


def test_a_subgroup_is_created_and_devices_are_added_and_removed(open_browser_as):
    me = open_browser_as()
    key = product_key(me, "Smart_Meter_DDS720")
    me.open(f"devices/?product={key}")
    name = me.page.locator("tbody tr a").first.inner_text().strip()
    me.open("groups/new/")
    me.page.get_by_label("Name", exact=True).fill("Journey_Group")
    me.click("Create group")
    me.page.wait_for_url(re.compile(r"/groups/\w{10,}/"))
    group = me.page.url.split("/groups/")[1].split("/")[0]
    me.open("groups/")
    me.wait_for_text("Journey_Group")
    me.open(f"groups/{group}/devices/add/")
    me.page.get_by_label("Product").select_option(key)
    me.page.get_by_label("Device names").fill(name)
    me.click("Add to group")
    me.page.wait_for_load_state("networkidle")
    me.open(f"groups/{group}/devices/")
    me.wait_for_text(name)
    me.page.locator("tbody input[name=selected]").first.check()
    me.click("Remove from group")
    me.page.locator("dialog[open] form button[type=submit]").last.click()
    me.page.wait_for_timeout(500)
    me.open(f"groups/{group}/devices/")
    assert me.page.get_by_role("link", name=name, exact=True).count() == 0


def test_ten_thousand_devices_are_registered_from_a_csv_file(open_browser_as):
    me = open_browser_as()
    key = product_key(me, "Smart_Meter_DDS720")
    me.open(f"devices/registrations/new/?product={key}")
    me.page.set_input_files("input[name=file]", DATA / "meters-10000.csv")
    me.click("Check file")
    me.wait_for_text("10,000 devices can be registered", timeout=60_000)
    me.page.get_by_label("Also set tags").uncheck()  # one call for each device takes minutes
    me.click("Register 10,000")
    me.page.get_by_role("progressbar").first.wait_for()
    job = me.page.url
    me.open("products/")  # the user leaves the page and returns
    me.page.goto(job)
    me.wait_for_text("Succeeded", timeout=120_000)
    lines = list(csv.reader(io.StringIO(me.download("result.csv"))))
    assert len(lines) == 10_001
    assert {line[3] for line in lines[1:]} == {"succeeded"}
    me.open(f"devices/?product={key}&q=SM-A4CF1205B4E2")
    assert me.page.get_by_role("link", name="SM-A4CF1205B4E2", exact=True).count() == 1
    assert me.console_errors == []


def test_invalid_rows_are_listed_and_valid_rows_are_registered(open_browser_as):
    me = open_browser_as()
    key = product_key(me, "Street_Light_SL200")
    me.open(f"devices/registrations/new/?product={key}")
    me.page.set_input_files("input[name=file]", DATA / "lamps-messy-semicolon.csv")
    me.click("Check file")
    me.wait_for_text("Errors", timeout=60_000)
    me.wait_for_text("Semicolon")
    me.wait_for_text("ignored")  # the unknown column is named
    bad = me.download("invalid-rows.csv")
    assert "lamp-927877" in bad
    me.page.get_by_role("button", name=re.compile(r"Register \d+ devices")).click()
    me.wait_for_text("Succeeded", timeout=120_000)


def test_a_chinese_spreadsheet_is_read_correctly(open_browser_as):
    me = open_browser_as()
    key = product_key(me, "LoRa_Gateway_LG8")
    me.open(f"devices/registrations/new/?product={key}")
    me.page.set_input_files("input[name=file]", DATA / "gateways-excel-gb18030.csv")
    me.click("Check file")
    me.wait_for_text("1,500 devices can be registered", timeout=60_000)
    me.wait_for_text("GB18030")
    me.wait_for_text("网关_苏州一厂_0000")


def test_a_package_is_uploaded_and_deployed_and_a_batch_is_canceled(open_browser_as, tmp_path: Path):
    me = open_browser_as()
    firmware = tmp_path / "heat-9.bin"
    firmware.write_bytes(b"\x7fFIRMWARE" + bytes(range(256)) * 2_000)
    key = product_key(me, "Environment_Sensor_TH5")
    me.open(f"devices/?product={key}&status=ONLINE")
    names = [me.page.locator("tbody tr").nth(row).locator("a").first.inner_text().strip() for row in (0, 1)]
    me.open("ota/packages/new/")
    me.page.set_input_files("input[name=file]", firmware)
    me.page.get_by_label("Name", exact=True).fill("journey-9")
    me.page.get_by_label("Version", exact=True).fill("9.0.0")
    me.page.get_by_label("Product").select_option(key)
    verify = me.page.get_by_label("Require verification")
    if verify.is_checked():
        verify.uncheck()
    me.click("Create package")
    me.page.wait_for_url(re.compile(r"/ota/packages/(?!new)\w+/"), timeout=30_000)
    me.wait_for_text("9.0.0")
    package = me.page.url.rstrip("/").split("/")[-1]

    def batch(device: str, start: str = "") -> str:
        me.open(f"ota/packages/{package}/batch/")
        me.page.get_by_label("Selected devices").check()
        me.page.get_by_label("Device names").fill(device)
        me.page.get_by_label("Overwrite pending updates").check()
        me.page.locator("input[name=start]").fill(start)
        me.click("Review batch")
        me.wait_for_text("The update has not started yet.")
        me.wait_for_text(device)
        me.page.locator("main form button.btn-primary[type=submit]").last.click()
        me.page.wait_for_url(re.compile(r"/ota/batches/\w+/"), timeout=30_000)
        return me.page.url.rstrip("/").split("/")[-1]

    batch(names[0])
    me.wait_for_text(names[0])
    me.wait_for_text("Completed", timeout=120_000)  # the page refreshes itself; the pace is fast
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    planned = batch(names[1], start=tomorrow.strftime("%Y-%m-%dT%H:%M"))
    me.wait_for_text("Planned")
    me.open(f"ota/batches/{planned}/cancel/")
    me.page.locator("main form button[type=submit]").last.click()
    me.page.wait_for_url(re.compile(rf"/ota/batches/{planned}/$"))
    me.wait_for_text("Canceled")


def test_a_viewer_can_read_and_cannot_change(open_browser_as):
    me = open_browser_as("viewer@demo.example")
    key = product_key(me, "Smart_Meter_DDS720")
    for path in (
        "",
        "products/",
        f"products/{key}/",
        f"devices/?product={key}",
        "groups/",
        "ota/packages/",
        "ota/batches/",
        "jobs/",
    ):
        assert me.open(path).status == 200, path
    me.open(f"products/{key}/")
    assert me.page.get_by_role("link", name="Edit").count() == 0
    token = next(c["value"] for c in me.context.cookies() if c["name"] == "fleetdesk_csrf")
    for path in (
        f"products/{key}/publish/",
        f"products/{key}/delete/",
        "products/new/",
        f"devices/new/?product={key}",
    ):
        response = me.context.request.post(
            f"{me.base}/demo/sandbox/{path}",
            form={"csrfmiddlewaretoken": token, "product_name": "Forged_1", "name": "Smart_Meter_DDS720"},
        )
        assert response.status == 403, path
    me.open("products/")
    assert "Forged_1" not in me.page.content()


def test_a_member_of_another_team_gets_404_everywhere(open_browser_as):
    me = open_browser_as("stranger@other.example")
    for path in (
        "",
        "products/",
        "devices/",
        "groups/",
        "ota/packages/",
        "jobs/",
        "devices/registrations/new/",
    ):
        assert me.open(path).status == 404, path
    assert me.page.goto(f"{me.base}/demo/-/members/").status == 404
