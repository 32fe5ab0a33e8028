"""The life of updates on the clock: tasks from queue to end, confirming, cancelling, conflicts, retries."""

from __future__ import annotations

import time

import pytest

from console.emulator import create_app
from console.emulator.ota import running
from tests.emulator.conftest import KEY_ID, KEY_SECRET, create_api
from tests.emulator.ota_world import World

HOUR = 3600


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


@pytest.fixture
def product(world) -> str:
    return world.product()


def test_an_update_runs_from_upload_to_new_versions(world, product):
    devices = world.devices(product, 60)
    job = world.static(world.package(product), product)
    assert world.counts(job) == {"QUEUED": 60}
    seen = set()
    for _ in range(80):
        world.clock.advance(5)
        statuses = world.counts(job)
        seen |= set(statuses)
        for task in world.tasks(job, TaskStatus="IN_PROGRESS"):
            assert 0 <= float(task["Progress"]) < 100
    assert {"NOTIFIED", "IN_PROGRESS", "SUCCEEDED"} <= seen
    assert set(statuses) <= {"SUCCEEDED", "FAILED"}
    assert statuses["SUCCEEDED"] >= 50
    shown = world.call("QueryOTAJob", JobId=job)["Data"]
    assert shown["JobStatus"] == "COMPLETED"
    assert shown["UtcEndTime"] > shown["UtcStartTime"]
    for task in world.tasks(job):
        done = task["TaskStatus"] == "SUCCEEDED"
        assert task["SrcVersion"] == "1.0.0"
        assert (float(task["Progress"]) == 100) == done
        assert (task["TaskDesc"] == "") == done
        assert world.versions(product, task["DeviceName"])["default"] == ("2.0.0" if done else "1.0.0")
    assert len(devices) == 60


def test_progress_grows(world, product):
    world.devices(product, 1)
    job = world.static(world.package(product), product)
    seen = []
    for _ in range(60):
        world.clock.advance(5)
        seen.append(float(world.tasks(job)[0]["Progress"]))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert seen[-1] == 100


def test_it_does_not_matter_how_often_somebody_looks(world, tmp_path, product):
    world.devices(product, 40)
    package = world.package(product)
    job = world.static(package, product, MaximumPerMinute=10)
    world.clock.advance(HOUR)
    at_once = {task["DeviceName"]: task for task in world.tasks(job)}
    other = world.product("Meter_B2")
    world.devices(other, 40)
    watched = world.static(world.package(other, "pkg-b"), other, MaximumPerMinute=10)
    start = world.clock.now()
    world.run_out(HOUR, 7)
    for task in world.tasks(watched):
        assert task["TaskStatus"] == at_once[task["DeviceName"]]["TaskStatus"]
    assert start < world.clock.now()


def test_no_more_devices_are_told_a_minute_than_allowed(world, product):
    world.devices(product, 35)
    job = world.static(world.package(product), product, MaximumPerMinute=10)
    world.clock.advance(62.9)
    assert world.counts(job)["QUEUED"] == 25
    world.clock.advance(60)
    assert world.counts(job)["QUEUED"] == 15


def test_a_device_that_is_offline_waits_until_it_is_online(world, product):
    world.devices(product, 1, status="OFFLINE")
    job = world.static(world.package(product), product)
    world.run_out(600)
    assert world.counts(job) == {"QUEUED": 1}
    world.come_online(product)
    world.run_out(60)
    assert world.counts(job) != {"QUEUED": 1}
    world.run_out(600)
    assert world.status(job) == "COMPLETED"


def test_a_batch_without_push_waits_for_the_devices_to_ask(world, product):
    world.devices(product, 20)
    job = world.static(world.package(product), product, NeedPush=False)
    world.clock.advance(20)
    assert world.counts(job) == {"QUEUED": 20}
    world.run_out(900)
    assert world.status(job) == "COMPLETED"


def test_a_failed_update_says_why_and_leaves_the_version(world, product):
    world.devices(product, 1)
    name = world.make_fail()
    job = world.static(world.package(product), product)
    world.run_out()
    (task,) = world.tasks(job)
    assert task["TaskStatus"] == "FAILED"
    assert task["TaskDesc"] in running.REASONS
    assert 0 < float(task["Progress"]) < 100
    assert world.versions(product, name) == {"default": "1.0.0"}


