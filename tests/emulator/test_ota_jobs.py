"""Update batches: what may be asked, which devices are taken, and how they are read."""

from __future__ import annotations

import io

import httpx
import pytest

from console.cloud import object_storage as store
from tests.emulator.conftest import create_api
from tests.emulator.ota_world import World

HOUR = 3600


@pytest.fixture
def world(emulator, clock) -> World:
    return World.of(emulator, clock)


@pytest.fixture
def product(world) -> str:
    return world.product()


def names(world: World, job: str) -> set[str]:
    return {task["DeviceName"] for task in world.tasks(job)}


def listed(world: World, *lines: str) -> str:
    """The address of an uploaded device list."""
    form = world.call("GenerateDeviceNameListURL")["Data"]
    body = io.BytesIO("\r\n".join(lines).encode("utf-8-sig"))
    store.upload_file(
        store.UploadForm.from_response(form), body, transport=httpx.WSGITransport(app=world.emulator)
    )
    return str(form["FileUrl"])


class TestVerify:
    def test_a_package_is_verified_by_updating_the_chosen_devices(self, world, product):
        devices = world.devices(product, 3)
        package = world.package(product, NeedToVerify=True)
        assert world.refused(
            "CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product, TargetSelection="ALL"
        ) == ("iot.firmware.FirmwareNotVerified")
        ask = {"FirmwareId": package, "ProductKey": product}
        job = world.call("CreateOTAVerifyJob", **ask, TargetDeviceName=devices)["Data"]["JobId"]
        shown = world.call("QueryOTAJob", JobId=job)["Data"]
        assert (shown["JobType"], shown["JobStatus"]) == ("VERFIY_FIRMWARE", "IN_PROGRESS")
        info = world.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]
        assert (info["Status"], info["VerifyProgress"]) == (2, 0)
        assert world.refused("CreateOTAVerifyJob", **ask, TargetDeviceName=devices) == (
            "iot.firmware.InProgressVerifyJobExisted"
        )
        world.run_out()
        info = world.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]
        assert (info["Status"], info["VerifyProgress"]) == (1, 100)
        assert world.status(job) == "COMPLETED"
        assert world.refused("CreateOTAVerifyJob", **ask, TargetDeviceName=devices) == (
            "iot.firmware.VerifyFirmwareNoNeed"
        )
        world.devices(product, 1, prefix="late")
        world.static(package, product)

    def test_a_cancelled_verification_leaves_the_package_unverified(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product, NeedToVerify=True)
        ask = {"FirmwareId": package, "ProductKey": product, "TargetDeviceName": devices}
        job = world.call("CreateOTAVerifyJob", **ask)["Data"]["JobId"]
        world.call("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
        assert world.status(job) == "CANCELED"
        assert world.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 0

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"TargetDeviceName": None}, "MissingTargetDeviceName"),
            ({"TargetDeviceName": [f"n{n}" for n in range(11)]}, "iot.firmware.ParameterSizeExceedMax"),
            ({"TargetDeviceName": ["nobody"]}, "iot.ota.DeviceNotExist"),
            ({"FirmwareId": "none"}, "iot.firmware.FirmwareNotFound"),
            ({"ProductKey": "a1none"}, "iot.prod.NotExistedProduct"),
            ({"TimeoutInMinutes": 1441}, "iot.firmware.InvalidTimeoutSetting"),
            ({"DownloadProtocol": "FTP"}, "iot.ota.DownloadProtocolInvalid"),
        ],
    )
    def test_bad_verifications_are_refused(self, world, product, params, code):
        devices = world.devices(product, 1)
        package = world.package(product, NeedToVerify=True)
        ask = {"FirmwareId": package, "ProductKey": product, "TargetDeviceName": devices, **params}
        assert world.refused("CreateOTAVerifyJob", **ask) == code


