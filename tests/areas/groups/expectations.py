"""Who may use the addresses and the operations of device groups, and objects to try them with."""

from __future__ import annotations

from iot_client.client import Client
from tests.roles import EVERYBODY, FLEET, FLEET_ACT, FLEET_FORM, PAGE, Expectation, Objects

ADDRESSES = {
    "groups:list": PAGE,
    "groups:create": FLEET_FORM,
    "groups:create-subgroup": FLEET_FORM,
    "groups:find": PAGE,
    "groups:detail": PAGE,
    "groups:device-history": PAGE,
    "groups:menu": PAGE,
    "groups:children": PAGE,
    "groups:counts": PAGE,
    "groups:totals": PAGE,
    "groups:edit": FLEET_FORM,
    "groups:delete": FLEET_FORM,
    "groups:devices": PAGE,
    "groups:add-devices": FLEET_FORM,
    "groups:bulk-devices": FLEET_ACT,
    "groups:tags": PAGE,
    "groups:set-tag": FLEET_FORM,
    "groups:remove-tag": FLEET_FORM,
}
# Creates something outside the access scope.
REFUSED_TO_LIMITED = {"groups:create"}
OPERATIONS = {
    "list_groups": Expectation(EVERYBODY),
    "create_group": Expectation(FLEET, 201, {"name": "made_by_api"}),
    "get_group": Expectation(EVERYBODY),
    "edit_group": Expectation(FLEET, 204, {"description": "Changed"}),
    "delete_group": Expectation(FLEET, 204),
    "list_group_devices": Expectation(EVERYBODY),
    "add_group_devices": Expectation(
        FLEET, 200, {"product_key": "{product_key}", "device_names": ["{name}"]}
    ),
    "bulk_add_groups_devices": Expectation(FLEET, 200, {"keys": ["{product_key}/{name}"]}),
    "bulk_remove_groups_devices": Expectation(FLEET, 200, {"keys": ["{product_key}/{name}"]}),
    "set_group_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_group_tag": Expectation(FLEET, 204),
}


def find_objects(cloud: Client, product_key: str) -> Objects:
    """Return the values for the parameters of addresses, for the first group."""
    response = cloud.call("QueryDeviceGroupList", CurrentPage=1, PageSize=10)
    return {"groups": {"group_id": response["Data"]["GroupInfo"][0]["GroupId"], "action": "remove"}}
