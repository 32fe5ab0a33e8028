"""Lists and counts of devices. QueryDeviceBySQL is in device_sql.py."""

from __future__ import annotations

import sqlite3
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import page_error
from console.emulator.formats import gmt, local, utc
from console.emulator.lookups import device_of, group_of, is_distributed, product_of
from console.emulator.paging import make_token, page_of, read_token
from console.emulator.products import device_count

REACH_BY_NUMBER = 10_000  # entries that QueryDevice reaches by page number; beyond, a token is needed
REACH_BY_TOKEN = 500_000
STATUS_BY_NUMBER = {0: "UNACTIVE", 1: "ONLINE", 3: "OFFLINE", 8: "DISABLE"}


def query_device(call: Call) -> dict[str, Any]:
    """QueryDevice: newest first; by page number, or on from where the last page's token points."""
    product = product_of(call)
    product_key = product["product_key"]
    here = "product_key = ? AND instance = ?" if is_distributed(call.db, product_key) else "product_key = ?"
    values = [product_key, call.instance] if "instance" in here else [product_key]
    page = page_of(call)
    token = call.params.get("NextToken")
    reached = page.number * page.size
    if (token and reached >= REACH_BY_TOKEN) or (not token and reached > REACH_BY_NUMBER):
        raise page_error(
            f"Page numbers reach {REACH_BY_NUMBER} devices and tokens {REACH_BY_TOKEN}; continue with NextToken."
        )
    if token:
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE {here} AND id < ? ORDER BY id DESC LIMIT ?",
            (*values, read_token(token), page.size + 1),
        ).fetchall()
    else:
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE {here} ORDER BY id DESC LIMIT ? OFFSET ?",
            (*values, page.size + 1, page.offset),
        ).fetchall()
    more = len(rows) > page.size
    rows = rows[: page.size]
    total = device_count(call.db, product_key, call.instance)
    return {
        "Data": {"DeviceInfo": [_listed(row) for row in rows]},
        "NextToken": make_token(rows[-1]["id"]) if more else "",
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "DeviceId": row["iot_id"][:20],
        "IotId": row["iot_id"],
        "ProductKey": row["product_key"],
        "DeviceName": row["name"],
        "DeviceSecret": row["secret"],
        "DeviceStatus": row["status"],
        "Nickname": row["nickname"],
        "GmtCreate": gmt(row["created"]),
        "UtcCreate": utc(row["created"]),
        "GmtModified": gmt(row["modified"]),
        "UtcModified": utc(row["modified"]),
    }


def query_device_by_status(call: Call) -> dict[str, Any]:
    """QueryDeviceByStatus: of one product or of the whole account, newest first."""
    params, page = call.params, page_of(call)
    status = STATUS_BY_NUMBER[params["Status"]]
    values: list[Any]
    if params.get("ProductKey"):
        product_of(call)
        scope, values = "product_key = ? AND instance = ?", [params["ProductKey"], call.instance]
    else:
        scope, values = "account = ? AND instance = ?", [call.account, call.instance]
    if params.get("ResourceGroupId"):
        scope += " AND product_key IN (SELECT product_key FROM products WHERE resource_group_id = ?)"
        values.append(params["ResourceGroupId"])
    counted = (
        scope
        if scope.startswith("product_key = ")
        else (
            "product_key IN (SELECT product_key FROM products WHERE account = ?) AND instance = ?"
            + scope.removeprefix("account = ? AND instance = ?")
        )
    )
    (total,) = call.db.execute(
        f"SELECT coalesce(sum(devices), 0) FROM device_counts WHERE {counted} AND status = ?",
        (*values, status),
    ).fetchone()
    rows = call.db.execute(
        f"SELECT * FROM devices WHERE {scope} AND status = ? ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, status, page.size, page.offset),
    )
    return {
        "Data": {
            "SimpleDeviceInfo": [
                {
                    "IotId": row["iot_id"],
                    "ProductKey": row["product_key"],
                    "DeviceName": row["name"],
                    "DeviceSecret": row["secret"],
                    "Nickname": row["nickname"],
                    "Status": row["status"],
                    "GmtCreate": local(row["created"]),
                    "UtcCreate": utc(row["created"]),
                    "GmtModified": local(row["modified"]),
                    "UtcModified": utc(row["modified"]),
                }
                for row in rows
            ]
        },
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def query_device_statistics(call: Call) -> dict[str, Any]:
    """QueryDeviceStatistics: of a product, of a group, of a product's devices in a group, or of the account."""
    params = call.params
    if params.get("ProductKey"):
        product_of(call)
    if params.get("GroupId"):
        group = group_of(call)
        sql = (
            "SELECT count(*), coalesce(sum(activated IS NOT NULL), 0), coalesce(sum(status = 'ONLINE'), 0)"
            " FROM group_devices g JOIN devices d ON d.iot_id = g.iot_id WHERE g.group_id = ?"
        )
        values = [group["group_id"]]
        if params.get("ProductKey"):
            sql, values = sql + " AND d.product_key = ?", [*values, params["ProductKey"]]
    else:
        sql = (
            "SELECT coalesce(sum(devices), 0), coalesce(sum(devices * active), 0),"
            " coalesce(sum(devices * (status = 'ONLINE')), 0) FROM device_counts WHERE "
        )
        if params.get("ProductKey"):
            sql, values = sql + "product_key = ? AND instance = ?", [params["ProductKey"], call.instance]
        else:
            sql += "product_key IN (SELECT product_key FROM products WHERE account = ?) AND instance = ?"
            values = [call.account, call.instance]
    total, active, online = call.db.execute(sql, values).fetchone()
    return {"Data": {"deviceCount": total, "activeCount": active, "onlineCount": online}}


def list_ota_module_versions_by_device(call: Call) -> dict[str, Any]:
    """ListOTAModuleVersionsByDevice: what the device reported, by module."""
    device, page = device_of(call), page_of(call)
    (total,) = call.db.execute(
        "SELECT count(*) FROM device_modules WHERE iot_id = ?", (device["iot_id"],)
    ).fetchone()
    rows = call.db.execute(
        "SELECT module, version FROM device_modules WHERE iot_id = ? ORDER BY module LIMIT ? OFFSET ?",
        (device["iot_id"], page.size, page.offset),
    )
    return {
        "Data": {
            "SimpleOTAModuleInfo": [
                {
                    "IotId": device["iot_id"],
                    "ProductKey": device["product_key"],
                    "DeviceName": device["name"],
                    "ModuleName": row["module"],
                    "ModuleVersion": row["version"],
                }
                for row in rows
            ]
        },
        "CurrentPage": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


OPERATIONS: dict[str, Handler] = {
    "QueryDevice": query_device,
    "QueryDeviceByStatus": query_device_by_status,
    "QueryDeviceStatistics": query_device_statistics,
    "ListOTAModuleVersionsByDevice": list_ota_module_versions_by_device,
}
