"""Files that devices have uploaded.

A simulated device uploads a diagnostic log when it is activated and once a week after that. The latest ten files are
available. They are computed from the device and its activation time and are not stored: a file is put into the object
store when its download URL is requested.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from iot_emulator import objects
from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc
from iot_emulator.lookups import find_device
from iot_emulator.paging import read_page
from iot_emulator.things.noise import DAY, make_seed, random_fraction

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_files_deleted (
    iot_id TEXT NOT NULL REFERENCES devices (iot_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    PRIMARY KEY (iot_id, number)
) WITHOUT ROWID;
"""

MAX_FILES = 10  # of a device
INTERVAL = 7 * DAY  # ms between two uploads
_DELAY = 90_000  # ms from the activation to the first upload
_STEP = 300_000  # ms between two lines of a log
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EVENTS = (
    "INFO  mqtt keepalive response received",
    "INFO  self-check passed",
    "DEBUG report queued",
    "INFO  clock synchronized",
    "WARN  response late, sent again",
)


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """One file. `number` counts the uploads of a device from 0; `created` is in milliseconds since the epoch."""

    iot_id: str
    number: int
    created: int

    @property
    def file_id(self) -> str:
        """26 letters and digits."""
        seed = make_seed("device file", self.iot_id, str(self.number))
        return "".join(_LETTERS[int(random_fraction(seed, n) * len(_LETTERS))] for n in range(26))

    @property
    def name(self) -> str:
        """The file name, which contains the date of the upload."""
        return f"diagnostics-{format_utc(self.created)[:10]}.log"

    @property
    def key(self) -> str:
        """The key in the object store."""
        return f"device_file/{self.iot_id}/{self.file_id}/{self.name}"

    def content(self) -> bytes:
        """Return the log of the hours before the upload; the first file covers the minutes after the activation."""
        seed = make_seed("device log", self.iot_id, str(self.number))
        count = 24 if self.number == 0 else 120 + int(random_fraction(seed) * 168)
        lines = []
        for n in range(count):
            at = self.created - (count - n) * _STEP // (20 if self.number == 0 else 1)
            event = _EVENTS[int(random_fraction(seed, 2 * n) ** 2 * len(_EVENTS))]
            rssi = -60 - int(random_fraction(seed, 2 * n + 1) * 35)
            lines.append(f"{format_utc(at)} {event} rssi={rssi}dBm heap={180 - n % 40}K\n")
        return "".join(lines).encode()

    def describe(self) -> dict[str, str]:
        """Return the fields of the file in responses; `Size` is in KB."""
        return {
            "FileId": self.file_id,
            "Name": self.name,
            "Size": str(-(-len(self.content()) // 1024)),
            "UtcCreatedOn": format_utc(self.created),
        }


def query_device_file_list(call: Call) -> dict[str, Any]:
    """QueryDeviceFileList: newest first."""
    files, page = _list_files(call, find_device(call)), read_page(call)
    return {
        "Data": {"FileSummary": [file.describe() for file in files[page.offset : page.offset + page.size]]},
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(len(files)),
        "Total": len(files),
    }


def query_device_file(call: Call) -> dict[str, Any]:
    """QueryDeviceFile: with a signed download URL that is valid for one hour."""
    file = _find_file(call)
    store = objects.open_store(call.emulator)
    if objects.find_object(call.db, file.key) is None or not store.path(file.key).exists():
        store.put(call.db, file.key, file.content(), file.created)
    url = objects.sign_url(call.db, call.base_url, file.key, call.now)
    return {"Data": {**file.describe(), "DownloadUrl": url}}


def delete_device_file(call: Call) -> dict[str, Any]:
    """DeleteDeviceFile."""
    file = _find_file(call)
    call.db.execute(
        "INSERT INTO device_files_deleted (iot_id, number) VALUES (?, ?)", (file.iot_id, file.number)
    )
    objects.open_store(call.emulator).delete(call.db, file.key)
    return {}


def _find_file(call: Call) -> DeviceFile:
    for file in _list_files(call, find_device(call)):
        if file.file_id == call.params["FileId"]:
            return file
    raise ServiceError("iot.common.FileNotExist", "The device has no such file.")


def _list_files(call: Call, device: sqlite3.Row) -> list[DeviceFile]:
    if device["activated"] is None:
        return []
    first = device["activated"] + _DELAY
    last = (call.now - first) // INTERVAL  # -1 before the first upload
    deleted = {
        number
        for (number,) in call.db.execute(
            "SELECT number FROM device_files_deleted WHERE iot_id = ?", (device["iot_id"],)
        )
    }
    return [
        DeviceFile(device["iot_id"], number, first + number * INTERVAL)
        for number in range(last, max(last - MAX_FILES, -1), -1)
        if number not in deleted
    ]


OPERATIONS: dict[str, Handler] = {
    "QueryDeviceFileList": query_device_file_list,
    "QueryDeviceFile": query_device_file,
    "DeleteDeviceFile": delete_device_file,
}
# A read operation by its access level, but the first call puts the file into the object store.
WRITE_OPERATIONS = frozenset({"QueryDeviceFile"})
