"""Running failed and canceled updates again (ReupgradeOTATask)."""

from __future__ import annotations

import pytest

from iot_emulator import create_app
from iot_emulator.ota import running
from tests.iot_emulator.clients import KEY_ID, KEY_SECRET, create_api
from tests.iot_emulator.update_setup import UpdateSetup

HOUR_MS = 3_600_000
RERUN = "ReupgradeOTATask"
NO_DEVICE_LEFT = "iot.ota.DeviceNotReUpgraded"


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


@pytest.fixture
def product(ota) -> str:
    return ota.create_product()


def cancel_tasks(ota: UpdateSetup, product: str, package: str, *names: str) -> None:
    ota.call("CancelOTATaskByDevice", ProductKey=product, FirmwareId=package, DeviceName=list(names))


def read_task_ids(ota: UpdateSetup, batch: str, **params) -> list[str]:
    return [task["TaskId"] for task in ota.list_tasks(batch, **params)]


class TestRunning:
    def test_a_failed_update_of_a_completed_batch_runs_again_to_its_end(self, ota, product):
        ota.register_devices(product, 2)
        name = ota.make_device_fail()
        batch = ota.create_static_batch(ota.create_package(product), product)
        ota.run_for()
        (failed,) = ota.list_tasks(batch, TaskStatus="FAILED")
        before = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert (before["JobStatus"], failed["DeviceName"]) == ("COMPLETED", name)

        assert set(ota.call(RERUN, JobId=batch, TaskId=[failed["TaskId"]])) == {"RequestId", "Success"}
        (queued,) = ota.list_tasks(batch, TaskStatus="QUEUED")
        assert (queued["TaskId"], queued["UtcCreate"]) == (failed["TaskId"], failed["UtcCreate"])
        assert (queued["Progress"], queued["TaskDesc"]) == ("0.00", "")
        assert queued["UtcModified"] > failed["UtcModified"]
        assert ota.count_tasks(batch) == {"QUEUED": 1, "SUCCEEDED": 1}
        reopened = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert reopened["JobStatus"] == "IN_PROGRESS"
        assert "UtcEndTime" not in reopened
        assert reopened["UtcStartTime"] == before["UtcStartTime"]
        assert reopened["UtcModified"] == queued["UtcModified"]

        seen = set()
        for _ in range(80):
            ota.clock.advance(5)
            seen |= {task["TaskStatus"] for task in ota.list_tasks(batch) if task["DeviceName"] == name}
        assert seen == {"NOTIFIED", "IN_PROGRESS", "SUCCEEDED"}
        assert ota.read_versions(product, name) == {"default": "2.0.0"}
        after = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert after["JobStatus"] == "COMPLETED"
        assert after["UtcEndTime"] > before["UtcEndTime"]

    def test_each_run_has_its_own_plan(self, ota, product):
        ota.register_devices(product, 1)
        ota.make_device_fail()
        batch = ota.create_static_batch(ota.create_package(product), product)
        plans = set()
        for _ in range(3):
            with ota.emulator.store.read() as db:
                plans.add(tuple(db.execute("SELECT notice_ms, work_ms FROM ota_tasks").fetchone()))
            ota.call("CancelOTATaskByDevice", **cancel_request(ota, batch))
            ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert len(plans) == 3

    def test_a_run_can_fail_again_and_be_started_again(self, ota, product):
        ota.register_devices(product, 1)
        batch = ota.create_static_batch(ota.create_package(product), product, TimeoutInMinutes=1)
        for _ in range(3):
            ota.run_for()
            (task,) = ota.list_tasks(batch)
            assert (task["TaskStatus"], task["TaskDesc"]) == ("FAILED", running.TIMED_OUT)
            ota.call(RERUN, JobId=batch, TaskId=[task["TaskId"]])

    def test_a_run_is_retried_by_the_settings_of_the_batch(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product, RetryInterval=10, RetryCount=1)
        cancel_tasks(ota, product, package, *devices)
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        with ota.emulator.store.write() as db:
            db.execute("UPDATE ota_tasks SET failures = 1, reason = 'flash write error'")
        ota.run_for(9 * 60)
        assert [(t["TaskStatus"], t["TaskDesc"]) for t in ota.list_tasks(batch)] == [
            ("QUEUED", "flash write error")
        ]
        ota.run_for(12 * 60)
        assert ota.count_tasks(batch) == {"SUCCEEDED": 1}

    def test_a_canceled_update_of_a_running_batch_runs_again(self, ota, product):
        devices = ota.register_devices(product, 3)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, devices[1])
        (task,) = ota.list_tasks(batch, TaskStatus="CANCELED")
        ota.clock.advance(60)
        ota.call(RERUN, JobId=batch, TaskId=[task["TaskId"]])
        assert ota.count_tasks(batch) == {"IN_PROGRESS": 2, "QUEUED": 1}
        assert ota.read_batch_status(batch) == "IN_PROGRESS"
        ota.run_for()
        assert ota.read_batch_status(batch) == "COMPLETED"
        assert set(ota.count_tasks(batch)) <= {"SUCCEEDED", "FAILED"}

    def test_a_dynamic_batch_keeps_running(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        policy = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"]}
        batch = ota.call("CreateOTADynamicUpgradeJob", **policy)["Data"]["JobId"]
        cancel_tasks(ota, product, package, *devices)
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        ota.run_for()
        assert set(ota.count_tasks(batch)) <= {"SUCCEEDED", "FAILED"}
        assert ota.read_batch_status(batch) == "IN_PROGRESS"

    def test_an_update_waits_for_confirmation_again_if_the_batch_requires_it(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product, NeedConfirm=True)
        cancel_tasks(ota, product, package, *devices)
        ota.run_for()
        assert ota.read_batch_status(batch) == "COMPLETED"
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        ota.run_for()
        assert ota.count_tasks(batch) == {"CONFIRM": 1}
        ota.call("ConfirmOTATask", TaskId=read_task_ids(ota, batch))
        ota.run_for()
        assert ota.read_batch_status(batch) == "COMPLETED"

    def test_an_update_of_a_scheduled_batch_waits_for_its_start(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product, ScheduleTime=ota.clock.now() + HOUR_MS)
        cancel_tasks(ota, product, package, devices[0])
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch, TaskStatus="CANCELED"))
        ota.clock.advance(3590)
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("PLANNED", {"QUEUED": 2})
        ota.run_for()
        assert ota.read_batch_status(batch) == "COMPLETED"

    def test_up_to_ten_updates_run_again_within_the_rate_limit_of_the_batch(self, ota, product):
        devices = ota.register_devices(product, 11)
        package = ota.create_package(product)
        batch = ota.create_static_batch(
            package, product, MaximumPerMinute=10, ScheduleTime=ota.clock.now() + HOUR_MS
        )
        cancel_tasks(ota, product, package, *devices)
        ota.clock.advance(3660)
        assert ota.read_batch_status(batch) == "COMPLETED"
        tasks = read_task_ids(ota, batch)
        assert ota.error_code(RERUN, JobId=batch, TaskId=tasks) == "iot.ota.TooManyOtaTask"
        assert ota.error_code(RERUN, JobId=batch, TaskId=[*tasks[:6], *tasks[:6]]) == "iot.ota.TooManyOtaTask"
        assert ota.count_tasks(batch) == {"CANCELED": 11}
        ota.call(RERUN, JobId=batch, TaskId=[tasks[10], tasks[10]])
        ota.call(RERUN, JobId=batch, TaskId=tasks[:9])
        assert ota.count_tasks(batch) == {"CANCELED": 1, "QUEUED": 10}
        ota.clock.advance(10)
        assert (
            ota.count_tasks(batch)["QUEUED"] == 7
        )  # sent: one task of the first call, two of nine of the second

    def test_at_instant_pace_a_rerun_is_finished_when_it_is_next_read(self, tmp_path, clock):
        app = create_app(
            tmp_path / "instant.sqlite3", keys={KEY_ID: KEY_SECRET}, clock=clock, quotas=False, pace="instant"
        )
        ota = UpdateSetup.create(app, clock)
        product = ota.create_product()
        ota.register_devices(product, 1)
        name = ota.make_device_fail()
        batch = ota.create_static_batch(ota.create_package(product), product)
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("COMPLETED", {"FAILED": 1})
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("COMPLETED", {"SUCCEEDED": 1})
        assert ota.read_versions(product, name) == {"default": "2.0.0"}
        app.close()


