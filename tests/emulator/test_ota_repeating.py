"""Running failed and cancelled updates again (ReupgradeOTATask)."""

from __future__ import annotations

import pytest

from console.emulator import create_app
from console.emulator.ota import running
from tests.emulator.conftest import KEY_ID, KEY_SECRET, create_api
from tests.emulator.ota_world import World

HOUR_MS = 3_600_000
AGAIN = "ReupgradeOTATask"
NO_DEVICE_LEFT = "iot.ota.DeviceNotReUpgraded"


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


@pytest.fixture
def product(world) -> str:
    return world.product()


def cancel(world: World, product: str, package: str, *names: str) -> None:
    world.call("CancelOTATaskByDevice", ProductKey=product, FirmwareId=package, DeviceName=list(names))


def ids(world: World, job: str, **params) -> list[str]:
    return [task["TaskId"] for task in world.tasks(job, **params)]


class TestRunning:
    def test_a_failed_update_of_a_completed_batch_runs_again_to_its_end(self, world, product):
        world.devices(product, 2)
        name = world.make_fail()
        job = world.static(world.package(product), product)
        world.run_out()
        (failed,) = world.tasks(job, TaskStatus="FAILED")
        before = world.call("QueryOTAJob", JobId=job)["Data"]
        assert (before["JobStatus"], failed["DeviceName"]) == ("COMPLETED", name)

        assert set(world.call(AGAIN, JobId=job, TaskId=[failed["TaskId"]])) == {"RequestId", "Success"}
        (queued,) = world.tasks(job, TaskStatus="QUEUED")
        assert (queued["TaskId"], queued["UtcCreate"]) == (failed["TaskId"], failed["UtcCreate"])
        assert (queued["Progress"], queued["TaskDesc"]) == ("0.00", "")
        assert queued["UtcModified"] > failed["UtcModified"]
        assert world.counts(job) == {"QUEUED": 1, "SUCCEEDED": 1}
        reopened = world.call("QueryOTAJob", JobId=job)["Data"]
        assert reopened["JobStatus"] == "IN_PROGRESS"
        assert "UtcEndTime" not in reopened
        assert reopened["UtcStartTime"] == before["UtcStartTime"]
        assert reopened["UtcModified"] == queued["UtcModified"]

        seen = set()
        for _ in range(80):
            world.clock.advance(5)
            seen |= {task["TaskStatus"] for task in world.tasks(job) if task["DeviceName"] == name}
        assert seen == {"NOTIFIED", "IN_PROGRESS", "SUCCEEDED"}
        assert world.versions(product, name) == {"default": "2.0.0"}
        after = world.call("QueryOTAJob", JobId=job)["Data"]
        assert after["JobStatus"] == "COMPLETED"
        assert after["UtcEndTime"] > before["UtcEndTime"]

    def test_each_run_has_a_course_of_its_own(self, world, product):
        world.devices(product, 1)
        world.make_fail()
        job = world.static(world.package(product), product)
        courses = set()
        for _ in range(3):
            with world.emulator.store.read() as db:
                courses.add(tuple(db.execute("SELECT notice_ms, work_ms FROM ota_tasks").fetchone()))
            world.call("CancelOTATaskByDevice", **one_device(world, job))
            world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert len(courses) == 3

    def test_a_run_can_fail_again_and_be_started_again(self, world, product):
        world.devices(product, 1)
        job = world.static(world.package(product), product, TimeoutInMinutes=1)
        for _ in range(3):
            world.run_out()
            (task,) = world.tasks(job)
            assert (task["TaskStatus"], task["TaskDesc"]) == ("FAILED", running.TIMED_OUT)
            world.call(AGAIN, JobId=job, TaskId=[task["TaskId"]])

    def test_a_run_is_retried_as_the_batch_says(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product)
        job = world.static(package, product, RetryInterval=10, RetryCount=1)
        cancel(world, product, package, *devices)
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        with world.emulator.store.write() as db:
            db.execute("UPDATE ota_tasks SET failures = 1, reason = 'flash write error'")
        world.run_out(9 * 60)
        assert [(t["TaskStatus"], t["TaskDesc"]) for t in world.tasks(job)] == [
            ("QUEUED", "flash write error")
        ]
        world.run_out(12 * 60)
        assert world.counts(job) == {"SUCCEEDED": 1}

    def test_a_cancelled_update_of_a_running_batch_runs_again(self, world, product):
        devices = world.devices(product, 3)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, devices[1])
        (task,) = world.tasks(job, TaskStatus="CANCELED")
        world.clock.advance(60)
        world.call(AGAIN, JobId=job, TaskId=[task["TaskId"]])
        assert world.counts(job) == {"IN_PROGRESS": 2, "QUEUED": 1}
        assert world.status(job) == "IN_PROGRESS"
        world.run_out()
        assert world.status(job) == "COMPLETED"
        assert set(world.counts(job)) <= {"SUCCEEDED", "FAILED"}

    def test_a_dynamic_batch_keeps_running(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        policy = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"]}
        job = world.call("CreateOTADynamicUpgradeJob", **policy)["Data"]["JobId"]
        cancel(world, product, package, *devices)
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        world.run_out()
        assert set(world.counts(job)) <= {"SUCCEEDED", "FAILED"}
        assert world.status(job) == "IN_PROGRESS"

    def test_an_update_waits_for_confirmation_again_where_the_batch_needs_it(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product)
        job = world.static(package, product, NeedConfirm=True)
        cancel(world, product, package, *devices)
        world.run_out()
        assert world.status(job) == "COMPLETED"
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        world.run_out()
        assert world.counts(job) == {"CONFIRM": 1}
        world.call("ConfirmOTATask", TaskId=ids(world, job))
        world.run_out()
        assert world.status(job) == "COMPLETED"

    def test_an_update_of_a_planned_batch_waits_for_its_start(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product, ScheduleTime=world.clock.now() + HOUR_MS)
        cancel(world, product, package, devices[0])
        world.call(AGAIN, JobId=job, TaskId=ids(world, job, TaskStatus="CANCELED"))
        world.clock.advance(3590)
        assert (world.status(job), world.counts(job)) == ("PLANNED", {"QUEUED": 2})
        world.run_out()
        assert world.status(job) == "COMPLETED"

    def test_ten_updates_at_once_each_only_once_and_no_faster_than_the_batch_allows(self, world, product):
        devices = world.devices(product, 11)
        package = world.package(product)
        job = world.static(package, product, MaximumPerMinute=10, ScheduleTime=world.clock.now() + HOUR_MS)
        cancel(world, product, package, *devices)
        world.clock.advance(3660)
        assert world.status(job) == "COMPLETED"
        tasks = ids(world, job)
        assert world.refused(AGAIN, JobId=job, TaskId=tasks) == "iot.ota.TooManyOtaTask"
        assert world.refused(AGAIN, JobId=job, TaskId=[*tasks[:6], *tasks[:6]]) == "iot.ota.TooManyOtaTask"
        assert world.counts(job) == {"CANCELED": 11}
        world.call(AGAIN, JobId=job, TaskId=[tasks[10], tasks[10]])
        world.call(AGAIN, JobId=job, TaskId=tasks[:9])
        assert world.counts(job) == {"CANCELED": 1, "QUEUED": 10}
        world.clock.advance(10)
        assert world.counts(job)["QUEUED"] == 7  # one of the first call; of the second, two of nine

    def test_at_instant_pace_it_is_done_at_the_next_look(self, tmp_path, clock):
        app = create_app(
            tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
        )
        world = World.of(app, clock)
        product = world.product()
        world.devices(product, 1)
        name = world.make_fail()
        job = world.static(world.package(product), product)
        assert (world.status(job), world.counts(job)) == ("COMPLETED", {"FAILED": 1})
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert (world.status(job), world.counts(job)) == ("COMPLETED", {"SUCCEEDED": 1})
        assert world.versions(product, name) == {"default": "2.0.0"}
        app.close()


def one_device(world: World, job: str) -> dict[str, object]:
    """The request that cancels the only task of a batch."""
    (task,) = world.tasks(job)
    return {"DeviceName": [task["DeviceName"]], **{key: task[key] for key in ("ProductKey", "FirmwareId")}}


class TestDevices:
    def test_an_update_starts_from_the_version_that_the_device_has_now(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        with world.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.5.0'")
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert [task["SrcVersion"] for task in world.tasks(job)] == ["1.5.0"]

    def test_devices_that_have_the_version_are_left_as_they_are(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        tasks = ids(world, job)
        with world.emulator.store.write() as db:
            db.execute(
                "UPDATE device_modules SET version = '2.0.0' "
                "WHERE iot_id = (SELECT iot_id FROM devices WHERE name = ?)",
                devices[:1],
            )
        assert world.refused(AGAIN, JobId=job, TaskId=tasks[:1]) == NO_DEVICE_LEFT
        assert world.status(job) == "COMPLETED"
        world.call(AGAIN, JobId=job, TaskId=tasks)
        assert [task["TaskStatus"] for task in world.tasks(job)] == ["CANCELED", "QUEUED"]

    def test_a_delta_package_needs_its_source_version(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product, Type=1, SrcVersion="1.0.0")
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        with world.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.5.0'")
        assert world.refused(AGAIN, JobId=job, TaskId=ids(world, job)) == NO_DEVICE_LEFT
        with world.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.0.0'")
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert world.counts(job) == {"QUEUED": 1}

    def test_a_device_in_another_batch_fails_at_once(self, world, product):
        devices = world.devices(product, 2)
        package, newer = world.package(product), world.package(product, "pkg-3", "3.0.0")
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        tasks = ids(world, job)
        other = world.static(newer, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1])
        assert world.refused(AGAIN, JobId=job, TaskId=tasks[:1]) == NO_DEVICE_LEFT
        assert world.counts(job) == {"CANCELED": 2}
        world.call(AGAIN, JobId=job, TaskId=tasks)
        failed, queued = world.tasks(job)
        assert (failed["TaskStatus"], queued["TaskStatus"]) == ("FAILED", "QUEUED")
        assert failed["TaskDesc"] == "the device is in another update batch"
        assert world.counts(other) == {"QUEUED": 1}

    def test_a_batch_that_overwrites_takes_the_device_from_a_batch_in_which_it_waits(self, world, product):
        devices = world.devices(product, 2)
        package, newer = world.package(product), world.package(product, "pkg-3", "3.0.0")
        job = world.static(package, product, OverwriteMode=2)
        cancel(world, product, package, *devices)
        other = world.static(newer, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1])
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert world.counts(job) == {"QUEUED": 2}
        assert (world.counts(other), world.status(other)) == ({"CANCELED": 1}, "COMPLETED")

    def test_a_deleted_device_is_refused(self, world, product):
        devices = world.devices(product, 2, status="OFFLINE")
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, devices[1])
        world.call("DeleteDevice", ProductKey=product, DeviceName=devices[0])
        tasks = ids(world, job)
        assert world.refused(AGAIN, JobId=job, TaskId=tasks) == "iot.ota.DeviceNotExist"
        assert world.counts(job) == {"CANCELED": 2}


