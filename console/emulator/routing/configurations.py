"""What the configuration of a rule's action holds, by the action's type, and with which code each part is refused.

REPUBLISH  topic, topicType        another topic of this account
AMQP       groupId                 a consumer group of this account
MNS        themeName               and for this and all below: regionName, role
FC         serviceName, functionName
OTS        instanceName, tableName, primaryKeys
DATAHUB    projectName, topicName, schemaVals
ONS        instanceId, topic, tag

The other services are not emulated, so that their instances, tables and topics exist is taken on trust.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.lookups import device_of, product_of
from console.emulator.messaging.names import category_of, read_custom
from console.emulator.routing.consumer_groups import group_of
from console.emulator.routing.sources import CUSTOM, SYSTEM

Config = dict[str, Any]

_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+")
_ROLE_ARN = re.compile(r"acs:ram::[\w*]+:role/[\w.*-]+")
_DOWNSTREAM = re.compile(
    r"/sys/([A-Za-z0-9]+)/([\w.:@-]+|\$\{\w+\})/thing/service/(property/set|[A-Za-z_][\w:]*)"
)
_VARIABLE = re.compile(r"\$\{[^}]+\}")
_KEY_TYPES = frozenset({"INTEGER", "STRING", "BINARY"})
_COLUMN_TYPES = frozenset({"BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "STRING", "DECIMAL"})
MAX_PRIMARY_KEYS = 4  # of a Tablestore table
MAX_TAG = 128  # bytes (ONS)
_BAD = "iot.rule.ParseRuleActionConfigError"


def read_configuration(call: Call, action_type: str, text: str) -> Config:
    """A configuration of this type, checked; raises with the code for what is wrong."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ServiceError(
            "iot.ruleng.RuleActionConfigurationIsNotJson", "The configuration is not a JSON object."
        )
    if not config:
        raise ServiceError("iot.ruleng.NullRuleActionConfig", "The configuration is empty.")
    _CHECKS[action_type](call, config)
    return config


def check_role(config: Config) -> None:
    """Check `role`: {"roleArn": "acs:ram::<account>:role/<name>", "roleName": …}."""
    role = config.get("role")
    if not isinstance(role, dict):
        raise ServiceError("iot.ruleng.InvalidRamRole", "The configuration needs a role.")
    _text(role, "roleArn", "iot.ruleng.NullRamRoleArn")
    _text(role, "roleName", "iot.ruleng.NullRamRoleName")
    if not _ROLE_ARN.fullmatch(role["roleArn"]):
        raise ServiceError("iot.ruleng.InvalidRamRole", "The roleArn is not one of a RAM role.")


def check_region(config: Config) -> None:
    """Check `regionName`."""
    region = _text(config, "regionName", "iot.ruleng.IncorrectRegionName")
    if not _REGION.fullmatch(region):
        raise ServiceError("iot.ruleng.IncorrectRegionName", "The regionName is not one of a region.")


def _text(config: Config, name: str, code: str = _BAD) -> str:
    value = config.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ServiceError(code, f"The configuration needs {name}.")
    return value


def _list(config: Config, name: str, code: str = _BAD) -> list[Config]:
    value = config.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise ServiceError(code, f"The configuration needs a list of {name}.")
    return value


def _republish(call: Call, config: Config) -> None:
    topic = _text(config, "topic", "iot.messagebroker.NullTopicName")
    topic_type = config.get("topicType")
    if topic_type == SYSTEM:
        match = _DOWNSTREAM.fullmatch(topic)
        if match is None:
            raise ServiceError(
                "iot.ruleng.IncorrectSysTopic", "The topic does not set properties or call a service."
            )
        _check_target(call, match[1], match[2])
    elif topic_type == CUSTOM:
        # A device named by the message: any name will do to read the rest.
        parts = read_custom(_VARIABLE.sub("any", topic))
        if parts is None:
            raise ServiceError(
                "iot.messagebroker.InvalidFormattedTopicName", "The topic is not a custom topic."
            )
        _check_target(call, parts.product_key, topic.split("/")[2])
        if "$" not in topic.partition("/user/")[2] and (
            category_of(call.db, parts.product_key, parts.short) is None
        ):
            raise ServiceError(
                "iot.messagebroker.TopicTemplateIsNotFound", "The product has no such topic category."
            )
    else:
        raise ServiceError("iot.ruleng.IncorrectType", "topicType must be 0 or 1.")


