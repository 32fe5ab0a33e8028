"""The course of updates over time: tasks from start to end, confirming, canceling, conflicts, retries."""

from __future__ import annotations

import time

import pytest

from iot_emulator import create_app
from iot_emulator.formats import format_utc
from iot_emulator.ota import running
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, create_api
from tests.iot_emulator.update_setup import UpdateSetup

HOUR = 3600


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


@pytest.fixture
def product(ota) -> str:
    return ota.create_product()


def test_an_update_runs_from_upload_to_new_versions(ota, product):
    devices = ota.register_devices(product, 60)
    batch = ota.create_static_batch(ota.create_package(product), product)
    assert ota.count_tasks(batch) == {"QUEUED": 60}
    seen = set()
    for _ in range(80):
        ota.clock.advance(5)
        statuses = ota.count_tasks(batch)
        seen |= set(statuses)
        for task in ota.list_tasks(batch, TaskStatus="IN_PROGRESS"):
            assert 0 <= float(task["Progress"]) < 100
    assert {"NOTIFIED", "IN_PROGRESS", "SUCCEEDED"} <= seen
    assert set(statuses) <= {"SUCCEEDED", "FAILED"}
    assert statuses["SUCCEEDED"] >= 50
    info = ota.call("QueryOTAJob", JobId=batch)["Data"]
    assert info["JobStatus"] == "COMPLETED"
    assert info["UtcEndTime"] > info["UtcStartTime"]
    for task in ota.list_tasks(batch):
        done = task["TaskStatus"] == "SUCCEEDED"
        assert task["SrcVersion"] == "1.0.0"
        assert (float(task["Progress"]) == 100) == done
        assert (task["TaskDesc"] == "") == done
        assert ota.read_versions(product, task["DeviceName"])["default"] == ("2.0.0" if done else "1.0.0")
    assert len(devices) == 60


def test_progress_grows(ota, product):
    ota.register_devices(product, 1)
    batch = ota.create_static_batch(ota.create_package(product), product)
    seen = []
    for _ in range(60):
        ota.clock.advance(5)
        seen.append(float(ota.list_tasks(batch)[0]["Progress"]))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert seen[-1] == 100


def test_the_result_does_not_depend_on_how_often_the_batch_is_read(ota, tmp_path, product):
    ota.register_devices(product, 40)
    package = ota.create_package(product)
    batch = ota.create_static_batch(package, product, MaximumPerMinute=10)
    ota.clock.advance(HOUR)
    at_once = {task["DeviceName"]: task for task in ota.list_tasks(batch)}
    other = ota.create_product("Meter_B2")
    ota.register_devices(other, 40)
    watched = ota.create_static_batch(ota.create_package(other, "pkg-b"), other, MaximumPerMinute=10)
    start = ota.clock.now()
    ota.run_for(HOUR, 7)
    for task in ota.list_tasks(watched):
        assert task["TaskStatus"] == at_once[task["DeviceName"]]["TaskStatus"]
    assert start < ota.clock.now()


def test_no_more_devices_are_notified_per_minute_than_allowed(ota, product):
    ota.register_devices(product, 35)
    batch = ota.create_static_batch(ota.create_package(product), product, MaximumPerMinute=10)
    ota.clock.advance(62.9)
    assert ota.count_tasks(batch)["QUEUED"] == 25
    ota.clock.advance(60)
    assert ota.count_tasks(batch)["QUEUED"] == 15


def test_devices_that_came_and_went_in_a_jump_of_the_clock_are_updated(ota, product):
    ota.register_devices(product, 100, status="OFFLINE")
    with ota.emulator.store.write() as db:
        db.execute("UPDATE devices SET due = ?", (ota.clock.now() + HOUR * 1000,))
    batch = ota.create_static_batch(ota.create_package(product), product)
    ota.clock.advance(9 * 24 * HOUR)
    assert set(ota.count_tasks(batch)) <= {"SUCCEEDED", "FAILED"}
    assert ota.call("QueryDeviceStatistics", ProductKey=product)["Data"]["onlineCount"] < 100


