"""The data of a chart over time, as static/ui/charts.js reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise

PERIODS = (1, 7, 31)
"""The numbers of days between which a reader of a chart can choose, if the chart offers periods."""


@dataclass(frozen=True)
class Curve:
    """The values of one label over time, None where there is none. `color` is the name of a custom property of CSS."""

    label: str | Promise
    color: str
    values: Sequence[int | None]


def build_chart_data(
    times: Sequence[datetime],
    curves: Sequence[Curve],
    *,
    gap: timedelta,
    period: tuple[datetime, datetime] | None = None,
) -> dict[str, Any]:
    """Return the JSON object of a chart. `times` are in order, and each curve has a value for each of them.

    Where two times are further apart than `gap`, nothing was measured: the curves are interrupted. `period`: the start and the end
    of the time axis; without it, the axis shows the measurements.
    """
    x: list[int] = []
    positions: list[int | None] = []
    for position, time in enumerate(times):
        if position and time - times[position - 1] > gap:
            x.append((x[-1] + int(time.timestamp())) // 2)
            positions.append(None)
        x.append(int(time.timestamp()))
        positions.append(position)
    series = [
        {
            "label": str(curve.label),
            "color": curve.color,
            "values": [None if position is None else curve.values[position] for position in positions],
        }
        for curve in curves
    ]
    return {"x": x, "series": series, "period": [int(end.timestamp()) for end in period] if period else None}