class TestStaticTargets:
    def test_all_takes_the_devices_that_have_another_version(self, world, product):
        old = world.devices(product, 3, version="1.0.0")
        world.devices(product, 2, version="2.0.0", prefix="new")
        world.devices(product, 2, version="", prefix="silent")
        job = world.static(world.package(product), product)
        assert names(world, job) == set(old)

    def test_source_versions_narrow_all(self, world, product):
        world.devices(product, 3, version="1.0.0")
        wanted = world.devices(product, 2, version="1.1.0", prefix="mid")
        job = world.static(world.package(product), product, SrcVersion=["1.1.0", "1.2.0"])
        assert names(world, job) == set(wanted)
        assert world.call("QueryOTAJob", JobId=job)["Data"]["SrcVersions"] == {
            "SrcVersion": ["1.1.0", "1.2.0"]
        }

    def test_gray_takes_a_part_rounded_down(self, world, product):
        world.devices(product, 10)
        package = world.package(product)
        job = world.static(package, product, TargetSelection="GRAY", GrayPercent="33.33")
        assert len(names(world, job)) == 3
        assert world.call("QueryOTAJob", JobId=job)["Data"]["GrayPercent"] == "33.33"
        ask = {"FirmwareId": package, "ProductKey": product, "TargetSelection": "GRAY"}
        for percent, code in (
            (None, "iot.firmware.NullGrayPercent"),
            ("abc", "iot.firmware.BadlyFormattedGrayPercent"),
            ("1.0001", "iot.firmware.BadlyFormattedGrayPercent"),
            ("0", "iot.firmware.InvalidGrayPercent"),
            ("1", "iot.firmware.InvalidGrayPercent"),
        ):
            assert world.refused("CreateOTAStaticUpgradeJob", **ask, GrayPercent=percent) == code

    def test_specific_takes_the_named_devices_that_need_it(self, world, product):
        devices = world.devices(product, 5)
        done = world.devices(product, 1, version="2.0.0", prefix="done")
        job = world.static(
            world.package(product),
            product,
            TargetSelection="SPECIFIC",
            TargetDeviceName=[*devices[:2], *done],
        )
        assert names(world, job) == set(devices[:2])

    def test_specific_by_an_uploaded_list(self, world, product):
        devices = world.devices(product, 5)
        world.devices(product, 1, version="2.0.0", prefix="done")
        url = listed(world, *devices[1:4], "", "done0000", devices[1])
        job = world.static(world.package(product), product, TargetSelection="SPECIFIC", DnListFileUrl=url)
        assert names(world, job) == set(devices[1:4])

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({}, "iot.firmware.NullTargetDeviceNames"),
            (
                {"TargetDeviceName": ["device0000"], "DnListFileUrl": "http://x/oss/a"},
                "iot.firmware.NullTargetDeviceNames",
            ),
            ({"TargetDeviceName": ["device0000", "nobody"]}, "iot.ota.DeviceNotExist"),
            ({"TargetDeviceName": ["silent0000"]}, "iot.firmware.NonVersionedDeviceInArray"),
            ({"TargetDeviceName": ["done0000"]}, "iot.firmware.DeviceWithDestinationVersionInArray"),
            ({"TargetDeviceName": ["device0000", "device0000"]}, "iot.common.InvalidFormattedParameter"),
            ({"TargetDeviceName": [f"n{n}" for n in range(201)]}, "iot.firmware.ParameterSizeExceedMax"),
            ({"TargetDeviceName": ["device0000"], "SrcVersion": ["1"]}, "iot.firmware.SrcVersionsNotAllowed"),
            ({"DnListFileUrl": "http://emulator.test/oss/none.csv"}, "iot.common.InvalidFormattedParameter"),
        ],
    )
    def test_bad_names_are_refused(self, world, product, params, code):
        world.devices(product, 1)
        world.devices(product, 1, version="", prefix="silent")
        world.devices(product, 1, version="2.0.0", prefix="done")
        ask = {
            "FirmwareId": world.package(product),
            "ProductKey": product,
            "TargetSelection": "SPECIFIC",
            **params,
        }
        assert world.refused("CreateOTAStaticUpgradeJob", **ask) == code
        assert (
            world.call("ListOTAJobByFirmware", FirmwareId=ask["FirmwareId"], CurrentPage=1, PageSize=1)[
                "Total"
            ]
            == 0
        )

    def test_a_list_with_an_unknown_device_is_refused(self, world, product):
        devices = world.devices(product, 1)
        ask = {"FirmwareId": world.package(product), "ProductKey": product, "TargetSelection": "SPECIFIC"}
        url = listed(world, *devices, "stranger")
        assert (
            world.refused("CreateOTAStaticUpgradeJob", **ask, DnListFileUrl=url) == "iot.ota.DeviceNotExist"
        )
        assert world.refused("CreateOTAStaticUpgradeJob", **ask, DnListFileUrl=listed(world, "", "")) == (
            "iot.firmware.NullTargetDeviceNames"
        )

    def test_group_takes_the_devices_of_a_group(self, world, product):
        devices = world.devices(product, 4)
        group = world.call("CreateDeviceGroup", GroupName="Site_1")["Data"]["GroupId"]
        members = [{"ProductKey": product, "DeviceName": name} for name in devices[:2]]
        world.call("BatchAddDeviceGroupRelations", GroupId=group, Device=members)
        package = world.package(product)
        ask = {"TargetSelection": "GROUP", "GroupType": "LINK_PLATFORM"}
        job = world.static(package, product, **ask, GroupId=group)
        assert names(world, job) == set(devices[:2])
        shown = world.call("QueryOTAJob", JobId=job)["Data"]
        assert (shown["GroupId"], shown["GroupName"]) == (group, "Site_1")
        refused = world.refused(
            "CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product, GroupId="none", **ask
        )
        assert refused == "iot.ota.GroupNotExist"

    def test_a_delta_package_goes_to_its_source_version_only(self, world, product):
        fitting = world.devices(product, 2, version="1.0.0")
        other = world.devices(product, 2, version="0.9.0", prefix="older")
        package = world.package(product, Type=1, SrcVersion="1.0.0")
        ask = {"FirmwareId": package, "ProductKey": product}
        refused = world.refused(
            "CreateOTAStaticUpgradeJob", **ask, TargetSelection="ALL", SrcVersion=["0.9.0"]
        )
        assert refused == "iot.firmware.UpgradeSrcVersionMismatch"
        refused = world.refused(
            "CreateOTAStaticUpgradeJob", **ask, TargetSelection="ALL", SrcVersion=["1.0.0", "0.9.0"]
        )
        assert refused == "iot.firmware.MoreThanOneSrcVersion"
        refused = world.refused(
            "CreateOTAStaticUpgradeJob", **ask, TargetSelection="SPECIFIC", TargetDeviceName=other
        )
        assert refused == "iot.firmware.SrcVersionMismatch"
        assert names(world, world.static(package, product)) == set(fitting)

    def test_a_batch_without_any_device_is_refused(self, world, product):
        world.devices(product, 2, version="2.0.0")
        ask = {"FirmwareId": world.package(product), "ProductKey": product, "TargetSelection": "ALL"}
        assert world.refused("CreateOTAStaticUpgradeJob", **ask) == "iot.firmware.NoDeviceCanUpgrade"

    def test_a_module_of_its_own_is_updated_apart(self, world, product):
        devices = world.devices(product, 2, module="radio")
        world.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
        job = world.static(world.package(product, ModuleName="radio"), product)
        assert names(world, job) == set(devices)
        world.run_out()
        assert world.versions(product, devices[0]) == {"radio": "2.0.0"}


