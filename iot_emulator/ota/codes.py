"""Error codes of OTA operations for a parameter with an invalid range, length, format or value, or for one that is missing
although another parameter requires it."""

from __future__ import annotations

CODES = {
    "FileSuffix": "iot.firmware.InvalidGenerateOTAUploadURLParam",
    "FirmwareName": "iot.firmware.IncorrectFormattedFirmwareName",
    "FirmwareDesc": "iot.firmware.FirmwareDescriptionExceedMaxLength",
    "FirmwareSize": "iot.firmware.InvalidFirmwareSize",
    "FirmwareUrl": "iot.firmware.NullFirmwareUrl",
    "SignMethod": "iot.firmware.InvalidFirmwareSignMethod",
    "DestVersion": "iot.firmware.IncorrectFormattedFirmwareVersion",
    "Type": "iot.firmware.InvalidFirmwareType",
    "MultiFiles": "iot.ota.PackageFileAmountExceed",
    "MultiFiles.N.Size": "iot.firmware.InvalidFirmwareSize",
    "MultiFiles.N.Name": "iot.firmware.InvalidFirmware",
    "MultiFiles.N.Url": "iot.firmware.InvalidFirmwareUrl",
    "Udi": "iot.firmware.InvalidFirmware",
    "ModuleName": "iot.ota.InvalidOtaModuleName",
    "AliasName": "iot.ota.CreateOTAModuleParamError",
    "Desc": "iot.ota.CreateOTAModuleParamError",
    "TargetSelection": "iot.firmware.InvalidTargetSelection",
    "TargetDeviceName": "iot.firmware.ParameterSizeExceedMax",
    "DnListFileUrl": "iot.firmware.NullTargetDeviceNames",
    "DeviceName": "iot.firmware.ParameterSizeExceedMax",
    "DeviceNames": "iot.firmware.ParameterSizeExceedMax",
    "SrcVersion": "iot.firmware.SrcVersionIsMandatory",
    "GrayPercent": "iot.firmware.BadlyFormattedGrayPercent",
    "GroupId": "iot.ota.GroupNotExist",
    "GroupType": "iot.ota.GroupTypeInvalid",
    "RetryInterval": "iot.firmware.InvalidRetryInterval",
    "RetryCount": "iot.firmware.InvalidRetryCount",
    "TimeoutInMinutes": "iot.firmware.InvalidTimeoutSetting",
    "MaximumPerMinute": "iot.firmware.InvalidMaximumPerMinute",
    "OverwriteMode": "iot.firmware.InvalidOverwriteMode",
    "DynamicMode": "iot.firmware.InvalidDynamicMode",
    "DownloadProtocol": "iot.ota.DownloadProtocolInvalid",
    "TaskStatus": "iot.firmware.InvalidTaskStatus",
    "TaskStatusList": "iot.firmware.InvalidTaskStatus",
    "TaskId": "iot.ota.TooManyOtaTask",
}
MISSING = {
    "FirmwareUrl": "iot.firmware.NullFirmwareUrl",
    "GrayPercent": "iot.firmware.NullGrayPercent",
    "RetryCount": "iot.firmware.InvalidRetryCount",
    "TargetDeviceName": "iot.firmware.NullTargetDeviceNames",
    "ScheduleTime": "iot.firmware.ScheduleFinishTimeWithoutStartTime",
    "CancelScheduledTask": "iot.firmware.CancelOptionIsMandatory",
}
# Parameters that the handlers check, with several codes.
CHECKED_BY_HANDLER = frozenset(
    {
        ("CreateOTAFirmware", "FirmwareUrl"),
        ("CreateOTAFirmware", "FirmwareSize"),
        ("CreateOTAFirmware", "FirmwareSign"),
        ("CreateOTAStaticUpgradeJob", "SrcVersion"),
        ("CreateOTAStaticUpgradeJob", "TargetDeviceName"),
        ("CreateOTAStaticUpgradeJob", "Tag"),
        ("CreateOTADynamicUpgradeJob", "SrcVersion"),
        ("CreateOTADynamicUpgradeJob", "Tag"),
        ("CreateOTAVerifyJob", "Tag"),
    }
)
