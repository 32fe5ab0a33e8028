"""What a call names: products, devices, groups, packages…, read off its parameters.

Data first: which parameter names what. A parameter that is in neither table, and an operation that fits nowhere, is refused
to everybody whose access is limited to some products or groups.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from console.cloud.catalogue import Operation


class Sort(StrEnum):
    """What a parameter can name."""

    PRODUCT = "product"
    DEVICE = "device"
    IOT_ID = "iot_id"
    GROUP = "group"
    PACKAGE = "package"
    BATCH = "batch"
    TASK = "task"
    FORM = "form"  # an application form of registration (ApplyId)
    CATEGORY = "category"  # of topics
    TOPIC = "topic"
    DEVICES = "devices"  # as JSON
    SQL = "sql"
    UNREADABLE = "unreadable"  # something that is within nobody's reach


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that a call names; `product` is the ProductKey beside a device's name."""

    sort: Sort
    value: str
    product: str = ""


NAMING: Mapping[str, Sort] = {
    "ProductKey": Sort.PRODUCT,
    "SourceProductKey": Sort.PRODUCT,
    "TargetProductKey": Sort.PRODUCT,
    "GwProductKey": Sort.PRODUCT,
    "Device.N.ProductKey": Sort.PRODUCT,
    "DeviceNicknameInfo.N.ProductKey": Sort.PRODUCT,
    "TopoAddItem.N.ProductKey": Sort.PRODUCT,
    "DeviceName": Sort.DEVICE,
    "DeviceName.N": Sort.DEVICE,
    "GwDeviceName": Sort.DEVICE,
    "Device.N.DeviceName": Sort.DEVICE,
    "DeviceNicknameInfo.N.DeviceName": Sort.DEVICE,
    "TopoAddItem.N.DeviceName": Sort.DEVICE,
    "IotId": Sort.IOT_ID,
    "IotId.N": Sort.IOT_ID,
    "GwIotId": Sort.IOT_ID,
    "DeviceNicknameInfo.N.IotId": Sort.IOT_ID,
    "GroupId": Sort.GROUP,
    "SuperGroupId": Sort.GROUP,
    "FirmwareId": Sort.PACKAGE,
    "JobId": Sort.BATCH,
    "TaskId.N": Sort.TASK,
    "ApplyId": Sort.FORM,
    "TopicId": Sort.CATEGORY,
    "TopicFullName": Sort.TOPIC,
    "Topic": Sort.TOPIC,
    "Topic.N": Sort.TOPIC,
    "SrcTopic": Sort.TOPIC,
    "DstTopic.N": Sort.TOPIC,
    "ResponseTopic": Sort.TOPIC,
    "DeviceListStr": Sort.DEVICES,
    "SQL": Sort.SQL,
}
"""Parameters that name something in the fleet. A device's name belongs to the ProductKey beside it."""

NOT_NAMING = frozenset(
    {
        ("RegisterDevice", "DeviceName"),  # the device is yet to be made
        ("BatchCheckDeviceNames", "DeviceName.N"),
        ("RRpc", "Topic"),  # of the device that is named beside it
        (
            "BatchRegisterDeviceWithApplyId",
            "ApplyId",
        ),  # the platform knows the form under the product beside it
        ("QueryBatchRegisterDeviceStatus", "ApplyId"),
    }
)
"""Operations in which such a parameter names nothing by itself."""

