"""Checks parameters by the catalogue's rules and raises errors with the platform's codes.

A missing parameter is an error of the gateway (`Missing<Parameter>`, HTTP 400). A parameter with an invalid range, length,
pattern or value, and a choice of parameters none of which was sent, is an error of the service (HTTP 200), with a code
for the subject of the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iot_client import catalogue
from iot_client.catalogue import Operation
from iot_emulator import distribution
from iot_emulator.edge import codes as edge_codes
from iot_emulator.errors import GatewayError, ServiceError
from iot_emulator.messaging import codes as message_codes
from iot_emulator.ota import codes as ota_codes
from iot_emulator.routing import codes as routing_codes
from iot_emulator.things import codes as thing_codes

# By parameter; all others have `iot.common.InvalidFormattedParameter`.
_CODES = {
    "CurrentPage": "iot.common.InvalidPageParams",
    "PageNo": "iot.common.InvalidPageParams",
    "PageId": "iot.common.InvalidPageParams",
    "PageSize": "iot.common.InvalidPageParams",
    "ProductName": "iot.prod.InvalidFormattedProductName",
    "NodeType": "iot.prod.InvalidNodeType",
    "AliyunCommodityCode": "iot.prod.InvalidAliyunCommodityCode",
    "DataFormat": "iot.prod.ProductDataFormatIsNull",
    "DeviceName": "iot.device.InvalidFormattedDeviceName",
    "Nickname": "iot.device.InvalidDeviceNickNameExisted",
    "DeviceNicknameInfo": "iot.device.InvalidDeviceNickNameExisted",
    "Count": "iot.device.DeviceCountExceeded",
    "GroupName": "iot.group.InvalidGroupName",
    "GroupDesc": "iot.group.LongGroupDescError",
    "TagString": "iot.group.InvalidFormattedTagString",
    "SQL": "iot.devicesearch.InvalidSQLError",
}
_BY_OPERATION = {
    ("CreateProduct", "Description"): "iot.prod.LongProductDesc",
    ("UpdateProduct", "Description"): "iot.prod.LongProductDesc",
    # For too many names; the handler reports invalid ones.
    ("BatchCheckDeviceNames", "DeviceName"): "iot.device.NoneDeviceNameElement",
}
_BY_GROUP: Mapping[str, Mapping[str, str]] = {
    "ota": ota_codes.CODES,
    **thing_codes.CODES,
    **message_codes.CODES,
    **routing_codes.CODES,
    **edge_codes.CODES,
    **distribution.CODES,
}
_MISSING: Mapping[str, Mapping[str, str]] = {
    "ota": ota_codes.MISSING,
    **message_codes.MISSING,
    **routing_codes.MISSING,
}
# Parameters that their handlers check, because the handlers return more exact errors.
_CHECKED_BY_HANDLER = {
    ("BatchCheckDeviceNames", "DeviceName"),
    ("BatchCheckDeviceNames", "DeviceNameList"),
    ("SaveDeviceProp", "Props"),
    ("CreateProductTags", "ProductTag"),
    ("UpdateProductTags", "ProductTag"),
    *ota_codes.CHECKED_BY_HANDLER,
    *message_codes.CHECKED_BY_HANDLER,
    *thing_codes.CHECKED_BY_HANDLER,
    *edge_codes.CHECKED_BY_HANDLER,
}
# Groups of operations for which the catalogue expresses a required parameter as a choice with one alternative.
_SOLE_CHOICES = {"edge", "distribution"}


def check_parameters(operation: Operation, params: Mapping[str, Any]) -> None:
    """Raise GatewayError for a missing parameter and ServiceError for an invalid one."""
    problems = catalogue.validate(operation, params, ignore_unknown=True)
    if not problems:
        return
    first_error: ServiceError | None = None
    for name, messages in problems.items():
        parameter = operation.parameters[name]
        is_sent = params.get(parameter.base) not in (None, "", [])
        if not is_sent and (parameter.required or _is_sole_choice(operation, name)):
            raise missing_parameter(parameter.base)
        if first_error is None and not (is_sent and (operation.name, parameter.base) in _CHECKED_BY_HANDLER):
            first_error = _invalid_value(operation, name, parameter.base, is_sent, messages[0], params)
    if first_error is not None:
        raise first_error


def _is_sole_choice(operation: Operation, name: str) -> bool:
    return operation.group in _SOLE_CHOICES and any(
        len(choice) == 1 and name in choice[0] for choice in operation.one_of
    )


def _invalid_value(
    operation: Operation, name: str, base: str, is_sent: bool, message: str, params: Mapping[str, Any]
) -> ServiceError:
    if not is_sent and base in ("IotId", "GwIotId"):
        # The alternative is a product key with a device name; the code names the missing one of the two.
        prefix = base.removesuffix("IotId")
        if params.get(f"{prefix}ProductKey"):
            return ServiceError("iot.device.NullDeviceName", f"{prefix}DeviceName is required.")
        return ServiceError(
            "iot.prod.NullProductKey", f"{base} is required, or {prefix}ProductKey and {prefix}DeviceName."
        )
    group = _BY_GROUP.get(operation.group, {})
    code = (
        _BY_OPERATION.get((operation.name, base))
        or (None if is_sent else _MISSING.get(operation.group, {}).get(base))
        or group.get(name)
        or group.get(base)
        or _CODES.get(base, "iot.common.InvalidFormattedParameter")
    )
    # Every member of a structure has the limit of the list; a caller may not have sent the first one.
    return ServiceError(code, f"{base if _has_too_many(operation, name, params) else name}: {message}")


def _has_too_many(operation: Operation, name: str, params: Mapping[str, Any]) -> bool:
    parameter = operation.parameters[name]
    entries = params.get(parameter.base)
    return (
        parameter.max_items is not None and isinstance(entries, list) and len(entries) > parameter.max_items
    )


def missing_parameter(name: str) -> GatewayError:
    """Return the gateway's error for a request without a required parameter."""
    return GatewayError(f"Missing{name}", f"The parameter {name} is required.", 400)
