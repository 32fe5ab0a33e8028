"""The client and the emulator agree with the sample responses of the reference, in JSON and in XML, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest

from iot_client.catalogue import operation
from iot_client.responses import find_mismatch, parse_json, parse_xml
from iot_emulator.wire import render_success
from tests.iot_emulator.shapes import deviations

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"

# Samples that are not XML: the tag that was meant.
TYPING_ERRORS = {
    "CreateEdgeInstanceDeployment": ("****</Data>", "****</DeploymentId>"),
    "QueryDeviceDetail": ("humidity sensor\n", "humidity sensor</ProductName>\n"),
    "QueryDeviceGroupInfo": (
        "</Success>\n<QueryDeviceGroupInfoResponse>",
        "</Success>\n</QueryDeviceGroupInfoResponse>",
    ),
    "QueryDeviceGroupList": ("</GroupInfo>\n         </GroupInfo>", "</GroupInfo>"),
    "RRpc": ("<RequestId/>", "</RequestId>"),
}
# What the reference contradicts itself in, by operation. A path also stands for all that is below it.
CONTRADICTIONS: dict[str, set[str]] = {
    # The two samples have different values, by a slip of the pen.
    "BatchGetEdgeInstanceDriverConfigs": {
        "DriverConfigList[].DriverId",
        "DriverConfigList[].ConfigList[].ConfigId",
    },
    "CreateOTADynamicUpgradeJob": {"Data.JobId", "Data.UtcCreate"},
    "ListOTAJobByFirmware": {"Data.SimpleOTAJobInfo[].FirmwareId"},
    "ListThingTemplates": {"Data[].CategoryName"},
    "QueryConsumerGroupByGroupId": {"Data.GroupName"},
    "QueryDeviceDesiredProperty": {"Data.List.DesiredPropertyInfo[].Name"},
    "QueryEdgeInstance": {"Data.InstanceList[].InstanceId"},
    "SetDeviceDesiredProperty": {"Data.Versions"},
    # One of the two samples is shorter.
    "QueryEdgeInstanceDriver": {"Code", "Success"},
    "QueryEdgeInstanceHistoricDeployment": {"Code", "Success", "Data"},
    "ResetThing": {"JobId"},
    # A sample has another name than the table: the catalogue follows the table.
    "BatchQueryDeviceDetail": {"Data.Data[].NickName", "Data.Data[].Nickname"},
    "ListOTAModuleVersionsByDevice": {"RequestId", "requestId", "success", "code", "errorMessage"},
    "QueryDeviceByStatus": {
        "CurrentPage",
        "TotalCount",
        "TotalPageCount",
        "Data.SimpleDeviceInfo[].DeviceStatus",
    },
    "QueryDeviceDetail": {"Data.NickName", "Data.Nickname"},
    "QueryDeviceFileList": {"Data.FileStoreSummary"},
    "QueryDeviceOriginalEventData": {"Data.NextTime", "Data.NextPageToken"},
    "QueryDeviceOriginalPropertyStatus": {"Data.List.PropertyStatusInfo", "Data.nextPageToken"},
    # A sample has a field that the table does not have.
    "CreateProduct": {"Data.ResourceGroupId"},
    "GetThingTopo": {"Data.NextToken"},
    "QueryDeviceByDriver": {"Data.DeviceList[].DeviceName", "Data.DeviceList[].ProductKey"},
    # A list in the table, an object in a sample.
    "ListOTAModuleByProduct": {"Data"},
    "QuerySuperDeviceGroup": {"Data"},
    # A text in the table, which a sample shows as an object.
    "GetDeviceShadow": {"ShadowMessage"},
    "GetRuleAction": {"RuleActionInfo.Configuration"},
    "ListRuleActions": {"RuleActionList.RuleActionInfo[]"},
    # A number in the table, masked in the samples.
    "GetRule": {"RuleInfo.CreateUserId"},
    "ListRule": {"Data.RuleInfo[].CreateUserId"},
}


def read_json_samples() -> dict[str, dict[str, Any]]:
    """The JSON samples that can be parsed, by operation."""
    path = REFERENCE / "operations.json"
    records: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: record["sample_json"] for name, record in records.items() if record.get("sample_json")}


def read_xml_samples() -> dict[str, Element]:
    """The XML samples, by operation. The conversion of the reference to text broke some lines within a tag."""
    samples = {}
    for path in sorted(REFERENCE.glob("*/*.txt")):
        name = path.name.partition(".")[0]
        text = re.sub(r"\n*```\n*", "\n", path.read_text(encoding="utf-8"))
        text = re.sub(r"</(\w+)\s*\n(\w*)\s*>", r"</\1\2>", text).replace(">>true<", ">true<")
        text = text.replace(*TYPING_ERRORS.get(name, ("", "")), 1)
        sample = re.search(r"XML ?(?:format|格式)\s*(?:<\?.*?\?>)?\s*(<(\w+)>.*?</\2>)", text, re.DOTALL)
        if sample is not None and name not in samples:
            samples[name] = fromstring(sample[1])
    return samples


JSON_SAMPLES = read_json_samples()
XML_SAMPLES = read_xml_samples()


def list_values(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of all values below `value`. White space is left out: the conversion of the reference changed it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from list_values(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from list_values(item, f"{path}[{number}]")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield path, re.sub(r"\s", "", text)


def find_differences(one: Any, other: Any) -> set[str]:
    """The paths of the values that differ, without the positions in lists. Each sample may have a request ID of its own."""
    paths = {path for path, _ in set(list_values(one)) ^ set(list_values(other))}
    return {re.sub(r"\[\d+\]", "[]", path) for path in paths} - {"RequestId"}


def list_element_paths(element: Element, path: str = "") -> Iterator[str]:
    for child in element:
        below = f"{path}/{child.tag}" if path else child.tag
        yield below
        yield from list_element_paths(child, below)


def is_known(name: str, path: str) -> bool:
    """Whether the reference contradicts itself at this path of a response."""
    return any(
        path == known or path.startswith((f"{known}.", f"{known}[")) for known in CONTRADICTIONS.get(name, ())
    )


def find_json_deviations(name: str) -> set[str]:
    mismatch = find_mismatch(operation(name), JSON_SAMPLES[name])
    return {mismatch} if mismatch else set()


def find_xml_deviations(name: str) -> set[str]:
    """The paths where the XML sample, as the client reads it, differs from the catalogue or from the JSON sample."""
    op = operation(name)
    response = parse_xml(op, tostring(XML_SAMPLES[name]))
    mismatch = find_mismatch(op, response)
    found = {mismatch} if mismatch else set()
    found |= {path.partition(":")[0] for path in deviations(response, "", dict(op.response))}
    return found | (find_differences(response, JSON_SAMPLES[name]) if name in JSON_SAMPLES else set())


@pytest.mark.parametrize("name", sorted(JSON_SAMPLES))
def test_the_client_reads_the_json_sample_as_the_catalogue_says(name: str) -> None:
    assert parse_json(json.dumps(JSON_SAMPLES[name]).encode()) == JSON_SAMPLES[name]
    assert [path for path in find_json_deviations(name) if not is_known(name, path)] == []


@pytest.mark.parametrize("name", sorted(XML_SAMPLES))
def test_the_client_reads_the_xml_sample_as_the_catalogue_says(name: str) -> None:
    assert [path for path in find_xml_deviations(name) if not is_known(name, path)] == []


@pytest.mark.parametrize("name", sorted(JSON_SAMPLES.keys() | XML_SAMPLES.keys()))
def test_the_emulator_writes_the_data_of_a_sample_as_the_reference_does(name: str) -> None:
    op = operation(name)
    data = JSON_SAMPLES.get(name) or parse_xml(op, tostring(XML_SAMPLES[name]))
    body = render_success(name, op, data, as_json=False, request_id="").body
    lost = find_differences(parse_xml(op, body), data) - {"Success"}  # the emulator writes it always
    assert [path for path in lost if not is_known(name, path)] == []
    if name in XML_SAMPLES:
        elements = set(list_element_paths(fromstring(body)))
        different = (elements ^ set(list_element_paths(XML_SAMPLES[name]))) - {"RequestId", "Success"}
        contradictory = [op.xml_path(path) for path in CONTRADICTIONS.get(name, ())]
        assert [path for path in different if not path.startswith(tuple(contradictory))] == []


@pytest.mark.skipif(not JSON_SAMPLES, reason="no reference beside this checkout")
def test_the_list_of_contradictions_has_no_entry_too_many() -> None:
    for name, known in CONTRADICTIONS.items():
        found = (
            find_xml_deviations(name) | find_json_deviations(name)
            if name in JSON_SAMPLES
            else find_xml_deviations(name)
        )
        for path in known:
            assert any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in found), (name, path)
