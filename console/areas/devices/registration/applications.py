"""Calls of batch registration: the platform's applications (ApplyId), their status and their devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from console.connections.gateway import Gateway
from iot_client.errors import BadResponse, CloudError
from iot_client.responses import read_path


class Status(StrEnum):
    """The status of an application (Status of QueryBatchRegisterDeviceStatus)."""

    CHECK = "CHECK"
    CHECK_SUCCESS = "CHECK_SUCCESS"
    CHECK_FAILED = "CHECK_FAILED"
    CREATE = "CREATE"
    CREATE_SUCCESS = "CREATE_SUCCESS"
    CREATE_FAILED = "CREATE_FAILED"


@dataclass(frozen=True)
class NameCheck:
    """The result of submitting names: the ID of the application (None if it was rejected), and the rejected names.

    Each dictionary maps a name (or nickname) to the platform's message, "" for none.
    """

    apply_id: int | None
    invalid_names: dict[str, str] = field(default_factory=dict)
    invalid_nicknames: dict[str, str] = field(default_factory=dict)
    existing_names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Application:
    """The status of an application, and its rejected names: name → the platform's message, "" for none."""

    status: Status
    rejected: dict[str, str]


def submit_names(
    gateway: Gateway, product_key: str, devices: Sequence[tuple[str, str]], target: str
) -> NameCheck:
    """Submit (name, nickname) pairs, "" for no nickname, as one application (BatchCheckDeviceNames). Raises CloudError."""
    items = [
        {"DeviceName": name, "DeviceNickname": nickname} if nickname else {"DeviceName": name}
        for name, nickname in devices
    ]
    try:
        response = gateway.call(
            "BatchCheckDeviceNames", target=target, ProductKey=product_key, DeviceNameList=items
        )
    except CloudError as error:
        check = _parse_rejected_names(error.response)
        if check.invalid_names or check.invalid_nicknames or check.existing_names:
            return check
        raise
    check = _parse_rejected_names(response)
    apply_id = read_path(response, "Data.ApplyId")
    if not apply_id and not (check.invalid_names or check.invalid_nicknames or check.existing_names):
        raise BadResponse(
            "Client.BadResponse", "The response contains no ApplyId.", operation="BatchCheckDeviceNames"
        )
    return replace(check, apply_id=int(apply_id) if apply_id else None)


def _parse_rejected_names(response: dict[str, Any]) -> NameCheck:
    messages = _messages(read_path(response, "Data.InvalidDetailList.InvalidDetailList[]"))
    invalid_names = {
        str(name): messages.get(str(name), "")
        for name in read_path(response, "Data.InvalidDeviceNameList.InvalidDeviceName[]")
    }
    for name in read_path(response, "Data.RepeatedDeviceNameList.RepeatDevieNameList[]"):
        invalid_names.setdefault(str(name), messages.get(str(name), ""))
    nicknames = {
        str(n): "" for n in read_path(response, "Data.InvalidDeviceNicknameList.InvalidDeviceNickname[]")
    }
    return NameCheck(None, invalid_names, nicknames)


def _messages(details: list[Any]) -> dict[str, str]:
    return {
        str(detail.get("DeviceName", "")): str(detail.get("ErrorMsg") or "")
        for detail in details
        if isinstance(detail, dict)
    }


def get_application(gateway: Gateway, product_key: str, apply_id: int) -> Application:
    """Return the status of an application (QueryBatchRegisterDeviceStatus). Raises CloudError."""
    response = gateway.call("QueryBatchRegisterDeviceStatus", ProductKey=product_key, ApplyId=apply_id)
    messages = _messages(read_path(response, "Data.InvalidDetailList.invalidDetailList[]"))
    names = [str(name) for name in read_path(response, "Data.InvalidList.Name[]")]
    try:
        status = Status(read_path(response, "Data.Status"))
    except ValueError:
        message = "The response contains no valid status of an application."
        raise BadResponse("Client.BadResponse", message, operation="QueryBatchRegisterDeviceStatus") from None
    return Application(status, {name: messages.get(name, "") for name in names} or messages)


def register(gateway: Gateway, product_key: str, apply_id: int, target: str) -> None:
    """Request the registration of a checked application (BatchRegisterDeviceWithApplyId). Raises CloudError."""
    gateway.call("BatchRegisterDeviceWithApplyId", target=target, ProductKey=product_key, ApplyId=apply_id)


@dataclass(frozen=True)
class RegisteredDevice:
    """A device that an application registered. The secret is masked unless it was revealed."""

    name: str
    iot_id: str
    secret: str


def list_devices(
    gateway: Gateway, apply_id: int, page: int, reveal: bool = False
) -> tuple[list[RegisteredDevice], int]:
    """Return a page (from 1) of 50 devices of an application, and their total number (QueryPageByApplyId). Raises CloudError."""
    response = gateway.call(
        "QueryPageByApplyId",
        target=f"ApplyId {apply_id}" if reveal else "",
        reveal=reveal,
        fresh=True,
        ApplyId=apply_id,
        PageSize=50,
        CurrentPage=page,
    )
    devices = [
        RegisteredDevice(
            str(item.get("DeviceName", "")), str(item.get("IotId", "")), str(item.get("DeviceSecret") or "")
        )
        for item in read_path(response, "ApplyDeviceList.ApplyDeviceInfo[]")
    ]
    return devices, int(response.get("Total") or 0)


def set_tags(gateway: Gateway, product_key: str, name: str, tags: dict[str, str]) -> None:
    """Set tags of one device (SaveDeviceProp). Raises CloudError."""
    gateway.call("SaveDeviceProp", ProductKey=product_key, DeviceName=name, Props=tags)
