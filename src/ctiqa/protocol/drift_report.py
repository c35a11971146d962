"""What the charts of a store say, as a table and as plain data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ctiqa.protocol.drift import LINES, Alarm, Chart
from ctiqa.protocol.tracked import GROUP_COLUMNS

__all__ = ["DriftReport"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All charts, group by group."""

    charts: tuple[Chart, ...]

    @property
    def lasting(self) -> tuple[tuple[Chart, Alarm], ...]:
        """The alarms that the newest series of a chart still gives."""
        return tuple((one, alarm) for one in self.charts for alarm in one.alarms if alarm.lasting)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table."""
        return (
            *GROUP_COLUMNS,
            "quantity",
            "unit",
            "day",
            "day_of",
            "study_instance_uid",
            "series_instance_uid",
            "value",
            "in_baseline",
            *LINES,
        )

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each series and quantity."""
        return (row.values() for chart in self.charts for row in chart.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the charts as plain data, ``schema_version`` first."""
        return {
            "schema_version": SCHEMA_VERSION,
            "charts": [chart.to_dict() for chart in self.charts],
        }