def cancel_request(ota: UpdateSetup, batch: str) -> dict[str, object]:
    """Build the request that cancels the only task of a batch."""
    (task,) = ota.list_tasks(batch)
    return {"DeviceName": [task["DeviceName"]], **{key: task[key] for key in ("ProductKey", "FirmwareId")}}


class TestDevices:
    def test_an_update_starts_from_the_current_version_of_the_device(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        with ota.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.5.0'")
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert [task["SrcVersion"] for task in ota.list_tasks(batch)] == ["1.5.0"]

    def test_devices_that_have_the_version_are_not_changed(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        tasks = read_task_ids(ota, batch)
        with ota.emulator.store.write() as db:
            db.execute(
                "UPDATE device_modules SET version = '2.0.0' "
                "WHERE iot_id = (SELECT iot_id FROM devices WHERE name = ?)",
                devices[:1],
            )
        assert ota.error_code(RERUN, JobId=batch, TaskId=tasks[:1]) == NO_DEVICE_LEFT
        assert ota.read_batch_status(batch) == "COMPLETED"
        ota.call(RERUN, JobId=batch, TaskId=tasks)
        assert [task["TaskStatus"] for task in ota.list_tasks(batch)] == ["CANCELED", "QUEUED"]

    def test_a_delta_package_requires_its_source_version(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product, Type=1, SrcVersion="1.0.0")
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        with ota.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.5.0'")
        assert ota.error_code(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch)) == NO_DEVICE_LEFT
        with ota.emulator.store.write() as db:
            db.execute("UPDATE device_modules SET version = '1.0.0'")
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert ota.count_tasks(batch) == {"QUEUED": 1}

    def test_a_device_in_another_batch_fails_at_once(self, ota, product):
        devices = ota.register_devices(product, 2)
        package, newer = ota.create_package(product), ota.create_package(product, "pkg-3", "3.0.0")
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        tasks = read_task_ids(ota, batch)
        other = ota.create_static_batch(
            newer, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
        )
        assert ota.error_code(RERUN, JobId=batch, TaskId=tasks[:1]) == NO_DEVICE_LEFT
        assert ota.count_tasks(batch) == {"CANCELED": 2}
        ota.call(RERUN, JobId=batch, TaskId=tasks)
        failed, queued = ota.list_tasks(batch)
        assert (failed["TaskStatus"], queued["TaskStatus"]) == ("FAILED", "QUEUED")
        assert failed["TaskDesc"] == "the device is in another update batch"
        assert ota.count_tasks(other) == {"QUEUED": 1}

    def test_a_batch_that_overwrites_cancels_the_pending_task_of_another_batch(self, ota, product):
        devices = ota.register_devices(product, 2)
        package, newer = ota.create_package(product), ota.create_package(product, "pkg-3", "3.0.0")
        batch = ota.create_static_batch(package, product, OverwriteMode=2)
        cancel_tasks(ota, product, package, *devices)
        other = ota.create_static_batch(
            newer, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
        )
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert ota.count_tasks(batch) == {"QUEUED": 2}
        assert (ota.count_tasks(other), ota.read_batch_status(other)) == ({"CANCELED": 1}, "COMPLETED")

    def test_a_deleted_device_is_refused(self, ota, product):
        devices = ota.register_devices(product, 2, status="OFFLINE")
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, devices[1])
        ota.call("DeleteDevice", ProductKey=product, DeviceName=devices[0])
        tasks = read_task_ids(ota, batch)
        assert ota.error_code(RERUN, JobId=batch, TaskId=tasks) == "iot.ota.DeviceNotExist"
        assert ota.count_tasks(batch) == {"CANCELED": 2}


