"""Excel workbooks are read like CSV files; damaged and huge ones are refused."""

from __future__ import annotations

import datetime
import io
import zipfile

import pytest
from openpyxl import Workbook

from console.jobs.models import Item, Job
from tests.areas.devices.registration.names import read_names
from tests.responses import page_text


def build_workbook(rows, *, above=()) -> bytes:
    """Return a workbook whose first sheet is hidden, whose second one is empty, and whose third one has the rows."""
    workbook = Workbook()
    workbook.active.append(["DeviceName"])
    workbook.active.append(["hidden-0001"])
    workbook.create_sheet("Empty")
    sheet = workbook.create_sheet("Factory 7")
    workbook.active.sheet_state = "hidden"
    workbook.active = 2
    for row in [*above, *rows]:
        sheet.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


@pytest.fixture
def upload_workbook(upload_registration, run_job, org, sign_in):
    """Return a function that uploads a workbook, runs its check, and returns the page of the draft."""

    def send(content: bytes):
        upload_registration(content, name="devices.xlsx")
        job = Job.objects.get()
        assert job.state == Job.State.CHECKING, "a workbook is unpacked by a worker"
        run_job(job)
        return sign_in("operator").get(org.url(f"jobs/{job.pk}/"))

    return send


def test_the_first_visible_sheet_with_cells_is_read(upload_workbook):
    rows = [
        ["Device name", "Nickname", "tag:site"],
        ["lamp-0001", "路灯_一号", 7],
        [],
        ["lamp-0002", None, "north"],
    ]
    page = page_text(upload_workbook(build_workbook(rows, above=[["Delivery of November"]])))
    assert read_names() == ["lamp-0001", "lamp-0002"]
    first, second = Item.objects.order_by("number")
    assert (first.label, first.data) == ("路灯_一号", {"tags": {"site": "7"}})
    assert second.number == 5, "rows keep their numbers"
    assert "Sheet Factory 7" in page
    assert "Encoding" not in page


def test_numbers_and_days_of_a_workbook_are_questioned_like_those_of_a_file(upload_workbook):
    rows = [["name"], [89860312345678900000], [1e12], [datetime.date(2026, 3, 3)], ["lamp\n0001"]]
    page = page_text(upload_workbook(build_workbook(rows)))
    assert read_names() == ["1000000000000", "2026-03-03"]
    assert "A spreadsheet may have turned these names into numbers or dates." in page
    assert "89860312345678900000" in page


@pytest.mark.parametrize("part", ["xl/worksheets/sheet3.xml", "xl/workbook.xml", "[Content_Types].xml"])
def test_a_damaged_workbook_is_refused(part, upload_workbook):
    original = zipfile.ZipFile(io.BytesIO(build_workbook([["name"], ["lamp-0001"]])))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in original.namelist():
            archive.writestr(name, original.read(name)[:200] if name == part else original.read(name))
    assert "The workbook cannot be read." in page_text(upload_workbook(file.getvalue()))
    assert not Item.objects.exists()


def test_a_workbook_with_entities_is_refused(upload_workbook):
    original = zipfile.ZipFile(io.BytesIO(build_workbook([["name"], ["lamp-0001"]])))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in original.namelist():
            content = original.read(name).decode()
            if name == "xl/worksheets/sheet3.xml":
                assert "lamp-0001" in content
                content = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content.replace("lamp-0001", "&a;-0001")
            archive.writestr(name, content)
    assert "The workbook cannot be read." in page_text(upload_workbook(file.getvalue()))


def test_a_workbook_that_is_huge_when_unpacked_is_refused_before_that(upload_workbook, monkeypatch):
    monkeypatch.setattr("console.jobs.workbooks._write_table", lambda *parts: pytest.fail("unpacked"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(260):
                sheet.write(b" " * 1024 * 1024)
    assert len(file.getvalue()) < 1_000_000
    assert "The workbook is too large." in page_text(upload_workbook(file.getvalue()))


def test_too_many_rows_of_a_workbook_are_refused_also_empty_ones(upload_workbook, settings):
    settings.JOBS_MAX_ROWS = 20
    rows = [["name"], *([] for _ in range(30)), ["lamp-0001"]]
    assert "more than 20 rows" in page_text(upload_workbook(build_workbook(rows)))


def test_a_workbook_without_cells_is_refused(upload_workbook):
    assert "no visible sheet with cells" in page_text(upload_workbook(build_workbook([])))


def test_another_zip_file_is_refused(upload_workbook):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("devices.csv", "name\nlamp-0001\n")
    assert "This is a ZIP file" in page_text(upload_workbook(file.getvalue()))
