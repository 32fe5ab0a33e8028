"""Forms that read names and files from people, in a browser."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_package_gets_its_name_from_the_file_which_is_sent_only_when_the_form_is_right(open_browser_as):
    me = open_browser_as()
    posted: list[str] = []
    me.page.on("request", lambda request: request.method == "POST" and posted.append(request.url))
    me.open(f"ota/packages/new/?product={me.find_product_key()}")
    file = {
        "name": "meter fw_v7.1.0.bin",
        "mimeType": "application/octet-stream",
        "buffer": b"firmware" * 20_000,
    }
    me.page.set_input_files("input[name=file]", file)
    assert me.page.input_value("[name=name]") == "meter_fw_v7_1_0"
    assert me.page.input_value("[name=version]") == "7.1.0"
    me.page.fill("[name=name]", "meter 9.9.9!")
    me.click("Create package")
    me.page.locator(".invalid-feedback").get_by_text("Start with a letter or digit.").wait_for()
    assert [url.rpartition("/")[2] for url in posted] == ["?check=1"], "the file was sent to be refused"
    me.page.fill("[name=name]", "meter_fw_v7_1_0")
    me.click("Create package")
    me.wait_for_text("Package meter_fw_v7_1_0 created.")
    assert posted[-1].endswith("/ota/packages/new/")
    assert me.console_errors == []