def test_the_task_of_an_offline_device_waits_until_it_is_online(ota, product):
    ota.register_devices(product, 1, status="OFFLINE")
    batch = ota.create_static_batch(ota.create_package(product), product)
    ota.run_for(600)
    assert ota.count_tasks(batch) == {"QUEUED": 1}
    ota.set_online(product)
    ota.run_for(60)
    assert ota.count_tasks(batch) != {"QUEUED": 1}
    ota.run_for(600)
    assert ota.read_batch_status(batch) == "COMPLETED"


def test_a_batch_without_push_waits_for_the_requests_of_the_devices(ota, product):
    ota.register_devices(product, 20)
    batch = ota.create_static_batch(ota.create_package(product), product, NeedPush=False)
    ota.clock.advance(20)
    assert ota.count_tasks(batch) == {"QUEUED": 20}
    ota.run_for(900)
    assert ota.read_batch_status(batch) == "COMPLETED"


def test_a_failed_update_has_a_reason_and_keeps_the_version(ota, product):
    ota.register_devices(product, 1)
    name = ota.make_device_fail()
    batch = ota.create_static_batch(ota.create_package(product), product)
    ota.run_for()
    (task,) = ota.list_tasks(batch)
    assert task["TaskStatus"] == "FAILED"
    assert task["TaskDesc"] in running.REASONS
    assert 0 < float(task["Progress"]) < 100
    assert ota.read_versions(product, name) == {"default": "1.0.0"}


def test_a_device_that_fails_once_is_retried_after_the_interval(ota, product):
    ota.register_devices(product, 1)
    ota.make_device_fail(once=True)
    batch = ota.create_static_batch(ota.create_package(product), product, RetryInterval=10, RetryCount=1)
    ota.run_for(9 * 60)
    (task,) = ota.list_tasks(batch)
    assert task["TaskStatus"] == "QUEUED"
    assert task["TaskDesc"] in running.REASONS
    ota.run_for(12 * 60)
    assert ota.count_tasks(batch) == {"SUCCEEDED": 1}


def test_without_retries_the_first_failure_ends_the_task(ota, product):
    ota.register_devices(product, 1)
    ota.make_device_fail(once=True)
    batch = ota.create_static_batch(ota.create_package(product), product)
    ota.run_for()
    assert ota.count_tasks(batch) == {"FAILED": 1}


def test_an_update_longer_than_the_timeout_fails_without_retry(ota, product):
    ota.register_devices(product, 10)
    batch = ota.create_static_batch(ota.create_package(product), product, TimeoutInMinutes=1)
    ota.run_for()
    assert ota.count_tasks(batch) == {"FAILED": 10}
    assert {task["TaskDesc"] for task in ota.list_tasks(batch)} == {running.TIMED_OUT}
    assert {task["Timeout"] for task in ota.list_tasks(batch)} == {"1"}


def test_a_device_in_a_batch_fails_in_a_second_one(ota, product):
    devices = ota.register_devices(product, 2)
    first = ota.create_static_batch(
        ota.create_package(product), product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
    )
    second = ota.create_static_batch(ota.create_package(product, "pkg-3", "3.0.0"), product)
    statuses = {task["DeviceName"]: task["TaskStatus"] for task in ota.list_tasks(second)}
    assert statuses == {devices[0]: "FAILED", devices[1]: "QUEUED"}
    assert ota.count_tasks(first) == {"QUEUED": 1}


