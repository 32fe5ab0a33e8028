"""Tags, groups and several devices at once, and what jobs tell of their files."""

from __future__ import annotations

from typing import Any

import pytest

from console.access.models import AuditRecord
from tests.api.conftest import MakeProgram, Program
from tests.api.test_door import kind
from tests.conftest import Organization
from tests.jobs.conftest import _no_pauses, _no_wake_messages, product
from tests.populated import PopulatedTeam

__all__ = ["_no_pauses", "_no_wake_messages", "product"]  # fixtures


@pytest.fixture
def robot(program: MakeProgram) -> Program:
    return program("owner", "operator", name="robot")


@pytest.fixture
def things(populated: PopulatedTeam) -> dict[str, str]:
    """Where a device, a group and a product are."""
    device = populated.things["devices"]
    return {
        "device": f"sandbox/devices/{device['product_key']}/{device['name']}",
        "group": f"sandbox/groups/{populated.things['groups']['group_id']}",
        "product": f"sandbox/products/{device['product_key']}",
    }


@pytest.mark.parametrize("thing", ["device", "group", "product"])
def test_a_tag_is_set_changed_and_taken_off_and_the_others_stay(
    thing: str, things: dict[str, str], robot: Program
) -> None:
    at = things[thing]
    before = robot.get(at).json()["tags"]
    for value in ("north", "south"):
        assert robot.ask("PUT", f"{at}/tags/api.site", {"value": value}).status_code == 204
        assert robot.get(at).json()["tags"] == before | {"api.site": value}
    assert robot.ask("DELETE", f"{at}/tags/api.site").status_code == 204
    assert robot.get(at).json()["tags"] == before


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
def test_a_tag_that_cannot_be_is_told_by_its_field(
    thing: str,
    tag: str,
    value: str,
    field: str,
    things: dict[str, str],
    robot: Program,
    populated: PopulatedTeam,
) -> None:
    answer = robot.ask("PUT", f"{things[thing]}/tags/{tag}", {"value": value})
    assert kind(answer) == "not-valid"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert populated.upstream.writes == []


def test_a_group_has_no_more_tags_than_the_platform_takes(
    things: dict[str, str], robot: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot.ask("PUT", f"{things['group']}/tags/site", {"value": "north"})
    monkeypatch.setattr("console.groups.api.MAX_TAGS", len(robot.get(things["group"]).json()["tags"]))
    assert kind(robot.ask("PUT", f"{things['group']}/tags/season", {"value": "winter"})) == "limit-reached"
    assert robot.ask("PUT", f"{things['group']}/tags/site", {"value": "south"}).status_code == 204


def test_the_groups_of_a_device_are_told(
    things: dict[str, str], robot: Program, populated: PopulatedTeam
) -> None:
    device = populated.things["devices"]
    body = {"product_key": device["product_key"], "names": [device["name"]]}
    robot.post(f"{things['group']}/devices", body)
    listed = robot.get(f"{things['device']}/groups").json()
    assert things["group"].rpartition("/")[2] in [group["id"] for group in listed]


def test_of_several_devices_each_is_told_what_became_of_it(
    org: Organization, product: str, robot: Program
) -> None:
    for name in ("lamp-1", "lamp-2"):
        robot.post("sandbox/devices", {"product_key": product, "name": name})
    named = [{"product_key": product, "name": name} for name in ("lamp-1", "never-was", "lamp-2", "lamp-1")]
    answer = robot.post("sandbox/devices-act", {"action": "disable", "devices": named})
    assert [(one["name"], one["done"], bool(one["why"])) for one in answer.json()] == [
        ("lamp-1", True, False),
        ("never-was", False, True),
        ("lamp-2", True, False),
    ]
    assert robot.get(f"sandbox/devices/{product}/lamp-2").json()["status"] == "DISABLE"
    assert AuditRecord.objects.filter(operation="DisableThing", token=robot.made.token.label).count() == 3
    too_many = [{"product_key": product, "name": f"lamp-{number}"} for number in range(51)]
    assert kind(robot.post("sandbox/devices-act", {"action": "delete", "devices": too_many})) == "not-valid"


def test_deleting_several_devices_waits_for_a_second_person_where_a_rule_asks_for_one(
    org: Organization, product: str, robot: Program
) -> None:
    org.team.approve_deletion_over = 1
    org.team.save()
    names = ["lamp-1", "lamp-2"]
    for name in names:
        robot.post("sandbox/devices", {"product_key": product, "name": name})
    named = [{"product_key": product, "name": name} for name in names]
    answer = robot.post("sandbox/devices-act", {"action": "delete", "devices": named})
    assert (answer.status_code, answer.json()["device_count"]) == (202, 2)
    assert [robot.get(f"sandbox/devices/{product}/{name}").status_code for name in names] == [200, 200]


# -- files of jobs -----------------------------------------------------------------------------------------------------


def lines(answer: Any) -> list[str]:
    return b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()


def test_what_is_wrong_in_a_file_is_told_and_the_bad_lines_handed_back(
    org: Organization, product: str, robot: Program
) -> None:
    content = b"DeviceName,Nickname\nlamp-1,Lamp_1\nno good name,Lamp_2\n"
    job = robot.upload("sandbox/registrations/upload", "d.csv", content, product_key=product).json()
    assert (job["state"], job["skipped"]) == ("ready", 1)
    found = lines(robot.get(f"sandbox/jobs/{job['id']}/findings"))
    assert len(found) == 2
    assert found[1].startswith("3,")
    handed = lines(robot.get(f"sandbox/jobs/{job['id']}/invalid-rows"))
    assert handed == ["DeviceName,Nickname", "no good name,Lamp_2"]
    assert AuditRecord.objects.filter(operation="jobs.export").count() == 2


def test_the_columns_of_a_file_are_chosen_before_its_job_is_started(
    org: Organization, product: str, robot: Program
) -> None:
    content = b"serial,what\nLamp_1,lamp-1\nLamp_2,lamp-2\n"
    job = robot.upload("sandbox/registrations/upload", "d.csv", content, product_key=product).json()
    at = f"sandbox/jobs/{job['id']}"
    refused = robot.post(f"{at}/columns", {"name": 7})
    assert [error["field"] for error in refused.json()["errors"]] == ["name"]
    assert robot.post(f"{at}/columns", {"name": 1, "nickname": 0}).json()["state"] == "ready"
    rows = robot.get(f"{at}/rows").json()["items"]
    assert [(row["name"], row["nickname"]) for row in rows] == [("lamp-1", "Lamp_1"), ("lamp-2", "Lamp_2")]


def test_devices_with_random_names_are_registered(org: Organization, product: str, robot: Program) -> None:
    body = {"product_key": product, "count": 3, "begins": "lamp-"}
    job = robot.post("sandbox/registrations/random", body).json()
    assert (job["state"], job["total"]) == ("queued", 3)
    rows = robot.get(f"sandbox/jobs/{job['id']}/rows").json()["items"]
    assert all(row["name"].startswith("lamp-") and len(row["name"]) == 21 for row in rows)
    answer = robot.post("sandbox/registrations/random", {**body, "begins": "no good"})
    assert [error["field"] for error in answer.json()["errors"]] == ["begins"]
