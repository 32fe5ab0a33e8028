"""Refusing bad parameters, with the codes the platform uses for them.

What is missing is refused by the gateway (`Missing<Parameter>`, 400), before the service sees it. What has a wrong
range, length, pattern or value, and a choice of parameters of which none was made, is refused by the service (200),
with the code of the thing it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.cloud import catalogue
from console.cloud.catalogue import Operation
from console.emulator import distribution
from console.emulator.edge import codes as edge_codes
from console.emulator.errors import GatewayError, ServiceError
from console.emulator.messaging import codes as message_codes
from console.emulator.ota import codes as ota_codes
from console.emulator.routing import codes as routing_codes
from console.emulator.things import codes as thing_codes

# By parameter; anything else is `iot.common.InvalidFormattedParameter`.
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
    # Bad ones are told by the handler.
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
# Parameters whose handlers tell more exactly what is bad, and which of the items are.
_OWN = {
    ("BatchCheckDeviceNames", "DeviceName"),
    ("BatchCheckDeviceNames", "DeviceNameList"),
    ("SaveDeviceProp", "Props"),
    ("CreateProductTags", "ProductTag"),
    ("UpdateProductTags", "ProductTag"),
    *ota_codes.OWN,
    *message_codes.OWN,
    *thing_codes.OWN,
    *edge_codes.OWN,
}
# Groups of which the catalogue can say only by a choice without alternative that a parameter has to be there.
_SOLE_CHOICES = {"edge", "distribution"}


def check(operation: Operation, params: Mapping[str, Any]) -> None:
    """Raise GatewayError for a missing parameter, ServiceError for a bad one; return if all is well."""
    problems = catalogue.validate(operation, params, ignore_unknown=True)
    if not problems:
        return
    bad: ServiceError | None = None
    for name, messages in problems.items():
        parameter = operation.parameters[name]
        given = params.get(parameter.base) not in (None, "", [])
        if not given and (parameter.required or _sole(operation, name)):
            raise missing(parameter.base)
        if bad is None and not (given and (operation.name, parameter.base) in _OWN):
            bad = _refusal(operation, name, parameter.base, given, messages[0], params)
    if bad is not None:
        raise bad


def _sole(operation: Operation, name: str) -> bool:
    return operation.group in _SOLE_CHOICES and any(
        len(choice) == 1 and name in choice[0] for choice in operation.one_of
    )


def _refusal(
    operation: Operation, name: str, base: str, given: bool, message: str, params: Mapping[str, Any]
) -> ServiceError:
    if not given and base in ("IotId", "GwIotId"):
        # The other choice is a product key with a device name; say which of the two is not there.
        prefix = base.removesuffix("IotId")
        if params.get(f"{prefix}ProductKey"):
            return ServiceError("iot.device.NullDeviceName", f"{prefix}DeviceName is required.")
        return ServiceError(
            "iot.prod.NullProductKey", f"{base}, or {prefix}ProductKey and {prefix}DeviceName, is required."
        )
    group = _BY_GROUP.get(operation.group, {})
    code = (
        _BY_OPERATION.get((operation.name, base))
        or (None if given else _MISSING.get(operation.group, {}).get(base))
        or group.get(name)
        or group.get(base)
        or _CODES.get(base, "iot.common.InvalidFormattedParameter")
    )
    return ServiceError(code, f"{name} {message}")


def missing(name: str) -> GatewayError:
    """The gateway's refusal of a request without a required parameter."""
    return GatewayError(f"Missing{name}", f"{name} is mandatory for this action.", 400)
