"""Find the lowest dose that keeps a wanted score, on a rising curve through noisy means."""

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from ctiqa.measures.agreement import Interval
from ctiqa.measures.correlation import Column

__all__ = ["Answer", "Goal", "answer", "block_draws", "lowest_dose", "mean_interval"]

LEVEL = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The score that must be kept.

    Args:
        value: a share of the full-dose score, in (0, 1], or a score.
        relative: says that it is a share.

    >>> Goal(0.95, relative=True).threshold(0.8), Goal(0.6, relative=False).threshold(0.8)
    (0.76, 0.6)
    """

    value: float
    relative: bool

    def threshold(self, full_dose_score: float) -> float:
        """Return the score that must be reached, where the full dose has ``full_dose_score``."""
        return self.value * full_dose_score if self.relative else self.value


@dataclass(frozen=True, slots=True)
class Answer:
    """The lowest dose that keeps the wanted score.

    Args:
        threshold: the score that was wanted.
        low: where the dose lies at least, as a fraction of the full dose; ``high`` at most. They
            are equal where the curve crosses the threshold between two doses; (0, lowest dose) if
            even that keeps the score; (1, infinity) if not even the full dose has it.
        interval: 95 %, over slices; from 0 where resamples keep the score at the lowest dose, to
            infinity where some never have it.
    """

    threshold: float
    low: float
    high: float
    interval: Interval

    @property
    def dose_fraction(self) -> float | None:
        """The dose, None where the curve does not cross the threshold."""
        return self.low if self.low == self.high else None


def lowest_dose(doses: Column, scores: Column, goal: Goal) -> tuple[float, Interval]:
    """Return the threshold, and where the lowest dose that reaches it lies.

    More dose cannot lower quality, so that a fall in the means is noise: they are replaced by the
    rising curve that is nearest in least squares (isotonic regression; Barlow and Brunk, JASA 67,
    1972, doi 10.1080/01621459.1972.10481216), which is linear in the logarithm of the dose between
    the doses that were tried. A share is taken of the full-dose end of this curve.

    Args:
        doses: (n,) fractions of the full dose, rising to 1.
        scores: (n,) the mean score at each.
        goal: which score.

    Returns:
        The threshold, and the ends that :class:`Answer` explains.

    >>> doses, scores = np.array([0.25, 1.0]), np.array([0.4, 0.8])
    >>> _, (low, high) = lowest_dose(doses, scores, Goal(0.6, relative=False))
    >>> round(low, 6), round(high, 6)
    (0.5, 0.5)
    """
    curve = np.asarray(isotonic_regression(scores).x, np.float64)
    threshold = goal.threshold(float(curve[-1]))
    reached = int(np.searchsorted(curve, threshold))
    if reached == 0:
        return threshold, Interval(0.0, float(doses[0]))
    if reached == len(curve):
        return threshold, Interval(1.0, inf)
    around = slice(reached - 1, reached + 1)
    log_dose = np.interp(threshold, curve[around], np.log(doses[around]))
    # The logarithm and back would make 0.5 of a threshold that is met at 0.5 a little less.
    dose = float(doses[reached] if curve[reached] == threshold else np.exp(log_dose))
    return threshold, Interval(dose, dose)


def answer(doses: Column, scores: Column, goal: Goal, draws: npt.NDArray[np.intp]) -> Answer:
    """Return the lowest dose that keeps a score, with its interval over slices.

    Args:
        doses: (n,) fractions of the full dose, rising to 1.
        scores: (slices, n) of every slice at every dose.
        goal: which score.
        draws: (draws, slices) indices of the slices of each resample (:func:`block_draws`); all
            doses of a slice are drawn together, so that what slices differ in cancels.
    """
    threshold, (low, high) = lowest_dose(doses, scores.mean(axis=0), goal)
    found = [lowest_dose(doses, means, goal)[1] for means in scores[draws].mean(axis=1)]
    lows, highs = np.transpose(found)
    return Answer(threshold, low, high, _ends(lows, highs))


def mean_interval(values: Column, draws: npt.NDArray[np.intp]) -> Interval:
    """Return the 95 % interval of the mean of (slices,) values in resamples of the slices."""
    means = values[draws].mean(axis=1)
    return _ends(means, means)


def block_draws(slices: int, *, draws: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return resamples of the slices of a series in blocks of neighbours along the table.

    Neighbours are alike, so that drawn one by one they would promise too narrow an interval. The
    blocks run on from the last slice to the first, which gives every slice the same chance
    (circular block bootstrap: Politis and Romano, in Exploring the Limits of Bootstrap, 1992, 263);
    their length grows with the cube root of the number of slices (Hall, Horowitz and Jing,
    Biometrika 82, 1995, doi 10.1093/biomet/82.3.561).

    Args:
        slices: how many there are.
        draws: how many resamples.
        rng: draws them.

    Returns:
        (draws, slices) indices.
    """
    length = max(1, round(slices ** (1 / 3)))
    blocks = -(-slices // length)
    starts = rng.integers(slices, size=(draws, blocks, 1))
    indices = (starts + np.arange(length)) % slices
    return np.asarray(indices.reshape(draws, -1)[:, :slices], np.intp)


def _ends(lows: Column, highs: Column) -> Interval:
    """Return the interval between two quantiles, each one of the values: no mean with infinity."""
    tail = (1 - LEVEL) / 2
    low = np.quantile(lows, tail, method="inverted_cdf")
    high = np.quantile(highs, 1 - tail, method="inverted_cdf")
    return Interval(float(low), float(high))
