"""A clock that stands in the middle of ten minutes, so that no test runs over their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine


@pytest.fixture(autouse=True)
def middle_of_an_interval() -> Iterator[None]:
    now = datetime.now(UTC)
    with time_machine.travel(now.replace(minute=now.minute // 10 * 10 + 5, second=0), tick=True):
        yield
