"""What the platform writes, read: times in every form, lists wrapped or not, statements that nothing can break out of."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.devices import sql
from console.devices.records import items, moment, split_key, to_tags

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
def test_every_form_of_a_time_is_the_same_moment(written):
    assert moment(written) == WHEN


@pytest.mark.parametrize("written", [None, "", "soon", "Wed, 99-Foo-2019 GMT", "9" * 40, {}])
def test_what_is_no_time_is_none(written):
    assert moment(written) is None


def test_a_list_is_read_wrapped_or_not():
    assert items({"DeviceInfo": [{"a": 1}]}, "DeviceInfo") == items([{"a": 1}], "DeviceInfo") == [{"a": 1}]
    assert items(None, "DeviceInfo") == items({}, "DeviceInfo") == []


@pytest.mark.parametrize("props", [None, "", "null", "no json", "[]"])
def test_tags_that_cannot_be_read_are_none(props):
    assert to_tags({"Props": props}) == []


@given(st.text())
def test_no_text_breaks_out_of_a_statement(text):
    try:
        clause = sql.Where("a1abc", text, "name", "ONLINE").clause()
    except ValueError:
        assert not sql.searchable(text)
        return
    assert clause.count('"') == (6 if text else 4)
    assert len(sql.Where("a1abc", text, "name", "ONLINE").rows(9950, 50)) <= 400


@pytest.mark.parametrize(
    ("text", "begins"),
    [("lamp", True), ("lam", False), ("lamp-1", False), ("lamp:1", False), ("lamp.1", True)],
)
def test_the_platform_looks_for_beginnings_of_four_characters_without_certain_signs(text, begins):
    assert sql.can_begin(text) is begins


@pytest.mark.parametrize("key", ["", "/", "a/", "/b", "ab"])
def test_what_names_no_device_is_refused(key):
    with pytest.raises(ValueError, match="not a device"):
        split_key(key)
