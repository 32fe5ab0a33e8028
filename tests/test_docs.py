"""The documents name tests that exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCUMENTS = sorted(TESTS.parent.glob("docs/*.md"))
# `path/test_subject.py::part_of_a_name`, from the folder of tests; `::part_of_a_name`: of the file named before it.
REFERENCE = re.compile(r"`(?:tests/)?((?:\w+/)*test_\w+\.py)?(?:::(\w+))?`|`?pytest (?:tests/)?([\w/]+\.py)")


@cache
def list_tests(path: Path) -> list[str]:
    return re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def find_references(document: Path) -> list[tuple[str, str]]:
    """Return the tests that a document names: the file and a part of the name, "" for the whole file."""
    references, file = [], ""
    for named, part, command in REFERENCE.findall(document.read_text(encoding="utf-8")):
        file = named or command or file
        if named or part or command:
            references.append((file, part))
    return references


def test_the_references_to_tests_are_found() -> None:
    references = [reference for document in DOCUMENTS for reference in find_references(document)]
    assert ("test_headers.py", "over_https") in references
    assert ("sign_in/test_second_factor.py", "lost_factor") in references
    assert ("iot_client/test_catalogue.py", "") in references
    assert len(references) > 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    missing = []
    for file, part in find_references(document):
        path = TESTS / file
        if not path.is_file() or not any(part in name for name in list_tests(path)):
            missing.append(f"{file}::{part}")
    assert missing == []
