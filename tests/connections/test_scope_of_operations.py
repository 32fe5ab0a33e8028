"""Every operation × access_scope through the gateway, with calls that name things which exist.

What each operation is expected to name is written out here: one without an expectation fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.access.models import Membership
from console.access.scope import AccessScope
from console.cloud.catalogue import Access, operation, operations
from console.cloud.errors import CloudError
from console.connections import clients
from console.connections.gateway import Gateway, OutOfScope, PermissionRefused
from console.connections.models import Connection
from console.connections.scope import NotInScope
from tests.conformance.platform import KEY_ID, KEY_SECRET, PreparedPlatform, Server
from tests.conformance.rows import Row
from tests.conformance.sdk import SCHEMES
from tests.conformance.table import ROWS
from tests.conftest import Organization
from tests.connections.conftest import Watched

pytestmark = pytest.mark.django_db

# Within reach where its product is listed.
OF_A_PRODUCT = """
    PubBroadcast RegisterDevice QueryDevice BatchCheckDeviceNames BatchRegisterDeviceWithApplyId
    BatchRegisterDevice QueryBatchRegisterDeviceStatus QueryPageByApplyId QueryDeviceByStatus
    CreateOTAFirmware DeleteOTAFirmware QueryOTAFirmware CreateOTAVerifyJob CreateOTAStaticUpgradeJob
    CreateOTADynamicUpgradeJob ListOTAJobByFirmware ListOTAJobByDevice ListOTATaskByJob QueryOTAJob
    CancelOTAStrategyByJob CancelOTATaskByJob CancelOTATaskByDevice CreateOTAModule UpdateOTAModule
    DeleteOTAModule ListOTAModuleByProduct ConfirmOTATask ReupgradeOTATask QueryProduct UpdateProduct DeleteProduct
    CreateProductTags UpdateProductTags DeleteProductTags ListProductTags UpdateProductFilterConfig
    ReleaseProduct CancelReleaseProduct CreateProductTopic UpdateProductTopic QueryProductTopic
    DeleteProductTopic CreateThingModel UpdateThingModel QueryThingModel CopyThingModel PublishThingModel
    DeleteThingModel ListThingModelVersion GetThingModelTsl ImportThingModelTsl QueryThingModelPublished
    GetThingModelTslPublished QueryThingModelExtendConfig QueryThingModelExtendConfigPublished
    CreateThingScript UpdateThingScript GetThingScript
"""
# Where the product of its devices, or a group that each of them is in, is listed.
OF_DEVICES = """
    BatchPub Pub RRpc SubscribeTopic QueryDeviceGroupByDevice GetDeviceShadow UpdateDeviceShadow
    QueryClientIds TransformClientId DeleteClientIds QueryDeviceInfo QueryDeviceDetail BatchQueryDeviceDetail
    DeleteDevice GetDeviceStatus BatchGetDeviceState DisableThing EnableThing ResetThing
    BatchUpdateDeviceNickname GetGatewayBySubDevice QueryDeviceProp SaveDeviceProp DeleteDeviceProp
    GetThingTopo NotifyAddThingTopo BatchAddThingTopo RemoveThingTopo QueryDeviceFileList QueryDeviceFile
    DeleteDeviceFile ListOTAModuleVersionsByDevice ListOTAUnfinishedTaskByDevice
    CreateTopicRouteTable DeleteTopicRouteTable QueryTopicReverseRouteTable QueryTopicRouteTable
    SetDeviceProperty SetDevicesProperty InvokeThingService InvokeThingsService QueryDevicePropertyData
    QueryDevicePropertiesData QueryDeviceEventData QueryDeviceServiceData SetDeviceDesiredProperty
    QueryDeviceDesiredProperty QueryDevicePropertyStatus QueryDeviceOriginalPropertyStatus
    QueryDeviceOriginalPropertyData QueryDeviceOriginalEventData QueryDeviceOriginalServiceData
"""
# Where the group, or one above it, is listed.
OF_A_GROUP = """
    DeleteDeviceGroup UpdateDeviceGroup BatchAddDeviceGroupRelations BatchDeleteDeviceGroupRelations
    QueryDeviceGroupInfo SetDeviceGroupTags QueryDeviceGroupTagList QuerySuperDeviceGroup QueryDeviceListByDeviceGroup