def test_overwriting_cancels_pending_tasks_but_not_running_ones(ota, product):
    devices = ota.register_devices(product, 2)
    package, newer = ota.create_package(product), ota.create_package(product, "pkg-3", "3.0.0")
    running_batch = ota.create_static_batch(
        package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
    )
    ota.clock.advance(30)
    assert ota.count_tasks(running_batch) == {"IN_PROGRESS": 1}
    waiting_batch = ota.create_static_batch(
        package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[1:], NeedConfirm=True
    )
    batch = ota.create_static_batch(newer, product, OverwriteMode=2)
    assert ota.count_tasks(waiting_batch) == {"CANCELED": 1}
    assert ota.count_tasks(running_batch) == {"IN_PROGRESS": 1}
    statuses = {task["DeviceName"]: task["TaskStatus"] for task in ota.list_tasks(batch)}
    assert statuses == {devices[0]: "FAILED", devices[1]: "QUEUED"}
    ota.run_for()
    assert ota.read_batch_status(waiting_batch) == "COMPLETED"


def test_modules_are_updated_in_parallel_in_multi_module_mode(emulator, clock):
    ota = UpdateSetup.create(emulator, clock, instance="iot-sandbox")
    product = ota.create_product()
    (name,) = ota.register_devices(product, 1)
    with emulator.store.write() as db:
        db.execute(
            "INSERT INTO device_modules SELECT account, instance, iot_id, 'radio', '1.0.0', created FROM devices"
        )
    ota.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
    ota.create_static_batch(ota.create_package(product), product)
    radio = ota.create_static_batch(
        ota.create_package(product, "radio-2", "2.0.0", ModuleName="radio"), product, MultiModuleMode=True
    )
    assert ota.count_tasks(radio) == {"QUEUED": 1}
    ota.run_for()
    assert ota.read_versions(product, name) == {"default": "2.0.0", "radio": "2.0.0"}


def test_a_scheduled_batch_starts_at_its_start_time(ota, product):
    ota.register_devices(product, 2)
    start = ota.clock.now() + HOUR * 1000
    batch = ota.create_static_batch(ota.create_package(product), product, ScheduleTime=start)
    assert ota.read_batch_status(batch) == "PLANNED"
    ota.clock.advance(HOUR - 1)
    assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("PLANNED", {"QUEUED": 2})
    ota.clock.advance(2)
    assert ota.read_batch_status(batch) == "IN_PROGRESS"
    ota.run_for()
    info = ota.call("QueryOTAJob", JobId=batch)["Data"]
    assert info["JobStatus"] == "COMPLETED"
    assert info["UtcStartTime"] == info["UtcScheduleTime"]


def test_a_batch_ends_at_its_finish_time(ota, product):
    ota.register_devices(product, 2, status="OFFLINE")
    start = ota.clock.now() + HOUR * 1000
    batch = ota.create_static_batch(
        ota.create_package(product), product, ScheduleTime=start, ScheduleFinishTime=start + HOUR * 1000
    )
    ota.clock.advance(2 * HOUR + 1)
    assert ota.count_tasks(batch) == {"CANCELED": 2}
    info = ota.call("QueryOTAJob", JobId=batch)["Data"]
    assert info["JobStatus"] == "COMPLETED"
    assert info["UtcEndTime"] == info["UtcScheduleFinishTime"]


def test_at_instant_pace_a_batch_is_completed_when_it_is_next_read(tmp_path, clock):
    app = create_app(
        tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
    )
    ota = UpdateSetup.create(app, clock)
    product = ota.create_product()
    ota.register_devices(product, 20)
    batch = ota.create_static_batch(
        ota.create_package(product), product, RetryInterval=60, RetryCount=5, MaximumPerMinute=10
    )
    assert ota.read_batch_status(batch) == "COMPLETED"
    app.close()