class TestStaticSettings:
    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"TargetSelection": None}, "MissingTargetSelection"),
            ({"FirmwareId": None}, "MissingFirmwareId"),
            ({"ProductKey": None}, "MissingProductKey"),
            ({"FirmwareId": "none"}, "iot.firmware.FirmwareNotFound"),
            ({"ProductKey": "a1none"}, "iot.prod.NotExistedProduct"),
            ({"TargetSelection": "SOME"}, "iot.firmware.InvalidTargetSelection"),
            ({"TargetDeviceName": ["device0000"]}, "iot.firmware.TargetDeviceNamesNotAllowed"),
            ({"MaximumPerMinute": 9}, "iot.firmware.InvalidMaximumPerMinute"),
            ({"MaximumPerMinute": 10001}, "iot.firmware.InvalidMaximumPerMinute"),
            ({"RetryInterval": 5, "RetryCount": 1}, "iot.firmware.InvalidRetryInterval"),
            ({"RetryInterval": 10, "RetryCount": 3}, "iot.firmware.InvalidRetryCount"),
            ({"RetryInterval": 10}, "iot.firmware.InvalidRetryCount"),
            (
                {"RetryInterval": 60, "RetryCount": 1, "TimeoutInMinutes": 60},
                "iot.firmware.InvalidRetryInterval",
            ),
            ({"TimeoutInMinutes": 0}, "iot.firmware.InvalidTimeoutSetting"),
            ({"OverwriteMode": 3}, "iot.firmware.InvalidOverwriteMode"),
            ({"OverwriteMode": 2, "MultiModuleMode": True}, "iot.ota.OverWriteAndMultiModuleConflict"),
            ({"MultiModuleMode": True}, "iot.ota.multiModuleModeForbiddenInDefaultInstance"),
            ({"SrcVersion": [f"1.{n}" for n in range(11)]}, "iot.firmware.SrcVersionsSizeExceedMax"),
            ({"SrcVersion": ["1", "1"]}, "iot.firmware.IncorrectFormattedSrcVersion"),
            ({"Tag": [{"Key": "bad key", "Value": "v"}]}, "iot.firmware.JobTagKeyInvalid"),
            ({"Tag": [{"Key": "k", "Value": "v"}] * 2}, "iot.ota.tag.KeyDuplicated"),
            ({"Tag": [{"Key": f"k{n}", "Value": "v"} for n in range(11)]}, "iot.firmware.JobTagTooMany"),
            (
                {"Tag": [{"Key": f"k{n}", "Value": "v" * 1024} for n in range(4)]},
                "iot.firmware.JobTagIsTooLong",
            ),
        ],
    )
    def test_bad_settings_are_refused(self, world, product, params, code):
        world.devices(product, 2)
        ask = {
            "FirmwareId": world.package(product),
            "ProductKey": product,
            "TargetSelection": "ALL",
            **params,
        }
        assert world.refused("CreateOTAStaticUpgradeJob", **ask) == code

    @pytest.mark.parametrize(
        ("start", "finish", "code"),
        [
            (-1, None, "iot.firmware.FireTimeMustLargeThanCurrentTime"),
            (4 * 60, None, "iot.firmware.FireTimeTooShort"),
            (7 * 24 * HOUR + 60, None, "iot.firmware.FireTimeTooLate"),
            (HOUR, HOUR, "iot.firmware.ScheduleFinishTimeEarlierThanStartTime"),
            (HOUR, HOUR + 59 * 60, "iot.firmware.ScheduleFinishTimeTooEarly"),
            (HOUR, HOUR + 31 * 24 * HOUR, "iot.firmware.ScheduleFinishTimeTooLate"),
            (None, HOUR, "iot.firmware.ScheduleFinishTimeWithoutStartTime"),
        ],
    )
    def test_bad_schedules_are_refused(self, world, product, start, finish, code):
        world.devices(product, 1)
        ask = {"FirmwareId": world.package(product), "ProductKey": product, "TargetSelection": "ALL"}
        if start is not None:
            ask["ScheduleTime"] = world.clock.now() + start * 1000
        if finish is not None:
            ask["ScheduleFinishTime"] = world.clock.now() + finish * 1000
        assert world.refused("CreateOTAStaticUpgradeJob", **ask) == code

    def test_what_was_set_is_shown(self, world, product):
        world.devices(product, 1)
        job = world.static(
            world.package(product), product, MaximumPerMinute=500, RetryInterval=30, RetryCount=2, TimeoutInMinutes=60,
            NeedPush=False, NeedConfirm=True, OverwriteMode=2, DownloadProtocol="MQTT",
            Tag=[{"Key": "change", "Value": "CHG 1"}],
        )  # fmt: skip
        shown = world.call("QueryOTAJob", JobId=job)["Data"]
        assert shown["MaximumPerMinute"] == 500
        assert (shown["RetryInterval"], shown["RetryCount"], shown["TimeoutInMinutes"]) == (30, 2, 60)
        assert (shown["NeedPush"], shown["NeedConfirm"], shown["OverwriteMode"]) == (False, True, 2)
        assert shown["Tags"] == {"OtaTagDTO": [{"Key": "change", "Value": "CHG 1"}]}
        assert (shown["Name"], shown["DestVersion"], shown["SelectionType"]) == ("pkg-2", "2.0.0", "STATIC")
        assert "UtcEndTime" not in shown

    def test_mqtt_needs_a_small_single_file(self, world, product):
        world.devices(product, 1)
        files = [{"Name": f"f{n}", "Url": world.upload(bytes([n + 1]))["FirmwareUrl"]} for n in range(2)]
        package = world.call(
            "CreateOTAFirmware",
            ProductKey=product,
            FirmwareName="two",
            DestVersion="2",
            MultiFiles=files,
            NeedToVerify=False,
        )["Data"]["FirmwareId"]
        ask = {
            "FirmwareId": package,
            "ProductKey": product,
            "TargetSelection": "ALL",
            "DownloadProtocol": "MQTT",
        }
        assert world.refused("CreateOTAStaticUpgradeJob", **ask) == "iot.ota.DownloadProtocolMqttNotSuitable"

    def test_a_package_of_another_product_is_refused(self, world, product):
        other = world.product("Meter_B2")
        ask = {"FirmwareId": world.package(other), "ProductKey": product, "TargetSelection": "ALL"}
        assert (
            world.refused("CreateOTAStaticUpgradeJob", **ask) == "iot.firmware.FirmwareAndProductKeyMismatch"
        )


