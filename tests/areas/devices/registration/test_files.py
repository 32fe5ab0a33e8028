"""Files of registrations are read correctly, or the user gets an error with row, column and rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from console.jobs.models import Item, Job, Part
from tests.areas.devices.registration.names import CHINESE, NAMES, read_names
from tests.responses import page_text


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("gb18030", "GB18030"),
    ],
)
def test_every_encoding_of_a_spreadsheet_is_read_correctly(upload_registration, encoding, shown):
    page = upload_registration(CHINESE.encode(encoding))
    assert read_names() == NAMES
    assert Item.objects.get(key="lamp-0002").label == "路灯_二号"
    assert shown in page_text(page)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_line_end_is_read(upload_registration, separator, end):
    lines = [
        separator.join(cells) for cells in (["DeviceName", "NickName"], *([name, "Lamp_1"] for name in NAMES))
    ]
    upload_registration(end.join(lines).encode())
    assert read_names() == NAMES
    assert Item.objects.first().label == "Lamp_1"


@pytest.mark.parametrize(
    "header",
    [
        "DeviceName",
        "device_name",
        " Device Name ",
        "\ufeffdevice-name",
        "NAME",
        "device",
        "设备名称",
        "设备名称(必填)",
        "ＤｅｖｉｃｅＮａｍｅ",
        '"DeviceName"',
        "sep=,\nDeviceName",
    ],
)
def test_headings_are_recognized_in_many_spellings(upload_registration, header):
    upload_registration(f"{header}\nlamp-0001\nlamp-0002\nlamp-0003\n".encode())
    assert read_names() == NAMES


def test_a_list_without_a_header_is_accepted_with_a_note(upload_registration):
    page = upload_registration(b"lamp-0001\nlamp-0002\nlamp-0003")
    assert read_names() == NAMES
    assert "The file has no header" in page_text(page)


def test_an_unknown_header_is_reported_and_the_user_can_map_the_columns(org, sign_in, upload_registration):
    page = upload_registration(b"Serial,Label\nlamp-0001,Lamp_1\nlamp-0002,Lamp_2\n")
    assert "No column has the heading \u201cdevice name\u201d" in page_text(page).replace("&ldquo;", "\u201c")
    assert "Serial | Label" in page_text(page)
    job = Job.objects.get()
    assert job.state == Job.State.REJECTED
    page = sign_in("operator").post(
        org.url(f"devices/registrations/{job.pk}/columns/"), {"name": 0, "nickname": 1}, follow=True
    )
    assert "2 devices can be registered" in page_text(page)
    assert read_names() == NAMES[:2]
    assert Item.objects.first().label == "Lamp_1"


def test_the_user_can_mark_the_first_row_as_a_device(org, sign_in, upload_registration):
    upload_registration(b"alpha\nbravo\ncharlie\n")
    job = Job.objects.get()
    assert job.state == Job.State.REJECTED, "a word alone may be a heading"
    sign_in("operator").post(
        org.url(f"devices/registrations/{job.pk}/columns/"), {"name": 0, "headless": "on"}
    )
    assert read_names() == ["alpha", "bravo", "charlie"]


def test_unknown_columns_are_shown_as_ignored(upload_registration):
    page = upload_registration(b"comment,DeviceName,site\nx,lamp-0001,y\n")
    assert "comment ignored" in page_text(page)
    assert "site ignored" in page_text(page)
    assert read_names() == ["lamp-0001"]


def test_the_user_selects_one_of_two_columns_with_the_same_meaning(upload_registration, org, sign_in):
    page = upload_registration("DeviceName,设备名称\nlamp-0001,lamp-0002\n".encode())
    assert "Two columns have the same meaning" in page_text(page)
    assert "Column 2: 设备名称" in page_text(page)
    url = org.url(f"devices/registrations/{Job.objects.get().pk}/columns/")
    sign_in("operator").post(url, {"name": 1})
    assert read_names() == ["lamp-0002"]


@pytest.mark.parametrize("separator", ["|", "，"])
def test_unusual_separators_are_recognized(upload_registration, separator):
    upload_registration(f"DeviceName{separator}Nickname\nlamp-0001{separator}Lamp_1\n".encode())
    assert list(Item.objects.values_list("key", "label")) == [("lamp-0001", "Lamp_1")]


@pytest.mark.parametrize(
    ("nickname", "read_as"),
    [
        ("昇温炉_1", None),  # too many rare characters: not recognized
        ("鍋爐_1", "偠t_1"),  # its bytes are valid UTF-8 too
    ],
)
def test_the_user_selects_the_encoding(upload_registration, org, sign_in, nickname, read_as):
    page = upload_registration(f"DeviceName,Nickname\nlamp-0001,{nickname}\n".encode("gbk"))
    assert Item.objects.values_list("label", flat=True).first() == read_as
    assert "GBK / GB18030" in page_text(page)
    url = org.url(f"devices/registrations/{Job.objects.get().pk}/columns/")
    columns = {} if read_as is None else {"name": 0, "nickname": 1}
    sign_in("operator").post(url, {"encoding": "gb18030", **columns})
    assert list(Item.objects.values_list("key", "label")) == [("lamp-0001", nickname)]


def test_a_selected_encoding_that_is_wrong_is_reported_and_can_be_changed(upload_registration, org, sign_in):
    upload_registration("DeviceName,Nickname\nlamp-0001,昇温炉_1\n".encode("gbk"))
    job = Job.objects.get()
    url, browser = org.url(f"devices/registrations/{job.pk}/columns/"), sign_in("operator")
    assert "damaged near byte" in page_text(browser.post(url, {"encoding": "utf-8-sig"}, follow=True))
    browser.post(url, {"encoding": "gb18030"})
    assert read_names() == ["lamp-0001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\n\n  \n", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"DeviceName\n", "The file has a header but no devices."),
        (b"DeviceName\n\n,,\n", "The file has a header but no devices."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500, "This is an old or encrypted Excel workbook"),
        (b"%PDF-1.7\n", "This is a PDF file"),
        (b"\x1f\x8b\x08" + b"\x00" * 20, "This file is compressed"),
        (bytes(range(256)) * 40, "This is not a text file."),
        (
            "Gerät,Ort\nZähler-1,Köln\nZähler-2,München\n".encode("latin-1"),
            "The encoding of the file was not recognized",
        ),
        (b'DeviceName,Nickname\nlamp-0001,"Lamp_1\nlamp-0002,Lamp_2\n', "opens in row 2 is never closed"),
        (b"DeviceName\n" + b"x" * 1_010_000, "Row 2 has more than 1,000,000 characters"),
        (b"DeviceName" + b",x" * 600 + b"\nlamp-0001\n", "601 columns"),
        ("DeviceName\nlamp".encode("utf-16") + b"\x01", "is damaged near byte"),
    ],
)
def test_an_unusable_file_is_refused_with_a_clear_message(upload_registration, content, message):
    page = upload_registration(content)
    assert message in page_text(page)
    assert Job.objects.get().state == Job.State.REJECTED
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("abc", "name_length"),
        ("a" * 33, "name_length"),
        ("lamp 0001", "name_chars"),
        ("lämp0001", "name_chars"),
        ("灯0001", "name_chars"),
        ("lamp/0001", "name_chars"),
        ("lamp\x000001", "name_chars"),
        (",nick", "name_missing"),
        ("7.47558E+14", "name_number"),
        ("1E+12", "name_number"),
        ("1.23E-05", "name_number"),
        ("89860312345678900000", "name_number"),
        ("'8986031234567890123", "name_protected"),
        ('"=""00012345"""', "name_protected"),
        ("boil\u200ber-0001", "name_invisible"),
        ("boiler\u00a0-0001", "name_invisible"),
        ("lamp-0009,abc", "nickname_length"),
        ("lamp-0009," + "n" * 65, "nickname_length"),
        ("lamp-0009," + "灯" * 33, "nickname_length"),
        ("lamp-0009,Lamp-1", "nickname_chars"),
        ('lamp-0009,"Lamp\n1"', "nickname_chars"),
        ("lamp-0009,Lamp_1,more", "ragged"),
        ('lamp-0009,"Lamp"_1"', "quotes"),
        ("lamp-0001,Lamp_2", "duplicate"),
    ],
)
def test_each_broken_rule_is_reported_and_other_rows_are_accepted(upload_registration, line, rule):
    upload_registration(f"DeviceName,Nickname\nlamp-0001,Lamp_1\n{line}\nlamp-0002,Lamp_1\n".encode())
    bad = Item.objects.get(outcome="skipped")
    assert bad.number == 3
    assert [finding[0] for finding in bad.data["findings"]] == [rule]
    assert Job.objects.get().params["findings"][rule]["count"] == 1
    assert read_names() == ["lamp-0001", "lamp-0002"]


