"""Finds the objects that a call names in its parameters: products, devices, groups, packages and others.

The tables say which parameter names which kind of object. A parameter that is in neither table, and an operation that is in
no table, is refused for every member whose access scope is limited to some products or groups.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from console.cloud.catalogue import Operation


class ObjectKind(StrEnum):
    """The kinds of objects that a parameter can name."""

    PRODUCT = "product"
    DEVICE = "device"
    IOT_ID = "iot_id"
    GROUP = "group"
    PACKAGE = "package"
    BATCH = "batch"
    TASK = "task"
    APPLICATION = "application"  # a batch registration request (ApplyId)
    TOPIC_CATEGORY = "topic_category"
    TOPIC = "topic"
    DEVICES = "devices"  # a JSON list of devices
    SQL = "sql"
    UNREADABLE = "unreadable"  # cannot be parsed, so it is in no access scope


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that a call names. `product`: the ProductKey that belongs to a DeviceName."""

    kind: ObjectKind
    value: str
    product: str = ""


NAMING_PARAMETERS: Mapping[str, ObjectKind] = {
    "ProductKey": ObjectKind.PRODUCT,
    "SourceProductKey": ObjectKind.PRODUCT,
    "TargetProductKey": ObjectKind.PRODUCT,
    "GwProductKey": ObjectKind.PRODUCT,
    "Device.N.ProductKey": ObjectKind.PRODUCT,
    "DeviceNicknameInfo.N.ProductKey": ObjectKind.PRODUCT,
    "TopoAddItem.N.ProductKey": ObjectKind.PRODUCT,
    "DeviceName": ObjectKind.DEVICE,
    "DeviceName.N": ObjectKind.DEVICE,
    "GwDeviceName": ObjectKind.DEVICE,
    "Device.N.DeviceName": ObjectKind.DEVICE,
    "DeviceNicknameInfo.N.DeviceName": ObjectKind.DEVICE,
    "TopoAddItem.N.DeviceName": ObjectKind.DEVICE,
    "IotId": ObjectKind.IOT_ID,
    "IotId.N": ObjectKind.IOT_ID,
    "GwIotId": ObjectKind.IOT_ID,
    "DeviceNicknameInfo.N.IotId": ObjectKind.IOT_ID,
    "GroupId": ObjectKind.GROUP,
    "SuperGroupId": ObjectKind.GROUP,
    "FirmwareId": ObjectKind.PACKAGE,
    "JobId": ObjectKind.BATCH,
    "TaskId.N": ObjectKind.TASK,
    "ApplyId": ObjectKind.APPLICATION,
    "TopicId": ObjectKind.TOPIC_CATEGORY,
    "TopicFullName": ObjectKind.TOPIC,
    "Topic": ObjectKind.TOPIC,
    "Topic.N": ObjectKind.TOPIC,
    "SrcTopic": ObjectKind.TOPIC,
    "DstTopic.N": ObjectKind.TOPIC,
    "ResponseTopic": ObjectKind.TOPIC,
    "DeviceListStr": ObjectKind.DEVICES,
    "SQL": ObjectKind.SQL,
}
"""Parameters that name an object. A DeviceName belongs to the ProductKey beside it."""

NAMING_EXCEPTIONS = frozenset(
    {
        ("RegisterDevice", "DeviceName"),  # the device does not exist yet
        ("BatchCheckDeviceNames", "DeviceName.N"),
        ("RRpc", "Topic"),  # belongs to the device that the call names
        (
            "BatchRegisterDeviceWithApplyId",
            "ApplyId",
        ),  # the platform checks the application against the ProductKey
        ("QueryBatchRegisterDeviceStatus", "ApplyId"),
    }
)
"""Operation and parameter pairs in which such a parameter names no object by itself."""

