"""Hand on what a store holds as a table, to join it with other systems by UID."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from ctiqa.store.open import Store
from ctiqa.store.schema import Series, Slice

__all__ = ["Export", "export"]

SCHEMA_VERSION = 1

_OF_SERIES = [column for column in Series.__table__.columns if column.name != "id"]
_OF_SLICES = [
    Series.study_instance_uid,
    Series.series_instance_uid,
    *(column for column in Slice.__table__.columns if column.name != "series_id"),
    Series.model_sha256,
]


@dataclass(frozen=True, slots=True)
class Export:
    """Rows of a store; days and moments in ISO 8601."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def table(self) -> Iterable[Iterable[object]]:
        """Return the rows."""
        return self.rows

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as plain data, ``schema_version`` first."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"schema_version": SCHEMA_VERSION, "rows": rows}


def export(store: Store, *, slices: bool = False) -> Export:
    """Return a row for each series, or for each slice, in the order of UIDs.

    Args:
        store: open.
        slices: slices instead of series.
    """
    if slices:
        wanted = select(*_OF_SLICES).join(Slice, Slice.series_id == Series.id)
        wanted = wanted.order_by(
            Series.series_instance_uid,
            Series.model_sha256,
            Slice.instance_number,
            Slice.sop_instance_uid,
            Slice.frame,
        )
    else:
        wanted = select(*_OF_SERIES).order_by(Series.series_instance_uid, Series.model_sha256)
    with store.reading() as connection:
        found = connection.execute(wanted)
        columns = tuple(found.keys())
        rows = tuple(tuple(map(_plain, row)) for row in found)
    return Export(columns, rows)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
