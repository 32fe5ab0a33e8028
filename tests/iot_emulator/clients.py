"""Clients that send signed requests to an emulator in process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from iot_client import signing
from iot_client.client import Client, Credentials
from iot_client.errors import CloudError
from iot_client.retry import RetryPolicy
from iot_emulator import Emulator, ManualClock

KEY_ID, KEY_SECRET = "testid", "testsecret"
OTHER_ID, OTHER_SECRET = "otherid", "othersecret"


@dataclass(frozen=True)
class Api:
    """A client with shortcuts for frequent calls."""

    client: Client
    clock: ManualClock

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.client.call(operation, **params)

    def error_code(self, operation: str, **params: Any) -> str:
        """Make a call that must fail; return its error code."""
        with pytest.raises(CloudError) as error:
            self.client.call(operation, **params)
        return error.value.code

    def create_product(self, name: str = "Meters", **params: Any) -> str:
        """Create a product; return its ProductKey."""
        return self.call("CreateProduct", **{"ProductName": name, "NodeType": 0, **params})["ProductKey"]

    def register_device(self, product_key: str, name: str = "meter-1", **params: Any) -> dict[str, Any]:
        """Register a device; return its data."""
        return self.call("RegisterDevice", ProductKey=product_key, DeviceName=name, **params)["Data"]

    def register_devices(self, product_key: str, *names: str) -> None:
        """Register devices in this order with one application."""
        apply_id = self.call("BatchCheckDeviceNames", ProductKey=product_key, DeviceName=list(names))["Data"][
            "ApplyId"
        ]
        self.clock.advance(5)
        self.call("BatchRegisterDeviceWithApplyId", ProductKey=product_key, ApplyId=apply_id)
        self.clock.advance(5)
        assert self.call("QueryDevice", ProductKey=product_key)["Total"] >= len(names)

    def create_group(self, name: str = "plant", **params: Any) -> str:
        """Create a group; return its ID."""
        return self.call("CreateDeviceGroup", GroupName=name, **params)["Data"]["GroupId"]

    def device_status(self, product_key: str, name: str) -> str:
        return self.call("GetDeviceStatus", ProductKey=product_key, DeviceName=name)["Data"]["Status"]


def create_api(emulator: Emulator, key_id: str = KEY_ID, secret: str = KEY_SECRET, **options: Any) -> Api:
    """Return a client of an emulator without retries."""
    client = Client(
        Credentials(key_id, secret),
        endpoint="http://emulator.test",
        transport=httpx.WSGITransport(app=emulator),
        retry=RetryPolicy(attempts=1),
        **options,
    )
    assert isinstance(emulator.clock, ManualClock)
    return Api(client, emulator.clock)


def signed_fields(
    action: str = "QueryProductList", secret: str = KEY_SECRET, method: str = "POST", **params: Any
) -> dict[str, str]:
    """Return the fields of a raw request with the SHA1 scheme."""
    fields = {
        "Action": action,
        "Version": "2018-01-20",
        "Format": "JSON",
        "AccessKeyId": KEY_ID,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(time.perf_counter_ns()),
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"CurrentPage": "1"} if action == "QueryProductList" else {}),
        **{name: str(value) for name, value in params.items()},
    }
    return {**fields, "Signature": signing.rpc_sign(method, fields, secret)}
