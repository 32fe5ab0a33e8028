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
"""The time between two counts of all subjects. The numbers that a page reads are recorded in between."""
KEEP = timedelta(days=31)
# The time between two points of a chart, by the days that it shows.
_STEPS = dict(zip(PERIODS, (INTERVAL, timedelta(minutes=30), timedelta(hours=2)), strict=True))
# A chart of one day is as long as the first of these that contains its data: on the first day, a point would be all it shows.
_FIRST_DAY = (timedelta(hours=1), timedelta(hours=6))
# A subject without samples for so long was deleted, or is no longer counted.
_ABSENCE = timedelta(hours=1)
_MAX_COUNT = 2**31 - 1


def fleet_key(connection: Connection) -> str:
    """Return the key of all devices of a connection. It changes with the account, which may have another fleet, but not with a new
    AccessKey that the user said belongs to the same account."""
    account = connection.first_account or connection.account
    return hashlib.sha256(account.encode()).hexdigest()[:32]


def start_of_step(moment: datetime, step: timedelta) -> datetime:
    """Return the start of the step that contains `moment`: of the hour, if a step is an hour."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


# -- recording -----------------------------------------------------------------------------------------------------


def record_counts(connection: Connection, kind: Kind, counts: Mapping[str, DeviceCounts]) -> None:
    """Record the present numbers of several subjects, by their keys. Those that have a sample of this minute keep it."""
    at = _this_minute()
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
    """Record numbers that a page has read anyway, so that its chart ends with them, unless this minute has a sample."""
    samples = DeviceCountSample.objects.filter(connection=connection, kind=kind, key=key, at=_this_minute())
    if not samples.exists():
        with suppress(OperationalError):  # a page also opens while the database is busy
            record_counts(connection, kind, {key: counts})


def _this_minute() -> datetime:
    return start_of_step(timezone.now(), timedelta(minutes=1))


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
    start = now - timedelta(days=days)
    samples = DeviceCountSample.objects.filter(
        connection=connection, kind=kind, key__in=keys, at__gt=start, at__lte=now
    )
    present = list(samples.values_list("key").annotate(Min("at"), Max("at"))) if len(keys) > 1 else []
    sums = samples.values_list("at").annotate(Count("pk"), Sum("devices"), Sum("activated"), Sum("online"))
    points: dict[datetime, tuple[datetime, DeviceCounts | None]] = {}  # by the start of their step
    latest: tuple[datetime, DeviceCounts | None] | None = None
    for at, count, devices, activated, online in sums.order_by("at"):
        expected = sum(first <= at <= last + _ABSENCE for _key, first, last in present)
        # A sum without one of the subjects would look like a loss of devices.
        latest = at, DeviceCounts(devices, activated, online) if count >= expected else None
        in_step = start_of_step(at, step)
        if points.get(in_step, (at, None))[1] is None:
            points[in_step] = latest
    shown = list(points.values())
    if latest and latest[1] and latest[0] > shown[-1][0]:
        shown.append(latest)  # the chart ends with the present numbers
    return build_chart_data(
        [at for at, _counts in shown],
        _build_curves([counts for _at, counts in shown]),
        gap=step * 1.5,
        period=(now - _choose_length(days, now - shown[0][0] if shown else None), now),
    )


def _choose_length(days: int, age: timedelta | None) -> timedelta:
    """Return the length of the time axis of a chart of so many days, whose first data have this age; None: there are none."""
    if days == PERIODS[0] and age is not None:
        return next((length for length in _FIRST_DAY if age <= length), timedelta(days=days))
    return timedelta(days=days)


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
