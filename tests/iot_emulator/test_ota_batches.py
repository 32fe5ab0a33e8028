"""Update batches: valid requests, selection of devices, and reading batches."""

from __future__ import annotations

import io

import httpx
import pytest

from iot_client import object_storage as store
from tests.iot_emulator.clients import create_api
from tests.iot_emulator.update_setup import UpdateSetup

HOUR = 3600


@pytest.fixture
def ota(emulator, clock) -> UpdateSetup:
    return UpdateSetup.create(emulator, clock)


@pytest.fixture
def product(ota) -> str:
    return ota.create_product()


def read_names(ota: UpdateSetup, batch: str) -> set[str]:
    return {task["DeviceName"] for task in ota.list_tasks(batch)}


def upload_device_list(ota: UpdateSetup, *lines: str) -> str:
    """Upload a device list; returns its URL."""
    form = ota.call("GenerateDeviceNameListURL")["Data"]
    body = io.BytesIO("\r\n".join(lines).encode("utf-8-sig"))
    store.upload_file(
        store.UploadForm.from_response(form), body, transport=httpx.WSGITransport(app=ota.emulator)
    )
    return str(form["FileUrl"])


class TestVerify:
    def test_a_package_is_verified_by_updating_the_selected_devices(self, ota, product):
        devices = ota.register_devices(product, 3)
        package = ota.create_package(product, NeedToVerify=True)
        assert ota.error_code(
            "CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product, TargetSelection="ALL"
        ) == ("iot.firmware.FirmwareNotVerified")
        request = {"FirmwareId": package, "ProductKey": product}
        batch = ota.call("CreateOTAVerifyJob", **request, TargetDeviceName=devices)["Data"]["JobId"]
        info = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert (info["JobType"], info["JobStatus"]) == ("VERFIY_FIRMWARE", "IN_PROGRESS")
        info = ota.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]
        assert (info["Status"], info["VerifyProgress"]) == (2, 0)
        assert ota.error_code("CreateOTAVerifyJob", **request, TargetDeviceName=devices) == (
            "iot.firmware.InProgressVerifyJobExisted"
        )
        ota.run_for()
        info = ota.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]
        assert (info["Status"], info["VerifyProgress"]) == (1, 100)
        assert ota.read_batch_status(batch) == "COMPLETED"
        assert ota.error_code("CreateOTAVerifyJob", **request, TargetDeviceName=devices) == (
            "iot.firmware.VerifyFirmwareNoNeed"
        )
        ota.register_devices(product, 1, prefix="late")
        ota.create_static_batch(package, product)

    def test_a_canceled_verification_leaves_the_package_unverified(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product, NeedToVerify=True)
        request = {"FirmwareId": package, "ProductKey": product, "TargetDeviceName": devices}
        batch = ota.call("CreateOTAVerifyJob", **request)["Data"]["JobId"]
        ota.call("CancelOTATaskByJob", JobId=batch, CancelQueuedTask=True)
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.call("QueryOTAFirmware", FirmwareId=package)["FirmwareInfo"]["Status"] == 0

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
    def test_invalid_verifications_are_refused(self, ota, product, params, code):
        devices = ota.register_devices(product, 1)
        package = ota.create_package(product, NeedToVerify=True)
        request = {"FirmwareId": package, "ProductKey": product, "TargetDeviceName": devices, **params}
        assert ota.error_code("CreateOTAVerifyJob", **request) == code


