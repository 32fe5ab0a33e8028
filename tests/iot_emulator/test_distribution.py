"""Distribution of products and devices from one instance to another."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from iot_client import catalogue
from iot_emulator import Emulator
from iot_emulator.distribution import PUBLIC_INSTANCE
from tests.iot_emulator.clients import KEY_ID, OTHER_ID, Api, create_api
from tests.iot_emulator.shapes import deviations

SANDBOX = "iot-sandbox"


@pytest.fixture
def target_api(emulator: Emulator) -> Api:
    """A client of the first account in the target instance."""
    return create_api(emulator, instance_id=SANDBOX)


@pytest.fixture
def meters(api: Api) -> str:
    """A product of the public instance with four devices."""
    key = api.create_product("Meters")
    api.register_devices(key, "meter-1", "meter-2", "meter-3", "meter-4")
    return key


def device_job(key: str, *names: str, **changes: Any) -> dict[str, Any]:
    """Return the parameters of a device job."""
    return {
        "ProductKey": key,
        "DeviceName": list(names),
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceConfig": [{"TargetInstanceId": SANDBOX}],
        "TargetUid": KEY_ID,
        **changes,
    }


def product_job(key: str, **changes: Any) -> dict[str, Any]:
    """Return the parameters of a product job."""
    return {
        "ProductKey": key,
        "SourceInstanceId": PUBLIC_INSTANCE,
        "TargetInstanceId": SANDBOX,
        "TargetAliyunId": KEY_ID,
        **changes,
    }


def device_names(api: Api, key: str) -> list[str]:
    response = api.call("QueryDevice", ProductKey=key)
    assert response["Total"] == len(response["Data"]["DeviceInfo"])
    return sorted(device["DeviceName"] for device in response["Data"]["DeviceInfo"])


def test_devices_move_with_their_product(api: Api, target_api: Api, meters: str) -> None:
    assert target_api.error_code("QueryDevice", ProductKey=meters) == "iot.prod.NotExistedProduct"
    group = api.create_group()
    api.call("SaveDeviceProp", ProductKey=meters, DeviceName="meter-1", Props={"city": "Ulm"})
    pair = [{"ProductKey": meters, "DeviceName": "meter-1"}]
    api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=pair)
    job_id = api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1", "meter-3", "ghost"))[
        "JobId"
    ]
    statuses = []
    for _ in range(5):
        data = api.call("QueryDeviceDistributeJob", JobId=job_id)["Data"]
        statuses.append(data["Status"])
        api.clock.advance(1)
    assert statuses == [0, 1, 1, 2, 2]
    assert (data["Total"], data["ProductKey"], data["SourceInstanceId"]) == (3, meters, PUBLIC_INSTANCE)
    assert device_names(api, meters) == ["meter-2", "meter-4"]
    assert device_names(target_api, meters) == ["meter-1", "meter-3"]
    assert (
        target_api.call("QueryDeviceProp", ProductKey=meters, DeviceName="meter-1")["Props"]
        == '{"city":"Ulm"}'
    )
    assert api.call("QueryDeviceGroupInfo", GroupId=group)["Data"]["DeviceCount"] == 0
    assert api.error_code("RegisterDevice", ProductKey=meters, DeviceName="meter-1") == (
        "iot.device.AlreadyExistedDeviceName"
    )
    for client in (api, target_api):
        (product,) = client.call("QueryProductList", CurrentPage=1, PageSize=10)["Data"]["List"][
            "ProductInfo"
        ]
        assert (product["ProductKey"], product["DeviceCount"]) == (meters, 2)
        assert client.call("QueryProduct", ProductKey=meters)["Data"]["DeviceCount"] == 2
        assert client.call("QueryDeviceStatistics")["Data"]["deviceCount"] == 2
        assert client.call("QueryDeviceStatistics", ProductKey=meters)["Data"]["deviceCount"] == 2
        assert client.call("QueryDeviceByStatus", Status=0)["Total"] == 2


def test_the_result_of_each_device_is_in_a_file(api: Api, emulator: Emulator, meters: str) -> None:
    job_id = api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1", "ghost"))["JobId"]
    assert api.error_code("QueryDeviceDistributeDetail", JobId=job_id) == "iot.provisioning.TaskNotFinish"
    assert api.error_code("DeleteDeviceDistributeJob", JobId=job_id) == "iot.provisioning.TaskIsProcessing"
    api.clock.advance(10)

    def result(job_id: str) -> dict[str, str]:
        url = api.call("QueryDeviceDistributeDetail", JobId=job_id)["File"]
        with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
            return {item["DeviceName"]: item["Code"] for item in client.get(url).json()}

    assert result(job_id) == {"meter-1": "200", "ghost": "iot.device.NotExistedDevice"}
    second_job_id = api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1", "meter-2"))["JobId"]
    api.clock.advance(10)
    assert result(second_job_id) == {"meter-1": "iot.device.DeviceHasDistributed", "meter-2": "200"}
    api.call("DeleteDeviceDistributeJob", JobId=job_id)
    assert api.error_code("QueryDeviceDistributeJob", JobId=job_id) == "iot.provisioning.TaskNotExist"


def test_a_product_is_in_both_instances_and_changed_only_in_the_first(
    api: Api, target_api: Api, meters: str
) -> None:
    api.call("CreateProductDistributeJob", **product_job(meters))
    assert api.error_code("CreateProductDistributeJob", **product_job(meters)) == (
        "iot.provisioning.ProductIsDistributing"
    )
    api.clock.advance(10)
    assert target_api.call("QueryProduct", ProductKey=meters)["Data"]["ProductName"] == "Meters"
    assert device_names(target_api, meters) == []
    target_api.register_device(meters, "meter-9")
    assert device_names(target_api, meters) == ["meter-9"]
    assert "meter-9" not in device_names(api, meters)
    for name, params in {"UpdateProduct": {"ProductName": "Clocks"}, "DeleteProduct": {}}.items():
        assert (
            target_api.error_code(name, ProductKey=meters, **params) == "iot.common.APINotSupportedInInstance"
        )
    (item,) = api.call("ListDistributedProduct", TargetInstanceId=SANDBOX)["Data"]["Info"]["items"]
    assert (item["ProductKey"], item["SourceInstanceId"]) == (meters, PUBLIC_INSTANCE)


def test_devices_can_be_moved_back(api: Api, target_api: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1"))
    api.clock.advance(10)
    reverse = {"SourceInstanceId": SANDBOX, "TargetInstanceConfig": [{"TargetInstanceId": PUBLIC_INSTANCE}]}
    api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1", **reverse))
    api.clock.advance(10)
    assert "meter-1" in device_names(api, meters)
    assert device_names(target_api, meters) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ProductKey": None}, "MissingProductKey"),
        ({"DeviceName": None}, "MissingDeviceName"),
        ({"SourceInstanceId": None}, "MissingSourceInstanceId"),
        ({"TargetInstanceConfig": None}, "MissingTargetInstanceConfig"),
        ({"TargetUid": None}, "iot.provisioning.TargetAccountParamsError"),
        ({"TargetUid": "nobody"}, "iot.provisioning.AccountNotFound"),
        ({"TargetUid": OTHER_ID}, "iot.provisioning.NotCrossTenantId"),
        ({"Strategy": 7}, "iot.provisioning.ErrorStrategy"),
        ({"SourceInstanceId": "iot-none"}, "iot.provisioning.SourceInstanceNotFound"),
        (
            {"TargetInstanceConfig": [{"TargetInstanceId": "iot-none"}]},
            "iot.provisioning.TargetInstanceNotFound",
        ),
        ({"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC_INSTANCE}]}, "iot.system.InstanceIdSame"),
        (
            {"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC_INSTANCE}, {"TargetInstanceId": SANDBOX}]},
            "iot.provisioning.ErrorStrategy",
        ),
        ({"ProductKey": "a1nothing"}, "iot.prod.NotExistedProduct"),
        ({"DeviceName": ["x"] * 10_001}, "iot.provisioning.LimitExceeded"),
    ],
)
def test_an_invalid_device_job_is_refused(api: Api, meters: str, changes: dict[str, Any], code: str) -> None:
    assert api.error_code("CreateDeviceDistributeJob", **device_job(meters, "meter-1", **changes)) == code


def test_an_invalid_product_job_is_refused(api: Api, meters: str) -> None:
    def code(**changes: Any) -> str:
        return api.error_code("CreateProductDistributeJob", **product_job(meters, **changes))

    assert code(TargetInstanceId=None) == "MissingTargetInstanceId"
    assert code(TargetInstanceId="iot-none") == "iot.provisioning.TargetInstanceNotFound"
    assert code(ProductKey="a1nothing") == "iot.prod.NotExistedProduct"


def test_at_most_ten_jobs_run_and_a_device_is_in_one_of_them(api: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1"))
    assert api.error_code("CreateDeviceDistributeJob", **device_job(meters, "meter-2", "meter-1")) == (
        "iot.provisioning.DeviceIsInAnotherTask"
    )
    for n in range(9):
        api.call("CreateDeviceDistributeJob", **device_job(meters, f"ghost-{n}"))
    assert api.error_code("CreateDeviceDistributeJob", **device_job(meters, "meter-4")) == (
        "iot.provisioning.RunningTaskExcceedLimit"
    )


def test_jobs_are_listed_newest_first(api: Api, other_api: Api, meters: str) -> None:
    ids = []
    for n in range(3):
        ids.append(api.call("CreateDeviceDistributeJob", **device_job(meters, f"meter-{n + 1}"))["JobId"])
        api.clock.advance(10)

    def list_names(**params: Any) -> list[str]:
        data = api.call("ListDeviceDistributeJob", **params)["Data"]
        return [item["JobId"] for item in data["JobInfo"]["items"]]

    assert list_names(PageSize=10) == ids[::-1]
    first = api.call("ListDeviceDistributeJob", PageSize=2)["Data"]
    assert first["Total"] == 3
    assert list_names(PageSize=2, NextToken=first["NextToken"]) == ids[:1]
    assert list_names(PageSize=2, CurrentPage=2) == ids[:1]
    assert list_names(PageSize=10, JobId=ids[1]) == [ids[1]]
    assert list_names(PageSize=10, Status=0) == []
    assert list_names(PageSize=10, TargetUid="nobody") == []
    code = api.error_code("ListDeviceDistributeJob", PageSize=201)
    assert code == "iot.common.InvalidPageParams"
    assert api.error_code("ListDeviceDistributeJob", NextToken="x") == "iot.device.PageTokenIsIllegal"
    assert other_api.call("ListDeviceDistributeJob", PageSize=10)["Data"]["Total"] == 0
    for name in ("QueryDeviceDistributeJob", "QueryDeviceDistributeDetail", "DeleteDeviceDistributeJob"):
        assert other_api.error_code(name, JobId=ids[0]) == "iot.provisioning.UidAndTaskNotMatch"
        assert api.error_code(name, JobId="nothing") == "iot.provisioning.TaskNotExist"
        assert api.error_code(name) == "MissingJobId"


def test_distributed_devices_are_listed(api: Api, other_api: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1", "meter-2"))
    api.clock.advance(10)

    def list_names(**params: Any) -> list[str]:
        data = api.call("ListDistributedDevice", **params)["Data"]
        assert data["Total"] == len(data["Info"]["items"])
        return sorted(item["DeviceName"] for item in data["Info"]["items"])

    assert list_names() == ["meter-1", "meter-2"]
    assert list_names(DeviceName="meter-2", ProductKey=meters, SourceInstanceId=PUBLIC_INSTANCE) == [
        "meter-2"
    ]
    assert list_names(SourceInstanceId=SANDBOX) == []
    assert other_api.call("ListDistributedDevice")["Data"]["Total"] == 0
    assert api.error_code("ListDistributedDevice", PageSize=0) == "iot.common.InvalidPageParams"
    assert api.error_code("ListDistributedProduct", CurrentPage=0) == "iot.common.InvalidPageParams"


def test_responses_have_the_structure_of_the_reference(api: Api, meters: str) -> None:
    job_id = api.call("CreateDeviceDistributeJob", **device_job(meters, "meter-1"))["JobId"]
    api.clock.advance(10)
    for name, params in {
        "QueryDeviceDistributeJob": {"JobId": job_id},
        "QueryDeviceDistributeDetail": {"JobId": job_id},
        "ListDeviceDistributeJob": {"PageSize": 10},
        "ListDistributedDevice": {},
        "ListDistributedProduct": {},
    }.items():
        known = dict(catalogue.operation(name).response)
        assert deviations(api.call(name, **params), "", known) == [], name
