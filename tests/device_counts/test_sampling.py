"""Counting the devices of all connections every ten minutes, and when a page has read the numbers anyway."""

from __future__ import annotations

from collections import Counter

import pytest

from console.audit.models import ReadCount
from console.audit.read_counts import flush_counts
from console.connections.gateway import CONSOLE_ACTOR, Gateway
from console.dashboard import sampling, tasks
from console.device_counts.history import Kind, fleet_key
from console.device_counts.models import DeviceCountSample
from iot_client.quota import Lane


def test_a_sample_has_the_numbers_of_the_fleet_of_each_product_and_of_each_group(org, fleet, network):
    tasks.count_connection(org.connection.pk)
    samples = DeviceCountSample.objects.filter(connection=org.connection)
    kinds = Counter(sample.kind for sample in samples)
    assert kinds[Kind.FLEET] == 1
    assert kinds[Kind.PRODUCT] == 6
    whole = samples.get(kind=Kind.FLEET)
    assert (whole.key, whole.devices) == (fleet_key(org.connection), 300)
    products = samples.filter(kind=Kind.PRODUCT)
    assert sum(sample.devices for sample in products) == 300
    assert sum(sample.online for sample in products) == whole.online > 0
    calls = Counter(network.calls)
    assert calls["QueryDeviceGroupInfo"] == kinds[Kind.GROUP] > 5
    assert calls["QueryDeviceStatistics"] == 1 + 6
    assert calls["QueryProductList"] == 1
    assert sum(calls.values()) <= 1 + 1 + 6 + 1 + 2 * kinds[Kind.GROUP]


def test_the_numbers_of_products_and_groups_that_are_counted_are_limited(org, fleet, network, monkeypatch):
    monkeypatch.setattr(sampling, "MAX_PRODUCTS", 2)
    monkeypatch.setattr(sampling, "MAX_GROUPS", 3)
    tasks.count_connection(org.connection.pk)
    kinds = Counter(DeviceCountSample.objects.values_list("kind", flat=True))
    assert kinds == {Kind.FLEET: 1, Kind.PRODUCT: 2, Kind.GROUP: 3}
    products = DeviceCountSample.objects.filter(kind=Kind.PRODUCT)
    assert sum(sample.devices for sample in products) > 150, "those with the most devices"


def test_a_connection_that_cannot_be_reached_is_skipped_after_one_call(org, fleet, network):
    fleet.faults.add("*", "error", code="iot.system.SystemException", status=500, times=50)
    tasks.count_connection(org.connection.pk)
    assert set(network.calls) == {"QueryDeviceStatistics"}
    assert not DeviceCountSample.objects.exists()


def test_a_product_that_cannot_be_counted_has_no_sample_and_the_others_have(org, fleet, network):
    def fail_once(response):
        del network.after["QueryDeviceStatistics"]
        network.after["QueryDeviceStatistics"] = lambda _: {
            "Success": False,
            "Code": "iot.prod.NotExistedProduct",
        }

    network.after["QueryDeviceStatistics"] = fail_once
    tasks.count_connection(org.connection.pk)
    kinds = Counter(DeviceCountSample.objects.values_list("kind", flat=True))
    assert kinds[Kind.FLEET] == 1
    assert Kind.PRODUCT not in kinds
    assert kinds[Kind.GROUP] > 0


def test_two_workers_never_count_the_same_connection_at_once(org, db, monkeypatch):
    counted = []

    def count_while_another_worker_tries(connection):
        counted.append(connection.pk)
        tasks.count_connection(connection.pk)

    monkeypatch.setattr(tasks, "record_connection", count_while_another_worker_tries)
    tasks.count_connection(org.connection.pk)
    assert counted == [org.connection.pk]
    tasks.count_connection(org.connection.pk)
    assert len(counted) == 2, "the first worker released the connection"


def test_each_connection_has_its_own_task(org, monkeypatch):
    started = []
    monkeypatch.setattr(
        tasks.count_connection, "apply_async", lambda args, expires: started.append((args, expires))
    )
    tasks.count_devices()
    assert started == [((org.connection.pk,), 600), ((org.other_connection.pk,), 600)]
    tasks.count_devices()
    assert len(started) == 2, "each connection is counted once in ten minutes"
    tasks.count_connection(0)  # a connection that was deleted in the meantime


def test_the_console_reads_in_the_background_and_under_its_own_name(org, fleet):
    gateway = Gateway.for_console(org.connection)
    assert gateway.lane is Lane.BACKGROUND
    assert not gateway.allows("CreateProduct")
    assert not gateway.reveals("QueryProduct")
    gateway.call("QueryDeviceStatistics")
    flush_counts()
    assert [count.actor_label for count in ReadCount.objects.all()] == [CONSOLE_ACTOR]


@pytest.mark.parametrize("page", ["", "products", "groups"])
def test_a_page_that_reads_the_numbers_records_them_once_in_a_minute(page, org, fleet, network, sign_in):
    gateway = org.gateway()
    key = {
        "": fleet_key(org.connection),
        "products": gateway.call("QueryProductList", CurrentPage=1, PageSize=1)["Data"]["List"][
            "ProductInfo"
        ][0]["ProductKey"],
        "groups": gateway.call("QueryDeviceGroupList", CurrentPage=1, PageSize=1)["Data"]["GroupInfo"][0][
            "GroupId"
        ],
    }[page]
    url = org.url(f"{page}/{key}/" if page else "")
    browser = sign_in("viewer")
    for _ in range(2):
        assert browser.get(url).status_code == 200
    sample = DeviceCountSample.objects.get()
    assert sample.key == key
    assert browser.get(f"{url}device-history.json").json()["x"] == [int(sample.at.timestamp())]
