"""Whether a scanner is still as good as it was: series of one protocol over time, on charts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from ctiqa.protocol.control_chart import (
    FloatArray,
    Limits,
    Lines,
    control_lines,
    excursions,
    individuals_limits,
)
from ctiqa.protocol.tracked import Group, SeriesPoint, Tracked

__all__ = ["FEWEST", "QUANTITIES", "Alarm", "Baseline", "Chart", "Quantity", "charts_of"]

LINES = tuple(Lines.__dataclass_fields__)

FEWEST = 10
"""Limits from fewer series say more about chance than about the scanner."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is charted of a series: its name, the field that holds it, its unit."""

    name: str
    field: str
    unit: str


QUANTITIES = (Quantity("score", "score_median", ""), Quantity("noise", "noise_hu_median", "HU"))


@dataclass(frozen=True, slots=True)
class Baseline:
    """Which series say what is normal: the first ``count``, or all of a span of days.

    Args:
        count: at least ``FEWEST``.
        span: first and last day; None takes the first ``count``.
    """

    count: int = 20
    span: tuple[date, date] | None = None

    @property
    def needed(self) -> int:
        """How many series a baseline must hold to give limits."""
        return self.count if self.span is None else FEWEST

    def holds(self, points: Sequence[SeriesPoint]) -> tuple[bool, ...]:
        """Return of each point, the oldest first, whether it is of the baseline."""
        if self.span is None:
            return tuple(place < self.count for place in range(len(points)))
        first, last = self.span
        return tuple(first <= point.day <= last for point in points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One or more consecutive series beyond a limit.

    Args:
        smoothed: whether the moving average passed its limit, and not the series itself.
        above: whether it was the upper limit.
        day: of the first of them; UID, value and limit are that series' too.
        value: of the series or of the moving average, in the unit of the quantity.
        limit: that was passed.
        series: how many there are in a row.
        lasting: whether the newest series is one of them.
        in_baseline: whether the first of them belongs to the baseline, which then is in doubt.
    """

    smoothed: bool
    above: bool
    day: date
    series_instance_uid: str
    value: float
    limit: float
    series: int
    lasting: bool
    in_baseline: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """One quantity of a group over time.

    Args:
        points: the series that have the quantity, the oldest first.
        values: (N,) of the quantity.
        in_baseline: which of them are of the baseline.
        needed: how many series a baseline must hold.
        limits: of a single series; None where the baseline holds too few, or all alike.
        lines: the limits and the moving average at every value; None without limits.
        alarms: in the order of time.
    """

    group: Group
    quantity: Quantity
    points: tuple[SeriesPoint, ...]
    values: FloatArray
    in_baseline: tuple[bool, ...]
    needed: int
    limits: Limits | None
    lines: Lines | None
    alarms: tuple[Alarm, ...]

    @property
    def without_limits(self) -> str:
        """Why there are no limits, in words; "" where there are."""
        held = sum(self.in_baseline)
        if self.limits is not None:
            return ""
        if held < self.needed:
            return f"no limits yet: the baseline holds {held} of {self.needed} series"
        return f"no limits: all {held} series of the baseline have the same {self.quantity.name}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each series with its limits; None where there are none."""
        for place, point in enumerate(self.points):
            yield {
                **asdict(self.group),
                "quantity": self.quantity.name,
                "unit": self.quantity.unit,
                "day": point.day.isoformat(),
                "day_of": "acquisition" if point.dated else "import",
                "study_instance_uid": point.study_instance_uid,
                "series_instance_uid": point.series_instance_uid,
                "value": float(self.values[place]),
                "in_baseline": self.in_baseline[place],
                **{
                    name: float(getattr(self.lines, name)[place]) if self.lines else None
                    for name in LINES
                },
            }

    def to_dict(self) -> dict[str, Any]:
        """Return the chart as plain data."""
        shared = {*asdict(self.group), "quantity", "unit", "centre", "lower", "upper"}
        return {
            "group": asdict(self.group),
            "quantity": self.quantity.name,
            "unit": self.quantity.unit,
            "without_limits": self.without_limits,
            "limits": None if self.limits is None else asdict(self.limits),
            "alarms": [asdict(one) | {"day": one.day.isoformat()} for one in self.alarms],
            "series": [
                {name: value for name, value in row.items() if name not in shared}
                for row in self.rows()
            ],
        }


def charts_of(tracked: Iterable[Tracked], baseline: Baseline) -> tuple[Chart, ...]:
    """Return a chart for each quantity of each group that holds it."""
    charts = (_chart(one, quantity, baseline) for one in tracked for quantity in QUANTITIES)
    return tuple(chart for chart in charts if chart.points)


def _chart(tracked: Tracked, quantity: Quantity, baseline: Baseline) -> Chart:
    points = tuple(point for point in tracked.points if getattr(point, quantity.field) is not None)
    values = np.array([getattr(point, quantity.field) for point in points], np.float64)
    in_baseline = baseline.holds(points)
    normal = values[np.array(in_baseline, bool)]
    # Values that are all alike have no moving range, and every other value would be an alarm.
    enough = len(normal) >= baseline.needed and np.ptp(normal) > 0
    limits = individuals_limits(normal) if enough else None
    lines = None if limits is None else control_lines(values, limits)
    return Chart(
        group=tracked.group,
        quantity=quantity,
        points=points,
        values=values,
        in_baseline=in_baseline,
        needed=baseline.needed,
        limits=limits,
        lines=lines,
        alarms=() if lines is None else _alarms(points, in_baseline, values, lines),
    )


def _alarms(
    points: tuple[SeriesPoint, ...], in_baseline: tuple[bool, ...], values: FloatArray, lines: Lines
) -> tuple[Alarm, ...]:
    tried = (
        (False, values, lines.lower, lines.upper),
        (True, lines.ewma, lines.ewma_lower, lines.ewma_upper),
    )
    found = [
        (smoothed, run, line, upper if run.above else lower)
        for smoothed, line, lower, upper in tried
        for run in excursions(line, lower=lower, upper=upper)
    ]
    return tuple(
        Alarm(
            smoothed=smoothed,
            above=run.above,
            day=points[run.first].day,
            series_instance_uid=points[run.first].series_instance_uid,
            value=float(line[run.first]),
            limit=float(limit[run.first]),
            series=run.last - run.first + 1,
            lasting=run.last == len(values) - 1,
            in_baseline=in_baseline[run.first],
        )
        for smoothed, run, line, limit in sorted(found, key=lambda one: one[1].first)
    )
