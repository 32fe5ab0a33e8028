"""What holds for every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_tag_goes_over_a_line_break_for_it_would_be_shown_as_text(path: Path):
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        assert not re.search(r"\{\{(?!.*\}\})|\{%(?!.*%\})", line), f"line {number}: {line}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_template_holds_a_script_a_style_or_a_handler_of_its_own(path: Path):
    text = path.read_text()
    assert not re.search(
        r"<script(?![^>]*\bsrc=)[^>]*>\s*\S|<style\b|\sstyle=|\son[a-z]+=|hx-on|javascript:", text
    )
