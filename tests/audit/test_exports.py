"""Exported files are recorded in the audit trail, and exports of the audit trail contain the filtered records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from console.audit.models import AuditRecord
from console.audit.records import Origin, record_action
from console.jobs.models import Item, Job, Secret
from tests.conftest import Organization
from tests.registrations import create_registration

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/"


def read_body(response: Any) -> str:
    return b"".join(response.streaming_content).decode("utf-8-sig")


@pytest.fixture
def records(org: Organization) -> None:
    """Twelve records about Meter_0 to Meter_11."""
    for n in range(12):
        with record_action(
            operation="DeleteProduct" if n % 3 == 0 else "UpdateProduct",
            actor=org.members["operator"],
            team=org.team,
            origin=Origin(ip="192.0.2.1", token="nightly (fd_ab…)" if n == 5 else ""),
            target=f"Meter_{n}",
            parameters={"Description": "Ü", "AuthKey": "canary"},
            connection="sandbox",
        ):
            pass


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 12),
        ("operation=delete", 4),
        ("q=meter_1", 3),
        ("target=Meter_1", 1),
        ("person=OPERATOR", 12),
        ("person=viewer", 0),
        ("api_token=night", 1),
        ("connection=sandbox&operation=UpdateProduct", 8),
        ("connection=plant", 0),
        ("outcome=failed", 0),
        ("job=7", 0),
    ],
)
def test_both_file_formats_contain_the_listed_records(
    records: None, org: Organization, sign_in: SignIn, query: str, count: int
) -> None:
    client = sign_in("administrator")
    targets = [row.record.target for row in client.get(f"{PAGE}?{query}&size=100").context["table"].rows]
    targets = [target for target in targets if target.startswith("Meter")]
    assert len(targets) == count
    table = csv.DictReader(io.StringIO(read_body(client.get(f"{PAGE}?{query}&format=csv"))))
    assert [row["Target"] for row in table if row["Target"].startswith("Meter")] == targets
    lines = [json.loads(line) for line in read_body(client.get(f"{PAGE}?{query}&format=jsonl")).splitlines()]
    assert [line["target"] for line in lines if line["target"].startswith("Meter")] == targets


def test_an_export_from_the_page_can_be_compared_with_the_chain(
    records: None, sign_in: SignIn, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text(read_body(sign_in("owner").get(f"{PAGE}?format=jsonl")), encoding="utf-8")
    out = io.StringIO()
    call_command("audit", "verify", "--file", str(file), stdout=out)
    assert (
        "13 records match" in out.getvalue()
    )  # including the record of the export itself, which is still open
    assert "canary" not in file.read_text(encoding="utf-8")


def test_an_export_of_the_audit_trail_is_recorded_with_its_filters_and_number_of_rows(
    records: None, org: Organization, sign_in: SignIn
) -> None:
    for file_format in ("csv", "jsonl"):
        read_body(sign_in("administrator").get(f"{PAGE}?operation=Delete&format={file_format}"))
        record = AuditRecord.objects.filter(operation="audit.export").latest("pk")
        assert record.parameters == {"file": f"audit-acme.{file_format}", "filters": "operation=Delete"}
        assert (record.outcome, record.message) == ("done", "4 rows")
        assert record.actor == org.members["administrator"]


def test_an_interrupted_download_is_recorded_as_unknown_with_the_rows_sent(
    records: None, sign_in: SignIn
) -> None:
    response = sign_in("owner").get(f"{PAGE}?format=csv")
    lines = iter(response.streaming_content)
    next(lines), next(lines), next(lines)
    response._iterator.close()  # as a server does when the browser closes the connection
    record = AuditRecord.objects.get(operation="audit.export")
    assert (record.outcome, record.code, record.message) == ("unknown", "GeneratorExit", "2 rows")


def test_a_head_request_is_not_recorded_as_an_export(records: None, sign_in: SignIn) -> None:
    assert sign_in("owner").head(f"{PAGE}?format=csv").status_code == 200
    assert not AuditRecord.objects.filter(operation="audit.export").exists()


def test_users_who_may_not_read_the_audit_trail_cannot_export_it(records: None, sign_in: SignIn) -> None:
    for role in ("viewer", "operator", "release-engineer"):
        for address in (PAGE, f"{PAGE}?format=jsonl", f"{PAGE}reads/", f"{PAGE}reads/?format=csv"):
            assert sign_in(role).get(address).status_code == 403
    assert sign_in("outsider").get(f"{PAGE}?format=jsonl").status_code == 404
    assert not AuditRecord.objects.filter(operation="audit.export").exists()


@pytest.fixture
def job(org: Organization) -> Job:
    job = create_registration(org.connection, user=org.members["operator"], state=Job.State.PARTIAL)
    for n in range(3):
        Item.objects.create(job=job, number=n + 1, key=f"meter-{n}", outcome="succeeded")
    Secret.objects.create(
        job=job, key="meter-0", value="canary-secret", expires_at=timezone.now() + timedelta(hours=1)
    )
    return job


@pytest.mark.parametrize(
    "address",
    [
        "jobs/{}/result.csv",
        "devices/registrations/{}/findings.csv",
        "devices/registrations/{}/invalid-rows.csv",
    ],
)
def test_a_file_of_a_job_is_recorded(job: Job, org: Organization, sign_in: SignIn, address: str) -> None:
    text = read_body(sign_in("operator").get(org.url(address.format(job.pk))))
    record = AuditRecord.objects.get(operation="jobs.export")
    assert (record.target, record.connection) == (f"job {job.pk}", "sandbox")
    assert record.message == f"{max(len(text.splitlines()) - 1, 0)} rows"


def test_a_file_with_secrets_is_recorded_and_its_record_contains_none(
    job: Job, org: Organization, sign_in: SignIn
) -> None:
    text = read_body(sign_in("administrator").get(org.url(f"devices/registrations/{job.pk}/secrets.csv")))
    assert "canary-secret" in text
    record = AuditRecord.objects.get(operation="DownloadDeviceSecrets")
    assert record.parameters["Count"] == 1
    assert record.message == "3 rows"
    assert "canary" not in str(vars(record))
    page = sign_in("owner").get("/acme/-/audit/").content.decode()
    assert f"Downloaded the device secrets of job {job.pk}" in page


def test_an_export_of_the_product_list_is_recorded(fleet: Any, org: Organization, sign_in: SignIn) -> None:
    read_body(sign_in("viewer").get(org.url("products/?format=csv&node=gateway")))
    record = AuditRecord.objects.get(operation="products.export")
    assert record.parameters == {"file": "products.csv", "filters": "node=gateway"}
    assert record.message.endswith(" rows")
