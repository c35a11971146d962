"""Pair the series of two sides, and their slices by position along the table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctiqa.protocol.sides import ScoredSeries, Side
from ctiqa.scoring.result import SliceResult

__all__ = ["Couple", "couples", "slice_pairs", "why_apart"]

_SAME_DIRECTION = 0.9998  # cosine of one degree


@dataclass(frozen=True, slots=True)
class Couple:
    """A series of each side that show the same part of the same patient in one position.

    Args:
        a: the one; ``b`` the other.
        pairs: (slice of a, slice of b) by rising z.
        assumed: why they are taken to share their coordinates; "" where their headers say so.
    """

    a: ScoredSeries
    b: ScoredSeries
    pairs: tuple[tuple[SliceResult, SliceResult], ...]
    assumed: str


def couples(a: Side, b: Side) -> tuple[Couple, ...]:
    """Return which series of one side belongs to which of the other, each at most once.

    Two series belong together if they have the same frame of reference; where that is not told, if
    they belong to one study; where that is not told either, if each is the only one of its side or
    has the other's name. Of several partners the one with the most common positions is taken.
    """
    alone = len(a.series) == len(b.series) == 1
    related = [
        (x, y, why)
        for x in a.series
        for y in b.series
        if (why := _related(x, y, alone=alone)) is not None
    ]
    offers = [Couple(x, y, _pairs(x, y), why) for x, y, why in related]
    return tuple(_each_once(sorted(offers, key=lambda couple: -len(couple.pairs))))


def slice_pairs(
    a_mm: npt.NDArray[np.float64], b_mm: npt.NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Return which position of one series belongs to which of the other.

    Two slices are a pair if each is the other's nearest and they lie no farther apart than half the
    slice distance of the coarser series.

    Args:
        a_mm: (n,) positions along the table, rising.
        b_mm: (m,) those of the other series.

    >>> slice_pairs(np.array([0.0, 5, 10]), np.array([1.0, 3, 5, 7, 9]))
    [(0, 0), (1, 2), (2, 4)]
    """
    distance = np.abs(a_mm[:, np.newaxis] - b_mm)
    for_a, for_b = distance.argmin(axis=1), distance.argmin(axis=0)
    limit = max(_spacing(a_mm), _spacing(b_mm)) / 2
    return [
        (i, int(j))
        for i, j in enumerate(for_a)
        if for_b[j] == i and distance[i, j] <= limit * (1 + 1e-6)
    ]


def why_apart(couple: Couple) -> str:
    """Return, in words, why two series that belong together have few slices in common."""
    a_mm, b_mm = _z_mm(couple.a.rows), _z_mm(couple.b.rows)
    if _turned(couple.a, couple.b):
        return "their slices are counted in different directions; reconstruct both in one"
    told = couple.a.normal is not None and couple.b.normal is not None
    if not told and len(slice_pairs(a_mm, -b_mm[::-1])) > len(couple.pairs):
        return (
            "their positions agree once those of one are mirrored, so it seems that they are "
            "counted in opposite directions; reconstruct both in one"
        )
    return (
        f"they have {len(couple.pairs)} positions in common (A reaches from {a_mm[0]:g} to "
        f"{a_mm[-1]:g} mm, B from {b_mm[0]:g} to {b_mm[-1]:g} mm); name scans that overlap more"
    )


def _spacing(z_mm: npt.NDArray[np.float64]) -> float:
    steps = np.diff(z_mm)
    steps = steps[steps > 0]
    return float(np.median(steps)) if steps.size else 0.0


def _related(x: ScoredSeries, y: ScoredSeries, *, alone: bool) -> str | None:
    """Return why two series share their coordinates, "" if they say so; None if they do not."""
    for one, other, words in (
        (x.frame_of_reference_uid, y.frame_of_reference_uid, ""),
        (x.study_instance_uid, y.study_instance_uid, "both belong to one study"),
    ):
        if one and other:
            return words if one == other else None
    if alone:
        return "nothing says whose they are"
    return "they have the same name" if x.name == y.name else None


def _pairs(x: ScoredSeries, y: ScoredSeries) -> tuple[tuple[SliceResult, SliceResult], ...]:
    if _turned(x, y):
        return ()
    return tuple((x.rows[i], y.rows[j]) for i, j in slice_pairs(_z_mm(x.rows), _z_mm(y.rows)))


def _turned(x: ScoredSeries, y: ScoredSeries) -> bool:
    """Whether z is known to rise along different directions."""
    if x.normal is None or y.normal is None:
        return False
    return float(np.dot(x.normal, y.normal)) < _SAME_DIRECTION


def _z_mm(rows: Sequence[SliceResult]) -> npt.NDArray[np.float64]:
    return np.array([row.z_mm for row in rows], np.float64)


def _each_once(offers: Sequence[Couple]) -> Iterator[Couple]:
    taken: set[int] = set()
    for couple in offers:
        if taken.isdisjoint({id(couple.a), id(couple.b)}):
            taken |= {id(couple.a), id(couple.b)}
            yield couple
