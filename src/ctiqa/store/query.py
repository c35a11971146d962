"""Ask a store which series it holds, group by group, the oldest first."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Row, select

from ctiqa.protocol.tracked import Group, SeriesPoint, Tracked
from ctiqa.store.open import Store
from ctiqa.store.schema import Series

__all__ = ["tracked"]


def tracked(store: Store, *, scanner: str = "") -> tuple[Tracked, ...]:
    """Return every group with its series, in the order of time; series without a score left out.

    Series of one day stand in the order of their UIDs, whichever was imported first.

    Args:
        store: open.
        scanner: only this one; "" for all.
    """
    wanted = select(Series).where(Series.scored > 0)
    if scanner:
        wanted = wanted.where(Series.scanner == scanner)
    groups: dict[Group, list[SeriesPoint]] = defaultdict(list)
    with store.reading() as connection:
        for row in connection.execute(wanted):
            groups[_group(row)].append(_point(row))
    return tuple(
        Tracked(group, tuple(sorted(points, key=lambda one: (one.day, one.series_instance_uid))))
        for group, points in sorted(
            groups.items(), key=lambda one: (one[0].words, one[0].model_sha256)
        )
    )


def _group(row: Row[Any]) -> Group:
    thickness = row.slice_thickness_mm
    return Group(
        manufacturer=row.manufacturer,
        scanner=row.scanner,
        kvp=row.kvp,
        kernel=row.kernel,
        # 1.25 and 1.2500001 mm are one protocol.
        slice_thickness_mm=None if thickness is None else round(thickness, 2),
        body_part=row.body_part,
        model=row.model,
        model_sha256=row.model_sha256,
    )


def _point(row: Row[Any]) -> SeriesPoint:
    return SeriesPoint(
        day=row.acquired or row.imported.date(),
        dated=row.acquired is not None,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        slices=row.slices,
        score_median=row.score_median,
        noise_hu_median=row.noise_hu_median,
    )