class TestErrors:
    def test_missing_and_unknown_parameters_are_refused(self, ota, emulator, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, devices[0])
        task, waiting = read_task_ids(ota, batch)
        assert ota.error_code(RERUN, TaskId=[task]) == "MissingJobId"
        assert ota.error_code(RERUN, JobId=batch) == "MissingTaskId"
        assert ota.error_code(RERUN, JobId="none", TaskId=[task]) == "iot.ota.InvalidJobId"
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task, "none"]) == "iot.ota.InvalidTaskId"
        other_account = create_api(emulator, "otherid", "othersecret")
        assert other_account.error_code(RERUN, JobId=batch, TaskId=[task]) == "iot.ota.InvalidJobId"
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task, waiting]) == "iot.ota.InvalidTaskExist"
        assert ota.count_tasks(batch) == {"CANCELED": 1, "QUEUED": 1}

    def test_tasks_of_another_batch_are_refused(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batches = []
        for name in devices:
            batches.append(
                ota.create_static_batch(package, product, TargetSelection="SPECIFIC", TargetDeviceName=[name])
            )
            cancel_tasks(ota, product, package, name)
        tasks = [task for batch in batches for task in read_task_ids(ota, batch)]
        assert ota.error_code(RERUN, JobId=batches[0], TaskId=tasks) == "iot.ota.UnmatchedJob"
        assert ota.error_code(RERUN, JobId=batches[1], TaskId=tasks[:1]) == "iot.ota.UnmatchedJob"
        assert ota.count_tasks(batches[0]) == {"CANCELED": 1}

    def test_unfinished_and_successful_updates_are_refused(self, ota, product):
        ota.register_devices(product, 2)
        batch = ota.create_static_batch(ota.create_package(product), product)
        (first, second) = read_task_ids(ota, batch)
        for seconds in (0, 4.5, 30, 600):  # QUEUED, NOTIFIED, IN_PROGRESS, SUCCEEDED
            ota.clock.advance(seconds)
            assert ota.error_code(RERUN, JobId=batch, TaskId=[first]) == "iot.ota.FailedTaskNotFound"
        with ota.emulator.store.write() as db:
            db.execute("UPDATE ota_tasks SET status = 'FAILED' WHERE task_id = ?", (second,))
        assert ota.error_code(RERUN, JobId=batch, TaskId=[first, second]) == "iot.ota.InvalidTaskExist"

    def test_a_task_that_runs_again_is_refused(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        first, second = read_task_ids(ota, batch)
        ota.call(RERUN, JobId=batch, TaskId=[first])
        assert ota.error_code(RERUN, JobId=batch, TaskId=[first, second]) == "iot.ota.InvalidTaskExist"
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("CANCELED", {"CANCELED": 2})

    def test_a_canceled_batch_is_refused(self, ota, product):
        ota.register_devices(product, 2)
        batch = ota.create_static_batch(ota.create_package(product), product)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.error_code(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch)) == "iot.ota.JobCanceled"

    def test_a_batch_with_running_updates_is_not_canceled_yet(self, ota, product):
        ota.register_devices(product, 20)
        batch = ota.create_static_batch(ota.create_package(product), product, MaximumPerMinute=10)
        ota.clock.advance(60)
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        task = read_task_ids(ota, batch, TaskStatus="CANCELED")[0]
        ota.call(RERUN, JobId=batch, TaskId=[task])
        assert ota.count_tasks(batch)["QUEUED"] == 1
        ota.run_for()
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task]) == "iot.ota.JobCanceled"

    def test_a_batch_after_its_finish_time_is_refused(self, ota, product):
        ota.register_devices(product, 1, status="OFFLINE")
        start = ota.clock.now() + HOUR_MS
        batch = ota.create_static_batch(
            ota.create_package(product), product, ScheduleTime=start, ScheduleFinishTime=start + HOUR_MS
        )
        ota.clock.advance(7201)
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("COMPLETED", {"CANCELED": 1})
        assert ota.error_code(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch)) == NO_DEVICE_LEFT
        assert (ota.read_batch_status(batch), ota.count_tasks(batch)) == ("COMPLETED", {"CANCELED": 1})

    def test_a_batch_of_a_deleted_package_is_refused(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        assert ota.read_batch_status(batch) == "COMPLETED"
        ota.call("DeleteOTAFirmware", FirmwareId=package)
        assert (
            ota.error_code(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
            == "iot.ota.InvalidFirmwareUid"
        )

    def test_the_package_of_a_batch_that_runs_again_cannot_be_deleted(self, ota, product):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product)
        cancel_tasks(ota, product, package, *devices)
        assert ota.read_batch_status(batch) == "COMPLETED"
        ota.call(RERUN, JobId=batch, TaskId=read_task_ids(ota, batch))
        assert ota.error_code("DeleteOTAFirmware", FirmwareId=package) == "iot.firmware.DeleteFirmwareFailure"

    def test_a_verify_batch_is_refused(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product, NeedToVerify=True)

        def verify(name: str, **params: object) -> str:
            response = ota.call(
                "CreateOTAVerifyJob",
                FirmwareId=package, ProductKey=product, TargetDeviceName=[name], **params,
            )  # fmt: skip
            return str(response["Data"]["JobId"])

        batch = verify(devices[0], TimeoutInMinutes=1)
        cancel_tasks(ota, product, package, devices[0])
        (task,) = ota.list_tasks(batch)
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task["TaskId"]]) == (
            "iot.firmware.ReUpgradeFailedFirmwareNotVerified"
        )
        verify(devices[1])
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task["TaskId"]]) == "iot.ota.FirmwareNotVerified"
        ota.run_for()
        assert ota.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 1
        assert ota.error_code(RERUN, JobId=batch, TaskId=[task["TaskId"]]) == NO_DEVICE_LEFT
