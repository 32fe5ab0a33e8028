"""What can be done to several device updates of a batch. A key is "<task ID>/<device name>"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.http import QueryDict
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api
from console.areas.ota.forms.filters import TaskFilter
from console.connections.gateway import Gateway
from console.pages.actions import Question
from console.pages.bulk import Bulk, BulkPages
from console.pages.keys import is_key, second_value, split_key
from console.ui.format import number
from iot_client.errors import CloudError


def _ask_to_confirm(count: int) -> Question:
    title = ngettext(
        "Confirm the update of %(count)s device?", "Confirm the updates of %(count)s devices?", count
    )
    text = gettext("The update is sent to the devices as soon as the rate limit of the batch allows.")
    return Question(title % {"count": number(count)}, text)


def _confirm(gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]) -> Sequence[CloudError | None]:
    task_ids = [split_key(key)[0] for key in keys]
    return api.confirm_each(gateway, task_ids, batch_id=ids["batch_id"])


def _ask_to_cancel(count: int) -> Question:
    title = ngettext(
        "Cancel the update of %(count)s device?", "Cancel the updates of %(count)s devices?", count
    )
    text = gettext("Only updates that the devices have not started can be canceled.")
    return Question(title % {"count": number(count)}, text, close=gettext("Back"))


def _cancel(gateway: Gateway, keys: Sequence[str], ids: Mapping[str, str]) -> Sequence[CloudError | None]:
    """Cancel the updates: 1 call, after reading the batch. The platform cancels all of them or none."""
    batch = api.get_batch(gateway, ids["batch_id"]).batch
    try:
        api.cancel_devices(gateway, batch, list(map(second_value, keys)))
    except CloudError as error:
        return [error] * len(keys)
    return [None] * len(keys)


CONFIRM = Bulk(
    "confirm",
    api.CONFIRM,
    _("Confirm updates"),
    "check",
    ask=_ask_to_confirm,
    run=_confirm,
    applies_to=lambda task: task.status == "CONFIRM",
)
CANCEL = Bulk(
    "cancel",
    api.CANCEL_DEVICE,
    _("Cancel updates"),
    "ban",
    ask=_ask_to_cancel,
    run=_cancel,
    direct=api.MAX_NAMES_PER_CALL,
    applies_to=lambda task: task.status in ("CONFIRM", "QUEUED", "NOTIFIED"),
    danger=True,
)


def _list_matching(gateway: Gateway, query: QueryDict, ids: Mapping[str, str]) -> Iterable[api.Task]:
    values = TaskFilter.from_query(query).values
    names = [values["q"]] if values.get("q") else []
    return api.iterate_tasks(gateway, ids["batch_id"], status=values.get("status", ""), names=names)


BULK: BulkPages[api.Task] = BulkPages(
    name="ota:tasks-many",
    list_name="ota:batch",
    list_label=_("Devices in the batch"),
    actions=(CONFIRM, CANCEL),
    key=lambda task: task.key,
    is_key=is_key,
    name_of=second_value,
    list_matching=_list_matching,
)
