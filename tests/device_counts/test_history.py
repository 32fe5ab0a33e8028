"""The recorded numbers of devices, as the data of charts."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from console.accounts.models import CustomRole, Membership
from console.device_counts.counts import DeviceCounts
from console.device_counts.history import (
    Kind,
    delete_old_samples,
    fleet_key,
    record_counts,
    start_of_step,
)
from console.device_counts.models import DeviceCountSample

INTERVAL = timedelta(minutes=10)


def add_samples(
    connection: Any, key: str, numbers: dict[int, tuple[int, int, int]], kind: Kind = Kind.PRODUCT
) -> datetime:
    """Add samples: so many intervals ago → (devices, activated, online). Returns the start of the present interval."""
    now = start_of_step(timezone.now(), INTERVAL)
    DeviceCountSample.objects.bulk_create(
        DeviceCountSample(
            connection=connection,
            kind=kind,
            key=key,
            at=now - ago * INTERVAL,
            devices=devices,
            activated=activated,
            online=online,
        )
        for ago, (devices, activated, online) in numbers.items()
    )
    return now


def read_values(response: Any) -> dict[str, list[int | None]]:
    return {series["label"]: series["values"] for series in response.json()["series"]}


@pytest.fixture
def limit_access(org):
    """Limits the access of the viewer."""

    def limit(**access_scope: list[str]) -> None:
        Membership.objects.filter(team=org.team, user=org.members["viewer"]).update(access_scope=access_scope)

    return limit


def test_the_parts_of_a_chart_add_up_to_all_devices(org, sign_in):
    now = add_samples(org.connection, "k1", {2: (10, 8, 5), 1: (10, 9, 9), 0: (12, 9, 0)})
    response = sign_in("viewer").get(org.url("products/k1/device-history.json"))
    assert response.json()["x"] == [int((now - ago * INTERVAL).timestamp()) for ago in (2, 1, 0)]
    assert read_values(response) == {"Online": [5, 9, 0], "Offline": [3, 0, 9], "Not activated": [2, 1, 3]}


@pytest.mark.parametrize(
    ("days", "ago", "hours"), [(1, 0, 1), (1, 5, 1), (1, 7, 6), (1, 37, 24), (7, 0, 168), (31, 0, 744)]
)
def test_the_time_axis_is_as_long_as_the_period_or_on_the_first_day_one_or_six_hours(
    days, ago, hours, org, sign_in
):
    add_samples(org.connection, "k1", {ago: (1, 1, 1)})
    data = sign_in("viewer").get(org.url("products/k1/device-history.json"), {"days": days}).json()
    start, end = data["period"]
    assert end - start == hours * 3600
    assert abs(end - timezone.now().timestamp()) < 60


def test_a_chart_ends_with_the_latest_numbers_also_within_its_step(org, sign_in):
    now = add_samples(org.connection, "k1", {1: (9, 9, 1), 0: (9, 9, 2)})
    for minutes, online in ((2, 3), (4, 5)):
        DeviceCountSample.objects.create(
            connection=org.connection,
            kind=Kind.PRODUCT,
            key="k1",
            at=now + timedelta(minutes=minutes),
            devices=9,
            activated=9,
            online=online,
        )
    response = sign_in("viewer").get(org.url("products/k1/device-history.json"))
    assert read_values(response)["Online"] == [1, 2, 5]
    assert response.json()["x"][-1] == int((now + timedelta(minutes=4)).timestamp())


def test_intervals_without_a_sample_are_a_gap(org, sign_in):
    add_samples(org.connection, "k1", {5: (1, 1, 1), 4: (1, 1, 1), 1: (1, 1, 0), 0: (1, 1, 0)})
    data = sign_in("viewer").get(org.url("products/k1/device-history.json"))
    assert read_values(data)["Online"] == [1, 1, None, 0, 0]
    assert data.json()["x"] == sorted(set(data.json()["x"]))


@pytest.mark.parametrize(("days", "step"), [("7", 3), ("31", 12)])
def test_a_longer_period_has_fewer_points(days, step, org, sign_in):
    add_samples(org.connection, "k1", dict.fromkeys(range(200), (5, 5, 5)))
    browser = sign_in("viewer")
    points = browser.get(org.url("products/k1/device-history.json"), {"days": days}).json()["x"]
    assert 200 // step <= len(points) <= 200 // step + 3  # a step begun, one not ended, the latest sample
    assert {later - earlier for earlier, later in pairwise(points[1:-1])} == {600 * step}
    assert len(browser.get(org.url("products/k1/device-history.json"), {"days": "x"}).json()["x"]) <= 144


def test_the_overview_of_an_unlimited_member_shows_the_whole_fleet(org, sign_in):
    add_samples(org.connection, fleet_key(org.connection), {0: (9, 8, 7)}, Kind.FLEET)
    add_samples(org.connection, "k1", {0: (5, 4, 3)})
    assert read_values(sign_in("viewer").get(org.url("device-history.json")))["Online"] == [7]


@pytest.mark.parametrize(
    ("changes", "online"),
    [
        ([{"access_key_id": "LTAI5tRotatedKey0000", "same_account": "on"}], [7]),
        ([{"access_key_id": f"LTAI5tRotatedKey000{n}", "same_account": "on"} for n in range(2)], [7]),
        ([{"access_key_id": "LTAI5tRotatedKey0000"}], []),
        ([{"access_key_id": "LTAI5tRotatedKey0000", "same_account": "on", "region": "us-east-1"}], []),
        ([{"region": "us-east-1"}, {}], [7]),  # a mistake that is corrected
    ],
)
def test_the_history_of_the_fleet_continues_with_a_new_key_of_the_same_account(
    org, sign_in, emulator, changes, online
):
    add_samples(org.connection, fleet_key(org.connection), {0: (9, 8, 7)}, Kind.FLEET)
    names = ("name", "region", "endpoint", "access_key_id")
    stored = {name: getattr(org.connection, name) for name in names} | {"skip_test": "on"}
    for values in changes:
        response = sign_in("owner").post("/acme/-/connections/sandbox/edit/", stored | values)
        assert response.status_code == 302
    assert read_values(sign_in("viewer").get(org.url("device-history.json"))).get("Online", []) == online


def test_the_overview_of_a_limited_member_sums_the_products_in_scope(org, sign_in, limit_access):
    add_samples(org.connection, fleet_key(org.connection), {1: (99, 99, 99), 0: (99, 99, 99)}, Kind.FLEET)
    for key, online in (("k1", 1), ("k2", 10), ("k3", 100)):
        add_samples(org.connection, key, {1: (online, online, online), 0: (online, online, online)})
    limit_access(products=["k1", "k2"])
    assert read_values(sign_in("viewer").get(org.url("device-history.json")))["Online"] == [11, 11]
    limit_access(products=["k1"], groups=["g1"])
    assert read_values(sign_in("viewer").get(org.url("device-history.json")))["Online"] == []


def test_a_sum_without_one_of_the_products_is_a_gap_and_not_a_loss_of_devices(org, sign_in, limit_access):
    add_samples(org.connection, "k1", dict.fromkeys(range(12), (1, 1, 1)))
    # Created 10 intervals ago, not read 8 intervals ago, deleted 3 intervals ago.
    add_samples(org.connection, "k2", dict.fromkeys((10, 9, 7), (5, 5, 5)))
    limit_access(products=["k1", "k2"])
    values = read_values(sign_in("viewer").get(org.url("device-history.json")))["Online"]
    assert values == [1, 6, 6, None, 6, *[None] * 6, 1]


def test_samples_of_another_connection_are_never_shown(org, sign_in):
    for kind, key in ((Kind.PRODUCT, "k1"), (Kind.GROUP, "g1"), (Kind.FLEET, fleet_key(org.connection))):
        add_samples(org.other_connection, key, {0: (9, 9, 9)}, kind)
    browser = sign_in("viewer")
    for page in ("products/k1/", "groups/g1/", ""):
        assert browser.get(org.url(f"{page}device-history.json")).json()["x"] == []
    assert sign_in("viewer").get("/globex/plant/device-history.json").status_code == 404


def test_objects_out_of_scope_are_not_found(org, sign_in, limit_access, emulator):
    add_samples(org.connection, "k2", {0: (9, 9, 9)})
    limit_access(products=["k1"])
    browser = sign_in("viewer")
    assert browser.get(org.url("products/k1/device-history.json")).status_code == 200
    assert browser.get(org.url("products/k2/device-history.json")).status_code == 404
    assert browser.get(org.url("groups/g1/device-history.json")).status_code == 404


def test_a_role_without_devices_gets_no_chart(org, sign_in):
    CustomRole.objects.create(team=org.team, slug="releases", name="Releases", levels={"ota": 1})
    org.team.memberships.filter(user=org.members["viewer"]).update(role_slug="releases")
    for page in ("products/k1/", "groups/g1/", ""):
        assert sign_in("viewer").get(org.url(f"{page}device-history.json")).status_code == 403


def test_another_account_has_another_history(org, sign_in):
    add_samples(org.connection, fleet_key(org.connection), {0: (9, 8, 7)}, Kind.FLEET)
    org.connection.region = "cn-beijing"
    org.connection.save()
    assert sign_in("viewer").get(org.url("device-history.json")).json()["x"] == []


def test_there_is_one_sample_in_a_minute(org, db):
    for online in (1, 2):
        record_counts(org.connection, Kind.PRODUCT, {"k1": DeviceCounts(5, 5, online)})
    assert [sample.online for sample in DeviceCountSample.objects.all()] == [1]


@pytest.mark.parametrize(
    ("key", "counts"),
    [("", (1, 1, 1)), ("k" * 65, (1, 1, 1)), ("k1", (2**40, 1, 1)), ("k1", (1, -1, 1))],
)
def test_values_that_no_platform_returns_are_not_recorded(key, counts, org, db):
    record_counts(org.connection, Kind.PRODUCT, {key: DeviceCounts(*counts)})
    assert not DeviceCountSample.objects.exists()


def test_samples_are_kept_for_31_days(org, db):
    add_samples(org.connection, "k1", {0: (1, 1, 1), 31 * 144 - 1: (1, 1, 1), 31 * 144 + 1: (1, 1, 1)})
    delete_old_samples()
    assert DeviceCountSample.objects.count() == 2
