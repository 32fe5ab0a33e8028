"""What test modules import: neither another test nor a conftest, except `tests/conftest.py`, which serves all folders.

Fixtures of one folder are in its `conftest.py`. Fixtures of several folders, and helpers, are in modules without tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def find_imported_modules(source: str) -> Iterator[str]:
    """Yield the name of each imported module, and of each name that is imported from one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def names_a_test_module(module: str) -> bool:
    parts = module.split(".")
    return any(
        (TESTS.parent.joinpath(*parts[:end]).with_suffix(".py")).exists()
        for end in range(2, len(parts) + 1)
        if parts[0] == "tests" and parts[end - 1].startswith("test_")
    )


def test_no_module_imports_a_test() -> None:
    wrong = {
        f"{path.relative_to(TESTS)}: {module}"
        for path in TESTS.rglob("*.py")
        for module in find_imported_modules(path.read_text())
        if names_a_test_module(module)
    }
    assert wrong == set()


def test_an_import_of_a_test_is_found() -> None:
    for source in (
        "from tests.test_imports import x",
        "from tests import test_imports",
        "def f():\n    import tests.test_imports",
    ):
        assert any(map(names_a_test_module, find_imported_modules(source))), source
    assert not any(map(names_a_test_module, find_imported_modules("from tests.conftest import KEY_ID")))


def is_conftest_of_folder(module: str) -> bool:
    return "conftest" in module.split(".") and module.partition(".conftest")[0] != "tests"


def test_no_module_imports_the_conftest_of_a_folder() -> None:
    wrong = {
        f"{path.relative_to(TESTS)}: {module}"
        for path in TESTS.rglob("*.py")
        for module in find_imported_modules(path.read_text())
        if is_conftest_of_folder(module)
    }
    assert wrong == set()


def test_an_import_of_the_conftest_of_a_folder_is_found() -> None:
    for source in (
        "from tests.jobs.conftest import x",
        "from tests.jobs import conftest",
        "from .conftest import x",
        "from . import conftest",
        "import tests.areas.ota.conftest",
    ):
        assert any(map(is_conftest_of_folder, find_imported_modules(source))), source
    for source in ("from tests.conftest import KEY_ID", "from tests import conftest"):
        assert not any(map(is_conftest_of_folder, find_imported_modules(source))), source


def test_no_module_exports_names_for_others() -> None:
    """A module that lists an imported fixture in `__all__` hides where the fixture comes from."""
    wrong = [
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if re.search(r"^__all__\b", path.read_text(), re.MULTILINE)
    ]
    assert wrong == []
