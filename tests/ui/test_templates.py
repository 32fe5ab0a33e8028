"""Rules for every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


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