class TestDynamic:
    def create(self, world: World, package: str, product: str, **params) -> str:
        ask = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"], **params}
        return str(world.call("CreateOTADynamicUpgradeJob", **ask)["Data"]["JobId"])

    def test_it_takes_devices_now_and_those_that_report_a_source_version_later(self, world, product):
        now = world.devices(product, 2)
        package = world.package(product)
        job = self.create(world, package, product)
        assert names(world, job) == set(now)
        late = world.devices(product, 1, prefix="late")
        world.devices(product, 1, prefix="other", version="1.5.0")
        world.run_out()
        assert names(world, job) == {*now, *late}
        assert world.status(job) == "IN_PROGRESS"
        shown = world.call("QueryOTAJob", JobId=job)["Data"]
        assert (shown["SelectionType"], shown["TargetSelection"], shown["DynamicMode"]) == (
            "DYNAMIC",
            "ALL",
            1,
        )
        assert shown["MaximumPerMinute"] == 1000

    def test_mode_two_waits_for_devices_to_report(self, world, product):
        world.devices(product, 2)
        job = self.create(world, world.package(product), product, DynamicMode=2)
        late = world.devices(product, 1, prefix="late")
        world.run_out()
        assert names(world, job) == set(late)

    def test_a_package_has_one_running_policy(self, world, product):
        world.devices(product, 1)
        package = world.package(product)
        job = self.create(world, package, product)
        ask = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"]}
        assert (
            world.refused("CreateOTADynamicUpgradeJob", **ask) == "iot.firmware.InProgressDynamicJobExisted"
        )
        world.call("CancelOTAStrategyByJob", JobId=job)
        assert world.status(job) == "CANCELED"
        assert world.refused("CancelOTAStrategyByJob", JobId=job) == "iot.firmware.JobAlreadyCanceled"
        self.create(world, package, product)

    def test_a_cancelled_policy_takes_no_more_devices(self, world, product):
        world.devices(product, 1)
        job = self.create(world, world.package(product), product)
        world.call("CancelOTAStrategyByJob", JobId=job)
        world.devices(product, 1, prefix="late")
        world.run_out()
        assert names(world, job) == {"device0000"}

    def test_the_latest_policy_wins_a_device(self, world, product):
        world.devices(product, 1, status="OFFLINE")
        first = self.create(world, world.package(product), product)
        second = self.create(world, world.package(product, "pkg-3", "3.0.0"), product)
        assert world.counts(first) == {"CANCELED": 1}
        assert world.counts(second) == {"QUEUED": 1}

    def test_a_policy_of_nobody_is_fine_and_a_static_batch_has_none(self, world, product):
        package = world.package(product)
        job = self.create(world, package, product)
        assert world.tasks(job) == []
        world.devices(product, 1, version="1.1.0")
        static = world.static(world.package(product, "pkg-3", "3.0.0"), product)
        assert world.refused("CancelOTAStrategyByJob", JobId=static) == "iot.firmware.NotDynamicJob"
        assert world.refused("CancelOTAStrategyByJob", JobId="none") == "iot.firmware.InvalidOTAJobId"

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"SrcVersion": None}, "MissingSrcVersion"),
            ({"SrcVersion": ["2.0.0"]}, "iot.firmware.SrcDestVersionMatched"),
            ({"MaximumPerMinute": 1001}, "iot.firmware.InvalidMaximumPerMinute"),
            ({"DynamicMode": 3}, "iot.firmware.InvalidDynamicMode"),
            ({"FirmwareId": "none"}, "iot.firmware.FirmwareNotFound"),
        ],
    )
    def test_bad_policies_are_refused(self, world, product, params, code):
        ask = {"FirmwareId": world.package(product), "ProductKey": product, "SrcVersion": ["1.0.0"], **params}
        assert world.refused("CreateOTADynamicUpgradeJob", **ask) == code