class TestStaticTargets:
    def test_all_selects_the_devices_that_have_another_version(self, ota, product):
        old = ota.register_devices(product, 3, version="1.0.0")
        ota.register_devices(product, 2, version="2.0.0", prefix="new")
        ota.register_devices(product, 2, version="", prefix="silent")
        batch = ota.create_static_batch(ota.create_package(product), product)
        assert read_names(ota, batch) == set(old)

    def test_source_versions_limit_all(self, ota, product):
        ota.register_devices(product, 3, version="1.0.0")
        wanted = ota.register_devices(product, 2, version="1.1.0", prefix="mid")
        batch = ota.create_static_batch(ota.create_package(product), product, SrcVersion=["1.1.0", "1.2.0"])
        assert read_names(ota, batch) == set(wanted)
        assert ota.call("QueryOTAJob", JobId=batch)["Data"]["SrcVersions"] == {
            "SrcVersion": ["1.1.0", "1.2.0"]
        }

    def test_gray_selects_a_percentage_rounded_down(self, ota, product):
        ota.register_devices(product, 10)
        package = ota.create_package(product)
        batch = ota.create_static_batch(package, product, TargetSelection="GRAY", GrayPercent="33.33")
        assert len(read_names(ota, batch)) == 3
        assert ota.call("QueryOTAJob", JobId=batch)["Data"]["GrayPercent"] == "33.33"
        request = {"FirmwareId": package, "ProductKey": product, "TargetSelection": "GRAY"}
        for percent, code in (
            (None, "iot.firmware.NullGrayPercent"),
            ("abc", "iot.firmware.BadlyFormattedGrayPercent"),
            ("1.0001", "iot.firmware.BadlyFormattedGrayPercent"),
            ("0", "iot.firmware.InvalidGrayPercent"),
            ("1", "iot.firmware.InvalidGrayPercent"),
        ):
            assert ota.error_code("CreateOTAStaticUpgradeJob", **request, GrayPercent=percent) == code

    def test_specific_selects_the_named_devices_that_need_the_update(self, ota, product):
        devices = ota.register_devices(product, 5)
        done = ota.register_devices(product, 1, version="2.0.0", prefix="done")
        batch = ota.create_static_batch(
            ota.create_package(product),
            product,
            TargetSelection="SPECIFIC",
            TargetDeviceName=[*devices[:2], *done],
        )
        assert read_names(ota, batch) == set(devices[:2])

    def test_specific_selects_the_devices_of_an_uploaded_list(self, ota, product):
        devices = ota.register_devices(product, 5)
        ota.register_devices(product, 1, version="2.0.0", prefix="done")
        url = upload_device_list(ota, *devices[1:4], "", "done0000", devices[1])
        batch = ota.create_static_batch(
            ota.create_package(product), product, TargetSelection="SPECIFIC", DnListFileUrl=url
        )
        assert read_names(ota, batch) == set(devices[1:4])

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
    def test_invalid_device_names_are_refused(self, ota, product, params, code):
        ota.register_devices(product, 1)
        ota.register_devices(product, 1, version="", prefix="silent")
        ota.register_devices(product, 1, version="2.0.0", prefix="done")
        request = {
            "FirmwareId": ota.create_package(product),
            "ProductKey": product,
            "TargetSelection": "SPECIFIC",
            **params,
        }
        assert ota.error_code("CreateOTAStaticUpgradeJob", **request) == code
        assert (
            ota.call("ListOTAJobByFirmware", FirmwareId=request["FirmwareId"], CurrentPage=1, PageSize=1)[
                "Total"
            ]
            == 0
        )

    def test_a_list_with_an_unknown_device_is_refused(self, ota, product):
        devices = ota.register_devices(product, 1)
        request = {
            "FirmwareId": ota.create_package(product),
            "ProductKey": product,
            "TargetSelection": "SPECIFIC",
        }
        url = upload_device_list(ota, *devices, "stranger")
        assert (
            ota.error_code("CreateOTAStaticUpgradeJob", **request, DnListFileUrl=url)
            == "iot.ota.DeviceNotExist"
        )
        assert ota.error_code(
            "CreateOTAStaticUpgradeJob", **request, DnListFileUrl=upload_device_list(ota, "", "")
        ) == ("iot.firmware.NullTargetDeviceNames")

    def test_group_selects_the_devices_of_a_group(self, ota, product):
        devices = ota.register_devices(product, 4)
        group = ota.call("CreateDeviceGroup", GroupName="Site_1")["Data"]["GroupId"]
        members = [{"ProductKey": product, "DeviceName": name} for name in devices[:2]]
        ota.call("BatchAddDeviceGroupRelations", GroupId=group, Device=members)
        package = ota.create_package(product)
        request = {"TargetSelection": "GROUP", "GroupType": "LINK_PLATFORM"}
        batch = ota.create_static_batch(package, product, **request, GroupId=group)
        assert read_names(ota, batch) == set(devices[:2])
        info = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert (info["GroupId"], info["GroupName"]) == (group, "Site_1")
        refused = ota.error_code(
            "CreateOTAStaticUpgradeJob", FirmwareId=package, ProductKey=product, GroupId="none", **request
        )
        assert refused == "iot.ota.GroupNotExist"

    def test_a_delta_package_updates_only_its_source_version(self, ota, product):
        fitting = ota.register_devices(product, 2, version="1.0.0")
        other = ota.register_devices(product, 2, version="0.9.0", prefix="older")
        package = ota.create_package(product, Type=1, SrcVersion="1.0.0")
        request = {"FirmwareId": package, "ProductKey": product}
        refused = ota.error_code(
            "CreateOTAStaticUpgradeJob", **request, TargetSelection="ALL", SrcVersion=["0.9.0"]
        )
        assert refused == "iot.firmware.UpgradeSrcVersionMismatch"
        refused = ota.error_code(
            "CreateOTAStaticUpgradeJob", **request, TargetSelection="ALL", SrcVersion=["1.0.0", "0.9.0"]
        )
        assert refused == "iot.firmware.MoreThanOneSrcVersion"
        refused = ota.error_code(
            "CreateOTAStaticUpgradeJob", **request, TargetSelection="SPECIFIC", TargetDeviceName=other
        )
        assert refused == "iot.firmware.SrcVersionMismatch"
        assert read_names(ota, ota.create_static_batch(package, product)) == set(fitting)

    def test_a_batch_without_any_device_is_refused(self, ota, product):
        ota.register_devices(product, 2, version="2.0.0")
        request = {"FirmwareId": ota.create_package(product), "ProductKey": product, "TargetSelection": "ALL"}
        assert ota.error_code("CreateOTAStaticUpgradeJob", **request) == "iot.firmware.NoDeviceCanUpgrade"

    def test_a_module_is_updated_separately(self, ota, product):
        devices = ota.register_devices(product, 2, module="radio")
        ota.call("CreateOTAModule", ProductKey=product, ModuleName="radio")
        batch = ota.create_static_batch(ota.create_package(product, ModuleName="radio"), product)
        assert read_names(ota, batch) == set(devices)
        ota.run_for()
        assert ota.read_versions(product, devices[0]) == {"radio": "2.0.0"}


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
    def test_invalid_settings_are_refused(self, ota, product, params, code):
        ota.register_devices(product, 2)
        request = {
            "FirmwareId": ota.create_package(product),
            "ProductKey": product,
            "TargetSelection": "ALL",
            **params,
        }
        assert ota.error_code("CreateOTAStaticUpgradeJob", **request) == code

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
    def test_invalid_schedules_are_refused(self, ota, product, start, finish, code):
        ota.register_devices(product, 1)
        request = {"FirmwareId": ota.create_package(product), "ProductKey": product, "TargetSelection": "ALL"}
        if start is not None:
            request["ScheduleTime"] = ota.clock.now() + start * 1000
        if finish is not None:
            request["ScheduleFinishTime"] = ota.clock.now() + finish * 1000
        assert ota.error_code("CreateOTAStaticUpgradeJob", **request) == code

    def test_the_settings_of_a_batch_are_returned(self, ota, product):
        ota.register_devices(product, 1)
        batch = ota.create_static_batch(
            ota.create_package(product), product, MaximumPerMinute=500, RetryInterval=30, RetryCount=2, TimeoutInMinutes=60,
            NeedPush=False, NeedConfirm=True, OverwriteMode=2, DownloadProtocol="MQTT",
            Tag=[{"Key": "change", "Value": "CHG 1"}],
        )  # fmt: skip
        info = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert info["MaximumPerMinute"] == 500
        assert (info["RetryInterval"], info["RetryCount"], info["TimeoutInMinutes"]) == (30, 2, 60)
        assert (info["NeedPush"], info["NeedConfirm"], info["OverwriteMode"]) == (False, True, 2)
        assert info["Tags"] == {"OtaTagDTO": [{"Key": "change", "Value": "CHG 1"}]}
        assert (info["Name"], info["DestVersion"], info["SelectionType"]) == ("pkg-2", "2.0.0", "STATIC")
        assert "UtcEndTime" not in info

    def test_mqtt_requires_one_small_file(self, ota, product):
        ota.register_devices(product, 1)
        files = [{"Name": f"f{n}", "Url": ota.upload_file(bytes([n + 1]))["FirmwareUrl"]} for n in range(2)]
        package = ota.call(
            "CreateOTAFirmware",
            ProductKey=product,
            FirmwareName="two",
            DestVersion="2",
            MultiFiles=files,
            NeedToVerify=False,
        )["Data"]["FirmwareId"]
        request = {
            "FirmwareId": package,
            "ProductKey": product,
            "TargetSelection": "ALL",
            "DownloadProtocol": "MQTT",
        }
        assert (
            ota.error_code("CreateOTAStaticUpgradeJob", **request)
            == "iot.ota.DownloadProtocolMqttNotSuitable"
        )

    def test_a_package_of_another_product_is_refused(self, ota, product):
        other = ota.create_product("Meter_B2")
        request = {"FirmwareId": ota.create_package(other), "ProductKey": product, "TargetSelection": "ALL"}
        assert (
            ota.error_code("CreateOTAStaticUpgradeJob", **request)
            == "iot.firmware.FirmwareAndProductKeyMismatch"
        )


