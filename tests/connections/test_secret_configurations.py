"""Configurations contain passwords and role ARNs: they are secrets in responses, as device secrets are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from console.audit.masking import MASK
from console.sign_in.reauthentication import ReauthenticationNeeded
from iot_emulator import Emulator
from iot_emulator.edge.drivers import OFFICIAL
from tests.conftest import Organization

PASSWORD = "opcua-password-5121"
ARN = "acs:ram::6541:role/aliyuniotaccessingrole"
ROLE = {"roleArn": ARN, "roleName": "AliyunIOTAccessingRole"}
DRIVER = next(iter(OFFICIAL))


def set_up_driver(org: Organization) -> dict[str, Any]:
    call = org.gateway().call
    edge = call("CreateEdgeInstance", Name="plant")["InstanceId"]
    call("BindDriverToEdgeInstance", InstanceId=edge, DriverId=DRIVER)
    configs = [{"Format": "KV", "Key": "opcua_password", "Content": PASSWORD}]
    call("SetEdgeInstanceDriverConfigs", InstanceId=edge, DriverId=DRIVER, Configs=configs)
    return {"InstanceId": edge, "DriverIds": [DRIVER]}


def set_up_rule(org: Organization) -> dict[str, Any]:
    call = org.gateway().call
    rule = call("CreateRule", Name="to_mns", DataType="JSON")["RuleId"]
    configuration = json.dumps({"themeName": PASSWORD, "regionName": "cn-shanghai", "role": ROLE})
    call("CreateRuleAction", RuleId=rule, Type="MNS", Configuration=configuration)
    return {"RuleId": rule}


CASES = [("BatchGetEdgeInstanceDriverConfigs", set_up_driver), ("ListRuleActions", set_up_rule)]


@pytest.mark.parametrize(("operation", "set_up"), CASES)
def test_a_configuration_is_masked_and_revealed_only_by_the_level_and_after_reauthentication(
    emulator: Emulator,
    org: Organization,
    sign_in: Callable[..., Any],
    operation: str,
    set_up: Callable[[Organization], dict[str, Any]],
) -> None:
    params = set_up(org)
    for role in ("viewer", "owner"):
        response = json.dumps(org.gateway(role).call(operation, **params), ensure_ascii=False)
        assert PASSWORD not in response
        assert ARN not in response
        assert MASK in response
    assert PASSWORD in json.dumps(org.gateway("owner").call(operation, reveal=True, **params))
    with pytest.raises(ReauthenticationNeeded):
        org.gateway("owner", reauthenticated=False).call(operation, reveal=True, **params)
    form = {f"{name}.1" if isinstance(value, list) else name: value for name, value in params.items()}
    form = {name: value[0] if isinstance(value, list) else value for name, value in form.items()}
    page = sign_in("viewer").post(org.url(f"explorer/{operation}/"), form).content.decode()
    assert PASSWORD not in page
    assert "••••••" in page
