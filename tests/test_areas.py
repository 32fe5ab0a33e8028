"""The areas: what one line in the settings adds to the console, and what the parts below the areas may not know."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse

from console.accounts.roles import CLOUD_AREAS
from console.ui.areas import all_areas
from console.ui.statuses import all_statuses

SOURCE = Path(settings.BASE_DIR, "console")
# All settings are read once for a process, so another list of areas needs another process.
DESCRIBE_CONSOLE = """
import django, json
django.setup()
from django.urls import resolve, reverse
from console.api.document import document
from console.jobs.kinds import all_kinds
from console.ui.navigation import navigation_groups
from console.ui.statuses import status
page = reverse("lamps:plans", args=["acme", "sandbox"])
operation = resolve("/api/v1/sandbox/lamps")
print(json.dumps({
    "address": page,
    "view": resolve(page).func.__name__,
    "navigation": [[str(group.heading), [[e.name, e.area] for e in group.entries]] for group in navigation_groups()],
    "status": str(status("lamp", "BURNING").label),
    "kinds": list(all_kinds()),
    "operations": [one["get"]["operationId"] for one in document()["paths"].values() if "get" in one],
    "operation": operation.url_name,
}))
"""


def test_a_new_area_is_a_folder_and_one_line_in_the_settings() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.sample_area.settings"}
    result = subprocess.run(
        [sys.executable, "-c", DESCRIBE_CONSOLE],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    described = json.loads(result.stdout)
    assert described["address"] == "/acme/sandbox/lamps/plans/"
    assert described["view"] == "lamp_list"
    headings = [heading for heading, _entries in described["navigation"]]
    assert headings[-2:] == ["Lamps", "Activity"]
    assert described["navigation"][-2][1] == [["lamps:list", "lamps"], ["lamps:plans", "lamps"]]
    assert described["status"] == "In progress"
    assert "lamps.watch" in described["kinds"]
    assert "list_lamps" in described["operations"]
    assert described["operation"] == "list_lamps"


@pytest.mark.parametrize("area", all_areas(), ids=lambda area: area.slug)
def test_an_area_has_a_row_in_the_role_matrix_and_its_own_addresses(area) -> None:
    assert area.slug in CLOUD_AREAS
    assert f"console.areas.{area.slug}" in settings.INSTALLED_APPS
    for entry in area.navigation:
        assert reverse(entry.name, args=["acme", "sandbox"]).startswith(f"/acme/sandbox/{area.slug}/")
    for kind in area.job_kinds:
        assert kind.slug.startswith(f"{area.slug}.")


def test_no_two_areas_declare_the_same_thing() -> None:
    kinds = [kind for area in all_areas() for kind in area.statuses]
    assert len(kinds) == len(set(kinds))
    assert all(all_statuses()[kind] is area.statuses[kind] for area in all_areas() for kind in area.statuses)
    jobs = [kind.slug for area in all_areas() for kind in area.job_kinds]
    assert len(jobs) == len(set(jobs))


@pytest.mark.parametrize(
    "part",
    ["ui", "accounts", "audit", "sign_in", "teams", "connections", "jobs", "pages", "approvals", "api"],
)
def test_a_part_below_the_areas_names_none_of_their_pages(part: str) -> None:
    """Imports are checked by import-linter. A URL name is a string, which it cannot see."""
    slugs = "|".join(area.slug for area in all_areas())
    pattern = re.compile(rf"\b(?:{slugs}):[a-z]|console\.areas\.\w")
    found = [
        f"{path.relative_to(SOURCE)}: {match[0]}"
        for path in sorted((SOURCE / part).rglob("*.py"))
        for match in pattern.finditer(path.read_text())
    ]
    assert found == []
