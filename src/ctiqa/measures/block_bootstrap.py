"""Intervals for slices that follow one another: a circular block bootstrap along the table."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from ctiqa.measures.agreement import FEWEST_PATIENTS, Interval
from ctiqa.measures.correlation import Column

__all__ = ["Estimate", "Statistic", "block_length", "circular_blocks", "combine", "estimate"]

Statistic: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Takes values (..., n) and returns one figure (...) for each row of them."""

_BANDS = 2.0  # c of Politis and White: how many standard errors make a correlation count


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and how sure it is.

    Args:
        figure: of the values themselves.
        standard_error: of the figure; 0 where resampling does not change it.
        freedom: degrees of freedom of that error: independent pieces less one.
    """

    figure: float
    standard_error: float
    freedom: float

    def interval(self, *, level: float = 0.95) -> Interval:
        """Return the interval of Student's t about the figure.

        The quantiles of a few resampled blocks are too narrow; t with the bootstrap's own standard
        error is not (Hesterberg 2015, doi 10.1080/00031305.2015.1089789).

        >>> Estimate(1.0, 0.0, 9.0).interval()
        Interval(low=1.0, high=1.0)
        """
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.standard_error
        return Interval(self.figure - half, self.figure + half)


def block_length(values: npt.ArrayLike) -> int:
    """Return how many neighbours a circular block bootstrap of a mean must draw together.

    Politis and White's rule (doi 10.1081/ETC-120028836): the autocorrelation is summed under a
    flat-top lag window up to twice the lag after which it no longer counts. The correction of 2009
    (doi 10.1080/07474930802459016) concerns the stationary bootstrap alone.

    Args:
        values: (n,) in their order along the table, at least 3.

    Returns:
        From 1, where neighbours tell nothing of one another, to the lesser of 3 sqrt(n) and n / 3.

    >>> block_length(np.zeros(30)), block_length(np.arange(30)) > 5
    (1, True)
    """
    column = np.asarray(values, np.float64)
    n = column.size
    centred = column - column.mean()
    longest = max(int(min(math.ceil(3 * math.sqrt(n)), n // 3)), 1)
    if not centred.any():
        return 1
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    farthest = min(math.ceil(math.sqrt(n)) + run, n - 1)
    covariance = np.array([centred[lag:] @ centred[: n - lag] / n for lag in range(farthest + 1)])
    last = _last_lag(covariance[1:] / covariance[0], n=n, run=run)
    lags = np.arange(1, min(2 * last, farthest) + 1)
    flat_top = np.clip(2 * (1 - lags / max(lags.size, 1)), 0, 1)
    weighted = flat_top * covariance[lags]
    long_run = covariance[0] + 2 * weighted.sum()
    slope = 2 * (weighted * lags).sum()
    if long_run <= 0:
        # So strongly do neighbours repeat one another that their sum cannot be told apart from 0.
        return longest
    best = (2 * slope**2 / (4 / 3 * long_run**2)) ** (1 / 3) * n ** (1 / 3)
    return int(np.clip(math.ceil(best), 1, longest))


def circular_blocks(
    n: int, *, length: int, n_boot: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return places 0..n-1 in blocks of neighbours: (n_boot, n).

    The end of the table joins its beginning, so that no slice is drawn less often than another
    (Politis and Romano 1992, "A circular block-resampling procedure for stationary data").

    Args:
        n: how many values there are.
        length: neighbours in a block, 1 to ``n``; 1 is the plain bootstrap.
        n_boot: number of resamples.
        rng: source of the draws.
    """
    starts = rng.integers(n, size=(n_boot, math.ceil(n / length), 1))
    places = (starts + np.arange(length)) % n
    return places.reshape(n_boot, -1)[:, :n]


def estimate(
    columns: Sequence[Column], statistic: Statistic, *, n_boot: int, rng: np.random.Generator
) -> Estimate:
    """Return the mean over series of a statistic, each series counting once, and how sure it is.

    From three series on, whole series are drawn, and the interval speaks of series like these
    (slices inside them are not drawn again, which would count their scatter twice: Davison and
    Hinkley 1997, section 3.8). Of fewer, blocks of neighbours are drawn inside each, and the
    interval speaks of these scans alone.

    Args:
        columns: for each series its values in their order along the table, at least 3.
        statistic: as :data:`Statistic`.
        n_boot: number of resamples.
        rng: source of the draws.
    """
    figures = np.array([float(statistic(column)) for column in columns])
    if figures.size >= FEWEST_PATIENTS:
        drawn = rng.integers(figures.size, size=(n_boot, figures.size))
        return _estimate(float(figures.mean()), figures[drawn].mean(axis=1), figures.size)
    inside = []
    for figure, column in zip(figures, columns, strict=True):
        length = _safe_length(column)
        places = circular_blocks(column.size, length=length, n_boot=n_boot, rng=rng)
        inside.append(_estimate(float(figure), statistic(column[places]), column.size / length))
    return combine(inside, [1 / figures.size] * figures.size)


def combine(parts: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """Return the weighted sum of independent figures.

    Its degrees of freedom are those of Welch and Satterthwaite (doi 10.2307/3002019).

    >>> combine([Estimate(3.0, 0.3, 9), Estimate(1.0, 0.4, 9)], [1, -1]).standard_error
    0.5
    """
    variances = [
        (weight * part.standard_error) ** 2 for part, weight in zip(parts, weights, strict=True)
    ]
    spread = sum(v**2 / part.freedom for v, part in zip(variances, parts, strict=True))
    return Estimate(
        figure=sum(weight * part.figure for part, weight in zip(parts, weights, strict=True)),
        standard_error=math.sqrt(sum(variances)),
        freedom=sum(variances) ** 2 / spread if spread else min(part.freedom for part in parts),
    )


def _estimate(figure: float, draws: Column, pieces: float) -> Estimate:
    """Return a figure with the spread of its resamples, made of so many independent pieces.

    Resamples of m pieces scatter by sqrt((m - 1) / m) too little (Hesterberg 2015, section 3.2).
    """
    error = float(draws.std()) * math.sqrt(pieces / (pieces - 1))
    return Estimate(figure, error, pieces - 1)


def _safe_length(column: Column) -> int:
    """Return the block length, at least sqrt(n), of which n // 3 at most.

    In a short series a correlation between neighbours does not stand out from chance, and Politis
    and White's rule misses it. Long blocks cost an interval little when there was none.
    """
    n = column.size
    return max(1, min(max(block_length(column), math.ceil(math.sqrt(n))), n // 3))


def _last_lag(correlation: Column, *, n: int, run: int) -> int:
    """Return the lag after which ``run`` correlations in a row do not count."""
    counts = np.abs(correlation) >= _BANDS * math.sqrt(math.log10(n) / n)
    for lag in range(counts.size - run + 1):
        if not counts[lag : lag + run].any():
            return lag
    return int(np.flatnonzero(counts)[-1]) + 1