def test_a_device_that_fails_once_is_retried_after_the_interval(world, product):
    world.devices(product, 1)
    world.make_fail(once=True)
    job = world.static(world.package(product), product, RetryInterval=10, RetryCount=1)
    world.run_out(9 * 60)
    (task,) = world.tasks(job)
    assert task["TaskStatus"] == "QUEUED"
    assert task["TaskDesc"] in running.REASONS
    world.run_out(12 * 60)
    assert world.counts(job) == {"SUCCEEDED": 1}


def test_without_retries_the_first_failure_is_the_end(world, product):
    world.devices(product, 1)
    world.make_fail(once=True)
    job = world.static(world.package(product), product)
    world.run_out()
    assert world.counts(job) == {"FAILED": 1}


def test_an_update_longer_than_the_timeout_fails_without_retry(world, product):
    world.devices(product, 10)
    job = world.static(world.package(product), product, TimeoutInMinutes=1)
    world.run_out()
    assert world.counts(job) == {"FAILED": 10}
    assert {task["TaskDesc"] for task in world.tasks(job)} == {running.TIMED_OUT}
    assert {task["Timeout"] for task in world.tasks(job)} == {"1"}


def test_a_device_in_a_batch_fails_in_a_second_one(world, product):
    devices = world.devices(product, 2)
    first = world.static(
        world.package(product), product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
    )
    second = world.static(world.package(product, "pkg-3", "3.0.0"), product)
    statuses = {task["DeviceName"]: task["TaskStatus"] for task in world.tasks(second)}
    assert statuses == {devices[0]: "FAILED", devices[1]: "QUEUED"}
    assert world.counts(first) == {"QUEUED": 1}


def test_overwriting_cancels_what_waits_but_not_what_runs(world, product):
    devices = world.devices(product, 2)
    package, newer = world.package(product), world.package(product, "pkg-3", "3.0.0")
    running_job = world.static(package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1])
    world.clock.advance(30)
    assert world.counts(running_job) == {"IN_PROGRESS": 1}
    waiting_job = world.static(
        package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[1:], NeedConfirm=True
    )
    job = world.static(newer, product, OverwriteMode=2)
    assert world.counts(waiting_job) == {"CANCELED": 1}
    assert world.counts(running_job) == {"IN_PROGRESS": 1}
    statuses = {task["DeviceName"]: task["TaskStatus"] for task in world.tasks(job)}
    assert statuses == {devices[0]: "FAILED", devices[1]: "QUEUED"}
    world.run_out()
    assert world.status(waiting_job) == "COMPLETED"


def test_modules_are_updated_side_by_side_in_multi_module_mode(emulator, clock):
    world = World.of(emulator, clock, instance="iot-sandbox")
    product = world.product()
    (name,) = world.devices(product, 1)
    with emulator.store.write() as db:
        db.execute(
            "INSERT INTO device_modules SELECT account, instance, iot_id, 'radio', '1.0.0', created FROM devices"
        )
    world.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
    world.static(world.package(product), product)
    radio = world.static(
        world.package(product, "radio-2", "2.0.0", ModuleName="radio"), product, MultiModuleMode=True
    )
    assert world.counts(radio) == {"QUEUED": 1}
    world.run_out()
    assert world.versions(product, name) == {"default": "2.0.0", "radio": "2.0.0"}


def test_a_planned_batch_starts_at_its_time(world, product):
    world.devices(product, 2)
    start = world.clock.now() + HOUR * 1000
    job = world.static(world.package(product), product, ScheduleTime=start)
    assert world.status(job) == "PLANNED"
    world.clock.advance(HOUR - 1)
    assert (world.status(job), world.counts(job)) == ("PLANNED", {"QUEUED": 2})
    world.clock.advance(2)
    assert world.status(job) == "IN_PROGRESS"
    world.run_out()
    shown = world.call("QueryOTAJob", JobId=job)["Data"]
    assert shown["JobStatus"] == "COMPLETED"
    assert shown["UtcStartTime"] == shown["UtcScheduleTime"]


