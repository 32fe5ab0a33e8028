"""The original data: everything a device sent, whether it passed the check against the model or not.

Pages go by a token that says after which record to continue.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.paging import decode_page_token, encode_page_token
from console.emulator.things.common import dumped, modelled_device_of
from console.emulator.things.features import Model
from console.emulator.things.reading import (
    Stretch,
    call_records,
    event_records,
    page_of_records,
    property_records,
    stretch_of,
    value_text,
)
from console.emulator.things.simulation import Life, life_of


def query_device_original_property_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalPropertyData. Its token is spelled `nextPageToken`."""
    device, life, model = _looked_at(call)
    identifier = call.params["Identifier"]
    item = model.find_property(identifier)
    if item is None:
        raise ServiceError("InvalidIdentifierInPropertyError", f"The device has no property {identifier}.")
    records = property_records(call.db, device["iot_id"], life, identifier, item, _continued(call))
    page, more = page_of_records(records, call.params["PageSize"])
    return {
        "Data": {
            **_paging([report.time for report in page], more, "nextPageToken"),
            "List": {
                "PropertyInfo": [{"Time": str(report.time), "Value": value_text(report)} for report in page]
            },
        }
    }


def query_device_original_event_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalEventData."""
    _, life, model = _looked_at(call)
    identifier = call.params["Identifier"]
    if model.find_event(identifier) is None:
        raise ServiceError("iot.tsl.InvalidIdentifierInEventError", f"The device has no event {identifier}.")
    page, more = page_of_records(
        event_records(life, model, _continued(call), identifier), call.params["PageSize"]
    )
    return {
        "Data": {
            **_paging([record.time for record in page], more),
            "List": {
                "EventInfo": [
                    {
                        "Time": str(record.time),
                        "Identifier": record.identifier,
                        "Name": record.name,
                        "EventType": record.kind,
                        "OutputData": dumped(record.output),
                    }
                    for record in page
                ]
            },
        }
    }


def query_device_original_service_data(call: Call) -> dict[str, Any]:
    """QueryDeviceOriginalServiceData."""
    device, life, model = _looked_at(call)
    identifier = call.params["Identifier"]
    if identifier not in ("set", "get") and model.find_service(identifier) is None:
        raise ServiceError("InvalidIdentifierInServiceError", f"The device has no service {identifier}.")
    records = call_records(call.db, device["iot_id"], life, model, _continued(call), identifier)
    page, more = page_of_records(records, call.params["PageSize"])
    return {
        "Data": {
            **_paging([record.time for record in page], more),
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
    """QueryDeviceOriginalPropertyStatus: what each property was last told to be, in the order of the telling."""
    device, life, model = _looked_at(call)
    when = Stretch(life.born if life else 0, call.now, False)
    last = []
    for identifier, item in model.properties():
        report = next(property_records(call.db, device["iot_id"], life, identifier, item, when), None)
        if report is not None:
            last.append((report.time, identifier, value_text(report)))
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


def _looked_at(call: Call) -> tuple[sqlite3.Row, Life | None, Model]:
    device, _, model = modelled_device_of(call)
    return device, life_of(call.db, device, call.now), model


def _continued(call: Call) -> Stretch:
    """The stretch asked for, from where the token says. Raises `iot.device.PageTokenIsIllegal`."""
    when = stretch_of(call)
    if not call.params.get("NextPageToken"):
        return when
    last = decode_page_token(call.params["NextPageToken"])
    return replace(when, low=last + 1) if when.ascending else replace(when, high=last - 1)


def _paging(times: list[int], more: bool, spelled: str = "NextPageToken") -> dict[str, Any]:
    return {"NextValid": more, **({spelled: encode_page_token(times[-1])} if more else {})}


OPERATIONS: dict[str, Handler] = {
    "QueryDeviceOriginalPropertyData": query_device_original_property_data,
    "QueryDeviceOriginalEventData": query_device_original_event_data,
    "QueryDeviceOriginalServiceData": query_device_original_service_data,
    "QueryDeviceOriginalPropertyStatus": query_device_original_property_status,
}
