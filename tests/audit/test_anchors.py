"""Heads of the chains that are stored outside the database reveal what the database alone cannot show."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from console.audit import anchors, tasks
from console.audit.models import AuditChain, AuditRecord
from console.audit.records import Origin, write_record
from tests.conftest import Organization

URL = "https://anchors.example.test/fleetdesk"
DONE = AuditRecord.Outcome.DONE


def write_records(org: Organization, count: int) -> None:
    for number in range(count):
        write_record(DONE, operation="x", actor=None, team=org.team, origin=Origin(), target=str(number))


def restore(chain: AuditChain) -> None:
    AuditRecord.objects.filter(chain=chain, opened_number__gt=chain.length).delete()
    columns = {name: getattr(chain, name) for name in ("length", "state", "row_hmac")}
    AuditChain.objects.filter(pk=chain.pk).update(**columns)


def run_audit(*args: str) -> tuple[str, bool]:
    """Run `manage.py audit`. Returns what it wrote, and whether it succeeded."""
    out = io.StringIO()
    try:
        call_command("audit", *args, stdout=out, stderr=out)
    except CommandError as error:
        return out.getvalue() + str(error), False
    return out.getvalue(), True


@pytest.fixture
def log_file(org: Organization, tmp_path: Path) -> Iterator[Path]:
    """The log of a console in which five records were anchored."""
    path = tmp_path / "console.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("{asctime} {levelname} {name} {message}", style="{"))
    logging.getLogger("console").addHandler(handler)
    write_records(org, 5)
    logging.getLogger("console.jobs").warning('another line with a brace: {"length": 3}')
    run_audit("anchor")
    logging.getLogger("console").removeHandler(handler)
    yield path
    handler.close()


def test_anchors_match_the_trail_that_went_on(log_file: Path, org: Organization) -> None:
    write_records(org, 3)
    text, succeeded = run_audit("verify", "--anchors", str(log_file))
    assert succeeded
    assert "3 anchors match the audit trail" in text


def test_an_anchor_names_team_length_state_and_time(log_file: Path, org: Organization) -> None:
    lines = [line for line in log_file.read_text().splitlines() if "console.audit.anchors" in line]
    anchor = next(one for line in lines if (one := json.loads(line[line.index("{") :]))["team"] == "acme")
    chain = AuditChain.objects.get(team=org.team)
    assert (anchor["length"], anchor["state"]) == (10, chain.state)
    assert anchor["at"].endswith("+00:00")


def test_a_trail_set_back_to_an_earlier_state_passes_alone_and_is_found_by_its_anchor(
    org: Organization, tmp_path: Path
) -> None:
    write_records(org, 3)
    earlier = AuditChain.objects.get(team=org.team)
    write_records(org, 2)
    path = tmp_path / "anchors"
    path.write_text(run_audit("anchor")[0])
    restore(earlier)
    assert run_audit("verify")[1]
    text, succeeded = run_audit("verify", "--anchors", str(path))
    assert not succeeded
    assert "had 10 entries and has 6" in text
    write_records(org, 2)  # as long as before, but another trail
    text, succeeded = run_audit("verify", "--anchors", str(path))
    assert not succeeded
    assert f"entry 10 of the chain acme-{org.team.pk} is another one" in text


def test_anchors_find_a_trail_that_was_deleted_with_its_team_and_the_count(
    log_file: Path, org: Organization
) -> None:
    AuditRecord.objects.all().delete()
    AuditChain.objects.all().delete()
    for team in (org.team, org.other_team):
        team.connections.all().delete()
        team.delete()
    assert run_audit("verify")[1]
    text, succeeded = run_audit("verify", "--anchors", str(log_file))
    assert not succeeded
    assert text.count("removed: line") == 3


def test_a_file_without_anchors_is_an_error(org: Organization, tmp_path: Path) -> None:
    path = tmp_path / "empty.log"
    path.write_text("2026-01-01 INFO console.jobs started\n")
    text, succeeded = run_audit("verify", "--anchors", str(path))
    assert not succeeded
    assert "contains no anchors" in text


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[httpx.Request]:
    """The requests to the webhook, which responds with the statuses in `statuses` of the transport, then with 204."""
    settings.AUDIT_ANCHOR_URL, settings.AUDIT_ANCHOR_SECRET = URL, "shared secret"
    received: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(503 if len(received) == 1 else 204)

    client: Callable[..., httpx.Client] = httpx.Client
    monkeypatch.setattr(
        anchors.httpx, "Client", lambda **options: client(transport=httpx.MockTransport(respond), **options)
    )
    return received


def test_the_webhook_gets_signed_anchors_and_a_failed_attempt_is_repeated(
    requests: list[httpx.Request], org: Organization
) -> None:
    heads = anchors.log_anchors()
    assert tasks.send_anchors.apply(args=[heads]).successful()  # apply() runs the repetitions too
    assert len(requests) == 2
    body = requests[1].content
    expected = hmac.new(b"shared secret", body, hashlib.sha256).hexdigest()
    assert requests[1].headers["X-Fleetdesk-Signature"] == f"sha256={expected}"
    assert {anchor["team"] for anchor in json.loads(body)["anchors"]} == {"", "acme", "globex"}


def test_a_saved_request_of_the_webhook_can_be_compared(
    requests: list[httpx.Request], org: Organization, tmp_path: Path
) -> None:
    write_records(org, 1)
    tasks.send_anchors.apply(args=[anchors.log_anchors()])
    path = tmp_path / "requests.jsonl"
    path.write_bytes(requests[1].content)
    text, succeeded = run_audit("verify", "--anchors", str(path))
    assert succeeded
    assert "3 anchors match" in text