def test_a_batch_ends_at_its_finish_time(world, product):
    world.devices(product, 2, status="OFFLINE")
    start = world.clock.now() + HOUR * 1000
    job = world.static(
        world.package(product), product, ScheduleTime=start, ScheduleFinishTime=start + HOUR * 1000
    )
    world.clock.advance(2 * HOUR + 1)
    assert world.counts(job) == {"CANCELED": 2}
    shown = world.call("QueryOTAJob", JobId=job)["Data"]
    assert shown["JobStatus"] == "COMPLETED"
    assert shown["UtcEndTime"] == shown["UtcScheduleFinishTime"]


def test_at_instant_pace_a_batch_is_done_at_the_next_look(tmp_path, clock):
    app = create_app(
        tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
    )
    world = World.of(app, clock)
    product = world.product()
    world.devices(product, 20)
    job = world.static(world.package(product), product, RetryInterval=60, RetryCount=5, MaximumPerMinute=10)
    assert world.status(job) == "COMPLETED"
    app.close()


class TestConfirming:
    def test_a_task_waits_until_it_is_confirmed(self, world, product):
        world.devices(product, 2)
        job = world.static(world.package(product), product, NeedConfirm=True)
        world.run_out()
        first, second = world.tasks(job)
        assert (first["TaskStatus"], second["TaskStatus"]) == ("CONFIRM", "CONFIRM")
        world.call("ConfirmOTATask", TaskId=[first["TaskId"]])
        world.run_out()
        assert world.tasks(job)[0]["TaskStatus"] in ("SUCCEEDED", "FAILED")
        assert world.tasks(job)[1]["TaskStatus"] == "CONFIRM"
        assert world.status(job) == "IN_PROGRESS"

    def test_what_cannot_be_confirmed_is_refused(self, world, emulator, product):
        world.devices(product, 2)
        start = world.clock.now() + HOUR * 1000
        job = world.static(world.package(product), product, NeedConfirm=True, ScheduleTime=start)
        task = world.tasks(job)[0]["TaskId"]
        assert world.refused("ConfirmOTATask", TaskId=[task]) == "iot.ota.ConfirmNotAllowedNow"
        world.clock.advance(HOUR)
        assert create_api(emulator, "otherid", "othersecret").error_code("ConfirmOTATask", TaskId=[task]) == (
            "iot.firmware.InvalidOTATaskId"
        )
        assert world.refused("ConfirmOTATask", TaskId=[task, "none"]) == "iot.firmware.InvalidOTATaskId"
        world.call("ConfirmOTATask", TaskId=[task])
        assert world.refused("ConfirmOTATask", TaskId=[task]) == "iot.firmware.InvalidTaskStatus"
        assert world.refused("ConfirmOTATask", TaskId=[str(n) for n in range(11)]) == "iot.ota.TooManyOtaTask"
        assert world.refused("ConfirmOTATask") == "MissingTaskId"


