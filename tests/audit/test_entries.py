"""The list of the audit trail: sentences, and the records of a job as one entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.audit import entries as audit_entries
from console.audit.entries import Entry, read_entries
from console.audit.models import AuditRecord
from console.audit.search import RecordQuery, search_records
from tests.conftest import Organization

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def add_records(org: Organization, *rows: tuple[str, str, int | None], outcome: str = "done") -> None:
    """Add records (operation, target, job), the oldest first."""
    first = AuditRecord.objects.count()
    AuditRecord.objects.bulk_create(
        AuditRecord(
            team=org.team,
            at=START + timedelta(seconds=first + n),
            operation=operation,
            target=target,
            job=job,
            outcome=outcome,
            actor_label="operator@acme.test",
            connection="sandbox",
        )
        for n, (operation, target, job) in enumerate(rows)
    )


def read(
    org: Organization, token: str = "", size: int = 25, **query: object
) -> tuple[list[Entry], str | None]:
    records = search_records(org.team, RecordQuery(**query))  # type: ignore[arg-type]
    return read_entries(records, token, size, by_job="job" not in query)


def read_all(org: Organization, size: int) -> list[Entry]:
    found, token = read(org, "", size)
    while token:
        page, token = read(org, token, size)
        found += page
    return found


def test_the_records_of_a_job_are_one_entry_with_the_sum_of_its_devices(org: Organization) -> None:
    add_records(
        org,
        ("BatchCheckDeviceNames", "SL200: 500 devices", 3),
        ("BatchCheckDeviceNames", "SL200: 399 devices", 3),
        ("CreateGroup.Gone", "x", None),
        ("BatchRegisterDeviceWithApplyId", "SL200: 500 devices", 3),
        ("BatchRegisterDeviceWithApplyId", "SL200: 399 devices", 3),
    )
    entries, token = read(org)
    assert token is None
    assert [(entry.sentence, entry.count) for entry in entries] == [
        ("Registered 899 devices in SL200", 4),
        ("CreateGroup.Gone x", 1),
    ]
    assert entries[0].at == START + timedelta(seconds=4)


def test_calls_of_a_job_for_one_device_each_are_counted(org: Organization) -> None:
    add_records(org, *(("DisableThing", f"lamp-{n}", 7) for n in range(46)))
    add_records(org, ("DisableThing", "lamp-x", 7), ("DisableThing", "lamp-y", 7), outcome="failed")
    [entry], _token = read(org)
    assert (entry.sentence, entry.count, entry.unsuccessful) == ("Disabled 46 devices", 48, 2)
    assert entry.outcome == "partial"


def test_a_job_that_only_failed_was_tried(org: Organization) -> None:
    add_records(org, ("DisableThing", "lamp-x", 7), outcome="failed")
    [entry], _token = read(org)
    assert entry.sentence == "Tried to disable device lamp-x"


@pytest.mark.parametrize("size", [1, 3, 25])
def test_pages_show_each_job_and_each_other_record_once(
    size: int, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_entries, "_WINDOW", 4)  # jobs that are longer than what is read at once
    rows = [("DisableThing", f"a{n}", (n % 3) or None) for n in range(30)]
    rows += [("EnableThing", f"b{n}", 9) for n in range(20)]
    add_records(org, *rows)
    entries = read_all(org, size)
    jobs = [entry.record.job for entry in entries if entry.record.job]
    single = [entry.record.target for entry in entries if not entry.record.job]
    assert jobs == [9, 2, 1]
    assert single == [f"a{n}" for n in reversed(range(30)) if n % 3 == 0]
    assert [entry.count for entry in entries if entry.record.job] == [20, 10, 10]


def test_filters_apply_to_the_records_of_jobs_too(org: Organization) -> None:
    add_records(org, *(("DisableThing", f"lamp-{n}", 7) for n in range(5)))
    add_records(org, ("DisableThing", "lamp-x", 7), outcome="failed")
    [entry], _token = read(org, outcome="failed")
    assert (entry.sentence, entry.count) == ("Tried to disable device lamp-x", 1)


def test_a_job_is_opened_by_its_link_record_by_record(org: Organization, sign_in: SignIn) -> None:
    add_records(org, *(("DisableThing", f"lamp-{n}", 7) for n in range(5)))
    client = sign_in("owner")
    page = client.get(PAGE).content.decode()
    assert f'href="{PAGE}?job=7"' in page
    assert "5 records of job 7" in page
    page = client.get(f"{PAGE}?job=7").content.decode()
    assert "Disabled device lamp-4" in page
    assert page.count("Disabled device") == 5


def test_the_number_of_queries_does_not_depend_on_the_records(org: Organization) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as context:
            read(org)
        return len(context)

    add_records(org, *(("BatchRegisterDeviceWithApplyId", "SL200: 500 devices", job) for job in (1, 1, 2)))
    few = count_queries()
    add_records(
        org,
        *(("BatchRegisterDeviceWithApplyId", "SL200: 500 devices", job % 20 + 1) for job in range(400)),
        *(("DeleteProduct", "x", None) for _ in range(30)),
    )
    assert few <= 4
    assert count_queries() <= few


def test_the_page_shows_sentences_and_no_codes(org: Organization, sign_in: SignIn) -> None:
    add_records(org, ("devices.export", "devices.csv", None), ("QueryProductList", "", None))
    client = sign_in("owner")
    rows = client.get(PAGE).content.decode().split("<tbody>")[1].split("</tbody>")[0]
    assert "Downloaded the list of devices" in rows
    assert "devices.export" not in rows
    record = AuditRecord.objects.get(operation="devices.export")
    page = client.get(f"{PAGE}{record.pk}/").content.decode()
    assert "Downloaded the list of devices</h1>" in page
    assert "<code>devices.export</code>" in page


def test_exports_can_be_filtered_out(org: Organization, sign_in: SignIn) -> None:
    add_records(
        org,
        ("devices.export", "devices.csv", None),
        ("DeleteProduct", "a", None),
        ("QueryDeviceInfo", "lamp", None),
    )
    client = sign_in("owner")

    def read_operations(kind: str) -> list[str]:
        rows = client.get(PAGE, {"kind": kind}).context["table"].rows
        return [entry.record.operation for entry in rows]

    assert read_operations("change") == ["DeleteProduct"]
    assert read_operations("export") == ["devices.export"]
    assert read_operations("reveal") == ["QueryDeviceInfo"]
    assert "session.sign_in" not in read_operations("change")


def test_a_record_states_its_time_with_seconds_and_zone(org: Organization, sign_in: SignIn) -> None:
    record = AuditRecord.objects.create(
        team=org.team, at=START, operation="DeleteProduct", target="a", actor_label="x", ip="192.0.2.7"
    )
    owner = org.members["owner"]
    owner.time_zone = "Asia/Shanghai"
    owner.save()
    page = sign_in("owner").get(f"{PAGE}{record.pk}/").content.decode()
    assert "2026-05-01 20:00:00</time> CST" in page
    assert "192.0.2.7" in page


@pytest.mark.parametrize("jobs", ["x", "1.x", "-1", "9" * 30, "1..2"])
def test_a_token_with_invalid_jobs_is_a_bad_request(jobs: str, org: Organization, sign_in: SignIn) -> None:
    assert sign_in("owner").get(PAGE, {"token": f"2026-05-01T00:00:00+00:00_5_{jobs}"}).status_code == 400
