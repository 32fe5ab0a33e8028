"""Records numbers of devices, and reads them as the data of charts. Makes no call to the cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Count, Max, Min, Sum
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from console.connections.models import Connection
from console.device_counts.counts import DeviceCounts
from console.device_counts.models import MAX_KEY_LENGTH, DeviceCountSample
from console.ui.charts import PERIODS, Curve, build_chart_data

Kind = DeviceCountSample.Kind
INTERVAL = timedelta(minutes=10)
KEEP = timedelta(days=31)
# The time between two points of a chart, by the days that it shows.
_STEPS = dict(zip(PERIODS, (INTERVAL, timedelta(minutes=30), timedelta(hours=2)), strict=True))
# A subject without samples for so long was deleted, or is no longer counted.
_ABSENCE = timedelta(hours=1)
_MAX_COUNT = 2**31 - 1


def fleet_key(connection: Connection) -> str:
    """Return the key of all devices of a connection. It changes with the account, which may have another fleet, but not with a new
    AccessKey that the user said belongs to the same account."""
    account = connection.first_account or connection.account
    return hashlib.sha256(account.encode()).hexdigest()[:32]


def start_of_interval(moment: datetime) -> datetime:
    """Return the start of the ten minutes that contain `moment`."""
    return _start_of_step(moment, INTERVAL)


def _start_of_step(moment: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


# -- recording -----------------------------------------------------------------------------------------------------


def record_counts(connection: Connection, kind: Kind, counts: Mapping[str, DeviceCounts]) -> None:
    """Record the present numbers of several subjects, by their keys. Those that have a sample of these ten minutes keep it."""
    at = start_of_interval(timezone.now())
    samples = [
        DeviceCountSample(
            connection=connection,
            kind=kind,
            key=key,
            at=at,
            devices=numbers.total,
            activated=numbers.activated,
            online=numbers.online,
        )
        for key, numbers in counts.items()
        if 0 < len(key) <= MAX_KEY_LENGTH
        and all(0 <= n <= _MAX_COUNT for n in (numbers.total, numbers.activated, numbers.online))
    ]
    DeviceCountSample.objects.bulk_create(samples, ignore_conflicts=True, batch_size=100)


def record_if_due(connection: Connection, kind: Kind, key: str, counts: DeviceCounts) -> None:
    """Record numbers that a page has read anyway, unless these ten minutes have a sample."""
    at = start_of_interval(timezone.now())
    if not DeviceCountSample.objects.filter(connection=connection, kind=kind, key=key, at=at).exists():
        with suppress(OperationalError):  # a page also opens while the database is busy
            record_counts(connection, kind, {key: counts})


def delete_old_samples() -> None:
    """Delete the samples that are older than they are kept."""
    DeviceCountSample.objects.filter(at__lt=timezone.now() - KEEP).delete()


# -- charts --------------------------------------------------------------------------------------------------------


def chart_response(
    request: HttpRequest, connection: Connection, kind: Kind, keys: Sequence[str]
) -> JsonResponse:
    """Respond with the numbers of the devices of all these subjects together, for a chart. `?days=` is 1, 7 or 31."""
    text = request.GET.get("days", "")
    days = int(text) if text in {str(period) for period in PERIODS} else PERIODS[0]
    return JsonResponse(_read_chart(connection, kind, keys, days))


def _read_chart(connection: Connection, kind: Kind, keys: Sequence[str], days: int) -> dict[str, Any]:
    now, step = timezone.now(), _STEPS[days]
    samples = DeviceCountSample.objects.filter(
        connection=connection, kind=kind, key__in=keys, at__gt=now - timedelta(days=days), at__lte=now
    )
    present = list(samples.values_list("key").annotate(Min("at"), Max("at"))) if len(keys) > 1 else []
    sums = samples.values_list("at").annotate(Count("pk"), Sum("devices"), Sum("activated"), Sum("online"))
    times: list[datetime] = []
    numbers: list[DeviceCounts | None] = []
    for at, count, devices, activated, online in sums.order_by("at"):
        if times and _start_of_step(at, step) == _start_of_step(times[-1], step):
            continue
        expected = sum(first <= at <= last + _ABSENCE for _key, first, last in present)
        times.append(at)
        # A sum without one of the subjects would look like a loss of devices.
        numbers.append(DeviceCounts(devices, activated, online) if count >= expected else None)
    gap = step * 1.5
    return build_chart_data(times, _build_curves(numbers), gap=gap, until=now if times else None)


def _build_curves(numbers: Sequence[DeviceCounts | None]) -> list[Curve]:
    parts: tuple[tuple[str, str, Callable[[DeviceCounts], int]], ...] = (
        (_("Online"), "--fd-good", lambda counts: counts.online),
        (_("Offline"), "--fd-off", lambda counts: counts.offline),
        (_("Not activated"), "--fd-outline", lambda counts: counts.not_activated),
    )
    return [
        Curve(label, color, [None if counts is None else count(counts) for counts in numbers])
        for label, color, count in parts
    ]