@pytest.mark.parametrize("name", ["1E12", "100E10", "Jun-08", "3-Mar", "03-Mar-2024", "8986031234567890"])
def test_a_name_that_may_have_been_changed_is_pointed_out_and_can_be_registered(upload_registration, name):
    page = page_text(upload_registration(f"DeviceName\n{name}\nlamp-0001\n".encode()))
    assert read_names() == [name, "lamp-0001"]
    assert Job.objects.get().params["doubts"]["name_changed"]["examples"] == [[2, name, ""]]
    assert "To be checked" in page
    assert "numbers or dates" in page


@pytest.mark.parametrize("name", ["06-8109", "E1-12", "mar-lamp", "898603123456789012", "1E2F"])
def test_a_usual_name_is_not_pointed_out(upload_registration, name):
    page = page_text(upload_registration(f"DeviceName\n{name}\n".encode()))
    assert read_names() == [name]
    assert "To be checked" not in page


@pytest.mark.parametrize(
    "line",
    [
        "灯灯灯灯",
        "a" * 4,
        "a.b-c_d:e@F1",
        " lamp-0009 ",
        "lamp-0009,",
        "lamp-0009,灯灯",
        "lamp-0009,,,",
        '"lamp-0009"',
    ],
)
def test_valid_rows_are_accepted(upload_registration, line):
    if line == "灯灯灯灯":
        line = "lamp-0009," + "灯" * 32
    upload_registration(f"DeviceName,Nickname\n{line}\n".encode())
    assert Item.objects.get().outcome == "pending"


