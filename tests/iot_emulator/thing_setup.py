"""Setup for thing tests: products with thing models and devices with known ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from iot_emulator import Emulator, ManualClock
from iot_emulator.devices_schema import NewDevice, insert_devices
from tests.iot_emulator.clients import KEY_ID, Api

DAY = 86_400_000
HOUR = 3_600_000


def build_property(
    identifier: str, kind: str = "INT", rw: str = "READ_WRITE", **changes: Any
) -> dict[str, Any]:
    """Build a property of ThingModelJson."""
    data: dict[str, Any] = {
        "identifier": identifier,
        "name": identifier,
        "dataType": kind,
        "rwFlag": rw,
        "required": False,
        "custom": True,
    }
    if kind in ("INT", "FLOAT", "DOUBLE"):
        data["dataSpecs"] = {"dataType": kind, "min": "0", "max": "100", "step": "1", "unit": "%"}
    elif kind == "TEXT":
        data["dataSpecs"] = {"dataType": kind, "length": 8}
    elif kind == "DATE":
        data["dataSpecs"] = {"dataType": kind}
    return {**data, **changes}


LISTED = {
    "BOOL": [
        {"dataType": "BOOL", "name": "Off", "value": 0},
        {"dataType": "BOOL", "name": "On", "value": 1},
    ],
    "ENUM": [
        {"dataType": "ENUM", "name": "Cool", "value": 2},
        {"dataType": "ENUM", "name": "Heat", "value": 5},
    ],
    "STRUCT": [
        {
            "childDataType": "FLOAT",
            "childName": "Latitude",
            "dataSpecs": {"dataType": "FLOAT", "min": "-90", "max": "90", "step": "0.01"},
            "dataType": "STRUCT",
            "identifier": "lat",
            "name": "Latitude",
        },
        {
            "childDataType": "BOOL",
            "childName": "Fixed",
            "dataSpecsList": [
                {"dataType": "BOOL", "name": "No", "value": 0},
                {"dataType": "BOOL", "name": "Yes", "value": 1},
            ],
            "dataType": "STRUCT",
            "identifier": "fixed",
            "name": "Fixed",
        },
    ],
}
ARRAY = {
    "dataType": "ARRAY",
    "size": 3,
    "childDataType": "INT",
    "dataSpecs": {"dataType": "INT", "min": "0", "max": "9", "step": "1"},
}


def build_parameter(
    identifier: str, direction: str = "PARAM_INPUT", order: int = 0, **changes: Any
) -> dict[str, Any]:
    """Build an INT parameter from 0 to 100."""
    data = build_property(identifier)
    del data["rwFlag"]
    return {**data, "direction": direction, "paraOrder": order, **changes}


def build_service(
    identifier: str, call_type: str = "SYNC", inputs: Any = (), outputs: Any = ()
) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "serviceName": identifier,
        "callType": call_type,
        "inputParams": list(inputs),
        "outputParams": list(outputs),
        "required": False,
        "custom": True,
    }


def build_event(identifier: str, kind: str = "INFO_EVENT_TYPE", outputs: Any = ()) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "eventName": identifier,
        "eventType": kind,
        "outputdata": list(outputs),
        "required": False,
        "custom": True,
    }


SAMPLE = {
    "properties": [
        build_property("Level"),
        build_property("Measured", "FLOAT", "READ_ONLY"),
        build_property("Label", "TEXT"),
        build_property("Switch", "BOOL", dataSpecsList=LISTED["BOOL"]),
        build_property("Mode", "ENUM", dataSpecsList=LISTED["ENUM"]),
    ],
    "services": [
        build_service(
            "Move",
            "SYNC",
            [build_parameter("Level")],
            [build_parameter("Level", "PARAM_OUTPUT"), build_parameter("Left", "PARAM_OUTPUT", 1)],
        ),
        build_service("Restart", "ASYNC"),
    ],
    "events": [
        build_event("Reported", outputs=[build_parameter("Code", "PARAM_OUTPUT")]),
        build_event("Broken", "ERROR_EVENT_TYPE"),
    ],
}
STRUCTURED = {
    "properties": [
        build_property("When", "DATE"),
        build_property("Place", "STRUCT", dataSpecsList=LISTED["STRUCT"]),
        build_property("Row", "ARRAY", dataSpecs=ARRAY),
    ]
}


@dataclass
class ThingSetup:
    """One account of an emulator with a manual clock."""

    api: Api
    emulator: Emulator
    clock: ManualClock

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.api.call(operation, **params)

    def error_code(self, operation: str, **params: Any) -> str:
        return self.api.error_code(operation, **params)

    def create_product(self, name: str = "Modeled", **params: Any) -> str:
        """Create a product that uses a thing model, without features; returns its key."""
        return self.api.create_product(
            name, **{"AliyunCommodityCode": "iothub_senior", "DataFormat": 1, **params}
        )

    def create_modeled_product(
        self, name: str = "Modeled", model: dict[str, Any] | None = None, **params: Any
    ) -> str:
        """Create a product with a published model, by default `SAMPLE`; returns its key."""
        key = self.create_product(name, **params)
        self.call("CreateThingModel", ProductKey=key, ThingModelJson=model or SAMPLE)
        self.call("PublishThingModel", ProductKey=key, ModelVersion="v1")
        return key

    def register_device(
        self, product_key: str, name: str = "d1", status: str = "ONLINE", days: float = 40
    ) -> str:
        """Register a device that was activated `days` ago (never, if its status is UNACTIVE); returns its IotId, which depends
        only on its name."""
        now = self.clock.now()
        activated = None if status == "UNACTIVE" else now - int(days * DAY)
        iot_id = f"{name:x<20}000000"
        row = NewDevice(
            name,
            iot_id=iot_id,
            status=status,
            created=now - int(days * DAY),
            activated=activated,
            last_online=activated,
        )
        with self.emulator.store.write() as db:
            insert_devices(db, KEY_ID, "", product_key, [row], now)
        return iot_id

    def set_status(self, iot_id: str, status: str) -> None:
        """Change the status of a device now."""
        with self.emulator.store.write() as db:
            db.execute(
                "UPDATE devices SET status = ?, status_since = ? WHERE iot_id = ?",
                (status, self.clock.now(), iot_id),
            )

    def read_draft(self, product_key: str, **params: Any) -> dict[str, Any]:
        return json.loads(
            self.call("QueryThingModel", ProductKey=product_key, **params)["Data"]["ThingModelJson"]
        )

    def read_tsl(self, product_key: str, **params: Any) -> dict[str, Any]:
        return json.loads(self.call("GetThingModelTsl", ProductKey=product_key, **params)["Data"]["TslStr"])

    def read_values(self, iot_id: str, **params: Any) -> dict[str, str | None]:
        """Read the current values by identifier."""
        response = self.call("QueryDevicePropertyStatus", IotId=iot_id, **params)
        return {
            info["Identifier"]: info.get("Value") for info in response["Data"]["List"]["PropertyStatusInfo"]
        }

    def read_history(
        self, iot_id: str, identifier: str, start: int, end: int, **params: Any
    ) -> dict[str, Any]:
        """Read the data of QueryDevicePropertyData, by default oldest first."""
        params = {"Asc": 1, "PageSize": 50, **params}
        return self.call(
            "QueryDevicePropertyData",
            IotId=iot_id,
            Identifier=identifier,
            StartTime=start,
            EndTime=end,
            **params,
        )["Data"]
