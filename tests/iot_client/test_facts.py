"""Each parameter of each operation is decided: what it names and whether it is sensitive."""

from __future__ import annotations

import json
import re

import pytest

from iot_client.catalogue import Operation, operations
from iot_client.catalogue.load import PARAMETERS

FACTS = json.loads(PARAMETERS.read_text(encoding="utf-8"))["parameters"]
EVERY = [(o, p) for o in operations().values() for p in o.parameters.values()]


def test_every_parameter_is_decided_once_and_no_other():
    assert set(FACTS) == {parameter.name for _, parameter in EVERY}
    assert all(
        {"names", "sensitive"} <= set(facts) <= {"names", "sensitive", "beside", "syntax"}
        for facts in FACTS.values()
    )


def test_parameters_that_look_like_ids_name_something():
    ids = re.compile(r"(Id|Ids|Key|DeviceName|DeviceNames|Uid)(\.N)?$")
    # Tags and properties have keys, and these ids identify nothing of the fleet.
    plain = {
        "AppKey",
        "PropKey",
        "ProductTag.N.TagKey",
        "ProductTagKey.N",
        "Tag.N.Key",
        "Tag.N.TagKey",
        "UserProp.N.Key",
    }
    plain |= {
        "Configs.N.Key",
        "JoinPermissionId",
        "RegionId",
        "ResourceGroupId",
        "OrderId",
        "TopoAddItem.N.ClientId",
    }
    assert {p.name for _, p in EVERY if ids.search(p.name) and p.names is None} == plain


@pytest.mark.parametrize("operation", operations().values(), ids=lambda o: o.name)
def test_facts_refer_to_what_the_operation_has(operation: Operation):
    for parameter in operation.parameters.values():
        assert parameter.beside in {None, *(p.base for p in operation.parameters.values())}, parameter.name
    assert set(operation.target) <= {p.name for p in operation.parameters.values() if not p.repeated}


def test_contents_keys_configurations_and_signed_addresses_are_sensitive():
    assert {p.name for _, p in EVERY if p.sensitive} == {
        *("AppKey", "PinCode", "TopoAddItem.N.Sign"),  # keys and signatures
        *(
            "MessageContent",
            "RequestBase64Byte",
            "CorrelationData",
            "ShadowMessage",
            "Args",
            "Items",
        ),  # contents
        *("Configuration", "MnsConfiguration", "Configs.N.Content", "DeviceConfigs.N.Content"),
        *("DnListFileUrl", "FirmwareUrl", "MultiFiles.N.Url", "TslUrl"),  # anybody can read them
    }
