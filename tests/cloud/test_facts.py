"""Each parameter of each operation is decided: what it names, whether it is sensitive, and what a limited member may do with it."""

from __future__ import annotations

import json
import re

import pytest

from console.cloud.catalogue import LimitedUse, ObjectKind, Operation, operations
from console.cloud.catalogue.load import PARAMETERS

FACTS = json.loads(PARAMETERS.read_text(encoding="utf-8"))["parameters"]
EVERY = [(o, p) for o in operations().values() for p in o.parameters.values()]
# Kinds of which an access scope knows whether they are in it.
SCOPED = {
    *(
        ObjectKind.PRODUCT,
        ObjectKind.DEVICE,
        ObjectKind.IOT_ID,
        ObjectKind.DEVICE_LIST,
        ObjectKind.GROUP,
        ObjectKind.PACKAGE,
        ObjectKind.BATCH,
    ),
    *(ObjectKind.TASK, ObjectKind.APPLICATION, ObjectKind.TOPIC, ObjectKind.TOPIC_CLASS, ObjectKind.SQL),
}


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
    assert {operation.response[path] for path in operation.local_times} <= {"String"}


@pytest.mark.parametrize("operation", operations().values(), ids=lambda o: o.name)
def test_what_a_limited_member_may_call_names_something_or_is_open(operation: Operation):
    kinds = {p.names for p in operation.parameters.values() if p.beside is None} & SCOPED
    if operation.limited is LimitedUse.CHECKED:
        assert kinds
    if operation.limited is LimitedUse.OPEN:
        assert not kinds - {ObjectKind.CATEGORY}


def test_contents_secrets_and_signed_addresses_are_sensitive():
    sensitive = {p.name for _, p in EVERY if p.sensitive}
    texts = {
        p.name
        for _, p in EVERY
        if re.search(r"Content$|Url$|Secret|Password|PinCode|AppKey|Configuration$", p.name)
    }
    assert texts - sensitive == {"ScriptContent"}  # a parsing script is source code, not data
