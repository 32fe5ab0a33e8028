"""A person's own calls: what of them is kept, and for how long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from console.access.audit import SAFE_PARAMETERS
from console.access.models import AuditRecord, User
from console.cloud.catalogue import Operation
from console.cloud.errors import BadResponse, CloudError, Unavailable
from console.connections.models import Connection
from console.explorer.models import ExplorerCall

KEPT_CALLS = 200
"""Of each person on each connection."""
LONGEST_KEPT = 4_000
"""Characters of a value; a longer one (a whole thing model) is left out."""

# Texts that are kept besides those that the audit trail shows. A new parameter is a secret until it is listed.
# Not listed on purpose: keys and PINs of LoRa devices, contents of messages, arguments and values sent to devices,
# configurations of destinations and drivers, and addresses that are signed (whoever has one may read the file).
KEPT_PARAMETERS = SAFE_PARAMETERS | {
    "ChannelId", "ClientId", "Codec", "ConsumerGroupId", "ConsumerGroupIds", "ContentType", "DataType", "DeploymentId",
    "DevEui", "DeviceListStr", "DeviceNames", "DriverId", "DriverIds", "DriverVersion", "DstTopic", "EventIdentifier",
    "EventType", "FileId", "FileMd5", "Format", "FunctionBlockId", "FunctionBlockName", "GroupTypes", "GwDeviceName",
    "GwIotId", "GwProductKey", "Identifier", "InstanceId", "IotIds", "JoinEui", "JoinPermissionId", "LoraNodeType",
    "ModelVersion", "Name", "NewGroupName", "NextPageToken", "NextToken", "Operation", "OrderId", "PropertyIdentifier",
    "RegionId", "ResponseTopic", "ResponseTopicTemplateName", "RuleDesc", "SQL", "ScopeType", "ScriptContent",
    "ScriptType", "SearchName", "Select", "ServiceIdentifier", "ShortTopic", "Sign", "SignValue", "Size",
    "SourceInstanceId", "SourceModelVersion", "SourceProductKey", "SrcTopic", "SubBizCode", "SubscribeFlags", "Tags",
    "TargetAliyunId", "TargetInstanceConfig", "TargetInstanceId", "TargetProductKey", "TargetUid", "TaskStatus",
    "TaskStatusList", "ThingModelJson", "Timestamp", "Topic", "TopicFullName", "TopicId", "TopicShortName",
    "TopicTemplateName", "TopoAddItem", "TslStr", "Udi", "Versions", "Where",
}  # fmt: skip


def keep(
    user: User,
    connection: Connection,
    operation: Operation,
    params: Mapping[str, Any],
    *,
    error: CloudError | None = None,
    refused: bool = False,
    request_id: str = "",
    milliseconds: int | None = None,
) -> ExplorerCall:
    """Add a call to the person's history, and forget the oldest beyond KEPT_CALLS."""
    parameters, left_out = keepable(operation, params)
    call: ExplorerCall = ExplorerCall.objects.create(
        user=user,
        connection=connection,
        operation=operation.name,
        parameters=parameters,
        left_out=left_out,
        outcome=AuditRecord.Outcome.REFUSED if refused else _outcome(error),
        code=(error.code if error else "")[:128],
        request_id=request_id[:64],
        milliseconds=milliseconds,
    )
    own = ExplorerCall.objects.of(user, connection)
    oldest = own.values_list("id", flat=True)[KEPT_CALLS : KEPT_CALLS + 1].first()
    if oldest is not None:
        own.filter(id__lte=oldest).delete()
    return call


def _outcome(error: CloudError | None) -> AuditRecord.Outcome:
    if error is None:
        return AuditRecord.Outcome.DONE
    lost = (isinstance(error, Unavailable) and error.sent) or isinstance(error, BadResponse)
    return AuditRecord.Outcome.UNKNOWN if lost else AuditRecord.Outcome.FAILED


def keepable(operation: Operation, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What of a call's parameters is kept, and the names of those that are not."""
    kept, left_out = {}, []
    for name, value in params.items():
        parameters = [p for p in operation.parameters.values() if p.base == name]
        if all(keeps(p.member or p.base, p.type, bool(p.values)) for p in parameters) and _short(value):
            kept[name] = value
        else:
            left_out.append(name)
    return kept, left_out


def keeps(name: str, kind: str, choice: bool) -> bool:
    """Whether values of a parameter may be kept: numbers, yes or no, choices, and the texts that are listed."""
    return kind in {"Integer", "Long", "Boolean"} or choice or name in KEPT_PARAMETERS


def _short(value: Any) -> bool:
    return len(json.dumps(value)) <= LONGEST_KEPT