class TestCancelling:
    def test_queued_tasks_take_unconfirmed_ones_along(self, world, product):
        world.devices(product, 2)
        job = world.static(world.package(product), product, NeedConfirm=True)
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True, CancelUnconfirmedTask=False)
        assert world.counts(job) == {"CONFIRM": 2}
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        assert world.counts(job) == {"CANCELED": 2}
        assert world.status(job) == "CANCELED"
        assert world.refused("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True) == (
            "iot.firmware.JobAlreadyCanceled"
        )

    def test_running_tasks_go_on_unless_named_and_the_batch_ends_cancelled(self, world, product):
        world.devices(product, 40)
        job = world.static(world.package(product), product, MaximumPerMinute=20)
        world.clock.advance(60)
        before = world.counts(job)
        assert before["IN_PROGRESS"]
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        after = world.counts(job)
        assert after["CANCELED"] == before["QUEUED"]
        assert after["IN_PROGRESS"] == before["IN_PROGRESS"]
        assert world.status(job) == "IN_PROGRESS"
        world.call("CancelOTATaskByJob", JobId=job, CancelInProgressTask=True)
        assert world.counts(job)["CANCELED"] == before["QUEUED"] + before["IN_PROGRESS"]
        world.run_out()
        assert world.status(job) == "CANCELED"
        canceled = world.tasks(job, TaskStatus="CANCELED")
        assert {task["TaskDesc"] for task in canceled} == {"canceled by user"}
        assert world.versions(product, canceled[0]["DeviceName"]) == {"default": "1.0.0"}

    def test_notified_tasks(self, world, product):
        world.devices(product, 20)
        job = world.static(world.package(product), product)
        world.clock.advance(4.5)
        assert world.counts(job) == {"NOTIFIED": 20}
        world.call("CancelOTATaskByJob", JobId=job, CancelNotifiedTask=True)
        assert world.counts(job) == {"CANCELED": 20}

    def test_a_planned_batch(self, world, product):
        world.devices(product, 2)
        start = world.clock.now() + HOUR * 1000
        job = world.static(world.package(product), product, ScheduleTime=start)
        world.call("CancelOTATaskByJob", JobId=job, CancelScheduledTask=True)
        assert world.status(job) == "CANCELED"
        world.clock.advance(2 * HOUR)
        assert world.counts(job) == {"CANCELED": 2}

    def test_what_cannot_be_cancelled_is_refused(self, world, product):
        world.devices(product, 2)
        job = world.static(world.package(product), product)
        assert world.refused("CancelOTATaskByJob") == "MissingJobId"
        assert world.refused("CancelOTATaskByJob", JobId="none", CancelQueuedTask=True) == (
            "iot.firmware.InvalidOTAJobId"
        )
        assert world.refused("CancelOTATaskByJob", JobId=job) == "iot.firmware.CancelOptionIsMandatory"
        assert world.refused("CancelOTATaskByJob", JobId=job, CancelScheduledTask=True) == (
            "iot.firmware.JobHasNoScheduleTime"
        )
        world.run_out()
        assert world.refused("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True) == (
            "iot.firmware.IncorrectDeviceUpgradeJobStatus"
        )

    def test_a_cancelled_device_can_be_updated_again(self, world, product):
        world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product)
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        again = world.static(package, product)
        assert world.counts(again) == {"QUEUED": 2}

    def test_by_device_before_the_device_has_begun(self, world, product):
        devices = world.devices(product, 3)
        package = world.package(product)
        job = world.static(package, product, MaximumPerMinute=10)
        ask = {"FirmwareId": package, "ProductKey": product}
        world.call("CancelOTATaskByDevice", **ask, DeviceName=devices[1:2])
        statuses = {task["DeviceName"]: task["TaskStatus"] for task in world.tasks(job)}
        assert statuses == {devices[0]: "QUEUED", devices[1]: "CANCELED", devices[2]: "QUEUED"}
        refused = world.refused("CancelOTATaskByDevice", **ask, DeviceName=devices[1:2])
        assert refused == "iot.firmware.DeviceUpgradeRecordNotFound"
        world.clock.advance(50)
        assert world.refused("CancelOTATaskByDevice", **ask, DeviceName=devices[:1]) == (
            "iot.firmware.IncorrectDeviceUpgradeJobStatus"
        )
        assert (
            world.refused("CancelOTATaskByDevice", **ask, DeviceName=["nobody"])
            == "iot.device.NotExistedDevice"
        )
        assert world.refused("CancelOTATaskByDevice", **ask, DeviceName=devices, JobId="none") == (
            "iot.firmware.InvalidOTAJobId"
        )
        assert world.refused("CancelOTATaskByDevice", **ask) == "MissingDeviceName"
        assert world.refused("CancelOTATaskByDevice", **ask, DeviceName=[f"d{n}" for n in range(201)]) == (
            "iot.firmware.ParameterSizeExceedMax"
        )
        world.run_out()
        assert world.status(job) == "COMPLETED"

    def test_a_deleted_device_does_not_hold_its_batch_up(self, world, product):
        devices = world.devices(product, 1, status="OFFLINE")
        job = world.static(world.package(product), product)
        world.call("DeleteDevice", ProductKey=product, DeviceName=devices[0])
        assert world.counts(job) == {"CANCELED": 1}
        assert world.status(job) == "COMPLETED"


