"""The official SDK calls every operation with both signature schemes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from iot_client.catalogue import Access, operation, operations
from tests.conformance.platform import PreparedPlatform, Server
from tests.conformance.rows import Row, check_row
from tests.conformance.sdk import RENAMED, SCHEMES, leaf_paths, sdk_fields, sdk_methods
from tests.conformance.table import ABSENT_FIELDS, ROWS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)
def test_operation(row: Row, scheme: str, server: Server, copied_database: Path, record_property) -> None:
    with PreparedPlatform.start(server, copied_database, scheme) as platform:
        checked = check_row(row, platform)
    group = operation(row.operation).group
    record_property(
        "conformance",
        {
            "operation": row.operation,
            "group": group,
            "result": row.result,
            "scheme": scheme,
            **asdict(checked),
        },
    )


def rows_by_operation() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in ROWS:
        rows.setdefault(row.operation, []).append(row)
    return rows


def test_every_operation_has_a_row() -> None:
    assert sorted(rows_by_operation()) == sorted(operations())


def test_every_field_is_set_by_a_row_or_has_a_reason() -> None:
    omitted = {
        name: set.intersection(*(set(row.absent_fields) for row in rows))
        for name, rows in rows_by_operation().items()
    }
    assert {name: fields for name, fields in omitted.items() if fields} == {
        name: set(reasons) for name, reasons in ABSENT_FIELDS.items()
    }


def test_every_operation_is_called_with_missing_and_invalid_parameters() -> None:
    for name, rows in rows_by_operation().items():
        op = operation(name)
        parameters = {p.base for p in op.parameters.values()} - {"IotInstanceId"}
        required = {p.base for p in op.parameters.values() if p.required and not p.per_item}
        omitted = {p.base for p in op.parameters.values() if p.required and not p.member}
        omitted |= {parameter for row in rows for parameter in row.missing}
        assert required <= omitted, f"{name} is never called without {required - omitted}"
        assert omitted or not op.one_of, f"{name} is never called without one of {op.one_of}"
        assert not parameters or any(row.invalid or row.not_found for row in rows), (
            f"{name} is never called with an invalid value"
        )


def test_every_change_is_checked() -> None:
    for row in ROWS:
        op = operation(row.operation)
        fields = (
            leaf_paths(op.response)
            - {"RequestId", "Success", "Code", "ErrorMessage"}
            - set(row.absent_fields)
        )
        assert row.result, row.operation
        assert row.check is not None or (fields and op.access in (Access.READ, Access.SECRET)), row.operation


def test_the_sdk_has_every_operation_and_every_field() -> None:
    assert {RENAMED.get(name, name) for name in operations()} <= set(sdk_methods())
    assert not set(RENAMED) & set(sdk_methods())
    for name, op in operations().items():
        assert leaf_paths(op.response) - sdk_fields(name) == set(), name
