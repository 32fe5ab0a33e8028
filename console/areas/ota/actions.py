"""What can be done to packages, modules and batches, and to several device updates of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api, batch_tasks, jobs
from console.areas.ota.forms.batches import CancelForm
from console.areas.ota.forms.filters import TaskFilter
from console.areas.ota.forms.packages import ModuleForm, NewModuleForm
from console.areas.ota.records import BatchDetail, Module, Package
from console.connections.gateway import Gateway
from console.connections.http import CloudRequest
from console.pages.actions import Action, Done, Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.creation import Creation
from console.pages.keys import is_key, second_value, split_key
from console.ui.format import number
from console.ui.links import connection_url
from iot_client.errors import CloudError
from iot_client.paging import Page, Position

# -- packages ----------------------------------------------------------------------------------------------------------


def _ask_to_delete_package(request: CloudRequest, package: Package) -> Question:
    return Question(
        gettext("Delete package %(name)s?") % {"name": package.name},
        effects=[
            gettext("The file is deleted. You can no longer create batches from this package."),
            gettext("You can no longer view its batches here."),
            gettext("Devices on this version keep it."),
            gettext("You cannot delete a package while one of its batches is planned or in progress."),
        ],
        expected=package.name,
        expected_label=gettext("Package name"),
        planned={"FirmwareId": package.id},
    )


def _delete_package(request: CloudRequest, package: Package, values: Mapping[str, Any]) -> Done:
    api.delete_package(request.gateway, package.id, name=package.name)
    return Done(gettext("Package %(name)s deleted.") % {"name": package.name})


DELETE_PACKAGE: Action[Package] = Action(
    "delete-package",
    api.DELETE_PACKAGE,
    _("Delete package"),
    address="delete",
    run=_delete_package,
    ask=_ask_to_delete_package,
    icon="trash",
    menu=_("Delete…"),
    danger=True,
    deletes=True,
)

# -- modules -----------------------------------------------------------------------------------------------------------

_MODULE_FIELDS = {"ModuleName": "name", "AliasName": "alias", "Desc": "description"}


def build_module_list_url(request: CloudRequest, product_key: str) -> str:
    """Return the URL of the list of the modules of a product."""
    return f"{connection_url(request, 'ota:modules')}?product={product_key}"


def _create_module(request: CloudRequest, values: Mapping[str, Any], product_key: str) -> Done:
    name = values["name"]
    api.create_module(
        request.gateway, product_key, name, alias=values["alias"], description=values["description"]
    )
    message = gettext("Module %(name)s created.") % {"name": name}
    return Done(message, build_module_list_url(request, product_key))


CREATE_MODULE = Creation(
    _("Create module"),
    api.CREATE_MODULE,
    form=lambda request, product_key: NewModuleForm(request.POST if request.method == "POST" else None),
    run=_create_module,
    crumbs=[(_("Modules"), "ota:modules")],
    fields=_MODULE_FIELDS,
)


def _save_module(request: CloudRequest, module: Module, values: Mapping[str, Any]) -> Done:
    api.update_module(
        request.gateway,
        module.product_key,
        module.name,
        alias=values["alias"],
        description=values["description"],
    )
    return Done(gettext("Module %(name)s saved.") % {"name": module.name})


EDIT_MODULE: Action[Module] = Action(
    "edit-module",
    api.UPDATE_MODULE,
    _("Save"),
    address="edit",
    run=_save_module,
    ask=lambda request, module: Question(gettext("Edit module %(name)s") % {"name": module.name}),
    form=lambda request, module: ModuleForm(request.POST if request.method == "POST" else None, module),
    fresh=True,
    fields=_MODULE_FIELDS,
)


def _ask_to_delete_module(request: CloudRequest, module: Module) -> Question:
    return Question(
        gettext("Delete module %(name)s?") % {"name": module.name},
        effects=[
            gettext("You can no longer create packages for this module."),
            gettext("You cannot delete a module that has packages. Delete the packages first."),
        ],
        expected=module.name,
        expected_label=gettext("Module name"),
        planned={"ProductKey": module.product_key, "ModuleName": module.name},
    )


def _delete_module(request: CloudRequest, module: Module, values: Mapping[str, Any]) -> Done:
    api.delete_module(request.gateway, module.product_key, module.name)
    message = gettext("Module %(name)s deleted.") % {"name": module.name}
    return Done(message, build_module_list_url(request, module.product_key))


DELETE_MODULE: Action[Module] = Action(
    "delete-module",
    api.DELETE_MODULE,
    _("Delete module"),
    address="delete",
    run=_delete_module,
    ask=_ask_to_delete_module,
    danger=True,
    deletes=True,
)

# -- batches -----------------------------------------------------------------------------------------------------------


def _ask_to_cancel(request: CloudRequest, detail: BatchDetail) -> Question:
    text = gettext(
        "%(name)s, version %(version)s. Finished updates are kept. Devices that are updating may still finish."
        " A canceled batch cannot be resumed."
    )
    return Question(
        gettext("Cancel the batch?"),
        text % {"name": detail.package_name, "version": detail.version},
        gettext("Cancel updates"),
        close=gettext("Back"),
    )


def _build_cancel_form(request: CloudRequest, detail: BatchDetail) -> CancelForm:
    return CancelForm(
        request.POST if request.method == "POST" else None, is_planned=detail.batch.status == "PLANNED"
    )


def _cancel(request: CloudRequest, detail: BatchDetail, values: Mapping[str, Any]) -> Done:
    api.cancel_batch(request.gateway, detail.batch.id, values["statuses"])
    return Done(gettext("The batch is being canceled."))


CANCEL_BATCH: Action[BatchDetail] = Action(
    "cancel-batch",
    api.CANCEL_BATCH,
    _("Cancel batch"),
    address="cancel",
    run=_cancel,
    ask=_ask_to_cancel,
    form=_build_cancel_form,
    is_available=lambda detail: (
        not detail.batch.is_verification and (detail.batch.is_running or detail.batch.is_dynamic)
    ),
    icon="ban",
    button="plain",
    danger=True,
)


def _ask_to_stop(request: CloudRequest, detail: BatchDetail) -> Question:
    return Question(
        gettext("Stop adding devices?"),
        effects=[
            gettext("Devices that report one of the source versions from now on are not updated."),
            gettext("Devices already in the batch continue. Cancel them separately."),
        ],
        expected=detail.package_name or detail.batch.id,
        expected_label=gettext("Package name"),
    )


def _stop(request: CloudRequest, detail: BatchDetail, values: Mapping[str, Any]) -> Done:
    api.stop_dynamic_batch(request.gateway, detail.batch.id)
    return Done(gettext("The batch no longer adds devices."))


STOP_BATCH: Action[BatchDetail] = Action(
    "stop-batch",
    api.STOP_DYNAMIC,
    _("Stop adding devices"),
    address="stop",
    run=_stop,
    ask=_ask_to_stop,
    is_available=lambda detail: detail.batch.is_dynamic and detail.batch.is_running,
    icon="player-stop",
    menu=_("Stop adding devices…"),
)


def _monitor(request: CloudRequest, detail: BatchDetail, values: Mapping[str, Any]) -> Done:
    jobs.monitor_batch(
        request.gateway,
        detail.batch.id,
        product_key=detail.batch.product_key,
        package=f"{detail.package_name} {detail.version}".strip(),
    )
    return Done(gettext("Monitoring started. Progress is recorded until the batch ends."))


# The progress of the batch shows its button.
MONITOR_BATCH: Action[BatchDetail] = Action(
    "monitor-batch",
    api.CANCEL_BATCH,
    _("Start monitoring"),
    address="monitor",
    run=_monitor,
    icon="eye",
)

# -- several device updates of a batch ---------------------------------------------------------------------------------


def _ask_to_confirm_updates(count: int) -> Question:
    title = ngettext(
        "Confirm the update of %(count)s device?", "Confirm the updates of %(count)s devices?", count
    )
    text = gettext("The update is sent to the devices as soon as the rate limit of the batch allows.")
    return Question(title % {"count": number(count)}, text)


def _confirm_updates(
    gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]
) -> Sequence[CloudError | None]:
    return batch_tasks.confirm_each(gateway, [split_key(key) for key in keys], batch_id=ids["batch_id"])


def _ask_to_retry_updates(count: int) -> Question:
    title = ngettext(
        "Retry the update of %(count)s device?", "Retry the updates of %(count)s devices?", count
    )
    text = gettext("Only failed and canceled updates of a batch that is not canceled can be retried.")
    return Question(title % {"count": number(count)}, text)


def _retry_updates(
    gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]
) -> Sequence[CloudError | None]:
    return batch_tasks.retry_each(gateway, [split_key(key) for key in keys], batch_id=ids["batch_id"])


def _ask_to_cancel_updates(count: int) -> Question:
    title = ngettext(
        "Cancel the update of %(count)s device?", "Cancel the updates of %(count)s devices?", count
    )
    text = gettext("Only updates that the devices have not started can be canceled.")
    return Question(title % {"count": number(count)}, text, close=gettext("Back"))


def _cancel_updates(
    gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]
) -> Sequence[CloudError | None]:
    """Cancel the updates: 1 call, after reading the batch. The platform cancels all of them or none."""
    batch = api.get_batch(gateway, ids["batch_id"]).batch
    try:
        api.cancel_devices(gateway, batch, list(map(second_value, keys)))
    except CloudError as error:
        return [error] * len(keys)
    return [None] * len(keys)


BULK_CONFIRM = Bulk(
    "confirm",
    api.CONFIRM,
    _("Confirm updates"),
    "check",
    gettext_noop("Confirm several tasks of a batch that wait for confirmation, so that their updates start."),
    ask=_ask_to_confirm_updates,
    run=_confirm_updates,
    applies_to=lambda task: task.status == "CONFIRM",
)
BULK_RETRY = Bulk(
    "retry",
    api.RETRY,
    _("Retry updates"),
    "refresh",
    gettext_noop("Retry the failed and canceled updates of several devices of a batch."),
    ask=_ask_to_retry_updates,
    run=_retry_updates,
    applies_to=lambda task: task.status in ("FAILED", "CANCELED"),
)
BULK_CANCEL = Bulk(
    "cancel",
    api.CANCEL_DEVICE,
    _("Cancel updates"),
    "ban",
    gettext_noop(
        "Cancel the updates of several devices of a batch. Nothing is canceled if one of the updates has already started."
    ),
    ask=_ask_to_cancel_updates,
    run=_cancel_updates,
    direct=api.MAX_NAMES_PER_CALL,
    applies_to=lambda task: task.status in ("CONFIRM", "QUEUED", "NOTIFIED"),
    danger=True,
)


def list_task_actions(gateway: Gateway, detail: BatchDetail) -> list[Bulk]:
    """The actions on several devices that the user may do in the present state of the batch."""
    batch = detail.batch
    possible = (
        (BULK_CONFIRM, detail.need_confirm and batch.status == "IN_PROGRESS"),
        (BULK_RETRY, not batch.is_verification and batch.status != "CANCELED"),
        (BULK_CANCEL, batch.is_running or batch.is_dynamic),
    )
    return [action for action, is_possible in possible if is_possible and gateway.allows(action.operation)]


def _read_matching(
    gateway: Gateway, filters: TaskFilter, ids: Mapping[str, str], start: Position | None
) -> Iterator[Page[Sequence[api.Task]]]:
    values = filters.values
    names = [values["q"]] if values.get("q") else []
    return batch_tasks.read_task_pages(
        gateway, ids["batch_id"], status=values.get("status", ""), names=names, start=start
    )


BULK: BulkPages[api.Task] = BulkPages(
    name="ota:bulk-tasks",
    address="batches/<id:batch_id>/tasks/",
    list_name="ota:batch",
    list_label=_("Devices in the batch"),
    actions=(BULK_CONFIRM, BULK_RETRY, BULK_CANCEL),
    key=lambda task: task.key,
    keys_help=gettext_noop("`id/device_name` of each task."),
    read_matching=_read_matching,
    filters=TaskFilter,
    filter_names={"q": "device_name"},
    is_key=is_key,
    name_of=second_value,
)
