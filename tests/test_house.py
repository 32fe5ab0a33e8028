"""The parts below the areas name no area. Imports are checked by import-linter; this checks words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PARTS = ("accounts", "audit", "sign_in", "teams", "connections", "jobs", "ui")
WORDS = re.compile(
    r"device(?!-width|-desktop)|product|nickname|firmware|registration|thing[ _-]?model|edge[ _-]?instance|iot_?id|\bota\b"
    r"|update[ _-]?batch|batch_id",
    re.IGNORECASE,
)
# Files that name areas today, by reason. A file that no longer does must leave this list.
EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "an access scope consists of products and groups": (
        "console/accounts/models/grants.py",
        "console/accounts/scope.py",
        "console/connections/cache.py",
        "console/connections/gateway.py",
        "console/connections/scope/guard.py",
        "console/connections/scope/lists.py",
        "console/connections/scope/names.py",
        "console/connections/scope/sql.py",
        "console/teams/forms.py",
        "console/teams/pages/common.py",
        "static/teams/keys.js",
        "static/teams/teams.css",
        "templates/teams/_scope.html",
    ),
    "the levels of roles and the words of operations are written for each area": (
        "console/accounts/roles.py",
        "console/audit/masking.py",
        "console/audit/phrases/__init__.py",
        "console/audit/phrases/console_actions.py",
        "console/audit/phrases/devices.py",
        "console/audit/phrases/edge.py",
        "console/audit/phrases/groups.py",
        "console/audit/phrases/ota.py",
        "console/audit/phrases/products.py",
        "console/audit/phrases/routing.py",
        "console/audit/phrases/things.py",
        "console/audit/phrases/messaging.py",
        "console/audit/phrases/words.py",
        "console/audit/sentences.py",
        "console/teams/pages/matrix.py",
    ),
    "a connection is tested by reading products; errors and forms speak of devices": (
        "console/connections/errors.py",
        "console/connections/probe.py",
        "console/connections/submissions.py",
        "templates/connections/delete.html",
        "templates/teams/no_connection.html",
    ),
    "examples, and the search field of the top bar": (
        "console/ui/format.py",
        "console/ui/styleguide.py",
        "console/ui/templatetags/ui.py",
        "console/ui/views.py",
        "templates/ui/style/guide.html",
        "templates/ui/topbar.html",
    ),
    "devices with which people sign in, and products of an identity provider": (
        "console/sign_in/forms.py",
        "console/sign_in/sessions.py",
        "console/sign_in/user_agents.py",
        "console/sign_in/views.py",
        "console/teams/pages/audit.py",
        "console/ui/middleware.py",
        "templates/sign_in/_sessions.html",
        "templates/sign_in/security.html",
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