class TestReading:
    def test_the_batches_of_a_package_are_listed_newest_first(self, world, product):
        devices = world.devices(product, 3)
        package = world.package(product)
        jobs = []
        for name in devices:
            ask = {
                "TargetSelection": "SPECIFIC",
                "TargetDeviceName": [name],
                "Tag": [{"Key": "n", "Value": name}],
            }
            jobs.append(world.static(package, product, **ask))
            world.clock.advance(1)
        answer = world.call("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=2)
        shown = answer["Data"]["SimpleOTAJobInfo"]
        assert [job["JobId"] for job in shown] == jobs[:0:-1]
        assert shown[0]["Tags"]["OtaTagDTO"] == [{"Key": "n", "Value": devices[2]}]
        assert (answer["Total"], answer["PageCount"]) == (3, 2)
        assert world.refused("ListOTAJobByFirmware", FirmwareId="none", CurrentPage=1, PageSize=2) == (
            "iot.firmware.FirmwareNotFound"
        )
        assert world.refused("ListOTAJobByFirmware", FirmwareId=package, PageSize=2) == "MissingCurrentPage"
        assert world.refused("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=201) == (
            "iot.common.InvalidPageParams"
        )

    def test_the_batches_of_a_device(self, world, product):
        devices = world.devices(product, 2)
        package = world.package(product)
        job = world.static(package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1])
        ask = {"FirmwareId": package, "ProductKey": product, "CurrentPage": 1, "PageSize": 10}
        answer = world.call("ListOTAJobByDevice", **ask, DeviceName=devices[0])
        assert [item["JobId"] for item in answer["Data"]["SimpleOTAJobInfo"]] == [job]
        assert world.call("ListOTAJobByDevice", **ask, DeviceName=devices[1])["Total"] == 0
        assert (
            world.refused("ListOTAJobByDevice", **ask, DeviceName="nobody") == "iot.device.NotExistedDevice"
        )
        assert world.refused("ListOTAJobByDevice", **ask) == "MissingDeviceName"

    def test_an_unknown_batch_and_one_of_another_account_are_not_found(self, world, emulator, product):
        world.devices(product, 1)
        job = world.static(world.package(product), product)
        stranger = create_api(emulator, "otherid", "othersecret")
        assert stranger.error_code("QueryOTAJob", JobId=job) == "iot.firmware.InvalidOTAJobId"
        assert world.refused("QueryOTAJob", JobId="none") == "iot.firmware.InvalidOTAJobId"
        assert world.refused("QueryOTAJob") == "MissingJobId"
