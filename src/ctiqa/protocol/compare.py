"""Which of two scans or reconstructions scores better, by how much, and how sure that is."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.errors import TableError
from ctiqa.measures.agreement import FEWEST_PATIENTS
from ctiqa.measures.block_bootstrap import Estimate, Statistic, combine, estimate
from ctiqa.measures.correlation import Column
from ctiqa.protocol.comparability import doubts
from ctiqa.protocol.compared import Comparison, Difference, Pair
from ctiqa.protocol.pairing import Couple, couples, why_apart
from ctiqa.protocol.sides import Side
from ctiqa.scoring.result import SliceResult

__all__ = ["FEWEST_SLICES", "compare"]

FEWEST_SLICES = 10
"""Of a series, or of a pair of series; with fewer, neighbours cannot be told from chance."""

_N_BOOT = 2000
_DIFFERENT_EXAMS = (
    "they are different exams, so that patient, size and region count as much as how each was made"
)
_SAME_PLACE_MM = 0.01  # scanners write two to five decimals

Rows: TypeAlias = tuple[SliceResult, ...]
Columns: TypeAlias = list[Column]


def compare(a: Side, b: Side, *, seed: int = 0) -> Comparison:
    """Compare two sides: slice by slice where they lie in one place, else as two samples.

    Args:
        a: the one.
        b: the other, scored by the same model.
        seed: of the resamples; the same seed gives the same intervals.

    Raises:
        TableError: if different models scored them, or too few slices can be compared.
    """
    if a.model_sha256 != b.model_sha256:
        raise TableError(
            f"{a.name} was scored by {a.model} (sha256 {a.model_sha256[:12]}) and {b.name} by "
            f"{b.model} ({b.model_sha256[:12]}); scores of two models do not compare, so score "
            "both with one"
        )
    found = couples(a, b)
    return _paired(a, b, found, seed) if found else _unpaired(a, b, seed)


def _paired(a: Side, b: Side, found: Sequence[Couple], seed: int) -> Comparison:
    usable = [couple for couple in found if len(couple.pairs) >= FEWEST_SLICES]
    if not usable:
        raise TableError(
            f"a comparison needs {FEWEST_SLICES} pairs of slices in one place, and of {a.name} "
            f"and {b.name} there are fewer: {why_apart(found[0])}"
        )
    rng = np.random.default_rng(seed)
    rows_a, rows_b = (
        [tuple(pair[side] for pair in couple.pairs) for couple in usable] for side in (0, 1)
    )
    first, second = _paired_columns(rows_a, rows_b, "score")
    noise = _paired_columns(rows_a, rows_b, "noise_hu")
    higher = [(x > y).mean() for x, y in zip(first, second, strict=True)]
    return Comparison(
        paired=True,
        series=len(usable),
        over_series=len(usable) >= FEWEST_PATIENTS,
        score=_paired_difference(first, second, rng),
        noise_hu=_paired_difference(*noise, rng) if all(noise) else None,
        share_a_better=float(np.mean(higher)),
        doubts=tuple(doubts(_flat(rows_a), _flat(rows_b))),
        notes=(*_pairing_notes(usable), *_left_out(a, b, len(usable), len(usable))),
        pairs=tuple(
            Pair(each.a.name, each.b.name, *pair) for each in usable for pair in each.pairs
        ),
        model=a.model,
        model_sha256=a.model_sha256,
        seed=seed,
    )


def _unpaired(a: Side, b: Side, seed: int) -> Comparison:
    used = [
        [series for series in side.series if len(series.rows) >= FEWEST_SLICES] for side in (a, b)
    ]
    for side, series in zip((a, b), used, strict=True):
        if not series:
            raise TableError(
                f"{a.name} and {b.name} lie in different places, and to compare them as two "
                f"samples a series needs {FEWEST_SLICES} slices with a score, of which "
                f"{side.name} has none; name longer scans"
            )
    rng = np.random.default_rng(seed)
    rows_a, rows_b = ([series.rows for series in side] for side in used)
    noise = _columns(rows_a, "noise_hu"), _columns(rows_b, "noise_hu")
    return Comparison(
        paired=False,
        series=len(rows_a) + len(rows_b),
        over_series=min(len(rows_a), len(rows_b)) >= FEWEST_PATIENTS,
        score=_unpaired_difference(_columns(rows_a, "score"), _columns(rows_b, "score"), rng),
        noise_hu=_unpaired_difference(*noise, rng) if all(noise) else None,
        share_a_better=None,
        doubts=(
            _DIFFERENT_EXAMS,
            *doubts(_flat(rows_a), _flat(rows_b)),
        ),
        notes=tuple(_left_out(a, b, len(rows_a), len(rows_b))),
        pairs=(
            *(Pair(series.name, "", row, None) for series in used[0] for row in series.rows),
            *(Pair("", series.name, None, row) for series in used[1] for row in series.rows),
        ),
        model=a.model,
        model_sha256=a.model_sha256,
        seed=seed,
    )


def _paired_difference(a: Columns, b: Columns, rng: np.random.Generator) -> Difference:
    apart = [x - y for x, y in zip(a, b, strict=True)]
    mean, median = (estimate(apart, each, n_boot=_N_BOOT, rng=rng) for each in (_mean, _median))
    return _difference(a, b, mean, median, slices=sum(column.size for column in apart))


def _unpaired_difference(a: Columns, b: Columns, rng: np.random.Generator) -> Difference:
    def apart(statistic: Statistic) -> Estimate:
        sides = [estimate(columns, statistic, n_boot=_N_BOOT, rng=rng) for columns in (a, b)]
        return combine(sides, [1, -1])

    slices = sum(column.size for column in (*a, *b))
    return _difference(a, b, apart(_mean), apart(_median), slices=slices)


def _difference(
    a: Columns, b: Columns, mean: Estimate, median: Estimate, *, slices: int
) -> Difference:
    mean_a, mean_b = (float(np.mean([column.mean() for column in side])) for side in (a, b))
    return Difference(
        mean_a=mean_a,
        mean_b=mean_b,
        mean=mean.figure,
        mean_interval=mean.interval(),
        median=median.figure,
        median_interval=median.interval(),
        slices=slices,
    )


def _columns(series: Sequence[Rows], name: str) -> Columns:
    """Return for each series what is known of a quantity, along the table, where it is enough."""
    values = [np.array([getattr(row, name) for row in rows], np.float64) for rows in series]
    known = [column[np.isfinite(column)] for column in values]
    return [column for column in known if column.size >= FEWEST_SLICES]


def _paired_columns(a: Sequence[Rows], b: Sequence[Rows], name: str) -> tuple[Columns, Columns]:
    """Return for each series what is known of a quantity on both sides, where it is enough."""
    both = [
        np.array([[getattr(row, name) for row in rows] for rows in couple], np.float64)
        for couple in zip(a, b, strict=True)
    ]
    known = [values[:, np.isfinite(values).all(axis=0)] for values in both]
    usable = [values for values in known if values.shape[1] >= FEWEST_SLICES]
    return [values[0] for values in usable], [values[1] for values in usable]


def _pairing_notes(usable: Sequence[Couple]) -> Iterator[str]:
    assumed = dict.fromkeys(couple.assumed for couple in usable)
    if "" in assumed:
        yield "their headers name one frame of reference"
    for why in filter(None, assumed):
        yield f"one frame of reference is assumed: {why}"
    farthest_mm = max(
        abs((x.z_mm or 0.0) - (y.z_mm or 0.0)) for couple in usable for x, y in couple.pairs
    )
    if farthest_mm > _SAME_PLACE_MM:
        yield f"the slices of a pair lie up to {farthest_mm:.4g} mm apart"


def _left_out(a: Side, b: Side, used_a: int, used_b: int) -> Iterator[str]:
    for letter, side, used in (("A", a, used_a), ("B", b, used_b)):
        if side.left_out:
            yield f"{side.left_out} images of {letter} have no score or no position"
        if rest := len(side.series) - used:
            yield (
                f"{rest} series of {letter} are left out: no partner, or fewer than "
                f"{FEWEST_SLICES} slices"
            )


def _flat(series: Sequence[Rows]) -> list[SliceResult]:
    return [row for rows in series for row in rows]


def _mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(values.mean(axis=-1))


def _median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.median(values, axis=-1))