class TestConfirming:
    def test_a_task_waits_until_it_is_confirmed(self, ota, product):
        ota.register_devices(product, 2)
        batch = ota.create_static_batch(ota.create_package(product), product, NeedConfirm=True)
        ota.run_for()
        first, second = ota.list_tasks(batch)
        assert (first["TaskStatus"], second["TaskStatus"]) == ("CONFIRM", "CONFIRM")
        ota.call("ConfirmOTATask", TaskId=[first["TaskId"]])
        ota.run_for()
        assert ota.list_tasks(batch)[0]["TaskStatus"] in ("SUCCEEDED", "FAILED")
        assert ota.list_tasks(batch)[1]["TaskStatus"] == "CONFIRM"
        assert ota.read_batch_status(batch) == "IN_PROGRESS"

    def test_tasks_that_cannot_be_confirmed_are_refused(self, ota, emulator, product):
        ota.register_devices(product, 2)
        start = ota.clock.now() + HOUR * 1000
        batch = ota.create_static_batch(
            ota.create_package(product), product, NeedConfirm=True, ScheduleTime=start
        )
        task = ota.list_tasks(batch)[0]["TaskId"]
        assert ota.error_code("ConfirmOTATask", TaskId=[task]) == "iot.ota.ConfirmNotAllowedNow"
        ota.clock.advance(HOUR)
        assert create_api(emulator, "otherid", "othersecret").error_code("ConfirmOTATask", TaskId=[task]) == (
            "iot.firmware.InvalidOTATaskId"
        )
        assert ota.error_code("ConfirmOTATask", TaskId=[task, "none"]) == "iot.firmware.InvalidOTATaskId"
        ota.call("ConfirmOTATask", TaskId=[task])
        assert ota.error_code("ConfirmOTATask", TaskId=[task]) == "iot.firmware.InvalidTaskStatus"
        assert (
            ota.error_code("ConfirmOTATask", TaskId=[str(n) for n in range(11)]) == "iot.ota.TooManyOtaTask"
        )
        assert ota.error_code("ConfirmOTATask") == "MissingTaskId"


