"""Checks of message contents (Base64) and MQTT 5.0 properties."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Any

from iot_emulator.errors import ServiceError, invalid_parameter
from iot_emulator.messaging.custom_topics import parse_custom_topic

KIB = 1024
MAX_PUB = 256 * KIB  # bytes (BatchPub)
MAX_BROADCAST = 64 * KIB  # bytes (PubBroadcast)
MAX_RRPC = 128 * KIB  # bytes
MAX_CORRELATION = 128  # characters (iot.messagebroker.CorrelationDataExceedMaxLength)
MAX_PROPERTIES = 20  # (iot.messagebroker.TooManyUserProperties)
MAX_PROPERTIES_LENGTH = 8192  # characters of all keys and values (…UserPropertyListExceedMaxLength)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def decode_base64(text: str) -> bytes | None:
    """Return the decoded bytes; None for invalid Base64. Padding is optional, as in examples of the API reference."""
    unpadded = text.rstrip("=")
    if not _BASE64.fullmatch(text) or len(unpadded) % 4 == 1 or (unpadded != text and len(text) % 4):
        return None
    try:
        return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except binascii.Error:
        return None


def decode_content(text: str, limit: int) -> bytes:
    """Return the decoded content of a message. Raises for invalid Base64 and for more than `limit` bytes."""
    data = decode_base64(text)
    if data is None:
        raise ServiceError(
            "iot.messagebroker.MessageContentIsNotBase64Encode", "The message content must be Base64."
        )
    if len(data) > limit:
        raise ServiceError(
            "iot.messagebroker.PublishMessageFailed",
            f"The message content can have at most {limit // KIB} KB.",
        )
    return data


def check_mqtt5_properties(params: Mapping[str, Any]) -> None:
    """Check the MQTT 5.0 properties of Pub and BatchPub that were sent."""
    topic = params.get("ResponseTopic")
    if topic and parse_custom_topic(topic) is None:
        raise ServiceError(
            "iot.messagebroker.InvalidMqttResponseTopic", "ResponseTopic must be a custom topic."
        )
    correlation = params.get("CorrelationData")
    if correlation is not None:
        if not correlation:
            raise ServiceError("iot.messagebroker.NullCorrelationData", "CorrelationData must not be empty.")
        if len(correlation) > MAX_CORRELATION:
            raise ServiceError(
                "iot.messagebroker.CorrelationDataExceedMaxLength",
                f"CorrelationData can have at most {MAX_CORRELATION} characters.",
            )
        if decode_base64(correlation) is None:
            raise ServiceError(
                "iot.messagebroker.CorrelationDataNotBase64Encode", "CorrelationData must be Base64."
            )
    _check_properties(params.get("UserProp", []))


def _check_properties(properties: list[dict[str, str]]) -> None:
    if len(properties) > MAX_PROPERTIES:
        raise ServiceError(
            "iot.messagebroker.TooManyUserProperties",
            f"UserProp can have at most {MAX_PROPERTIES} properties.",
        )
    if not all(entry.get("Key") and entry.get("Value") for entry in properties):
        raise ServiceError(
            "iot.messagebroker.InvalidUserProperty", "Each item of UserProp needs Key and Value."
        )
    if sum(len(entry["Key"]) + len(entry["Value"]) for entry in properties) > MAX_PROPERTIES_LENGTH:
        raise ServiceError(
            "iot.messagebroker.UserPropertyListExceedMaxLength",
            f"The keys and values of UserProp can have at most {MAX_PROPERTIES_LENGTH:,} characters in total.",
        )


def check_unique_names(names: list[str]) -> None:
    """Raise an error if a device name occurs twice."""
    if len(set(names)) != len(names):
        raise invalid_parameter("A device name was sent more than once.")


def new_message_id(now: int) -> int:
    """Return a number of 19 digits that grows with the time (ms)."""
    return now << 20 | int.from_bytes(os.urandom(3)) >> 4
