"""RRpc: a request to a device, and its answer.

A simulated device that is online answers after a time that its network explains: at once over a cable, within
seconds when it saves power. An Alink request (JSON with an `id`) gets an Alink reply; anything else comes back as
it was. Nobody is kept waiting for it: an answer that would come after `Timeout` is a TIMEOUT right away.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import zlib
from typing import Any

from console.emulator.call import Call, Handler
from console.emulator.errors import ServiceError
from console.emulator.lookups import device_of, product_of
from console.emulator.messaging.log import Direction, record
from console.emulator.messaging.payloads import MAX_RRPC, content, new_message_id

HEARTBEAT = 120  # seconds, at real pace: so long an offline device counts as half connected
_MOST_LEVELS = 20  # of a topic

# Quickest and slowest answer in milliseconds, by the product's network.
_LATENCY = {
    "ETHERNET": (20, 120),
    "WIFI": (40, 600),
    "CELLULAR": (300, 2500),
    "LORA": (800, 6000),
    "OTHER": (200, 3000),
}
_MEANING = {
    "OFFLINE": "The device is offline.",
    "HALFCONN": "The device went offline a moment ago.",
    "TIMEOUT": "The device did not answer in time.",
    "UNKNOWN": "The device cannot be reached through its gateway.",
}
_CODES = {"UNKNOWN": "iot.messagebroker.RrpcFailed"}


def rrpc(call: Call) -> dict[str, Any]:
    """RRpc. What keeps the device from answering is in RrpcCode, and fails the call with the code of that name."""
    product = product_of(call)
    device = device_of(call)
    request = content(call.params["RequestBase64Byte"], MAX_RRPC)
    message_id = new_message_id(call.now)
    topic = call.params.get("Topic") or ""
    if topic and (not topic.startswith("/") or topic.endswith("/") or topic.count("/") > _MOST_LEVELS):
        raise ServiceError("iot.messagebroker.InvalidFormattedTopicName", "The topic is not valid.")
    way = f"/ext/rrpc/{message_id}{topic}" if topic else _system_topic(device, "request", message_id)
    code = _outcome(call, product, device, request)
    _note(call, device, way, request, message_id, arrived=code in ("SUCCESS", "TIMEOUT"))
    if code != "SUCCESS":
        # Returned, not raised: the request was sent, and is to stay in the log of messages.
        return {
            "Success": False,
            "Code": _CODES.get(code, f"iot.messagebroker.{code}"),
            "ErrorMessage": _MEANING[code],
            "RrpcCode": code,
            "MessageId": message_id,
        }
    answer = _answer(request)
    back = way if topic else _system_topic(device, "response", message_id)
    _note(call, device, back, answer, message_id, arrived=True, direction="up")
    return {
        "RrpcCode": code,
        "PayloadBase64Byte": base64.b64encode(answer).decode(),
        "MessageId": message_id,
    }


def _outcome(call: Call, product: sqlite3.Row, device: sqlite3.Row, request: bytes) -> str:
    if device["status"] != "ONLINE":
        gone = call.now - device["status_since"]
        just_left = device["status"] == "OFFLINE" and gone < call.emulator.pace.life(HEARTBEAT)
        return "HALFCONN" if just_left else "OFFLINE"
    gateway = call.db.execute(
        "SELECT d.status FROM topology t JOIN devices d ON d.iot_id = t.gateway_iot_id WHERE t.iot_id = ?",
        (device["iot_id"],),
    ).fetchone()
    if gateway is not None and gateway["status"] != "ONLINE":
        return "UNKNOWN"
    late = latency(device["iot_id"], product["net_type"], call.now, request) > call.params["Timeout"]
    return "TIMEOUT" if late else "SUCCESS"


def latency(iot_id: str, net_type: str, now: int, request: bytes) -> int:
    """Milliseconds a device takes to answer this request at this moment; most are near the quick end."""
    quick, slow = _LATENCY.get(net_type, _LATENCY["OTHER"])
    dice = zlib.crc32(request, zlib.crc32(f"{iot_id}:{now}".encode())) / 2**32
    return int(quick + (slow - quick) * dice**3)


def _answer(request: bytes) -> bytes:
    try:
        asked = json.loads(request)
    except (ValueError, RecursionError):
        return request
    if not isinstance(asked, dict) or "id" not in asked:
        return request
    params = asked.get("params")
    reply = {"id": asked["id"], "code": 200, "data": params if isinstance(params, dict) else {}}
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _system_topic(device: sqlite3.Row, kind: str, message_id: int) -> str:
    return f"/sys/{device['product_key']}/{device['name']}/rrpc/{kind}/{message_id}"


def _note(
    call: Call,
    device: sqlite3.Row,
    topic: str,
    payload: bytes,
    message_id: int,
    *,
    arrived: bool,
    direction: Direction = "down",
) -> None:
    record(
        call,
        topic=topic,
        product_key=device["product_key"],
        device_name=device["name"],
        payload=payload,
        message_id=message_id,
        direction=direction,
        outcome="delivered" if arrived else "lost",
    )


OPERATIONS: dict[str, Handler] = {"RRpc": rrpc}
