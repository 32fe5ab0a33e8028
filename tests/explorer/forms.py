"""The forms of the explorer."""

from __future__ import annotations

import re
from html import unescape


def field_values(html: str) -> dict[str, str]:
    """Return names and values of text inputs, textareas and selects."""
    values = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            values[name[1]] = unescape(value[1])
    for name, body in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S):
        values[name] = unescape(body)
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        values[name] = unescape(chosen[1]) if chosen else ""
    return values
