"""PLCC, SROCC, KROCC, OPM, MAE, MSE with patient-bootstrap intervals."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ctiqa.measures.correlation import Column, Correlation, columns, srocc

__all__ = [
    "FEWEST_PATIENTS",
    "Agreement",
    "Bootstrap",
    "Interval",
    "agreement",
    "bootstrap",
    "mae",
    "mse",
    "opm",
    "percentile_interval",
    "signed_opm",
    "within_dose",
]

FEWEST_PATIENTS = 3
"""With fewer, an interval over patients is not meaningful (METHOD 1.3, row 27)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a column of scores agrees with its reference; NaN where a figure is not defined.

    ``srocc`` and ``krocc`` are tie-aware (averaged ranks, tau-b); ``srocc_eq8`` and ``tau_a`` are
    equations 8 and 9 of the paper word for word (doi 10.12677/mos.2025.143214), which know no ties.
    ``opm`` is its equation 10, a sum of absolute values, which hides an inverted score;
    ``signed_opm`` does not.
    """

    n: int
    plcc: float
    srocc: float
    krocc: float
    opm: float
    signed_opm: float
    mae: float
    mse: float
    srocc_eq8: float
    tau_a: float

    @property
    def krcc(self) -> float:
        """``krocc`` by its name in the paper's tables."""
        return self.krocc


class Interval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The agreement in resamples of whole patients.

    Args:
        patients: how many patients were drawn from.
        draws: one agreement for each resample.
    """

    patients: int
    draws: tuple[Agreement, ...]

    @property
    def meaningful(self) -> bool:
        """Whether the patients are enough for an interval to mean anything."""
        return self.patients >= FEWEST_PATIENTS

    def figure(self, name: str) -> Column:
        """Return one figure, named as in :class:`Agreement`, in every resample: (draws,)."""
        return np.array([getattr(draw, name) for draw in self.draws], np.float64)

    def intervals(self) -> dict[str, Interval]:
        """Return the 95 % percentile interval of every figure by its name."""
        names = [field.name for field in fields(Agreement) if field.name != "n"]
        return {name: percentile_interval(self.figure(name)) for name in names}


def agreement(score: npt.ArrayLike, reference: npt.ArrayLike) -> Agreement:
    """Return every figure of agreement of two columns.

    Args:
        score: (n,) what a model or a meter says.
        reference: (n,) what is true.

    Raises:
        ValueError: if the columns are empty, differ in length or hold NaN or infinity.

    >>> figures = agreement([0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5])
    >>> round(figures.opm, 6), round(figures.mae, 6)
    (3.0, 0.1)
    """
    return _agreement(*columns(score, reference))


def opm(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return abs PLCC + abs SROCC + abs KROCC (equation 10), in [0, 3]."""
    return agreement(score, reference).opm


def signed_opm(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return PLCC + SROCC + KROCC, in [-3, 3]: negative when the score is upside down."""
    return agreement(score, reference).signed_opm


def mae(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the mean absolute error, in the columns' own unit."""
    return agreement(score, reference).mae


def mse(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the mean squared error, in the square of the columns' own unit."""
    return agreement(score, reference).mse


def within_dose(
    score: npt.ArrayLike, reference: npt.ArrayLike, dose: npt.ArrayLike
) -> dict[float, float]:
    """Return Spearman's correlation inside each dose level, by falling dose.

    A pooled figure mostly measures how far the doses lie apart; this one does not.

    Args:
        score: (n,) scores.
        reference: (n,) references.
        dose: (n,) dose of each image; equal values make one level.

    >>> within_dose([1, 2, 9, 8], [1, 2, 3, 4], [0.5, 0.5, 1, 1])
    {1.0: -1.0, 0.5: 1.0}
    """
    x, y = columns(score, reference)
    _, doses = columns(score, dose)
    rows_at = {float(level): doses == level for level in np.unique(doses)[::-1]}
    return {level: srocc(x[rows], y[rows]) for level, rows in rows_at.items()}


def bootstrap(
    score: npt.ArrayLike,
    reference: npt.ArrayLike,
    patients: npt.ArrayLike,
    *,
    n_boot: int,
    rng: np.random.Generator,
) -> Bootstrap:
    """Return the agreement in resamples of the patients, drawn with replacement.

    Slices of one patient are alike, so a resample takes or leaves them together (METHOD 1.3, row
    27). The draws depend on ``patients`` and ``rng`` alone: two columns of scores that get the same
    patients and equal generators are resampled alike, and their difference is paired.

    Args:
        score: (n,) scores.
        reference: (n,) references.
        patients: (n,) whom each row belongs to, of any type that sorts.
        n_boot: number of resamples.
        rng: source of the draws.

    Raises:
        ValueError: as :func:`agreement`, or if ``patients`` has another length.
    """
    x, y = columns(score, reference)
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    if owner.shape != x.shape:
        raise ValueError(f"{owner.size} patients are named for {x.size} scores")
    rows = [np.flatnonzero(owner == index) for index in range(names.size)]
    draws = rng.integers(names.size, size=(n_boot, names.size))
    takes = (np.concatenate([rows[index] for index in draw]) for draw in draws)
    return Bootstrap(names.size, tuple(_agreement(x[take], y[take]) for take in takes))


def percentile_interval(values: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the central ``level`` of the finite ``values``, NaN where there are none.

    >>> percentile_interval(np.arange(101), level=0.5)
    Interval(low=25.0, high=75.0)
    """
    column = np.asarray(values, np.float64)
    finite = column[np.isfinite(column)]
    if not finite.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _agreement(x: Column, y: Column) -> Agreement:
    correlation, error = Correlation(x, y), x - y
    parts = correlation.plcc, correlation.srocc, correlation.krocc
    return Agreement(
        x.size,
        *parts,
        opm=sum(abs(part) for part in parts),
        signed_opm=sum(parts),
        mae=float(np.mean(np.abs(error))),
        mse=float(np.mean(error * error)),
        srocc_eq8=correlation.srocc_eq8,
        tau_a=correlation.tau_a,
    )
