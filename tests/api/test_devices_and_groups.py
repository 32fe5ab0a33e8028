"""Tags, groups, and the files of jobs."""

from __future__ import annotations

from typing import Any

import pytest

from console.audit.models import AuditRecord
from tests.api_programs import CreateProgram, Program, problem_kind
from tests.conftest import Organization
from tests.populated import PopulatedTeam


@pytest.fixture
def program(create_program: CreateProgram) -> Program:
    return create_program("owner", "operator", name="robot")


@pytest.fixture
def things(populated: PopulatedTeam) -> dict[str, str]:
    """The paths of a device, a group and a product."""
    device = populated.things["devices"]
    return {
        "device": f"sandbox/devices/{device['product_key']}/{device['name']}",
        "group": f"sandbox/groups/{populated.things['groups']['group_id']}",
        "product": f"sandbox/products/{device['product_key']}",
    }


def test_a_list_of_devices_has_no_time_of_activation_which_the_platform_does_not_list(
    things: dict[str, str], program: Program, populated: PopulatedTeam
) -> None:
    product = populated.things["devices"]["product_key"]
    (first, *_others) = program.get(f"sandbox/devices?product_key={product}&status=ONLINE").json()["items"]
    assert "activated_at" not in first
    assert program.get(f"sandbox/devices/{product}/{first['name']}").json()["activated_at"]


@pytest.mark.parametrize("thing", ["device", "group", "product"])
def test_a_tag_is_added_changed_and_removed_and_the_others_are_kept(
    thing: str, things: dict[str, str], program: Program
) -> None:
    at = things[thing]
    before = program.get(at).json()["tags"]
    for value in ("north", "south"):
        assert program.send("PUT", f"{at}/tags/api.site", {"value": value}).status_code == 204
        assert program.get(at).json()["tags"] == before | {"api.site": value}
    assert program.send("DELETE", f"{at}/tags/api.site").status_code == 204
    assert program.get(at).json()["tags"] == before


@pytest.mark.parametrize(
    ("thing", "tag", "value", "field"),
    [
        ("group", "x", "north", "tag"),
        ("group", "api.site", "north side", "value"),
        ("group", "api.site", "", "value"),
        ("device", "api.site", "", "value"),
        ("product", "api.site", "x" * 129, "value"),
    ],
)
def test_an_invalid_tag_is_refused_with_the_name_of_the_field(
    thing: str,
    tag: str,
    value: str,
    field: str,
    things: dict[str, str],
    program: Program,
    populated: PopulatedTeam,
) -> None:
    response = program.send("PUT", f"{things[thing]}/tags/{tag}", {"value": value})
    assert problem_kind(response) == "validation-failed"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert populated.upstream.writes == []


def test_a_group_cannot_have_more_tags_than_the_platform_allows(
    things: dict[str, str], program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.send("PUT", f"{things['group']}/tags/site", {"value": "north"})
    monkeypatch.setattr("console.areas.groups.api.MAX_TAGS", len(program.get(things["group"]).json()["tags"]))
    assert (
        problem_kind(program.send("PUT", f"{things['group']}/tags/season", {"value": "winter"}))
        == "limit-reached"
    )
    assert program.send("PUT", f"{things['group']}/tags/site", {"value": "south"}).status_code == 204


def test_the_groups_of_a_device_are_listed(
    things: dict[str, str], program: Program, populated: PopulatedTeam
) -> None:
    device = populated.things["devices"]
    body = {"product_key": device["product_key"], "device_names": [device["name"]]}
    program.post(f"{things['group']}/devices", body)
    listed = program.get(f"{things['device']}/groups").json()
    assert things["group"].rpartition("/")[2] in [group["id"] for group in listed]


# -- files of jobs -----------------------------------------------------------------------------------------------------


def read_lines(response: Any) -> list[str]:
    return b"".join(response.streaming_content).decode("utf-8-sig").splitlines()


def test_the_errors_and_the_invalid_rows_of_a_file_can_be_downloaded(
    org: Organization, meter_product: str, program: Program
) -> None:
    content = b"DeviceName,Nickname\nlamp-1,Lamp_1\nno good name,Lamp_2\n"
    job = program.upload("sandbox/registrations/upload", "d.csv", content, product_key=meter_product).json()
    assert (job["status"], job["skipped"]) == ("ready", 1)
    errors = read_lines(program.get(f"sandbox/registrations/{job['id']}/errors"))
    assert len(errors) == 2
    assert errors[1].startswith("3,")
    invalid_rows = read_lines(program.get(f"sandbox/registrations/{job['id']}/invalid-rows"))
    assert invalid_rows[0] == "DeviceName,Nickname,fleetdesk_error"
    assert invalid_rows[1].startswith("no good name,Lamp_2,")
    assert len(invalid_rows) == 2
    assert AuditRecord.objects.filter(operation="jobs.export").count() == 2


def test_the_columns_of_a_file_can_be_mapped_before_its_job_starts(
    org: Organization, meter_product: str, program: Program
) -> None:
    content = b"serial,what\nLamp_1,lamp-1\nLamp_2,lamp-2\n"
    job = program.upload("sandbox/registrations/upload", "d.csv", content, product_key=meter_product).json()
    columns = f"sandbox/registrations/{job['id']}/columns"
    refused = program.post(columns, {"name": 7})
    assert [error["field"] for error in refused.json()["errors"]] == ["name"]
    assert program.post(columns, {"name": 1, "nickname": 0}).json()["status"] == "ready"
    items = program.get(f"sandbox/jobs/{job['id']}/items").json()["items"]
    assert [(item["key"], item["label"]) for item in items] == [("lamp-1", "Lamp_1"), ("lamp-2", "Lamp_2")]


def test_devices_with_generated_names_are_registered(
    org: Organization, meter_product: str, program: Program
) -> None:
    body = {"product_key": meter_product, "count": 3, "prefix": "lamp-"}
    job = program.post("sandbox/registrations/generated", body).json()
    assert (job["status"], job["total"]) == ("queued", 3)
    items = program.get(f"sandbox/jobs/{job['id']}/items").json()["items"]
    assert all(item["key"].startswith("lamp-") and len(item["key"]) == 21 for item in items)
    response = program.post("sandbox/registrations/generated", {**body, "prefix": "no good"})
    assert [error["field"] for error in response.json()["errors"]] == ["prefix"]
