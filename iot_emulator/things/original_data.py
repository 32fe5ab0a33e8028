"""Original data: everything a device sent, whether it passed the check against the model or not.

Pages are read by a token that holds the time of the last record of the previous page.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.paging import decode_page_token, encode_page_token
from iot_emulator.things.common import find_modeled_device, to_compact_json
from iot_emulator.things.features import Model
from iot_emulator.things.records import (
    Period,
    format_report_value,
    read_call_records,
    read_event_records,
    read_period,
    read_property_records,
    read_record_page,
)
from iot_emulator.things.simulation import Lifetime, find_lifetime


def query_device_original_property_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalPropertyData. The response has its token in `nextPageToken`."""
    device, lifetime, model = _find_device_lifetime(call)
    identifier = call.params["Identifier"]
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("InvalidIdentifierInPropertyError", f"The device has no property {identifier}.")
    records = read_property_records(
        call.db, device["iot_id"], lifetime, identifier, item, _read_remaining_period(call)
    )
    page, more = read_record_page(records, call.params["PageSize"])
    return {
        "Data": {
            **_write_paging([report.time for report in page], more, "nextPageToken"),
            "List": {
                "PropertyInfo": [
                    {"Time": str(report.time), "Value": format_report_value(report)} for report in page
                ]
            },
        }
    }


def query_device_original_event_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalEventData."""
    _, lifetime, model = _find_device_lifetime(call)
    identifier = call.params["Identifier"]
    if model.find_event(identifier) is None:
        raise ServiceError("iot.tsl.InvalidIdentifierInEventError", f"The device has no event {identifier}.")
    page, more = read_record_page(
        read_event_records(lifetime, model, _read_remaining_period(call), identifier), call.params["PageSize"]
    )
    return {
        "Data": {
            **_write_paging([record.time for record in page], more),
            "List": {
                "EventInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "EventType": record.kind,
                        "OutputData": to_compact_json(record.output),
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_original_service_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalServiceData."""
    device, lifetime, model = _find_device_lifetime(call)
    identifier = call.params["Identifier"]
    if identifier not in ("set", "get") and model.find_service(identifier) is None:
        raise ServiceError("InvalidIdentifierInServiceError", f"The device has no service {identifier}.")
    records = read_call_records(
        call.db, device["iot_id"], lifetime, model, _read_remaining_period(call), identifier
    )
    page, more = read_record_page(records, call.params["PageSize"])
    return {
        "Data": {
            **_write_paging([record.time for record in page], more),
            "List": {
                "ServiceInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "InputData": record.input,
                        "OutputData": record.output,
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_original_property_status(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalPropertyStatus: the last report of each property, sorted by time."""
    device, lifetime, model = _find_device_lifetime(call)
    period = Period(lifetime.activated if lifetime else 0, call.now, False)
    last = []
    for identifier, item in model.properties():
        report = next(
            read_property_records(call.db, device["iot_id"], lifetime, identifier, item, period), None
        )
        if report is not None:
            last.append((report.time, identifier, format_report_value(report)))
    last.sort(reverse=call.params["Asc"] == 0)
    start = decode_page_token(call.params["NextPageToken"]) if call.params.get("NextPageToken") else 0
    end = start + call.params["PageSize"]
    more = end < len(last)
    return {
        "Data": {
            "NextValid": more,
            **({"NextPageToken": encode_page_token(end)} if more else {}),
            "List": {
                "PropertyStatusDataInfo": [
                    {"Identifier": identifier, "Time": time, "Value": value}
                    for time, identifier, value in last[start:end]
                ]
            },
        }
    }


def _find_device_lifetime(call: Call) -> tuple[sqlite3.Row, Lifetime | None, Model]:
    device, _, model = find_modeled_device(call)
    return device, find_lifetime(call.db, device, call.now), model


def _read_remaining_period(call: Call) -> Period:
    """Read the requested period, without the pages before the token. Raises `iot.device.PageTokenIsIllegal`."""
    period = read_period(call)
    if not call.params.get("NextPageToken"):
        return period
    last = decode_page_token(call.params["NextPageToken"])
    return replace(period, low=last + 1) if period.ascending else replace(period, high=last - 1)


def _write_paging(times: list[int], more: bool, field: str = "NextPageToken") -> dict[str, Any]:
    return {"NextValid": more, **({field: encode_page_token(times[-1])} if more else {})}


OPERATIONS: dict[str, Handler] = {
    "QueryDeviceOriginalPropertyData": query_device_original_property_data,
    "QueryDeviceOriginalEventData": query_device_original_event_data,
    "QueryDeviceOriginalServiceData": query_device_original_service_data,
    "QueryDeviceOriginalPropertyStatus": query_device_original_property_status,
}
