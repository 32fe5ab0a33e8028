"""The page of the audit trail: records of the team, filters, pages, export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory

from console.audit.masking import MASK, mask_parameters
from console.audit.models import AuditRecord, ReadCount
from console.audit.records import Origin, close_record, open_record
from tests.conftest import Organization

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def create_record(org: Organization, n: int, **fields: object) -> AuditRecord:
    values = {
        "team": org.team,
        "at": START + timedelta(minutes=n),
        "operation": "CreateProduct",
        "target": f"target-{n:03}",
        "actor_label": "operator@acme.test",
        "outcome": "done",
    } | fields
    return AuditRecord.objects.create(**values)


def read_targets(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    return [entry.record.target for entry in response.context["table"].rows]


def test_records_are_sorted_newest_first_and_pages_have_no_gap_or_overlap(
    org: Organization, sign_in: SignIn
) -> None:
    for n in range(30):
        create_record(org, n // 3)  # several at the same moment
    client = sign_in("owner")
    seen, token = [], ""
    while True:
        response = client.get(PAGE, {"size": "10", "token": token})
        seen += [entry.record.pk for entry in response.context["table"].rows]
        token = response.context["table"].page.next
        if not token:
            break
    expected = AuditRecord.objects.for_team(org.team).order_by("-at", "-id").values_list("pk", flat=True)
    assert seen == list(expected)


def test_records_are_sorted_oldest_first_with_the_same_pages(org: Organization, sign_in: SignIn) -> None:
    for n in range(25):
        create_record(org, n // 3)
    client = sign_in("owner")
    seen, token = [], ""
    while token is not None:
        table = client.get(PAGE, {"size": "10", "token": token, "sort": "at"}).context["table"]
        seen += [row.record.pk for row in table.rows]
        token = table.page.next
    assert seen == list(
        AuditRecord.objects.for_team(org.team).order_by("at", "id").values_list("pk", flat=True)
    )


def test_read_counts_are_sorted_by_each_column(org: Organization, sign_in: SignIn) -> None:
    for n, user in enumerate(["b", "a", "c"]):
        fields = {"actor_label": user, "operation": f"Query{3 - n}", "connection": "main", "count": n}
        ReadCount.objects.create(team=org.team, day=f"2026-05-0{n + 1}", **fields)
    client = sign_in("owner")
    for column in ("day", "actor_label", "operation", "count"):
        rows = client.get(f"{PAGE}reads/", {"sort": f"-{column}"}).context["table"].rows
        values = [getattr(row, column) for row in rows]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("token", ["x", "2026-05-01_1", "_", "2026-05-01T00:00:00+00:00_x", "9" * 300])
def test_an_invalid_page_token_is_a_bad_request(org: Organization, sign_in: SignIn, token: str) -> None:
    assert sign_in("owner").get(PAGE, {"token": token}).status_code == 400


def test_filters_by_target_user_operation_outcome_and_day(org: Organization, sign_in: SignIn) -> None:
    create_record(org, 1, target="a")
    create_record(org, 2, target="b", actor_label="viewer@acme.test")
    create_record(org, 3, target="c", operation="DeleteProduct")
    create_record(org, 4, target="d", outcome="refused")
    create_record(org, 60 * 24 * 3, target="e")
    client = sign_in("owner")
    assert read_targets(client, "q=A") == ["a"]
    assert read_targets(client, "person=viewer") == ["b"]
    assert read_targets(client, "operation=Delete") == ["c"]
    assert read_targets(client, "outcome=refused") == ["d"]
    assert read_targets(client, "since=2026-05-02") == ["e"]
    assert read_targets(client, "until=2026-05-01") == ["d", "c", "b", "a"]
    assert read_targets(client, "outcome=done&person=operator&since=2026-05-02&until=2026-05-04") == ["e"]
    assert read_targets(client, "q=nothing") == []


def test_a_day_is_a_day_in_the_users_time_zone(org: Organization, sign_in: SignIn) -> None:
    create_record(org, 60 * 5, target="late")  # 17:00 UTC: 1 a.m. of the next day in Shanghai
    owner = org.members["owner"]
    owner.time_zone = "Asia/Shanghai"
    owner.save()
    assert read_targets(sign_in("owner"), "since=2026-05-02") == ["late"]
    assert read_targets(sign_in("administrator"), "since=2026-05-02") == []


@pytest.mark.parametrize(
    "query", ["since=0001-01-01", "until=9999-12-31", "outcome=x", "since=x", "q=%00", "size=9999"]
)
def test_invalid_filters_are_no_error(org: Organization, sign_in: SignIn, query: str) -> None:
    assert sign_in("owner").get(f"{PAGE}?{query}").status_code == 200


def test_another_teams_records_are_neither_listed_nor_opened_nor_exported(
    org: Organization, sign_in: SignIn
) -> None:
    other = create_record(org, 1, team=org.other_team, target="theirs")
    client = sign_in("owner")
    assert "theirs" not in read_targets(client)
    assert client.get(f"{PAGE}{other.pk}/").status_code == 404
    assert b"theirs" not in b"".join(client.get(f"{PAGE}?format=csv").streaming_content)


def test_a_record_shows_its_parameters_and_request_id(org: Organization, sign_in: SignIn) -> None:
    record = create_record(org, 1, parameters={"ProductName": "Meter<b>"}, request_id="REQ-1")
    text = sign_in("owner").get(f"{PAGE}{record.pk}/").content.decode()
    assert "Meter&lt;b&gt;" in text
    assert "REQ-1" in text


def test_the_export_contains_the_matching_records_and_no_formulas(org: Organization, sign_in: SignIn) -> None:
    create_record(org, 1, target="=HYPERLINK(1)", outcome="failed")
    create_record(org, 2, target="plain")
    response = sign_in("owner").get(f"{PAGE}?format=csv&outcome=failed")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Target"] for row in rows] == ["'=HYPERLINK(1)"]
    assert rows[0]["Time"] == "2026-05-01T12:01:00Z"
    assert response["Content-Disposition"].startswith("attachment")


def test_parameters_are_masked_unless_listed_and_long_ones_are_cut() -> None:
    masked = mask_parameters(
        {
            "DeviceName": [f"d{n}" for n in range(100)],
            "MessageContent": "secret text",
            "Description": "x" * 1000,
            "Tag": [{"Key": "site", "Value": "1", "Password": "p"}],
        }
    )
    assert masked["MessageContent"] == MASK
    assert len(masked["DeviceName"]) == 21
    assert len(masked["Description"]) < 500
    assert masked["Tag"] == [{"Key": "site", "Value": "1", "Password": MASK}]


@pytest.mark.parametrize(
    ("address", "recorded_ip"),
    [
        ("", None),
        ("unknown", None),
        ("999.1.1.1", None),
        ("dead:beef", None),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::7", "2001:db8::7"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_invalid_address_is_not_recorded(org: Organization, address: str, recorded_ip: str | None) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address, HTTP_USER_AGENT="x" * 999)
    origin = Origin.from_request(request)
    assert (origin.ip, len(origin.user_agent)) == (recorded_ip, 255)
    record = open_record(operation="X", actor=None, team=org.team, origin=origin)
    assert AuditRecord.objects.get(pk=record.pk).ip == recorded_ip


def test_characters_that_a_database_refuses_are_replaced(org: Organization) -> None:
    text = "a\x00b\ud800c"
    record = open_record(
        operation="X",
        actor=None,
        team=org.team,
        origin=Origin(user_agent=text),
        target=text,
        parameters={"ProductKey": text, "DeviceName": [text], "Tag": [{"Key": text}], text: text},
    )
    close_record(record, AuditRecord.Outcome.FAILED, code=text, message=text, request_id=text)
    stored = AuditRecord.objects.get(pk=record.pk)
    assert {stored.target, stored.code, stored.message, stored.request_id, stored.user_agent} == {
        "a\ufffdb?c"
    }
    assert stored.parameters["DeviceName"] == ["a\ufffdb?c"]


def test_a_record_links_its_job_and_the_approved_request(org: Organization, sign_in: SignIn) -> None:
    record = AuditRecord.objects.create(
        team=org.team,
        operation="DeleteProduct",
        actor_label="somebody",
        connection="sandbox",
        job=7,
        parameters={"approval": 3},
    )
    urls = ("/acme/sandbox/jobs/7/", "/acme/sandbox/approvals/3/")
    page = sign_in("owner").get(f"/acme/-/audit/{record.pk}/").content.decode()
    assert all(url in page for url in urls)
    org.connection.delete()
    page = sign_in("owner").get(f"/acme/-/audit/{record.pk}/").content.decode()
    assert not any(url in page for url in urls)


def test_a_structure_is_shown_as_names_and_values(org: Organization, sign_in: SignIn) -> None:
    renamed = {"DeviceNicknameInfo": [{"DeviceName": "lamp-1", "Nickname": "Pier"}]}
    record = create_record(org, 1, parameters=renamed, before={"DeviceNicknameInfo": [{"Nickname": "Quay"}]})
    page = sign_in("owner").get(f"{PAGE}{record.pk}/").content.decode()
    # PostgreSQL keeps the names of an object in a different order.
    assert "DeviceName: lamp-1 · Nickname: Pier" in page or "Nickname: Pier · DeviceName: lamp-1" in page
    assert "Nickname: Quay" in page
