"""Distribution: distributes products and devices of one instance to another instance of the same account.

A distributed product exists in both instances with the same key; it can be changed only in its original instance. A
device moves: it is in the new instance and no longer in the old one, and its name in the product stays in use.

A distribution job waits (0), runs (1) and is done (2), or was aborted (3) because its product was deleted in the meantime.
Its result is a file: a JSON list with product, name and code of each device, with code 200 for a device that was moved. The
API reference only lists these operations. Statuses, limits and codes are those of the platform's documentation; the
format of the file is invented.

Instances are named as in `IotInstanceId`. The public instance, which has no ID there, is `iotx-oxssharez200` here.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from iot_emulator import objects
from iot_emulator.call import Call, DeferredWork, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.formats import random_text
from iot_emulator.paging import decode_page_token, encode_page_token, read_page

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

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

PUBLIC_INSTANCE = "iotx-oxssharez200"
REGION = "cn-shanghai"
WAITING, WORKING, DONE, ABORTED = 0, 1, 2, 3
MAX_JOBS = 10  # unfinished jobs of an account
NEAREST = 1  # the strategy that moves a device to the nearest of several instances
CODES = {
    "distribution": {
        "DeviceName": "iot.provisioning.LimitExceeded",
        "Strategy": "iot.provisioning.ErrorStrategy",
        "TargetUid": "iot.provisioning.TargetAccountParamsError",
    }
}
_WAIT, _WORK = 1.0, (1.0, 4.0)  # seconds: before the job starts; minimum duration, added for 10,000 devices
_FILE_SECONDS = 600


def create_device_distribute_job(call: Call) -> dict[str, Any]:
    """CreateDeviceDistributeJob: moves devices, and distributes their product if the target does not have it yet."""
    params = call.params
    source = _read_instance(call, params["SourceInstanceId"], "Source")
    targets = [
        _read_instance(call, item["TargetInstanceId"], "Target") for item in params["TargetInstanceConfig"]
    ]
    strategy = params.get("Strategy", 0)
    if len(targets) > 1:
        # All instances of the emulator are in the same region, and a region may have only one target.
        raise ServiceError(
            "iot.provisioning.InstanceRegionConflict"
            if strategy == NEAREST
            else "iot.provisioning.ErrorStrategy",
            "Name one target instance per region; with a strategy other than 1, only one in total.",
        )
    _check_target(call, source, targets[0])
    names = list(dict.fromkeys(params["DeviceName"]))
    _check_running_jobs(call, names)
    return _insert_job(call, source, targets[0], strategy, names)


def create_product_distribute_job(call: Call) -> dict[str, Any]:
    """CreateProductDistributeJob: distributes a product without its devices."""
    source = _read_instance(call, call.params["SourceInstanceId"], "Source")
    target = _read_instance(call, call.params["TargetInstanceId"], "Target")
    _check_target(call, source, target)
    _check_running_jobs(call, None)
    return _insert_job(call, source, target, 0, None)


def _read_instance(call: Call, instance: str, which: str) -> str:
    """Return the IotInstanceId ("" for the public one); raise an error for an unknown instance."""
    if instance == PUBLIC_INSTANCE:
        return ""
    if instance not in call.emulator.instances:
        raise ServiceError(
            f"iot.provisioning.{which}InstanceNotFound", f"The instance {instance} does not exist."
        )
    return instance


def _check_target(call: Call, source: str, target: str) -> None:
    """Raise an error for another account, for the same instance as source and target, and for an unknown product."""
    target_user = call.params.get("TargetUid") or call.params["TargetAliyunId"]
    account = call.emulator.accounts.get(target_user, target_user)
    if account not in call.emulator.accounts.values():
        raise ServiceError("iot.provisioning.AccountNotFound", "The account does not exist.")
    if account != call.account:
        raise ServiceError(
            "iot.provisioning.NotCrossTenantId", "The target must be an instance of the same account."
        )
    if source == target:
        raise ServiceError("iot.system.InstanceIdSame", "The source and the target are the same instance.")
    product = call.db.execute(
        "SELECT 1 FROM products p WHERE p.product_key = ?1 AND p.account = ?2 AND (p.instance = ?3 OR EXISTS"
        " (SELECT 1 FROM distributed_products d WHERE d.product_key = ?1 AND d.instance = ?3))",
        (call.params["ProductKey"], call.account, source),
    ).fetchone()
    if product is None:
        raise ServiceError("iot.prod.NotExistedProduct", "The source instance does not have this product.")


def _check_running_jobs(call: Call, names: list[str] | None) -> None:
    """Raise an error if too many jobs run, or if a running job has the same product or one of the devices."""
    running = call.db.execute(
        "SELECT product_key, names FROM distribute_jobs WHERE account = ? AND due IS NOT NULL",
        (call.account,),
    ).fetchall()
    for job in running:
        if job["product_key"] != call.params["ProductKey"]:
            continue
        if job["names"] is None:
            raise ServiceError("iot.provisioning.ProductIsDistributing", "The product is being distributed.")
        if names is not None and not set(names).isdisjoint(json.loads(job["names"])):
            raise ServiceError(
                "iot.provisioning.DeviceIsInAnotherTask", "A device is in another running job."
            )
    if len(running) >= MAX_JOBS:
        raise ServiceError(
            "iot.provisioning.RunningTaskExcceedLimit",
            f"At most {MAX_JOBS} jobs can run at the same time. Wait until one of them is finished.",
        )


def _insert_job(
    call: Call, source: str, target: str, strategy: int, names: list[str] | None
) -> dict[str, Any]:
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
    job = _find_job(call)
    return {
        "Data": {
            **_describe_job(job),
            "TargetInstanceConfigs": {"targetInstanceConfigs": [_describe_target(job, names=False)]},
        }
    }


def query_device_distribute_detail(call: Call) -> dict[str, Any]:
    """QueryDeviceDistributeDetail: the download URL of the result of a finished job, valid for ten minutes."""
    job = _find_job(call)
    if job["due"] is not None:
        raise ServiceError("iot.provisioning.TaskNotFinish", "The job is not finished.")
    return {
        "File": objects.sign_url(call.db, call.base_url, _file_key(job["job_id"]), call.now, _FILE_SECONDS)
    }


def delete_device_distribute_job(call: Call) -> dict[str, Any]:
    """DeleteDeviceDistributeJob: does not undo the distribution."""
    job = _find_job(call)
    if job["due"] is not None:
        raise ServiceError("iot.provisioning.TaskIsProcessing", "The job is still running.")
    call.db.execute("DELETE FROM distribute_jobs WHERE id = ?", (job["id"],))
    objects.open_store(call.emulator).delete(call.db, _file_key(job["job_id"]))
    return {}


def list_device_distribute_job(call: Call) -> dict[str, Any]:
    """ListDeviceDistributeJob: newest first, by page number or page token. If both are sent, the token is used."""
    page = read_page(call)
    where = "account = ? AND names IS NOT NULL"
    values: list[Any] = [call.account]
    for field, column in (("JobId", "job_id"), ("ProductKey", "product_key"), ("Status", "status")):
        if call.params.get(field) not in (None, ""):
            where += f" AND {column} = ?"
            values.append(call.params[field])
    if not _is_own_account(call):
        where += " AND 0"
    (total,) = call.db.execute(f"SELECT count(*) FROM distribute_jobs WHERE {where}", values).fetchone()
    if call.params.get("NextToken"):
        where, offset = f"{where} AND id < ?", 0
        values.append(decode_page_token(call.params["NextToken"]))
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
                    **_describe_job(job),
                    "SourceInstanceName": _instance_name(job["source"]),
                    "SourceRegion": REGION,
                    "TargetInstanceConfigs": {"targetInstanceConfigs": [_describe_target(job, names=True)]},
                }
                for job in rows[: page.size]
            ]
        },
    }
    if len(rows) > page.size:
        data["NextToken"] = encode_page_token(rows[page.size - 1]["id"])
    return {"Data": data}


def list_distributed_device(call: Call) -> dict[str, Any]:
    """ListDistributedDevice: latest first."""
    filters = (("ProductKey", "d.product_key"), ("DeviceName", "d.name"))
    return _list_distributed(
        call,
        "distributed_devices x JOIN devices d USING (iot_id)",
        "d.product_key, d.name",
        filters,
        "x.iot_id",
    )


def list_distributed_product(call: Call) -> dict[str, Any]:
    """ListDistributedProduct: latest first."""
    return _list_distributed(
        call, "distributed_products x", "x.product_key", (("ProductKey", "x.product_key"),), "x.product_key"
    )


def _list_distributed(
    call: Call, tables: str, columns: str, filters: tuple[tuple[str, str], ...], order: str
) -> dict[str, Any]:
    page = read_page(call)
    where, values = "x.account = ?", [call.account]
    for field, column in filters:
        if call.params.get(field):
            where += f" AND {column} = ?"
            values.append(call.params[field])
    for field, column in (("SourceInstanceId", "x.source"), ("TargetInstanceId", "x.instance")):
        if call.params.get(field):
            where += f" AND {column} = ?"
            values.append("" if call.params[field] == PUBLIC_INSTANCE else call.params[field])
    if not _is_own_account(call):
        where += " AND 0"
    (total,) = call.db.execute(f"SELECT count(*) FROM {tables} WHERE {where}", values).fetchone()
    rows = call.db.execute(
        f"SELECT x.*, {columns} FROM {tables} WHERE {where} ORDER BY x.created DESC, {order} LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    )
    return {"Data": {"Total": total, "Info": {"items": [_describe_distributed(row) for row in rows]}}}


def _describe_distributed(row: sqlite3.Row) -> dict[str, Any]:
    item = {
        "ProductKey": row["product_key"],
        "SourceUid": row["account"],
        "SourceInstanceId": row["source"] or PUBLIC_INSTANCE,
        "SourceInstanceName": _instance_name(row["source"]),
        "SourceRegion": REGION,
        "TargetUid": row["account"],
        "TargetAliyunId": row["account"],
        "TargetInstanceId": row["instance"] or PUBLIC_INSTANCE,
        "TargetInstanceName": _instance_name(row["instance"]),
        "TargetRegion": REGION,
        "GmtCreate": row["created"],
    }
    if "name" in row.keys():  # noqa: SIM118 - `in` on a Row searches the values
        item |= {"DeviceName": row["name"], "GmtModified": row["modified"]}
    return item


def _is_own_account(call: Call) -> bool:
    """Whether TargetUid is the caller's account or was not sent. Other accounts have no distributed items."""
    target_user = call.params.get("TargetUid")
    return not target_user or call.emulator.accounts.get(target_user, target_user) == call.account


