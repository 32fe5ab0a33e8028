"""Registering devices by the thousand: an application that is checked, then created, each taking its time.

CHECK -> CHECK_SUCCESS or CHECK_FAILED (some name is taken). From CHECK_SUCCESS, once asked to register,
CREATE -> CREATE_SUCCESS or CREATE_FAILED (some name was taken meanwhile; then no device of it is made).
An application with random names begins at CREATE. It registers its devices once only.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from console.cloud import catalogue
from console.cloud.catalogue.check import width
from console.emulator.call import Call, Handler, Settler
from console.emulator.devices_life import first_due
from console.emulator.devices_schema import NewDevice, insert_devices
from console.emulator.errors import ServiceError
from console.emulator.formats import new_iot_id, random_text
from console.emulator.lookups import product_of
from console.emulator.paging import page_of

if TYPE_CHECKING:
    from console.emulator.app import Emulator

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

MAX_NAMES = 10_000  # an application
FIRST_APPLY_ID = 1_000_000
_CHECK_SECONDS = (0.2, 1.0)  # at least, and for 10,000 more
_CREATE_SECONDS = (0.3, 1.5)
_DEVICES_AT_ONCE = 20_000  # settled in one request; other applications wait for the next one


def batch_check_device_names(call: Call) -> dict[str, Any]:
    """BatchCheckDeviceNames: refuses names that could never be, and accepts the others for checking.

    Names that exist already are told at once in RepeatedDeviceNameList, and let the check fail in the end.
    """
    product = product_of(call)
    wanted = _wanted(call)
    if not wanted:
        raise ServiceError("iot.device.NoneDeviceNameElement", "There are no device names.")
    if len(wanted) > MAX_NAMES:
        raise ServiceError(
            "iot.device.DeviceCountExceeded", "At most 10,000 devices can be named in one call."
        )
    _refuse_bad(wanted)
    apply_id = _new_apply(call, product["product_key"], "CHECK", wanted, _CHECK_SECONDS)
    answer: dict[str, Any] = {"ApplyId": apply_id}
    existing = _existing(call.db, product["product_key"], [name for name, _ in wanted])
    if existing:
        answer["RepeatedDeviceNameList"] = {"RepeatDevieNameList": existing}
    return {"Data": answer}


def _wanted(call: Call) -> list[tuple[str, str]]:
    """Names with nicknames, in order. DeviceNameList wins over DeviceName."""
    items = call.params.get("DeviceNameList")
    if items:
        return [(item.get("DeviceName") or "", item.get("DeviceNickname") or "") for item in items]
    return [(name, "") for name in call.params.get("DeviceName", [])]


def _refuse_bad(wanted: list[tuple[str, str]]) -> None:
    """Raise for names or nicknames of a bad format and names sent twice, naming all of them."""
    rules = catalogue.operation("RegisterDevice").parameters
    name_rule, nickname_rule = rules["DeviceName"], rules["Nickname"]
    name_pattern = re.compile(name_rule.pattern or ".*")
    nickname_pattern = re.compile(nickname_rule.pattern or ".*")
    bad_names = [
        name
        for name, _ in wanted
        if not (name_rule.min_length or 0) <= len(name) <= (name_rule.max_length or len(name))
        or not name_pattern.fullmatch(name)
    ]
    bad_nicknames = [
        (name, nickname)
        for name, nickname in wanted
        if nickname
        and (
            not (nickname_rule.min_length or 0)
            <= width(nickname, nickname_rule.count)
            <= (nickname_rule.max_length or len(nickname))
            or not nickname_pattern.fullmatch(nickname)
        )
    ]
    repeated = [name for name, times in Counter(name for name, _ in wanted).items() if times > 1]
    if not (bad_names or bad_nicknames or repeated):
        return
    data: dict[str, Any] = {}
    details: list[dict[str, str]] = []
    if bad_names:
        data["InvalidDeviceNameList"] = {"InvalidDeviceName": bad_names}
        details += [
            {"DeviceName": name, "NickName": "", "ErrorMsg": "The name is not valid."} for name in bad_names
        ]
    if bad_nicknames:
        data["InvalidDeviceNicknameList"] = {
            "InvalidDeviceNickname": [nickname for _, nickname in bad_nicknames]
        }
        details += [
            {"DeviceName": name, "NickName": nickname, "ErrorMsg": "The alias is not valid."}
            for name, nickname in bad_nicknames
        ]
    if repeated:
        data["RepeatedDeviceNameList"] = {"RepeatDevieNameList": repeated}
        details += [
            {"DeviceName": name, "NickName": "", "ErrorMsg": "The name is given more than once."}
            for name in repeated
        ]
    data["InvalidDetailList"] = {"InvalidDetailList": details}
    if bad_names:
        code, message = "iot.device.InvalidFormattedDeviceName", "Some device names are not valid."
    elif bad_nicknames:
        code, message = "iot.device.InvalidDeviceNickNameExisted", "Some aliases are not valid."
    else:
        code, message = "iot.device.AlreadyExistedDeviceName", "Some device names are given more than once."
    raise ServiceError(code, message, {"Data": data})


def batch_register_device_with_apply_id(call: Call) -> dict[str, Any]:
    """BatchRegisterDeviceWithApplyId: creates what has been checked; once only."""
    apply = _apply_of(call, product_of(call)["product_key"])
    if apply["status"] in ("CHECK", "CREATE"):
        raise ServiceError(
            "iot.device.CreateDeviceTaskIsRunning", "The application is still being processed."
        )
    if apply["status"] != "CHECK_SUCCESS":
        raise ServiceError(
            "iot.device.IncorrentDeviceApplyInfo",
            "The application was registered before, or its names did not pass the check.",
        )
    count = len(json.loads(apply["names"]))
    call.db.execute(
        "UPDATE applies SET status = 'CREATE', due = ? WHERE apply_id = ?",
        (call.now + _duration(call.emulator, _CREATE_SECONDS, count), apply["apply_id"]),
    )
    return {"Data": {"ApplyId": apply["apply_id"]}}


def batch_register_device(call: Call) -> dict[str, Any]:
    """BatchRegisterDevice: so many devices with random names."""
    product = product_of(call)
    names = [(random_text(20), "") for _ in range(call.params["Count"])]
    apply_id = _new_apply(call, product["product_key"], "CREATE", names, _CREATE_SECONDS)
    return {"Data": {"ApplyId": apply_id}}


def query_batch_register_device_status(call: Call) -> dict[str, Any]:
    """QueryBatchRegisterDeviceStatus: the state, and the names that passed or those that did not."""
    apply = _apply_of(call, product_of(call)["product_key"])
    valid: list[str] = []
    invalid: list[str] = []
    if apply["status"] in ("CHECK_SUCCESS", "CREATE_SUCCESS"):
        valid = [name for name, _ in json.loads(apply["names"])]
    elif apply["status"] in ("CHECK_FAILED", "CREATE_FAILED"):
        invalid = json.loads(apply["invalid"])
    data: dict[str, Any] = {
        "Status": apply["status"],
        "ValidList": {"Name": valid},
        "InvalidList": {"Name": invalid},
    }
    if invalid:
        data["InvalidDetailList"] = {
            "invalidDetailList": [
                {
                    "DeviceName": name,
                    "NickName": "",
                    "ErrorMsg": "The product already has a device of this name.",
                }
                for name in invalid
            ]
        }
    return {"Data": data}


def query_page_by_apply_id(call: Call) -> dict[str, Any]:
    """QueryPageByApplyId: the devices an application made, in the order of its names."""
    apply, page = _apply_of(call), page_of(call)
    total = len(json.loads(apply["names"])) if apply["status"] == "CREATE_SUCCESS" else 0
    if total:
        (total,) = call.db.execute(
            "SELECT count(*) FROM devices WHERE apply_id = ?", (apply["apply_id"],)
        ).fetchone()
    rows = call.db.execute(
        "SELECT iot_id, name, secret FROM devices WHERE apply_id = ? ORDER BY id LIMIT ? OFFSET ?",
        (apply["apply_id"], page.size, page.offset),
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


def _apply_of(call: Call, product_key: str | None = None) -> sqlite3.Row:
    """The application named, of the product if one is given; raises `iot.device.DeviceApplyIsNotFound`."""
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM applies WHERE apply_id = ? AND account = ? AND instance = ?",
        (call.params["ApplyId"], call.account, call.instance),
    ).fetchone()
    if row is None or product_key not in (None, row["product_key"]):
        raise ServiceError("iot.device.DeviceApplyIsNotFound", "There is no such application.")
    return row


def _new_apply(
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


def _existing(db: sqlite3.Connection, product_key: str, names: Iterable[str]) -> list[str]:
    """Which of the names the product already has, in the order given."""
    rows = db.execute(
        "SELECT j.value AS name FROM json_each(?) j"
        " WHERE EXISTS (SELECT 1 FROM devices d WHERE d.product_key = ? AND d.name = j.value) ORDER BY j.key",
        (json.dumps(list(names), ensure_ascii=False), product_key),
    )
    return [row["name"] for row in rows]


def _due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM applies WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _settle(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    done = 0
    while done < _DEVICES_AT_ONCE:
        apply = db.execute(
            "SELECT * FROM applies WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT 1", (now,)
        ).fetchone()
        if apply is None:
            return
        names: list[list[str]] = json.loads(apply["names"])
        taken = _existing(db, apply["product_key"], (name for name, _ in names))
        if apply["status"] == "CREATE" and not taken:
            _create(db, apply, names, emulator)
        done += len(names) if apply["status"] == "CREATE" else len(names) // 10
        db.execute(
            "UPDATE applies SET status = ?, invalid = ?, due = NULL WHERE apply_id = ?",
            (
                f"{apply['status']}_{'FAILED' if taken else 'SUCCESS'}",
                json.dumps(taken, ensure_ascii=False),
                apply["apply_id"],
            ),
        )


def _create(db: sqlite3.Connection, apply: sqlite3.Row, names: list[list[str]], emulator: Emulator) -> None:
    """Register the devices of an application, as of the time that this was due."""
    at = apply["due"]

    def devices() -> Iterable[NewDevice]:
        for name, nickname in names:
            iot_id = new_iot_id()
            yield NewDevice(
                name=name,
                nickname=nickname,
                iot_id=iot_id,
                apply_id=apply["apply_id"],
                due=first_due(iot_id, at, emulator.pace),
            )

    insert_devices(db, apply["account"], apply["instance"], apply["product_key"], devices(), at)


SETTLER = Settler(due=_due, settle=_settle)

OPERATIONS: dict[str, Handler] = {
    "BatchCheckDeviceNames": batch_check_device_names,
    "BatchRegisterDeviceWithApplyId": batch_register_device_with_apply_id,
    "BatchRegisterDevice": batch_register_device,
    "QueryBatchRegisterDeviceStatus": query_batch_register_device_status,
    "QueryPageByApplyId": query_page_by_apply_id,
}
