"""The configuration of an action by its type, with the error codes of its parts.

REPUBLISH  topic, topicType        another topic of this account
AMQP       groupId                 a consumer group of this account
MNS        themeName               this type and those below also have regionName and role
FC         serviceName, functionName
OTS        instanceName, tableName, primaryKeys
DATAHUB    projectName, topicName, schemaVals
ONS        instanceId, topic, tag

The other services are not emulated, so the existence of their instances, tables and topics is not checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.lookups import find_device, find_product
from iot_emulator.messaging.custom_topics import find_topic_category, parse_custom_topic
from iot_emulator.routing.consumer_groups import find_consumer_group
from iot_emulator.routing.sources import CUSTOM, SYSTEM

Config = dict[str, Any]

_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+")
_ROLE_ARN = re.compile(r"acs:ram::[\w*]+:role/[\w.*-]+")
_DOWNSTREAM = re.compile(
    r"/sys/([A-Za-z0-9]+)/([\w.:@-]+|\$\{\w+\})/thing/service/(property/set|[A-Za-z_][\w:]*)"
)
_VARIABLE = re.compile(r"\$\{[^{}]+\}")
_KEY_TYPES = frozenset({"INTEGER", "STRING", "BINARY"})
_COLUMN_TYPES = frozenset({"BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "STRING", "DECIMAL"})
MAX_PRIMARY_KEYS = 4  # of a Tablestore table
MAX_TAG = 128  # bytes (ONS)
_INVALID = "iot.rule.ParseRuleActionConfigError"


def parse_configuration(call: Call, action_type: str, text: str) -> Config:
    """Parse and check the configuration of an action. Raises the platform's error for an invalid part."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ServiceError(
            "iot.ruleng.RuleActionConfigurationIsNotJson", "The configuration must be a JSON object."
        )
    if not config:
        raise ServiceError("iot.ruleng.NullRuleActionConfig", "The configuration is empty.")
    _CHECKS[action_type](call, config)
    return config


def check_role(config: Config) -> None:
    """Check `role`: {"roleArn": "acs:ram::<account>:role/<name>", "roleName": …}."""
    role = config.get("role")
    if not isinstance(role, dict):
        raise ServiceError("iot.ruleng.InvalidRamRole", "The configuration has no role.")
    _require_text(role, "roleArn", "iot.ruleng.NullRamRoleArn")
    _require_text(role, "roleName", "iot.ruleng.NullRamRoleName")
    if not _ROLE_ARN.fullmatch(role["roleArn"]):
        raise ServiceError("iot.ruleng.InvalidRamRole", "roleArn must be the ARN of a RAM role.")


def check_region(config: Config) -> None:
    """Check `regionName`."""
    region = _require_text(config, "regionName", "iot.ruleng.IncorrectRegionName")
    if not _REGION.fullmatch(region):
        raise ServiceError("iot.ruleng.IncorrectRegionName", "regionName must be the ID of a region.")


def _require_text(config: Config, name: str, code: str = _INVALID) -> str:
    value = config.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ServiceError(code, f"The configuration has no {name}.")
    return value


def _require_list(config: Config, name: str, code: str = _INVALID) -> list[Config]:
    value = config.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise ServiceError(code, f"The configuration must have {name}, a list of objects.")
    return value


def _check_republish(call: Call, config: Config) -> None:
    topic = _require_text(config, "topic", "iot.messagebroker.NullTopicName")
    topic_type = config.get("topicType")
    if topic_type == SYSTEM:
        match = _DOWNSTREAM.fullmatch(topic)
        if match is None:
            raise ServiceError(
                "iot.ruleng.IncorrectSysTopic",
                "The topic must be one that sets properties or calls a service.",
            )
        _check_target(call, match[1], match[2])
    elif topic_type == CUSTOM:
        # The message decides the device name: any name is sufficient to parse the rest of the topic.
        parts = parse_custom_topic(_VARIABLE.sub("any", topic))
        if parts is None:
            raise ServiceError(
                "iot.messagebroker.InvalidFormattedTopicName", "The topic must be a custom topic."
            )
        _check_target(call, parts.product_key, topic.split("/")[2])
        if "$" not in topic.partition("/user/")[2] and (
            find_topic_category(call.db, parts.product_key, parts.short_name) is None
        ):
            raise ServiceError(
                "iot.messagebroker.TopicTemplateIsNotFound", "The product does not have this topic category."
            )
    else:
        raise ServiceError("iot.ruleng.IncorrectType", "topicType must be 0 or 1.")


