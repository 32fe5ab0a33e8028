"""Every operation × access scope through the gateway, with calls that name existing objects.

The tables state what each operation names. An operation without an expectation fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from console.accounts.models import Membership
from console.accounts.scope import AccessScope
from console.connections import clients
from console.connections.gateway import Gateway, OutOfScope, PermissionRefused
from console.connections.models import Connection
from console.connections.scope import NotInScope
from iot_client.catalogue import Access, operation, operations
from iot_client.errors import CloudError
from tests.conformance.platform import KEY_ID, KEY_SECRET, PreparedPlatform, Server
from tests.conformance.rows import Row
from tests.conformance.sdk import SCHEMES
from tests.conformance.table import ROWS
from tests.conftest import Organization
from tests.recorded_calls import RecordedNetwork

pytestmark = pytest.mark.django_db

# In scope if the product is listed.
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
# In scope if the product of the devices, or a group of each device, is listed.
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
# In scope if the group or one of its parents is listed.
OF_A_GROUP = """
    DeleteDeviceGroup UpdateDeviceGroup BatchAddDeviceGroupRelations BatchDeleteDeviceGroupRelations
    QueryDeviceGroupInfo SetDeviceGroupTags QueryDeviceGroupTagList QuerySuperDeviceGroup QueryDeviceListByDeviceGroup
"""
# In scope if the statement or the parameters limit it to the scope.
LIMITED_BY_PARAMETERS = "QueryDeviceBySQL CreateDeviceGroup"
# Composed from the objects in scope.
LISTS = "QueryDeviceGroupList QueryDeviceStatistics ListOTAFirmware ListProductByTags QueryProductList"
# Allowed for everybody: they reveal nothing about the fleet and change nothing.
HARMLESS = "GenerateOTAUploadURL GenerateDeviceNameListURL ListThingTemplates GetThingTemplate"
# Never allowed with a limited access scope: they concern the whole account.
ACCOUNT_WIDE = """
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
    CreateSubscribeRelation UpdateSubscribeRelation QuerySubscribeRelation
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
        (ACCOUNT_WIDE, False, False, False),
    )
    for name in names.split()
}
"""Whether a call passes if all products are listed; if all groups are listed and every device is in one; if nothing is listed."""

NO_OBJECTS = AccessScope(products=frozenset({"a1Nowhere"}), groups=frozenset({"nowhere"}))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Platform:
    """An empty platform behind a connection of the organization. The conformance table creates what a call needs."""

    def __init__(self, prepared: PreparedPlatform, org: Organization, network: RecordedNetwork) -> None:
        self.prepared, self.org, self.network = prepared, org, network
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
        return AccessScope(products=NO_OBJECTS.products | self.column("SELECT product_key FROM products"))

    def everything_by_group(self) -> AccessScope:
        group = self.prepared.create_group("iter_devices")
        with self.prepared.emulator.store.write() as db:
            db.execute("INSERT OR IGNORE INTO group_devices SELECT ?, iot_id FROM devices", (group,))
        return AccessScope(groups=NO_OBJECTS.groups | self.column("SELECT group_id FROM groups"))


@pytest.fixture
def platform(
    server: Server, copied_database: Path, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    with PreparedPlatform.start(server, copied_database, next(iter(SCHEMES))) as prepared:
        network = RecordedNetwork(prepared.emulator)
        monkeypatch.setattr(clients, "transport_for", lambda connection: network)
        yield Platform(prepared, org, network)


def remove_invalid_values(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a row without the values that the platform refuses: missing devices, an invalid tag."""

    def exists(item: Any) -> bool:
        name = item.get("DeviceName", "") if isinstance(item, dict) else str(item)
        return not any(missing in name for missing in ("nobody", "dev-9"))

    cleaned = {
        key: [item for item in value if exists(item)] if isinstance(value, list) else value
        for key, value in params.items()
        if value is not None
    }
    return cleaned | (
        {"ProductTag": [{"TagKey": "place", "TagValue": "x"}]} if "ProductTag" in params else {}
    )


def is_in_scope(gateway: Gateway, name: str, params: dict[str, Any]) -> bool:
    """Whether a call would pass, as an approval checks before anything is sent."""
    if not gateway.allows(name) or gateway.scope is None:
        return False
    try:
        gateway.scope.check(operation(name), params)
    except NotInScope:
        return False
    return True


def test_every_operation_has_an_expectation() -> None:
    other_operations = set(LIMITED_BY_PARAMETERS.split()) | set(LISTS.split())
    assert set(operations()) == set(EXPECTED) | other_operations
    assert not other_operations & set(EXPECTED)


FIRST = {row.operation: row for row in reversed(ROWS)}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_call_passes_if_all_objects_that_it_names_are_in_scope(platform: Platform, name: str) -> None:
    row: Row = FIRST[name]
    params = remove_invalid_values(row.build_request(platform.prepared))
    by_product, by_group = platform.everything_by_product(), platform.everything_by_group()
    for access_scope, expected in zip((by_product, by_group, NO_OBJECTS), EXPECTED[name], strict=True):
        gateway = platform.gateway(access_scope)
        if name in OF_TASKS and access_scope == by_product:
            assert not is_in_scope(gateway, name, params), "tasks that were not listed before"
            read_all_tasks(gateway)
        assert is_in_scope(gateway, name, params) == expected, access_scope
    platform.network.calls.clear()
    gateway = platform.gateway(NO_OBJECTS)
    if not EXPECTED[name][2]:
        with pytest.raises(OutOfScope) as refused:
            gateway.call(name, **params)
        assert isinstance(refused.value, PermissionRefused)
        assert "limited to 1 product, 1 group" in str(refused.value)
        assert all(operation(sent).access is Access.READ for sent in platform.network.calls)
        if operation(name).access is Access.READ:
            assert name not in platform.network.calls or name in SCOPE_READS
    if EXPECTED[name][0]:
        gateway = platform.gateway(by_product)
        if name in OF_TASKS:
            read_all_tasks(gateway)
        with suppress(CloudError):  # the platform may refuse it, but it was sent
            gateway.call(name, **params)


# Reads that the scope guard makes. No user sees their responses.
SCOPE_READS = {
    "QueryDeviceInfo",
    "QueryOTAFirmware",
    "QueryOTAJob",
    "QueryPageByApplyId",
    "QueryDeviceGroupByDevice",
}


# Operations that pass only for tasks that the user has listed before.
OF_TASKS = {"ConfirmOTATask", "ReupgradeOTATask"}


def read_all_tasks(gateway: Gateway) -> None:
    """List every task, as a user does before they select some."""
    for package in gateway.call("ListOTAFirmware", CurrentPage=1, PageSize=100)["FirmwareInfo"][
        "SimpleFirmwareInfo"
    ]:
        batches = gateway.call(
            "ListOTAJobByFirmware", FirmwareId=package["FirmwareId"], CurrentPage=1, PageSize=100
        )
        for batch in batches["Data"]["SimpleOTAJobInfo"]:
            gateway.call("ListOTATaskByJob", JobId=batch["JobId"], CurrentPage=1, PageSize=100)
