"""The rules between the values of a new batch, and the formats of its values. The form and the HTTP API ask them before
anything is sent.

Each function returns the problems as pairs: the name of the value, and a message. Limits: CreateOTAStaticUpgradeJob,
CreateOTADynamicUpgradeJob.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.areas.ota.records import BatchTarget, Package, Strategy

Problem = tuple[str, str | Promise]
# Regular expressions of complete values.
DEVICE_NAME = r"[A-Za-z0-9\-_@.:]{4,32}"
VERSION = r"[A-Za-z0-9._-]{1,64}"
TAG_KEY = r"[A-Za-z0-9.]{1,30}"
PERCENT = r"(100(\.0{1,3})?|\d{1,2}(\.\d{1,3})?)"
MAX_LISTED_NAMES = 10_000  # GenerateDeviceNameListURL: names in one list file
MAX_MQTT_BYTES = 16 * 1024 * 1024  # largest package for a download over MQTT
MIN_START_DELAY, MAX_START_DELAY = timedelta(minutes=5), timedelta(days=7)
MIN_DURATION, MAX_DURATION = timedelta(hours=1), timedelta(days=30)


def check_strategy(package: Package, strategy: Strategy) -> list[Problem]:
    """Check an update policy. The names are those of the fields of Strategy."""
    problems: list[Problem] = []
    if strategy.timeout and strategy.retry_interval and strategy.retry_interval >= strategy.timeout:
        problems.append(("retry_interval", _("The retry interval must be shorter than the timeout.")))
    if strategy.multi_module and strategy.overwrite:
        text = _("Pending updates cannot be overwritten when multiple modules are updated.")
        problems.append(("multi_module", text))
    if strategy.protocol == "MQTT" and (package.files or (package.size or 0) > MAX_MQTT_BYTES):
        text = _("MQTT supports only packages with a single file of up to 16 MB. Use HTTPS for this package.")
        problems.append(("protocol", text))
    return problems


def check_source_versions(package: Package, versions: Sequence[str]) -> list[Problem]:
    """Check the versions that the devices run before the update. The name is `source_versions`."""
    if package.version in versions:
        return [
            ("source_versions", _("This is the version of the package. Enter other source versions.")),
        ]
    return []


def check_target(batch_target: BatchTarget) -> list[Problem]:
    """Check the devices of a static batch. The names are those of the fields of BatchTarget."""
    selection, names = batch_target.selection, batch_target.names
    if selection == "GRAY" and not Decimal(batch_target.percent or 0):
        return [("percent", _("Enter a percentage greater than 0."))]
    if selection == "GROUP" and not batch_target.group_id:
        return [("group_id", _("Select a group."))]
    if selection == "SPECIFIC" and not names:
        return [("names", _("Enter at least one device name."))]
    if selection == "SPECIFIC" and len(names) > MAX_LISTED_NAMES:
        return [("names", _("Too many device names. The limit is 10,000."))]
    return []


def check_schedule(start: datetime | None, finish: datetime | None) -> list[Problem]:
    """Check when a static batch starts and ends. None: it starts now, it has no end. The names are `start` and `finish`."""
    now = timezone.now()
    problems: list[Problem] = []
    if start and not now + MIN_START_DELAY <= start <= now + MAX_START_DELAY:
        problems.append(("start", _("The start must be 5 minutes to 7 days from now.")))
    if finish and not start:
        problems.append(("finish", _("Set a start time before you set an end time.")))
    elif start and finish and not MIN_DURATION <= finish - start <= MAX_DURATION:
        problems.append(("finish", _("The end must be 1 hour to 30 days after the start.")))
    return problems