"""
# Where the statement, or the parameters, bound it by something within reach.
BOUNDED = "QueryDeviceBySQL CreateDeviceGroup"
# Answered from what is within reach.
LISTS = "QueryDeviceGroupList QueryDeviceStatistics ListOTAFirmware QueryProductList"
# For everybody: they tell nothing of the fleet and change nothing of it.
HARMLESS = "GenerateOTAUploadURL GenerateDeviceNameListURL ListThingTemplates GetThingTemplate"
# For nobody whose access is limited: they are the whole account's.
BEYOND = """
    CreateRule CreateRuleAction DeleteRule DeleteRuleAction GetRule GetRuleAction ListRule ListRuleActions
    StartRule StopRule UpdateRule UpdateRuleAction CreateDataSourceItem ListDataSourceItem
    DeleteDataSourceItem QueryDeviceGroupByTags QueryDeviceByTags CreateDeviceDistributeJob
    CreateProductDistributeJob QueryDeviceDistributeDetail QueryDeviceDistributeJob ListDeviceDistributeJob
    DeleteDeviceDistributeJob ListDistributedDevice ListDistributedProduct CreateEdgeInstance
    DeleteEdgeInstance UpdateEdgeInstance GetEdgeInstance QueryEdgeInstance BindGatewayToEdgeInstance
    QueryEdgeInstanceGateway BindDriverToEdgeInstance UnbindDriverFromEdgeInstance QueryEdgeInstanceDriver
    SetEdgeInstanceDriverConfigs ClearEdgeInstanceDriverConfigs BatchGetEdgeInstanceDriverConfigs
    BatchBindDeviceToEdgeInstanceWithDriver BatchUnbindDeviceFromEdgeInstance QueryEdgeInstanceDevice
    BatchGetDeviceDriver QueryDeviceByDriver BatchSetEdgeInstanceDeviceConfig
    BatchClearEdgeInstanceDeviceConfig BatchGetEdgeInstanceDeviceConfig CreateEdgeInstanceDeployment
    CloseEdgeInstanceDeployment GetEdgeInstanceDeployment QueryEdgeInstanceHistoricDeployment CreateProduct
    ListProductByTags CreateSubscribeRelation UpdateSubscribeRelation QuerySubscribeRelation
    DeleteSubscribeRelation CreateConsumerGroup UpdateConsumerGroup QueryConsumerGroupByGroupId
    QueryConsumerGroupList QueryConsumerGroupStatus ResetConsumerGroupPosition DeleteConsumerGroup
    CreateConsumerGroupSubscribeRelation DeleteConsumerGroupSubscribeRelation
"""
EXPECTED = {
    name: (by_product, by_group, by_nothing)
    for names, by_product, by_group, by_nothing in (
        (OF_A_PRODUCT, True, False, False),
        (OF_DEVICES, True, True, False),
        (OF_A_GROUP, False, True, False),
        (HARMLESS, True, True, True),
        (BEYOND, False, False, False),
    )
    for name in names.split()
}
"""Whether a call may pass where all products are listed; all groups, with every device in one; nothing that exists."""

NOWHERE = AccessScope(products=frozenset({"a1Nowhere"}), groups=frozenset({"nowhere"}))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Platform:
    """An empty platform in which the table of conformance makes what a call needs, behind a connection of the organization."""

    def __init__(self, prepared: PreparedPlatform, org: Organization, upstream: Watched) -> None:
        self.prepared, self.org, self.upstream = prepared, org, upstream
        self.connection = Connection.objects.create(
            team=org.team,
            slug="conformance",
            name="Conformance",
            endpoint="http://emulator.test",
            access_key_id=KEY_ID,
            access_key_secret=KEY_SECRET,
        )

    def gateway(self, access_scope: AccessScope, role: str = "owner") -> Gateway:
        user = self.org.members[role]
        Membership.objects.filter(team=self.org.team, user=user).update(access_scope=access_scope.to_json())
        membership = Membership.objects.select_related("team", "user").get(team=self.org.team, user=user)
        return Gateway(actor=user, membership=membership, connection=self.connection, reauthenticated=True)

    def column(self, sql: str) -> frozenset[str]:
        with self.prepared.emulator.store.write() as db:
            return frozenset(row[0] for row in db.execute(sql))

    def everything_by_product(self) -> AccessScope:
        return AccessScope(products=NOWHERE.products | self.column("SELECT product_key FROM products"))

    def everything_by_group(self) -> AccessScope:
        group = self.prepared.group("every_device")
        with self.prepared.emulator.store.write() as db:
            db.execute("INSERT OR IGNORE INTO group_devices SELECT ?, iot_id FROM devices", (group,))
        return AccessScope(groups=NOWHERE.groups | self.column("SELECT group_id FROM groups"))


@pytest.fixture
def platform(
    server: Server, tmp_path: Path, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    with PreparedPlatform.on(server, tmp_path, next(iter(SCHEMES))) as prepared:
        upstream = Watched(httpx.WSGITransport(app=prepared.emulator))
        monkeypatch.setattr(clients, "transport_for", lambda connection: upstream)
        yield Platform(prepared, org, upstream)


def as_it_should_be(asked: dict[str, Any]) -> dict[str, Any]:
    """A row's call without what the row has in it to be refused: devices that do not exist, a tag that is none."""

    def exists(item: Any) -> bool:
        name = item.get("DeviceName", "") if isinstance(item, dict) else str(item)
        return not any(missing in name for missing in ("nobody", "dev-9"))

    cleaned = {
        key: [item for item in value if exists(item)] if isinstance(value, list) else value
        for key, value in asked.items()
        if value is not None
    }
    return cleaned | ({"ProductTag": [{"TagKey": "place", "TagValue": "x"}]} if "ProductTag" in asked else {})


