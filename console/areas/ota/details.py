"""The settings of a batch as details: of one that exists, and of one that is reviewed before it is created."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from console.areas.ota.records import BatchDetail, Strategy
from console.areas.ota.tables import TARGETS
from console.ui.pieces import DetailItem


def build_batch_details(detail: BatchDetail) -> list[DetailItem]:
    """Return the target, the times and the update policy of a batch. Values that were not set are left out."""
    batch = detail.batch
    return _leave_out_empty(
        [
            DetailItem(pgettext("of a batch", "Target"), _describe_target(detail)),
            DetailItem(_("Source versions"), ", ".join(detail.source_versions)),
            DetailItem(_("Created"), batch.created, "time"),
            DetailItem(_("Planned start"), detail.scheduled, "time"),
            DetailItem(_("Planned end"), detail.schedule_end, "time"),
            DetailItem(_("Started"), batch.started, "time"),
            DetailItem(_("Ended"), batch.ended, "time"),
            *_describe_strategy(detail),
            DetailItem(_("Description"), detail.description),
        ]
    )


def build_review_details(
    strategy: Strategy, start: datetime | None, finish: datetime | None
) -> list[DetailItem]:
    """Return the times and the update policy of a new batch. `start`: None for now."""
    return _leave_out_empty(
        [
            DetailItem(_("Start"), start, "time") if start else DetailItem(_("Start"), _("Immediately")),
            *([DetailItem(_("End"), finish, "time")] if finish else []),
            *_describe_strategy(strategy),
        ]
    )


def _describe_strategy(strategy: Strategy | BatchDetail) -> list[DetailItem]:
    return [
        DetailItem(
            _("Devices per minute"),
            strategy.rate if strategy.rate else _("Platform limit"),
            "number" if strategy.rate else "text",
        ),
        DetailItem(_("Retries"), _describe_retries(strategy) or _("No retry")),
        DetailItem(_("Timeout"), gettext("%d min") % strategy.timeout if strategy.timeout else _("None")),
        DetailItem(_("Pending updates"), _("Overwritten") if strategy.overwrite else _("Run first")),
        DetailItem(_("Delivery"), _("Push") if strategy.need_push else _("On request")),
        DetailItem(
            _("Confirmation"), _("Required for each device") if strategy.need_confirm else _("Not required")
        ),
        DetailItem(_("Multiple modules"), _("Updated in parallel") if strategy.multi_module else ""),
        DetailItem(_("Download protocol"), strategy.protocol),
        DetailItem(_("Tags"), ", ".join(f"{key}={value}" for key, value in strategy.tags)),
    ]


def _leave_out_empty(items: Sequence[DetailItem]) -> list[DetailItem]:
    return [item for item in items if item.value not in (None, "")]


def _describe_target(detail: BatchDetail) -> str:
    if detail.batch.target == "GRAY" and detail.gray_percent:
        return gettext("%(percent)s%% of devices") % {"percent": detail.gray_percent}
    if detail.batch.target == "GROUP" or detail.group_name:
        return gettext("Group %(name)s") % {"name": detail.group_name or detail.group_id}
    return str(TARGETS.get(detail.batch.target, detail.batch.target))


def _describe_retries(strategy: Strategy | BatchDetail) -> str:
    if not strategy.retry_count:
        return ""
    if not strategy.retry_interval:
        return gettext("%(count)d, immediately") % {"count": strategy.retry_count}
    values = {"count": strategy.retry_count, "minutes": strategy.retry_interval}
    return gettext("%(count)d (interval: %(minutes)d min)") % values