class TestCanceling:
    def test_canceling_queued_tasks_also_cancels_unconfirmed_ones(self, ota, product):
        ota.register_devices(product, 2)
        batch = ota.create_static_batch(ota.create_package(product), product, NeedConfirm=True)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True, CancelUnconfirmedTask=False)
        assert ota.count_tasks(batch) == {"CONFIRM": 2}
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        assert ota.count_tasks(batch) == {"CANCELED": 2}
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.error_code("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True) == (
            "iot.firmware.JobAlreadyCanceled"
        )

    def test_running_tasks_continue_unless_selected_and_the_batch_ends_canceled(self, ota, product):
        ota.register_devices(product, 40)
        batch = ota.create_static_batch(ota.create_package(product), product, MaximumPerMinute=20)
        ota.clock.advance(60)
        before = ota.count_tasks(batch)
        assert before["IN_PROGRESS"]
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        after = ota.count_tasks(batch)
        assert after["CANCELED"] == before["QUEUED"]
        assert after["IN_PROGRESS"] == before["IN_PROGRESS"]
        assert ota.read_batch_status(batch) == "IN_PROGRESS"
        ota.call("CancelOTATaskByJob", JobId=batch, CancelInProgressTask=True)
        assert ota.count_tasks(batch)["CANCELED"] == before["QUEUED"] + before["IN_PROGRESS"]
        ota.run_for()
        assert ota.read_batch_status(batch) == "CANCELED"
        canceled = ota.list_tasks(batch, TaskStatus="CANCELED")
        assert {task["TaskDesc"] for task in canceled} == {"canceled by user"}
        assert ota.read_versions(product, canceled[0]["DeviceName"]) == {"default": "1.0.0"}

    def test_notified_tasks_are_canceled(self, ota, product):
        ota.register_devices(product, 20)
        batch = ota.create_static_batch(ota.create_package(product), product)
        ota.clock.advance(4.5)
        assert ota.count_tasks(batch) == {"NOTIFIED": 20}
        ota.call("CancelOTATaskByJob", JobId=batch, CancelNotifiedTask=True)
        assert ota.count_tasks(batch) == {"CANCELED": 20}

    def test_a_scheduled_batch_is_canceled(self, ota, product):
        ota.register_devices(product, 2)
        start = ota.clock.now() + HOUR * 1000
        batch = ota.create_static_batch(ota.create_package(product), product, ScheduleTime=start)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelScheduledTask=True)
        assert ota.read_batch_status(batch) == "CANCELED"
        ota.clock.advance(2 * HOUR)
        assert ota.count_tasks(batch) == {"CANCELED": 2}

    def test_a_scheduled_batch_whose_tasks_all_failed_is_canceled(self, ota, product):
        ota.register_devices(product, 2)
        package = ota.create_package(product)
        ota.create_static_batch(package, product)
        start = ota.clock.now() + HOUR * 1000
        batch = ota.create_static_batch(package, product, ScheduleTime=start)
        assert ota.count_tasks(batch) == {"FAILED": 2}
        ota.clock.advance(60)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelScheduledTask=True)
        info = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert (info["JobStatus"], info["UtcEndTime"]) == ("CANCELED", format_utc(ota.clock.now()))
        ota.run_for(2 * HOUR, step=600)
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.count_tasks(batch) == {"FAILED": 2}
        assert ota.error_code("CancelOTATaskByJob", JobId=batch, CancelScheduledTask=True) == (
            "iot.firmware.JobAlreadyCanceled"
        )

    def test_tasks_that_cannot_be_canceled_are_refused(self, ota, product):
        ota.register_devices(product, 2)
        batch = ota.create_static_batch(ota.create_package(product), product)
        assert ota.error_code("CancelOTATaskByJob") == "MissingJobId"
        assert ota.error_code("CancelOTATaskByJob", JobId="none", CancelQueuedTask=True) == (
            "iot.firmware.InvalidOTAJobId"
        )
        assert ota.error_code("CancelOTATaskByJob", JobId=batch) == "iot.firmware.CancelOptionIsMandatory"
        assert ota.error_code("CancelOTATaskByJob", JobId=batch, CancelScheduledTask=True) == (
            "iot.firmware.JobHasNoScheduleTime"
        )
        ota.run_for()
        assert ota.error_code("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True) == (
            "iot.firmware.IncorrectDeviceUpgradeJobStatus"
        )

    def test_a_canceled_device_can_be_updated_by_another_batch(self, ota, product):
        ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        again = ota.create_static_batch(package, product)
        assert ota.count_tasks(again) == {"QUEUED": 2}

    def test_a_device_is_canceled_before_its_update_starts(self, ota, product):
        devices = ota.register_devices(product, 3)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product, MaximumPerMinute=10)
        request = {"FirmwareId": package, "ProductKey": product}
        ota.call("CancelOTATaskByDevice", **request, DeviceName=devices[1:2])
        statuses = {task["DeviceName"]: task["TaskStatus"] for task in ota.list_tasks(batch)}
        assert statuses == {devices[0]: "QUEUED", devices[1]: "CANCELED", devices[2]: "QUEUED"}
        refused = ota.error_code("CancelOTATaskByDevice", **request, DeviceName=devices[1:2])
        assert refused == "iot.firmware.DeviceUpgradeRecordNotFound"
        ota.clock.advance(50)
        assert ota.error_code("CancelOTATaskByDevice", **request, DeviceName=devices[:1]) == (
            "iot.firmware.IncorrectDeviceUpgradeJobStatus"
        )
        assert (
            ota.error_code("CancelOTATaskByDevice", **request, DeviceName=["nobody"])
            == "iot.device.NotExistedDevice"
        )
        assert ota.error_code("CancelOTATaskByDevice", **request, DeviceName=devices, JobId="none") == (
            "iot.firmware.InvalidOTAJobId"
        )
        assert ota.error_code("CancelOTATaskByDevice", **request) == "MissingDeviceName"
        assert ota.error_code(
            "CancelOTATaskByDevice", **request, DeviceName=[f"d{n}" for n in range(201)]
        ) == ("iot.firmware.ParameterSizeExceedMax")
        ota.run_for()
        assert ota.read_batch_status(batch) == "COMPLETED"

    def test_a_deleted_device_does_not_block_its_batch(self, ota, product):
        devices = ota.register_devices(product, 1, status="OFFLINE")
        batch = ota.create_static_batch(ota.create_package(product), product)
        ota.call("DeleteDevice", ProductKey=product, DeviceName=devices[0])
        assert ota.count_tasks(batch) == {"CANCELED": 1}
        assert ota.read_batch_status(batch) == "COMPLETED"


