"""Batch registration of devices: an application is first checked and then registered; both steps take time.

CHECK -> CHECK_SUCCESS or CHECK_FAILED (a name is in use). After CHECK_SUCCESS, when the registration was requested,
CREATE -> CREATE_SUCCESS or CREATE_FAILED (a name came into use in the meantime; then no device is registered).
An application with random names starts in CREATE. An application registers its devices only once.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from iot_client import catalogue
from iot_client.catalogue.check import matches_pattern, measure_length
from iot_emulator.call import Call, DeferredWork, Handler
from iot_emulator.devices_presence import first_online_time
from iot_emulator.devices_schema import NewDevice, insert_devices
from iot_emulator.errors import ServiceError
from iot_emulator.formats import new_iot_id, random_text
from iot_emulator.lookups import find_product
from iot_emulator.paging import read_page

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

SCHEMA = """
CREATE TABLE IF NOT EXISTS applies (
    apply_id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    product_key TEXT NOT NULL,
    status TEXT NOT NULL,
    names TEXT NOT NULL,
    invalid TEXT NOT NULL DEFAULT '[]',
    created INTEGER NOT NULL,
    due INTEGER
);
CREATE INDEX IF NOT EXISTS applies_due ON applies (due) WHERE due IS NOT NULL;
"""

MAX_NAMES = 10_000  # of an application
FIRST_APPLY_ID = 1_000_000
_CHECK_SECONDS = (0.2, 1.0)  # minimum; added for 10,000 names
_CREATE_SECONDS = (0.3, 1.5)
_DEVICES_PER_REQUEST = 20_000  # registered by one request; the rest waits for the next request


def batch_check_device_names(call: Call) -> dict[str, Any]:
    """BatchCheckDeviceNames: refuses invalid names at once, and starts a check of valid ones.

    The response lists names that exist already in RepeatedDeviceNameList; the check then fails.
    """
    product = find_product(call)
    names = _read_names(call)
    if not names:
        raise ServiceError("iot.device.NoneDeviceNameElement", "Send at least one device name.")
    if len(names) > MAX_NAMES:
        raise ServiceError("iot.device.DeviceCountExceeded", "Send at most 10,000 device names in a call.")
    _check_format(names)
    apply_id = _insert_application(call, product["product_key"], "CHECK", names, _CHECK_SECONDS)
    data: dict[str, Any] = {"ApplyId": apply_id}
    existing = _find_existing(call.db, product["product_key"], [name for name, _ in names])
    if existing:
        data["RepeatedDeviceNameList"] = {"RepeatDevieNameList": existing}
    return {"Data": data}


def _read_names(call: Call) -> list[tuple[str, str]]:
    """Return names with their nicknames, in order. If both are sent, DeviceNameList is used and DeviceName ignored."""
    items = call.params.get("DeviceNameList")
    if items:
        return [(item.get("DeviceName") or "", item.get("DeviceNickname") or "") for item in items]
    return [(name, "") for name in call.params.get("DeviceName", [])]


def _check_format(names: list[tuple[str, str]]) -> None:
    """Raise an error that lists all names and nicknames with an invalid format and all names sent twice."""
    rules = catalogue.operation("RegisterDevice").parameters
    name_rule, nickname_rule = rules["DeviceName"], rules["Nickname"]
    bad_names = [
        name
        for name, _ in names
        if not (name_rule.min_length or 0) <= len(name) <= (name_rule.max_length or len(name))
        or not matches_pattern(name_rule, name)
    ]
    bad_nicknames = [
        (name, nickname)
        for name, nickname in names
        if nickname
        and (
            not (nickname_rule.min_length or 0)
            <= measure_length(nickname, nickname_rule.count)
            <= (nickname_rule.max_length or len(nickname))
            or not matches_pattern(nickname_rule, nickname)
        )
    ]
    repeated = [name for name, times in Counter(name for name, _ in names).items() if times > 1]
    if not (bad_names or bad_nicknames or repeated):
        return
    data: dict[str, Any] = {}
    details: list[dict[str, str]] = []
    if bad_names:
        data["InvalidDeviceNameList"] = {"InvalidDeviceName": bad_names}
        details += [
            {"DeviceName": name, "NickName": "", "ErrorMsg": "Invalid device name."} for name in bad_names
        ]
    if bad_nicknames:
        data["InvalidDeviceNicknameList"] = {
            "InvalidDeviceNickname": [nickname for _, nickname in bad_nicknames]
        }
        details += [
            {"DeviceName": name, "NickName": nickname, "ErrorMsg": "Invalid nickname."}
            for name, nickname in bad_nicknames
        ]
    if repeated:
        data["RepeatedDeviceNameList"] = {"RepeatDevieNameList": repeated}
        details += [
            {"DeviceName": name, "NickName": "", "ErrorMsg": "Duplicate device name."} for name in repeated
        ]
    data["InvalidDetailList"] = {"InvalidDetailList": details}
    if bad_names:
        code, message = "iot.device.InvalidFormattedDeviceName", "Some device names are invalid."
    elif bad_nicknames:
        code, message = "iot.device.InvalidDeviceNickNameExisted", "Some nicknames are invalid."
    else:
        code, message = "iot.device.AlreadyExistedDeviceName", "Some device names were sent more than once."
    raise ServiceError(code, message, {"Data": data})


def batch_register_device_with_apply_id(call: Call) -> dict[str, Any]:
    """BatchRegisterDeviceWithApplyId: registers the devices of a checked application, only once."""
    application = _find_application(call, find_product(call)["product_key"])
    if application["status"] in ("CHECK", "CREATE"):
        raise ServiceError(
            "iot.device.CreateDeviceTaskIsRunning", "The application is still being processed."
        )
    if application["status"] != "CHECK_SUCCESS":
        raise ServiceError(
            "iot.device.IncorrentDeviceApplyInfo",
            "The application was registered before, or its names did not pass the check.",
        )
    count = len(json.loads(application["names"]))
    call.db.execute(
        "UPDATE applies SET status = 'CREATE', due = ? WHERE apply_id = ?",
        (call.now + _duration(call.emulator, _CREATE_SECONDS, count), application["apply_id"]),
    )
    return {"Data": {"ApplyId": application["apply_id"]}}


def batch_register_device(call: Call) -> dict[str, Any]:
    """BatchRegisterDevice: registers `Count` devices with random names."""
    product = find_product(call)
    names = [(random_text(20), "") for _ in range(call.params["Count"])]
    apply_id = _insert_application(call, product["product_key"], "CREATE", names, _CREATE_SECONDS)
    return {"Data": {"ApplyId": apply_id}}


def query_batch_register_device_status(call: Call) -> dict[str, Any]:
    """QueryBatchRegisterDeviceStatus: the status, and after success the valid names or after failure the invalid ones."""
    application = _find_application(call, find_product(call)["product_key"])
    valid: list[str] = []
    invalid: list[str] = []
    if application["status"] in ("CHECK_SUCCESS", "CREATE_SUCCESS"):
        valid = [name for name, _ in json.loads(application["names"])]
    elif application["status"] in ("CHECK_FAILED", "CREATE_FAILED"):
        invalid = json.loads(application["invalid"])
    data: dict[str, Any] = {
        "Status": application["status"],
        "ValidList": {"Name": valid},
        "InvalidList": {"Name": invalid},
    }
    if invalid:
        data["InvalidDetailList"] = {
            "invalidDetailList": [
                {
                    "DeviceName": name,
                    "NickName": "",
                    "ErrorMsg": "The product already has a device with this name.",
                }
                for name in invalid
            ]
        }
    return {"Data": data}


def query_page_by_apply_id(call: Call) -> dict[str, Any]:
    """QueryPageByApplyId: the devices that an application registered, in the order of its names."""
    application, page = _find_application(call), read_page(call)
    total = len(json.loads(application["names"])) if application["status"] == "CREATE_SUCCESS" else 0
    if total:
        (total,) = call.db.execute(
            "SELECT count(*) FROM devices WHERE apply_id = ?", (application["apply_id"],)
        ).fetchone()
    rows = call.db.execute(
        "SELECT iot_id, name, secret FROM devices WHERE apply_id = ? ORDER BY id LIMIT ? OFFSET ?",
        (application["apply_id"], page.size, page.offset),
    )
    return {
        "ApplyDeviceList": {
            "ApplyDeviceInfo": [
                {
                    "IotId": row["iot_id"],
                    "DeviceId": row["iot_id"][:20],
                    "DeviceName": row["name"],
                    "DeviceSecret": row["secret"],
                }
                for row in rows
            ]
        },
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _find_application(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """Return the application that `ApplyId` names, if it belongs to the given product (by default to any).

    Raises `iot.device.DeviceApplyIsNotFound`.
    """
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM applies WHERE apply_id = ? AND account = ? AND instance = ?",
        (call.params["ApplyId"], call.account, call.instance),
    ).fetchone()
    if row is None or product_key not in (None, row["product_key"]):
        raise ServiceError("iot.device.DeviceApplyIsNotFound", "The application does not exist.")
    return row


def _insert_application(
    call: Call, product_key: str, status: str, names: list[tuple[str, str]], seconds: tuple[float, float]
) -> int:
    (last,) = call.db.execute("SELECT coalesce(max(apply_id), ?) FROM applies", (FIRST_APPLY_ID,)).fetchone()
    call.db.execute(
        "INSERT INTO applies (apply_id, account, instance, product_key, status, names, created, due)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (
            last + 1,
            call.account,
            call.instance,
            product_key,
            status,
            json.dumps(names, ensure_ascii=False),
            call.now,
            call.now + _duration(call.emulator, seconds, len(names)),
        ),
    )
    return int(last) + 1


def _duration(emulator: Emulator, seconds: tuple[float, float], count: int) -> int:
    return emulator.pace.work(seconds[0] + seconds[1] * count / 10_000)


def _find_existing(db: sqlite3.Connection, product_key: str, names: Iterable[str]) -> list[str]:
    """Return those of the names that the product already has, in their order."""
    rows = db.execute(
        "SELECT j.value AS name FROM json_each(?) j"
        " WHERE EXISTS (SELECT 1 FROM devices d WHERE d.product_key = ? AND d.name = j.value) ORDER BY j.key",
        (json.dumps(list(names), ensure_ascii=False), product_key),
    )
    return [row["name"] for row in rows]


def _next_due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM applies WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _run_due(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    cost = 0  # in devices; a check costs a tenth of a registration
    while cost < _DEVICES_PER_REQUEST:
        application = db.execute(
            "SELECT * FROM applies WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT 1", (now,)
        ).fetchone()
        if application is None:
            return
        status = application["status"]
        names: list[list[str]] = json.loads(application["names"])
        existing = _find_existing(db, application["product_key"], (name for name, _ in names))
        if status == "CREATE" and not existing:
            _register(db, application, names, emulator)
        cost += len(names) if status == "CREATE" else len(names) // 10
        db.execute(
            "UPDATE applies SET status = ?, invalid = ?, due = NULL WHERE apply_id = ?",
            (
                f"{status}_{'FAILED' if existing else 'SUCCESS'}",
                json.dumps(existing, ensure_ascii=False),
                application["apply_id"],
            ),
        )


def _register(
    db: sqlite3.Connection, application: sqlite3.Row, names: list[list[str]], emulator: Emulator
) -> None:
    """Register the devices of an application, with the time at which this was due."""
    at = application["due"]

    def devices() -> Iterable[NewDevice]:
        for name, nickname in names:
            iot_id = new_iot_id()
            yield NewDevice(
                name=name,
                nickname=nickname,
                iot_id=iot_id,
                apply_id=application["apply_id"],
                due=first_online_time(iot_id, at, emulator.pace),
            )

    owner = (application["account"], application["instance"])
    insert_devices(db, *owner, application["product_key"], devices(), at)


DEFERRED_WORK = DeferredWork(next_due=_next_due, run_due=_run_due)

OPERATIONS: dict[str, Handler] = {
    "BatchCheckDeviceNames": batch_check_device_names,
    "BatchRegisterDeviceWithApplyId": batch_register_device_with_apply_id,
    "BatchRegisterDevice": batch_register_device,
    "QueryBatchRegisterDeviceStatus": query_batch_register_device_status,
    "QueryPageByApplyId": query_page_by_apply_id,
}
