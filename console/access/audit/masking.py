"""Masks the parameters of an action for its audit record: values are masked unless listed as safe, and cut when long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_ITEMS = 20
_MAX_CHARACTERS = 400
MASK = "••••••"

# Parameters whose values appear in a record. All others are masked: a new parameter counts as a secret until it is listed.
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


def clean_text(text: str, max_length: int) -> str:
    """Return at most `max_length` characters of a text, without characters that a database refuses.

    PostgreSQL refuses NUL, UTF-8 half a surrogate pair.
    """
    return text[:max_length].replace("\x00", "\ufffd").encode(errors="replace").decode()


def mask_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as a record keeps them: masked unless listed as safe; long lists and texts are cut, with their size."""
    return {clean_text(name, _MAX_CHARACTERS): _mask_value(name, value) for name, value in parameters.items()}


def _mask_value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask_parameters(value)
    if name not in SAFE_PARAMETERS:
        return MASK
    if isinstance(value, list | tuple):
        items = [_mask_value(name, item) for item in value[:_MAX_ITEMS]]
        return [*items, f"… {len(value):,} in total"] if len(value) > _MAX_ITEMS else items
    if isinstance(value, str):
        text = clean_text(value, _MAX_CHARACTERS)
        return text if len(value) <= _MAX_CHARACTERS else f"{text}… {len(value):,} characters"
    return value
