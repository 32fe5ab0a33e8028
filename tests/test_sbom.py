"""`make sbom`: what the console consists of, without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.console_process import CHECKOUT

NO_NETWORK = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both files."""
    folder = tmp_path_factory.mktemp("sbom")
    installed = ("-o", ".venv/.dev", "-o", ".venv/.npm")
    subprocess.run(
        ["make", "--silent", *installed, "sbom", f"SBOM={folder}"],
        cwd=CHECKOUT,
        env={**os.environ, **NO_NETWORK},
        check=True,
        timeout=120,
    )
    return folder


def read_components(path: Path) -> dict[str, str]:
    """Return the version of each package."""
    bom = json.loads(path.read_text())
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["version"] == "0.1.0"
    names = {part["purl"].partition("/")[2].rpartition("@")[0]: part["version"] for part in bom["components"]}
    return {name.replace("%40", "@"): version for name, version in names.items()}


def test_the_python_packages_are_those_of_the_lock_file(folder: Path) -> None:
    lock = (CHECKOUT / "requirements" / "base.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", lock, re.MULTILINE))
    assert len(locked) > 30
    assert read_components(folder / "sbom-python.json") == locked


def test_the_packages_of_the_pages_are_those_of_the_lock_file(folder: Path) -> None:
    lock = json.loads((CHECKOUT / "package-lock.json").read_text())
    locked = {name.rpartition("node_modules/")[2] for name in lock["packages"] if name}
    components = read_components(folder / "sbom-assets.json")
    assert set(components) == locked
    assert components["htmx.org"] == lock["packages"]["node_modules/htmx.org"]["version"]
