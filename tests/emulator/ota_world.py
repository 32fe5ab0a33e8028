"""A product with devices, seen through signed calls, for the tests of updates."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from console.cloud import object_storage as store
from console.cloud.client import Client, Credentials
from console.cloud.errors import CloudError
from console.emulator import Emulator, ManualClock
from console.emulator.clock import Pace
from console.emulator.devices_schema import NewDevice, insert_devices
from console.emulator.ota import running
from tests.emulator.conftest import KEY_ID, KEY_SECRET


@dataclass
class World:
    """One account of an emulator whose clock is turned by hand."""

    emulator: Emulator
    clock: ManualClock
    client: Client
    http: httpx.Client

    @classmethod
    def of(cls, emulator: Emulator, clock: ManualClock, instance: str | None = None) -> World:
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

    def refused(self, operation: str, **params: Any) -> str:
        """The code with which a call is refused."""
        with pytest.raises(CloudError) as caught:
            self.client.call(operation, **params)
        return caught.value.code

    def product(self, name: str = "Meter_A1") -> str:
        return str(self.call("CreateProduct", ProductName=name, NodeType=0)["ProductKey"])

    def devices(
        self,
        product_key: str,
        count: int,
        *,
        version: str = "1.0.0",
        status: str = "ONLINE",
        prefix: str = "device",
        module: str = "default",
    ) -> list[str]:
        """Devices that have submitted a version ("" for none); their names."""
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

    def come_online(self, product_key: str) -> None:
        with self.emulator.store.write() as db:
            db.execute("UPDATE devices SET status = 'ONLINE' WHERE product_key = ?", (product_key,))

    def upload(self, data: bytes = b"firmware" * 1000, suffix: str = "bin") -> dict[str, Any]:
        """A file brought to the store; the answer of GenerateOTAUploadURL."""
        form = self.call("GenerateOTAUploadURL", FileSuffix=suffix)["Data"]
        store.upload_file(
            store.UploadForm.from_response(form),
            io.BytesIO(data),
            transport=httpx.WSGITransport(app=self.emulator),
        )
        return dict(form)

    def package(
        self, product_key: str | None, name: str = "pkg-2", version: str = "2.0.0", **params: Any
    ) -> str:
        """A package of an uploaded file that needs no verifying; its id."""
        form = self.upload()
        params = {
            "NeedToVerify": False,
            "ProductKey": product_key,
            "FirmwareUrl": form["FirmwareUrl"],
            **params,
        }
        answer = self.call("CreateOTAFirmware", FirmwareName=name, DestVersion=version, **params)
        return str(answer["Data"]["FirmwareId"])

    def static(self, package: str, product_key: str, **params: Any) -> str:
        """A static batch of all devices unless told otherwise; its id."""
        params = {"TargetSelection": "ALL", **params}
        answer = self.call("CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product_key, **params)
        return str(answer["Data"]["JobId"])

    def status(self, job: str) -> str:
        return str(self.call("QueryOTAJob", JobId=job)["Data"]["JobStatus"])

    def tasks(self, job: str, **params: Any) -> list[dict[str, Any]]:
        params = {"PageSize": 100, **params}
        answer = self.call("ListOTATaskByJob", JobId=job, **params)
        return list(answer["Data"]["SimpleOTATaskInfo"])

    def counts(self, job: str) -> dict[str, int]:
        """How many of the first hundred tasks are in which status."""
        return dict(Counter(task["TaskStatus"] for task in self.tasks(job)))

    def versions(self, product_key: str, name: str) -> dict[str, str]:
        answer = self.call(
            "ListOTAModuleVersionsByDevice",
            ProductKey=product_key,
            DeviceName=name,
            CurrentPage=1,
            PageSize=10,
        )
        return {item["ModuleName"]: item["ModuleVersion"] for item in answer["Data"]["SimpleOTAModuleInfo"]}

    def run_out(self, seconds: float = 600, step: float = 30) -> None:
        """Let time pass in steps, with somebody looking."""
        passed = 0.0
        while passed < seconds:
            self.clock.advance(step)
            self.emulator.run_due_work()
            passed += step

    def make_fail(self, version: str = "2.0.0", *, once: bool = False) -> str:
        """Rename device0000 so that its update in a package's first batch fails for good, or once; its new name."""
        wanted = 1 if once else running.HOPELESS
        plans = {
            name: running.plan(f"{name}/default/{version}/0", Pace(), timeout=None, trial=False)
            for name in (f"unlucky{number}" for number in range(500))
        }
        name = next(name for name, plan in plans.items() if plan.failures == wanted)
        with self.emulator.store.write() as db:
            assert db.execute("UPDATE devices SET name = ? WHERE name = 'device0000'", (name,)).rowcount == 1
        return name
