"""Who may use the addresses and the operations of products, and objects to try them with."""

from __future__ import annotations

from iot_client.client import Client
from tests.roles import ADMIN_ACT, EVERYBODY, FLEET, FLEET_ACT, FLEET_FORM, PAGE, Expectation, Objects

ADDRESSES = {
    "products:list": PAGE,
    "products:create": FLEET_FORM,
    "products:find-category": PAGE,
    "products:bulk": FLEET_ACT,
    "products:detail": PAGE,
    "products:menu": PAGE,
    "products:device-history": PAGE,
    "products:tags": PAGE,
    "products:set-tag": FLEET_FORM,
    "products:remove-tag": FLEET_FORM,
    "products:edit": FLEET_FORM,
    "products:publish": FLEET_FORM,
    "products:unpublish": FLEET_FORM,
    "products:deduplication": FLEET_FORM,
    "products:delete": FLEET_FORM,
    "products:secret": ADMIN_ACT,
}
# Creates something outside the access scope.
REFUSED_TO_LIMITED = {"products:create"}
OPERATIONS = {
    "list_products": Expectation(EVERYBODY),
    "create_product": Expectation(FLEET, 201, {"name": "made_by_api"}),
    "get_product": Expectation(EVERYBODY),
    "edit_product": Expectation(FLEET, 204, {"name": "renamed_by_api"}),
    "delete_product": Expectation(FLEET, 409),  # it is published
    "publish_product": Expectation(FLEET, 204),
    "unpublish_product": Expectation(FLEET, 204),
    "set_product_deduplication": Expectation(FLEET, 204, {"same_timestamp": True, "same_value": False}),
    "bulk_publish_products": Expectation(FLEET, 200, {"keys": ["{key}"]}),
    "bulk_unpublish_products": Expectation(FLEET, 200, {"keys": ["{key}"]}),
    "set_product_tag": Expectation(FLEET, 204, {"value": "here"}),
    "remove_product_tag": Expectation(FLEET, 204),
}


def find_objects(cloud: Client, product_key: str) -> Objects:
    """Return the values for the parameters of addresses, for the product of the populated team."""
    return {"products": {"key": product_key, "action": "publish"}}