def passes(gateway: Gateway, name: str, asked: dict[str, Any]) -> bool:
    """Whether a call would be let through, as an approval asks before anything is sent."""
    if not gateway.allows(name) or gateway.scope is None:
        return False
    try:
        gateway.scope.check(operation(name), asked)
    except NotInScope:
        return False
    return True


def test_every_operation_has_an_expectation() -> None:
    others = set(BOUNDED.split()) | set(LISTS.split())
    assert set(operations()) == set(EXPECTED) | others
    assert not others & set(EXPECTED)


FIRST = {row.operation: row for row in reversed(ROWS)}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_call_passes_where_all_that_it_names_is_within_reach(platform: Platform, name: str) -> None:
    row: Row = FIRST[name]
    asked = as_it_should_be(row.asks(platform.prepared))
    by_product, by_group = platform.everything_by_product(), platform.everything_by_group()
    for access_scope, expected in zip((by_product, by_group, NOWHERE), EXPECTED[name], strict=True):
        gateway = platform.gateway(access_scope)
        if name in OF_TASKS and access_scope == by_product:
            assert not passes(gateway, name, asked), "tasks that they have not seen"
            see_tasks(gateway)
        assert passes(gateway, name, asked) == expected, access_scope
    platform.upstream.operations.clear()
    gateway = platform.gateway(NOWHERE)
    if not EXPECTED[name][2]:
        with pytest.raises(OutOfScope) as refused:
            gateway.call(name, **asked)
        assert isinstance(refused.value, PermissionRefused)
        assert "limited to 1 product, 1 group" in str(refused.value)
        assert all(operation(sent).access is Access.READ for sent in platform.upstream.operations)
        if operation(name).access is Access.READ:
            assert name not in platform.upstream.operations or name in LOOKED_UP
    if EXPECTED[name][0]:
        gateway = platform.gateway(by_product)
        if name in OF_TASKS:
            see_tasks(gateway)
        with suppress(CloudError):  # the platform may refuse it: it was sent
            gateway.call(name, **asked)


# Reads that tell what a call names: asked for, and shown to nobody.
LOOKED_UP = {
    "QueryDeviceInfo",
    "QueryOTAFirmware",
    "QueryOTAJob",
    "QueryPageByApplyId",
    "QueryDeviceGroupByDevice",
}


# Operations that are passed only for tasks that the person has listed before.
OF_TASKS = {"ConfirmOTATask", "ReupgradeOTATask"}


def see_tasks(gateway: Gateway) -> None:
    """Look at every task, as a person does before they choose some."""
    for package in gateway.call("ListOTAFirmware", CurrentPage=1, PageSize=100)["FirmwareInfo"][
        "SimpleFirmwareInfo"
    ]:
        batches = gateway.call(
            "ListOTAJobByFirmware", FirmwareId=package["FirmwareId"], CurrentPage=1, PageSize=100
        )
        for batch in batches["Data"]["SimpleOTAJobInfo"]:
            gateway.call("ListOTATaskByJob", JobId=batch["JobId"], CurrentPage=1, PageSize=100)
