"""Unusual files from spreadsheets, factories and accidents are read correctly or refused with a clear error."""

from __future__ import annotations

import gzip
import time

import pytest

from console.jobs import tables
from console.jobs.models import Item, Job
from tests.areas.devices.registration.names import CHINESE, NAMES, read_names
from tests.responses import page_text, read_csv


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"name\nlamp-0001\n"), "This file is compressed"),
        (b"BZh91AY&SY" + bytes(range(256)) * 8, "This is not a text file"),
        (b"name\nlamp-0001\n" + b"," * 600_000 + b"x\n", "Row 3 has 600001 columns"),
        (b"name\nlamp-0001" + b",xx" * 700 + b"\n", "Row 2 has 701 columns"),
        (b"name\n" + b"x" * 1_010_000, "Row 2 has more than 1,000,000 characters"),
        (b'name,nickname\nlamp-0001,"' + b"x,\n" * 500_000, "opens in row 2 is never closed"),
    ],
    ids=["gzip", "bz2", "commas", "wide", "one-line", "open-quote"],
)
def test_a_file_that_is_not_a_list_is_refused_with_a_clear_message(
    upload_registration, content, message, run_job, monkeypatch
):
    monkeypatch.setattr("console.jobs.actions.INLINE_BYTES", 10_000_000)
    monkeypatch.setattr("console.jobs.actions.INLINE_ITEMS", 1_000_000)
    page = upload_registration(content)
    assert message in page_text(page)
    assert Job.objects.get().state == Job.State.REJECTED
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"name\rlamp-0001\rlamp-0002\rlamp-0003",
        "name\nlamp-0001\nlamp-0002\nlamp-0003".encode("utf-16-le"),
        b"name;;;;\nlamp-0001;;;;\nlamp-0002;;;;\nlamp-0003;;;;\n",
        b"name\n" + b"\n" * 9_000 + b"lamp-0001\nlamp-0002\n\n\nlamp-0003\n",
        b"\n" * 50 + b"name\nlamp-0001\nlamp-0002\nlamp-0003\n",
        b"name\n\xef\xbb\xbflamp-0001\nlamp-0002\xc2\xa0\nlamp-0003\n",
        b"name\tnote\nlamp-0001\ta, b; c\nlamp-0002\t\nlamp-0003\tx\n",
        b"sep=\t\nname\tnote\nlamp-0001\tx\nlamp-0002\tx\nlamp-0003\tx\n",
        b"sep=;\r\nname;note\r\nlamp-0001;a,b\r\nlamp-0002;\r\nlamp-0003;\r\n",
        b"comment,comment,name\nx,y,lamp-0001\nx,y,lamp-0002\nx,y,lamp-0003\n",
        b"name" + b"," * 2000 + b"\n" + b"".join(n.encode() + b"," * 2000 + b"\n" for n in NAMES),
        b"name\nlamp-0001\nlamp-0002\nlamp-0003\n\x1a",
    ],
    ids=[
        "cr", "utf-16", "trailing", "blank-lines", "begins-blank", "marks", "tab", "sep-tab", "sep", "headings-twice",
        "wide-but-empty", "dos-end",
    ],
)  # fmt: skip
def test_an_unusual_list_is_read_correctly(upload_registration, content):
    upload_registration(content)
    assert read_names() == NAMES
    assert not Item.objects.filter(outcome="skipped").exists()


@pytest.mark.parametrize(
    "heading",
    ["tag:a" + " " * 45_000 + "a", "(" * 45_000, "[(" * 25_000, "tag:" + " " * 45_000, "'=" * 25_000],
    ids=["spaces", "parentheses", "brackets", "blank-tag", "apostrophes"],
)
def test_a_heading_of_any_length_is_read_at_once(upload_registration, heading):
    start = time.process_time()
    upload_registration(f"DeviceName,{heading}\nlamp-0001,x\nlamp-0002,x\nlamp-0003,x".encode())
    assert time.process_time() - start < 2  # seconds
    assert read_names() == NAMES
    assert all(len(heading) <= 80 for heading in Job.objects.get().params["layout"]["header"])


def test_rows_in_another_encoding_are_reported(upload_registration):
    upload_registration("name,nickname\nlamp-0001,路灯_一号\n".encode("gb18030") + "läm-0001,x\n".encode())
    assert read_names() == ["lamp-0001"]
    assert Item.objects.get(outcome="skipped").number == 3


def test_damaged_utf8_is_not_read_as_gb18030(upload_registration):
    lines = "".join(f"lamp-{n:04d},路灯_苏州_{n}\n" for n in range(50))
    page = upload_registration(f"name,nickname\n{lines}".encode() + b"lamp-9999,\xe8\xb7_1\n")
    assert "The file starts as UTF-8 but is damaged near byte" in page_text(page)
    assert not Item.objects.exists()


def test_ascii_saved_as_gb18030_is_read(upload_registration):
    upload_registration("name\nlamp-0001\nlamp-0002\nlamp-0003\n".encode("gb18030"))
    assert read_names() == NAMES


