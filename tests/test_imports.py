"""No test imports another test: what several tests need is in `conftest.py` or in a module without tests."""

from __future__ import annotations

import ast
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
