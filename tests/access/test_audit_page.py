"""The audit page: the team's own records, filters, pages, export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory

from console.access.audit import MASK, Origin, close_record, open_record, shown
from console.access.models import AuditRecord
from tests.conftest import Organization

SignIn = Callable[[str], Client]
PAGE = "/acme/-/audit/"
START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def write(org: Organization, n: int, **fields: object) -> AuditRecord:
    values = {
        "team": org.team,
        "at": START + timedelta(minutes=n),
        "operation": "CreateProduct",
        "target": f"target-{n:03}",
        "actor_label": "operator@acme.test",
        "outcome": "done",
    } | fields
    return AuditRecord.objects.create(**values)


def targets(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    return [row.target for row in response.context["table"].data]


def test_the_newest_come_first_and_pages_follow_without_gap_or_repeat(
    org: Organization, sign_in: SignIn
) -> None:
    for n in range(30):
        write(org, n // 3)  # several at the same moment
    client = sign_in("owner")
    seen, token = [], ""
    while True:
        response = client.get(PAGE, {"size": "10", "token": token})
        seen += [row.pk for row in response.context["table"].data]
        token = response.context["table"].page.next
        if not token:
            break
    expected = AuditRecord.objects.for_team(org.team).order_by("-at", "-id").values_list("pk", flat=True)
    assert seen == list(expected)


@pytest.mark.parametrize("token", ["x", "2026-05-01_1", "_", "2026-05-01T00:00:00+00:00_x", "9" * 300])
def test_a_token_that_is_none_is_a_bad_request(org: Organization, sign_in: SignIn, token: str) -> None:
    assert sign_in("owner").get(PAGE, {"token": token}).status_code == 400


def test_filters_narrow_by_target_person_operation_outcome_and_day(
    org: Organization, sign_in: SignIn
) -> None:
    write(org, 1, target="a")
    write(org, 2, target="b", actor_label="viewer@acme.test")
    write(org, 3, target="c", operation="DeleteProduct")
    write(org, 4, target="d", outcome="refused")
    write(org, 60 * 24 * 3, target="e")
    client = sign_in("owner")
    assert targets(client, "q=A") == ["a"]
    assert targets(client, "person=viewer") == ["b"]
    assert targets(client, "operation=Delete") == ["c"]
    assert targets(client, "outcome=refused") == ["d"]
    assert targets(client, "since=2026-05-02") == ["e"]
    assert targets(client, "until=2026-05-01") == ["d", "c", "b", "a"]
    assert targets(client, "outcome=done&person=operator&since=2026-05-02&until=2026-05-04") == ["e"]
    assert targets(client, "q=nothing") == []


def test_a_day_is_a_day_of_the_persons_time_zone(org: Organization, sign_in: SignIn) -> None:
    write(org, 60 * 5, target="late")  # 17:00 UTC: 1 a.m. of the next day in Shanghai
    owner = org.members["owner"]
    owner.time_zone = "Asia/Shanghai"
    owner.save()
    assert targets(sign_in("owner"), "since=2026-05-02") == ["late"]
    assert targets(sign_in("administrator"), "since=2026-05-02") == []


@pytest.mark.parametrize(
    "query", ["since=0001-01-01", "until=9999-12-31", "outcome=x", "since=x", "q=%00", "size=9999"]
)
def test_filters_that_make_no_sense_are_no_error(org: Organization, sign_in: SignIn, query: str) -> None:
    assert sign_in("owner").get(f"{PAGE}?{query}").status_code == 200


def test_another_teams_records_are_neither_listed_nor_opened_nor_exported(
    org: Organization, sign_in: SignIn
) -> None:
    other = write(org, 1, team=org.other_team, target="theirs")
    client = sign_in("owner")
    assert "theirs" not in targets(client)
    assert client.get(f"{PAGE}{other.pk}/").status_code == 404
    assert b"theirs" not in b"".join(client.get(f"{PAGE}?format=csv").streaming_content)


def test_a_record_shows_its_parameters_and_request_id(org: Organization, sign_in: SignIn) -> None:
    found = write(org, 1, parameters={"ProductName": "Meter<b>"}, request_id="REQ-1")
    text = sign_in("owner").get(f"{PAGE}{found.pk}/").content.decode()
    assert "Meter&lt;b&gt;" in text
    assert "REQ-1" in text


def test_the_export_holds_what_matches_and_runs_no_formula(org: Organization, sign_in: SignIn) -> None:
    write(org, 1, target="=HYPERLINK(1)", outcome="failed")
    write(org, 2, target="plain")
    response = sign_in("owner").get(f"{PAGE}?format=csv&outcome=failed")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Target"] for row in rows] == ["'=HYPERLINK(1)"]
    assert rows[0]["Time"] == "2026-05-01T12:01:00Z"
    assert response["Content-Disposition"].startswith("attachment")


def test_parameters_are_masked_unless_listed_and_long_ones_are_cut() -> None:
    kept = shown(
        {
            "DeviceName": [f"d{n}" for n in range(100)],
            "MessageContent": "secret text",
            "Description": "x" * 1000,
            "Tag": [{"Key": "site", "Value": "1", "Password": "p"}],
        }
    )
    assert kept["MessageContent"] == MASK
    assert len(kept["DeviceName"]) == 21
    assert len(kept["Description"]) < 500
    assert kept["Tag"] == [{"Key": "site", "Value": "1", "Password": MASK}]


@pytest.mark.parametrize(
    ("address", "kept"),
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
def test_an_origin_takes_no_nonsense_for_an_address(
    org: Organization, address: str, kept: str | None
) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address, HTTP_USER_AGENT="x" * 999)
    origin = Origin.of(request)
    assert (origin.ip, len(origin.user_agent)) == (kept, 255)
    record = open_record(operation="X", actor=None, team=org.team, origin=origin)
    assert AuditRecord.objects.get(pk=record.pk).ip == kept


def test_what_no_database_takes_is_written_in_a_form_that_every_one_takes(org: Organization) -> None:
    odd = "a\x00b\ud800c"
    record = open_record(
        operation="X",
        actor=None,
        team=org.team,
        origin=Origin(user_agent=odd),
        target=odd,
        parameters={"ProductKey": odd, "DeviceName": [odd], "Tag": [{"Key": odd}], odd: odd},
    )
    close_record(record, AuditRecord.Outcome.FAILED, code=odd, message=odd, request_id=odd)
    kept = AuditRecord.objects.get(pk=record.pk)
    assert {kept.target, kept.code, kept.message, kept.request_id, kept.user_agent} == {"a\ufffdb?c"}
    assert kept.parameters["DeviceName"] == ["a\ufffdb?c"]


def test_a_record_leads_to_its_job_and_to_the_request_that_was_approved(
    org: Organization, sign_in: SignIn
) -> None:
    made = AuditRecord.objects.create(
        team=org.team,
        operation="DeleteProduct",
        actor_label="somebody",
        connection="sandbox",
        job=7,
        parameters={"approval": 3},
    )
    ways = ("/acme/sandbox/jobs/7/", "/acme/sandbox/approvals/3/")
    page = sign_in("owner").get(f"/acme/-/audit/{made.pk}/").content.decode()
    assert all(way in page for way in ways)
    org.connection.delete()
    page = sign_in("owner").get(f"/acme/-/audit/{made.pk}/").content.decode()
    assert not any(way in page for way in ways)


def test_a_structure_is_shown_as_names_and_values(org: Organization, sign_in: SignIn) -> None:
    renamed = {"DeviceNicknameInfo": [{"DeviceName": "lamp-1", "Nickname": "Pier"}]}
    found = write(org, 1, parameters=renamed, before={"DeviceNicknameInfo": [{"Nickname": "Quay"}]})
    page = sign_in("owner").get(f"{PAGE}{found.pk}/").content.decode()
    # PostgreSQL keeps the names of an object in an order of its own.
    assert "DeviceName: lamp-1 · Nickname: Pier" in page or "Nickname: Pier · DeviceName: lamp-1" in page
    assert "Nickname: Quay" in page
