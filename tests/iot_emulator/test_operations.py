"""The table of operations is complete."""

from __future__ import annotations

from iot_client import catalogue
from iot_client.catalogue import Access
from iot_emulator.operations import HANDLERS, WRITE_OPERATIONS


def test_every_operation_of_the_catalogue_has_a_handler() -> None:
    assert sorted(set(catalogue.operations()) - set(HANDLERS)) == []


def test_no_other_operation_has_a_handler() -> None:
    assert sorted(set(HANDLERS) - set(catalogue.operations())) == []


def test_write_operations_are_read_operations_by_their_access_level() -> None:
    assert {catalogue.operation(name).access for name in WRITE_OPERATIONS} <= {Access.READ, Access.SECRET}
