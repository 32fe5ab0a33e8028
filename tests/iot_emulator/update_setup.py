"""Setup for update tests: products, devices, packages and batches, created by signed calls."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from iot_client import object_storage as store
from iot_client.client import Client, Credentials
from iot_client.errors import CloudError
from iot_emulator import Emulator, ManualClock
from iot_emulator.clock import Pace
from iot_emulator.devices_schema import NewDevice, insert_devices
from iot_emulator.ota import running
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET


@dataclass
class UpdateSetup:
    """One account of an emulator with a manual clock."""

    emulator: Emulator
    clock: ManualClock
    client: Client
    http_client: httpx.Client

    @classmethod
    def create(cls, emulator: Emulator, clock: ManualClock, instance: str | None = None) -> UpdateSetup:
        transport = httpx.WSGITransport(app=emulator)
        client = Client(
            Credentials(KEY_ID, KEY_SECRET),
            endpoint="http://emulator.test",
            instance_id=instance,
            transport=transport,
        )
        return cls(emulator, clock, client, httpx.Client(transport=transport))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.client.call(operation, **params)

    def error_code(self, operation: str, **params: Any) -> str:
        """Make a call that must be refused; returns its error code."""
        with pytest.raises(CloudError) as caught:
            self.client.call(operation, **params)
        return caught.value.code

    def create_product(self, name: str = "Meter_A1") -> str:
        return str(self.call("CreateProduct", ProductName=name, NodeType=0)["ProductKey"])

    def register_devices(
        self,
        product_key: str,
        count: int,
        *,
        version: str = "1.0.0",
        status: str = "ONLINE",
        prefix: str = "device",
        module: str = "default",
    ) -> list[str]:
        """Register devices that have reported a version ("" for none); returns their names."""
        now = self.clock.now()
        names = [f"{prefix}{number:04}" for number in range(count)]
        owner = (KEY_ID, self.client.instance_id or "")
        with self.emulator.store.write() as db:
            rows = [NewDevice(name, status=status, activated=now, last_online=now) for name in names]
            ids = insert_devices(db, *owner, product_key, rows, now)
            if version:
                db.executemany(
                    "INSERT INTO device_modules (account, instance, iot_id, module, version, reported)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    ((*owner, iot_id, module, version, now) for iot_id in ids),
                )
        return names

    def set_online(self, product_key: str) -> None:
        with self.emulator.store.write() as db:
            db.execute("UPDATE devices SET status = 'ONLINE' WHERE product_key = ?", (product_key,))

    def upload_file(self, data: bytes = b"firmware" * 1000, suffix: str = "bin") -> dict[str, Any]:
        """Upload a file; returns the data of GenerateOTAUploadURL."""
        form = self.call("GenerateOTAUploadURL", FileSuffix=suffix)["Data"]
        store.upload_file(
            store.UploadForm.from_response(form),
            io.BytesIO(data),
            transport=httpx.WSGITransport(app=self.emulator),
        )
        return dict(form)

    def create_package(
        self, product_key: str | None, name: str = "pkg-2", version: str = "2.0.0", **params: Any
    ) -> str:
        """Create a package, by default without verification; returns its id."""
        form = self.upload_file()
        params = {
            "NeedToVerify": False,
            "ProductKey": product_key,
            "FirmwareUrl": form["FirmwareUrl"],
            **params,
        }
        response = self.call("CreateOTAFirmware", FirmwareName=name, DestVersion=version, **params)
        return str(response["Data"]["FirmwareId"])

    def create_static_batch(self, package: str, product_key: str, **params: Any) -> str:
        """Create a static batch, by default of all devices; returns its id."""
        params = {"TargetSelection": "ALL", **params}
        response = self.call(
            "CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product_key, **params
        )
        return str(response["Data"]["JobId"])

    def read_batch_status(self, batch: str) -> str:
        return str(self.call("QueryOTAJob", JobId=batch)["Data"]["JobStatus"])

    def list_tasks(self, batch: str, **params: Any) -> list[dict[str, Any]]:
        params = {"PageSize": 100, **params}
        response = self.call("ListOTATaskByJob", JobId=batch, **params)
        return list(response["Data"]["SimpleOTATaskInfo"])

    def count_tasks(self, batch: str) -> dict[str, int]:
        """Count the first 100 tasks by status."""
        return dict(Counter(task["TaskStatus"] for task in self.list_tasks(batch)))

    def read_versions(self, product_key: str, name: str) -> dict[str, str]:
        response = self.call(
            "ListOTAModuleVersionsByDevice",
            ProductKey=product_key,
            DeviceName=name,
            CurrentPage=1,
            PageSize=10,
        )
        return {item["ModuleName"]: item["ModuleVersion"] for item in response["Data"]["SimpleOTAModuleInfo"]}

    def run_for(self, seconds: float = 600, step: float = 30) -> None:
        """Advance the clock in steps and run the due work after each step."""
        passed = 0.0
        while passed < seconds:
            self.clock.advance(step)
            self.emulator.run_due_work()
            passed += step

    def make_device_fail(self, version: str = "2.0.0", *, once: bool = False) -> str:
        """Rename device0000 so that its update in a package's first batch fails always, or once; returns the new name."""
        failures = 1 if once else running.ALWAYS_FAILS
        plans = {
            name: running.plan_task(
                f"{name}/default/{version}/0", Pace(), timeout=None, is_verification=False
            )
            for name in (f"unlucky{number}" for number in range(500))
        }
        name = next(name for name, plan in plans.items() if plan.failures == failures)
        with self.emulator.store.write() as db:
            assert db.execute("UPDATE devices SET name = ? WHERE name = 'device0000'", (name,)).rowcount == 1
        return name
