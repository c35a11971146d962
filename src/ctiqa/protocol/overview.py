"""Which groups of series there are, as a table and as plain data."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ctiqa.protocol.tracked import GROUP_COLUMNS, Tracked

__all__ = ["Overview"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Overview:
    """All groups, with how many series each holds and from when."""

    groups: tuple[Tracked, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table."""
        return (*GROUP_COLUMNS, "series", "slices", "first_day", "last_day")

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each group."""
        return (row.values() for row in self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the groups as plain data, ``schema_version`` first."""
        return {"schema_version": SCHEMA_VERSION, "groups": self._rows()}

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                **asdict(one.group),
                "series": len(one.points),
                "slices": sum(point.slices for point in one.points),
                "first_day": one.points[0].day.isoformat(),
                "last_day": one.points[-1].day.isoformat(),
            }
            for one in self.groups
        ]
