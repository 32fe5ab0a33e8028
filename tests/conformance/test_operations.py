"""Every operation of the platform, called by the official SDK under both signature schemes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from console.cloud.catalogue import Access, operation, operations
from tests.conformance.platform import PreparedPlatform, Server
from tests.conformance.rows import Row, try_row
from tests.conformance.sdk import RENAMED, SCHEMES, known_to_sdk, leaves, methods
from tests.conformance.table import NEVER, ROWS


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)
def test_operation(row: Row, scheme: str, server: Server, tmp_path: Path, record_property) -> None:
    with PreparedPlatform.on(server, tmp_path, scheme) as platform:
        tried = try_row(row, platform)
    group = operation(row.operation).group
    record_property(
        "conformance",
        {"operation": row.operation, "group": group, "says": row.says, "scheme": scheme, **asdict(tried)},
    )


def rows_by_operation() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in ROWS:
        rows.setdefault(row.operation, []).append(row)
    return rows


def test_every_operation_has_a_row() -> None:
    assert sorted(rows_by_operation()) == sorted(operations())


def test_every_field_is_set_by_some_row_unless_a_reason_is_given() -> None:
    left_out = {
        name: set.intersection(*(set(row.without) for row in rows))
        for name, rows in rows_by_operation().items()
    }
    assert {name: left for name, left in left_out.items() if left} == {
        name: set(why) for name, why in NEVER.items()
    }


def test_every_operation_is_refused_in_each_way_that_it_can_be() -> None:
    for name, rows in rows_by_operation().items():
        op = operation(name)
        taken = {p.base for p in op.parameters.values()} - {"IotInstanceId"}
        required = {p.base for p in op.parameters.values() if p.required and not p.per_item}
        left_out = {p.base for p in op.parameters.values() if p.required and not p.member}
        left_out |= {parameter for row in rows for parameter in row.missing}
        assert required <= left_out, f"{name} is never asked without {required - left_out}"
        assert left_out or not op.one_of, f"{name} is never asked without one of {op.one_of}"
        assert not taken or any(row.bad or row.absent for row in rows), f"{name} is never refused for a value"


def test_every_change_is_looked_at() -> None:
    for row in ROWS:
        op = operation(row.operation)
        told = leaves(op.response) - {"RequestId", "Success", "Code", "ErrorMessage"} - set(row.without)
        assert row.says, row.operation
        assert row.proves is not None or (told and op.access in (Access.READ, Access.SECRET)), row.operation


def test_the_sdk_has_every_operation_and_knows_every_field() -> None:
    assert {RENAMED.get(name, name) for name in operations()} <= set(methods())
    assert not set(RENAMED) & set(methods())
    for name, op in operations().items():
        assert leaves(op.response) - known_to_sdk(name) == set(), name
