"""The catalogue's own consistency, its checks, and its agreement with the reference it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cloud.catalogue import Access, UnknownOperation, flatten, nest, operation, operations, validate
from console.cloud.text import Sentence

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "operations.json"
needs_reference = pytest.mark.skipif(not REFERENCE.is_file(), reason="no reference beside this checkout")
AREAS = {"products", "devices", "groups", "things", "ota", "messaging", "routing", "edge"}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(REFERENCE.read_text(encoding="utf-8"))
    return loaded


# --- agreement with the reference


@needs_reference
def test_it_holds_the_operations_of_the_reference_in_their_groups(reference: dict[str, Any]) -> None:
    assert {name: op.group for name, op in operations().items()} == {
        name: record["group"] for name, record in reference.items()
    }


@needs_reference
def test_parameters_have_the_reference_s_types_places_and_needs(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        ours = {
            p.name: (p.type, p.place, p.required if p.documented else None)
            for p in operation(name).parameters.values()
        }
        theirs = {p["name"]: (p["type"], p["in"], p["required"]) for p in record["request"]}
        assert ours == theirs, name


@needs_reference
def test_allowances_are_the_reference_s(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        op = operation(name)
        assert (op.qps if op.qps_documented else None) == record["qps"], name
        assert op.described is not record.get("listed_only", False), name


@needs_reference
def test_answers_have_the_reference_s_paths_and_types(reference: dict[str, Any]) -> None:
    for name, record in reference.items():
        assert dict(operation(name).response) == {r["path"]: r["type"] for r in record["response"]}, name


# --- its own consistency


def test_there_are_194_operations() -> None:
    assert len(operations()) == 194


@pytest.mark.parametrize("op", operations().values(), ids=lambda op: op.name)
def test_an_operation_speaks_only_of_what_it_has(op: Any) -> None:
    assert op.area in AREAS
    names = set(op.parameters)
    assert {n for group in op.one_of for alternative in group for n in alternative} <= names
    for condition in op.when:
        assert {condition.parameter, *condition.forbids, *(n for a in condition.needs for n in a)} <= names
    assert set(op.secret_fields) <= set(op.response)
    if op.result is not None:
        assert op.result in op.response
    if op.paging is not None:
        taken = {op.paging.size_param, op.paging.page_param, op.paging.token_param, op.paging.newest_param}
        assert taken - {None} <= names
        paths = {op.paging.items_path, op.paging.total_path, op.paging.pages_path, op.paging.token_path}
        assert (paths | {op.paging.more_path}) - {None} <= set(op.response)
        assert op.paging.items_path.endswith("[]")
    if op.access is Access.READ:
        assert op.idempotent


def test_every_secret_an_answer_carries_is_marked() -> None:
    for op in operations().values():
        for path in op.response:
            assert path not in op.secret_fields or path.endswith("Secret")
            if path.endswith(("DeviceSecret", "ProductSecret")):
                assert path in op.secret_fields, op.name


def test_nothing_that_creates_sends_or_starts_is_called_repeatable() -> None:
    once = ("Create", "Register", "BatchRegister", "Invoke", "Pub", "BatchPub", "RRpc", "Reupgrade")
    assert [op.name for op in operations().values() if op.name.startswith(once) and op.idempotent] == []


def test_deleting_a_thing_is_destroying() -> None:
    for name in ("DeleteProduct", "DeleteDevice", "DeleteDeviceGroup", "DeleteOTAFirmware", "DeleteRule"):
        assert operation(name).access is Access.DESTROY


def test_an_unknown_operation_is_told_by_name() -> None:
    with pytest.raises(UnknownOperation, match="QueryDevices"):
        operation("QueryDevices")


def test_deep_pages_have_a_smaller_allowance() -> None:
    op = operation("QueryDevice")
    assert op.qps_for({"ProductKey": "a1", "CurrentPage": 1, "PageSize": 50}) == 50
    assert op.qps_for({"ProductKey": "a1", "CurrentPage": 2000, "PageSize": 50}) == 2


# --- checking a call


def problems(name: str, **params: Any) -> dict[str, list[Sentence]]:
    return validate(operation(name), params)


def test_a_good_call_has_no_problems() -> None:
    assert (
        problems(
            "RegisterDevice", ProductKey="a1", DeviceName="SM-A4:CF@1.2_3", Nickname="网关_苏州一厂_0000"
        )
        == {}
    )


def test_what_is_required_and_absent_or_empty_is_named() -> None:
    assert problems("CreateProduct", ProductName="Meters", NodeType=None) == {"NodeType": ["is required"]}
    assert problems("QueryProduct", ProductKey="") == {"ProductKey": ["is required"]}


def test_what_the_operation_does_not_take_is_named_unless_told_not_to() -> None:
    assert list(problems("QueryProduct", ProductKey="a1", Colour="red")) == ["Colour"]
    assert (
        validate(operation("QueryProduct"), {"ProductKey": "a1", "Colour": "red"}, ignore_unknown=True) == {}
    )


@pytest.mark.parametrize(
    "name", ["abc", "x" * 33, "lamp 01", "lamp/01", "灯0001号机器", "lamp\n01", " lamp01", "lamp\u00a001"]
)
def test_a_device_name_breaks_the_rule(name: str) -> None:
    assert "DeviceName" in problems("RegisterDevice", ProductKey="a1", DeviceName=name)


@pytest.mark.parametrize(
    ("nickname", "right"),
    [("abcd", True), ("abc", False), ("网关", True), ("网", False), ("网" * 32, True), ("网" * 33, False), ("a" * 64, True),
     ("a" * 65, False), ("Nick-with-dash", False), ("two words", False)],
)  # fmt: skip
def test_a_chinese_character_counts_as_two_in_a_nickname(nickname: str, right: bool) -> None:
    found = problems("RegisterDevice", ProductKey="a1", DeviceName="lamp01", Nickname=nickname)
    assert ("Nickname" not in found) is right


@pytest.mark.parametrize(("value", "right"), [(1, True), ("50", True), (0, False), (51, False), ("1e1", False), (True, False), ("", True)])  # fmt: skip
def test_numbers_keep_their_range_also_as_text(value: object, right: bool) -> None:
    assert (problems("QueryDevice", ProductKey="a1", PageSize=value) == {}) is right


def test_a_number_that_the_platform_cannot_hold_is_refused() -> None:
    assert "NodeType" in problems("CreateProduct", ProductName="Meters", NodeType=10**12)
    assert problems("QueryPageByApplyId", ApplyId=2**62) == {}


@pytest.mark.parametrize(
    ("value", "right"), [(True, True), ("False", True), ("true", True), ("yes", False), (1, False)]
)
def test_booleans_come_in_both_spellings(value: object, right: bool) -> None:
    found = problems(
        "UpdateProductFilterConfig", ProductKey="a1", PropertyTimestampFilter=value, PropertyValueFilter=False
    )
    assert (found == {}) is right


def test_a_device_is_named_by_its_id_or_by_product_and_name() -> None:
    assert problems("QueryDeviceDetail", IotId="x") == {}
    assert problems("QueryDeviceDetail", ProductKey="a1", DeviceName="lamp01") == {}
    assert "IotId" in problems("QueryDeviceDetail", ProductKey="a1")
    assert "IotId" in problems("QueryDeviceDetail")


def test_a_list_may_hold_so_many_entries_in_one_call() -> None:
    assert problems("BatchQueryDeviceDetail", ProductKey="a1", DeviceName=["lamp01"] * 100) == {}
    found = problems("BatchQueryDeviceDetail", ProductKey="a1", DeviceName=["lamp01"] * 101)
    assert found == {"DeviceName.N": ["takes at most 100 entries in one call, not 101"]}


def test_ten_thousand_names_go_in_one_call() -> None:
    names = [{"DeviceName": f"meter-{n:05}", "DeviceNickname": f"Meter_{n}"} for n in range(10_000)]
    assert problems("BatchCheckDeviceNames", ProductKey="a1", DeviceNameList=names) == {}


def test_a_problem_in_a_list_tells_the_entry() -> None:
    found = problems("BatchCheckDeviceNames", ProductKey="a1", DeviceName=["lamp01", "no good"])
    [problem] = found["DeviceName.N"]
    assert problem.position == 2
    assert problem.startswith("2: may contain only")


def test_tags_are_optional_but_each_needs_key_and_value() -> None:
    good = {"FirmwareId": "f", "ProductKey": "a1", "TargetDeviceName": ["lamp01"]}
    assert problems("CreateOTAVerifyJob", **good) == {}
    assert list(problems("CreateOTAVerifyJob", **good, Tag=[{"Key": "k"}])) == ["Tag.N.Value"]


def test_a_choice_inside_a_structure_is_to_be_met_by_each_entry() -> None:
    found = problems("BatchUpdateDeviceNickname", DeviceNicknameInfo=[{"IotId": "x"}, {"ProductKey": "a1"}])
    assert [p.position for p in found["DeviceNicknameInfo.N.IotId"]] == [2]


@pytest.mark.parametrize(
    ("extra", "named"),
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
def test_an_update_batch_needs_what_its_choice_of_targets_needs(extra: dict[str, Any], named: str) -> None:
    assert list(problems("CreateOTAStaticUpgradeJob", FirmwareId="f", ProductKey="a1", **extra)) == [named]


def test_a_package_has_one_file_or_several_not_both() -> None:
    good = {"FirmwareName": "f", "DestVersion": "2", "ProductKey": "a1"}
    files = [{"Name": "app", "Url": "https://host/app.bin"}]
    assert problems("CreateOTAFirmware", **good, MultiFiles=files) == {}
    assert list(problems("CreateOTAFirmware", **good)) == ["FirmwareUrl"]
    both = problems("CreateOTAFirmware", **good, MultiFiles=files, FirmwareUrl="https://host/app.bin")
    assert both == {"FirmwareUrl": ["cannot be combined with MultiFiles.N.Url"]}


def test_cancelling_a_batch_names_the_states_to_cancel() -> None:
    assert list(problems("CancelOTATaskByJob", JobId="j")) == ["CancelScheduledTask"]
    assert problems("CancelOTATaskByJob", JobId="j", CancelNotifiedTask=True) == {}


def test_a_dynamic_group_is_named_with_its_kind() -> None:
    good = {"FirmwareId": "f", "ProductKey": "a1", "SrcVersion": ["1"]}
    assert problems("CreateOTADynamicUpgradeJob", **good) == {}
    assert list(problems("CreateOTADynamicUpgradeJob", **good, GroupId="g")) == ["GroupType"]
    assert list(problems("CreateOTADynamicUpgradeJob", **good, GroupType="LINK_PLATFORM_DYNAMIC")) == [
        "GroupId"
    ]


def test_json_is_taken_as_text_or_as_values_and_measured_in_bytes() -> None:
    assert problems("SaveDeviceProp", IotId="x", Props='{"color":"red"}') == {}
    assert problems("SaveDeviceProp", IotId="x", Props={"color": "red"}) == {}
    assert problems("SaveDeviceProp", IotId="x", Props="color=red") == {"Props": ["must be JSON"]}
    assert "Props" in problems("SaveDeviceProp", IotId="x", Props={"color": "红" * 2000})


def test_half_a_character_is_refused() -> None:
    assert problems("UpdateProduct", ProductKey="\ud800", ProductName="Meters") == {
        "ProductKey": ["holds characters that cannot be sent"]
    }


def test_a_sentence_can_be_shown_in_another_language() -> None:
    [sentence] = problems("QueryDevice", ProductKey="a1", PageSize=51)["PageSize"]
    assert sentence == "must be from 1 to 50"
    assert sentence.template == "must be from %(low)d to %(high)d"
    assert sentence.values == {"low": 1, "high": 50}


# --- the wire


def test_lists_structures_and_booleans_are_written_flat_each_in_its_place() -> None:
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


def test_fields_are_nested_with_indices_as_numbers_and_gaps_allowed() -> None:
    assert nest({"T.10": "z", "T.2": "y", "P": "1", "L.1.1": "a", "L.1.3": "b", "S.1.K.2": "q"}) == {
        "T": ["y", "z"],
        "P": "1",
        "L": [["a", "b"]],
        "S": [{"K": ["q"]}],
    }


def test_fields_that_contradict_each_other_are_kept_apart() -> None:
    assert nest({"A": "1", "A.1": "2"}) == {"A": "1", "A.1": "2"}


names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6)


@given(
    names,
    st.lists(st.fixed_dictionaries({"Key": st.text(max_size=5), "Value": st.text(max_size=5)}), max_size=5),
)
def test_what_is_flattened_comes_back(devices: list[str], tags: list[dict[str, str]]) -> None:
    params = {"ProductKey": "a1", "TargetDeviceName": devices, "Tag": tags}
    query, _ = flatten(operation("CreateOTAVerifyJob"), params)
    assert nest(query) == {name: value for name, value in params.items() if value}


@given(st.dictionaries(st.text(".0123456789aB", min_size=1, max_size=9), st.text(max_size=3), max_size=8))
def test_any_field_names_can_be_nested(fields: dict[str, str]) -> None:
    nest(fields)
