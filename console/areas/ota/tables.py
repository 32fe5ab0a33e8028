"""The tables of packages, modules, batches and device updates."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from console.areas.ota import api
from console.areas.ota.actions import BULK
from console.areas.ota.progress import ListedBatch
from console.pages.bulk import Bulk
from console.ui.links import connection_url
from console.ui.tables import Column, Table

TARGETS = {
    "ALL": _("All devices"),
    "SPECIFIC": _("Selected devices"),
    "GRAY": _("Percentage"),
    "GROUP": _("Group"),
}

_PACKAGE_COLUMNS: tuple[Column[api.Package], ...] = (
    Column("version", _("Version"), kind="code"),
    Column("product_name", _("Product"), value=lambda row: row.product_name or row.product_key),
    Column("module", _("Module")),
    Column("kind", _("Type"), value=lambda row: _("Delta") if row.delta else _("Full"), narrow=False),
    Column("status", _("Verification"), kind="status", status="package"),
    Column("size", _("Size"), kind="bytes"),
    Column("created", _("Created"), kind="time"),
    Column("product_key", _("ProductKey"), kind="code", hidden=True, copy=True),
    Column("id", _("Package ID"), kind="code", hidden=True, copy=True),
)


def _name_column(page: str) -> Column[api.Package]:
    """Return the column of names, which link to a page of each package (a URL name)."""
    return Column(
        "name", _("Package"), primary=True, link=lambda request, row: connection_url(request, page, row.id)
    )


PACKAGES: Table[api.Package] = Table(
    id="packages",
    caption=_("Packages"),
    columns=(_name_column("ota:package"), *_PACKAGE_COLUMNS),
)

READY_PACKAGES: Table[api.Package] = Table(
    id="ready-packages",
    caption=_("Verified packages"),
    columns=(
        _name_column("ota:create-batch"),
        *(column for column in _PACKAGE_COLUMNS if column.key not in {"kind", "size"} and not column.hidden),
    ),
    row_template="areas/ota/ready_package_actions.html",
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


def name_batch(batch: api.Batch, version: str) -> str:
    """Return the name of a batch of a package with this version."""
    text = (
        gettext("Verification of %(version)s") if batch.is_verification else gettext("Update to %(version)s")
    )
    return text % {"version": version}


def _describe_type(row: ListedBatch) -> object:
    if row.batch.is_verification:
        return _("Verification")
    return _("Dynamic") if row.batch.is_dynamic else _("Static")


_PACKAGE: Column[ListedBatch] = Column(
    "package",
    _("Package"),
    value=lambda row: row.package_name or row.batch.package_id,
    link=lambda request, row: connection_url(request, "ota:package", row.batch.package_id),
)
_PRODUCT: Column[ListedBatch] = Column(
    "product",
    _("Product"),
    value=lambda row: row.product,
    narrow=False,
    link=lambda request, row: connection_url(request, "products:detail", row.batch.product_key),
)


def _build_batch_table(caption: str | Promise, *names: Column[ListedBatch]) -> Table[ListedBatch]:
    """Return a table of batches. `names`: columns of what a batch is for."""
    return Table(
        id="batches",
        caption=caption,
        columns=(
            Column(
                "name",
                _("Batch"),
                primary=True,
                value=lambda row: name_batch(row.batch, row.version),
                link=lambda request, row: connection_url(request, "ota:batch", row.batch.id),
            ),
            *names,
            Column("kind", _("Type"), value=_describe_type, hidden=True),
            Column(
                "target",
                pgettext_lazy("of a batch", "Target"),
                value=lambda row: TARGETS.get(row.batch.target, row.batch.target),
                kind="phrase",
                narrow=False,
            ),
            Column("progress", _("Progress"), template="areas/ota/row_progress.html"),
            Column("status", _("Status"), kind="status", status="batch", value=lambda row: row.batch.status),
            Column("created", _("Created"), kind="time", value=lambda row: row.batch.created),
            Column("started", _("Started"), kind="time", hidden=True, value=lambda row: row.batch.started),
            Column("ended", _("Ended"), kind="time", hidden=True, value=lambda row: row.batch.ended),
            Column("id", _("Batch ID"), kind="code", hidden=True, copy=True, value=lambda row: row.batch.id),
        ),
    )


BATCHES = _build_batch_table(_("Batches"), _PACKAGE, _PRODUCT)
BATCHES_OF_PACKAGE = _build_batch_table(_("Batches of this package"))


_DEVICE: Column[api.Task] = Column(
    "device",
    _("Device"),
    primary=True,
    link=lambda request, task: connection_url(request, "devices:detail", task.product_key, task.device),
)
FAILED_TASKS: Table[api.Task] = Table(
    id="ota-failed",
    caption=_("Failed devices"),
    columns=(
        _DEVICE,
        Column("description", _("Device message")),
        Column("modified", _("Modified"), kind="time"),
    ),
)


def build_task_table(batch_id: str, actions: Sequence[Bulk]) -> Table[api.Task]:
    """Return the table of the devices of a batch with these actions on several of them."""
    return Table(
        id="ota-tasks",
        caption=_("Devices in the batch"),
        key=BULK.key,
        columns=(
            _DEVICE,
            Column("status", _("Status"), kind="status", status="batch_task"),
            Column("progress", _("Progress"), template="areas/ota/task_progress.html"),
            Column("source_version", _("Source version"), kind="code", hidden=True),
            Column("description", _("Device message")),
            Column("modified", _("Modified"), kind="time"),
            Column("id", _("Task ID"), kind="code", hidden=True, copy=True),
        ),
        actions=BULK.buttons(actions, batch_id=batch_id),
        unit=_("devices"),
    )