class TestListing:
    def test_tasks_are_paged_filtered_and_found_by_name(self, ota, product):
        devices = ota.register_devices(product, 25)
        batch = ota.create_static_batch(ota.create_package(product), product)
        page = ota.call("ListOTATaskByJob", JobId=batch, CurrentPage=2, PageSize=10)
        assert [task["DeviceName"] for task in page["Data"]["SimpleOTATaskInfo"]] == devices[10:20]
        assert (page["Total"], page["PageCount"], page["CurrentPage"]) == (25, 3, 2)
        assert ota.call("ListOTATaskByJob", JobId=batch)["PageSize"] == 10
        assert ota.call("ListOTATaskByJob", JobId=batch, TaskStatus="FAILED")["Total"] == 0
        found = ota.call("ListOTATaskByJob", JobId=batch, DeviceNames=[devices[3], devices[20], "nobody"])
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
    def test_invalid_listings_are_refused(self, ota, product, params, code):
        ota.register_devices(product, 1)
        batch = ota.create_static_batch(ota.create_package(product), product)
        assert ota.error_code("ListOTATaskByJob", **{"JobId": batch, **params}) == code

    def test_the_unfinished_tasks_of_a_device_are_listed(self, ota, product):
        (name,) = ota.register_devices(product, 1)
        batch = ota.create_static_batch(ota.create_package(product), product, NeedConfirm=True)
        request = {"ProductKey": product, "DeviceName": name}
        response = ota.call("ListOTAUnfinishedTaskByDevice", **request, TaskStatus="CONFIRM")
        (task,) = response["Data"]["SimpleOTATaskInfo"]
        assert (task["JobId"], task["ModuleName"], task["DestVersion"]) == (batch, "default", "2.0.0")
        by_id = ota.call("ListOTAUnfinishedTaskByDevice", IotId=task["IotId"], TaskStatus="CONFIRM")
        assert by_id["Data"] == response["Data"]
        for other in ({"TaskStatus": "QUEUED"}, {"TaskStatus": "CONFIRM", "ModuleName": "radio"}):
            found = ota.call("ListOTAUnfinishedTaskByDevice", **request, **other)
            assert found["Data"]["SimpleOTATaskInfo"] == []
        several = {"TaskStatus": "QUEUED", "TaskStatusList": ["QUEUED", "CONFIRM"]}
        assert ota.call("ListOTAUnfinishedTaskByDevice", **request, **several)["Data"]["SimpleOTATaskInfo"]
        assert ota.error_code("ListOTAUnfinishedTaskByDevice", **request, TaskStatus="FAILED") == (
            "iot.firmware.InvalidTaskStatus"
        )
        assert ota.error_code("ListOTAUnfinishedTaskByDevice", **request) == "MissingTaskStatus"
        assert (
            ota.error_code("ListOTAUnfinishedTaskByDevice", TaskStatus="CONFIRM") == "iot.prod.NullProductKey"
        )


def test_a_batch_of_10000_devices_is_read_quickly(ota, product):
    ota.register_devices(product, 10_000)
    batch = ota.create_static_batch(ota.create_package(product), product)
    slowest = 0.0
    while ota.read_batch_status(batch) != "COMPLETED":
        ota.clock.advance(10)
        before = time.process_time()
        ota.call("ListOTATaskByJob", JobId=batch, PageSize=100)
        slowest = max(slowest, time.process_time() - before)
    assert slowest < 2
    total = sum(
        ota.call("ListOTATaskByJob", JobId=batch, TaskStatus=status)["Total"]
        for status in ("SUCCEEDED", "FAILED")
    )
    assert total == 10_000
