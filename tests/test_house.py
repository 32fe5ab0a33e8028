"""The parts below the areas name no area. Imports are checked by import-linter; this checks words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PARTS = ("access", "connections", "jobs", "ui")
WORDS = re.compile(
    r"device|product|nickname|firmware|registration|thing[ _-]?model|edge[ _-]?instance|iot_?id|\bota\b"
    r"|update[ _-]?batch|batch_id",
    re.IGNORECASE,
)
# Files that name areas today, by reason. A file that no longer does must leave this list.
EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "an access scope consists of products and groups": (
        "console/access/forms.py",
        "console/access/migrations/0002_grants_tokens_and_audit_chains.py",
        "console/access/models/teams.py",
        "console/access/pages/members.py",
        "console/access/scope.py",
        "console/access/tokens/forms.py",
        "console/connections/cache.py",
        "console/connections/models.py",
        "console/connections/scope/guard.py",
        "console/connections/scope/lists.py",
        "console/connections/scope/names.py",
        "console/connections/scope/sql.py",
        "static/access/access.css",
        "static/access/keys.js",
        "templates/access/_invitation_details.html",
        "templates/access/member.html",
    ),
    "the levels of roles and the labels of operations are written for each area": (
        "console/access/audit/masking.py",
        "console/access/operation_labels.py",
        "console/access/pages/matrix.py",
        "console/access/roles.py",
    ),
    "rules for approvals are columns of the team": (
        "console/connections/approval.py",
        "console/connections/gateway.py",
        "console/connections/migrations/0002_recent_deletions.py",
    ),
    "a connection is tested by reading products; errors and forms speak of devices": (
        "console/connections/errors.py",
        "console/connections/probe.py",
        "console/connections/submissions.py",
        "templates/access/no_connection.html",
        "templates/connections/delete.html",
    ),
    "navigation, statuses and search are lists of all areas": (
        "console/ui/context.py",
        "console/ui/middleware.py",
        "console/ui/statuses.py",
        "console/ui/templatetags/ui.py",
        "console/ui/views.py",
        "templates/ui/topbar.html",
    ),
    "examples": (
        "console/ui/format.py",
        "console/ui/styleguide.py",
        "templates/ui/style/guide.html",
    ),
    "devices with which people sign in, and registration of accounts": (
        "console/access/sign_in/forms.py",
        "console/access/sign_in/user_agents.py",
        "console/access/sign_in/views.py",
        "console/access/sign_on/forms.py",
        "templates/access/security.html",
    ),
}


def find_named_areas(part: str) -> dict[str, set[str]]:
    """Return the files of a part that name an area, with the words."""
    words: dict[str, set[str]] = {}
    for folder in (f"console/{part}", f"templates/{part}", f"static/{part}"):
        for path in sorted(Path(CHECKOUT, folder).rglob("*")):
            if path.suffix in {".py", ".html", ".js", ".css"}:
                found = {word.lower() for word in WORDS.findall(path.read_text(encoding="utf-8"))}
                if found:
                    words[path.relative_to(CHECKOUT).as_posix()] = found
    return words


@pytest.mark.parametrize("part", PARTS)
def test_a_part_below_the_areas_names_no_area(part: str) -> None:
    excepted = {path for paths in EXCEPTIONS.values() for path in paths}
    found = find_named_areas(part)
    assert {path: words for path, words in found.items() if path not in excepted} == {}
    of_part = {path for path in excepted if path.split("/")[1] == part}
    assert of_part - found.keys() == set(), "these files name no area: take them off the list"


def test_the_engine_of_jobs_needs_no_exception() -> None:
    assert find_named_areas("jobs") == {}
