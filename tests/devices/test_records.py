"""Reading responses: times in every format, lists with and without wrapper. Search texts cannot break out of a statement."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.devices import sql
from console.devices.records import parse_time, read_items, split_key, to_tags

WHEN = datetime(2019, 2, 20, 2, 16, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2019-02-20T02:16:09.000Z",
        "Wed, 20-Feb-2019 02:16:09 GMT",
        "2019-02-20 10:16:09",
        "2019-02-20 10:16:09.000",
        1550628969000,
        "1550628969000",
    ],
)
def test_every_time_format_gives_the_same_time(written):
    assert parse_time(written) == WHEN


@pytest.mark.parametrize("written", [None, "", "soon", "Wed, 99-Foo-2019 GMT", "9" * 40, {}])
def test_an_invalid_time_is_none(written):
    assert parse_time(written) is None


def test_a_list_is_read_with_and_without_wrapper():
    assert (
        read_items({"DeviceInfo": [{"a": 1}]}, "DeviceInfo")
        == read_items([{"a": 1}], "DeviceInfo")
        == [{"a": 1}]
    )
    assert read_items(None, "DeviceInfo") == read_items({}, "DeviceInfo") == []


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


@pytest.mark.parametrize("key", ["", "/", "a/", "/b", "ab"])
def test_an_invalid_device_key_is_refused(key):
    with pytest.raises(ValueError, match="not a device"):
        split_key(key)
