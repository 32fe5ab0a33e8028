"""Registering many devices at once: the platform's application forms (ApplyId) and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from console.cloud.answers import dig
from console.cloud.errors import BadAnswer, CloudError, NotFound
from console.connections.gateway import Gateway

MOST_DETAILS = 100  # DeviceNames in one BatchQueryDeviceDetail


class Status(StrEnum):
    """Where an application form is (Status of QueryBatchRegisterDeviceStatus)."""

    CHECK = "CHECK"
    CHECK_SUCCESS = "CHECK_SUCCESS"
    CHECK_FAILED = "CHECK_FAILED"
    CREATE = "CREATE"
    CREATE_SUCCESS = "CREATE_SUCCESS"
    CREATE_FAILED = "CREATE_FAILED"


@dataclass(frozen=True)
class Checked:
    """The answer to a list of names: the form's id (None when it was refused), and name → the platform's words ("" for
    none) of the names that are not valid (`wrong`) and of those that some device has (`taken`); wrong nicknames alike."""

    apply_id: int | None
    wrong: dict[str, str] = field(default_factory=dict)
    wrong_nicknames: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """How far a form is, and what it refused: name → the platform's words, "" when it gave none."""

    status: Status
    refused: dict[str, str]


def check_names(
    gateway: Gateway, product_key: str, devices: Sequence[tuple[str, str]], target: str
) -> Checked:
    """Hand in names (with their nicknames, "" for none) as one form. BatchCheckDeviceNames. Raises CloudError."""
    items = [
        {"DeviceName": name, "DeviceNickname": nickname} if nickname else {"DeviceName": name}
        for name, nickname in devices
    ]
    try:
        answer = gateway.call(
            "BatchCheckDeviceNames", target=target, ProductKey=product_key, DeviceNameList=items
        )
    except CloudError as error:
        refused = _refused_names(error.answer)
        if refused.wrong or refused.wrong_nicknames or refused.taken:
            return refused
        raise
    refused = _refused_names(answer)
    apply_id = dig(answer, "Data.ApplyId")
    if not apply_id and not (refused.wrong or refused.wrong_nicknames or refused.taken):
        raise BadAnswer(
            "Client.BadAnswer", "There is no ApplyId in the answer.", operation="BatchCheckDeviceNames"
        )
    return replace(refused, apply_id=int(apply_id) if apply_id else None)


def _refused_names(answer: dict[str, Any]) -> Checked:
    words = _words(dig(answer, "Data.InvalidDetailList.InvalidDetailList[]"))
    wrong = {
        str(name): words.get(str(name), "")
        for name in dig(answer, "Data.InvalidDeviceNameList.InvalidDeviceName[]")
    }
    for name in dig(answer, "Data.RepeatedDeviceNameList.RepeatDevieNameList[]"):
        wrong.setdefault(str(name), words.get(str(name), ""))
    nicknames = {str(n): "" for n in dig(answer, "Data.InvalidDeviceNicknameList.InvalidDeviceNickname[]")}
    return Checked(None, wrong, nicknames)


def _words(details: list[Any]) -> dict[str, str]:
    return {
        str(detail.get("DeviceName", "")): str(detail.get("ErrorMsg") or "")
        for detail in details
        if isinstance(detail, dict)
    }


def ask(gateway: Gateway, product_key: str, apply_id: int) -> Form:
    """How far a form is. QueryBatchRegisterDeviceStatus. Raises CloudError."""
    answer = gateway.call("QueryBatchRegisterDeviceStatus", ProductKey=product_key, ApplyId=apply_id)
    words = _words(dig(answer, "Data.InvalidDetailList.invalidDetailList[]"))
    names = [str(name) for name in dig(answer, "Data.InvalidList.Name[]")]
    try:
        status = Status(dig(answer, "Data.Status"))
    except ValueError:
        message = "The answer names no state of an application form."
        raise BadAnswer("Client.BadAnswer", message, operation="QueryBatchRegisterDeviceStatus") from None
    return Form(status, {name: words.get(name, "") for name in names} or words)


def register(gateway: Gateway, product_key: str, apply_id: int, target: str) -> None:
    """Have the devices of a checked form made. BatchRegisterDeviceWithApplyId. Raises CloudError."""
    gateway.call("BatchRegisterDeviceWithApplyId", target=target, ProductKey=product_key, ApplyId=apply_id)


@dataclass(frozen=True)
class Made:
    """A device that a form made; the secret is masked unless it was asked for."""

    name: str
    iot_id: str
    secret: str


def made(gateway: Gateway, apply_id: int, page: int, reveal: bool = False) -> tuple[list[Made], int]:
    """A page (from 1) of 50 devices that a form made, and how many it made. QueryPageByApplyId. Raises CloudError."""
    answer = gateway.call(
        "QueryPageByApplyId",
        target=f"ApplyId {apply_id}" if reveal else "",
        reveal=reveal,
        fresh=True,
        ApplyId=apply_id,
        PageSize=50,
        CurrentPage=page,
    )
    devices = [
        Made(str(item.get("DeviceName", "")), str(item.get("IotId", "")), str(item.get("DeviceSecret") or ""))
        for item in dig(answer, "ApplyDeviceList.ApplyDeviceInfo[]")
    ]
    return devices, int(answer.get("Total") or 0)


def existing(gateway: Gateway, product_key: str, names: Sequence[str]) -> set[str]:
    """Which of at most 100 names the product has. BatchQueryDeviceDetail. Raises CloudError."""
    try:
        answer = gateway.call(
            "BatchQueryDeviceDetail", fresh=True, ProductKey=product_key, DeviceName=list(names)
        )
    except NotFound as error:
        if error.code.startswith("iot.prod."):  # it is the product that is gone
            raise
        return set()
    return {str(item.get("DeviceName")) for item in dig(answer, "Data.Data[]")}


def set_tags(gateway: Gateway, product_key: str, name: str, tags: dict[str, str]) -> None:
    """Set tags of one device. SaveDeviceProp. Raises CloudError."""
    gateway.call("SaveDeviceProp", ProductKey=product_key, DeviceName=name, Props=tags)
