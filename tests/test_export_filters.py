"""Every list with an export: the file holds the rows of the screen, also after a change of a filter without a reload."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from django import forms
from django.test import Client

from console.audit.entries import Entry
from console.audit.models import AuditRecord, ReadCount
from console.teams.pages.audit import ENTRIES, RECORDS
from console.ui.forms import FilterForm
from console.ui.tables import BoundTable
from tests.populated import PopulatedTeam, list_addresses

PAGE_SIZE = 50
SignIn = Callable[[str], Client]
# The lists with an export. A new one is found and must be added here; a missing one fails.
LISTS = {
    "approvals:list",
    "devices:list",
    "devices:of-product",
    "jobs:list",
    "products:list",
    "teams:audit",
    "teams:audit-reads",
}


class ListOnScreen:
    """A list in a browser whose filters change by htmx: the rows and the export buttons that the user sees."""

    def __init__(self, client: Client, url: str, filters: dict[str, str]) -> None:
        self.client, self.url = client, url
        self._read(client.get(url, filters))

    def change(self, filters: dict[str, str]) -> None:
        """Change the filters without a reload of the page."""
        target = f"{self.table.id}-results"
        self._read(
            self.client.get(self.url, filters, headers={"HX-Request": "true", "HX-Target": target}),
        )

    def _read(self, response: Any) -> None:
        assert response.status_code == 200
        self.table: BoundTable[Any] = response.context["table"]
        self.filters: FilterForm = response.context["filters"]
        html = response.content.decode()
        found = re.findall(r'href="([^"]+format=(?:csv|jsonl)[^"]*)"[^>]*download', html)
        if f'id="{self.table.id}-exports"' in html:
            self.exports = list(map(unescape, found))

    @property
    def rows(self) -> list[Any]:
        """What the export has a row for: of the audit trail, the records of the entries that are shown."""
        return [row.record if isinstance(row, Entry) else row for row in self.table.rows]

    def find_differences(self) -> Iterator[str]:
        """Yield the exports that do not begin with the rows of the screen, or have more rows than a screen with all.

        The records of downloads are left out: each download adds one to the audit trail.
        """
        for url in self.exports:
            text = self.client.get(url).getvalue().decode()  # type: ignore[attr-defined]
            if "format=jsonl" in url:
                shown = [row.opened_number for row in self.rows if row.operation != "audit.export"]
                records = [json.loads(line) for line in text.splitlines()]
                rows: list[Any] = [
                    record["opened_number"] for record in records if record["operation"] != "audit.export"
                ]
            else:
                table = RECORDS if self.table.id == ENTRIES.id else self.table.table
                shown = _read_rows("".join(table.csv_lines(self.rows)))
                rows = _read_rows(text)
            is_complete = len(self.table.rows) < PAGE_SIZE
            if rows[: len(shown)] != shown or (is_complete and len(rows) != len(shown)):
                yield f"{url}: {len(rows)} rows, the screen has {len(shown)}"


def _read_rows(text: str) -> list[list[str]]:
    return [row for row in list(csv.reader(io.StringIO(text)))[1:] if "audit.export" not in row]


def list_changes(screen: ListOnScreen) -> Iterator[dict[str, str]]:
    """Yield a change of each filter: each choice of a list, and for other fields a value that some row has, and one of none."""
    rows = screen.table.rows
    primary = next(column for column in screen.table.table.columns if column.primary)
    for name, field in screen.filters.fields.items():
        if isinstance(field, forms.ChoiceField):
            yield from ({name: str(value)} for value, _label in field.choices if str(value))
        elif isinstance(field, forms.DateField):
            yield from ({name: day} for day in ("2020-01-01", "2026-01-01"))
        elif isinstance(field, forms.IntegerField):
            yield {name: "1"}
        else:
            value = getattr(rows[0], name, None) or primary.value_of(rows[0])
            yield from ({name: text} for text in (str(value)[:40], "none-has-this"))


@pytest.fixture
def with_history(populated: PopulatedTeam) -> PopulatedTeam:
    """The populated team with several audit records and read counts."""
    team = populated.org.team
    for number, outcome in enumerate(["done", "failed", "refused"] * 2):
        values = {"actor_label": f"person {number}", "operation": f"Operation{number}"}
        AuditRecord.objects.create(team=team, target=f"target {number}", outcome=outcome, **values)
        ReadCount.objects.create(
            team=team, day=f"2026-01-0{number + 1}", connection="main", count=1, **values
        )
    return populated


def open_lists(
    populated: PopulatedTeam, client: Client
) -> Iterator[tuple[str, ListOnScreen, dict[str, str]]]:
    """Open every list with an export. Yield its address name, the screen and the parameters of its URL."""
    product = {"product": populated.things["products"]["key"]}
    for name in list_addresses():
        parameters = {"size": str(PAGE_SIZE)} | (product if name == "devices:list" else {})
        response = client.get(populated.url(name), parameters)
        context: Any = response.context or {}
        table = context.get("table") if response.status_code == 200 else None
        if isinstance(table, BoundTable) and table.table.export:
            yield name, ListOnScreen(client, populated.url(name), parameters), parameters


def test_each_export_button_follows_each_filter_without_a_reload(
    with_history: PopulatedTeam, sign_in: SignIn
) -> None:
    lists, changes, differences = set(), 0, []
    for name, screen, parameters in open_lists(with_history, sign_in("owner")):
        lists.add(name)
        differences += [f"{name}: {text}" for text in screen.find_differences()]
        for change in list_changes(screen):
            screen.change(parameters | change)
            changes += 1
            differences += [f"{name} {change}: {text}" for text in screen.find_differences()]
        screen.change(parameters)
        differences += [f"{name} without filters: {text}" for text in screen.find_differences()]
    assert differences == []
    assert lists == LISTS
    assert changes > 30
