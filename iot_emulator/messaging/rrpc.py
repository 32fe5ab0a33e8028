"""RRpc: a request to a device, and its response.

The response time of an online simulated device depends on its network: milliseconds with Ethernet, seconds with LoRaWAN.
An Alink request (JSON with an `id`) gets an Alink response; any other request is returned unchanged. The call does not
wait: a response that would come after `Timeout` is a TIMEOUT immediately.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from typing import Any

from iot_emulator.call import Call, Handler
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.messaging.custom_topics import parse_custom_topic
from iot_emulator.messaging.log import Direction, record_message
from iot_emulator.messaging.payloads import MAX_RRPC, decode_content, new_message_id

HEARTBEAT = 120  # seconds at real pace during which a device that went offline counts as half connected

# Shortest and longest response time in milliseconds, by the network of the product.
_LATENCY = {
    "ETHERNET": (20, 120),
    "WIFI": (40, 600),
    "CELLULAR": (300, 2500),
    "LORA": (800, 6000),
    "OTHER": (200, 3000),
}
_MESSAGES = {
    "OFFLINE": "The device is offline.",
    "HALFCONN": "The device went offline a moment ago.",
    "TIMEOUT": "The device did not respond before the timeout.",
    "UNKNOWN": "The gateway of the device is not online.",
}
_CODES = {"UNKNOWN": "iot.messagebroker.RrpcFailed"}


def rrpc(call: Call) -> dict[str, Any]:
    """RRpc. If the device does not respond, RrpcCode has the reason, and the call fails with the code of this name."""
    product = find_product(call)
    device = find_device(call)
    request = decode_content(call.params["RequestBase64Byte"], MAX_RRPC)
    message_id = new_message_id(call.now)
    topic = call.params.get("Topic") or ""
    custom_topic = parse_custom_topic(topic)
    if topic and (custom_topic is None or not custom_topic.belongs_to(device)):
        raise ServiceError(
            "iot.messagebroker.InvalidFormattedTopicName", "The topic is not a custom topic of this device."
        )
    request_topic = (
        f"/ext/rrpc/{message_id}{topic}" if topic else _system_topic(device, "request", message_id)
    )
    code = _determine_outcome(call, product, device, request)
    is_delivered = code in ("SUCCESS", "TIMEOUT")
    _record(call, device, request_topic, request, message_id, is_delivered=is_delivered)
    if code != "SUCCESS":
        # Returned, not raised: the request was sent, and the transaction with its log entry must be committed.
        return {
            "Success": False,
            "Code": _CODES.get(code, f"iot.messagebroker.{code}"),
            "ErrorMessage": _MESSAGES[code],
            "RrpcCode": code,
            "MessageId": message_id,
        }
    response = _simulate_response(request)
    response_topic = request_topic if topic else _system_topic(device, "response", message_id)
    _record(call, device, response_topic, response, message_id, is_delivered=True, direction="up")
    return {
        "RrpcCode": code,
        "PayloadBase64Byte": base64.b64encode(response).decode(),
        "MessageId": message_id,
    }


def _determine_outcome(call: Call, product: sqlite3.Row, device: sqlite3.Row, request: bytes) -> str:
    """Return the RrpcCode of a request."""
    if device["status"] != "ONLINE":
        offline_ms = call.now - device["status_since"]
        heartbeat_ms = call.emulator.pace.background(HEARTBEAT)
        return "HALFCONN" if device["status"] == "OFFLINE" and offline_ms < heartbeat_ms else "OFFLINE"
    gateway = call.db.execute(
        "SELECT d.status FROM topology t JOIN devices d ON d.iot_id = t.gateway_iot_id WHERE t.iot_id = ?",
        (device["iot_id"],),
    ).fetchone()
    if gateway is not None and gateway["status"] != "ONLINE":
        return "UNKNOWN"
    latency = response_latency(device["iot_id"], product["net_type"], call.now, request)
    return "TIMEOUT" if latency > call.params["Timeout"] else "SUCCESS"


def response_latency(iot_id: str, net_type: str, now: int, request: bytes) -> int:
    """Return the response time of a device for this request at this time (ms). Most values are near the minimum."""
    shortest, longest = _LATENCY.get(net_type, _LATENCY["OTHER"])
    chance = zlib.crc32(request, zlib.crc32(f"{iot_id}:{now}".encode())) / 2**32
    return int(shortest + (longest - shortest) * chance**3)


def _simulate_response(request: bytes) -> bytes:
    try:
        alink_request = json.loads(request)
    except (ValueError, RecursionError):
        return request
    if not isinstance(alink_request, dict) or "id" not in alink_request:
        return request
    params = alink_request.get("params")
    response = {
        "id": alink_request["id"],
        "code": 200,
        "data": params if isinstance(params, dict) else {},
    }
    return json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _system_topic(device: sqlite3.Row, kind: str, message_id: int) -> str:
    return f"/sys/{device['product_key']}/{device['name']}/rrpc/{kind}/{message_id}"


def _record(
    call: Call,
    device: sqlite3.Row,
    topic: str,
    payload: bytes,
    message_id: int,
    *,
    is_delivered: bool,
    direction: Direction = "down",
) -> None:
    record_message(
        call,
        topic=topic,
        product_key=device["product_key"],
        device_name=device["name"],
        payload=payload,
        message_id=message_id,
        direction=direction,
        outcome="delivered" if is_delivered else "lost",
    )


OPERATIONS: dict[str, Handler] = {"RRpc": rrpc}
