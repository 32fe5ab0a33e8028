"""Rules for every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR, "templates")
TEMPLATES = sorted(FOLDER.rglob("*.html"))
LINE_LENGTH = 120


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_tag_spans_lines(path: Path):
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        assert not re.search(r"\{\{(?!.*\}\})|\{%(?!.*%\})", line), f"line {number}: {line}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_template_contains_an_inline_script_style_or_handler(path: Path):
    text = path.read_text()
    assert not re.search(
        r"<script(?![^>]*\bsrc=)[^>]*>\s*\S|<style\b|\sstyle=|\son[a-z]+=|hx-on|javascript:", text
    )


def test_no_line_of_a_template_is_longer_than_120_characters():
    long_lines = [
        f"{path.relative_to(FOLDER)}:{number}"
        for path in sorted(file for file in FOLDER.rglob("*.*") if file.is_file())
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LINE_LENGTH
    ]
    assert long_lines == []