def _check_target(call: Call, product_key: str, device_name: str) -> None:
    find_product(call, product_key)
    if "$" not in device_name:
        find_device(call, product_key=product_key, name=device_name)


def _check_amqp(call: Call, config: Config) -> None:
    find_consumer_group(call, _require_text(config, "groupId", "iot.consumer.group.InvalidConsumerGroupId"))


def _check_mns(call: Call, config: Config) -> None:
    _require_text(config, "themeName", "iot.ruleng.NullTopicNameInMns")


def _check_fc(call: Call, config: Config) -> None:
    _require_text(config, "serviceName", "iot.ruleng.NullServiceNameInFc")
    _require_text(config, "functionName", "iot.ruleng.NullFunctionNameInFc")


def _check_ots(call: Call, config: Config) -> None:
    _require_text(config, "instanceName", "iot.ruleng.NullOtsInstanceName")
    _require_text(config, "tableName", "iot.ruleng.NullTableNameInOtsInstance")
    keys = _require_list(config, "primaryKeys", "iot.ruleng.NullPrimaryKeyInOtsTable")
    if len(keys) > MAX_PRIMARY_KEYS:
        raise ServiceError(_INVALID, f"A table can have at most {MAX_PRIMARY_KEYS} primary keys.")
    for key in keys:
        _require_text(key, "columnName", "iot.ruleng.NullPrimaryKeyNameInOts")
        column_type = _require_text(key, "columnType", "iot.ruleng.NullPrimaryKeyTypeInOts")
        option = key.get("option") or ""
        if column_type not in _KEY_TYPES or option not in ("", "AUTO_INCREMENT"):
            raise ServiceError(
                "iot.ruleng.IncorrectPrimaryKeyValueInOtsTable",
                "The columnType or option of a primary key is invalid.",
            )
        if not option:
            _require_text(key, "columnValue", "iot.ruleng.NullPrimaryKeyValueInOts")
        elif column_type != "INTEGER":
            raise ServiceError(
                "iot.ruleng.IncorrectPrimaryKeyValueInOtsTable",
                "AUTO_INCREMENT needs the columnType INTEGER.",
            )


def _check_datahub(call: Call, config: Config) -> None:
    _require_text(config, "projectName")
    _require_text(config, "topicName")
    for column in _require_list(config, "schemaVals"):
        _require_text(column, "name")
        _require_text(column, "value")
        if column.get("type") not in _COLUMN_TYPES:
            raise ServiceError(_INVALID, "The type of a column in schemaVals is invalid.")


def _check_ons(call: Call, config: Config) -> None:
    _require_text(config, "instanceId", "iot.ruleng.InstanceNotFound")
    _require_text(config, "topic", "iot.messagebroker.NullTopicName")
    if len(str(config.get("tag") or "").encode("utf-8", "replace")) > MAX_TAG:
        raise ServiceError(
            "iot.ruleng.InvalidFormattedTagInConfiguration", f"The tag can have at most {MAX_TAG} bytes."
        )


def _with_region_and_role(check: Callable[[Call, Config], None]) -> Callable[[Call, Config], None]:
    """Add the checks of region and role to the check of a configuration."""

    def check_all(call: Call, config: Config) -> None:
        check(call, config)
        check_region(config)
        check_role(config)

    return check_all


_CHECKS: dict[str, Callable[[Call, Config], None]] = {
    "REPUBLISH": _check_republish,
    "AMQP": _check_amqp,
    "MNS": _with_region_and_role(_check_mns),
    "FC": _with_region_and_role(_check_fc),
    "OTS": _with_region_and_role(_check_ots),
    "DATAHUB": _with_region_and_role(_check_datahub),
    "ONS": _with_region_and_role(_check_ons),
}