PLAIN_PARAMETERS = frozenset(
    """
    AliasName AliyunCommodityCode AppKey Args Asc AuthType CancelInProgressTask CancelNotifiedTask CancelQueuedTask
    CancelScheduledTask CancelUnconfirmedTask CategoryKey ClientId Codec ContentType CorrelationData Count CurrentPage
    DataFormat DeltaUpdate Desc Description DestVersion DevEui DeviceNameList.N.DeviceName DeviceNameList.N.DeviceNickname
    DeviceNames.N DeviceNicknameInfo.N.Nickname DnListFileUrl DownloadProtocol DynamicMode EnableProxySubscribe EndTime
    EventIdentifier.N EventType FileId FileSuffix FirmwareDesc FirmwareName FirmwareSign FirmwareSize FirmwareUrl
    FunctionBlockId FunctionBlockName GrayPercent GroupDesc GroupName GroupType GroupTypes.N Id2 Identifier Identifier.N
    IotInstanceId Items JoinEui JoinPermissionId LoraNodeType MaximumPerMinute MessageContent MessageExpiryInterval
    ModelVersion ModuleName MultiFiles.N.FileMd5 MultiFiles.N.Name MultiFiles.N.SignValue MultiFiles.N.Size
    MultiFiles.N.Url MultiModuleMode NeedConfirm NeedPush NeedToVerify NetType NextPageToken NextToken Nickname NodeType
    Operation OverwriteMode PageNo PageSize PayloadFormatIndicator PinCode ProductName ProductTag.N.TagKey
    ProductTag.N.TagValue ProductTagKey.N PropKey PropertyIdentifier.N PropertyTimestampFilter PropertyValueFilter Props
    ProtocolType PublishAuto Qos RegionId RequestBase64Byte ResourceGroupId ResponseTopicTemplateName Retained RetryCount
    RetryInterval ScheduleFinishTime ScheduleTime ScriptContent ScriptType ServiceIdentifier.N ShadowMessage SignMethod
    Simple SourceModelVersion SrcVersion SrcVersion.N StartTime Status Tag.N.Key Tag.N.TagKey Tag.N.TagValue Tag.N.Value
    TagString TargetDeviceName.N TargetSelection TaskStatus TaskStatusList.N ThingModelJson Timeout TimeoutInMinutes
    TopicAlias TopicShortName TopicTemplateName TopoAddItem.N.ClientId TopoAddItem.N.Sign TopoAddItem.N.SignMethod
    TopoAddItem.N.Timestamp TslStr TslUrl Type Udi UserProp.N.Key UserProp.N.Value ValidateType Versions
    """.split()  # noqa: SIM905  (a list of 150 lines would be no clearer)
)
"""Parameters that name no object, or only a part of an object that another parameter names (TargetDeviceName: devices of
ProductKey)."""

ACCOUNT_WIDE_GROUPS = frozenset({"data-forwarding", "server-side-subscription", "edge", "distribution"})
"""Catalogue groups that concern the whole account: rules, consumers, edge instances, distribution to other accounts."""
ACCOUNT_WIDE_OPERATIONS = frozenset(
    {"CreateProduct", "ListProductByTags", "QueryDeviceByTags", "QueryDeviceGroupByTags"}
)
"""Other operations that concern the whole account."""
HARMLESS_OPERATIONS = frozenset(
    {"ListThingTemplates", "GetThingTemplate", "GenerateOTAUploadURL", "GenerateDeviceNameListURL"}
)
"""Operations that name no object and return nothing about the fleet. An upload is checked where it is used."""

COMPOSED_OPERATIONS = frozenset(
    {"QueryProductList", "QueryDeviceGroupList", "ListOTAFirmware", "QueryDeviceStatistics"}
)
"""Account-wide operations whose responses are composed from the access scope (lists.py) if the call names no object."""

_OF_A_PRODUCT = frozenset(
    {ObjectKind.PACKAGE, ObjectKind.BATCH, ObjectKind.TASK, ObjectKind.APPLICATION, ObjectKind.TOPIC_CATEGORY}
)
_OF_A_DEVICE = frozenset({ObjectKind.DEVICE, ObjectKind.IOT_ID, ObjectKind.TOPIC})
_DEVICE_TOPIC = re.compile(r"/(?:sys/)?([A-Za-z0-9]+)/([\w.:@-]+)/.+")
_BROADCAST = re.compile(r"/broadcast/([A-Za-z0-9]+)/.+")


def naming_parameters(definition: Operation) -> Mapping[str, ObjectKind]:
    """The parameters of the operation that name objects, and the kind of object that each names."""
    return {
        name: NAMING_PARAMETERS[name]
        for name in definition.parameters
        if name in NAMING_PARAMETERS and (definition.name, name) not in NAMING_EXCEPTIONS
    }


def is_classified(definition: Operation) -> bool:
    """Whether the tables contain all parameters of the operation. An unknown parameter could name any object."""
    return definition.parameters.keys() <= NAMING_PARAMETERS.keys() | PLAIN_PARAMETERS


def required_kinds(definition: Operation) -> frozenset[ObjectKind]:
    """The kinds that an access scope must list for the operation to be usable: products, groups, both or neither."""
    naming = naming_parameters(definition)
    required = set()
    if _OF_A_PRODUCT & set(naming.values()) or (
        ObjectKind.PRODUCT in naming.values()
        and not (_OF_A_DEVICE | {ObjectKind.GROUP}) & set(naming.values())
    ):
        required.add(ObjectKind.PRODUCT)
    groups = [name for name, kind in naming.items() if kind is ObjectKind.GROUP]
    if any(definition.parameters[name].required for name in groups) or (
        groups and set(naming.values()) == {ObjectKind.GROUP}
    ):
        required.add(ObjectKind.GROUP)
    return frozenset(required)


