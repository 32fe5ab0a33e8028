"""The one table of what the emulator can do is whole."""

from __future__ import annotations

from console.cloud import catalogue
from console.cloud.catalogue import Access
from console.emulator.operations import HANDLERS, WRITING


def test_every_operation_of_the_catalogue_has_a_handler() -> None:
    assert sorted(set(catalogue.operations()) - set(HANDLERS)) == []


def test_there_is_no_handler_for_anything_else() -> None:
    assert sorted(set(HANDLERS) - set(catalogue.operations())) == []


def test_those_that_write_beyond_their_access_level_only_read_by_it() -> None:
    assert {catalogue.operation(name).access for name in WRITING} <= {Access.READ, Access.SECRET}