class TestDynamic:
    def create(self, ota: UpdateSetup, package: str, product: str, **params) -> str:
        request = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"], **params}
        return str(ota.call("CreateOTADynamicUpgradeJob", **request)["Data"]["JobId"])

    def test_a_dynamic_batch_includes_current_devices_and_those_that_report_a_source_version_later(
        self, ota, product
    ):
        now = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = self.create(ota, package, product)
        assert read_names(ota, batch) == set(now)
        late = ota.register_devices(product, 1, prefix="late")
        ota.register_devices(product, 1, prefix="other", version="1.5.0")
        ota.run_for()
        assert read_names(ota, batch) == {*now, *late}
        assert ota.read_batch_status(batch) == "IN_PROGRESS"
        info = ota.call("QueryOTAJob", JobId=batch)["Data"]
        assert (info["SelectionType"], info["TargetSelection"], info["DynamicMode"]) == (
            "DYNAMIC",
            "ALL",
            1,
        )
        assert info["MaximumPerMinute"] == 1000

    def test_mode_2_includes_only_devices_that_report_later(self, ota, product):
        ota.register_devices(product, 2)
        batch = self.create(ota, ota.create_package(product), product, DynamicMode=2)
        late = ota.register_devices(product, 1, prefix="late")
        ota.run_for()
        assert read_names(ota, batch) == set(late)

    def test_a_package_has_one_running_policy(self, ota, product):
        ota.register_devices(product, 1)
        package = ota.create_package(product)
        batch = self.create(ota, package, product)
        request = {"FirmwareId": package, "ProductKey": product, "SrcVersion": ["1.0.0"]}
        assert (
            ota.error_code("CreateOTADynamicUpgradeJob", **request)
            == "iot.firmware.InProgressDynamicJobExisted"
        )
        ota.call("CancelOTAStrategyByJob", JobId=batch)
        assert ota.read_batch_status(batch) == "CANCELED"
        assert ota.error_code("CancelOTAStrategyByJob", JobId=batch) == "iot.firmware.JobAlreadyCanceled"
        self.create(ota, package, product)

    def test_a_canceled_policy_adds_no_more_devices(self, ota, product):
        ota.register_devices(product, 1)
        batch = self.create(ota, ota.create_package(product), product)
        ota.call("CancelOTAStrategyByJob", JobId=batch)
        ota.register_devices(product, 1, prefix="late")
        ota.run_for()
        assert read_names(ota, batch) == {"device0000"}

    def test_the_newest_policy_overrides_earlier_ones(self, ota, product):
        ota.register_devices(product, 1, status="OFFLINE")
        first = self.create(ota, ota.create_package(product), product)
        second = self.create(ota, ota.create_package(product, "pkg-3", "3.0.0"), product)
        assert ota.count_tasks(first) == {"CANCELED": 1}
        assert ota.count_tasks(second) == {"QUEUED": 1}

    def test_a_policy_may_have_no_devices_and_a_static_batch_has_no_policy(self, ota, product):
        package = ota.create_package(product)
        batch = self.create(ota, package, product)
        assert ota.list_tasks(batch) == []
        ota.register_devices(product, 1, version="1.1.0")
        static = ota.create_static_batch(ota.create_package(product, "pkg-3", "3.0.0"), product)
        assert ota.error_code("CancelOTAStrategyByJob", JobId=static) == "iot.firmware.NotDynamicJob"
        assert ota.error_code("CancelOTAStrategyByJob", JobId="none") == "iot.firmware.InvalidOTAJobId"

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
    def test_invalid_policies_are_refused(self, ota, product, params, code):
        request = {
            "FirmwareId": ota.create_package(product),
            "ProductKey": product,
            "SrcVersion": ["1.0.0"],
            **params,
        }
        assert ota.error_code("CreateOTADynamicUpgradeJob", **request) == code


