"""Who may use the addresses and the operations of devices, and objects to try them with."""

from __future__ import annotations

from iot_client.client import Client
from tests.roles import (
    ADMIN_ACT,
    ADMIN_PAGE,
    EVERYBODY,
    FLEET,
    FLEET_ACT,
    FLEET_FORM,
    PAGE,
    AllowedRoles,
    Expectation,
    Objects,
)

ADDRESSES = {
    "devices:list": PAGE,
    "devices:search": PAGE,
    "devices:of-product": PAGE,
    "devices:find": AllowedRoles(post=EVERYBODY),
    "devices:create": FLEET_FORM,
    "devices:bulk": FLEET_ACT,
    "devices:detail": PAGE,
    "devices:menu": PAGE,
    "devices:groups": PAGE,
    "devices:add-group": FLEET_FORM,
    "devices:remove-group": FLEET_FORM,
    "devices:tags": PAGE,
    "devices:set-tag": FLEET_FORM,
    "devices:remove-tag": FLEET_FORM,
    "devices:updates": PAGE,
    "devices:rename": FLEET_FORM,
    "devices:enable": FLEET_ACT,
    "devices:disable": FLEET_FORM,
    "devices:delete": FLEET_FORM,
    "devices:secret": ADMIN_ACT,
    "devices:register": FLEET_FORM,
    "devices:start-registration": FLEET_ACT,
    "devices:registration-columns": FLEET_ACT,
    "devices:collect-secrets": ADMIN_ACT,
    "devices:registration-secrets": ADMIN_PAGE,
    "devices:registration-findings": PAGE,
    "devices:registration-invalid-rows": PAGE,
}
# No group is in the access scope of a member limited to a product.
REFUSED_TO_LIMITED = {"devices:add-group", "devices:remove-group"}
OPERATIONS = {
    "list_devices": Expectation(EVERYBODY, query="product_key={product_key}"),
    "search_devices": Expectation(EVERYBODY, query="text={name}"),
    "register_device": Expectation(FLEET, 201, {"product_key": "{product_key}", "name": "made-by-api"}),
    "get_device": Expectation(EVERYBODY),
    "edit_device": Expectation(FLEET, 204, {"nickname": "Boiler"}),
    "delete_device": Expectation(FLEET, 204),
    "enable_device": Expectation(FLEET, 204),
    "disable_device": Expectation(FLEET, 204),
    "list_device_groups": Expectation(EVERYBODY),
    "get_device_updates": Expectation(EVERYBODY),
    "set_device_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_device_tag": Expectation(FLEET, 204),
    "register_devices": Expectation(
        FLEET, 202, {"product_key": "{product_key}", "devices": [{"name": "made-by-api"}]}
    ),
    "register_devices_from_file": Expectation(
        FLEET, 202, {"product_key": "{product_key}"}, file=("devices.csv", b"DeviceName\nmade-by-api\n")
    ),
    "register_generated_devices": Expectation(FLEET, 202, {"product_key": "{product_key}", "count": 2}),
    "download_registration_errors": Expectation(EVERYBODY),
    "download_invalid_rows": Expectation(EVERYBODY),
    "map_registration_columns": Expectation(FLEET, 409, {"name": 0}),  # it was started
    "bulk_enable_devices": Expectation(FLEET, 200, {"keys": ["{product_key}/{name}"]}),
    "bulk_disable_devices": Expectation(
        FLEET, 200, {"filters": {"product_key": "{product_key}", "search": "{name}"}}
    ),
    "bulk_delete_devices": Expectation(FLEET, 200, {"keys": ["{product_key}/{name}"]}),
}


def find_objects(cloud: Client, product_key: str) -> Objects:
    """Return the values for the parameters of addresses, for the first device of the product."""
    response = cloud.call("QueryDevice", ProductKey=product_key, PageSize=1)
    name = response["Data"]["DeviceInfo"][0]["DeviceName"]
    return {"devices": {"product_key": product_key, "name": name, "device_name": name, "action": "disable"}}