def _check_target(call: Call, product_key: str, device: str) -> None:
    product_of(call, product_key)
    if "$" not in device:
        device_of(call, product_key=product_key, name=device)


def _amqp(call: Call, config: Config) -> None:
    group_of(call, _text(config, "groupId", "iot.consumer.group.InvalidConsumerGroupId"))


def _mns(call: Call, config: Config) -> None:
    _text(config, "themeName", "iot.ruleng.NullTopicNameInMns")


def _fc(call: Call, config: Config) -> None:
    _text(config, "serviceName", "iot.ruleng.NullServiceNameInFc")
    _text(config, "functionName", "iot.ruleng.NullFunctionNameInFc")


def _ots(call: Call, config: Config) -> None:
    _text(config, "instanceName", "iot.ruleng.NullOtsInstanceName")
    _text(config, "tableName", "iot.ruleng.NullTableNameInOtsInstance")
    keys = _list(config, "primaryKeys", "iot.ruleng.NullPrimaryKeyInOtsTable")
    if len(keys) > MAX_PRIMARY_KEYS:
        raise ServiceError(_BAD, f"A table has at most {MAX_PRIMARY_KEYS} primary keys.")
    for key in keys:
        _text(key, "columnName", "iot.ruleng.NullPrimaryKeyNameInOts")
        column_type = _text(key, "columnType", "iot.ruleng.NullPrimaryKeyTypeInOts")
        option = key.get("option") or ""
        if column_type not in _KEY_TYPES or option not in ("", "AUTO_INCREMENT"):
            raise ServiceError(
                "iot.ruleng.IncorrectPrimaryKeyValueInOtsTable",
                "A primary key's type or option is not valid.",
            )
        if not option:
            _text(key, "columnValue", "iot.ruleng.NullPrimaryKeyValueInOts")
        elif column_type != "INTEGER":
            raise ServiceError(
                "iot.ruleng.IncorrectPrimaryKeyValueInOtsTable", "Only an INTEGER can count up by itself."
            )


def _datahub(call: Call, config: Config) -> None:
    _text(config, "projectName")
    _text(config, "topicName")
    for column in _list(config, "schemaVals"):
        _text(column, "name")
        _text(column, "value")
        if column.get("type") not in _COLUMN_TYPES:
            raise ServiceError(_BAD, "The type of a column in schemaVals is not valid.")


def _ons(call: Call, config: Config) -> None:
    _text(config, "instanceId", "iot.ruleng.InstanceNotFound")
    _text(config, "topic", "iot.messagebroker.NullTopicName")
    if len(str(config.get("tag") or "").encode("utf-8", "replace")) > MAX_TAG:
        raise ServiceError(
            "iot.ruleng.InvalidFormattedTagInConfiguration", f"A tag has at most {MAX_TAG} bytes."
        )


def _in_a_region(check: Callable[[Call, Config], None]) -> Callable[[Call, Config], None]:
    """The check of a service that is reached by a region and a role."""

    def checked(call: Call, config: Config) -> None:
        check(call, config)
        check_region(config)
        check_role(config)

    return checked


_CHECKS: dict[str, Callable[[Call, Config], None]] = {
    "REPUBLISH": _republish,
    "AMQP": _amqp,
    "MNS": _in_a_region(_mns),
    "FC": _in_a_region(_fc),
    "OTS": _in_a_region(_ots),
    "DATAHUB": _in_a_region(_datahub),
    "ONS": _in_a_region(_ons),
}