def find_objects(definition: Operation, params: Mapping[str, Any]) -> list[NamedObject]:
    """All objects that the call names. A list entry that should name an object and does not is UNREADABLE."""
    plain: dict[str, ObjectKind] = {}
    structs: dict[str, dict[str, ObjectKind]] = {}
    for name, kind in naming_parameters(definition).items():
        parameter = definition.parameters[name]
        target = structs.setdefault(parameter.base, {}) if parameter.member else plain
        target[parameter.member or parameter.base] = kind
    found = list(_find_in(params, plain))
    for base, members in structs.items():
        for item in _as_list(params.get(base)):
            inside = list(_find_in(item, members)) if isinstance(item, Mapping) else []
            found += inside or [NamedObject(ObjectKind.UNREADABLE, base)]
    if definition.name == "Pub":  # the topic contains the device; ProductKey only repeats its product
        devices = {named.product for named in found if named.kind is ObjectKind.DEVICE}
        found = [
            named for named in found if named.kind is not ObjectKind.PRODUCT or named.value not in devices
        ]
    return found


def _find_in(given: Mapping[str, Any], naming: Mapping[str, ObjectKind]) -> Iterator[NamedObject]:
    device_keys = set()  # ProductKey parameters that belong to a DeviceName
    for name, kind in naming.items():
        if kind is ObjectKind.DEVICE:
            key = f"{name.removesuffix('DeviceName')}ProductKey"
            for value in _as_list(given.get(name)):
                device_keys.add(key)
                yield NamedObject(ObjectKind.DEVICE, str(value), str(given.get(key) or ""))
    for name, kind in naming.items():
        if kind is ObjectKind.DEVICE or name in device_keys:
            continue
        for value in _as_list(given.get(name)):
            if kind is ObjectKind.TOPIC:
                yield parse_topic(str(value))
            elif kind is ObjectKind.DEVICES:
                yield from _read_device_list(value)
            else:
                yield NamedObject(kind, str(value))


KIND_BY_URL_PART = {
    "product_key": ObjectKind.PRODUCT,
    "key": ObjectKind.PRODUCT,
    "group_id": ObjectKind.GROUP,
    "package_id": ObjectKind.PACKAGE,
    "batch_id": ObjectKind.BATCH,
}
"""The kinds of objects that URL parameters under a connection name. In the app `devices`, `name` with a product is a device."""


def find_objects_in_url(app: str, parts: Mapping[str, Any]) -> list[NamedObject]:
    """The objects that a URL names. `app`: the URL's app name; `parts`: its parameters."""
    if app == "devices" and "product_key" in parts and "name" in parts:
        return [NamedObject(ObjectKind.DEVICE, str(parts["name"]), str(parts["product_key"]))]
    return [NamedObject(kind, str(parts[part])) for part, kind in KIND_BY_URL_PART.items() if part in parts]


def parse_topic(text: str) -> NamedObject:
    """The device, or for a broadcast topic the product, that a full topic belongs to."""
    if match := _BROADCAST.fullmatch(text):
        return NamedObject(ObjectKind.PRODUCT, match[1])
    if match := _DEVICE_TOPIC.fullmatch(text):
        return NamedObject(ObjectKind.DEVICE, match[2], match[1])
    return NamedObject(ObjectKind.UNREADABLE, text)


def _read_device_list(text: Any) -> Iterator[NamedObject]:
    """The devices of DeviceListStr (NotifyAddThingTopo): objects with productKey and deviceName, or iotId, in any letter case."""
    try:
        items = json.loads(text, object_pairs_hook=_read_json_object) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        yield NamedObject(ObjectKind.UNREADABLE, "DeviceListStr")
        return
    for item in items:
        fields = item if isinstance(item, Mapping) else {}
        inside = []
        if fields.get("devicename"):
            inside.append(NamedObject(ObjectKind.DEVICE, fields["devicename"], fields.get("productkey", "")))
        if fields.get("iotid"):
            inside.append(NamedObject(ObjectKind.IOT_ID, fields["iotid"]))
        yield from inside or [NamedObject(ObjectKind.UNREADABLE, "DeviceListStr")]


def _read_json_object(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    """A JSON object with lowercase names. Raises ValueError for a duplicate name in any letter case: it is unknown which one
    the platform uses."""
    fields = {name.lower(): str(value) for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("duplicate name")
    return fields


def _as_list(value: Any) -> list[Any]:
    """A value as a list, without empty entries."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if one not in (None, "")]