def _describe_job(job: sqlite3.Row) -> dict[str, Any]:
    return {
        "JobId": job["job_id"],
        "ProductKey": job["product_key"],
        "SourceUid": job["account"],
        "SourceInstanceId": job["source"] or PUBLIC_INSTANCE,
        "TargetUid": job["account"],
        "Strategy": job["strategy"],
        "Status": job["status"],
        "Total": job["total"],
        "GmtCreate": job["created"],
    }


def _describe_target(job: sqlite3.Row, *, names: bool) -> dict[str, str]:
    target = {"TargetInstanceId": job["target"] or PUBLIC_INSTANCE}
    return (
        {**target, "TargetInstanceName": _instance_name(job["target"]), "TargetRegion": REGION}
        if names
        else target
    )


def _instance_name(instance: str) -> str:
    return instance or "Public instance"


def _find_job(call: Call) -> sqlite3.Row:
    row: sqlite3.Row | None = call.db.execute(
        "SELECT * FROM distribute_jobs WHERE job_id = ? AND names IS NOT NULL", (call.params["JobId"],)
    ).fetchone()
    if row is None:
        raise ServiceError("iot.provisioning.TaskNotExist", "The job does not exist.")
    if row["account"] != call.account:
        raise ServiceError("iot.provisioning.UidAndTaskNotMatch", "The job belongs to another account.")
    return row


