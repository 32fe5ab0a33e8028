"""Products and devices brought from one instance to another."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from console.cloud import catalogue
from console.emulator import Emulator
from console.emulator.distribution import PUBLIC
from tests.emulator.conftest import KEY_ID, OTHER_ID, Api, api_of
from tests.emulator.test_ota_shapes import deviations

SANDBOX = "iot-sandbox"


@pytest.fixture
def there(emulator: Emulator) -> Api:
    """A client of the first account in the other instance."""
    return api_of(emulator, instance_id=SANDBOX)


@pytest.fixture
def meters(api: Api) -> str:
    """A product of the public instance with four devices."""
    key = api.product("Meters")
    api.devices(key, "meter-1", "meter-2", "meter-3", "meter-4")
    return key


def job(key: str, *names: str, **changes: Any) -> dict[str, Any]:
    """The parameters of a device job."""
    return {
        "ProductKey": key,
        "DeviceName": list(names),
        "SourceInstanceId": PUBLIC,
        "TargetInstanceConfig": [{"TargetInstanceId": SANDBOX}],
        "TargetUid": KEY_ID,
        **changes,
    }


def product_job(key: str, **changes: Any) -> dict[str, Any]:
    """The parameters of a product job."""
    return {
        "ProductKey": key,
        "SourceInstanceId": PUBLIC,
        "TargetInstanceId": SANDBOX,
        "TargetAliyunId": KEY_ID,
        **changes,
    }


def names(api: Api, key: str) -> list[str]:
    answer = api.call("QueryDevice", ProductKey=key)
    assert answer["Total"] == len(answer["Data"]["DeviceInfo"])
    return sorted(device["DeviceName"] for device in answer["Data"]["DeviceInfo"])


def test_devices_move_with_their_product(api: Api, there: Api, meters: str) -> None:
    assert there.refused("QueryDevice", ProductKey=meters) == "iot.prod.NotExistedProduct"
    group = api.group()
    api.call("SaveDeviceProp", ProductKey=meters, DeviceName="meter-1", Props={"city": "Ulm"})
    pair = [{"ProductKey": meters, "DeviceName": "meter-1"}]
    api.call("BatchAddDeviceGroupRelations", GroupId=group, Device=pair)
    job_id = api.call("CreateDeviceDistributeJob", **job(meters, "meter-1", "meter-3", "ghost"))["JobId"]
    seen = []
    for _ in range(5):
        data = api.call("QueryDeviceDistributeJob", JobId=job_id)["Data"]
        seen.append(data["Status"])
        api.clock.advance(1)
    assert seen == [0, 1, 1, 2, 2]
    assert (data["Total"], data["ProductKey"], data["SourceInstanceId"]) == (3, meters, PUBLIC)
    assert names(api, meters) == ["meter-2", "meter-4"]
    assert names(there, meters) == ["meter-1", "meter-3"]
    assert there.call("QueryDeviceProp", ProductKey=meters, DeviceName="meter-1")["Props"] == '{"city":"Ulm"}'
    assert api.call("QueryDeviceGroupInfo", GroupId=group)["Data"]["DeviceCount"] == 0
    assert api.refused("RegisterDevice", ProductKey=meters, DeviceName="meter-1") == (
        "iot.device.AlreadyExistedDeviceName"
    )
    for client in (api, there):
        (product,) = client.call("QueryProductList", CurrentPage=1, PageSize=10)["Data"]["List"][
            "ProductInfo"
        ]
        assert (product["ProductKey"], product["DeviceCount"]) == (meters, 2)
        assert client.call("QueryProduct", ProductKey=meters)["Data"]["DeviceCount"] == 2
        assert client.call("QueryDeviceStatistics")["Data"]["deviceCount"] == 2
        assert client.call("QueryDeviceStatistics", ProductKey=meters)["Data"]["deviceCount"] == 2
        assert client.call("QueryDeviceByStatus", Status=0)["Total"] == 2


def test_the_result_of_each_device_is_in_a_file(api: Api, emulator: Emulator, meters: str) -> None:
    job_id = api.call("CreateDeviceDistributeJob", **job(meters, "meter-1", "ghost"))["JobId"]
    assert api.refused("QueryDeviceDistributeDetail", JobId=job_id) == "iot.provisioning.TaskNotFinish"
    assert api.refused("DeleteDeviceDistributeJob", JobId=job_id) == "iot.provisioning.TaskIsProcessing"
    api.clock.advance(10)

    def result(job_id: str) -> dict[str, str]:
        url = api.call("QueryDeviceDistributeDetail", JobId=job_id)["File"]
        with httpx.Client(transport=httpx.WSGITransport(app=emulator)) as client:
            return {item["DeviceName"]: item["Code"] for item in client.get(url).json()}

    assert result(job_id) == {"meter-1": "200", "ghost": "iot.device.NotExistedDevice"}
    again = api.call("CreateDeviceDistributeJob", **job(meters, "meter-1", "meter-2"))["JobId"]
    api.clock.advance(10)
    assert result(again) == {"meter-1": "iot.device.DeviceHasDistributed", "meter-2": "200"}
    api.call("DeleteDeviceDistributeJob", JobId=job_id)
    assert api.refused("QueryDeviceDistributeJob", JobId=job_id) == "iot.provisioning.TaskNotExist"


def test_a_product_is_there_too_and_changed_only_where_it_was_made(api: Api, there: Api, meters: str) -> None:
    api.call("CreateProductDistributeJob", **product_job(meters))
    assert api.refused("CreateProductDistributeJob", **product_job(meters)) == (
        "iot.provisioning.ProductIsDistributing"
    )
    api.clock.advance(10)
    assert there.call("QueryProduct", ProductKey=meters)["Data"]["ProductName"] == "Meters"
    assert names(there, meters) == []
    there.device(meters, "meter-9")
    assert names(there, meters) == ["meter-9"]
    assert "meter-9" not in names(api, meters)
    for name, params in {"UpdateProduct": {"ProductName": "Clocks"}, "DeleteProduct": {}}.items():
        assert there.refused(name, ProductKey=meters, **params) == "iot.common.APINotSupportedInInstance"
    (item,) = api.call("ListDistributedProduct", TargetInstanceId=SANDBOX)["Data"]["Info"]["items"]
    assert (item["ProductKey"], item["SourceInstanceId"]) == (meters, PUBLIC)


def test_devices_come_back(api: Api, there: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **job(meters, "meter-1"))
    api.clock.advance(10)
    back = {"SourceInstanceId": SANDBOX, "TargetInstanceConfig": [{"TargetInstanceId": PUBLIC}]}
    api.call("CreateDeviceDistributeJob", **job(meters, "meter-1", **back))
    api.clock.advance(10)
    assert "meter-1" in names(api, meters)
    assert names(there, meters) == []


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
        ({"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC}]}, "iot.system.InstanceIdSame"),
        (
            {"TargetInstanceConfig": [{"TargetInstanceId": PUBLIC}, {"TargetInstanceId": SANDBOX}]},
            "iot.provisioning.ErrorStrategy",
        ),
        ({"ProductKey": "a1nothing"}, "iot.prod.NotExistedProduct"),
        ({"DeviceName": ["x"] * 10_001}, "iot.provisioning.LimitExceeded"),
    ],
)
def test_a_job_refused(api: Api, meters: str, changes: dict[str, Any], code: str) -> None:
    assert api.refused("CreateDeviceDistributeJob", **job(meters, "meter-1", **changes)) == code


def test_a_product_job_refused(api: Api, meters: str) -> None:
    def code(**changes: Any) -> str:
        return api.refused("CreateProductDistributeJob", **product_job(meters, **changes))

    assert code(TargetInstanceId=None) == "MissingTargetInstanceId"
    assert code(TargetInstanceId="iot-none") == "iot.provisioning.TargetInstanceNotFound"
    assert code(ProductKey="a1nothing") == "iot.prod.NotExistedProduct"


def test_ten_jobs_at_once_and_a_device_in_one_of_them(api: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **job(meters, "meter-1"))
    assert api.refused("CreateDeviceDistributeJob", **job(meters, "meter-2", "meter-1")) == (
        "iot.provisioning.DeviceIsInAnotherTask"
    )
    for n in range(9):
        api.call("CreateDeviceDistributeJob", **job(meters, f"ghost-{n}"))
    assert api.refused("CreateDeviceDistributeJob", **job(meters, "meter-4")) == (
        "iot.provisioning.RunningTaskExcceedLimit"
    )


def test_jobs_are_listed_newest_first(api: Api, other: Api, meters: str) -> None:
    made = []
    for n in range(3):
        made.append(api.call("CreateDeviceDistributeJob", **job(meters, f"meter-{n + 1}"))["JobId"])
        api.clock.advance(10)

    def listed(**params: Any) -> list[str]:
        data = api.call("ListDeviceDistributeJob", **params)["Data"]
        return [item["JobId"] for item in data["JobInfo"]["items"]]

    assert listed(PageSize=10) == made[::-1]
    first = api.call("ListDeviceDistributeJob", PageSize=2)["Data"]
    assert first["Total"] == 3
    assert listed(PageSize=2, NextToken=first["NextToken"]) == made[:1]
    assert listed(PageSize=2, CurrentPage=2) == made[:1]
    assert listed(PageSize=10, JobId=made[1]) == [made[1]]
    assert listed(PageSize=10, Status=0) == []
    assert listed(PageSize=10, TargetUid="nobody") == []
    code = api.refused("ListDeviceDistributeJob", PageSize=201)
    assert code == "iot.common.InvalidPageParams"
    assert api.refused("ListDeviceDistributeJob", NextToken="x") == "iot.device.PageTokenIsIllegal"
    assert other.call("ListDeviceDistributeJob", PageSize=10)["Data"]["Total"] == 0
    for name in ("QueryDeviceDistributeJob", "QueryDeviceDistributeDetail", "DeleteDeviceDistributeJob"):
        assert other.refused(name, JobId=made[0]) == "iot.provisioning.UidAndTaskNotMatch"
        assert api.refused(name, JobId="nothing") == "iot.provisioning.TaskNotExist"
        assert api.refused(name) == "MissingJobId"


def test_what_was_brought_over_is_listed(api: Api, other: Api, meters: str) -> None:
    api.call("CreateDeviceDistributeJob", **job(meters, "meter-1", "meter-2"))
    api.clock.advance(10)

    def listed(**params: Any) -> list[str]:
        data = api.call("ListDistributedDevice", **params)["Data"]
        assert data["Total"] == len(data["Info"]["items"])
        return sorted(item["DeviceName"] for item in data["Info"]["items"])

    assert listed() == ["meter-1", "meter-2"]
    assert listed(DeviceName="meter-2", ProductKey=meters, SourceInstanceId=PUBLIC) == ["meter-2"]
    assert listed(SourceInstanceId=SANDBOX) == []
    assert other.call("ListDistributedDevice")["Data"]["Total"] == 0
    assert api.refused("ListDistributedDevice", PageSize=0) == "iot.common.InvalidPageParams"
    assert api.refused("ListDistributedProduct", CurrentPage=0) == "iot.common.InvalidPageParams"


def test_answers_have_the_shape_of_the_reference(api: Api, meters: str) -> None:
    job_id = api.call("CreateDeviceDistributeJob", **job(meters, "meter-1"))["JobId"]
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
