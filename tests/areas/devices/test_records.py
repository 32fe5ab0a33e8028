"""Reading tags of devices. Search texts cannot break out of a statement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.areas.devices import sql
from console.areas.devices.records import to_tags


@pytest.mark.parametrize("props", [None, "", "null", "no json", "[]"])
def test_unreadable_tags_are_an_empty_list(props):
    assert to_tags({"Props": props}) == []


@given(st.text())
def test_no_search_text_breaks_out_of_a_statement(text):
    try:
        clause = sql.Where("a1abc", text, "name", "ONLINE").clause()
    except ValueError:
        assert not sql.is_searchable(text)
        return
    assert clause.count('"') == (6 if text else 4)
    assert len(sql.Where("a1abc", text, "name", "ONLINE").rows(9950, 50)) <= 400


@pytest.mark.parametrize(
    ("text", "is_prefix"),
    [("lamp", True), ("lam", False), ("lamp-1", False), ("lamp:1", False), ("lamp.1", True)],
)
def test_a_prefix_needs_four_characters_and_excludes_certain_characters(text, is_prefix):
    assert sql.is_prefix(text) is is_prefix
