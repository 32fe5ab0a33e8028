"""What of an act's parameters a record keeps: masked unless listed as safe, cut where long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIST_SHOWN = 20
_TEXT_SHOWN = 400
MASK = "••••••"

# Parameters whose values are shown in a record. Everything else is masked: a new parameter is a secret until listed.
SAFE_PARAMETERS = frozenset(
    [
        "ProductKey",
        "ProductName",
        "NodeType",
        "DataFormat",
        "AliyunCommodityCode",
        "ProtocolType",
        "NetType",
        "AuthType",
        "CategoryKey",
        "ValidateType",
        "PublishAuto",
        "Description",
        "Id2",
        "ResourceGroupId",
        "ProductTag",
        "TagKey",
        "TagValue",
        "ProductTagKey",
        "PropertyTimestampFilter",
        "PropertyValueFilter",
        "DeviceName",
        "DeviceNameList",
        "DeviceNickname",
        "Nickname",
        "DeviceNicknameInfo",
        "IotId",
        "ApplyId",
        "Count",
        "Props",
        "PropKey",
        "GroupId",
        "GroupName",
        "GroupDesc",
        "SuperGroupId",
        "GroupType",
        "Device",
        "TagString",
        "FirmwareId",
        "FirmwareName",
        "FirmwareDesc",
        "FirmwareSize",
        "FirmwareSign",
        "SignMethod",
        "DestVersion",
        "SrcVersion",
        "NeedToVerify",
        "ModuleName",
        "AliasName",
        "Desc",
        "Type",
        "JobId",
        "TaskId",
        "TargetSelection",
        "TargetDeviceName",
        "GrayPercent",
        "ScheduleTime",
        "ScheduleFinishTime",
        "RetryInterval",
        "RetryCount",
        "TimeoutInMinutes",
        "MaximumPerMinute",
        "NeedPush",
        "NeedConfirm",
        "OverwriteMode",
        "Tag",
        "Key",
        "Value",
        "DynamicMode",
        "DownloadProtocol",
        "CancelScheduledTask",
        "CancelQueuedTask",
        "CancelInProgressTask",
        "CancelNotifiedTask",
        "CancelUnconfirmedTask",
        "MultiModuleMode",
        "IotInstanceId",
        "CurrentPage",
        "PageSize",
        "FileSuffix",
        "role",
        "connections",
        "products",
        "groups",
        "levels",
        "description",
        "second_factor_required",
        "audit_keep_days",
        "approve_product_deletion",
        "approve_batch_over",
        "approve_deletion_over",
        "approval_hours",
        "from",
        "to",
        "name",
        "slug",
        "region",
        "instance_id",
        "endpoint",
        "access_key_id",
        "changed",
        "rule",
        "approval",
        "approved_by",
        "requested_by",
        "devices",
        "digest",
        "reason",
        "file",
        "filters",
        "days",
        "since",
        "until",
    ]
)


def storable(text: str, most: int) -> str:
    """At most `most` characters of a text, as every database takes it: PostgreSQL refuses NUL, UTF-8 half a surrogate."""
    return text[:most].replace("\x00", "\ufffd").encode(errors="replace").decode()


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as a record keeps them: masked unless listed as safe, long lists and texts cut with their size said."""
    return {storable(name, _TEXT_SHOWN): _shown_value(name, value) for name, value in parameters.items()}


def _shown_value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return shown(value)
    if name not in SAFE_PARAMETERS:
        return MASK
    if isinstance(value, list | tuple):
        cut = [_shown_value(name, item) for item in value[:_LIST_SHOWN]]
        return [*cut, f"… {len(value):,} in all"] if len(value) > _LIST_SHOWN else cut
    if isinstance(value, str):
        kept = storable(value, _TEXT_SHOWN)
        return kept if len(value) <= _TEXT_SHOWN else f"{kept}… {len(value):,} characters"
    return value
