"""The lists of updates, each declared once."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from console.ota import api
from console.ui.links import curl
from console.ui.tables import BulkAction, Column, Table

TARGETS = {
    "ALL": _("All devices"),
    "SPECIFIC": _("Named devices"),
    "GRAY": _("A part"),
    "GROUP": _("A group"),
}

PACKAGES: Table[api.Package] = Table(
    id="packages",
    caption=_("Update packages"),
    columns=(
        Column(
            "name", _("Package"), primary=True, link=lambda request, row: curl(request, "ota:package", row.id)
        ),
        Column("version", _("Version"), kind="code"),
        Column("product_name", _("Product"), value=lambda row: row.product_name or row.product_key),
        Column("module", _("Module")),
        Column("kind", _("Kind"), value=lambda row: _("Delta") if row.delta else _("Full"), narrow=False),
        Column("status", _("Verification"), kind="status", status="package"),
        Column("size", _("Size"), kind="bytes"),
        Column("created", _("Created"), kind="when"),
        Column("product_key", _("ProductKey"), kind="code", hidden=True, copy=True),
        Column("id", _("Package ID"), kind="code", hidden=True, copy=True),
    ),
)

MODULES: Table[api.Module] = Table(
    id="modules",
    caption=_("Modules"),
    columns=(
        Column("name", _("Module"), primary=True),
        Column("alias", _("Alias")),
        Column("description", _("Description")),
        Column("created", _("Created"), kind="when"),
        Column("modified", _("Changed"), kind="when", hidden=True),
    ),
    row_template="ota/module_actions.html",
)


def _kind(job: api.Job) -> object:
    if job.verify:
        return _("Verification")
    return _("Dynamic") if job.dynamic else _("Static")


_JOB_COLUMNS: tuple[Column[api.Job], ...] = (
    Column(
        "id",
        _("Batch"),
        primary=True,
        kind="code",
        link=lambda request, row: curl(request, "ota:job", row.id),
    ),
    Column("status", _("State"), kind="status", status="ota_job"),
    Column("kind", _("Kind"), value=_kind),
    Column("target", _("Aimed at"), value=lambda job: TARGETS.get(job.target, job.target)),
    Column("created", _("Created"), kind="when"),
    Column("started", _("Started"), kind="when", narrow=False),
    Column("ended", _("Ended"), kind="when"),
)

JOBS: Table[api.Job] = Table(id="batches", caption=_("Update batches"), columns=_JOB_COLUMNS)


def all_jobs(names: dict[str, str]) -> Table[api.Job]:
    """Batches of several packages; `names` tells a package's name by its id."""
    package: Column[api.Job] = Column(
        "package",
        _("Package"),
        value=lambda job: names.get(job.package_id, job.package_id),
        link=lambda request, job: curl(request, "ota:package", job.package_id),
    )
    return Table(
        id="batches", caption=_("Update batches"), columns=(_JOB_COLUMNS[0], package, *_JOB_COLUMNS[1:])
    )


def tasks(job_id: str, *, confirm: bool, cancel: bool) -> Table[api.Task]:
    """The devices of a batch. `confirm` and `cancel`: whether a person may."""
    return Table(
        id="ota-tasks",
        caption=_("Devices of the batch"),
        key=lambda task: f"{task.id}/{task.device}",
        columns=(
            Column(
                "device",
                _("Device"),
                primary=True,
                link=lambda request, task: curl(request, "devices:detail", task.product_key, task.device),
            ),
            Column("status", _("State"), kind="status", status="ota_task"),
            Column("progress", _("Progress"), template="ota/task_progress.html"),
            Column("source_version", pgettext_lazy("version", "From"), kind="code"),
            Column("description", _("What it reported")),
            Column("modified", _("Changed"), kind="ago"),
            Column("id", _("Task ID"), kind="code", hidden=True, copy=True),
        ),
        actions=(
            BulkAction(
                _("Confirm"),
                "check",
                url=lambda request: curl(request, "ota:confirm-tasks", job_id),
                allowed=lambda request: confirm,
            ),
            BulkAction(
                _("Cancel their update"),
                "ban",
                url=lambda request: curl(request, "ota:cancel-devices", job_id),
                danger=True,
                allowed=lambda request: cancel,
            ),
        ),
    )