class TestRefusing:
    def test_what_is_missing_or_does_not_exist(self, world, emulator, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, devices[0])
        task, waiting = ids(world, job)
        assert world.refused(AGAIN, TaskId=[task]) == "MissingJobId"
        assert world.refused(AGAIN, JobId=job) == "MissingTaskId"
        assert world.refused(AGAIN, JobId="none", TaskId=[task]) == "iot.ota.InvalidJobId"
        assert world.refused(AGAIN, JobId=job, TaskId=[task, "none"]) == "iot.ota.InvalidTaskId"
        stranger = create_api(emulator, "otherid", "othersecret")
        assert stranger.error_code(AGAIN, JobId=job, TaskId=[task]) == "iot.ota.InvalidJobId"
        assert world.refused(AGAIN, JobId=job, TaskId=[task, waiting]) == "iot.ota.InvalidTaskExist"
        assert world.counts(job) == {"CANCELED": 1, "QUEUED": 1}

    def test_tasks_of_another_batch(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        jobs = []
        for name in devices:
            jobs.append(world.static(package, product, TargetSelection="SPECIFIC", TargetDeviceName=[name]))
            cancel(world, product, package, name)
        tasks = [task for job in jobs for task in ids(world, job)]
        assert world.refused(AGAIN, JobId=jobs[0], TaskId=tasks) == "iot.ota.UnmatchedJob"
        assert world.refused(AGAIN, JobId=jobs[1], TaskId=tasks[:1]) == "iot.ota.UnmatchedJob"
        assert world.counts(jobs[0]) == {"CANCELED": 1}

    def test_updates_that_have_not_ended_or_have_succeeded(self, world, product):
        world.devices(product, 2)
        job = world.static(world.package(product), product)
        (first, second) = ids(world, job)
        for seconds in (0, 4.5, 30, 600):  # QUEUED, NOTIFIED, IN_PROGRESS, SUCCEEDED
            world.clock.advance(seconds)
            assert world.refused(AGAIN, JobId=job, TaskId=[first]) == "iot.ota.FailedTaskNotFound"
        with world.emulator.store.write() as db:
            db.execute("UPDATE ota_tasks SET status = 'FAILED' WHERE task_id = ?", (second,))
        assert world.refused(AGAIN, JobId=job, TaskId=[first, second]) == "iot.ota.InvalidTaskExist"

    def test_a_task_that_runs_again_cannot_be_started_once_more(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        first, second = ids(world, job)
        world.call(AGAIN, JobId=job, TaskId=[first])
        assert world.refused(AGAIN, JobId=job, TaskId=[first, second]) == "iot.ota.InvalidTaskExist"
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        assert (world.status(job), world.counts(job)) == ("CANCELED", {"CANCELED": 2})

    def test_a_cancelled_batch(self, world, product):
        world.devices(product, 2)
        job = world.static(world.package(product), product)
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        assert world.status(job) == "CANCELED"
        assert world.refused(AGAIN, JobId=job, TaskId=ids(world, job)) == "iot.ota.JobCanceled"

    def test_a_batch_with_running_updates_is_not_cancelled_yet(self, world, product):
        world.devices(product, 20)
        job = world.static(world.package(product), product, MaximumPerMinute=10)
        world.clock.advance(60)
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        task = ids(world, job, TaskStatus="CANCELED")[0]
        world.call(AGAIN, JobId=job, TaskId=[task])
        assert world.counts(job)["QUEUED"] == 1
        world.run_out()
        assert world.status(job) == "CANCELED"
        assert world.refused(AGAIN, JobId=job, TaskId=[task]) == "iot.ota.JobCanceled"

    def test_a_batch_past_its_finish_time(self, world, product):
        world.devices(product, 1, status="OFFLINE")
        start = world.clock.now() + HOUR_MS
        job = world.static(
            world.package(product), product, ScheduleTime=start, ScheduleFinishTime=start + HOUR_MS
        )
        world.clock.advance(7201)
        assert (world.status(job), world.counts(job)) == ("COMPLETED", {"CANCELED": 1})
        assert world.refused(AGAIN, JobId=job, TaskId=ids(world, job)) == NO_DEVICE_LEFT
        assert (world.status(job), world.counts(job)) == ("COMPLETED", {"CANCELED": 1})

    def test_a_package_that_was_deleted(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        assert world.status(job) == "COMPLETED"
        world.call("DeleteOTAFirmware", FirmwareId=package)
        assert world.refused(AGAIN, JobId=job, TaskId=ids(world, job)) == "iot.ota.InvalidFirmwareUid"

    def test_a_batch_that_runs_again_holds_its_package(self, world, product):
        devices = world.devices(product, 1)
        package = world.package(product)
        job = world.static(package, product)
        cancel(world, product, package, *devices)
        assert world.status(job) == "COMPLETED"
        world.call(AGAIN, JobId=job, TaskId=ids(world, job))
        assert world.refused("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.DeleteFirmwareFailure"

    def test_a_verify_batch(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product, NeedToVerify=True)

        def verify(name: str, **params: object) -> str:
            answer = world.call(
                "CreateOTAVerifyJob",
                FirmwareId=package, ProductKey=product, TargetDeviceName=[name], **params,
            )  # fmt: skip
            return str(answer["Data"]["JobId"])

        job = verify(devices[0], TimeoutInMinutes=1)
        cancel(world, product, package, devices[0])
        (task,) = world.tasks(job)
        assert world.refused(AGAIN, JobId=job, TaskId=[task["TaskId"]]) == (
            "iot.firmware.ReUpgradeFailedFirmwareNotVerified"
        )
        verify(devices[1])
        assert world.refused(AGAIN, JobId=job, TaskId=[task["TaskId"]]) == "iot.ota.FirmwareNotVerified"
        world.run_out()
        assert world.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 1
        assert world.refused(AGAIN, JobId=job, TaskId=[task["TaskId"]]) == NO_DEVICE_LEFT
