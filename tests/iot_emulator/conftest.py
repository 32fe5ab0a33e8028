"""The emulator in process with a manual clock, and clients of its two accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_emulator import Emulator, ManualClock, create_app
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, OTHER_ID, OTHER_SECRET, Api, create_api


@pytest.fixture
def clock() -> ManualClock:
    """The emulator's clock, which only a test advances."""
    return ManualClock(1_790_000_000_000)


@pytest.fixture
def emulator(copied_database: Path, clock: ManualClock) -> Iterator[Emulator]:
    """An empty emulator with two accounts and without quotas."""
    app = create_app(
        copied_database,
        keys={KEY_ID: KEY_SECRET, OTHER_ID: OTHER_SECRET},
        clock=clock,
        quotas=False,
        control_token="control-token",
    )
    yield app
    app.close()


@pytest.fixture
def api(emulator: Emulator) -> Api:
    """A client of the first account."""
    return create_api(emulator)


@pytest.fixture
def other_api(emulator: Emulator) -> Api:
    """A client of the second account."""
    return create_api(emulator, OTHER_ID, OTHER_SECRET)
