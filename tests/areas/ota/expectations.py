"""Who may use the addresses and the operations of over-the-air updates, and objects to try them with."""

from __future__ import annotations

from iot_client.client import Client
from tests.roles import (
    EVERYBODY,
    PAGE,
    RELEASE_ACT,
    RELEASE_FORM,
    RELEASES,
    AllowedRoles,
    Expectation,
    Objects,
)

ADDRESSES = {
    "ota:packages": PAGE,
    "ota:create-package": RELEASE_FORM,
    "ota:package": PAGE,
    "ota:delete-package": RELEASE_FORM,
    "ota:create-batch": RELEASE_FORM,
    "ota:create-dynamic-batch": RELEASE_FORM,
    "ota:verify": RELEASE_FORM,
    "ota:group-options": PAGE,
    "ota:modules": PAGE,
    "ota:module-options": PAGE,
    "ota:create-module": RELEASE_FORM,
    "ota:edit-module": RELEASE_FORM,
    "ota:delete-module": RELEASE_FORM,
    "ota:batches": PAGE,
    "ota:batch-progress": PAGE,
    "ota:choose-package": AllowedRoles(get=RELEASES),
    "ota:batch": PAGE,
    "ota:batch-live": PAGE,
    "ota:batch-counts": PAGE,
    "ota:batch-history": PAGE,
    "ota:monitor-batch": RELEASE_ACT,
    "ota:cancel-batch": RELEASE_FORM,
    "ota:stop-batch": RELEASE_FORM,
    "ota:bulk-tasks": RELEASE_ACT,
}
OTHER_PARAMETERS = {"name"}  # a module of the product
NOT_FOUND_BY_LIMITED = {"ota:verify"}  # the package to verify is for another product
OPERATIONS = {
    "list_packages": Expectation(EVERYBODY),
    "create_package": Expectation(
        RELEASES,
        201,
        {"product_key": "{product_key}", "name": "made_by_api", "version": "9.9.9"},
        file=("firmware.bin", b"firmware"),
    ),
    "get_package": Expectation(EVERYBODY),
    "delete_package": Expectation(RELEASES, 204),
    "verify_package": Expectation(RELEASES, 409, {"device_names": ["meter-00001"]}),  # it is verified
    "list_modules": Expectation(EVERYBODY),
    "create_module": Expectation(RELEASES, 201, {"name": "made_by_api"}),
    "edit_module": Expectation(RELEASES, 204, {"alias": "Modem", "description": "Changed"}),
    "delete_module": Expectation(RELEASES, 204),
    "list_batches": Expectation(EVERYBODY),
    "create_static_batch": Expectation(RELEASES, 201, {"target": "ALL"}),
    "create_dynamic_batch": Expectation(
        RELEASES, 409, {"source_versions": ["0.0.9"]}
    ),  # the package is for another version
    "get_batch": Expectation(EVERYBODY),
    "list_tasks": Expectation(EVERYBODY),
    "count_tasks": Expectation(EVERYBODY),
    "get_batch_history": Expectation(EVERYBODY),
    "monitor_batch": Expectation(RELEASES, 202),
    "bulk_cancel_ota_batches_tasks": Expectation(RELEASES, 200, {"keys": ["never-was-one/{name}"]}),
    "bulk_confirm_ota_batches_tasks": Expectation(RELEASES, 200, {"keys": ["never-was-one/{name}"]}),
    "bulk_retry_ota_batches_tasks": Expectation(RELEASES, 200, {"keys": ["never-was-one/{name}"]}),
    "cancel_batch": Expectation(RELEASES, 204, {"statuses": ["QUEUED"]}),
    "stop_batch": Expectation(RELEASES, 409),  # it is no dynamic one
}


def find_objects(cloud: Client, product_key: str) -> Objects:
    """Return the values for the parameters of addresses: a package with a batch, and a module of the product."""
    response = cloud.call("ListOTAFirmware", CurrentPage=1, PageSize=100)
    packages = response["FirmwareInfo"]["SimpleFirmwareInfo"]
    verified = [package["FirmwareId"] for package in packages if package["Status"] in (-1, 1)]
    unverified = next(package["FirmwareId"] for package in packages if package["Status"] == 0)
    responses = [
        cloud.call("ListOTAJobByFirmware", FirmwareId=package, CurrentPage=1, PageSize=10)
        for package in verified
    ]
    batches = [batch for response in responses for batch in response["Data"]["SimpleOTAJobInfo"]]
    cloud.call("CreateOTAModule", ProductKey=product_key, ModuleName="radio", AliasName="Radio")
    update = {
        "package_id": verified[0],
        "product_key": product_key,
        "action": "confirm",
        "name": "radio",
        "module_name": "radio",
        "batch_id": batches[0]["JobId"],
    }
    return {"ota": update, "ota:verify": {"package_id": unverified}}