def _file_key(job_id: str) -> str:
    return f"distribution/{job_id}.json"


def _next_due(db: sqlite3.Connection) -> int | None:
    (due,) = db.execute("SELECT min(due) FROM distribute_jobs WHERE due IS NOT NULL").fetchone()
    return due if due is None else int(due)


def _run_due(db: sqlite3.Connection, now: int, emulator: Emulator) -> None:
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
            is_done = _distribute(db, job, due, emulator)
            db.execute(
                "UPDATE distribute_jobs SET status = ?, due = NULL WHERE id = ?",
                (DONE if is_done else ABORTED, job["id"]),
            )


def _distribute(db: sqlite3.Connection, job: sqlite3.Row, at: int, emulator: Emulator) -> bool:
    """Distribute the product and move the devices of a job; return False if the product was deleted."""
    product = db.execute(
        "SELECT instance FROM products WHERE product_key = ?", (job["product_key"],)
    ).fetchone()
    if product is not None and product["instance"] != job["target"]:
        db.execute(
            "INSERT OR IGNORE INTO distributed_products (product_key, account, source, instance, created)"
            " VALUES (?,?,?,?,?)",
            (job["product_key"], job["account"], job["source"], job["target"], at),
        )
    if job["names"] is not None:
        results = _move_devices(db, job, at)
        rows = [
            {"ProductKey": job["product_key"], "DeviceName": name, "Code": code}
            for name, code in results.items()
        ]
        data = json.dumps(rows, ensure_ascii=False).encode()
        objects.open_store(emulator).put(db, _file_key(job["job_id"]), data, at)
    return product is not None


