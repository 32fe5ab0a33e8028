"""What a message carries, checked: Base64 contents and MQTT 5.0 properties."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Any

from console.emulator.errors import ServiceError, invalid
from console.emulator.messaging.names import read_custom

KIB = 1024
MAX_PUB = 256 * KIB  # bytes (BatchPub)
MAX_BROADCAST = 64 * KIB  # bytes (PubBroadcast)
MAX_RRPC = 128 * KIB  # bytes
MAX_CORRELATION = 128  # characters (iot.messagebroker.CorrelationDataExceedMaxLength)
MAX_PROPERTIES = 20  # (iot.messagebroker.TooManyUserProperties)
MAX_PROPERTIES_LENGTH = 8192  # characters of all keys and values (…UserPropertyListExceedMaxLength)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def from_base64(text: str) -> bytes | None:
    """The bytes; None when it is not Base64. Padding may be left out, as in the reference's own examples."""
    bare = text.rstrip("=")
    if not _BASE64.fullmatch(text) or len(bare) % 4 == 1 or (bare != text and len(text) % 4):
        return None
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None


def content(text: str, limit: int) -> bytes:
    """A message's content; raises when it is not Base64 or larger than `limit` bytes."""
    data = from_base64(text)
    if data is None:
        raise ServiceError(
            "iot.messagebroker.MessageContentIsNotBase64Encode", "The message content is not Base64."
        )
    if len(data) > limit:
        raise ServiceError(
            "iot.messagebroker.PublishMessageFailed", f"A message can have at most {limit // KIB} KB."
        )
    return data


def check_mqtt5(params: Mapping[str, Any]) -> None:
    """Check the MQTT 5.0 properties of Pub and BatchPub, whichever are there."""
    topic = params.get("ResponseTopic")
    if topic and read_custom(topic) is None:
        raise ServiceError(
            "iot.messagebroker.InvalidMqttResponseTopic", "The response topic is not a custom topic."
        )
    correlation = params.get("CorrelationData")
    if correlation is not None:
        if not correlation:
            raise ServiceError("iot.messagebroker.NullCorrelationData", "The correlation data is empty.")
        if len(correlation) > MAX_CORRELATION:
            raise ServiceError(
                "iot.messagebroker.CorrelationDataExceedMaxLength",
                f"Correlation data can have at most {MAX_CORRELATION} characters.",
            )
        if from_base64(correlation) is None:
            raise ServiceError(
                "iot.messagebroker.CorrelationDataNotBase64Encode", "The correlation data is not Base64."
            )
    _check_properties(params.get("UserProp", []))


def _check_properties(properties: list[dict[str, str]]) -> None:
    if len(properties) > MAX_PROPERTIES:
        raise ServiceError(
            "iot.messagebroker.TooManyUserProperties", f"At most {MAX_PROPERTIES} properties are allowed."
        )
    if not all(entry.get("Key") and entry.get("Value") for entry in properties):
        raise ServiceError(
            "iot.messagebroker.InvalidUserProperty", "Each property needs both a key and a value."
        )
    if sum(len(entry["Key"]) + len(entry["Value"]) for entry in properties) > MAX_PROPERTIES_LENGTH:
        raise ServiceError(
            "iot.messagebroker.UserPropertyListExceedMaxLength",
            f"Properties can have at most {MAX_PROPERTIES_LENGTH} characters together.",
        )


def check_names(names: list[str]) -> None:
    """Refuse a list of devices that names one twice."""
    if len(set(names)) != len(names):
        raise invalid("The device names are not unique.")


def new_message_id(now: int) -> int:
    """19 digits that grow with time (ms)."""
    return now << 20 | int.from_bytes(os.urandom(3)) >> 4
