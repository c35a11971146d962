"""Put results into a store, each exactly once however often and in whatever order they come."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from statistics import median
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Executable, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ctiqa.store.open import Store
from ctiqa.store.results import Results, ScoredSeries, ScoredSlice
from ctiqa.store.schema import Base, Series, Slice

__all__ = ["Added", "add"]

Insert: TypeAlias = postgresql.Insert | sqlite.Insert

_SERIES_KEY = ("series_instance_uid", "model_sha256")
_SLICE_KEY = ("series_id", "sop_instance_uid", "frame")
_FACTS = tuple(
    field.name
    for field in fields(ScoredSeries)
    if field.name not in {"series_instance_uid", "slices"}
)


@dataclass(frozen=True, slots=True)
class Added:
    """What a file of results brought.

    Args:
        series: how many it holds; ``slices`` likewise.
        new_slices: how many of them the store had not seen from this model.
    """

    series: int
    slices: int
    new_slices: int


def add(store: Store, results: Results, *, scanner: str = "") -> Added:
    """Put one file of results into a store, all of it or nothing.

    A slice is known by its SOP Instance UID, its frame and the model; what is said of it later
    replaces what was said before. A series is summed up anew over all its slices in the store, so
    that it may come in parts.

    Args:
        store: open.
        results: as read.
        scanner: what the site calls the scanner; "" leaves the name of its model.

    Raises:
        StoreError: if the store cannot be written.
    """
    shared = {
        "model": results.model,
        "model_sha256": results.model_sha256,
        "imported": datetime.now(UTC).replace(tzinfo=None),
        "slices": 0,
        "scored": 0,
    }
    named = {"scanner": scanner} if scanner else {}
    seen = new = 0
    with store.writing() as connection:
        put_series = _series_upsert(connection)
        put_slices = _slice_upsert(connection)
        for series in results.series:
            # The row of the series is locked from here on, so that nobody sums it up meanwhile.
            facts = {name: getattr(series, name) for name in ("series_instance_uid", *_FACTS)}
            series_id = connection.execute(put_series, facts | shared | named).scalar_one()
            before = connection.scalar(
                select(func.count()).select_from(Slice).where(Slice.series_id == series_id)
            )
            rows = [{"series_id": series_id, **one._asdict()} for one in series.slices]
            connection.execute(put_slices, rows)
            seen += len(rows)
            new += _sum_up(connection, series_id) - (before or 0)
    return Added(series=len(results.series), slices=seen, new_slices=new)


def _series_upsert(connection: Connection) -> Executable:
    """Return a statement that takes one series and returns its row's number."""
    insert = _insert(connection, Series)
    fresh: dict[str, ColumnElement[Any]] = {
        name: insert.excluded[name] for name in ("model", *_FACTS)
    }
    # Results that do not tell the day take away no day that others told.
    fresh["acquired"] = func.coalesce(insert.excluded["acquired"], Series.acquired)
    changed = insert.on_conflict_do_update(index_elements=_SERIES_KEY, set_=fresh)
    return changed.returning(Series.id)


def _slice_upsert(connection: Connection) -> Executable:
    """Return a statement that takes any number of slices."""
    insert = _insert(connection, Slice)
    names = [name for name in ScoredSlice._fields if name not in _SLICE_KEY]
    fresh = {name: insert.excluded[name] for name in names}
    return insert.on_conflict_do_update(index_elements=_SLICE_KEY, set_=fresh)


def _insert(connection: Connection, table: type[Base]) -> Insert:
    """Return INSERT with ON CONFLICT, which the SQL standard lacks and both dialects know."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _sum_up(connection: Connection, series_id: int) -> int:
    """Write what the stored slices of a series come to, and return how many they are."""
    columns = (Slice.score, Slice.noise_hu, Slice.ctdivol_mgy)
    rows = connection.execute(select(*columns).where(Slice.series_id == series_id)).all()
    scores, noises, doses = (
        [value for value in column if value is not None] for column in zip(*rows, strict=True)
    )
    summary = {
        "slices": len(rows),
        "scored": len(scores),
        "score_median": median(scores) if scores else None,
        "noise_hu_median": median(noises) if noises else None,
        "ctdivol_mgy_median": median(doses) if doses else None,
    }
    connection.execute(update(Series).where(Series.id == series_id).values(summary))
    return len(rows)