def test_row_numbers_count_empty_rows_and_quoted_line_ends(upload_registration):
    page = upload_registration(b'DeviceName;comment\n\nlamp-0001;"two\nlines"\n;\nlamp-0002;x\nab;x\n')
    assert list(Item.objects.order_by("number").values_list("number", "key")) == [
        (3, "lamp-0001"),
        (6, "lamp-0002"),
        (7, "ab"),
    ]
    assert "2 empty rows skipped" in page_text(page)


def test_a_distant_duplicate_names_the_row_of_the_first(upload_registration):
    lines = [f"dev-{n:05d}" for n in range(5000)]
    upload_registration("\n".join(["DeviceName", *lines, "dev-00007"]).encode())
    bad = Item.objects.get(outcome="skipped")
    assert (bad.number, bad.data["findings"]) == (5002, [["duplicate", "dev-00007", "9"]])


def test_a_skipped_row_does_not_make_a_later_valid_row_a_duplicate(upload_registration):
    upload_registration(b"DeviceName,Nickname\nlamp-0001,bad-nick\nlamp-0001,Lamp_1\n")
    assert Item.objects.get(outcome="pending").number == 3


def test_a_file_over_the_limit_is_refused_before_it_is_read(org, sign_in, product, settings):
    browser = sign_in("operator")

    class Endless:
        """A request body with a content length that nobody reads."""

        read_bytes = 0

        def read(self, size=-1):
            self.read_bytes += max(size, 0)
            return b"x" * max(size, 0)

        readline = read

    body = Endless()
    response = browser.generic(
        "POST",
        org.url("devices/registrations/new/"),
        content_type="multipart/form-data; boundary=x",
        **{"CONTENT_LENGTH": str(settings.JOBS_UPLOAD_BYTES * 2), "wsgi.input": body},
    )
    assert response.status_code == 413
    assert "larger than 100 MB" in page_text(response)
    assert body.read_bytes == 0
    assert not Part.objects.exists()


def test_too_many_rows_are_refused(upload_registration, settings):
    settings.JOBS_MAX_ROWS = 2000
    page = upload_registration("\n".join(["DeviceName", *(f"dev-{n:05d}" for n in range(4001))]).encode())
    assert "more than 2,000 rows" in page_text(page)
    assert not Item.objects.exists()


def test_a_large_file_is_read_by_a_worker_while_the_page_shows_progress(
    upload_registration, run_job, monkeypatch, org, sign_in
):
    monkeypatch.setattr("console.jobs.actions.INLINE_BYTES", 10)
    page = upload_registration(b"DeviceName\nlamp-0001\n")
    assert "Reading the file" in page_text(page)
    job = Job.objects.get()
    browser = sign_in("operator")
    assert browser.get(org.url(f"jobs/{job.pk}/live/"), headers={"HX-Request": "true"}).status_code == 200
    assert run_job(job).state == Job.State.READY
    response = browser.get(org.url(f"jobs/{job.pk}/live/"), headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == org.url(f"jobs/{job.pk}/")


def test_a_small_file_with_many_lines_is_read_by_a_worker(upload_registration, run_job):
    page = upload_registration(b"DeviceName\nlamp-0001\n" + b"x\n" * 20_000)
    assert "Reading the file" in page_text(page)
    assert not Item.objects.exists()
    assert run_job(Job.objects.get()).skipped == 20_000


def test_the_file_is_deleted_when_the_job_starts(org, sign_in, upload_registration):
    upload_registration(b"DeviceName\nlamp-0001\n")
    assert Part.objects.exists()
    sign_in("operator").post(org.url(f"devices/registrations/{Job.objects.get().pk}/start/"))
    assert not Part.objects.exists()


def test_the_form_reports_missing_values_and_keeps_the_input(org, sign_in, product):
    browser = sign_in("operator")
    page = browser.post(org.url("devices/registrations/new/"), {"product": product})
    assert page.status_code == 422
    assert f'value="{product}" selected' in page.content.decode()
    page = browser.post(
        org.url("devices/registrations/new/?by=count"),
        {"product": product, "count": "100001", "name_prefix": "a b"},
    )
    assert page.status_code == 422
    assert "Enter a number from 1 to 100,000." in page_text(page)
    assert "Use only English letters" in page_text(page)


def test_the_template_has_the_headings_that_are_read(org, sign_in, upload_registration):
    page = sign_in("operator").get(org.url("devices/registrations/new/")).content.decode()
    address = re.search(r'href="([^"]+)" download="device-list.csv"', page)[1]
    template = Path(finders.find(address.removeprefix(settings.STATIC_URL))).read_bytes()
    page = page_text(upload_registration(template + b"lamp-0001,Lamp_1,north\r\n"))
    assert "1 device can be registered" in page
    assert "ignored" not in page
    item = Item.objects.get()
    assert (item.key, item.label, item.data) == ("lamp-0001", "Lamp_1", {"tags": {"site": "north"}})