class TestReading:
    def test_the_batches_of_a_package_are_listed_newest_first(self, ota, product):
        devices = ota.register_devices(product, 3)
        package = ota.create_package(product)
        batches = []
        for name in devices:
            request = {
                "TargetSelection": "SPECIFIC",
                "TargetDeviceName": [name],
                "Tag": [{"Key": "n", "Value": name}],
            }
            batches.append(ota.create_static_batch(package, product, **request))
            ota.clock.advance(1)
        response = ota.call("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=2)
        info = response["Data"]["SimpleOTAJobInfo"]
        assert [batch["JobId"] for batch in info] == batches[:0:-1]
        assert info[0]["Tags"]["OtaTagDTO"] == [{"Key": "n", "Value": devices[2]}]
        assert (response["Total"], response["PageCount"]) == (3, 2)
        assert ota.error_code("ListOTAJobByFirmware", FirmwareId="none", CurrentPage=1, PageSize=2) == (
            "iot.firmware.FirmwareNotFound"
        )
        assert ota.error_code("ListOTAJobByFirmware", FirmwareId=package, PageSize=2) == "MissingCurrentPage"
        assert ota.error_code("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=201) == (
            "iot.common.InvalidPageParams"
        )

    def test_the_batches_of_a_device_are_listed(self, ota, product):
        devices = ota.register_devices(product, 2)
        package = ota.create_package(product)
        batch = ota.create_static_batch(
            package, product, TargetSelection="SPECIFIC", TargetDeviceName=devices[:1]
        )
        request = {"FirmwareId": package, "ProductKey": product, "CurrentPage": 1, "PageSize": 10}
        response = ota.call("ListOTAJobByDevice", **request, DeviceName=devices[0])
        assert [item["JobId"] for item in response["Data"]["SimpleOTAJobInfo"]] == [batch]
        assert ota.call("ListOTAJobByDevice", **request, DeviceName=devices[1])["Total"] == 0
        assert (
            ota.error_code("ListOTAJobByDevice", **request, DeviceName="nobody")
            == "iot.device.NotExistedDevice"
        )
        assert ota.error_code("ListOTAJobByDevice", **request) == "MissingDeviceName"

    def test_an_unknown_batch_and_one_of_another_account_are_not_found(self, ota, emulator, product):
        ota.register_devices(product, 1)
        batch = ota.create_static_batch(ota.create_package(product), product)
        other_account = create_api(emulator, "otherid", "othersecret")
        assert other_account.error_code("QueryOTAJob", JobId=batch) == "iot.firmware.InvalidOTAJobId"
        assert ota.error_code("QueryOTAJob", JobId="none") == "iot.firmware.InvalidOTAJobId"
        assert ota.error_code("QueryOTAJob") == "MissingJobId"
