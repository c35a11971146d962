"""Control charts of single values: Shewhart's and the moving average, with limits from a baseline.

Individuals chart: ISO 7870-2:2013, section 7; Montgomery, Introduction to Statistical Quality
Control, section 6.4. EWMA: ISO 7870-6:2016; Lucas and Saccucci 1990, doi:10.2307/1269835.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

__all__ = [
    "EWMA_WEIGHT",
    "EWMA_WIDTH",
    "Excursion",
    "FloatArray",
    "Limits",
    "Lines",
    "control_lines",
    "ewma",
    "ewma_half_widths",
    "excursions",
    "individuals_limits",
]

FloatArray = npt.NDArray[np.float64]

D2 = 1.128
"""Mean range of two normal values over their standard deviation (ISO 7870-2, table 2, n = 2)."""

SHEWHART_WIDTH = 3.0

EWMA_WEIGHT, EWMA_WIDTH = 0.2, 2.962
"""One false alarm in 500 values in control (Lucas and Saccucci 1990, table 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a baseline says of the values that follow, in their unit.

    Args:
        centre: mean of the baseline.
        sd: standard deviation from one value to the next; a slow drift does not widen it.
        lower: below it a single value is out of control.
        upper: above it likewise.
    """

    centre: float
    sd: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """What a chart shows beside its N values, each (N,) in their unit."""

    centre: FloatArray
    lower: FloatArray
    upper: FloatArray
    ewma: FloatArray
    ewma_lower: FloatArray
    ewma_upper: FloatArray


@dataclass(frozen=True, slots=True)
class Excursion:
    """Consecutive values beyond one limit.

    Args:
        first: place of the first of them.
        last: place of the last of them.
        above: whether the upper limit was passed, and not the lower one.
    """

    first: int
    last: int
    above: bool


def individuals_limits(baseline: FloatArray) -> Limits:
    """Return Shewhart's limits for single values from the moving ranges of a baseline.

    >>> limits = individuals_limits(np.array([10.0, 12.0, 10.0, 12.0]))
    >>> limits.centre, round(limits.upper, 2)
    (11.0, 16.32)

    Args:
        baseline: (N,) values in the order of time, N at least 2.
    """
    centre = float(np.mean(baseline))
    sd = float(np.mean(np.abs(np.diff(baseline)))) / D2
    reach = SHEWHART_WIDTH * sd
    return Limits(centre=centre, sd=sd, lower=centre - reach, upper=centre + reach)


def ewma(values: FloatArray, *, start: float, weight: float = EWMA_WEIGHT) -> FloatArray:
    """Return the exponentially weighted moving average of values, z_i = w x_i + (1 - w) z_(i-1).

    A weight of 1 leaves the values as they are.

    Args:
        values: (..., N) in the order of time.
        start: the average before the first value.
        weight: of the newest value, in (0, 1].
    """
    before = np.full((*values.shape[:-1], 1), (1 - weight) * start)
    averaged, _ = lfilter([weight], [1, weight - 1], values, zi=before)
    return np.asarray(averaged, np.float64)


def ewma_half_widths(
    count: int, *, sd: float, weight: float = EWMA_WEIGHT, width: float = EWMA_WIDTH
) -> FloatArray:
    """Return how far each of the first averages may lie from the centre, (count,).

    They are narrow at first, since the average begins at the centre and needs time to leave it.

    Args:
        count: how many averages there are.
        sd: of a single value.
        weight: of the newest value, in (0, 1].
        width: L, in standard deviations of the average.
    """
    passed = np.arange(1, count + 1)
    variance = weight / (2 - weight) * (1 - (1 - weight) ** (2 * passed))
    return np.asarray(width * sd * np.sqrt(variance), np.float64)


def control_lines(values: FloatArray, limits: Limits) -> Lines:
    """Return the limits of (N,) values and their moving average, which begins at the centre."""
    level = np.ones(len(values))
    reach = ewma_half_widths(len(values), sd=limits.sd)
    return Lines(
        centre=limits.centre * level,
        lower=limits.lower * level,
        upper=limits.upper * level,
        ewma=ewma(values, start=limits.centre),
        ewma_lower=limits.centre - reach,
        ewma_upper=limits.centre + reach,
    )


def excursions(
    values: FloatArray, *, lower: FloatArray, upper: FloatArray
) -> tuple[Excursion, ...]:
    """Return the runs of values beyond a limit, in the order of time.

    >>> limit = np.full(5, 4.0)
    >>> excursions(np.array([0.0, 5.0, 6.0, 0.0, -9.0]), lower=-limit, upper=limit)
    (Excursion(first=1, last=2, above=True), Excursion(first=4, last=4, above=False))

    Args:
        values: (N,).
        lower: (N,); a value on a limit is still in control.
        upper: (N,).
    """
    side = (values > upper).astype(np.int8) - (values < lower).astype(np.int8)
    edges = np.flatnonzero(np.diff(side, prepend=0, append=0))
    return tuple(
        Excursion(int(first), int(end) - 1, above=bool(side[first] > 0))
        for first, end in pairwise(edges)
        if side[first] != 0
    )