class TestListing:
    def test_tasks_are_paged_filtered_and_found_by_name(self, world, product):
        devices = world.devices(product, 25)
        job = world.static(world.package(product), product)
        page = world.call("ListOTATaskByJob", JobId=job, CurrentPage=2, PageSize=10)
        assert [task["DeviceName"] for task in page["Data"]["SimpleOTATaskInfo"]] == devices[10:20]
        assert (page["Total"], page["PageCount"], page["CurrentPage"]) == (25, 3, 2)
        assert world.call("ListOTATaskByJob", JobId=job)["PageSize"] == 10
        assert world.call("ListOTATaskByJob", JobId=job, TaskStatus="FAILED")["Total"] == 0
        found = world.call("ListOTATaskByJob", JobId=job, DeviceNames=[devices[3], devices[20], "nobody"])
        assert [task["DeviceName"] for task in found["Data"]["SimpleOTATaskInfo"]] == [
            devices[3],
            devices[20],
        ]
        assert found["Data"]["SimpleOTATaskInfo"][0]["Timeout"] is None

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"JobId": None}, "MissingJobId"),
            ({"JobId": "none"}, "iot.firmware.InvalidOTAJobId"),
            ({"TaskStatus": "DONE"}, "iot.firmware.InvalidTaskStatus"),
            ({"PageSize": 101}, "iot.common.InvalidPageParams"),
            ({"PageSize": 100, "CurrentPage": 1001}, "iot.common.InvalidPageParams"),
            ({"DeviceNames": [f"d{n}" for n in range(51)]}, "iot.firmware.ParameterSizeExceedMax"),
        ],
    )
    def test_bad_listings_are_refused(self, world, product, params, code):
        world.devices(product, 1)
        job = world.static(world.package(product), product)
        assert world.refused("ListOTATaskByJob", **{"JobId": job, **params}) == code

    def test_the_unfinished_tasks_of_a_device(self, world, product):
        (name,) = world.devices(product, 1)
        job = world.static(world.package(product), product, NeedConfirm=True)
        ask = {"ProductKey": product, "DeviceName": name}
        answer = world.call("ListOTAUnfinishedTaskByDevice", **ask, TaskStatus="CONFIRM")
        (task,) = answer["Data"]["SimpleOTATaskInfo"]
        assert (task["JobId"], task["ModuleName"], task["DestVersion"]) == (job, "default", "2.0.0")
        by_id = world.call("ListOTAUnfinishedTaskByDevice", IotId=task["IotId"], TaskStatus="CONFIRM")
        assert by_id["Data"] == answer["Data"]
        for other in ({"TaskStatus": "QUEUED"}, {"TaskStatus": "CONFIRM", "ModuleName": "radio"}):
            found = world.call("ListOTAUnfinishedTaskByDevice", **ask, **other)
            assert found["Data"]["SimpleOTATaskInfo"] == []
        several = {"TaskStatus": "QUEUED", "TaskStatusList": ["QUEUED", "CONFIRM"]}
        assert world.call("ListOTAUnfinishedTaskByDevice", **ask, **several)["Data"]["SimpleOTATaskInfo"]
        assert world.refused("ListOTAUnfinishedTaskByDevice", **ask, TaskStatus="FAILED") == (
            "iot.firmware.InvalidTaskStatus"
        )
        assert world.refused("ListOTAUnfinishedTaskByDevice", **ask) == "MissingTaskStatus"
        assert (
            world.refused("ListOTAUnfinishedTaskByDevice", TaskStatus="CONFIRM") == "iot.prod.NullProductKey"
        )


def test_a_batch_of_ten_thousand_devices_costs_little_a_request(world, product):
    world.devices(product, 10_000)
    job = world.static(world.package(product), product)
    slowest = 0.0
    while world.status(job) != "COMPLETED":
        world.clock.advance(10)
        before = time.process_time()
        world.call("ListOTATaskByJob", JobId=job, PageSize=100)
        slowest = max(slowest, time.process_time() - before)
    assert slowest < 2
    total = sum(
        world.call("ListOTATaskByJob", JobId=job, TaskStatus=status)["Total"]
        for status in ("SUCCEEDED", "FAILED")
    )
    assert total == 10_000
