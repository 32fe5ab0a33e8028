"""The stages of a registration: upload, review, run."""

from __future__ import annotations

import re

import pytest

from console.areas.devices.registration.forms import ColumnsForm
from console.jobs.models import Item, Job
from tests.registrations import DATA
from tests.responses import page_text, read_csv

LAMPS = b"name,nickname\nlamp-0001,Lamp_1\nab,Lamp_2\nlamp-0003,x\nlamp-0003,y\n"


def read_stages(response) -> list[tuple[str, bool]]:
    """Return the stages of a page, each with whether it is the current one."""
    content = response.content.decode()
    found = re.search(r'<ol class="fd-stages".*?</ol>', content, re.S)
    if found is None:
        return []
    stages = re.findall(r"<li([^>]*)>(.*?)</li>", found[0], re.S)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for _attributes, text in stages]
    return [(text, "aria-current" in stage[0]) for text, stage in zip(texts, stages, strict=True)]


def test_each_page_of_a_registration_marks_its_stage(org, sign_in, product, upload_registration, run_job):
    browser = sign_in("operator")
    upload = read_stages(browser.get(org.url("devices/registrations/new/")))
    assert upload == [("1 Upload", True), ("2 Review", False), ("3 Run", False)]
    review = read_stages(upload_registration(LAMPS))
    assert review == [("Upload completed", False), ("2 Review", True), ("3 Run", False)]
    job = Job.objects.get()
    started = browser.post(org.url(f"devices/registrations/{job.pk}/start/"), follow=True)
    assert read_stages(started) == [("Upload completed", False), ("Review completed", False), ("3 Run", True)]
    run_job(job)
    assert read_stages(browser.get(org.url(f"jobs/{job.pk}/"))) == [], "nothing is left to do"


def test_the_review_shows_the_numbers_the_actions_the_errors_and_then_the_devices(upload_registration):
    words = page_text(upload_registration((DATA / "lamps-messy-semicolon.csv").read_bytes(), "lamps.csv"))
    order = [
        "Rows in the file 938", "Valid devices 899", "Rows with errors 39 49 errors", "Nothing has been sent yet.",
        "Register 899 devices", "Correct the file", "Download invalid rows (CSV)", "Errors", "24 Duplicate device name.",
        "First valid devices", "File format",
    ]  # fmt: skip
    positions = [words.index(text, words.index(order[0])) for text in order]
    assert positions == sorted(positions)


def test_the_errors_of_a_kind_are_closed_until_they_are_asked_for(upload_registration):
    content = upload_registration(LAMPS).content.decode()
    assert content.count('<details class="fd-finding">') == 2
    assert 'fd-finding" open' not in content


def test_doubtful_names_are_shown_because_a_user_has_to_compare_them(upload_registration):
    content = upload_registration(b"name\nlamp-0001\nJun-08\n").content.decode()
    assert content.count('<details class="fd-finding" open>') == 1


