"""The emulator in this process, on a clock turned by hand, and a client that reaches it by signed requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.cloud.client import Client, Credentials
from console.cloud.errors import CloudError
from console.cloud.retry import RetryPolicy
from console.emulator import Emulator, ManualClock, create_app

KEY_ID, KEY_SECRET = "testid", "testsecret"
OTHER_ID, OTHER_SECRET = "otherid", "othersecret"


@dataclass(frozen=True)
class Api:
    """Calls, and what a person would make first for a test."""

    client: Client
    clock: ManualClock

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.client.call(operation, **params)

    def refused(self, operation: str, **params: Any) -> str:
        """The code with which a call is refused."""
        with pytest.raises(CloudError) as refusal:
            self.client.call(operation, **params)
        return refusal.value.code

    def product(self, name: str = "Meters", **params: Any) -> str:
        """A new product's key."""
        return self.call("CreateProduct", **{"ProductName": name, "NodeType": 0, **params})["ProductKey"]

    def device(self, product_key: str, name: str = "meter-1", **params: Any) -> dict[str, Any]:
        """A new device's data."""
        return self.call("RegisterDevice", ProductKey=product_key, DeviceName=name, **params)["Data"]

    def devices(self, product_key: str, *names: str) -> None:
        """New devices, in this order, by one application."""
        apply_id = self.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))["Data"][
            "ApplyId"
        ]
        self.clock.advance(5)
        self.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)
        self.clock.advance(5)
        assert self.call("QueryDevice", ProductKey=product_key)["Total"] >= len(names)

    def group(self, name: str = "plant", **params: Any) -> str:
        """A new group's id."""
        return self.call("CreateDeviceGroup", GroupName=name, **params)["Data"]["GroupId"]

    def status(self, product_key: str, name: str) -> str:
        """A device's status."""
        return self.call("GetDeviceStatus", ProductKey=product_key, DeviceName=name)["Data"]["Status"]


def api_of(emulator: Emulator, key_id: str = KEY_ID, secret: str = KEY_SECRET, **options: Any) -> Api:
    """A client of `emulator` that tries each call once."""
    client = Client(
        Credentials(key_id, secret),
        endpoint="http://emulator.test",
        transport=httpx.WSGITransport(app=emulator),
        retry=RetryPolicy(attempts=1),
        **options,
    )
    assert isinstance(emulator.clock, ManualClock)
    return Api(client, emulator.clock)


@pytest.fixture
def clock() -> ManualClock:
    """The world's clock, turned by hand."""
    return ManualClock(1_790_000_000_000)


@pytest.fixture
def emulator(tmp_path: Path, clock: ManualClock) -> Iterator[Emulator]:
    """An empty platform with two accounts, without quotas."""
    app = create_app(
        tmp_path / "emulator.sqlite3",
        keys={KEY_ID: KEY_SECRET, OTHER_ID: OTHER_SECRET},
        clock=clock,
        quotas=False,
        control_token="desk",
    )
    yield app
    app.close()


@pytest.fixture
def api(emulator: Emulator) -> Api:
    """A client of the first account."""
    return api_of(emulator)


@pytest.fixture
def other(emulator: Emulator) -> Api:
    """A client of the second account."""
    return api_of(emulator, OTHER_ID, OTHER_SECRET)
