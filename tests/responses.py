"""Reads responses of the console: the text of pages, and the rows of files."""

from __future__ import annotations

import csv
import io
import re


def page_text(response) -> str:
    """Return the text of a page without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def read_csv(response) -> list[dict[str, str]]:
    """Return the rows of a downloaded CSV file as dictionaries."""
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))
