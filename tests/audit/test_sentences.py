"""Audit records as plain sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.audit.phrases import PHRASES
from console.audit.sentences import RecordKind, describe_operation, describe_record, kind_of
from iot_client.catalogue import operations

CONSOLE = Path(__file__).parents[2] / "console"
CODE = re.compile(
    r"(approval|audit|connection|factor|jobs|password|profile|role|session|sign_on|team|token)\.[a-z_]+"
)


def describe(operation: str, target: str = "", outcome: str = "done", **parameters: Any) -> str:
    return describe_record(
        SimpleNamespace(operation=operation, target=target, outcome=outcome, parameters=parameters)
    )


def find_own_codes() -> Iterator[str]:
    """Find the codes of the console's own actions where they are recorded: an argument of a function that writes records."""
    writers = {
        "record_event",
        "record_failure",
        "record_change",
        "record_action",
        "record_user_action",
        "write_event",
        "write_record",
        "open_record",
        "Download",
        "_write_record",
    }
    for path in CONSOLE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name in writers:
                arguments = (*call.args, *(keyword.value for keyword in call.keywords))
                values = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
                yield from (value for value in values if isinstance(value, str) and CODE.fullmatch(value))


def test_every_operation_and_every_own_action_has_a_sentence() -> None:
    own = set(find_own_codes())
    assert len(own) > 40
    assert {*operations(), *own} - PHRASES.keys() == set()
    for code in PHRASES:
        assert re.fullmatch(r"[A-Z][^%.]+", describe(code)), code
        assert code not in describe(code, "x", outcome="failed")
        assert re.fullmatch(r"[A-Z][^%.]+", describe_operation(code)), code


def test_the_parameter_that_lists_objects_is_one_of_the_operation() -> None:
    for name, phrase in PHRASES.items():
        if phrase.items:
            roots = {parameter.split(".")[0] for parameter in operations()[name].parameters}
            assert phrase.items in roots, name


@pytest.mark.parametrize(
    ("sentence", "operation", "target", "parameters"),
    [
        ("Registered 1,500 devices in SL200", "BatchRegisterDeviceWithApplyId", "SL200: 1,500 devices", {}),
        ("Registered 1 device in SL200", "BatchRegisterDeviceWithApplyId", "SL200: 1 devices", {}),
        ("Disabled device lamp-1", "DisableThing", "lamp-1", {}),
        ("Signed in", "session.sign_in", "ann@acme.test", {}),
        ("Downloaded the list of devices", "devices.export", "devices.csv", {}),
        ("Downloaded the list of jobs", "jobs.export", "jobs.csv", {}),
        ("Downloaded the results of job 7", "jobs.export", "job 7", {"file": "job-7-all.csv"}),
        ("Downloaded the device secrets of job 7", "DownloadDeviceSecrets", "job 7", {"Count": 3}),
        (
            "Added 2 devices to group Pier",
            "BatchAddDeviceGroupRelations",
            "Pier",
            {"Device": [{"DeviceName": "a"}, {"DeviceName": "b"}]},
        ),
        (
            "Removed device a from group Pier",
            "BatchDeleteDeviceGroupRelations",
            "Pier",
            {"Device": [{"DeviceName": "a"}]},
        ),
        (
            "Canceled updates of 46 devices",
            "CancelOTATaskByDevice",
            "B1",
            {"DeviceName": ["a"] * 20 + ["… 46 in total"]},
        ),
        ("Viewed secrets of device lamp-1", "QueryDeviceInfo", "lamp-1", {}),
        ("Disabled device lamp-1 (a1B2)", "DisableThing", "a1B2/lamp-1", {}),
        (
            "Removed device a (a1B2) from group Pier",
            "BatchDeleteDeviceGroupRelations",
            "Pier",
            {"Device": [{"ProductKey": "a1B2", "DeviceName": "a"}]},
        ),
        ("Confirmed updates of 1 device", "ConfirmOTATask", "B1", {"TaskId": ["T1"]}),
        ("Edited the team settings", "team.settings", "Acme", {}),
        ("Invited ann@acme.test", "team.invite", "ann@acme.test", {}),
        ("Gone.Operation x", "Gone.Operation", "x", {}),
    ],
)
def test_a_sentence_names_the_object_or_its_number(
    sentence: str, operation: str, target: str, parameters: Mapping[str, Any]
) -> None:
    assert describe(operation, target, **parameters) == sentence


@pytest.mark.parametrize("outcome", ["failed", "refused", "unknown", "open"])
def test_what_was_not_carried_out_or_may_not_have_been_was_tried(outcome: str) -> None:
    assert describe("DisableThing", "lamp-1", outcome) == "Tried to disable device lamp-1"


def test_the_address_of_a_refused_page_is_no_name() -> None:
    assert describe("DeleteProduct", "/acme/sandbox/products/", "refused") == "Tried to delete a product"
    assert (
        describe("CreateTopicRouteTable", "/a1/dev/get") == "Started to forward messages of topic /a1/dev/get"
    )


def test_a_name_that_looks_like_a_number_of_devices_is_kept() -> None:
    assert describe("CreateProduct", "Hall: 5 devices") == "Created product Hall: 5 devices"


def test_a_percent_sign_in_a_name_is_kept() -> None:
    assert describe("CreateProduct", "100%(object)s %d") == "Created product 100%(object)s %d"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("devices.export", RecordKind.EXPORT),
        ("audit.export_reads", RecordKind.EXPORT),
        ("session.sign_in", RecordKind.SIGN_IN),
        ("token.use", RecordKind.SIGN_IN),
        ("token.make", RecordKind.CHANGE),
        ("QueryDeviceInfo", RecordKind.REVEAL),
        ("DeleteDevice", RecordKind.CHANGE),
        ("Gone.Operation", RecordKind.CHANGE),
    ],
)
def test_exports_sign_ins_and_reveals_are_no_changes(operation: str, kind: RecordKind) -> None:
    assert kind_of(operation) is kind


def test_an_operation_is_described_like_its_records() -> None:
    assert describe_operation("DisableThing") == "Disabled a device"
    assert describe_operation("role.create") == "Created a role"
    assert describe_operation("Gone.Operation") == "Gone.Operation"
