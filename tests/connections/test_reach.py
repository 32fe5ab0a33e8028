"""What a member whose access is limited to some products and device groups gets to know, and what they may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from console.access.models import ApiToken, AuditRecord, Membership
from console.access.narrowing import Narrowing
from console.cloud.catalogue import operations
from console.cloud.trace import Trace
from console.connections import clients
from console.connections.gateway import Call, ConnectionOutOfReach, Gateway, OutOfReach
from console.connections.models import Connection
from console.connections.reach import names, sql
from tests.conftest import Cast
from tests.connections.conftest import Watched

pytestmark = pytest.mark.django_db


@dataclass
class Yard:
    """A fleet: products `in_` and `out`, each with devices; a group with a subgroup, and another group."""

    cast: Cast
    upstream: Watched
    mine: str
    theirs: str
    group: str
    below: str
    other_group: str

    def gateway(self, role: str = "operator", **narrowing: Any) -> Gateway:
        """The gateway of a member narrowed so."""
        kept = Narrowing(**{name: frozenset(values) for name, values in narrowing.items()}).kept()
        user = self.cast.members[role]
        Membership.objects.filter(team=self.cast.team, user=user).update(narrowing=kept)
        return self.cast.gateway(role)


def products_of(gateway: Gateway, **params: Any) -> list[str]:
    answer = gateway.call("QueryProductList", **{"CurrentPage": 1, "PageSize": 50, **params})
    return [product["ProductKey"] for product in answer["Data"]["List"]["ProductInfo"]]


def groups_of(gateway: Gateway, **params: Any) -> list[str]:
    answer = gateway.call("QueryDeviceGroupList", **{"CurrentPage": 1, "PageSize": 50, **params})
    assert answer["Total"] == len(answer["Data"]["GroupInfo"])
    return [group["GroupId"] for group in answer["Data"]["GroupInfo"]]


def packages_of(gateway: Gateway, **params: Any) -> list[dict[str, Any]]:
    answer = gateway.call("ListOTAFirmware", **{"CurrentPage": 1, **params})
    return list(answer["FirmwareInfo"]["SimpleFirmwareInfo"])


@pytest.fixture
def yard(emulator: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Yard:
    upstream = Watched(httpx.WSGITransport(app=emulator))
    monkeypatch.setattr(clients, "transport_for", lambda connection: upstream)
    owner = cast.gateway()
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
    upstream.operations.clear()
    return Yard(cast, upstream, mine, theirs, group, below, other)


# -- the tables ------------------------------------------------------------------------------------------------------


def test_every_parameter_is_known_to_name_something_or_not() -> None:
    for described in operations().values():
        if described.group not in names.BEYOND_GROUPS:
            assert names.classified(described), described.name
    assert not names.PLAIN & names.NAMING.keys()


def test_every_operation_that_names_nothing_was_decided_on() -> None:
    nothing = {
        described.name
        for described in operations().values()
        if described.group not in names.BEYOND_GROUPS and not names.sorts(described)
    }
    assert nothing == (names.BEYOND | names.HARMLESS | {"QueryProductList"})


# -- connections and instances ---------------------------------------------------------------------------------------


def test_a_connection_out_of_reach_gets_no_gateway(cast: Cast) -> None:
    other = Connection.objects.create(team=cast.team, slug="other", name="Other", access_key_id="k")
    Membership.objects.filter(user=cast.members["operator"]).update(narrowing={"connections": [other.pk]})
    with pytest.raises(ConnectionOutOfReach):
        cast.gateway("operator")


def test_a_member_limited_to_connections_does_not_reach_another_instance_through_one(yard: Yard) -> None:
    gateway = yard.gateway(connections=[yard.cast.connection.pk])
    assert set(products_of(gateway)) == {yard.mine, yard.theirs}
    with pytest.raises(OutOfReach):
        products_of(gateway, IotInstanceId="iot-another")
    assert yard.upstream.operations == ["QueryProductList"]


# -- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_of_products_tells_neither_names_nor_numbers_of_the_rest(yard: Yard) -> None:
    answer = yard.gateway(products=[yard.mine, "a1Deleted"]).call(
        "QueryProductList", CurrentPage=1, PageSize=10
    )
    assert answer["Data"]["Total"] == answer["Data"]["PageCount"] == 1
    (product,) = answer["Data"]["List"]["ProductInfo"]
    assert (product["ProductName"], product["DeviceCount"]) == ("Mine", 3)
    assert "ProductSecret" not in product
    assert "Theirs" not in str(answer)


def test_the_numbers_of_the_fleet_are_those_of_the_products_within_reach(yard: Yard) -> None:
    statistics = yard.gateway(products=[yard.mine]).call("QueryDeviceStatistics")
    assert statistics["Data"]["deviceCount"] == 3
    with pytest.raises(OutOfReach):  # devices of a group may be of a listed product too: nobody can add them
        yard.gateway(products=[yard.mine], groups=[yard.group]).call("QueryDeviceStatistics")


def test_the_topmost_groups_are_the_listed_ones_and_a_name_is_looked_for_in_and_below_them(
    yard: Yard,
) -> None:
    gateway = yard.gateway(groups=[yard.group])
    assert groups_of(gateway) == [yard.group]
    assert groups_of(gateway, SuperGroupId=yard.group) == [yard.below]
    assert set(groups_of(gateway, GroupName="north")) == {yard.group, yard.below}
    assert groups_of(gateway, GroupName="north", SuperGroupId=yard.group) == [yard.below]
    with pytest.raises(OutOfReach):
        groups_of(gateway, SuperGroupId=yard.other_group)
    assert groups_of(yard.gateway(products=[yard.mine])) == []


def test_the_groups_of_a_device_and_the_group_above_are_told_only_within_reach(yard: Yard) -> None:
    device = {"ProductKey": yard.theirs, "DeviceName": "meter-0001"}
    answer = yard.gateway(groups=[yard.group]).call("QueryDeviceGroupByDevice", **device)
    assert [group["GroupId"] for group in answer["GroupInfos"]["GroupInfo"]] == [yard.below]
    above = yard.gateway(groups=[yard.below]).call("QuerySuperDeviceGroup", GroupId=yard.below)
    assert above["Data"]["GroupInfo"] == []


def test_packages_are_those_of_the_products_within_reach(yard: Yard, fleet: Any) -> None:
    owner = yard.cast.gateway()
    every = packages_of(owner, PageSize=100)
    keys = sorted({package["ProductKey"] for package in every})
    mine, other = keys[:2], next(package for package in every if package["ProductKey"] not in keys[:2])
    gateway = yard.gateway(products=mine)
    expected = [package["FirmwareId"] for package in every if package["ProductKey"] in mine]
    answer = gateway.call("ListOTAFirmware", CurrentPage=1, PageSize=2)
    assert (answer["Total"], answer["PageCount"]) == (len(expected), -(-len(expected) // 2))
    pages = gateway.pages("ListOTAFirmware", PageSize=2)
    shown = [package for page in pages for package in page["FirmwareInfo"]["SimpleFirmwareInfo"]]
    assert sorted(package["FirmwareId"] for package in shown) == sorted(expected)
    told = [package["UtcCreate"] for package in shown]
    assert told == sorted(told, reverse=True)
    for read in ("QueryOTAFirmware", "ListOTAJobByFirmware"):
        page = {"CurrentPage": 1, "PageSize": 10} if read.startswith("List") else {}
        with pytest.raises(OutOfReach) as theirs:
            gateway.call(read, FirmwareId=other["FirmwareId"], **page)
        with pytest.raises(OutOfReach) as missing:
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
def test_a_search_passes_when_each_of_its_alternatives_is_bounded(
    yard: Yard, where: str, passes: bool
) -> None:
    for word, value in (("MINE", yard.mine), ("THEIRS", yard.theirs), ("OTHER", yard.other_group)):
        where = where.replace(word, value)
    where = where.replace("GROUP", yard.group)
    gateway = yard.gateway(products=[yard.mine], groups=[yard.group])
    statement = f"SELECT * FROM device WHERE {where}"
    if passes:
        rows = gateway.call("QueryDeviceBySQL", SQL=statement)["Data"]
        assert {row["ProductKey"] for row in rows} <= {yard.mine}
        assert yard.other_group not in str(rows)
    else:
        with pytest.raises(OutOfReach):
            gateway.call("QueryDeviceBySQL", SQL=statement)
        assert "QueryDeviceBySQL" not in yard.upstream.operations


def test_a_statement_that_holds_nothing_is_not_read() -> None:
    assert sql.read("") is None
    assert sql.read("SELECT * FROM device WHERE") is None
    assert sql.read("DELETE FROM device WHERE product_key = 'a'") is None


# -- devices ---------------------------------------------------------------------------------------------------------


def test_a_device_is_within_reach_by_its_product_or_by_a_group_above_it(yard: Yard) -> None:
    mine, theirs = ({"ProductKey": key, "DeviceName": "meter-0001"} for key in (yard.mine, yard.theirs))
    by_group = yard.gateway(groups=[yard.group])
    assert by_group.call("QueryDeviceDetail", **theirs)["Data"]["ProductKey"] == yard.theirs
    for refused in (mine, {**theirs, "DeviceName": "meter-0002"}, {**theirs, "DeviceName": "none"}):
        with pytest.raises(OutOfReach):
            by_group.call("QueryDeviceDetail", **refused)
    by_product = yard.gateway(products=[yard.mine])
    yard.upstream.operations.clear()
    by_product.call("QueryDeviceDetail", **mine)
    assert yard.upstream.operations == ["QueryDeviceDetail"], "a product's devices are judged without a call"
    with pytest.raises(OutOfReach):
        by_product.call("QueryDeviceDetail", **theirs)


def test_an_iot_id_is_judged_by_the_device_that_it_is_of_and_tells_nothing_else(yard: Yard) -> None:
    owner = yard.cast.gateway()
    ids = {
        key: owner.call("QueryDeviceDetail", ProductKey=key, DeviceName="meter-0001")["Data"]["IotId"]
        for key in (yard.mine, yard.theirs)
    }
    gateway = yard.gateway(products=[yard.mine])
    assert gateway.call("GetDeviceStatus", IotId=ids[yard.mine])["Data"]["Status"]
    said = set()
    for iot_id in (ids[yard.theirs], "no-such-device"):
        with pytest.raises(OutOfReach) as refused:
            gateway.call("DisableThing", IotId=iot_id)
        said.add(str(refused.value))
    with pytest.raises(OutOfReach):  # one device within reach does not bring another along
        gateway.call("DisableThing", IotId=ids[yard.theirs], ProductKey=yard.mine, DeviceName="meter-0001")
    assert len(said) == 1
    assert "DisableThing" not in yard.upstream.operations
    assert AuditRecord.objects.filter(operation="DisableThing", outcome="refused").count() == 3


def test_all_narrowings_have_to_admit(yard: Yard) -> None:
    user = yard.cast.members["operator"]
    membership = Membership.objects.select_related("team", "user").get(team=yard.cast.team, user=user)
    membership.narrowing = Narrowing(products=frozenset({yard.mine, yard.theirs})).kept()
    token = ApiToken(
        team=yard.cast.team,
        user=user,
        role_slug="operator",
        narrowing=Narrowing(groups=frozenset({yard.group}), products=frozenset({yard.mine})).kept(),
    )
    gateway = Gateway(actor=user, membership=membership.limited_by(token), connection=yard.cast.connection)
    assert products_of(gateway) == [yard.mine]
    gateway.call(
        "QueryDeviceDetail", ProductKey=yard.theirs, DeviceName="meter-0001"
    )  # by group, and by product
    with pytest.raises(OutOfReach):
        gateway.call("QueryDeviceDetail", ProductKey=yard.theirs, DeviceName="meter-0002")
    assert groups_of(gateway) == []


def test_the_groups_of_many_devices_are_asked_for_at_once_and_of_too_many_not_at_all(yard: Yard) -> None:
    gateway = yard.gateway(groups=[yard.group])
    with pytest.raises(OutOfReach):
        gateway.call(
            "BatchQueryDeviceDetail", ProductKey=yard.theirs, DeviceName=[f"m-{n}" for n in range(51)]
        )
    assert yard.upstream.operations == []
    with pytest.raises(OutOfReach):
        gateway.each(
            "DisableThing",
            [{"ProductKey": yard.theirs, "DeviceName": name} for name in ("meter-0001", "meter-0002")],
        )
    assert "DisableThing" not in yard.upstream.operations, "one out of reach, and none is touched"


# -- writes that reach further ---------------------------------------------------------------------------------------


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
        ("CopyThingModel", {"SourceProductKey": "THEIRS", "TargetProductKey": "MINE"}),
        # The platform reads the first name; a second one, spelt in another way, must not speak for it.
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
    ],
)
def test_a_write_whose_effect_leaves_the_reach_is_refused_recorded_and_not_sent(
    yard: Yard, name: str, params: dict[str, Any]
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        for word, key in (
            ("MINE", yard.mine), ("THEIRS", yard.theirs), ("OTHER", yard.other_group), ("BELOW", yard.below),
        ):  # fmt: skip
            value = value.replace(word, key) if isinstance(value, str) else value
        return value

    gateway = yard.gateway("administrator", products=[yard.mine], groups=[yard.group])
    with pytest.raises(OutOfReach, match="limited to 1 product, 1 group"):
        gateway.call(name, **filled(params))
    assert name not in yard.upstream.operations
    assert AuditRecord.objects.get(operation=name).outcome == "refused"


def test_what_is_within_reach_can_be_changed(yard: Yard) -> None:
    gateway = yard.gateway("administrator", products=[yard.mine], groups=[yard.group])
    made = gateway.call("CreateDeviceGroup", GroupName="NorthWest", SuperGroupId=yard.group)["Data"][
        "GroupId"
    ]
    gateway.call(
        "BatchAddDeviceGroupRelations",
        GroupId=made,
        Device=[
            {"ProductKey": yard.mine, "DeviceName": "meter-0002"},
            {"ProductKey": yard.theirs, "DeviceName": "meter-0001"},
        ],
    )
    gateway.call("DisableThing", ProductKey=yard.theirs, DeviceName="meter-0001")
    gateway.call("RegisterDevice", ProductKey=yard.mine, DeviceName="meter-0009")
    gateway.call(
        "BatchDeleteDeviceGroupRelations",
        GroupId=yard.below,
        Device=[{"ProductKey": yard.theirs, "DeviceName": "meter-0001"}],
    )
    gateway.call("DeleteDeviceGroup", GroupId=yard.below)


def test_who_takes_a_device_out_of_their_group_reaches_it_no_more(yard: Yard) -> None:
    gateway = yard.gateway(groups=[yard.group])
    device = {"ProductKey": yard.theirs, "DeviceName": "meter-0001"}
    gateway.call("QueryDeviceDetail", **device)
    gateway.call("BatchDeleteDeviceGroupRelations", GroupId=yard.below, Device=[device])
    with pytest.raises(OutOfReach):
        gateway.call("QueryDeviceDetail", **device)


# -- every way through the door --------------------------------------------------------------------------------------


def test_the_cache_of_reads_hands_nobody_what_another_may_see(yard: Yard, settings: Any) -> None:
    settings.CLOUD_CACHE_SECONDS = 60
    owner, narrowed = yard.cast.gateway(), yard.gateway(products=[yard.mine])
    for _turn in range(2):  # the owner's answer first, then each from the cache
        assert set(products_of(owner)) == {yard.mine, yard.theirs}
        assert products_of(narrowed) == [yard.mine]
    by_group = yard.gateway("viewer", groups=[yard.group])
    device = {"ProductKey": yard.theirs, "DeviceName": "meter-0001"}
    for gateway, most in ((by_group, 1), (owner, 2), (by_group, 1), (owner, 2)):
        answer = gateway.call("QueryDeviceGroupByDevice", **device)
        assert len(answer["GroupInfos"]["GroupInfo"]) == most


def test_gather_and_pages_and_a_trace_are_judged_alike(yard: Yard) -> None:
    gateway = yard.gateway(products=[yard.mine])
    with pytest.raises(OutOfReach):
        gateway.gather(
            [
                Call("QueryProduct", {"ProductKey": yard.mine}),
                Call("QueryProduct", {"ProductKey": yard.theirs}),
            ]
        )
    with pytest.raises(OutOfReach):
        list(gateway.pages("QueryDevice", ProductKey=yard.theirs))
    assert len(list(gateway.pages("QueryDevice", ProductKey=yard.mine, PageSize=2))) == 2
    trace = Trace()
    gateway.call("QueryDeviceGroupByDevice", trace=trace, ProductKey=yard.mine, DeviceName="meter-0001")
    assert (trace.body, trace.withheld) == (b"", True), "the platform's own answer names groups out of reach"


def test_secrets_out_of_reach_are_not_revealed(yard: Yard) -> None:
    gateway = yard.gateway("administrator", products=[yard.mine])
    with pytest.raises(OutOfReach):
        gateway.call("QueryDeviceInfo", reveal=True, ProductKey=yard.theirs, DeviceName="meter-0001")
    record = AuditRecord.objects.get(operation="QueryDeviceInfo")
    assert record.outcome == "refused"
    assert gateway.call("QueryProductList", reveal=True, CurrentPage=1, PageSize=10)["Data"]["Total"] == 1


def test_pages_are_told_what_would_be_refused(yard: Yard) -> None:
    allows: Callable[[str], bool] = yard.gateway("administrator", products=[yard.mine]).allows
    assert all(map(allows, ("RegisterDevice", "QueryProductList", "CreateOTAFirmware")))
    assert not any(map(allows, ("CreateProduct", "CreateDeviceGroup", "QueryDeviceByTags", "ListRule")))
    allows = yard.gateway("administrator", groups=[yard.group]).allows
    assert all(map(allows, ("CreateDeviceGroup", "DisableThing")))
    assert not any(map(allows, ("RegisterDevice", "QueryProduct", "CreateOTAStaticUpgradeJob")))


def test_what_cannot_change_is_asked_for_once(yard: Yard) -> None:
    device = {"ProductKey": yard.theirs, "DeviceName": "meter-0001"}
    for _turn in range(2):  # two requests of the same person
        yard.gateway(groups=[yard.group]).call("QueryDeviceDetail", fresh=True, **device)
    assert yard.upstream.count("QueryDeviceGroupByDevice") == 1, "as long as reads are kept"
    assert yard.upstream.count("QuerySuperDeviceGroup") == 2, "above the two groups of the device"


def test_a_member_of_the_whole_team_pays_nothing(yard: Yard) -> None:
    gateway = yard.cast.gateway("operator")
    assert gateway.reach is None
    gateway.call("QueryDeviceDetail", ProductKey=yard.theirs, DeviceName="meter-0001")
    assert yard.upstream.operations == ["QueryDeviceDetail"]
