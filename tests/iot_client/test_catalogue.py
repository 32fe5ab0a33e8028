"""The catalogue: its consistency, its checks, and its agreement with the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_client.catalogue import Access, UnknownOperation, flatten, nest, operation, operations, validate
from iot_client.text import Sentence

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "operations.json"
needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason="no reference beside this checkout")
AREAS = {"products", "devices", "groups", "things", "ota", "messaging", "routing", "edge"}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return loaded


# --- agreement with the reference


@needs_reference
def test_the_operations_and_their_groups_match_the_reference(reference: dict[str, Any]) -> None:
    assert {name: op.group for name, op in operations().items()} == {
        name: record["group"] for name, record in reference.items()
    }


@needs_reference
def test_types_places_and_required_parameters_match_the_reference(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        actual = {
            p.name: (p.type, p.place, p.required if p.documented else None)
            for p in operation(name).parameters.values()
        }
        expected = {p["name"]: (p["type"], p["in"], p["required"]) for p in record["request"]}
        assert actual == expected, name


@needs_reference
def test_call_limits_match_the_reference(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        op = operation(name)
        assert (op.qps if op.qps_documented else None) == record["qps"], name
        assert op.described is not record.get("listed_only", False), name


@needs_reference
def test_response_paths_and_types_match_the_reference(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        assert dict(operation(name).response) == {r["path"]: r["type"] for r in record["response"]}, name


# --- its own consistency


def test_there_are_194_operations() -> None:
    assert len(operations()) == 194


@pytest.mark.parametrize("op", operations().values(), ids=lambda op: op.name)
def test_an_operation_refers_only_to_its_own_parameters_and_paths(op: Any) -> None:
    assert op.area in AREAS
    names = set(op.parameters)
    assert {n for group in op.one_of for alternative in group for n in alternative} <= names
    for condition in op.when:
        assert {condition.parameter, *condition.forbids, *(n for a in condition.needs for n in a)} <= names
    assert set(op.secret_fields) <= set(op.response)
    assert set(op.elements) <= {path for path in op.response if path.endswith("[]")}
    if op.result is not None:
        assert op.result in op.response
    if op.paging is not None:
        page_params = {
            op.paging.size_param,
            op.paging.page_param,
            op.paging.token_param,
            op.paging.newest_param,
        }
        assert page_params - {None} <= names
        paths = {op.paging.items_path, op.paging.total_path, op.paging.pages_path, op.paging.token_path}
        assert (paths | {op.paging.more_path}) - {None} <= set(op.response)
        assert op.paging.items_path.endswith("[]")
    if op.access is Access.READ:
        assert op.idempotent


SECRET_NAMES = {"DeviceSecret", "ProductSecret", "RoleArn"}
# Fields of responses with the name of a sensitive parameter that are no secret, and why.
NO_SECRETS = {
    "QueryOTAFirmware FirmwareInfo.FirmwareUrl": "an address that works for minutes, for what the caller may read",
    "QueryOTAFirmware FirmwareInfo.MultiFiles[].Url": "an address that works for minutes, for what the caller may read",
    "GenerateOTAUploadURL Data.FirmwareUrl": "is what a caller with permission to upload asked for",
    "GetDeviceShadow ShadowMessage": "data of a device",
    "QueryThingModelExtendConfig Data.Configuration": "registers and node IDs of a thing model, no credentials",
    "QueryThingModelExtendConfigPublished Data.Configuration": "registers and node IDs of a thing model, no credentials",
}


def test_every_secret_in_a_response_is_marked() -> None:
    """A value that is sensitive when it is written is a secret when it is read."""
    last_names = {
        parameter.name.rpartition(".")[2]
        for op in operations().values()
        for parameter in op.parameters.values()
        if parameter.sensitive
    }
    expected = {
        f"{op.name} {path}"
        for op in operations().values()
        for path, kind in op.response.items()
        if kind != "Struct" and path.rpartition(".")[2] in SECRET_NAMES | last_names
    }
    marked = {f"{op.name} {path}" for op in operations().values() for path in op.secret_fields}
    assert expected - marked == set(NO_SECRETS)
    assert marked <= expected


def test_operations_that_create_send_or_start_are_not_idempotent() -> None:
    prefixes = ("Create", "Register", "BatchRegister", "Invoke", "Pub", "BatchPub", "RRpc", "Reupgrade")
    assert [op.name for op in operations().values() if op.name.startswith(prefixes) and op.idempotent] == []


def test_operations_that_delete_have_the_access_level_delete() -> None:
    for name in ("DeleteProduct", "DeleteDevice", "DeleteDeviceGroup", "DeleteOTAFirmware", "DeleteRule"):
        assert operation(name).access is Access.DELETE


def test_a_path_of_a_response_is_found_in_its_xml_form() -> None:
    op = operation("GetEdgeInstanceDeployment")
    assert (
        op.xml_path("Data.TaskList[].ResourceSnapshotList[].Stage")
        == "Data/TaskList/Task/ResourceSnapshotList/ResourceSnapshot/Stage"
    )
    assert op.xml_path("Data.TaskList[]") == "Data/TaskList/Task"
    assert operation("QueryDevice").xml_path("Data.DeviceInfo[].DeviceName") == "Data/DeviceInfo/DeviceName"


def test_the_error_for_an_unknown_operation_names_it() -> None:
    with pytest.raises(UnknownOperation, match="QueryDevices"):
        operation("QueryDevices")


def test_deep_pages_have_a_lower_call_limit() -> None:
    op = operation("QueryDevice")
    assert op.qps_for({"ProductKey": "a1", "CurrentPage": 1, "PageSize": 50}) == 50
    assert op.qps_for({"ProductKey": "a1", "CurrentPage": 2000, "PageSize": 50}) == 2


# --- checking a call


def find_problems(name: str, **params: Any) -> dict[str, list[Sentence]]:
    return validate(operation(name), params)


def test_a_valid_call_has_no_problems() -> None:
    assert (
        find_problems(
            "RegisterDevice", ProductKey="a1", DeviceName="SM-A4:CF@1.2_3", Nickname="网关_苏州一厂_0000"
        )
        == {}
    )


def test_a_required_value_that_is_missing_or_empty_is_reported() -> None:
    assert find_problems("CreateProduct", ProductName="Meters", NodeType=None) == {
        "NodeType": ["This value is required"]
    }
    assert find_problems("QueryProduct", ProductKey="") == {"ProductKey": ["This value is required"]}


def test_an_unknown_parameter_is_reported_unless_ignored() -> None:
    assert list(find_problems("QueryProduct", ProductKey="a1", Color="red")) == ["Color"]
    assert (
        validate(operation("QueryProduct"), {"ProductKey": "a1", "Color": "red"}, ignore_unknown=True) == {}
    )


@pytest.mark.parametrize(
    "name", ["abc", "x" * 33, "lamp 01", "lamp/01", "灯0001号机器", "lamp\n01", " lamp01", "lamp\u00a001"]
)
def test_an_invalid_device_name_is_reported(name: str) -> None:
    assert "DeviceName" in find_problems("RegisterDevice", ProductKey="a1", DeviceName=name)


@pytest.mark.parametrize(
    ("nickname", "is_valid"),
    [("abcd", True), ("abc", False), ("网关", True), ("网", False), ("网" * 32, True), ("网" * 33, False), ("a" * 64, True),
     ("a" * 65, False), ("Nick-with-dash", False), ("two words", False)],
)  # fmt: skip
def test_a_chinese_character_counts_as_two_in_a_nickname(nickname: str, is_valid: bool) -> None:
    problems = find_problems("RegisterDevice", ProductKey="a1", DeviceName="lamp01", Nickname=nickname)
    assert ("Nickname" not in problems) is is_valid


@pytest.mark.parametrize(("value", "is_valid"), [(1, True), ("50", True), (0, False), (51, False), ("1e1", False), (True, False), ("", True)])  # fmt: skip
def test_the_range_of_a_number_is_checked_also_in_text(value: object, is_valid: bool) -> None:
    assert (find_problems("QueryDevice", ProductKey="a1", PageSize=value) == {}) is is_valid


def test_a_number_too_large_for_its_type_is_reported() -> None:
    assert "NodeType" in find_problems("CreateProduct", ProductName="Meters", NodeType=10**12)
    assert find_problems("QueryPageByApplyId", ApplyId=2**62) == {}


@pytest.mark.parametrize(
    ("value", "is_valid"), [(True, True), ("False", True), ("true", True), ("yes", False), (1, False)]
)
def test_a_boolean_can_be_a_value_or_text(value: object, is_valid: bool) -> None:
    problems = find_problems(
        "UpdateProductFilterConfig", ProductKey="a1", PropertyTimestampFilter=value, PropertyValueFilter=False
    )
    assert (problems == {}) is is_valid


def test_a_device_needs_its_id_or_its_product_and_name() -> None:
    assert find_problems("QueryDeviceDetail", IotId="x") == {}
    assert find_problems("QueryDeviceDetail", ProductKey="a1", DeviceName="lamp01") == {}
    assert "IotId" in find_problems("QueryDeviceDetail", ProductKey="a1")
    assert "IotId" in find_problems("QueryDeviceDetail")


def test_the_number_of_list_entries_in_a_call_is_limited() -> None:
    assert find_problems("BatchQueryDeviceDetail", ProductKey="a1", DeviceName=["lamp01"] * 100) == {}
    problems = find_problems("BatchQueryDeviceDetail", ProductKey="a1", DeviceName=["lamp01"] * 101)
    assert problems == {"DeviceName.N": ["Enter up to 100 entries (you entered 101)"]}


def test_ten_thousand_names_fit_into_one_call() -> None:
    names = [{"DeviceName": f"meter-{n:05}", "DeviceNickname": f"Meter_{n}"} for n in range(10_000)]
    assert find_problems("BatchCheckDeviceNames", ProductKey="a1", DeviceNameList=names) == {}


def test_a_problem_in_a_list_has_the_number_of_the_entry() -> None:
    problems = find_problems("BatchCheckDeviceNames", ProductKey="a1", DeviceName=["lamp01", "no good"])
    [problem] = problems["DeviceName.N"]
    assert problem.position == 2
    assert problem.startswith("2: Use only")


def test_tags_are_optional_but_each_tag_needs_a_key_and_a_value() -> None:
    params = {"FirmwareId": "f", "ProductKey": "a1", "TargetDeviceName": ["lamp01"]}
    assert find_problems("CreateOTAVerifyJob", **params) == {}
    assert list(find_problems("CreateOTAVerifyJob", **params, Tag=[{"Key": "k"}])) == ["Tag.N.Value"]


def test_a_choice_inside_a_structure_applies_to_each_entry() -> None:
    problems = find_problems(
        "BatchUpdateDeviceNickname", DeviceNicknameInfo=[{"IotId": "x"}, {"ProductKey": "a1"}]
    )
    assert [p.position for p in problems["DeviceNicknameInfo.N.IotId"]] == [2]


@pytest.mark.parametrize(
    ("extra", "reported"),
    [
        ({"TargetSelection": "GRAY"}, "GrayPercent"),
        ({"TargetSelection": "GROUP", "GroupId": "g"}, "GroupType"),
        ({"TargetSelection": "SPECIFIC"}, "TargetDeviceName.N"),
        (
            {"TargetSelection": "SPECIFIC", "TargetDeviceName": ["lamp01"], "SrcVersion": ["1"]},
            "SrcVersion.N",
        ),
        (
            {"TargetSelection": "SPECIFIC", "TargetDeviceName": ["lamp01"], "DnListFileUrl": "u"},
            "DnListFileUrl",
        ),
        ({"TargetSelection": "ALL", "RetryInterval": 10}, "RetryCount"),
        ({"TargetSelection": "SOME"}, "TargetSelection"),
        ({"TargetSelection": "ALL", "ScheduleTime": 1577808000}, "ScheduleTime"),
        ({"TargetSelection": "ALL", "ScheduleFinishTime": 1577808000000}, "ScheduleTime"),
    ],
)
def test_an_update_batch_needs_the_parameters_of_its_target_selection(
    extra: dict[str, Any], reported: str
) -> None:
    assert list(find_problems("CreateOTAStaticUpgradeJob", FirmwareId="f", ProductKey="a1", **extra)) == [
        reported
    ]


def test_a_package_has_one_file_or_several_but_not_both() -> None:
    params = {"FirmwareName": "f", "DestVersion": "2", "ProductKey": "a1"}
    files = [{"Name": "app", "Url": "https://host/app.bin"}]
    assert find_problems("CreateOTAFirmware", **params, MultiFiles=files) == {}
    assert list(find_problems("CreateOTAFirmware", **params)) == ["FirmwareUrl"]
    problems = find_problems(
        "CreateOTAFirmware", **params, MultiFiles=files, FirmwareUrl="https://host/app.bin"
    )
    assert problems == {"FirmwareUrl": ["Cannot be combined with MultiFiles.N.Url"]}


def test_canceling_a_batch_needs_at_least_one_status() -> None:
    assert list(find_problems("CancelOTATaskByJob", JobId="j")) == ["CancelScheduledTask"]
    assert find_problems("CancelOTATaskByJob", JobId="j", CancelNotifiedTask=True) == {}


def test_a_dynamic_group_needs_its_group_type() -> None:
    params = {"FirmwareId": "f", "ProductKey": "a1", "SrcVersion": ["1"]}
    assert find_problems("CreateOTADynamicUpgradeJob", **params) == {}
    assert list(find_problems("CreateOTADynamicUpgradeJob", **params, GroupId="g")) == ["GroupType"]
    assert list(find_problems("CreateOTADynamicUpgradeJob", **params, GroupType="LINK_PLATFORM_DYNAMIC")) == [
        "GroupId"
    ]


def test_json_can_be_text_or_values_and_is_measured_in_bytes() -> None:
    assert find_problems("SaveDeviceProp", IotId="x", Props='{"color":"red"}') == {}
    assert find_problems("SaveDeviceProp", IotId="x", Props={"color": "red"}) == {}
    assert find_problems("SaveDeviceProp", IotId="x", Props="color=red") == {"Props": ["Enter valid JSON"]}
    assert "Props" in find_problems("SaveDeviceProp", IotId="x", Props={"color": "红" * 2000})


def test_a_lone_surrogate_is_reported() -> None:
    assert find_problems("UpdateProduct", ProductKey="\ud800", ProductName="Meters") == {
        "ProductKey": ["The text contains characters that cannot be sent"]
    }


def test_a_sentence_keeps_its_template_and_values_for_translation() -> None:
    [sentence] = find_problems("QueryDevice", ProductKey="a1", PageSize=51)["PageSize"]
    assert sentence == "Enter a number from 1 to 50"
    assert sentence.template == "Enter a number from %(low)d to %(high)d"
    assert sentence.values == {"low": 1, "high": 50}


# --- request fields


def test_lists_structures_and_booleans_are_flattened_into_query_and_form() -> None:
    query, form = flatten(
        operation("BatchCheckDeviceNames"),
        {
            "ProductKey": "a1",
            "DeviceNameList": [{"DeviceName": "b"}, {"DeviceName": "c", "DeviceNickname": "d"}],
        },
    )
    assert query == {"ProductKey": "a1"}
    assert form == {
        "DeviceNameList.1.DeviceName": "b",
        "DeviceNameList.2.DeviceName": "c",
        "DeviceNameList.2.DeviceNickname": "d",
    }
    query, _ = flatten(
        operation("CreateProduct"), {"Id2": True, "PublishAuto": False, "NodeType": 0, "Description": None}
    )
    assert query == {"Id2": "true", "PublishAuto": "false", "NodeType": "0"}


def test_an_empty_text_is_sent() -> None:
    assert flatten(operation("UpdateProduct"), {"Description": ""}) == ({"Description": ""}, {})


def test_json_values_are_written_as_json() -> None:
    query, _ = flatten(operation("SaveDeviceProp"), {"Props": {"a": ["b"], "名": 1}})
    assert query == {"Props": '{"a":["b"],"名":1}'}


def test_nested_fields_are_sorted_by_index_and_can_have_gaps() -> None:
    assert nest({"T.10": "z", "T.2": "y", "P": "1", "L.1.1": "a", "L.1.3": "b", "S.1.K.2": "q"}) == {
        "T": ["y", "z"],
        "P": "1",
        "L": [["a", "b"]],
        "S": [{"K": ["q"]}],
    }


def test_fields_that_contradict_each_other_keep_their_names() -> None:
    assert nest({"A": "1", "A.1": "2"}) == {"A": "1", "A.1": "2"}


names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6)


@given(
    names,
    st.lists(st.fixed_dictionaries({"Key": st.text(max_size=5), "Value": st.text(max_size=5)}), max_size=5),
)
def test_nest_reverses_flatten(devices: list[str], tags: list[dict[str, str]]) -> None:
    params = {"ProductKey": "a1", "TargetDeviceName": devices, "Tag": tags}
    query, _ = flatten(operation("CreateOTAVerifyJob"), params)
    assert nest(query) == {name: value for name, value in params.items() if value}


@given(st.dictionaries(st.text(".0123456789aB", min_size=1, max_size=9), st.text(max_size=3), max_size=8))
def test_any_field_names_can_be_nested(fields: dict[str, str]) -> None:
    nest(fields)


@pytest.mark.parametrize("operation", ["CreateEdgeInstance", "UpdateEdgeInstance"])
@pytest.mark.parametrize(
    ("tags", "is_valid"),
    [
        ("k1:v1,k2:v2", True),
        ("room:1,floor:1", True),
        (f"{'k' * 20}:{'v' * 20}", True),
        (f"room:{'室' * 10},floor:{'层' * 10}", True),
        (f"room:{'室' * 9}ab", True),
        (f"room:{'室' * 11}", False),
        (f"room:{'室' * 10}a", False),
        (f"floor:1,room:{'室' * 20}", False),
        (f"room:{'v' * 21}", False),
        (f"{'k' * 21}:v", False),
        ("房间:1", False),
        ("room_1:1", False),
        ("room:", False),
        (":1", False),
        ("room:1,", False),
    ],
)
def test_a_chinese_character_in_the_value_of_an_edge_tag_counts_as_two(
    operation: str, tags: str, is_valid: bool
) -> None:
    problems = find_problems(operation, InstanceId="e", Name="edge", Tags=tags)
    assert ("Tags" not in problems) is is_valid
