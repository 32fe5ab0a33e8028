"""The log: one message for an error of the cloud, none for a form with errors."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection

from console import logs


@pytest.fixture
def messages(monkeypatch):
    """The messages that are written, as (level, text)."""
    written: list[tuple[str, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append((record.levelname, record.getMessage()))

    handler = Handler()
    root = logging.getLogger()
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


@pytest.fixture(autouse=True)
def no_earlier_message(monkeypatch):
    """Other tests of this process have logged nothing."""
    logger = logging.getLogger("console.connections.sending")
    monkeypatch.setattr(logger, "filters", [logs.RepeatFilter()])


def test_an_unreachable_cloud_is_one_warning_and_not_one_for_each_page(emulator, org, sign_in, messages):
    emulator.faults.add("QueryProductList", kind="drop", times=99)
    browser = sign_in("viewer")
    assert [browser.get(org.url("products/")).status_code for _page in range(3)] == [503] * 3
    assert [level for level, _text in messages] == ["WARNING"]
    assert "QueryProductList failed with" in messages[0][1]


def test_a_message_after_the_pause_says_how_many_were_left_out(monkeypatch):
    moments = iter([0.0, 1.0, 59.0, 61.0])
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    repeats = logs.RepeatFilter()

    def passes() -> str:
        record = logging.makeLogRecord({"msg": "failed with %s", "args": ("X",), "repeat_key": "a"})
        return record.getMessage() if repeats.filter(record) else ""

    assert [passes(), passes(), passes()] == ["failed with X", "", ""]
    assert passes() == "failed with X (2 more since the last message)"


def test_a_form_with_errors_is_no_warning(org, sign_in, messages):
    assert sign_in("operator").post(org.url("groups/new/"), {"name": ""}).status_code == 422
    assert messages == []


def test_a_database_that_does_not_respond_is_an_error_with_its_cause(org, sign_in, messages):
    browser = sign_in("operator")
    browser.raise_request_exception = False

    def refuse(*args):
        raise OperationalError("the database is gone")

    with connection.execute_wrapper(refuse):
        assert browser.get(org.url("jobs/")).status_code == 503
    assert [level for level, _text in messages] == ["ERROR"]


def test_a_page_that_does_not_exist_is_still_logged(org, sign_in, messages):
    sign_in("operator").get(org.url("nowhere/"))
    assert [level for level, _text in messages] == ["WARNING"]