def test_a_list_without_a_valid_row_cannot_be_started_and_asks_for_a_corrected_file(
    org, sign_in, product, upload_registration
):
    response = upload_registration(b"name\nab\nx y\n")
    words, content = page_text(response), response.content.decode()
    job = Job.objects.get()
    assert (job.state, job.error_text) == (Job.State.REJECTED, "All rows have errors.")
    assert "Cannot be started" in words
    assert "Register 0 devices" not in words
    primary = re.search(r'<a class="btn btn-primary"[^>]*href="([^"]*)"', content)
    assert primary is not None
    assert primary[1] == org.url(f"devices/registrations/new/?product={product}")
    rows = read_csv(sign_in("operator").get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv")))
    assert [row["name"] for row in rows] == ["ab", "x y"]


def test_a_list_without_a_valid_row_can_be_read_with_other_columns(org, sign_in, upload_registration):
    upload_registration("name;设备\nab;Lamp\ncd;Lamp2\n".encode().replace("设备".encode(), b"other"))
    job = Job.objects.get()
    assert job.state == Job.State.REJECTED
    assert "name" in ColumnsForm(["name", "other"]).fields
    choice = {"name": "1", "nickname": "", "encoding": ""}
    sign_in("operator").post(org.url(f"devices/registrations/{job.pk}/columns/"), choice)
    job.refresh_from_db()
    assert (job.state, job.total, job.error) == (Job.State.READY, 2, None)


@pytest.mark.parametrize(("count", "is_shown"), [(40, False), (400, True)])
def test_the_time_for_tags_is_shown_if_it_is_worth_mentioning(upload_registration, count, is_shown):
    rows = "".join(f"lamp-{n:04d},north\n" for n in range(count))
    response = upload_registration(f"name,tag:site\n{rows}".encode())
    assert ("longer" in page_text(response)) == is_shown
    assert re.search(r'<input[^>]*id="set-tags"[^>]* checked>', response.content.decode())


def test_errors_of_a_corrected_file_replace_those_of_the_first_one(org, sign_in, upload_registration):
    browser = sign_in("operator")
    upload_registration(b"name,site\nab,x\ncd,y\n")
    for corrected in ("lamp-0001", "lamp-0002"):
        job = Job.objects.latest("pk")
        response = browser.get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv"))
        content = b"".join(response.streaming_content).decode("utf-8-sig")
        assert content.splitlines()[0] == "name,site,fleetdesk_error"
        assert all(
            line.endswith("The device name must have 4 to 32 characters.")
            for line in content.splitlines()[1:]
        )
        upload_registration(re.sub(r"(?m)^(ab|cd),", f"{corrected},", content, count=1).encode())
    assert not Item.objects.filter(job=Job.objects.latest("pk"), outcome=Item.Outcome.SKIPPED).exists()


def test_rows_that_the_platform_rejected_are_downloaded_with_the_reason(
    org, sign_in, product, upload_registration, run_job
):
    org.gateway().call("RegisterDevice", ProductKey=product, DeviceName="lamp-0002")
    upload_registration(b"name,note\nlamp-0001,a\nlamp-0002,b\n")
    browser, job = sign_in("operator"), Job.objects.get()
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    run_job(job)
    (row,) = read_csv(browser.get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv")))
    assert row["name"] == "lamp-0002"
    assert row["fleetdesk_error"] == "The product already has a device with this name."


def test_the_rows_of_a_registration_lead_to_the_devices_that_exist(
    org, sign_in, product, upload_registration, run_job
):
    upload_registration(b"name\nlamp-0001\nab\n")
    browser, job = sign_in("operator"), Job.objects.get()
    browser.post(org.url(f"devices/registrations/{job.pk}/start/"))
    run_job(job)
    content = browser.get(org.url(f"jobs/{job.pk}/")).content.decode()
    assert f'href="{org.url(f"devices/{product}/lamp-0001/")}"' in content
    assert f"devices/{product}/ab/" not in content


def test_the_job_that_collected_secrets_leads_to_their_download(org, sign_in, upload_registration, run_job):
    upload_registration(b"name\nlamp-0001\n")
    job, owner = Job.objects.get(), sign_in("owner")
    owner.post(org.url(f"devices/registrations/{job.pk}/start/"))
    run_job(job)
    owner.post(org.url(f"devices/registrations/{job.pk}/secrets/"))
    collecting = Job.objects.get(kind="devices.secrets")
    address = org.url(f"devices/registrations/{job.pk}/secrets.csv")
    assert address not in owner.get(org.url(f"jobs/{collecting.pk}/")).content.decode()
    run_job(collecting)
    assert address in owner.get(org.url(f"jobs/{collecting.pk}/")).content.decode()


def reread(org, sign_in, **choices):
    """Read the file of the only job again, and return its page."""
    job = Job.objects.get()
    browser = sign_in("operator")
    form = {"name": "0", "nickname": "", "encoding": "", "separator": "", **choices}
    return browser.post(org.url(f"devices/registrations/{job.pk}/columns/"), form, follow=True)


def test_a_file_is_read_again_with_the_separator_that_the_user_selects(org, sign_in, upload_registration):
    page = upload_registration(b"DeviceName|SN;Nickname\nlamp-0001|7;Lamp_1\nlamp-0002|8;Lamp_2\n")
    assert "No column has the heading" in page_text(page), "both separators look right"
    page = reread(org, sign_in, separator="|")
    assert "2 devices can be registered" in page_text(page)
    assert '<option value="|" selected>' in page.content.decode()


def test_of_two_columns_of_names_the_user_selects_one(org, sign_in, upload_registration):
    page = upload_registration(b"DeviceName,DeviceID\nlamp-0001,1001\n")
    assert "Two columns have the same meaning" in page_text(page)
    assert "Column 2: DeviceID" in page_text(page)
    page = reread(org, sign_in, name="1")
    assert Item.objects.get().key == "1001"


def test_the_review_says_why_a_column_is_ignored(upload_registration):
    page = page_text(upload_registration(b"name,tag:site,tag:site,,note\nlamp-0001,north,south,x,y\n"))
    assert "tag:site ignored: an earlier column has this tag" in page
    assert "– ignored: no heading" in page
    assert "note ignored" in page
    assert Item.objects.get().data == {"tags": {"site": "north"}}


def test_an_invisible_character_is_named(upload_registration):
    page = page_text(upload_registration("name\nlamp\u200b-0001\nlamp-0002\n".encode()))
    assert "U+200B ZERO WIDTH SPACE" in page


def test_equal_numbers_that_a_spreadsheet_may_have_made_are_not_called_plain_duplicates(upload_registration):
    page = page_text(upload_registration(b"name\n1E12\n1E12\nlamp-0001\nlamp-0001\n"))
    assert "A spreadsheet may have turned different names into this number or date." in page
    assert "first used in row 2" in page
    assert [
        item.data["findings"][0][0] for item in Item.objects.filter(outcome="skipped").order_by("number")
    ] == [
        "duplicate_changed",
        "duplicate",
    ]


def test_a_file_that_was_registered_before_is_named_with_its_job(
    org, sign_in, upload_registration, run_job, product
):
    browser = sign_in("operator")
    assert "already registered this file" not in page_text(upload_registration(LAMPS))
    first = Job.objects.get()
    assert "already registered this file" not in page_text(upload_registration(LAMPS)), "it was not started"
    browser.post(org.url(f"devices/registrations/{first.pk}/start/"))
    run_job(first)
    again = upload_registration(LAMPS, "other-name.csv")
    assert f"Job {first.pk} already registered this file" in page_text(again)
    assert f'href="{org.url(f"jobs/{first.pk}/")}"' in again.content.decode()
    assert "already registered" not in page_text(upload_registration(LAMPS + b"lamp-0004,\n"))


def test_rows_with_the_key_of_another_product_are_to_be_checked(upload_registration, product):
    file = f"DeviceName,ProductKey\nlamp-0001,{product}\nlamp-0002,a1otherkey1\nlamp-0003,\n"
    words = page_text(upload_registration(file.encode()))
    assert "Valid devices 3" in words
    assert "1 These rows have the ProductKey of another product." in words
    assert "a1otherkey1" in words
