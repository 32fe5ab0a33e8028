"""Reads and changes of a member whose access scope is limited to some products and device groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from console.accounts.models import ApiToken, Membership
from console.accounts.scope import AccessScope
from console.audit.models import AuditRecord
from console.connections import clients
from console.connections.gateway import Call, ConnectionOutOfScope, Gateway, OutOfScope
from console.connections.models import Connection
from console.connections.scope import lists, names, sql
from console.connections.scope.guard import MAX_PRODUCTS_FOR_CATEGORY
from iot_client.catalogue import LimitedUse, operations
from iot_client.trace import Trace
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork

pytestmark = pytest.mark.django_db


@dataclass
class ScopedFleet:
    """A fleet: products `in_` and `out`, each with devices; a group with a subgroup, and another group."""

    org: Organization
    network: RecordedNetwork
    mine: str
    theirs: str
    group: str
    below: str
    other_group: str

    def gateway(self, role: str = "operator", **access_scope: Any) -> Gateway:
        """The gateway of a member with this access scope."""
        stored = AccessScope(**{name: frozenset(values) for name, values in access_scope.items()}).to_json()
        user = self.org.members[role]
        Membership.objects.filter(team=self.org.team, user=user).update(access_scope=stored)
        return self.org.gateway(role)


def products_of(gateway: Gateway, **params: Any) -> list[str]:
    response = gateway.call("QueryProductList", **{"CurrentPage": 1, "PageSize": 50, **params})
    return [product["ProductKey"] for product in response["Data"]["List"]["ProductInfo"]]


def groups_of(gateway: Gateway, **params: Any) -> list[str]:
    response = gateway.call("QueryDeviceGroupList", **{"CurrentPage": 1, "PageSize": 50, **params})
    assert response["Total"] == len(response["Data"]["GroupInfo"])
    return [group["GroupId"] for group in response["Data"]["GroupInfo"]]


def packages_of(gateway: Gateway, **params: Any) -> list[dict[str, Any]]:
    response = gateway.call("ListOTAFirmware", **{"CurrentPage": 1, **params})
    return list(response["FirmwareInfo"]["SimpleFirmwareInfo"])


@pytest.fixture
def scoped_fleet(emulator: Any, org: Organization, monkeypatch: pytest.MonkeyPatch) -> ScopedFleet:
    network = RecordedNetwork(emulator)
    monkeypatch.setattr(clients, "transport_for", lambda connection: network)
    owner = org.gateway()
    mine, theirs = (
        str(owner.call("CreateProduct", ProductName=name, NodeType=0)["ProductKey"])
        for name in ("Mine", "Theirs")
    )
    for key in (mine, theirs):
        for name in ("meter-0001", "meter-0002", "meter-0003"):
            owner.call("RegisterDevice", ProductKey=key, DeviceName=name)
    group = str(owner.call("CreateDeviceGroup", GroupName="North")["Data"]["GroupId"])
    below = str(owner.call("CreateDeviceGroup", GroupName="NorthEast", SuperGroupId=group)["Data"]["GroupId"])
    other = str(owner.call("CreateDeviceGroup", GroupName="NorthSecret")["Data"]["GroupId"])
    owner.call(
        "BatchAddDeviceGroupRelations",
        GroupId=below,
        Device=[{"ProductKey": theirs, "DeviceName": "meter-0001"}],
    )
    owner.call(
        "BatchAddDeviceGroupRelations",
        GroupId=other,
        Device=[{"ProductKey": key, "DeviceName": "meter-0001"} for key in (mine, theirs)],
    )
    AuditRecord.objects.all().delete()
    network.calls.clear()
    return ScopedFleet(org, network, mine, theirs, group, below, other)


# -- facts of the catalogue ------------------------------------------------------------------------------------------


def test_an_operation_that_names_no_object_is_never_sent_or_composed_or_open() -> None:
    nameless = {op.name for op in operations().values() if not names.naming_parameters(op)}
    account_wide = {op.name for op in operations().values() if op.limited is LimitedUse.NEVER}
    is_open = {op.name for op in operations().values() if op.limited is LimitedUse.OPEN}
    assert nameless - account_wide == is_open | {"QueryProductList", "ListProductByTags"}


def test_every_composed_response_has_a_composer() -> None:
    composed = {op.name for op in operations().values() if op.limited is LimitedUse.COMPOSED}
    assert composed == set(lists._COMPOSERS) - {
        "GetThingTopo"
    }  # which names its gateway, and is composed always


# -- connections and instances ---------------------------------------------------------------------------------------


def test_a_connection_outside_the_scope_gets_no_gateway(org: Organization) -> None:
    other = Connection.objects.create(team=org.team, slug="other", name="Other", access_key_id="k")
    Membership.objects.filter(user=org.members["operator"]).update(access_scope={"connections": [other.pk]})
    with pytest.raises(ConnectionOutOfScope):
        org.gateway("operator")


def test_a_member_limited_to_connections_cannot_call_another_instance(
    scoped_fleet: ScopedFleet,
) -> None:
    gateway = scoped_fleet.gateway(connections=[scoped_fleet.org.connection.pk])
    assert set(products_of(gateway)) == {scoped_fleet.mine, scoped_fleet.theirs}
    with pytest.raises(OutOfScope):
        products_of(gateway, IotInstanceId="iot-another")
    assert scoped_fleet.network.calls == ["QueryProductList"]


# -- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_of_products_reveals_neither_names_nor_numbers_of_other_products(
    scoped_fleet: ScopedFleet,
) -> None:
    response = scoped_fleet.gateway(products=[scoped_fleet.mine, "a1Deleted"]).call(
        "QueryProductList", CurrentPage=1, PageSize=10
    )
    assert response["Data"]["Total"] == response["Data"]["PageCount"] == 1
    (product,) = response["Data"]["List"]["ProductInfo"]
    assert (product["ProductName"], product["DeviceCount"]) == ("Mine", 3)
    assert "ProductSecret" not in product
    assert "Theirs" not in str(response)


def test_device_statistics_count_only_products_in_scope(scoped_fleet: ScopedFleet) -> None:
    statistics = scoped_fleet.gateway(products=[scoped_fleet.mine]).call("QueryDeviceStatistics")
    assert statistics["Data"]["deviceCount"] == 3
    with pytest.raises(
        OutOfScope
    ):  # devices of a group may belong to a listed product too, so the numbers cannot be added
        scoped_fleet.gateway(products=[scoped_fleet.mine], groups=[scoped_fleet.group]).call(
            "QueryDeviceStatistics"
        )


def test_the_top_level_groups_are_the_listed_ones_and_a_search_covers_them_and_their_subgroups(
    scoped_fleet: ScopedFleet,
) -> None:
    gateway = scoped_fleet.gateway(groups=[scoped_fleet.group])
    assert groups_of(gateway) == [scoped_fleet.group]
    assert groups_of(gateway, SuperGroupId=scoped_fleet.group) == [scoped_fleet.below]
    assert set(groups_of(gateway, GroupName="north")) == {scoped_fleet.group, scoped_fleet.below}
    assert groups_of(gateway, GroupName="north", SuperGroupId=scoped_fleet.group) == [scoped_fleet.below]
    with pytest.raises(OutOfScope):
        groups_of(gateway, SuperGroupId=scoped_fleet.other_group)
    assert groups_of(scoped_fleet.gateway(products=[scoped_fleet.mine])) == []


def test_groups_of_a_device_and_parent_groups_are_shown_only_in_scope(
    scoped_fleet: ScopedFleet,
) -> None:
    device = {"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"}
    response = scoped_fleet.gateway(groups=[scoped_fleet.group]).call("QueryDeviceGroupByDevice", **device)
    assert [group["GroupId"] for group in response["GroupInfos"]["GroupInfo"]] == [scoped_fleet.below]
    above = scoped_fleet.gateway(groups=[scoped_fleet.below]).call(
        "QuerySuperDeviceGroup", GroupId=scoped_fleet.below
    )
    assert above["Data"]["GroupInfo"] == []


def test_packages_are_those_of_the_products_in_scope(scoped_fleet: ScopedFleet, fleet: Any) -> None:
    owner = scoped_fleet.org.gateway()
    every = packages_of(owner, PageSize=100)
    keys = sorted({package["ProductKey"] for package in every})
    mine, other = keys[:2], next(package for package in every if package["ProductKey"] not in keys[:2])
    gateway = scoped_fleet.gateway(products=mine)
    expected = [package["FirmwareId"] for package in every if package["ProductKey"] in mine]
    response = gateway.call("ListOTAFirmware", CurrentPage=1, PageSize=2)
    assert (response["Total"], response["PageCount"]) == (len(expected), -(-len(expected) // 2))
    pages = gateway.read_pages("ListOTAFirmware", PageSize=2)
    shown = [package for page in pages for package in page.content["FirmwareInfo"]["SimpleFirmwareInfo"]]
    assert sorted(package["FirmwareId"] for package in shown) == sorted(expected)
    created = [package["UtcCreate"] for package in shown]
    assert created == sorted(created, reverse=True)
    for read in ("QueryOTAFirmware", "ListOTAJobByFirmware"):
        page = {"CurrentPage": 1, "PageSize": 10} if read.startswith("List") else {}
        with pytest.raises(OutOfScope) as theirs:
            gateway.call(read, FirmwareId=other["FirmwareId"], **page)
        with pytest.raises(OutOfScope) as missing:
            gateway.call(read, FirmwareId="no-such-package", **page)
        assert str(theirs.value) == str(missing.value)


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ('product_key = "MINE"', True),
        ('product_key = "MINE" AND name LIKE "mete%" OR product_key = "MINE" AND iot_id = "x"', True),
        ('group.group_id = "GROUP" AND status = "ONLINE"', True),
        ('name = "meter-0001"', False),
        ('product_key = "MINE" OR name = "meter-0001"', False),
        ('product_key != "MINE"', False),
        ('product_key LIKE "MINE%"', False),
        ('product_key = "THEIRS"', False),
        ('product_key = "MINE" AND group.group_id = "OTHER"', False),
        ('name = "a\\" OR product_key = \\"MINE"', False),
        ("name = 'x\" OR product_key = \"MINE'", False),
        ('product_key = "MINE" OR (name = "meter-0001")', False),
        ('product_key = "MINE" ORDER BY gmt_create LIMIT 0,5 OR name = "x"', False),
    ],
)
def test_a_search_passes_if_each_of_its_alternatives_is_limited_to_the_scope(
    scoped_fleet: ScopedFleet, where: str, passes: bool
) -> None:
    for word, value in (
        ("MINE", scoped_fleet.mine),
        ("THEIRS", scoped_fleet.theirs),
        ("OTHER", scoped_fleet.other_group),
    ):
        where = where.replace(word, value)
    where = where.replace("GROUP", scoped_fleet.group)
    gateway = scoped_fleet.gateway(products=[scoped_fleet.mine], groups=[scoped_fleet.group])
    statement = f"SELECT * FROM device WHERE {where}"
    if passes:
        rows = gateway.call("QueryDeviceBySQL", SQL=statement)["Data"]
        assert {row["ProductKey"] for row in rows} <= {scoped_fleet.mine}
        assert scoped_fleet.other_group not in str(rows)
    else:
        with pytest.raises(OutOfScope):
            gateway.call("QueryDeviceBySQL", SQL=statement)
        assert "QueryDeviceBySQL" not in scoped_fleet.network.calls


def test_a_statement_without_conditions_is_not_accepted() -> None:
    assert sql.parse_statement("") is None
    assert sql.parse_statement("SELECT * FROM device WHERE") is None
    assert sql.parse_statement("DELETE FROM device WHERE product_key = 'a'") is None


# -- devices ---------------------------------------------------------------------------------------------------------


def test_a_device_is_in_scope_by_its_product_or_by_a_group(scoped_fleet: ScopedFleet) -> None:
    mine, theirs = (
        {"ProductKey": key, "DeviceName": "meter-0001"} for key in (scoped_fleet.mine, scoped_fleet.theirs)
    )
    by_group = scoped_fleet.gateway(groups=[scoped_fleet.group])
    assert by_group.call("QueryDeviceDetail", **theirs)["Data"]["ProductKey"] == scoped_fleet.theirs
    for refused in (mine, {**theirs, "DeviceName": "meter-0002"}, {**theirs, "DeviceName": "none"}):
        with pytest.raises(OutOfScope):
            by_group.call("QueryDeviceDetail", **refused)
    by_product = scoped_fleet.gateway(products=[scoped_fleet.mine])
    scoped_fleet.network.calls.clear()
    by_product.call("QueryDeviceDetail", **mine)
    assert scoped_fleet.network.calls == ["QueryDeviceDetail"], (
        "devices of a listed product are checked without a call"
    )
    with pytest.raises(OutOfScope):
        by_product.call("QueryDeviceDetail", **theirs)


def test_an_iot_id_is_checked_by_its_device_and_reveals_nothing_else(
    scoped_fleet: ScopedFleet,
) -> None:
    owner = scoped_fleet.org.gateway()
    ids = {
        key: owner.call("QueryDeviceDetail", ProductKey=key, DeviceName="meter-0001")["Data"]["IotId"]
        for key in (scoped_fleet.mine, scoped_fleet.theirs)
    }
    gateway = scoped_fleet.gateway(products=[scoped_fleet.mine])
    assert gateway.call("GetDeviceStatus", IotId=ids[scoped_fleet.mine])["Data"]["Status"]
    read_errors = set()
    for iot_id in (ids[scoped_fleet.theirs], "no-such-device"):
        with pytest.raises(OutOfScope) as refused:
            gateway.call("DisableThing", IotId=iot_id)
        read_errors.add(str(refused.value))
    with pytest.raises(OutOfScope):  # a device in scope does not allow a call for another one
        gateway.call(
            "DisableThing",
            IotId=ids[scoped_fleet.theirs],
            ProductKey=scoped_fleet.mine,
            DeviceName="meter-0001",
        )
    assert len(read_errors) == 1
    assert "DisableThing" not in scoped_fleet.network.calls
    assert AuditRecord.objects.filter(operation="DisableThing", outcome="refused").count() == 3


def test_all_access_scopes_must_admit(scoped_fleet: ScopedFleet) -> None:
    user = scoped_fleet.org.members["operator"]
    membership = Membership.objects.select_related("team", "user").get(team=scoped_fleet.org.team, user=user)
    membership.access_scope = AccessScope(
        products=frozenset({scoped_fleet.mine, scoped_fleet.theirs})
    ).to_json()
    token = ApiToken(
        team=scoped_fleet.org.team,
        user=user,
        role_slug="operator",
        access_scope=AccessScope(
            groups=frozenset({scoped_fleet.group}), products=frozenset({scoped_fleet.mine})
        ).to_json(),
    )
    gateway = Gateway(
        actor=user, membership=membership.limit_to_token(token), connection=scoped_fleet.org.connection
    )
    assert products_of(gateway) == [scoped_fleet.mine]
    gateway.call(
        "QueryDeviceDetail", ProductKey=scoped_fleet.theirs, DeviceName="meter-0001"
    )  # by group, and by product
    with pytest.raises(OutOfScope):
        gateway.call("QueryDeviceDetail", ProductKey=scoped_fleet.theirs, DeviceName="meter-0002")
    assert groups_of(gateway) == []


def test_the_groups_of_many_devices_are_read_in_parallel_and_of_too_many_not_at_all(
    scoped_fleet: ScopedFleet,
) -> None:
    gateway = scoped_fleet.gateway(groups=[scoped_fleet.group])
    with pytest.raises(OutOfScope):
        gateway.call(
            "BatchQueryDeviceDetail", ProductKey=scoped_fleet.theirs, DeviceName=[f"m-{n}" for n in range(51)]
        )
    assert scoped_fleet.network.calls == []
    with pytest.raises(OutOfScope):
        gateway.call_each(
            "DisableThing",
            [
                {"ProductKey": scoped_fleet.theirs, "DeviceName": name}
                for name in ("meter-0001", "meter-0002")
            ],
        )
    assert "DisableThing" not in scoped_fleet.network.calls, (
        "one device is out of scope, so no device is changed"
    )


# -- writes outside the scope ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("CreateProduct", {"ProductName": "New", "NodeType": 0}),
        ("CreateDeviceGroup", {"GroupName": "Topmost"}),
        ("CreateDeviceGroup", {"GroupName": "Inside", "SuperGroupId": "OTHER"}),
        ("DeleteDeviceGroup", {"GroupId": "OTHER"}),
        (
            "BatchAddDeviceGroupRelations",
            {"GroupId": "BELOW", "Device": [{"ProductKey": "THEIRS", "DeviceName": "meter-0002"}]},
        ),
        (
            "BatchAddDeviceGroupRelations",
            {"GroupId": "OTHER", "Device": [{"ProductKey": "MINE", "DeviceName": "meter-0002"}]},
        ),
        ("BatchRegisterDevice", {"ProductKey": "THEIRS", "Count": 1}),
        ("PubBroadcast", {"ProductKey": "THEIRS", "MessageContent": "aGk="}),
        (
            "PubBroadcast",
            {"ProductKey": "MINE", "TopicFullName": "/broadcast/THEIRS/x", "MessageContent": "aGk="},
        ),
        (
            "Pub",
            {"ProductKey": "MINE", "TopicFullName": "/THEIRS/meter-0002/user/get", "MessageContent": "aGk="},
        ),
        (
            "CreateTopicRouteTable",
            {
                "SrcTopic": "/MINE/meter-0001/user/update",
                "DstTopic": ["/MINE/meter-0002/user/get", "/THEIRS/meter-0002/user/get"],
            },
        ),
        (
            "DeleteTopicRouteTable",
            {"SrcTopic": "/THEIRS/meter-0002/user/update", "DstTopic": ["/MINE/meter-0002/user/get"]},
        ),
        ("CopyThingModel", {"SourceProductKey": "THEIRS", "TargetProductKey": "MINE"}),
        # The platform reads the first name. A second one in another letter case must not be checked instead.
        (
            "NotifyAddThingTopo",
            {
                "GwProductKey": "MINE",
                "GwDeviceName": "meter-0001",
                "DeviceListStr": '[{"productKey": "THEIRS", "deviceName": "meter-0002", "PRODUCTKEY": "MINE"}]',
            },
        ),
        (
            "NotifyAddThingTopo",
            {
                "GwProductKey": "MINE",
                "GwDeviceName": "meter-0001",
                "DeviceListStr": '[{"productKey": "THEIRS", "deviceName": "meter-0002", "productKey": "MINE"}]',
            },
        ),
        ("CreateRule", {"Name": "everything"}),
        ("CreateConsumerGroup", {"GroupName": "everything"}),
        ("ConfirmOTATask", {"TaskId": ["0" * 32]}),
        ("ReupgradeOTATask", {"JobId": "0" * 32, "TaskId": ["0" * 32]}),
    ],
)
def test_a_write_that_affects_objects_outside_the_scope_is_refused_recorded_and_not_sent(
    scoped_fleet: ScopedFleet, name: str, params: dict[str, Any]
) -> None:
    def fill_in(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill_in(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill_in(inner) for inner in value]
        for word, key in (
            ("MINE", scoped_fleet.mine), ("THEIRS", scoped_fleet.theirs), ("OTHER", scoped_fleet.other_group), ("BELOW", scoped_fleet.below),
        ):  # fmt: skip
            value = value.replace(word, key) if isinstance(value, str) else value
        return value

    gateway = scoped_fleet.gateway("administrator", products=[scoped_fleet.mine], groups=[scoped_fleet.group])
    with pytest.raises(OutOfScope, match="limited to 1 product, 1 group"):
        gateway.call(name, **fill_in(params))
    assert name not in scoped_fleet.network.calls
    assert AuditRecord.objects.get(operation=name).outcome == "refused"


def test_objects_in_scope_can_be_changed(scoped_fleet: ScopedFleet) -> None:
    gateway = scoped_fleet.gateway("administrator", products=[scoped_fleet.mine], groups=[scoped_fleet.group])
    new_group = gateway.call("CreateDeviceGroup", GroupName="NorthWest", SuperGroupId=scoped_fleet.group)[
        "Data"
    ]["GroupId"]
    gateway.call(
        "BatchAddDeviceGroupRelations",
        GroupId=new_group,
        Device=[
            {"ProductKey": scoped_fleet.mine, "DeviceName": "meter-0002"},
            {"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"},
        ],
    )
    gateway.call("DisableThing", ProductKey=scoped_fleet.theirs, DeviceName="meter-0001")
    gateway.call("RegisterDevice", ProductKey=scoped_fleet.mine, DeviceName="meter-0009")
    gateway.call(
        "BatchDeleteDeviceGroupRelations",
        GroupId=scoped_fleet.below,
        Device=[{"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"}],
    )
    gateway.call("DeleteDeviceGroup", GroupId=scoped_fleet.below)


def test_a_device_removed_from_the_group_is_no_longer_in_scope(scoped_fleet: ScopedFleet) -> None:
    gateway = scoped_fleet.gateway(groups=[scoped_fleet.group])
    device = {"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"}
    gateway.call("QueryDeviceDetail", **device)
    gateway.call("BatchDeleteDeviceGroupRelations", GroupId=scoped_fleet.below, Device=[device])
    with pytest.raises(OutOfScope):
        gateway.call("QueryDeviceDetail", **device)


# -- all kinds of calls --------------------------------------------------------------------------------------


def test_the_read_cache_reveals_nothing_to_members_with_another_scope(
    scoped_fleet: ScopedFleet, settings: Any
) -> None:
    settings.CLOUD_CACHE_SECONDS = 60
    owner, limited = scoped_fleet.org.gateway(), scoped_fleet.gateway(products=[scoped_fleet.mine])
    for _turn in range(2):  # the owner's response first, then each from the cache
        assert set(products_of(owner)) == {scoped_fleet.mine, scoped_fleet.theirs}
        assert products_of(limited) == [scoped_fleet.mine]
    by_group = scoped_fleet.gateway("viewer", groups=[scoped_fleet.group])
    device = {"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"}
    for gateway, most in ((by_group, 1), (owner, 2), (by_group, 1), (owner, 2)):
        response = gateway.call("QueryDeviceGroupByDevice", **device)
        assert len(response["GroupInfos"]["GroupInfo"]) == most


def test_gather_read_pages_and_traces_check_the_scope(scoped_fleet: ScopedFleet) -> None:
    gateway = scoped_fleet.gateway(products=[scoped_fleet.mine])
    with pytest.raises(OutOfScope):
        gateway.gather(
            [
                Call("QueryProduct", {"ProductKey": scoped_fleet.mine}),
                Call("QueryProduct", {"ProductKey": scoped_fleet.theirs}),
            ]
        )
    with pytest.raises(OutOfScope):
        list(gateway.read_pages("QueryDevice", ProductKey=scoped_fleet.theirs))
    assert len(list(gateway.read_pages("QueryDevice", ProductKey=scoped_fleet.mine, PageSize=2))) == 2
    trace = Trace()
    gateway.call(
        "QueryDeviceGroupByDevice", trace=trace, ProductKey=scoped_fleet.mine, DeviceName="meter-0001"
    )
    assert (trace.body, trace.is_body_hidden) == (b"", True), (
        "the platform's response names groups outside the scope"
    )


def test_a_raw_response_whose_entries_are_all_in_scope_is_shown(scoped_fleet: ScopedFleet) -> None:
    trace = Trace()
    gateway = scoped_fleet.gateway(groups=[scoped_fleet.group])
    gateway.call("QueryDeviceListByDeviceGroup", trace=trace, GroupId=scoped_fleet.below, CurrentPage=1)
    assert (b"meter-0001" in trace.body, trace.is_body_hidden) == (True, False)


def test_secrets_outside_the_scope_are_not_revealed(scoped_fleet: ScopedFleet) -> None:
    gateway = scoped_fleet.gateway("administrator", products=[scoped_fleet.mine])
    with pytest.raises(OutOfScope):
        gateway.call("QueryDeviceInfo", reveal=True, ProductKey=scoped_fleet.theirs, DeviceName="meter-0001")
    record = AuditRecord.objects.get(operation="QueryDeviceInfo")
    assert record.outcome == "refused"
    assert gateway.call("QueryProductList", reveal=True, CurrentPage=1, PageSize=10)["Data"]["Total"] == 1


def test_allows_says_which_operations_would_be_refused(scoped_fleet: ScopedFleet) -> None:
    allows: Callable[[str], bool] = scoped_fleet.gateway("administrator", products=[scoped_fleet.mine]).allows
    assert all(map(allows, ("RegisterDevice", "QueryProductList", "CreateOTAFirmware")))
    assert not any(map(allows, ("CreateProduct", "CreateDeviceGroup", "QueryDeviceByTags", "ListRule")))
    allows = scoped_fleet.gateway("administrator", groups=[scoped_fleet.group]).allows
    assert all(map(allows, ("CreateDeviceGroup", "DisableThing")))
    assert not any(map(allows, ("RegisterDevice", "QueryProduct", "CreateOTAStaticUpgradeJob")))


def test_facts_that_cannot_change_are_read_once(scoped_fleet: ScopedFleet) -> None:
    device = {"ProductKey": scoped_fleet.theirs, "DeviceName": "meter-0001"}
    for _turn in range(2):  # two requests of the same user
        scoped_fleet.gateway(groups=[scoped_fleet.group]).call("QueryDeviceDetail", fresh=True, **device)
    assert scoped_fleet.network.calls.count("QueryDeviceGroupByDevice") == 1, "cached like other reads"
    assert scoped_fleet.network.calls.count("QuerySuperDeviceGroup") == 2, (
        "the parents of the two groups of the device"
    )


def test_the_listed_parts_of_a_group_in_scope_need_no_reads_until_the_next_write(
    scoped_fleet: ScopedFleet,
) -> None:
    gateway, network = scoped_fleet.gateway(groups=[scoped_fleet.group]), scoped_fleet.network
    gateway.call("QueryDeviceGroupList", SuperGroupId=scoped_fleet.group, CurrentPage=1, PageSize=50)
    listed = gateway.call("QueryDeviceListByDeviceGroup", GroupId=scoped_fleet.below, CurrentPage=1)
    device = listed["Data"]["SimpleDeviceInfo"][0]
    named = {"ProductKey": device["ProductKey"], "DeviceName": device["DeviceName"]}
    network.calls.clear()
    gateway.call("QueryDeviceGroupInfo", GroupId=scoped_fleet.below)
    gateway.call("BatchGetDeviceState", IotId=[device["IotId"]])
    gateway.call("QueryDeviceDetail", **named)
    assert network.calls == ["QueryDeviceGroupInfo", "BatchGetDeviceState", "QueryDeviceDetail"]
    gateway.call("BatchDeleteDeviceGroupRelations", GroupId=scoped_fleet.below, Device=[named])
    with pytest.raises(OutOfScope):
        gateway.call("QueryDeviceDetail", **named)
    with pytest.raises(OutOfScope):
        gateway.call("QueryDeviceGroupInfo", GroupId=scoped_fleet.other_group)


def topic_categories(gateway: Gateway, product_key: str) -> dict[str, str]:
    """The ids of the topic categories of a product, by the last level of their topics."""
    listed = gateway.call("QueryProductTopic", fresh=True, ProductKey=product_key)["Data"]["ProductTopicInfo"]
    return {category["TopicShortName"].rpartition("/")[2]: category["Id"] for category in listed}


def test_a_topic_category_is_in_scope_if_its_product_is(scoped_fleet: ScopedFleet) -> None:
    owner = scoped_fleet.org.gateway()
    mine, theirs = (topic_categories(owner, key)["get"] for key in (scoped_fleet.mine, scoped_fleet.theirs))
    gateway = scoped_fleet.gateway(products=[scoped_fleet.mine])
    change = {"TopicShortName": "fetch", "Operation": "SUB"}
    for name, params in (("UpdateProductTopic", change), ("DeleteProductTopic", {})):
        with pytest.raises(OutOfScope):
            gateway.call(name, TopicId=theirs, **params)
        assert name not in scoped_fleet.network.calls
        gateway.call(name, TopicId=mine, **params)
    assert "get" in topic_categories(owner, scoped_fleet.theirs)


def test_a_listed_topic_category_needs_no_search_however_many_products_are_in_scope(
    scoped_fleet: ScopedFleet,
) -> None:
    many = [f"a1{number:09}" for number in range(MAX_PRODUCTS_FOR_CATEGORY)]
    gateway = scoped_fleet.gateway(products=[*many, scoped_fleet.mine])
    assert scoped_fleet.mine not in gateway.limited_scope.products[:MAX_PRODUCTS_FOR_CATEGORY]
    category = topic_categories(gateway, scoped_fleet.mine)["get"]
    scoped_fleet.network.calls.clear()
    gateway.call("DeleteProductTopic", TopicId=category)
    assert scoped_fleet.network.calls == ["DeleteProductTopic"]
    gateway = scoped_fleet.gateway(products=[scoped_fleet.theirs])
    with pytest.raises(OutOfScope):  # the known product is checked against the scope of each member
        gateway.call("DeleteProductTopic", TopicId=category)


def test_a_member_without_an_access_scope_makes_no_extra_calls(scoped_fleet: ScopedFleet) -> None:
    gateway = scoped_fleet.org.gateway("operator")
    assert gateway.scope is None
    gateway.call("QueryDeviceDetail", ProductKey=scoped_fleet.theirs, DeviceName="meter-0001")
    assert scoped_fleet.network.calls == ["QueryDeviceDetail"]