def _move_devices(db: sqlite3.Connection, job: sqlite3.Row, at: int) -> dict[str, str]:
    """Move the devices of a job; return device name -> result code."""
    devices = {
        row["name"]: row
        for row in db.execute(
            "SELECT d.name, d.iot_id, d.instance FROM json_each(?) j JOIN devices d ON d.name = j.value"
            " WHERE d.product_key = ?",
            (job["names"], job["product_key"]),
        )
    }
    results: dict[str, str] = {}
    moved_ids = []
    for name in json.loads(job["names"]):
        row = devices.get(name)
        if row is None:
            results[name] = "iot.device.NotExistedDevice"
        elif row["instance"] != job["source"]:
            results[name] = "iot.device.DeviceHasDistributed"
        else:
            results[name] = "200"
            moved_ids.append(row["iot_id"])
    target = job["target"]
    for table in ("devices", "device_tags", "device_modules"):
        db.executemany(
            f"UPDATE {table} SET instance = ? WHERE iot_id = ?", [(target, iot_id) for iot_id in moved_ids]
        )
    # Groups, gateways and edge instances belong to the instance that the device leaves.
    for membership in (
        "group_devices WHERE iot_id = ?",
        "edge_devices WHERE iot_id = ?",
        "edge_gateways WHERE iot_id = ?",
    ):
        db.executemany(f"DELETE FROM {membership}", [(iot_id,) for iot_id in moved_ids])
    db.executemany(
        "DELETE FROM topology WHERE iot_id = ?1 OR gateway_iot_id = ?1", [(iot_id,) for iot_id in moved_ids]
    )
    db.executemany(
        "INSERT INTO distributed_devices (iot_id, account, source, instance, created, modified) VALUES (?,?,?,?,?,?)"
        " ON CONFLICT DO UPDATE SET source = excluded.source, instance = excluded.instance,"
        " modified = excluded.modified",
        [(iot_id, job["account"], job["source"], target, at, at) for iot_id in moved_ids],
    )
    return results


DEFERRED_WORK = DeferredWork(next_due=_next_due, run_due=_run_due)

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
