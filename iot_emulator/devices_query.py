"""Lists and counts of devices. QueryDeviceBySQL is in device_sql.py."""

from __future__ import annotations

import sqlite3
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import invalid_page
from iot_emulator.formats import format_gmt, format_local, format_utc
from iot_emulator.lookups import find_device, find_group, find_product, is_distributed
from iot_emulator.paging import decode_page_token, encode_page_token, read_page
from iot_emulator.products import count_devices

MAX_BY_PAGE_NUMBER = 10_000  # devices that QueryDevice returns by page number; for more a token is needed
MAX_BY_TOKEN = 500_000
STATUS_BY_NUMBER = {0: "UNACTIVE", 1: "ONLINE", 3: "OFFLINE", 8: "DISABLE"}


def query_device(call: Call) -> dict[str, Any]:
    """QueryDevice: newest first, by page number or from the token of the last page."""
    product = find_product(call)
    product_key = product["product_key"]
    where = "product_key = ? AND instance = ?" if is_distributed(call.db, product_key) else "product_key = ?"
    values = [product_key, call.instance] if "instance" in where else [product_key]
    page = read_page(call)
    token = call.params.get("NextToken")
    last_entry = page.number * page.size
    if (token and last_entry >= MAX_BY_TOKEN) or (not token and last_entry > MAX_BY_PAGE_NUMBER):
        raise invalid_page(
            f"Page numbers work for the first {MAX_BY_PAGE_NUMBER:,} devices. Use NextToken for up to {MAX_BY_TOKEN:,}."
        )
    if token:
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE {where} AND id < ? ORDER BY id DESC LIMIT ?",
            (*values, decode_page_token(token), page.size + 1),
        ).fetchall()
    else:
        rows = call.db.execute(
            f"SELECT * FROM devices WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
            (*values, page.size + 1, page.offset),
        ).fetchall()
    more = len(rows) > page.size
    rows = rows[: page.size]
    total = count_devices(call.db, product_key, call.instance)
    return {
        "Data": {"DeviceInfo": [_describe_device(row) for row in rows]},
        "NextToken": encode_page_token(rows[-1]["id"]) if more else "",
        "Page": page.number,
        "PageSize": page.size,
        "PageCount": page.count(total),
        "Total": total,
    }


def _describe_device(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "DeviceId": row["iot_id"][:20],
        "IotId": row["iot_id"],
        "ProductKey": row["product_key"],
        "DeviceName": row["name"],
        "DeviceSecret": row["secret"],
        "DeviceStatus": row["status"],
        "Nickname": row["nickname"],
        "GmtCreate": format_gmt(row["created"]),
        "UtcCreate": format_utc(row["created"]),
        "GmtModified": format_gmt(row["modified"]),
        "UtcModified": format_utc(row["modified"]),
    }


def query_device_by_status(call: Call) -> dict[str, Any]:
    """QueryDeviceByStatus: the devices of one product or of the account, newest first."""
    params, page = call.params, read_page(call)
    status = STATUS_BY_NUMBER[params["Status"]]
    values: list[Any]
    if params.get("ProductKey"):
        find_product(call)
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
                    "GmtCreate": format_local(row["created"]),
                    "UtcCreate": format_utc(row["created"]),
                    "GmtModified": format_local(row["modified"]),
                    "UtcModified": format_utc(row["modified"]),
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
    """QueryDeviceStatistics: counts for a product, a group, the devices of a product in a group, or the account."""
    params = call.params
    if params.get("ProductKey"):
        find_product(call)
    if params.get("GroupId"):
        group = find_group(call)
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
    """ListOTAModuleVersionsByDevice: the versions that the device reported, by module."""
    device, page = find_device(call), read_page(call)
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
