"""Distribution: bringing products and devices of one instance to another instance of the same account.

A product brought to another instance is there too, under the same key; it can be changed only where it was made. A
device moves: it is found in the new instance and no more in the old one, and its name in the product stays taken.

A job waits (0), works (1) and is done (2), or was cut short (3) because its product was deleted meanwhile. The result of
each device is a file: a JSON list of product, name and code, 200 for one that was brought over. The reference only lists these
operations; states, limits and codes are those of the platform's documentation, the file's form is made up.

Instances are named as in `IotInstanceId`; the public instance, which has no id there, is `iotx-oxssharez200` here.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from console.emulator import objects
from console.emulator.call import Call, Handler, Settler
from console.emulator.errors import ServiceError
from console.emulator.formats import random_text
from console.emulator.paging import make_token, page_of, read_token

if TYPE_CHECKING:
    from console.emulator.app import Emulator

SCHEMA = """
CREATE TABLE IF NOT EXISTS distribute_jobs (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    product_key TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    strategy INTEGER NOT NULL DEFAULT 0,
    names TEXT,
    total INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    due INTEGER
);
CREATE INDEX IF NOT EXISTS distribute_jobs_account ON distribute_jobs (account, id);
CREATE INDEX IF NOT EXISTS distribute_jobs_due ON distribute_jobs (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS distributed_products (
    product_key TEXT NOT NULL REFERENCES products (product_key) ON DELETE CASCADE,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    instance TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (product_key, instance)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS distributed_products_account ON distributed_products (account, created);
CREATE TABLE IF NOT EXISTS distributed_devices (
    iot_id TEXT PRIMARY KEY REFERENCES devices (iot_id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    instance TEXT NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS distributed_devices_account ON distributed_devices (account, created);
"""

PUBLIC = "iotx-oxssharez200"
REGION = "cn-shanghai"
WAITING, WORKING, DONE, CUT_SHORT = 0, 1, 2, 3
MAX_JOBS = 10  # under way at once, an account
NEAREST = 1  # the strategy by which a device goes to the nearest of several instances
CODES = {
    "distribution": {
        "DeviceName": "iot.provisioning.LimitExceeded",
        "Strategy": "iot.provisioning.ErrorStrategy",
        "TargetUid": "iot.provisioning.TargetAccountParamsError",
    }
}
_WAIT, _WORK = 1.0, (1.0, 4.0)  # seconds: before it begins; at least, and for 10,000 devices more
_FILE_SECONDS = 600


def create_device_distribute_job(call: Call) -> dict[str, Any]:
    """CreateDeviceDistributeJob: with the product, which is brought over too unless it is there."""
    params = call.params
    source = _instance(call, params["SourceInstanceId"], "Source")
    targets = [_instance(call, item["TargetInstanceId"], "Target") for item in params["TargetInstanceConfig"]]
    strategy = params.get("Strategy", 0)
    if len(targets) > 1:
        # Every instance of an emulator is in the same region, of which there can be one.
        raise ServiceError(
            "iot.provisioning.InstanceRegionConflict"
            if strategy == NEAREST
            else "iot.provisioning.ErrorStrategy",
            "Name one target instance in each region, and one altogether unless the strategy is 1.",
        )
    _check(call, source, targets[0])
    names = list(dict.fromkeys(params["DeviceName"]))
    _refuse_busy(call, names)
    return _new_job(call, source, targets[0], strategy, names)


def create_product_distribute_job(call: Call) -> dict[str, Any]:
    """CreateProductDistributeJob: without its devices."""
    source = _instance(call, call.params["SourceInstanceId"], "Source")
    target = _instance(call, call.params["TargetInstanceId"], "Target")
    _check(call, source, target)
    _refuse_busy(call, None)
    return _new_job(call, source, target, 0, None)


def _instance(call: Call, instance: str, which: str) -> str:
    if instance == PUBLIC:
        return ""
    if instance not in call.emulator.instances:
        raise ServiceError(f"iot.provisioning.{which}InstanceNotFound", f"There is no instance {instance}.")
    return instance


def _check(call: Call, source: str, target: str) -> None:
    """Raise for another account, the same instance twice, or a product that the source has not."""
    wanted = call.params.get("TargetUid") or call.params["TargetAliyunId"]
    account = call.emulator.accounts.get(wanted, wanted)
    if account not in call.emulator.accounts.values():
        raise ServiceError("iot.provisioning.AccountNotFound", "There is no such account.")
    if account != call.account:
        raise ServiceError(
            "iot.provisioning.NotCrossTenantId", "Another account's instance cannot be the target."
        )
    if source == target:
        raise ServiceError("iot.system.InstanceIdSame", "The source and the target are the same instance.")
    found = call.db.execute(
        "SELECT 1 FROM products p WHERE p.product_key = ?1 AND p.account = ?2 AND (p.instance = ?3 OR EXISTS"
        " (SELECT 1 FROM distributed_products d WHERE d.product_key = ?1 AND d.instance = ?3))",
        (call.params["ProductKey"], call.account, source),
    ).fetchone()
    if not found:
        raise ServiceError("iot.prod.NotExistedProduct", "The source instance has no such product.")


def _refuse_busy(call: Call, names: list[str] | None) -> None:
    """Raise when too many jobs are under way, or one with the same product or one of the devices."""
    under_way = call.db.execute(
        "SELECT product_key, names FROM distribute_jobs WHERE account = ? AND due IS NOT NULL",
        (call.account,),
    ).fetchall()
    for job in under_way:
        if job["product_key"] != call.params["ProductKey"]:
            continue
        if job["names"] is None:
            raise ServiceError("iot.provisioning.ProductIsDistributing", "The product is being distributed.")
        if names is not None and not set(names).isdisjoint(json.loads(job["names"])):
            raise ServiceError("iot.provisioning.DeviceIsInAnotherTask", "A device is in another job.")
    if len(under_way) >= MAX_JOBS:
        raise ServiceError(
            "iot.provisioning.RunningTaskExcceedLimit", f"At most {MAX_JOBS} jobs are under way at once."
        )


def _new_job(call: Call, source: str, target: str, strategy: int, names: list[str] | None) -> dict[str, Any]:
    job_id = random_text(19) + "010001"
    call.db.execute(
        "INSERT INTO distribute_jobs (job_id, account, product_key, source, target, strategy, names, total, created, due)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            job_id,
            call.account,
            call.params["ProductKey"],
            source,
            target,
            strategy,
            None if names is None else json.dumps(names, ensure_ascii=False),
            len(names or ()),
            call.now,
            call.now + call.emulator.pace.work(_WAIT),
        ),
    )
    return {"JobId": job_id}


def query_device_distribute_job(call: Call) -> dict[str, Any]:
    """QueryDeviceDistributeJob."""
    job = _job(call)
    return {
        "Data": {
            **_told(job),
            "TargetInstanceConfigs": {"targetInstanceConfigs": [_target(job, names=False)]},
        }
    }


def query_device_distribute_detail(call: Call) -> dict[str, Any]:
    """QueryDeviceDistributeDetail: where the result of a finished job can be downloaded, for ten minutes."""
    job = _job(call)
    if job["due"] is not None:
        raise ServiceError("iot.provisioning.TaskNotFinish", "The job is not finished.")
    return {
        "File": objects.signed_url(call.db, call.base_url, _file_key(job["job_id"]), call.now, _FILE_SECONDS)
    }


def delete_device_distribute_job(call: Call) -> dict[str, Any]:
    """DeleteDeviceDistributeJob: what it brought over stays where it is."""
    job = _job(call)
    if job["due"] is not None:
        raise ServiceError("iot.provisioning.TaskIsProcessing", "The job is under way.")
    call.db.execute("DELETE FROM distribute_jobs WHERE id = ?", (job["id"],))
    objects.of(call.emulator).delete(call.db, _file_key(job["job_id"]))
    return {}


def list_device_distribute_job(call: Call) -> dict[str, Any]:
    """ListDeviceDistributeJob: newest first, by page or on from a token, which wins."""
    page = page_of(call)
    where = "account = ? AND names IS NOT NULL"
    values: list[Any] = [call.account]
    for field, column in (("JobId", "job_id"), ("ProductKey", "product_key"), ("Status", "status")):
        if call.params.get(field) not in (None, ""):
            where += f" AND {column} = ?"
            values.append(call.params[field])
    if not _is_own(call):
        where += " AND 0"
    (total,) = call.db.execute(f"SELECT count(*) FROM distribute_jobs WHERE {where}", values).fetchone()
    if call.params.get("NextToken"):
        where, offset = f"{where} AND id < ?", 0
        values.append(read_token(call.params["NextToken"]))
    else:
        offset = page.offset
    rows = call.db.execute(
        f"SELECT * FROM distribute_jobs WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, page.size + 1, offset),
    ).fetchall()
    data: dict[str, Any] = {
        "Total": total,
        "JobInfo": {
            "items": [
                {
                    **_told(job),
                    "SourceInstanceName": _name(job["source"]),
                    "SourceRegion": REGION,
                    "TargetInstanceConfigs": {"targetInstanceConfigs": [_target(job, names=True)]},
                }
                for job in rows[: page.size]
            ]
        },
    }
    if len(rows) > page.size:
        data["NextToken"] = make_token(rows[page.size - 1]["id"])
    return {"Data": data}


def list_distributed_device(call: Call) -> dict[str, Any]:
    """ListDistributedDevice: latest first."""
    filters = (("ProductKey", "d.product_key"), ("DeviceName", "d.name"))
    return _list(
        call,
        "distributed_devices x JOIN devices d USING (iot_id)",
        "d.product_key, d.name",
        filters,
        "x.iot_id",
    )


def list_distributed_product(call: Call) -> dict[str, Any]:
    """ListDistributedProduct: latest first."""
    return _list(
        call, "distributed_products x", "x.product_key", (("ProductKey", "x.product_key"),), "x.product_key"
    )


def _list(
    call: Call, tables: str, columns: str, filters: tuple[tuple[str, str], ...], order: str
) -> dict[str, Any]:
    page = page_of(call)
    where, values = "x.account = ?", [call.account]
    for field, column in filters:
        if call.params.get(field):
            where += f" AND {column} = ?"
            values.append(call.params[field])
    for field, column in (("SourceInstanceId", "x.source"), ("TargetInstanceId", "x.instance")):
        if call.params.get(field):
            where += f" AND {column} = ?"
            values.append("" if call.params[field] == PUBLIC else call.params[field])
    if not _is_own(call):
        where += " AND 0"
    (total,) = call.db.execute(f"SELECT count(*) FROM {tables} WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT x.*, {columns} FROM {tables} WHERE {where} ORDER BY x.created DESC, {order} LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {"Data": {"Total": total, "Info": {"items": [_item(row) for row in rows]}}}


def _item(row: sqlite3.Row) -> dict[str, Any]:
    item = {
        "ProductKey": row["product_key"],
        "SourceUid": row["account"],
        "SourceInstanceId": row["source"] or PUBLIC,
        "SourceInstanceName": _name(row["source"]),
        "SourceRegion": REGION,
        "TargetUid": row["account"],
        "TargetAliyunId": row["account"],
        "TargetInstanceId": row["instance"] or PUBLIC,
        "TargetInstanceName": _name(row["instance"]),
        "TargetRegion": REGION,
        "GmtCreate": row["created"],
    }
    if "name" in row.keys():  # noqa: SIM118 - a Row is not its keys
        item |= {"DeviceName": row["name"], "GmtModified": row["modified"]}
    return item


def _is_own(call: Call) -> bool:
    """Whether the target account asked for, if one is, is the caller's own; there is nothing for others."""
    wanted = call.params.get("TargetUid")
    return not wanted or call.emulator.accounts.get(wanted, wanted) == call.account


def _told(job: sqlite3.Row) -> dict[str, Any]:
    return {
        "JobId": job["job_id"],
        "ProductKey": job["product_key"],
        "SourceUid": job["account"],
        "SourceInstanceId": job["source"] or PUBLIC,
        "TargetUid": job["account"],
        "Strategy": job["strategy"],
        "Status": job["status"],
        "Total": job["total"],
        "GmtCreate": job["created"],
    }


def _target(job: sqlite3.Row, *, names: bool) -> dict[str, str]:
    target = {"TargetInstanceId": job["target"] or PUBLIC}
    return {**target, "TargetInstanceName": _name(job["target"]), "TargetRegion": REGION} if names else target


def _name(instance: str) -> str:
    return instance or "Public instance"


def _job(call: Call) -> sqlite3.Row:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM distribute_jobs WHERE job_id = ? AND names IS NOT NULL", (call.params["JobId"],)
    ).fetchone()
    if row is None:
        raise ServiceError("iot.provisioning.TaskNotExist", "There is no such job.")
    if row["account"] != call.account:
        raise ServiceError("iot.provisioning.UidAndTaskNotMatch", "The job is another account's.")
    return row


def _file_key(job_id: str) -> str:
    return f"distribution/{job_id}.json"


def _due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM distribute_jobs WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _settle(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
    for job in db.execute(
        "SELECT * FROM distribute_jobs WHERE due <= ? ORDER BY due LIMIT ?", (now, MAX_JOBS)
    ).fetchall():
        due = job["due"]
        if job["status"] == WAITING:
            due += emulator.pace.work(_WORK[0] + _WORK[1] * job["total"] / 10_000)
            db.execute(
                "UPDATE distribute_jobs SET status = ?, due = ? WHERE id = ?", (WORKING, due, job["id"])
            )
        if due <= now:
            done = _bring(db, job, due, emulator)
            db.execute(
                "UPDATE distribute_jobs SET status = ?, due = NULL WHERE id = ?",
                (DONE if done else CUT_SHORT, job["id"]),
            )


def _bring(db: sqlite3.Connection, job: sqlite3.Row, at: int, emulator: Emulator) -> bool:
    """Bring over the product and, of a job with devices, these; False when the product is no more."""
    home = db.execute("SELECT instance FROM products WHERE product_key = ?", (job["product_key"],)).fetchone()
    if home is not None and home["instance"] != job["target"]:
        db.execute(
            "INSERT OR IGNORE INTO distributed_products (product_key, account, source, instance, created)"
            " VALUES (?,?,?,?,?)",
            (job["product_key"], job["account"], job["source"], job["target"], at),
        )
    if job["names"] is not None:
        results = _bring_devices(db, job, at)
        told = [
            {"ProductKey": job["product_key"], "DeviceName": name, "Code": code}
            for name, code in results.items()
        ]
        data = json.dumps(told, ensure_ascii=False).encode()
        objects.of(emulator).put(db, _file_key(job["job_id"]), data, at)
    return home is not None


def _bring_devices(db: sqlite3.Connection, job: sqlite3.Row, at: int) -> dict[str, str]:
    """Move the job's devices; the code of each by its name."""
    found = {
        row["name"]: row
        for row in db.execute(
            "SELECT d.name, d.iot_id, d.instance FROM json_each(?) j JOIN devices d ON d.name = j.value"
            " WHERE d.product_key = ?",
            (job["names"], job["product_key"]),
        )
    }
    results: dict[str, str] = {}
    moving = []
    for name in json.loads(job["names"]):
        row = found.get(name)
        if row is None:
            results[name] = "iot.device.NotExistedDevice"
        elif row["instance"] != job["source"]:
            results[name] = "iot.device.DeviceHasDistributed"
        else:
            results[name] = "200"
            moving.append(row["iot_id"])
    target = job["target"]
    for table in ("devices", "device_tags", "device_modules"):
        db.executemany(
            f"UPDATE {table} SET instance = ? WHERE iot_id = ?", [(target, iot_id) for iot_id in moving]
        )
    # Groups, gateways and edge instances are of the instance that the device leaves.
    for place in (
        "group_devices WHERE iot_id = ?",
        "edge_devices WHERE iot_id = ?",
        "edge_gateways WHERE iot_id = ?",
    ):
        db.executemany(f"DELETE FROM {place}", [(iot_id,) for iot_id in moving])
    db.executemany(
        "DELETE FROM topology WHERE iot_id = ?1 OR gateway_iot_id = ?1", [(iot_id,) for iot_id in moving]
    )
    db.executemany(
        "INSERT INTO distributed_devices (iot_id, account, source, instance, created, modified) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET source = excluded.source, instance = excluded.instance,"
        " modified = excluded.modified",
        [(iot_id, job["account"], job["source"], target, at, at) for iot_id in moving],
    )
    return results


SETTLER = Settler(due=_due, settle=_settle)

OPERATIONS: dict[str, Handler] = {
    "CreateDeviceDistributeJob": create_device_distribute_job,
    "CreateProductDistributeJob": create_product_distribute_job,
    "QueryDeviceDistributeDetail": query_device_distribute_detail,
    "QueryDeviceDistributeJob": query_device_distribute_job,
    "ListDeviceDistributeJob": list_device_distribute_job,
    "DeleteDeviceDistributeJob": delete_device_distribute_job,
    "ListDistributedDevice": list_distributed_device,
    "ListDistributedProduct": list_distributed_product,
}