PLAIN = frozenset(
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
"""Parameters that name nothing, or only something of what is named beside them (TargetDeviceName: devices of ProductKey)."""

BEYOND_GROUPS = frozenset({"data-forwarding", "server-side-subscription", "edge", "distribution"})
"""Groups of the catalogue that are the whole account's: rules, consumers, edge instances, handing things to other accounts."""
BEYOND = frozenset({"CreateProduct", "ListProductByTags", "QueryDeviceByTags", "QueryDeviceGroupByTags"})
"""Operations on the whole account besides."""
HARMLESS = frozenset(
    {"ListThingTemplates", "GetThingTemplate", "GenerateOTAUploadURL", "GenerateDeviceNameListURL"}
)
"""Operations that name nothing and tell nothing of the fleet; what is uploaded counts only where it is used."""

COMPOSED = frozenset({"QueryProductList", "QueryDeviceGroupList", "ListOTAFirmware", "QueryDeviceStatistics"})
"""Operations on the whole account that are answered from what is within reach (lists.py) when they name nothing."""

_OF_A_PRODUCT = frozenset({Sort.PACKAGE, Sort.BATCH, Sort.TASK, Sort.FORM, Sort.CATEGORY})
_OF_A_DEVICE = frozenset({Sort.DEVICE, Sort.IOT_ID, Sort.TOPIC})
_DEVICE_TOPIC = re.compile(r"/(?:sys/)?([A-Za-z0-9]+)/([\w.:@-]+)/.+")
_BROADCAST = re.compile(r"/broadcast/([A-Za-z0-9]+)/.+")


def sorts(described: Operation) -> Mapping[str, Sort]:
    """The operation's naming parameters, by the catalogue's name, and what each names."""
    return {
        name: NAMING[name]
        for name in described.parameters
        if name in NAMING and (described.name, name) not in NOT_NAMING
    }


def classified(described: Operation) -> bool:
    """Whether all that the operation takes is known here. What is not known may name anything."""
    return described.parameters.keys() <= NAMING.keys() | PLAIN


def needs(described: Operation) -> frozenset[Sort]:
    """What must be within reach at all for the operation to be of use: products, groups, or nothing in particular."""
    naming = sorts(described)
    found = set()
    if _OF_A_PRODUCT & set(naming.values()) or (
        Sort.PRODUCT in naming.values() and not (_OF_A_DEVICE | {Sort.GROUP}) & set(naming.values())
    ):
        found.add(Sort.PRODUCT)
    groups = [name for name, sort in naming.items() if sort is Sort.GROUP]
    if any(described.parameters[name].required for name in groups) or (
        groups and set(naming.values()) == {Sort.GROUP}
    ):
        found.add(Sort.GROUP)
    return frozenset(found)


def named(described: Operation, params: Mapping[str, Any]) -> list[Named]:
    """Everything that the call names. A list entry that should name something and does not is UNREADABLE."""
    plain: dict[str, Sort] = {}
    structs: dict[str, dict[str, Sort]] = {}
    for name, sort in sorts(described).items():
        parameter = described.parameters[name]
        (structs.setdefault(parameter.base, {}) if parameter.member else plain)[
            parameter.member or parameter.base
        ] = sort
    found = list(_in(params, plain))
    for base, members in structs.items():
        for item in _many(params.get(base)):
            inside = list(_in(item, members)) if isinstance(item, Mapping) else []
            found += inside or [Named(Sort.UNREADABLE, base)]
    if described.name == "Pub":  # the topic tells the device; ProductKey only repeats its product
        devices = {thing.product for thing in found if thing.sort is Sort.DEVICE}
        found = [thing for thing in found if thing.sort is not Sort.PRODUCT or thing.value not in devices]
    return found


def _in(given: Mapping[str, Any], naming: Mapping[str, Sort]) -> Iterator[Named]:
    told = set()  # ProductKeys that stand beside a device's name
    for name, sort in naming.items():
        if sort is Sort.DEVICE:
            key = f"{name.removesuffix('DeviceName')}ProductKey"
            for value in _many(given.get(name)):
                told.add(key)
                yield Named(Sort.DEVICE, str(value), str(given.get(key) or ""))
    for name, sort in naming.items():
        if sort is Sort.DEVICE or name in told:
            continue
        for value in _many(given.get(name)):
            if sort is Sort.TOPIC:
                yield topic(str(value))
            elif sort is Sort.DEVICES:
                yield from _listed(value)
            else:
                yield Named(sort, str(value))


IN_ADDRESSES = {
    "product_key": Sort.PRODUCT,
    "key": Sort.PRODUCT,
    "group_id": Sort.GROUP,
    "package_id": Sort.PACKAGE,
    "job_id": Sort.BATCH,
}
"""What parts of an address under a connection name. `name` beside a product is a device in the room of devices."""


def in_address(app: str, parts: Mapping[str, Any]) -> list[Named]:
    """What an address names; `app` is the room, `parts` what the URLconf takes out of it."""
    if app == "devices" and "product_key" in parts and "name" in parts:
        return [Named(Sort.DEVICE, str(parts["name"]), str(parts["product_key"]))]
    return [Named(sort, str(parts[part])) for part, sort in IN_ADDRESSES.items() if part in parts]


def topic(text: str) -> Named:
    """The device, or for a broadcast the product, that a topic written out in full belongs to."""
    if match := _BROADCAST.fullmatch(text):
        return Named(Sort.PRODUCT, match[1])
    if match := _DEVICE_TOPIC.fullmatch(text):
        return Named(Sort.DEVICE, match[2], match[1])
    return Named(Sort.UNREADABLE, text)


def _listed(text: Any) -> Iterator[Named]:
    """DeviceListStr of NotifyAddThingTopo: objects with productKey and deviceName, or IotId, however spelt."""
    try:
        items = json.loads(text, object_pairs_hook=_told) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        yield Named(Sort.UNREADABLE, "DeviceListStr")
        return
    for item in items:
        told = item if isinstance(item, Mapping) else {}
        inside = []
        if told.get("devicename"):
            inside.append(Named(Sort.DEVICE, told["devicename"], told.get("productkey", "")))
        if told.get("iotid"):
            inside.append(Named(Sort.IOT_ID, told["iotid"]))
        yield from inside or [Named(Sort.UNREADABLE, "DeviceListStr")]


def _told(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    """An object of a JSON text by lower-case names. Raises ValueError where a name stands twice, however spelt: nobody knows
    which of them the platform takes."""
    told = {name.lower(): str(value) for name, value in pairs}
    if len(told) < len(pairs):
        raise ValueError("a name stands twice")
    return told


def _many(value: Any) -> list[Any]:
    """A value as a list, without what is empty."""
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if one not in (None, "")]