@pytest.mark.parametrize(
    "title",
    [
        "Delivery of May\n",
        "Delivery of May;;\n",
        "路灯清单\n\n",
        "Order 4711\nFor: Suzhou;;\n",
        "Lamps\n",
    ],
)
def test_titles_above_the_header_are_skipped_with_a_note(upload_registration, title):
    page = upload_registration(
        (title + "name;nickname;note\nlamp-0001;Lamp_1;x\nlamp-0002;Lamp_2;\nlamp-0003;Lamp_3;\n").encode()
    )
    assert read_names() == NAMES
    assert Item.objects.get(key="lamp-0002").label == "Lamp_2"
    assert "above the header" in page_text(page)
    assert Item.objects.get(key="lamp-0001").number == title.count("\n") + 2


def test_a_header_below_a_title_is_not_read_as_a_device(upload_registration):
    upload_registration(b"Order 4711\nDevice Name\nlamp-0001\nlamp-0002\nlamp-0003\n")
    assert read_names() == NAMES


def test_a_device_named_like_a_heading_is_a_device(upload_registration):
    upload_registration(b"lamp-0001\nlamp-0002\ndevice\nlamp-0003\n")
    assert read_names() == ["lamp-0001", "lamp-0002", "device", "lamp-0003"]


@pytest.mark.parametrize(
    "content",
    [
        b"name,no\x00te,tag:si\x00te\nlamp-0001,x,y\n",
        b"se\x00rial,no\x00te\nlamp-0001,x\n",
        b"name,name\x00,device\x00name\nlamp-0001,x,y\n",
        b'name,nickname\nlamp-0001,"x"\x00"\nlamp-\x000002,y\n',
        "name,备注名\nlamp-0001,\x00\n".encode(),
    ],
)
def test_nul_characters_are_harmless_everywhere(upload_registration, content):
    assert upload_registration(content).status_code == 200
    assert Job.objects.get().state in {Job.State.READY, Job.State.REJECTED}


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_too_many_empty_rows_are_refused_with_any_line_end(upload_registration, settings, end, encoding):
    settings.JOBS_MAX_ROWS = 4_000
    page = upload_registration(("name\nlamp-0001\n" + end.decode() * 8_001).encode(encoding))
    assert "more than 4,000 rows" in page_text(page)


def test_the_number_of_cells_is_limited_while_reading(upload_registration, monkeypatch):
    """A row with far too many cells is refused when it is read, not after 2,000 such rows."""
    monkeypatch.setattr("console.jobs.actions.INLINE_BYTES", 10_000_000)
    read = []
    real = tables._lines

    def counted(file, encoding):
        for found in real(file, encoding):
            read.append(len(found))
            yield found

    monkeypatch.setattr(tables, "_lines", counted)
    good = "".join(f"lamp-{n:04d}\n" for n in range(100))
    upload_registration(f"name\n{good}".encode() + (b"ab," * 100_000 + b"\n") * 10)
    assert sum(length > 100_000 for length in read) == 1
    assert Job.objects.get().state == Job.State.REJECTED


def test_a_row_with_unpaired_quotes_is_downloaded_without_a_formula(org, sign_in, upload_registration):
    upload_registration(b'name,nickname\n=cmd(),"x"y"\nlamp-0001,"=1+1"x"\nlamp-0002,Lamp_1\n')
    job = Job.objects.get()
    response = sign_in("operator").get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv"))
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert all(not cell.strip('"').startswith("=") for line in lines for cell in line.split(","))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_downloaded_invalid_rows_are_read_again_as_they_were(org, sign_in, upload_registration, separator):
    cells = ["l\u00e4m-0001", "=1+1", "x;=1,-2|@3\t+4", "'=1", 'a "=1" - b', "it's"]
    row = separator.join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    upload_registration(f"name{separator * 5}\n{row}\n".encode())
    job = Job.objects.get()
    response = sign_in("operator").get(org.url(f"devices/registrations/{job.pk}/invalid-rows.csv"))
    upload_registration(b"".join(response.streaming_content))
    first, again = (item.data["cells"] for item in Item.objects.order_by("pk"))
    assert [tables.trim_cell(cell) for cell in again[: len(first)]] == first


def test_invalid_rows_without_a_header_are_readable_by_a_spreadsheet(org, sign_in, upload_registration):
    upload_registration("lamp-0001\nlamp-0002\nläm\n".encode())
    response = sign_in("operator").get(
        org.url(f"devices/registrations/{Job.objects.get().pk}/invalid-rows.csv")
    )
    assert b"".join(response.streaming_content).decode() == "\ufeffläm\r\n"


def test_a_download_during_changes_contains_every_row_once(start_registration, org, sign_in, run_job):
    job = start_registration(300)
    response = sign_in("operator").get(org.url(f"jobs/{job.pk}/result.csv"))
    pieces = iter(response.streaming_content)
    first = next(pieces) + next(pieces)
    run_job(job)
    content = (first + b"".join(pieces)).decode("utf-8-sig")
    assert len(content.splitlines()) == 301
    assert len({line.split(",")[0] for line in content.splitlines()}) == 301
    assert {
        line["outcome"] for line in read_csv(sign_in("operator").get(org.url(f"jobs/{job.pk}/result.csv")))
    } == {"succeeded"}


def test_chinese_text_below_a_title_is_read_correctly_in_every_encoding(upload_registration):
    for encoding in ("utf-8", "utf-16", "gb18030"):
        upload_registration(("二〇二六年路灯清单\r\n" + CHINESE).encode(encoding))
        assert read_names() == NAMES
        Job.objects.all().delete()
