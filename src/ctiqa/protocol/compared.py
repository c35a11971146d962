"""What a comparison of two scans or reconstructions found, as plain data."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from ctiqa.measures.agreement import Interval
from ctiqa.scoring.columns import MEANING
from ctiqa.scoring.result import SliceResult

__all__ = ["COLUMNS", "Comparison", "Difference", "Pair"]

SCHEMA_VERSION = 1

COLUMNS = (
    "series_a",
    "series_b",
    "z_mm_a",
    "z_mm_b",
    "sop_instance_uid_a",
    "sop_instance_uid_b",
    "path_a",
    "path_b",
    "score_a",
    "score_b",
    "score_difference",
    "noise_hu_a",
    "noise_hu_b",
    "noise_hu_difference",
)
"""Columns of a table of pairs; every difference is A minus B."""


class Pair(NamedTuple):
    """A slice of each side, and the names of their series; None and "" where none is paired."""

    series_a: str
    series_b: str
    a: SliceResult | None
    b: SliceResult | None

    def cells(self) -> list[object]:
        """Return the cells of its row, in :data:`COLUMNS`."""
        facts = [
            (getattr(self.a, name, None), getattr(self.b, name, None))
            for name in ("z_mm", "sop_instance_uid", "path", "score", "noise_hu")
        ]
        z_mm, uids, paths, scores, noise_hu = facts
        return [
            self.series_a,
            self.series_b,
            *z_mm,
            *uids,
            *paths,
            *scores,
            _minus(*scores),
            *noise_hu,
            _minus(*noise_hu),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One quantity on both sides; each series counts once, every difference is A minus B.

    Args:
        mean_a: over the slices that are compared; ``mean_b`` likewise.
        mean: of the differences, or difference of the means where slices are not paired.
        mean_interval: its 95 % interval.
        median: as ``mean``; ``median_interval`` likewise.
        slices: how many pairs, or slices of both sides together.
    """

    mean_a: float
    mean_b: float
    mean: float
    mean_interval: Interval
    median: float
    median_interval: Interval
    slices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found; paths are not told, since they may name a patient.

    Args:
        paired: whether each slice has a partner in the same place.
        series: how many pairs of series; how many of A and B together where they are not paired.
        over_series: whether the intervals speak of series like these, or of these scans alone.
        score: the difference in score; higher is better.
        noise_hu: that in global noise; None where it is known of too few slices.
        share_a_better: share of the pairs in which A scores higher; None where nothing is paired.
        doubts: why the sides are not well comparable, in words; empty where they are.
        notes: how the slices were paired and what was left out, in words.
        pairs: by series and position.
        model: its name; ``model_sha256`` that of its file.
        seed: of the resamples.
    """

    paired: bool
    series: int
    over_series: bool
    score: Difference
    noise_hu: Difference | None
    share_a_better: float | None
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    pairs: tuple[Pair, ...]
    model: str
    model_sha256: str
    seed: int

    @property
    def better(self) -> str | None:
        """Whose score is higher, "A" or "B"; None where the interval holds no difference."""
        low, high = self.score.mean_interval
        return "A" if low > 0 else "B" if high < 0 else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of its table."""
        return COLUMNS

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each pair's row, in :attr:`columns`."""
        return (pair.cells() for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ``schema_version`` first."""
        values = asdict(replace(self, pairs=()))
        rows = [dict(zip(COLUMNS, cells, strict=True)) for cells in self.table()]
        return {
            "schema_version": SCHEMA_VERSION,
            "meaning": f"{MEANING}; every difference is A minus B",
            "better": self.better,
            **values,
            "pairs": rows,
        }


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
