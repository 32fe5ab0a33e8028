"""Registering devices from a list, as a user does it."""

from __future__ import annotations

import re

import pytest

from console.audit.models import AuditRecord
from console.jobs.models import Item, Job
from tests.registrations import DATA, device_count
from tests.responses import page_text, read_csv


def test_ten_thousand_devices_are_registered_from_an_uploaded_file(
    org, sign_in, product, upload_registration, run_job
):
    before = device_count(org, product)
    page = upload_registration((DATA / "meters-10000.csv").read_bytes(), "meters-10000.csv")
    job = Job.objects.get()
    assert "10,000 devices can be registered" in page_text(page)
    assert "No errors found." in page_text(page)
    assert device_count(org, product) == before, "nothing is sent before the start"
    browser = sign_in("operator")
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert run_job(job).state == Job.State.SUCCEEDED
    assert device_count(org, product) == before + 10_000
    lines = read_csv(browser.get(org.url(f"jobs/{job.pk}/result.csv")))
    assert len(lines) == 10_000
    assert {line["outcome"] for line in lines} == {"succeeded"}
    assert lines[0]["device_name"] == "SM-A4CF1205B4E2"
    found = org.gateway().call("QueryDeviceDetail", ProductKey=product, DeviceName="SM-A4CF1205B4E2")
    assert found["Data"]["Nickname"] == "Meter_Hangzhou_2_00000"


def test_a_chinese_excel_file_is_read_correctly(org, sign_in, product, upload_registration, run_job):
    page = upload_registration((DATA / "gateways-excel-gb18030.csv").read_bytes(), "网关.csv")
    assert "1,500 devices can be registered" in page_text(page)
    assert "GB18030" in page_text(page)
    job = Job.objects.get()
    sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert run_job(job).counts == {"succeeded": 1500}
    found = org.gateway().call("QueryDeviceDetail", ProductKey=product, DeviceName="GW747557600949243")
    assert found["Data"]["Nickname"] == "网关_苏州一厂_0000"


def test_a_messy_file_shows_its_errors_and_starts_without_the_invalid_rows(
    org, sign_in, product, upload_registration, run_job
):
    page = upload_registration((DATA / "lamps-messy-semicolon.csv").read_bytes(), "lamps.csv")
    words = page_text(page)
    assert "Rows in the file 938" in words
    assert "Valid devices 899" in words
    assert "Rows with errors 39 49 errors" in words
    assert "39 rows have errors" in words
    assert "4 empty rows skipped" in words
    assert "comment ignored" in words
    assert "first used in row 10" in words
    job = Job.objects.get()
    browser = sign_in("operator")
    findings = read_csv(browser.get(org.url(f"devices/registrations/{job.pk}/findings.csv")))
    assert {f["rule"] for f in findings} == {
        "duplicate", "name_missing", "name_length", "name_chars", "nickname_length", "nickname_chars",
    }  # fmt: skip
    assert {
        "row": "11",
        "column": "Device name",
        "rule": "duplicate",
        "value": "lamp-927877",
    }.items() <= findings[0].items()
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert run_job(job).counts == {"succeeded": 899}
    result = read_csv(browser.get(org.url(f"jobs/{job.pk}/result.csv")))
    assert len(result) == 938
    assert sum(line["outcome"] == "skipped" for line in result) == 39


def test_invalid_rows_are_downloaded_in_the_layout_of_the_file_for_a_corrected_upload(
    org, sign_in, upload_registration
):
    upload_registration(
        "device name;Nick name;site\n=cmd();Lamp_1;x\nlamp-0001;Lamp_1;y\nab;Lamp_2;z\n".encode("gb18030")
    )
    job = Job.objects.get()
    response = sign_in("operator").get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv"))
    content = b"".join(response.streaming_content).decode("utf-8")
    assert content == (
        "\ufeffdevice name;Nick name;site;fleetdesk_error\r\n"
        "'=cmd();Lamp_1;x;The device name can contain only English letters, digits and - _ . : @.\r\n"
        "ab;Lamp_2;z;The device name must have 4 to 32 characters.\r\n"
    )
    corrected = content.replace("'=cmd()", "'@cmd").replace("ab;", "abcd;")
    page = upload_registration(corrected.encode())
    assert "2 devices can be registered" in page_text(page)
    assert set(Item.objects.exclude(job=job).values_list("key", flat=True)) == {"@cmd", "abcd"}


def test_existing_names_are_reported_and_not_counted_as_created(
    org, sign_in, product, upload_registration, run_job
):
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="lamp-0002")
    upload_registration(b"device name\nlamp-0001\nlamp-0002\nlamp-0003\n")
    job = Job.objects.get()
    browser = sign_in("operator")
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    job = run_job(job)
    assert job.counts == {"succeeded": 2, "unchanged": 1}
    assert (job.state, job.succeeded, job.failed) == (Job.State.PARTIAL, 2, 1)
    result = read_csv(browser.get(org.url(f"jobs/{job.pk}/result.csv")))
    assert [line["outcome"] for line in result] == ["succeeded", "unchanged", "succeeded"]
    assert result[1]["reason"] == "The product already has a device with this name."


def test_uploading_the_same_file_again_creates_nothing(org, sign_in, product, upload_registration, run_job):
    browser = sign_in("operator")
    for counts in ({"succeeded": 300}, {"unchanged": 300}):
        upload_registration(b"name\n" + b"".join(b"dev-%04d\n" % n for n in range(300)))
        job = Job.objects.latest("pk")
        browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
        assert run_job(job).counts == counts
    assert job.state == Job.State.PARTIAL


