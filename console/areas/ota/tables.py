"""The tables of packages, modules, batches and device updates."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.areas.ota import api
from console.areas.ota.actions import BULK, BULK_CANCEL, BULK_CONFIRM
from console.ui.links import connection_url
from console.ui.tables import Column, Table

TARGETS = {
    "ALL": _("All devices"),
    "SPECIFIC": _("Selected devices"),
    "GRAY": _("Percentage"),
    "GROUP": _("Group"),
}

PACKAGES: Table[api.Package] = Table(
    id="packages",
    caption=_("Packages"),
    columns=(
        Column(
            "name",
            _("Package"),
            primary=True,
            link=lambda request, row: connection_url(request, "ota:package", row.id),
        ),
        Column("version", _("Version"), kind="code"),
        Column("product_name", _("Product"), value=lambda row: row.product_name or row.product_key),
        Column("module", _("Module")),
        Column("kind", _("Type"), value=lambda row: _("Delta") if row.delta else _("Full"), narrow=False),
        Column("status", _("Verification"), kind="status", status="package"),
        Column("size", _("Size"), kind="bytes"),
        Column("created", _("Created"), kind="time"),
        Column("product_key", _("ProductKey"), kind="code", hidden=True, copy=True),
        Column("id", _("Package ID"), kind="code", hidden=True, copy=True),
    ),
    platform_order=True,
)

MODULES: Table[api.Module] = Table(
    id="modules",
    caption=_("Modules"),
    columns=(
        Column("name", _("Module"), primary=True),
        Column("alias", _("Alias")),
        Column("description", _("Description")),
        Column("created", _("Created"), kind="time"),
        Column("modified", _("Modified"), kind="time", hidden=True),
    ),
    row_template="areas/ota/module_actions.html",
)


def _describe_type(batch: api.Batch) -> object:
    if batch.is_verification:
        return _("Verification")
    return _("Dynamic") if batch.is_dynamic else _("Static")


_BATCH_COLUMNS: tuple[Column[api.Batch], ...] = (
    Column(
        "id",
        _("Batch"),
        primary=True,
        kind="code",
        link=lambda request, row: connection_url(request, "ota:batch", row.id),
    ),
    Column("status", _("Status"), kind="status", status="batch"),
    Column("kind", _("Type"), value=_describe_type),
    Column(
        "target",
        pgettext_lazy("of a batch", "Target"),
        value=lambda batch: TARGETS.get(batch.target, batch.target),
    ),
    Column("created", _("Created"), kind="time"),
    Column("started", _("Started"), kind="time", narrow=False),
    Column("ended", _("Ended"), kind="time"),
)

BATCHES: Table[api.Batch] = Table(id="batches", caption=_("Batches"), columns=_BATCH_COLUMNS)


def build_batch_table(names: dict[str, str]) -> Table[api.Batch]:
    """Return a table for batches of several packages. `names` maps package IDs to names."""
    package: Column[api.Batch] = Column(
        "package",
        _("Package"),
        value=lambda batch: names.get(batch.package_id, batch.package_id),
        link=lambda request, batch: connection_url(request, "ota:package", batch.package_id),
    )
    return Table(
        id="batches", caption=_("Batches"), columns=(_BATCH_COLUMNS[0], package, *_BATCH_COLUMNS[1:])
    )


def build_task_table(batch_id: str, *, may_confirm: bool, may_cancel: bool) -> Table[api.Task]:
    """Return the table of the devices of a batch. `may_confirm`, `may_cancel`: whether to offer these actions."""
    actions = [action for action, may in ((BULK_CONFIRM, may_confirm), (BULK_CANCEL, may_cancel)) if may]
    return Table(
        id="ota-tasks",
        caption=_("Devices in the batch"),
        key=BULK.key,
        columns=(
            Column(
                "device",
                _("Device"),
                primary=True,
                link=lambda request, task: connection_url(
                    request, "devices:detail", task.product_key, task.device
                ),
            ),
            Column("status", _("Status"), kind="status", status="batch_task"),
            Column("progress", _("Progress"), template="areas/ota/task_progress.html"),
            Column("source_version", _("Source version"), kind="code"),
            Column("description", _("Device message")),
            Column("modified", _("Modified"), kind="time"),
            Column("id", _("Task ID"), kind="code", hidden=True, copy=True),
        ),
        actions=BULK.buttons(actions, batch_id=batch_id),
        unit=_("devices"),
        platform_order=True,
    )
