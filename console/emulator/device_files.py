"""Files that devices have uploaded.

A simulated device that has been online uploads a diagnostic log when it is activated and once a week from then on; the
latest ten are there. They follow from the device and its time of activation and are not stored: only the download of
one puts it into the object store.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from console.emulator import objects
from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.formats import utc
from console.emulator.lookups import device_of
from console.emulator.paging import page_of
from console.emulator.things.noise import DAY, chance, seed_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_files_deleted (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    PRIMARY KEY (iot_id, number)
) WITHOUT ROWID;
"""

KEPT = 10  # files a device
EVERY = 7 * DAY
_DELAY = 90_000  # after being activated, until the first is there
_STEP = 300_000  # between two lines of a log
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EVENTS = (
    "INFO  mqtt keepalive answered",
    "INFO  self-check passed",
    "DEBUG report queued",
    "INFO  clock synchronised",
    "WARN  answer late, sent again",
)


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """One file: `number` counts a device's uploads from 0, `created` is in milliseconds."""

    iot_id: str
    number: int
    created: int

    @property
    def file_id(self) -> str:
        """26 letters and digits."""
        seed = seed_of("device file", self.iot_id, str(self.number))
        return "".join(_LETTERS[int(chance(seed, n) * len(_LETTERS))] for n in range(26))

    @property
    def name(self) -> str:
        """With the day it is about."""
        return f"diagnostics-{utc(self.created)[:10]}.log"

    @property
    def key(self) -> str:
        """Its key in the object store."""
        return f"device_file/{self.iot_id}/{self.file_id}/{self.name}"

    def content(self) -> bytes:
        """The log of the hours before the upload, or of the first minutes of its life."""
        seed = seed_of("device log", self.iot_id, str(self.number))
        count = 24 if self.number == 0 else 120 + int(chance(seed) * 168)
        lines = []
        for n in range(count):
            at = self.created - (count - n) * _STEP // (20 if self.number == 0 else 1)
            event = _EVENTS[int(chance(seed, 2 * n) ** 2 * len(_EVENTS))]
            rssi = -60 - int(chance(seed, 2 * n + 1) * 35)
            lines.append(f"{utc(at)} {event} rssi={rssi}dBm heap={180 - n % 40}K\n")
        return "".join(lines).encode()

    def told(self) -> dict[str, str]:
        """As the operations tell it; `Size` in KB."""
        return {
            "FileId": self.file_id,
            "Name": self.name,
            "Size": str(-(-len(self.content()) // 1024)),
            "UtcCreatedOn": utc(self.created),
        }


def query_device_file_list(call: Call) -> dict[str, Any]:
    """QueryDeviceFileList: newest first."""
    files, page = _files(call, device_of(call)), page_of(call)
    return {
        "Data": {"FileSummary": [file.told() for file in files[page.offset : page.offset + page.size]]},
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(len(files)),
        "Total": len(files),
    }


def query_device_file(call: Call) -> dict[str, Any]:
    """QueryDeviceFile: with a signed address, good for an hour, from which it can be downloaded."""
    file = _file(call)
    store = objects.of(call.emulator)
    if objects.find(call.db, file.key) is None or not store.path(file.key).exists():
        store.put(call.db, file.key, file.content(), file.created)
    url = objects.signed_url(call.db, call.base_url, file.key, call.now)
    return {"Data": {**file.told(), "DownloadUrl": url}}


def delete_device_file(call: Call) -> dict[str, Any]:
    """DeleteDeviceFile."""
    file = _file(call)
    call.db.execute(
        "INSERT INTO device_files_deleted (iot_id, number) VALUES (?, ?)", (file.iot_id, file.number)
    )
    objects.of(call.emulator).delete(call.db, file.key)
    return {}


def _file(call: Call) -> DeviceFile:
    for file in _files(call, device_of(call)):
        if file.file_id == call.params["FileId"]:
            return file
    raise ServiceError("iot.common.FileNotExist", "The device has no such file.")


def _files(call: Call, device: sqlite3.Row) -> list[DeviceFile]:
    if device["activated"] is None:
        return []
    first = device["activated"] + _DELAY
    last = (call.now - first) // EVERY  # -1 before the first
    deleted = {
        number
        for (number,) in call.db.execute(
            "SELECT number FROM device_files_deleted WHERE iot_id = ?", (device["iot_id"],)
        )
    }
    return [
        DeviceFile(device["iot_id"], number, first + number * EVERY)
        for number in range(last, max(last - KEPT, -1), -1)
        if number not in deleted
    ]


OPERATIONS: dict[str, Handler] = {
    "QueryDeviceFileList": query_device_file_list,
    "QueryDeviceFile": query_device_file,
    "DeleteDeviceFile": delete_device_file,
}
# They read by their access level; yet the first download puts the file into the object store.
WRITING = frozenset({"QueryDeviceFile"})
