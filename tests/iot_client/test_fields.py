"""Fields of responses: each form in which the platform writes a value is read as the same value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from iot_client.fields import read_count, read_integer, read_items, read_text, read_time

MOMENT = datetime(2019, 2, 20, 2, 16, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1550628969000,
        "1550628969000",
        "2019-02-20T02:16:09.000Z",
        "Wed, 20-Feb-2019 02:16:09 GMT",
        "2019-02-20 10:16:09",  # without a zone: UTC+8
        "2019-02-20 10:16:09.000",
    ],
)
def test_every_form_of_a_time_is_the_same_moment(value):
    assert read_time(value) == MOMENT


@pytest.mark.parametrize("value", [None, "", 0, "soon", "9" * 30, {}, "2019-13-45", "Wed, 99-Foo-2019 GMT"])
def test_a_value_that_is_no_time_is_none(value):
    assert read_time(value) is None


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5), ("5", 5), (None, None), ("", None), ("five", None), (True, None)]
)
def test_a_number_may_come_as_text(value, number):
    assert read_integer(value) == number
    assert read_count(value) == (number or 0)


def test_a_missing_text_is_empty():
    assert read_text({"Name": None}, "Name") == read_text({}, "Name") == ""
    assert read_text({"Name": 7}, "Name") == "7"


@pytest.mark.parametrize("data", [[{"a": 1}], {"Info": [{"a": 1}]}, {"Info": [{"a": 1}, None, "text"]}])
def test_a_list_is_read_with_and_without_its_wrapper(data):
    assert read_items(data, "Info") == [{"a": 1}]


@pytest.mark.parametrize("data", [None, {}, {"Info": None}, {"Info": {}}, "text"])
def test_a_missing_list_is_empty(data):
    assert read_items(data, "Info") == []