def test_two_clicks_on_start_start_the_job_once(org, sign_in, product, upload_registration, run_job):
    before = device_count(org, product)
    upload_registration(b"name\ndev-0001\ndev-0002\n")
    job = Job.objects.get()
    browser = sign_in("operator")
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    run_job(job)
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert run_job(job).counts == {"succeeded": 2}
    assert device_count(org, product) == before + 2
    assert AuditRecord.objects.filter(operation="BatchRegisterDeviceWithApplyId").count() == 1


def test_names_are_generated_before_anything_is_sent(org, sign_in, product, run_job):
    browser = sign_in("operator")
    data = {"product": product, "count": "1200", "name_prefix": "LAMP-"}
    page = browser.post(org.url("devices/registrations/new/?by=count"), data, follow=True)
    assert "1,200 devices can be registered" in page_text(page)
    job = Job.objects.get()
    names = set(Item.objects.values_list("key", flat=True))
    assert len(names) == 1200
    assert all(re.fullmatch(r"LAMP-[a-z0-9]{16}", name) for name in names)
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    assert run_job(job).counts == {"succeeded": 1200}


def test_tags_are_set_if_the_user_chooses_it(org, sign_in, product, upload_registration, run_job):
    upload_registration("设备名称,标签:厂区\ndev-0001,苏州\ndev-0002,\n".encode())
    job = Job.objects.get()
    sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/start/"), {"tags": "on"})
    assert run_job(job).state == Job.State.SUCCEEDED
    props = org.gateway().call("QueryDeviceProp", ProductKey=product, DeviceName="dev-0001")
    assert "苏州" in str(props)


def test_tags_are_not_set_by_default(org, sign_in, product, upload_registration, run_job):
    upload_registration(b"name,tag:site\ndev-0001,east\n")
    job = Job.objects.get()
    sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/start/"))
    run_job(job)
    assert not AuditRecord.objects.filter(operation="SaveDeviceProp").exists()


def test_a_draft_can_be_discarded(org, sign_in, upload_registration):
    upload_registration(b"name\ndev-0001\n")
    job = Job.objects.get()
    page = sign_in("operator").post(org.url(f"jobs/{job.pk}/discard/"), follow=True)
    assert "Nothing was sent" in page_text(page)
    assert not Job.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "release-engineer"])
def test_without_the_right_to_register_a_member_can_view_but_not_change_a_job(
    org, sign_in, upload_registration, product, role
):
    assert upload_registration(b"name\ndev-0001\n", role=role).status_code == 403
    assert not Job.objects.exists()
    upload_registration(b"name\ndev-0001\n")
    job = Job.objects.get()
    browser = sign_in(role)
    assert browser.get(org.url("devices/registrations/new/")).status_code == 403
    page = browser.get(org.url(f"jobs/{job.pk}/"))
    assert page.status_code == 200
    assert "/start/" not in page.content.decode()
    for action in (
        f"jobs/{job.pk}/discard/",
        f"jobs/{job.pk}/cancel/",
        f"jobs/{job.pk}/retry/",
        f"devices/registrations/{job.pk}/start/",
        f"devices/registrations/{job.pk}/columns/",
        f"devices/registrations/{job.pk}/secrets/",
    ):
        assert browser.post(org.url(action)).status_code == 403
    job.refresh_from_db()
    assert job.state == Job.State.READY


def test_another_team_cannot_see_the_job(org, sign_in, upload_registration):
    upload_registration(b"name\ndev-0001\n")
    job = Job.objects.get()
    browser = sign_in("outsider")
    assert browser.get(org.url(f"jobs/{job.pk}/")).status_code == 404
    theirs = f"/{org.other_team.slug}/{org.other_connection.slug}"
    pages, registrations = f"{theirs}/jobs/{job.pk}", f"{theirs}/devices/registrations/{job.pk}"
    for rest in ("", "live/", "result.csv"):
        assert browser.get(f"{pages}/{rest}").status_code == 404
    for rest in ("findings.csv", "invalid-rows.csv", "secrets.csv"):
        assert browser.get(f"{registrations}/{rest}").status_code == 404
    for rest in ("discard/", "cancel/", "retry/"):
        assert browser.post(f"{pages}/{rest}").status_code == 404
    for rest in ("start/", "secrets/", "columns/"):
        assert browser.post(f"{registrations}/{rest}").status_code == 404


def test_a_platform_error_is_shown_in_the_registration_form(org, sign_in, emulator):
    emulator.faults.add("QueryProductList", kind="error", times=50)
    page = sign_in("operator").get(org.url("devices/registrations/new/"))
    assert page.status_code == 200
    assert "InternalError" in page_text(page)


def test_a_download_contains_no_formulas(org, sign_in, upload_registration):
    upload_registration(b'name,nickname\n"=HYPERLINK(""x"")",Lamp_1\n+lamp0001,@SUM\n')
    job = Job.objects.get()
    browser = sign_in("viewer")
    for address in (
        "jobs/{}/result.csv",
        "devices/registrations/{}/findings.csv",
        "devices/registrations/{}/invalid-rows.csv",
    ):
        content = b"".join(browser.get(org.url(address.format(job.pk))).streaming_content).decode()
        for line in content.splitlines():
            assert not any(cell.strip('"').startswith(("=", "+", "@", "-")) for cell in line.split(","))


def test_outcomes_have_the_labels_of_registrations(org, sign_in, start_registration, run_job):
    for counts in ({"succeeded": 2}, {"unchanged": 2}):
        job = run_job(start_registration(2))
        assert job.counts == counts
        response = sign_in("viewer").get(org.url(f"jobs/{job.pk}/"))
        choices = dict(response.context["filters"].fields["outcome"].choices)
        assert (choices["succeeded"], choices["unchanged"]) == ("Created", "Already exists")
        assert str(choices[next(iter(counts))]) in page_text(response)
